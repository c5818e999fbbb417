import { expect } from "chai";
import { ZeroHash } from "ethers";

import { openMarket } from "../../../src/market/context.ts";
import { Outcome } from "../../../src/market/outcome.ts";
import { Recomputation, recomputeReputation } from "../../../src/market/reputation.ts";
import { claimRewards, recordFees, showRewards } from "../../../src/market/rewards.ts";
import {
  COLLATERAL_WEI,
  DAY,
  deployMarket,
  METERED,
  PRICE_WEI,
  type TaskOptions,
} from "../../contracts/market/fixture.ts";
import { deploymentOf } from "./deployment.ts";

const EPOCH = 7n * DAY;
const BUDGET_WEI = 10n ** 15n;
const CAP_BPS = 8_000n;
const REWARDS = { startedAtSeconds: 0, epochSeconds: 100, budgetWei: 1_000n, capBps: 5_000n };

describe("recomputing reputation and rewards", () => {
  it("finds every figure of a real market in its events, and says where the chain differs", async function () {
    this.timeout(120_000);
    const fixture = await deployMarket();
    const { connection, market, registry, ethers, networkHelpers, parties, makeTask, deliveryOf } = fixture;
    const { admin, owner, provider, stranger, delegate } = parties;
    try {
      const deployed = await ethers.deployContract("ProviderRewards", [
        ...[await market.getAddress(), EPOCH, BUDGET_WEI, CAP_BPS],
      ]);
      const address = await deployed.getAddress();
      await deployed.connect(admin).fund(10n ** 18n, { value: 10n ** 18n });
      const deployment = await deploymentOf(fixture, { ProviderRewards: address });
      const contextOf = (changes: Partial<typeof deployment> = {}) =>
        openMarket({
          runner: owner,
          deployment: { ...deployment, ...changes },
          storage: () => {
            throw new Error("nothing is stored");
          },
          home: "",
        });
      const context = contextOf();
      const offer = { shape: 0n, rateWei: 1n, slots: 9n, metadata: "" };
      await registry.connect(stranger).register(stranger.address, stranger.address, offer);
      await registry.connect(stranger).stake(10n ** 18n, { value: 10n ** 18n });
      const [asOwner, asProvider, asStranger] = [owner, provider, stranger].map((each) =>
        market.connect(each),
      );
      if (!asOwner || !asProvider || !asStranger) throw new Error("a party is missing");
      const pass = (seconds: number) => networkHelpers.time.increase(seconds);
      let salt = 0;
      const submit = async (options: TaskOptions = {}) => {
        const task = await makeTask({ salt: ethers.id(`salt ${++salt}`), ...options });
        const value = await market.costOf(task.terms);
        const quote = { nonce: 0n, expiresAt: 0n, signature: "0x" };
        if (options.backup === undefined) await asOwner.submit(task.terms, task.work, { value });
        else {
          await asOwner.order(
            {
              ...{ terms: task.terms, work: task.work, backup: options.backup },
              sponsored: false,
              signature: "0x",
              quote,
            },
            { value },
          );
        }
        return task;
      };
      const small = COLLATERAL_WEI / 20n;

      // Before it takes part: what is paid until then is its baseline.
      const first = await submit();
      await pass(60);
      await asProvider.deliver(first.terms, first.workHash, deliveryOf(Outcome.Completed, 60n));
      await recordFees(context, [provider.address, stranger.address]);

      const fixed = await submit({ price: 999_999_999_999n });
      await pass(70);
      await asProvider.deliver(fixed.terms, fixed.workHash, deliveryOf(Outcome.OwnerExitCode, 61n));
      const refused = await submit();
      await asProvider.decline(refused.terms, refused.workHash, Outcome.PolicyRefused);
      const dropped = await submit({ collateral: small });
      await asProvider.accept(dropped.terms, dropped.workHash);
      await pass(130);
      await asProvider.abandon(dropped.terms, dropped.workHash);
      const late = await submit({ collateral: small });
      await asProvider.accept(late.terms, late.workHash);
      await pass(1_100);
      await market.fail(late.terms, late.workHash);

      // Open, sealed, given back, taken by somebody else.
      const open = await submit({
        ...{ provider: ethers.ZeroAddress, price: PRICE_WEI | METERED, maximum: 3n * PRICE_WEI },
        ...{ collateral: small, flags: 1n },
      });
      await asProvider.acceptOpen(open.terms, open.work, provider);
      await asProvider.decline(open.terms, open.workHash, Outcome.NoCapacity);
      await pass(40);
      await asStranger.acceptOpen(open.terms, open.work, stranger);
      await asOwner.publishPayloadKey(open.terms, open.workHash, "0x01");
      await pass(100);
      await asStranger.deliver(open.terms, open.workHash, deliveryOf(Outcome.Completed, 99n));

      // Passed on to its backup.
      const passed = await submit({ backup: stranger.address });
      await asProvider.decline(passed.terms, passed.workHash, Outcome.InfrastructureFault);
      await asStranger.takeOver(passed.terms, passed.work, stranger);
      await pass(50);
      await asStranger.deliver(passed.terms, passed.workHash, deliveryOf(Outcome.Completed, 7n));

      // Challenged: settled, conceded, ruled in part, left to silence.
      const challenge = { challengePeriod: 500n, arbiter: delegate.address, collateral: small };
      const disputed = async () => {
        const task = await submit(challenge);
        await pass(30);
        const delivery = deliveryOf(Outcome.Completed, 29n);
        await asProvider.deliver(task.terms, task.workHash, delivery);
        const { bondWei } = await market.bondOf(task.terms);
        await asOwner.dispute(task.terms, task.workHash, delivery, 0, ZeroHash, bondWei, { value: bondWei });
        return [task.terms, task.workHash, delivery] as const;
      };
      const settled = await submit(challenge);
      await pass(30);
      await asProvider.deliver(settled.terms, settled.workHash, deliveryOf(Outcome.Completed, 30n));
      await asOwner.settle(settled.terms, settled.workHash, deliveryOf(Outcome.Completed, 30n));
      await asProvider.concede(...(await disputed()));
      for (const share of [0, 4_999, 5_000, 10_000]) {
        const dispute = await disputed();
        await pass(300);
        await market.connect(delegate).rule(...dispute, share);
      }
      const silent = await disputed();
      await pass(31 * Number(DAY));
      await market.resolve(...silent);

      // Leases: to the end with a draw, left by the owner, left by the provider, down.
      const leased = async (name: string) => {
        const task = await submit({ heartbeat: 60n, notice: 10n, collateral: small, salt: ethers.id(name) });
        await asProvider.accept(task.terms, task.workHash);
        await asProvider.ready(task.terms, task.workHash, "0x02");
        await pass(50);
        await asProvider.heartbeat([task.id]);
        return task;
      };
      const whole = await leased("whole");
      await market.draw(whole.terms, whole.workHash);
      for (let beat = 0; beat < 12; beat++) {
        await pass(50);
        await asProvider.heartbeat([whole.id]);
      }
      await asProvider.endLease(whole.terms, whole.workHash);
      const closed = await leased("closed");
      await asOwner.close(closed.terms, closed.workHash, Outcome.OwnerClosed);
      await asProvider.endLease(closed.terms, closed.workHash);
      const left = await leased("left");
      await asProvider.close(left.terms, left.workHash, Outcome.ProviderClosed);
      await pass(20);
      await asProvider.endLease(left.terms, left.workHash);
      const down = await leased("down");
      await pass(300);
      await market.endLease(down.terms, down.workHash);

      // Another fee from here on, for what is submitted then.
      const before = await submit({
        startBy: BigInt(await networkHelpers.time.latest()) + 9n * DAY,
        completeBy: BigInt(await networkHelpers.time.latest()) + 10n * DAY,
      });
      await market.connect(admin).scheduleFee(1_000n);
      await pass(8 * Number(DAY));
      await asProvider.accept(before.terms, before.workHash);
      await pass(100);
      await asProvider.deliver(before.terms, before.workHash, deliveryOf(Outcome.Completed, 100n));
      const after = await submit();
      await pass(20);
      await asProvider.deliver(after.terms, after.workHash, deliveryOf(Outcome.Completed, 20n));

      await recordFees(context, [provider.address, stranger.address]);
      const { epochs } = await showRewards(context, provider.address);
      expect(epochs, "its fees count once").to.have.length(1);
      await pass(Number(EPOCH));
      const { claimed } = await claimRewards(context, provider.address);
      expect(claimed[0]?.rewardWei).to.equal(epochs[0]?.rewardWei);
      await asProvider.payout(provider.address);

      const report = await recomputeReputation(context);
      expect(report.differences).to.deep.equal([]);
      const own = report.providers.find((each) => each.provider === provider.address);
      expect(own).to.include({ declined: 1, abandoned: 2, failed: 2, disputed: 3 });
      const record = await market.recordOf(provider.address);
      expect(own?.completed).to.equal(Number(record.completed)).and.to.be.greaterThan(10);
      expect(own?.feesPaidWei).to.equal(own?.feesWei).and.to.be.greaterThan(0n);
      expect(report.potWei).to.equal(await deployed.pot());
      const one = await recomputeReputation(context, { provider: stranger.address });
      expect(one.providers.map((each) => each.provider)).to.deep.equal([stranger.address]);
      expect(one.differences).to.deep.equal([]);

      // Events that are kept back leave figures without a reason.
      const [announced] = await market.queryFilter(market.filters.TaskSubmitted(first.id));
      const short = await recomputeReputation(contextOf({ block: (announced?.blockNumber ?? 0) + 1 }));
      expect(short.differences.map(({ figure }) => figure)).to.include.members(["completed", "fees"]);
    } finally {
      await connection.close();
    }
  });

  it("shares an epoch's budget by fees, and says where a contract does otherwise", () => {
    const honest = new Recomputation({ market: "market", rewards: REWARDS });
    honest.take({ from: "rewards", atSeconds: 1, event: { name: "Funded", amountWei: 90n } });
    honest.take({
      ...{ from: "rewards", atSeconds: 2 },
      event: { name: "ProviderJoined", provider: "p", feesWei: 0n },
    });
    honest.figuresOf("p").feesWei = 100n;
    honest.take({
      ...{ from: "rewards", atSeconds: 50 },
      event: { name: "FeesRecorded", provider: "p", epoch: 0, feesWei: 100n },
    });
    honest.take({
      ...{ from: "rewards", atSeconds: 150 },
      event: { name: "EpochClosed", epoch: 0, feesWei: 100n, budgetWei: 50n },
    });
    expect(honest.differences).to.deep.equal([]);
    expect(honest.potWei, "half of the fees").to.equal(40n);
    honest.take({
      ...{ from: "rewards", atSeconds: 151 },
      event: { name: "RewardClaimed", provider: "p", epoch: 0, amountWei: 50n },
    });
    expect(honest.differences).to.deep.equal([]);
    honest.take({
      ...{ from: "rewards", atSeconds: 152 },
      event: { name: "FeesRecorded", provider: "p", epoch: 0, feesWei: 7n },
    });
    expect(honest.differences).to.deep.equal([
      { figure: "recorded fees", provider: "p", epoch: 1, chain: "7", recomputed: "0" },
      { figure: "epoch of recorded fees", provider: "p", chain: "0", recomputed: "1" },
    ]);
  });
});
