import { expect } from "chai";
import fc from "fast-check";

import { isNeuraError } from "../../../src/errors.ts";
import { IDLE_STOP_SECONDS, idleDecision, runway, topUpPlan } from "../../../src/market/runway.ts";

const wei = fc.bigInt({ min: 0n, max: 10n ** 24n });
const rate = fc.bigInt({ min: 1n, max: 10n ** 18n });
const seconds = fc.nat(10 ** 8);

describe("runway", () => {
  it("ends with the money or with the time, whatever comes first", () => {
    const lease = { rateWei: 10n, endsAtSeconds: 1_100, nowSeconds: 1_000 };
    expect(runway({ ...lease, remainingWei: 599n })).to.deep.equal({
      secondsLeft: 59,
      endsAtSeconds: 1_059,
      endedBy: "money",
    });
    expect(runway({ ...lease, remainingWei: 1_000n })).to.deep.equal({
      secondsLeft: 100,
      endsAtSeconds: 1_100,
      endedBy: "time",
    });
    expect(runway({ ...lease, rateWei: 0n, remainingWei: 0n })).to.include({ secondsLeft: 100 });
    expect(runway({ ...lease, remainingWei: 5_000n, nowSeconds: 2_000 })).to.include({ secondsLeft: 0 });
  });

  it("says no second that is not paid for, and leaves none out that is", () => {
    fc.assert(
      fc.property(wei, rate, seconds, seconds, (remainingWei, rateWei, endsAtSeconds, nowSeconds) => {
        const { secondsLeft, endedBy } = runway({ remainingWei, rateWei, endsAtSeconds, nowSeconds });
        expect(BigInt(secondsLeft) * rateWei <= remainingWei).to.equal(true);
        expect(secondsLeft).to.be.within(0, Math.max(0, endsAtSeconds - nowSeconds));
        if (endedBy === "money") expect(BigInt(secondsLeft + 1) * rateWei > remainingWei).to.equal(true);
        else expect(secondsLeft).to.equal(Math.max(0, endsAtSeconds - nowSeconds));
      }),
    );
  });
});

describe("topUpPlan", () => {
  const rule = { belowSeconds: 100, toSeconds: 300, ceilingWei: 10_000n };

  it("fills up what is too short, as far as the ceiling lets it", () => {
    const plan = (runwaySeconds: number, spentWei: bigint) =>
      topUpPlan({ runwaySeconds, rule, rateWei: 10n, spentWei });
    expect(plan(100, 0n)).to.deep.equal({ seconds: 0, costWei: 0n, reason: "enough" });
    expect(plan(99, 0n)).to.deep.equal({ seconds: 201, costWei: 2_010n, reason: "below" });
    expect(plan(99, 8_995n)).to.deep.equal({ seconds: 100, costWei: 1_000n, reason: "ceiling" });
    expect(plan(99, 9_991n)).to.deep.equal({ seconds: 0, costWei: 0n, reason: "ceiling" });
    expect(plan(99, 20_000n)).to.deep.equal({ seconds: 0, costWei: 0n, reason: "ceiling" });
  });

  it("never spends beyond the ceiling, never buys more than wanted, and buys all that it may", () => {
    fc.assert(
      fc.property(
        fc.record({
          runwaySeconds: seconds,
          belowSeconds: seconds,
          more: seconds,
          ceilingWei: wei,
          rateWei: fc.bigInt({ min: 0n, max: 10n ** 18n }),
          spentWei: wei,
        }),
        ({ runwaySeconds, belowSeconds, more, ceilingWei, rateWei, spentWei }) => {
          const toSeconds = belowSeconds + more;
          const filling = { belowSeconds, toSeconds, ceilingWei };
          const plan = topUpPlan({ runwaySeconds, rule: filling, rateWei, spentWei });
          expect(plan.costWei).to.equal(BigInt(plan.seconds) * rateWei);
          if (plan.seconds > 0)
            expect(spentWei + plan.costWei <= ceilingWei || rateWei === 0n).to.equal(true);
          if (runwaySeconds >= belowSeconds) expect(plan).to.include({ seconds: 0, reason: "enough" });
          else if (plan.reason === "below") expect(runwaySeconds + plan.seconds).to.equal(toSeconds);
          else {
            expect(plan.reason).to.equal("ceiling");
            expect(runwaySeconds + plan.seconds).to.be.below(toSeconds);
            expect(spentWei + plan.costWei + rateWei > ceilingWei).to.equal(true);
          }
        },
      ),
    );
  });

  it("refuses a rule that would top up for ever", () => {
    const endless = { ...rule, toSeconds: 99 };
    const call = () => topUpPlan({ runwaySeconds: 0, rule: endless, rateWei: 1n, spentWei: 0n });
    expect(call)
      .to.throw()
      .and.to.satisfy((error: unknown) => isNeuraError(error, "usage.top-up-rule"));
  });
});

describe("idleDecision", () => {
  it("stops after half an hour without a request, unless told otherwise", () => {
    const at = (nowSeconds: number, idleStopSeconds?: number) =>
      idleDecision({ lastRequestAtSeconds: 1_000, nowSeconds, idleStopSeconds });
    const stopsAtSeconds = 1_000 + IDLE_STOP_SECONDS;
    expect(at(stopsAtSeconds - 1)).to.deep.equal({ stop: false, idleSeconds: 1_799, stopsAtSeconds });
    expect(at(stopsAtSeconds)).to.deep.equal({ stop: true, idleSeconds: 1_800, stopsAtSeconds });
    expect(at(1_060, 60)).to.deep.equal({ stop: true, idleSeconds: 60, stopsAtSeconds: 1_060 });
    expect(at(10 ** 9, 0)).to.deep.equal({ stop: false, idleSeconds: 10 ** 9 - 1_000 });
    expect(at(900), "a clock behind the last request").to.include({ stop: false, idleSeconds: 0 });
  });
});
