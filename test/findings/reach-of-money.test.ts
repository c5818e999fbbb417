import { expect } from "chai";

import { deployTaskMarket } from "../contracts/market/deploy.ts";
import { COST_WEI, deployMarket, METERED, STAKE_WEI } from "../contracts/market/fixture.ts";

// Ways in which money could have got lost or out of its owner's reach; each was found by review and stays a test.

describe("findings: money stays within somebody's reach", () => {
  const DAY = 86_400;

  it("A09_stake withdrawn to the market is refused, in coin and in a token, and stays the provider's", async () => {
    for (const options of [{}, { token: "MockERC20" }] as const) {
      const { market, registry, networkHelpers, ethers, erc20, parties } = await deployMarket(options);
      const marketAddress = await market.getAddress();
      const registryAddress = await registry.getAddress();
      const asProvider = registry.connect(parties.provider);
      await asProvider.unstake(STAKE_WEI);
      await networkHelpers.time.increase(45 * DAY);
      for (const to of [marketAddress, registryAddress]) {
        await expect(asProvider.withdrawStake(to))
          .to.be.revertedWithCustomError(registry, "ProviderRegistry_ToContract")
          .withArgs(to);
      }
      const held = (address: string) =>
        erc20 === undefined ? ethers.provider.getBalance(address) : erc20.balanceOf(address);
      expect(await held(marketAddress)).to.equal(0n);
      expect(await held(registryAddress)).to.equal(STAKE_WEI);
      const before = await held(parties.stranger.address);
      await asProvider.withdrawStake(parties.stranger.address);
      expect((await held(parties.stranger.address)) - before).to.equal(STAKE_WEI);
    }
  });

  it("A09_a balance withdrawn to the market itself is refused, and so is a payout to it", async () => {
    for (const options of [{}, { token: "MockERC20" }] as const) {
      const { market, registry, parties } = await deployMarket(options);
      const marketAddress = await market.getAddress();
      const asProvider = market.connect(parties.provider);
      await asProvider.deposit(5n, { value: "token" in options ? 0n : 5n });
      await expect(asProvider.withdrawTo(marketAddress, 5n)).to.be.revertedWithCustomError(
        market,
        "Escrow_ToItself",
      );
      await registry.connect(parties.provider).setPayout(marketAddress);
      await expect(asProvider.payout(parties.provider.address)).to.be.revertedWithCustomError(
        market,
        "Escrow_ToItself",
      );
      expect(await market.balanceOf(parties.provider.address)).to.equal(5n);
    }
  });

  it("A12_a cost beyond a ledger word is refused when it comes in, since it could not go back", async () => {
    const { market, networkHelpers, parties, makeTask } = await deployMarket();
    const limit = 2n ** 96n - 1n;
    await networkHelpers.setBalance(parties.owner.address, 2n ** 100n);
    const { terms, work } = await makeTask({ price: (limit / 600n + 1n) | METERED });
    const cost = await market.costOf(terms);
    await expect(market.connect(parties.owner).submit(terms, work, { value: cost }))
      .to.be.revertedWithCustomError(market, "Tasks_CostTooHigh")
      .withArgs(cost, limit);
  });

  it("A19_a delegate cancels only what its delegation covers, while it is in force", async () => {
    const { market, networkHelpers, parties, makeTask } = await deployMarket();
    const asOwner = market.connect(parties.owner);
    const asDelegate = market.connect(parties.delegate);
    const { terms, work, workHash, id } = await makeTask();
    await asOwner.submit(terms, work, { value: COST_WEI });
    const now = BigInt(await networkHelpers.time.latest());
    const delegation = { limitWei: 1n, provider: terms.provider, expiresAt: now + 50n, model: 0n };
    const refused = async () => {
      await expect(asDelegate.cancel(terms, workHash))
        .to.be.revertedWithCustomError(market, "TaskMarket_NotOwner")
        .withArgs(id, parties.delegate.address);
    };
    await refused();
    await asOwner.setDelegate(parties.delegate.address, {
      ...delegation,
      provider: parties.stranger.address,
    });
    await refused();
    await asOwner.setDelegate(parties.delegate.address, { ...delegation, model: 7n });
    await refused();
    await asOwner.setDelegate(parties.delegate.address, { ...delegation, expiresAt: now });
    await refused();
    await asOwner.setDelegate(parties.delegate.address, delegation);
    await asDelegate.cancel(terms, workHash);
    expect(await market.balanceOf(parties.owner.address)).to.equal(COST_WEI);
    expect(await market.balanceOf(parties.delegate.address)).to.equal(0n);
  });

  it("I02_ledgers can be recomputed from events: what came in beside, and what a task took", async () => {
    const { market, parties, makeTask } = await deployMarket();
    const asOwner = market.connect(parties.owner);
    const owner = parties.owner.address;
    const first = await makeTask({ salt: `0x${"01".repeat(32)}` });
    await expect(asOwner.submit(first.terms, first.work, { value: COST_WEI })).not.to.emit(market, "Spent");
    const second = await makeTask({ salt: `0x${"02".repeat(32)}` });
    const sent = asOwner.submit(second.terms, second.work, { value: COST_WEI + 9n });
    await expect(sent)
      .to.emit(market, "Deposited")
      .withArgs(owner, owner, COST_WEI + 9n);
    await expect(sent).to.emit(market, "Spent").withArgs(owner, COST_WEI);
    expect(await market.balanceOf(owner)).to.equal(9n);
  });

  it("A15_a window longer than a day is refused: it would make stalling free", async () => {
    const { ethers, registry, market } = await deployMarket();
    for (const window of ["declineWindow", "keyWindow", "takeOverWindow", "concessionWindow"]) {
      await expect(deployTaskMarket(ethers, { registry, [window]: DAY + 1 }))
        .to.be.revertedWithCustomError(market, "TaskMarket_UnfitWindow")
        .withArgs(DAY + 1, DAY);
    }
  });

  it("A24_an offer for nothing is refused: it would come first for everybody, and could not be bought", async () => {
    const { registry, parties } = await deployMarket();
    const offer = { shape: 0n, rateWei: 0n, slots: 1n, metadata: "" };
    await expect(registry.connect(parties.provider).updateOffer(offer)).to.be.revertedWithCustomError(
      registry,
      "ProviderRegistry_ZeroRate",
    );
  });
});
