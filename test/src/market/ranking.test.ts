import { expect } from "chai";
import fc from "fast-check";
import { getAddress, toBeHex, zeroPadValue } from "ethers";

import type { ProviderReport } from "../../../src/market/providers.ts";
import { rankProviders, slownessOf } from "../../../src/market/ranking.ts";
import { NO_RESOURCES, type Resources } from "../../../src/market/resources.ts";

const ANKR = { symbol: "ANKR", decimals: 18 };
const UNIT = 10n ** 18n;
const DURATION = 60n;
const NEED: Resources = { ...NO_RESOURCES, ramMiB: 2048, cpuMilli: 1000 };
const NO_RECORD = { completed: 0, secondsSold: 0, declined: 0, abandoned: 0, failed: 0, disputed: 0 };
const PROVEN = { ...NO_RECORD, completed: 50, secondsSold: 5000 };

function accountOf(index: number): string {
  return getAddress(zeroPadValue(toBeHex(index + 1), 20));
}

/** An eligible provider that offers exactly what is needed; `change` is for what the test is about. */
function report(index: number, change: Partial<ProviderReport> = {}): ProviderReport {
  const account = accountOf(index);
  const rateWei = change.rateWei ?? 10n ** 12n;
  return {
    account,
    operator: account,
    shape: NEED,
    rateWei,
    costWei: rateWei * DURATION,
    slots: 1,
    freeStakeWei: UNIT,
    metadata: "",
    record: PROVEN,
    claims: { reason: "" },
    speed: {},
    requirements: [],
    eligible: true,
    rank: 0,
    reason: "",
    ...change,
  };
}

function rank(
  reports: readonly ProviderReport[],
  options: { seed?: string; exploration?: number } = {},
): ProviderReport[] {
  return rankProviders(reports, { resources: NEED, currency: ANKR, ...options });
}

function order(reports: readonly ProviderReport[]): string[] {
  return reports.map(({ account }) => account);
}

/** Who comes first of one as it is (0) and one that is changed (1), at the same price. */
function winner(change: Partial<ProviderReport>): string | undefined {
  return rank([report(0), report(1, change)])[0]?.account;
}

const records = fc.record({
  completed: fc.integer({ min: 0, max: 1000 }),
  secondsSold: fc.integer({ min: 0, max: 100_000 }),
  declined: fc.integer({ min: 0, max: 50 }),
  abandoned: fc.integer({ min: 0, max: 50 }),
  failed: fc.integer({ min: 0, max: 50 }),
  disputed: fc.integer({ min: 0, max: 5 }),
});

const someReports = fc
  .array(
    fc.record({
      rateWei: fc.bigInt({ min: 1n, max: 10n ** 16n }),
      freeStakeWei: fc.bigInt({ min: 0n, max: 20n * UNIT }),
      record: fc.oneof(fc.constant(NO_RECORD), records),
      eligible: fc.boolean(),
      shape: fc.record({ ramMiB: fc.integer({ min: 2048, max: 65_536 }) }),
      slots: fc.integer({ min: 1, max: 8 }),
      free: fc.integer({ min: 0, max: 8 }),
      isMeasured: fc.boolean(),
    }),
    { maxLength: 12 },
  )
  .map((parts) =>
    parts.map(({ free, slots, isMeasured, shape, ...part }, index) =>
      report(index, {
        ...part,
        slots,
        shape: { ...NEED, ...shape },
        ...(isMeasured
          ? {
              capacity: { measuredAt: "", slots, freeSlots: Math.min(free, slots), shape: NEED },
            }
          : {}),
      }),
    ),
  );

