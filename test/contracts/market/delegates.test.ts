import { expect } from "chai";

import { expectMoves, expectRefusal, useMarket } from "./books.ts";
import { COST_WEI } from "./fixture.ts";
import type { Fixture, MarketOptions, Task } from "./fixture.ts";

const FOREVER = 2n ** 40n - 1n;

interface Scope {
  limitWei?: bigint;
  provider?: string;
  expiresAt?: bigint;
  model?: bigint;
}

async function delegate({ ethers, market, parties }: Fixture, scope: Scope = {}) {
  return market.connect(parties.owner).setDelegate(parties.delegate.address, {
    limitWei: 2n * COST_WEI,
    provider: ethers.ZeroAddress,
    expiresAt: FOREVER,
    model: 0n,
    ...scope,
  });
}

const submitAsDelegate = ({ market, parties }: Fixture, task: Task, value = 0n) =>
  market.connect(parties.delegate).submit(task.terms, task.work, { value });

const CURRENCIES: [string, MarketOptions][] = [
  ["native coin", {}],
  ["token", { token: "MockERC20" }],
];

for (const [currency, options] of CURRENCIES) {
  describe(`Delegates in the ${currency}`, () => {
    const use = useMarket(options, async ({ market, parties, valueOf }) => {
      await market.connect(parties.owner).deposit(3n * COST_WEI, { value: valueOf(3n * COST_WEI) });
    });

    it("a delegate pays from the owner's balance until its limit is used up", async () => {
      const fixture = use();
      const { ethers, parties } = fixture;
      await delegate(fixture);
      for (const salt of ["first", "second"]) {
        const task = await fixture.makeTask({ salt: ethers.id(salt) });
        await expectMoves(fixture, () => submitAsDelegate(fixture, task), {
          "ledger.owner": -COST_WEI,
          delegateLimit: -COST_WEI,
        });
      }
      const task = await fixture.makeTask({ salt: ethers.id("third") });
      await expectRefusal(fixture, () => submitAsDelegate(fixture, task), "Escrow_DelegationLimit", [
        parties.owner.address,
        parties.delegate.address,
        0n,
        COST_WEI,
      ]);
    });

    it("RevertWhen the limit is a wei short", async () => {
      const fixture = use();
      const { parties } = fixture;
      await delegate(fixture, { limitWei: COST_WEI - 1n });
      const task = await fixture.makeTask();
      await expectRefusal(fixture, () => submitAsDelegate(fixture, task), "Escrow_DelegationLimit", [
        parties.owner.address,
        parties.delegate.address,
        COST_WEI - 1n,
        COST_WEI,
      ]);
    });

    it("RevertWhen the owner's balance is a wei short: a delegate transfers nothing in", async () => {
      const fixture = use();
      const { market, parties } = fixture;
      await delegate(fixture);
      await market.connect(parties.owner).withdraw(2n * COST_WEI + 1n);
      const task = await fixture.makeTask();
      await expectRefusal(fixture, () => submitAsDelegate(fixture, task), "Escrow_InsufficientBalance", [
        parties.owner.address,
        COST_WEI - 1n,
        COST_WEI,
      ]);
    });

    it("RevertWhen a delegate sends value along", async () => {
      const fixture = use();
      const { parties } = fixture;
      await delegate(fixture);
      const task = await fixture.makeTask();
      for (const value of [1n, COST_WEI])
        await expectRefusal(
          fixture,
          () => submitAsDelegate(fixture, task, value),
          "TaskMarket_ValueFromDelegate",
          [parties.delegate.address, value],
        );
    });

    it("A14_a delegation ends with its last second", async () => {
      const fixture = use();
      const { networkHelpers, parties } = fixture;
      const first = await fixture.makeTask({ salt: fixture.ethers.id("first") });
      const second = await fixture.makeTask({ salt: fixture.ethers.id("second") });
      const expiresAt = first.startBy - 10n;
      await delegate(fixture, { expiresAt });
      await networkHelpers.time.setNextBlockTimestamp(expiresAt);
      await expectMoves(fixture, () => submitAsDelegate(fixture, first), {
        "ledger.owner": -COST_WEI,
        delegateLimit: -COST_WEI,
      });
      await networkHelpers.time.setNextBlockTimestamp(expiresAt + 1n);
      await expectRefusal(fixture, () => submitAsDelegate(fixture, second), "Escrow_DelegationExpired", [
        parties.owner.address,
        parties.delegate.address,
        expiresAt,
      ]);
      // Nor can it take back any more what it bought.
      await expectRefusal(
        fixture,
        () => fixture.market.connect(parties.delegate).cancel(first.terms, first.workHash),
        "TaskMarket_NotOwner",
        [first.id, parties.delegate.address],
      );
    });

    it("cancels until its last second", async () => {
      const fixture = use();
      const { market, networkHelpers, parties } = fixture;
      const task = await fixture.makeTask();
      await delegate(fixture, { expiresAt: task.startBy - 10n });
      await submitAsDelegate(fixture, task);
      await networkHelpers.time.setNextBlockTimestamp(task.startBy - 10n);
      await expectMoves(fixture, () => market.connect(parties.delegate).cancel(task.terms, task.workHash), {
        "ledger.owner": COST_WEI,
      });
    });

    it("is bound to one provider where the owner says so", async () => {
      const fixture = use();
      const { ethers, parties } = fixture;
      await delegate(fixture, { provider: parties.provider.address });
      const elsewhere = await fixture.makeTask({ provider: parties.stranger.address });
      await expectRefusal(fixture, () => submitAsDelegate(fixture, elsewhere), "Escrow_DelegationScope", [
        parties.owner.address,
        parties.delegate.address,
        parties.stranger.address,
        0n,
      ]);
      const task = await fixture.makeTask({ salt: ethers.id("bound") });
      await expectMoves(fixture, () => submitAsDelegate(fixture, task), {
        "ledger.owner": -COST_WEI,
        delegateLimit: -COST_WEI,
      });
    });

    it("is bound to one model where the owner says so", async () => {
      const fixture = use();
      const { parties } = fixture;
      await delegate(fixture, { model: 7n });
      const task = await fixture.makeTask();
      const withModel = (model: bigint) => ({
        ...task,
        terms: { ...task.terms, conditions: task.terms.conditions | (model << 184n) },
      });
      for (const model of [0n, 8n])
        await expectRefusal(
          fixture,
          () => submitAsDelegate(fixture, withModel(model)),
          "Escrow_DelegationScope",
          [parties.owner.address, parties.delegate.address, parties.provider.address, model],
        );
      // The delegation would allow it; this market has no models.
      await expectRefusal(fixture, () => submitAsDelegate(fixture, withModel(7n)), "Tasks_Unsupported", [
        "model",
      ]);
    });

    it("is replaced as a whole", async () => {
      const fixture = use();
      const { ethers, market, parties } = fixture;
      await delegate(fixture, { provider: parties.stranger.address, model: 3n, expiresAt: 1n });
      const response = await delegate(fixture, { limitWei: COST_WEI });
      await expect(response)
        .to.emit(market, "DelegateSet")
        .withArgs(parties.owner.address, parties.delegate.address, [
          COST_WEI,
          ethers.ZeroAddress,
          FOREVER,
          0n,
        ]);
      expect(await market.delegationOf(parties.owner.address, parties.delegate.address)).to.deep.equal([
        COST_WEI,
        ethers.ZeroAddress,
        FOREVER,
        0n,
      ]);
      const task = await fixture.makeTask();
      await expectMoves(fixture, () => submitAsDelegate(fixture, task), {
        "ledger.owner": -COST_WEI,
        delegateLimit: -COST_WEI,
      });
    });

    it("is revoked at once, whatever else the revocation says", async () => {
      const fixture = use();
      const { ethers, market, parties } = fixture;
      const live = await fixture.makeTask({ salt: ethers.id("live") });
      await delegate(fixture);
      await submitAsDelegate(fixture, live);
      await delegate(fixture, { limitWei: 0n });
      expect(await market.delegationOf(parties.owner.address, parties.delegate.address)).to.deep.equal([
        0n,
        ethers.ZeroAddress,
        0n,
        0n,
      ]);
      const task = await fixture.makeTask();
      await expectRefusal(fixture, () => submitAsDelegate(fixture, task), "Escrow_NotDelegate", [
        parties.owner.address,
        parties.delegate.address,
      ]);
      await expectRefusal(
        fixture,
        () => market.connect(parties.delegate).cancel(live.terms, live.workHash),
        "TaskMarket_NotOwner",
        [live.id, parties.delegate.address],
      );
    });

    it("takes back what it bought for the owner, also with its limit used up", async () => {
      const fixture = use();
      const { market, parties } = fixture;
      await delegate(fixture, { limitWei: COST_WEI });
      const task = await fixture.makeTask();
      await submitAsDelegate(fixture, task);
      const response = await expectMoves(
        fixture,
        () => market.connect(parties.delegate).cancel(task.terms, task.workHash),
        // The limit does not come back.
        { "ledger.owner": COST_WEI },
      );
      await expect(response).to.emit(market, "TaskClosed").withArgs(task.id, 15n);
    });

    it("takes back only what it could have bought", async () => {
      const fixture = use();
      const { ethers, market, parties } = fixture;
      const elsewhere = await fixture.makeTask({ provider: parties.stranger.address });
      const covered = await fixture.makeTask({ salt: ethers.id("covered") });
      const asOwner = market.connect(parties.owner);
      for (const task of [elsewhere, covered]) await asOwner.submit(task.terms, task.work);
      const cancel = (task: Task) => market.connect(parties.delegate).cancel(task.terms, task.workHash);
      await delegate(fixture, { provider: parties.provider.address });
      await expectRefusal(fixture, () => cancel(elsewhere), "TaskMarket_NotOwner", [
        elsewhere.id,
        parties.delegate.address,
      ]);
      await delegate(fixture, { model: 7n });
      await expectRefusal(fixture, () => cancel(covered), "TaskMarket_NotOwner", [
        covered.id,
        parties.delegate.address,
      ]);
      await delegate(fixture, { provider: parties.provider.address });
      await expectMoves(fixture, () => cancel(covered), { "ledger.owner": COST_WEI });
    });

    it("a refund of the delegate's task goes to the owner", async () => {
      const fixture = use();
      const { market, networkHelpers, parties } = fixture;
      await delegate(fixture);
      const task = await fixture.makeTask();
      await submitAsDelegate(fixture, task);
      await networkHelpers.time.setNextBlockTimestamp(task.startBy + 1n);
      await expectMoves(fixture, () => market.connect(parties.stranger).expire(task.terms, task.workHash), {
        "ledger.owner": COST_WEI,
      });
    });

    it("A06_I06_RevertWhen a delegate withdraws, delegates further or spends for another", async () => {
      const fixture = use();
      const { ethers, market, parties } = fixture;
      await delegate(fixture);
      const asDelegate = market.connect(parties.delegate);
      await expectRefusal(fixture, () => asDelegate.withdraw(1n), "Escrow_InsufficientBalance", [
        parties.delegate.address,
        0n,
        1n,
      ]);
      await asDelegate.setDelegate(parties.stranger.address, {
        limitWei: COST_WEI,
        provider: ethers.ZeroAddress,
        expiresAt: FOREVER,
        model: 0n,
      });
      const task = await fixture.makeTask();
      await expectRefusal(
        fixture,
        () => market.connect(parties.stranger).submit(task.terms, task.work),
        "Escrow_NotDelegate",
        [parties.owner.address, parties.stranger.address],
      );
      const others = await fixture.makeTask({ owner: parties.provider.address });
      await expectRefusal(fixture, () => submitAsDelegate(fixture, others), "Escrow_NotDelegate", [
        parties.provider.address,
        parties.delegate.address,
      ]);
    });

    it("RevertWhen the delegate is nobody", async () => {
      const fixture = use();
      const { ethers, market, parties } = fixture;
      await expectRefusal(
        fixture,
        () =>
          market.connect(parties.owner).setDelegate(ethers.ZeroAddress, {
            limitWei: 1n,
            provider: ethers.ZeroAddress,
            expiresAt: FOREVER,
            model: 0n,
          }),
        "Escrow_ZeroAddress",
      );
    });

    it("a delegation without an expiry has expired", async () => {
      const fixture = use();
      const { parties } = fixture;
      await delegate(fixture, { expiresAt: 0n });
      const task = await fixture.makeTask();
      await expectRefusal(fixture, () => submitAsDelegate(fixture, task), "Escrow_DelegationExpired", [
        parties.owner.address,
        parties.delegate.address,
        0n,
      ]);
    });
  });
}
