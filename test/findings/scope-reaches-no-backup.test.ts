import { expect } from "chai";
import { ZeroAddress } from "ethers";

import { expectMoves, expectRefusal, useMarket } from "../contracts/market/books.ts";
import { COST_WEI } from "../contracts/market/fixture.ts";
import type { Fixture } from "../contracts/market/fixture.ts";
import { orderOf } from "../contracts/market/signatures.ts";

// A delegate that could pay one provider alone named a backup of its own, which took the task and the money a second
// after `startBy`. And a task that had ended was still said to have a backup.

describe("Backups", () => {
  const use = useMarket({}, async ({ market, parties }) => {
    await market.connect(parties.owner).deposit(COST_WEI, { value: COST_WEI });
  });

  const allow = ({ market, parties }: Fixture, provider: string) =>
    market.connect(parties.owner).setDelegate(parties.delegate.address, {
      limitWei: COST_WEI,
      provider,
      expiresAt: 2n ** 40n - 1n,
      model: 0n,
    });

  it("RevertWhen a delegate for one provider names a backup", async () => {
    const fixture = use();
    const { market, parties } = fixture;
    const { owner, provider, delegate, stranger } = parties;
    await allow(fixture, provider.address);
    const task = await fixture.makeTask({ backup: stranger.address });
    await expectRefusal(
      fixture,
      () => market.connect(delegate).order(orderOf(task)),
      "Escrow_DelegationScope",
      [owner.address, delegate.address, ZeroAddress, 0n],
    );
  });

  it("a delegate for one provider orders from it, one for all names a backup", async () => {
    for (const isScoped of [true, false]) {
      const fixture = use();
      const { market, parties, ethers } = fixture;
      const { provider, delegate, stranger } = parties;
      await market.connect(parties.owner).deposit(COST_WEI, { value: COST_WEI });
      await allow(fixture, isScoped ? provider.address : ZeroAddress);
      const task = await fixture.makeTask({
        backup: isScoped ? ZeroAddress : stranger.address,
        salt: ethers.id(`scoped ${String(isScoped)}`),
      });
      await expectMoves(fixture, () => market.connect(delegate).order(orderOf(task)), {
        "ledger.owner": -COST_WEI,
        delegateLimit: -COST_WEI,
      });
    }
  });

  it("an ended task has none", async () => {
    const { market, parties, makeTask, deliveryOf } = use();
    const task = await makeTask({ backup: parties.stranger.address });
    await market.connect(parties.owner).order(orderOf(task));
    expect(await market.hasBackup(task.id)).to.equal(true);
    await market.connect(parties.provider).deliver(task.terms, task.workHash, deliveryOf(1, 0n));
    expect(await market.hasBackup(task.id)).to.equal(false);
  });
});