describe("ranking providers", () => {
  it("does not depend on the order in which they are read", () => {
    fc.assert(
      fc.property(
        someReports.chain((reports) =>
          fc.tuple(fc.constant(reports), fc.shuffledSubarray(reports, { minLength: reports.length })),
        ),
        fc.string(),
        ([reports, shuffled], seed) => {
          const eligible = (ranked: ProviderReport[]): ProviderReport[] =>
            ranked.filter((each) => each.eligible);
          expect(eligible(rank(shuffled, { seed }))).to.deep.equal(eligible(rank(reports, { seed })));
        },
      ),
    );
  });

  it("gives each eligible provider one rank, from 1 on, and the others none", () => {
    fc.assert(
      fc.property(someReports, fc.string(), (reports, seed) => {
        const ranked = rank(reports, { seed });
        const eligible = ranked.filter((each) => each.eligible);
        expect(order(ranked)).to.have.members(order(reports));
        expect(eligible.map((each) => each.rank)).to.deep.equal(eligible.map((_, index) => index + 1));
        expect(ranked.slice(eligible.length).every((each) => each.rank === 0)).to.equal(true);
      }),
    );
  });

  it("puts nobody further in front for asking more", () => {
    fc.assert(
      fc.property(
        someReports.filter((reports) => reports.some(({ eligible }) => eligible)),
        fc.nat(),
        fc.bigInt({ min: 1n, max: 10n ** 16n }),
        fc.string(),
        fc.constantFrom(0, 0.5, 1),
        (reports, pick, moreWei, seed, exploration) => {
          const eligible = reports.filter((each) => each.eligible);
          const chosen = eligible[pick % eligible.length]!;
          const rateWei = chosen.rateWei + moreWei;
          const dearer = reports.map((each) =>
            each === chosen ? { ...each, rateWei, costWei: rateWei * DURATION } : each,
          );
          const rankOf = (ranked: ProviderReport[]): number =>
            ranked.find(({ account }) => account === chosen.account)!.rank;
          const options = { seed, exploration };
          expect(rankOf(rank(dearer, options))).to.be.at.least(rankOf(rank(reports, options)));
        },
      ),
      { numRuns: 300 },
    );
  });

  it("weighs record, stake, fit, load and what is not known", () => {
    const [proven, other] = [accountOf(0), accountOf(1)];
    for (const lost of ["failed", "abandoned", "declined", "disputed", "left"] as const)
      expect(winner({ record: { ...PROVEN, [lost]: 10 } }), lost).to.equal(proven);
    expect(winner({ record: { ...PROVEN, completed: 5000, secondsSold: 500_000 } })).to.equal(other);
    expect(winner({ record: NO_RECORD })).to.equal(proven);
    expect(winner({ freeStakeWei: 0n })).to.equal(proven);
    expect(winner({ shape: { ...NEED, ramMiB: 65_536 } })).to.equal(proven);
    const capacity = { measuredAt: "", slots: 4, shape: NEED };
    expect(winner({ capacity: { ...capacity, freeSlots: 1 } })).to.equal(proven);
    expect(winner({ capacity: { ...capacity, freeSlots: 0 } })).to.equal(proven);
    const unknown = { name: "driver", needed: "1", offered: "not known", met: "unknown" } as const;
    expect(winner({ requirements: [unknown] })).to.equal(proven);
    // None of this is worth more than half of the price.
    expect(winner({ capacity: { ...capacity, freeSlots: 0 }, rateWei: 10n ** 12n / 2n })).to.equal(other);
  });

  it("says why in words, with numbers", () => {
    const [first, second] = rank([
      report(0, { capacity: { measuredAt: "", slots: 4, freeSlots: 1, shape: NEED } }),
      report(1, {
        record: { ...PROVEN, failed: 50, disputed: 1 },
        speed: {
          claimed: { secondsPerUnit: 0.5, measuredAt: "" },
          own: { secondsPerUnit: 2, tasks: 3, atSeconds: 0 },
        },
      }),
    ]);
    expect(first?.reason).to.equal(
      "asks 0.000001 ANKR/s; 50 paid tasks (5000 s), 0 failed, 0 abandoned, 0 declined; " +
        "counted at 1.19 times its price (1 of 4 places free 1.19)",
    );
    expect(second?.reason).to.equal(
      "asks 0.000001 ANKR/s; 50 paid tasks (5000 s), 50 failed, 0 abandoned, 0 declined, 1 disputes lost; " +
        "claims 0.5 s for each unit, took you 2 s in 3 tasks; " +
        "counted at 8.02 times its price (record 2.00, slower than it claims 4.00)",
    );
  });

  it("flags one whose work takes more than twice as long as it claims, after three tasks", () => {
    const speed = (secondsPerUnit: number, tasks: number) => ({
      claimed: { secondsPerUnit: 1, measuredAt: "" },
      own: { secondsPerUnit, tasks, atSeconds: 0 },
    });
    expect(slownessOf({ speed: speed(2.5, 3) })).to.equal(2.5);
    expect(slownessOf({ speed: speed(2.5, 2) })).to.equal(undefined);
    expect(slownessOf({ speed: speed(2, 3) })).to.equal(undefined);
    expect(slownessOf({ speed: { own: { secondsPerUnit: 9, tasks: 9, atSeconds: 0 } } })).to.equal(undefined);
  });

  describe("first chance", () => {
    const reports = [
      report(0),
      report(1, { record: NO_RECORD }),
      report(2, { record: NO_RECORD, rateWei: 9n * 10n ** 11n }),
    ];
    const seeds = Array.from({ length: 1000 }, (_, index) => `seed ${index}`);

    it("is one order's in ten, by its seed, and the best newcomer's", () => {
      const firsts = seeds.map((seed) => rank(reports, { seed })[0]);
      const explored = firsts.filter((first) => first?.account === accountOf(2));
      expect(firsts.filter((first) => first?.account === accountOf(0)).length + explored.length).to.equal(
        1000,
      );
      expect(explored.length).to.be.within(70, 130);
      for (const first of explored)
        expect(first?.reason).to.match(
          /^first chance for a newcomer, as 10 % of all orders give; asks 0\.0000009 /,
        );
      expect(order(rank(reports, { seed: "x" }))).to.deep.equal(order(rank(reports, { seed: "x" })));
    });

    it("is nobody's without a seed, and as often as it is asked for", () => {
      expect(rank(reports)[0]?.account).to.equal(accountOf(0));
      for (const seed of seeds.slice(0, 50)) {
        expect(rank(reports, { seed, exploration: 0 })[0]?.account).to.equal(accountOf(0));
        expect(rank(reports, { seed, exploration: 1 })[0]?.account).to.equal(accountOf(2));
      }
    });

    it("is for those who have enough at stake and are not much dearer", () => {
      const first = (newcomer: Partial<ProviderReport>): string | undefined =>
        rank([report(0), report(1, { record: NO_RECORD, ...newcomer })], { seed: "x", exploration: 1 })[0]
          ?.account;
      expect(first({})).to.equal(accountOf(1));
      expect(first({ freeStakeWei: UNIT - 1n })).to.equal(accountOf(0));
      expect(first({ rateWei: 2n * 10n ** 12n })).to.equal(accountOf(0));
      expect(first({ record: { ...NO_RECORD, declined: 1 } })).to.equal(accountOf(0));
    });
  });

  it("lets equals take turns by the seed", () => {
    const equals = [report(0), report(1), report(2)];
    const firsts = new Set(
      Array.from({ length: 60 }, (_, seed) => rank(equals, { seed: String(seed) })[0]?.account),
    );
    expect(firsts.size).to.equal(3);
  });
});
