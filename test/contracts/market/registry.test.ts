import { expect } from "chai";

import { expectMoves, expectRefusal, useMarket } from "./books.ts";
import type { Books } from "./books.ts";
import { TaskMarket__factory, TaskMarketExtension__factory } from "../../../types/index.ts";
import { deployTaskMarket, WINDOWS } from "./deploy.ts";
import type { MarketSettings } from "./deploy.ts";
import { COLLATERAL_WEI, COST_WEI, DAY, DECLINE_WINDOW, FEE_BPS, PRICE_WEI, STAKE_WEI } from "./fixture.ts";
import type { Fixture, MarketOptions, TaskOptions } from "./fixture.ts";

const BOUNTY_WEI = (COLLATERAL_WEI * 500n) / 10_000n;
// Rounded up, against the provider.
const ABANDONED_WEI = (COLLATERAL_WEI * 2_500n + 9_999n) / 10_000n;
const Status = { Active: 1, Paused: 2 } as const;

async function submit(fixture: Fixture, options: TaskOptions = {}, market = fixture.market) {
  const { parties, valueOf } = fixture;
  const task = await fixture.makeTask({ collateral: COLLATERAL_WEI, ...options });
  await market.connect(parties.owner).submit(task.terms, task.work, { value: valueOf(COST_WEI) });
  return { ...task, id: await market.idOf(task.terms, task.workHash) };
}

async function accepted(fixture: Fixture, options: TaskOptions = {}) {
  const task = await submit(fixture, options);
  await fixture.market.connect(fixture.parties.provider).accept(task.terms, task.workHash);
  return task;
}

const CURRENCIES: [string, MarketOptions][] = [
  ["native coin", {}],
  ["token", { token: "MockERC20" }],
];

for (const [currency, options] of CURRENCIES) {
  describe(`TaskMarket and its registry in the ${currency}`, () => {
    const use = useMarket(options);
    /** What leaves the registry for the market in a slash. */
    const slash = (amount: bigint): Books => ({
      stake: -amount,
      "wallet.registry": -amount,
      "wallet.market": amount,
    });

    it("accept locks the collateral and nothing else moves", async () => {
      const fixture = use();
      const { market, registry, parties } = fixture;
      const task = await submit(fixture);
      const response = await expectMoves(
        fixture,
        () => market.connect(parties.operator).accept(task.terms, task.workHash),
        { locked: COLLATERAL_WEI },
      );
      await expect(response).to.emit(market, "TaskAccepted").withArgs(task.id);
      await expect(response)
        .to.emit(registry, "StakeLocked")
        .withArgs(parties.provider.address, await market.getAddress(), COLLATERAL_WEI);
    });

    it("a failure pays the bounty to whoever reports it, the rest to the owner", async () => {
      const fixture = use();
      const { market, registry, networkHelpers, parties } = fixture;
      const task = await accepted(fixture);
      await networkHelpers.time.setNextBlockTimestamp(task.completeBy + 1n);
      const response = await expectMoves(
        fixture,
        () => market.connect(parties.stranger).fail(task.terms, task.workHash),
        {
          ...slash(COLLATERAL_WEI),
          locked: -COLLATERAL_WEI,
          "ledger.owner": COST_WEI + COLLATERAL_WEI - BOUNTY_WEI,
          "ledger.stranger": BOUNTY_WEI,
          failed: 1n,
        },
      );
      await expect(response).to.emit(market, "TaskClosed").withArgs(task.id, 17n);
      await expect(response)
        .to.emit(registry, "StakeSlashed")
        .withArgs(parties.provider.address, await market.getAddress(), COLLATERAL_WEI);
    });

    for (const role of ["owner", "provider"] as const) {
      it(`the ${role} may report it, and then has the bounty`, async () => {
        const fixture = use();
        const { market, networkHelpers, parties } = fixture;
        const task = await accepted(fixture);
        await networkHelpers.time.setNextBlockTimestamp(task.completeBy + 1n);
        const moves: Books = {
          ...slash(COLLATERAL_WEI),
          locked: -COLLATERAL_WEI,
          "ledger.owner": COST_WEI + COLLATERAL_WEI - BOUNTY_WEI,
          failed: 1n,
        };
        moves[`ledger.${role}`] = (moves[`ledger.${role}`] ?? 0n) + BOUNTY_WEI;
        await expectMoves(
          fixture,
          () => market.connect(parties[role]).fail(task.terms, task.workHash),
          moves,
        );
      });
    }

    it("giving up costs a quarter of the collateral, all of it the owner's", async () => {
      const fixture = use();
      const { market, networkHelpers, parties } = fixture;
      const task = await accepted(fixture);
      const { since } = await market.taskOf(task.id);
      await networkHelpers.time.setNextBlockTimestamp(since + DECLINE_WINDOW + 1n);
      const response = await expectMoves(
        fixture,
        () => market.connect(parties.operator).abandon(task.terms, task.workHash),
        {
          ...slash(ABANDONED_WEI),
          locked: -COLLATERAL_WEI,
          "ledger.owner": COST_WEI + ABANDONED_WEI,
          abandoned: 1n,
        },
      );
      await expect(response).to.emit(market, "TaskClosed").withArgs(task.id, 18n);
      expect(await market.ABANDON_BPS()).to.equal(2_500n);
      expect(await market.BOUNTY_BPS()).to.equal(500n);
    });

    it("A14_a task shorter than the window to decline cannot be given up, only declined", async () => {
      const fixture = use();
      const { market, networkHelpers, parties } = fixture;
      const now = BigInt(await networkHelpers.time.latest());
      const times = { startBy: now + 50n, completeBy: now + 60n, duration: 10n, price: COST_WEI };
      const task = await accepted(fixture, times);
      const asProvider = market.connect(parties.provider);
      await networkHelpers.time.setNextBlockTimestamp(task.completeBy);
      await expectRefusal(
        fixture,
        () => asProvider.abandon(task.terms, task.workHash),
        "TaskMarket_TooEarly",
        [task.id, task.completeBy + 1n, task.completeBy],
      );
      const atDeadline = await networkHelpers.takeSnapshot();
      await networkHelpers.time.setNextBlockTimestamp(task.completeBy + 1n);
      await expectRefusal(
        fixture,
        () => asProvider.abandon(task.terms, task.workHash),
        "TaskMarket_TooLate",
        [task.id, task.completeBy, task.completeBy + 1n],
      );
      await atDeadline.restore();
      await networkHelpers.time.setNextBlockTimestamp(task.completeBy + 1n);
      await expectRefusal(
        fixture,
        () => asProvider.decline(task.terms, task.workHash, 12n),
        "TaskMarket_TooLate",
        [task.id, task.completeBy, task.completeBy + 1n],
      );
    });

    it("a delivery and a decline free the collateral whole", async () => {
      const fixture = use();
      const { ethers, market, networkHelpers, parties, deliveryOf } = fixture;
      const delivered = await accepted(fixture, { salt: ethers.id("delivered") });
      await networkHelpers.time.increase(10n);
      const paid = 10n * PRICE_WEI;
      const fee = (paid * FEE_BPS) / 10_000n;
      await expectMoves(
        fixture,
        () =>
          market.connect(parties.operator).deliver(delivered.terms, delivered.workHash, deliveryOf(1, 10n)),
        {
          locked: -COLLATERAL_WEI,
          "ledger.provider": paid - fee,
          "fees.provider": fee,
          "ledger.owner": COST_WEI - paid,
          completed: 1n,
          secondsSold: 10n,
        },
      );
      const declined = await accepted(fixture, { salt: ethers.id("declined") });
      await expectMoves(
        fixture,
        () => market.connect(parties.operator).decline(declined.terms, declined.workHash, 9n),
        { locked: -COLLATERAL_WEI, "ledger.owner": COST_WEI, declined: 1n },
      );
    });

    it("a delivery or a decline without accepting needs no stake at all", async () => {
      const fixture = use();
      const { ethers, market, parties, deliveryOf } = fixture;
      const beyond = { collateral: 2n ** 96n - 1n };
      const delivered = await submit(fixture, { ...beyond, salt: ethers.id("delivered") });
      await expectMoves(
        fixture,
        () =>
          market.connect(parties.provider).deliver(delivered.terms, delivered.workHash, deliveryOf(1, 0n)),
        { "ledger.owner": COST_WEI, completed: 1n },
      );
      const declined = await submit(fixture, { ...beyond, salt: ethers.id("declined") });
      await expectMoves(
        fixture,
        () => market.connect(parties.provider).decline(declined.terms, declined.workHash, 9n),
        { "ledger.owner": COST_WEI },
      );
    });

    it("RevertWhen the collateral exceeds the free stake by a wei", async () => {
      const fixture = use();
      const { ethers, market, registry, parties } = fixture;
      const asProvider = market.connect(parties.provider);
      const above = await submit(fixture, { collateral: STAKE_WEI + 1n });
      const refusal = (free: bigint, needed: bigint): [string, unknown[], { of: typeof registry }] => [
        "ProviderRegistry_InsufficientFreeStake",
        [parties.provider.address, free, needed],
        { of: registry },
      ];
      await expectRefusal(
        fixture,
        () => asProvider.accept(above.terms, above.workHash),
        ...refusal(STAKE_WEI, STAKE_WEI + 1n),
      );
      const whole = await submit(fixture, { collateral: STAKE_WEI, salt: ethers.id("whole") });
      await expectMoves(fixture, () => asProvider.accept(whole.terms, whole.workHash), {
        locked: STAKE_WEI,
      });
      const one = await submit(fixture, { collateral: 1n, salt: ethers.id("one") });
      await expectRefusal(fixture, () => asProvider.accept(one.terms, one.workHash), ...refusal(0n, 1n));
    });

    it("A20_stake cannot leave while it is locked, and what has left is not there to lock", async () => {
      const fixture = use();
      const { ethers, market, registry, networkHelpers, parties } = fixture;
      const asProvider = registry.connect(parties.provider);
      const free = STAKE_WEI - COLLATERAL_WEI;
      const task = await accepted(fixture);
      await expectRefusal(
        fixture,
        () => asProvider.unstake(free + 1n),
        "ProviderRegistry_InsufficientFreeStake",
        [parties.provider.address, free, free + 1n],
        { of: registry },
      );
      await asProvider.unstake(free);
      const second = await submit(fixture, { collateral: 1n, salt: ethers.id("second") });
      await expectRefusal(
        fixture,
        () => market.connect(parties.provider).accept(second.terms, second.workHash),
        "ProviderRegistry_InsufficientFreeStake",
        [parties.provider.address, 0n, 1n],
        { of: registry },
      );
      // The lock wins: what is slashed is there.
      await networkHelpers.time.setNextBlockTimestamp(task.completeBy + 1n);
      await expectMoves(fixture, () => market.connect(parties.stranger).fail(task.terms, task.workHash), {
        ...slash(COLLATERAL_WEI),
        locked: -COLLATERAL_WEI,
        "ledger.owner": COST_WEI + COLLATERAL_WEI - BOUNTY_WEI,
        "ledger.stranger": BOUNTY_WEI,
        failed: 1n,
      });
      // Stake takes longer to leave than any task lives.
      expect(await registry.unbondingPeriod()).to.be.greaterThan(30n * DAY);
    });

    it("a paused provider locks nothing, but takes what needs no collateral and ends what it has", async () => {
      const fixture = use();
      const { ethers, market, registry, parties } = fixture;
      const asProvider = market.connect(parties.provider);
      const held = await accepted(fixture, { salt: ethers.id("held") });
      await registry.connect(parties.provider).setStatus(Status.Paused);
      const secured = await submit(fixture, { collateral: 1n, salt: ethers.id("secured") });
      await expectRefusal(
        fixture,
        () => asProvider.accept(secured.terms, secured.workHash),
        "ProviderRegistry_NotActive",
        [parties.provider.address],
        { of: registry },
      );
      const open = await submit(fixture, { collateral: 0n, salt: ethers.id("open") });
      await expectMoves(fixture, () => asProvider.accept(open.terms, open.workHash), {});
      await expectMoves(fixture, () => asProvider.decline(held.terms, held.workHash, 12n), {
        locked: -COLLATERAL_WEI,
        "ledger.owner": COST_WEI,
        declined: 1n,
      });
    });

    it("an account that never registered works without collateral, and locks none", async () => {
      const fixture = use();
      const { ethers, market, registry, networkHelpers, parties, deliveryOf } = fixture;
      const worker = parties.stranger;
      const asWorker = market.connect(worker);
      const of = (salt: string, collateral: bigint) =>
        submit(fixture, { provider: worker.address, collateral, salt: ethers.id(salt) });
      const secured = await of("secured", 1n);
      await expectRefusal(
        fixture,
        () => asWorker.accept(secured.terms, secured.workHash),
        "ProviderRegistry_NotRegistered",
        [worker.address],
        { of: registry },
      );
      const delivered = await of("delivered", 0n);
      await asWorker.accept(delivered.terms, delivered.workHash);
      await networkHelpers.time.increase(10n);
      const paid = 10n * PRICE_WEI;
      const fee = (paid * FEE_BPS) / 10_000n;
      await expectMoves(
        fixture,
        () => asWorker.deliver(delivered.terms, delivered.workHash, deliveryOf(1, 10n)),
        { "ledger.stranger": paid - fee, "fees.stranger": fee, "ledger.owner": COST_WEI - paid },
      );
      const declined = await of("declined", 0n);
      await expectMoves(fixture, () => asWorker.decline(declined.terms, declined.workHash, 9n), {
        "ledger.owner": COST_WEI,
      });
      const given = await of("given up", 0n);
      await asWorker.accept(given.terms, given.workHash);
      const failed = await of("failed", 0n);
      await asWorker.accept(failed.terms, failed.workHash);
      await networkHelpers.time.increase(DECLINE_WINDOW + 10n);
      await expectMoves(fixture, () => asWorker.abandon(given.terms, given.workHash), {
        "ledger.owner": COST_WEI,
      });
      await networkHelpers.time.increaseTo(failed.completeBy);
      await expectMoves(fixture, () => market.fail(failed.terms, failed.workHash), {
        "ledger.owner": COST_WEI,
      });
      // Nobody is its operator: the zero address opens no door to the others' tasks.
      expect(await registry.operatorOf(worker.address)).to.equal(ethers.ZeroAddress);
    });

    for (const state of ["not authorised", "not yet effective"] as const) {
      it(`I08_a market that is ${state} locks nothing, and ends every task without collateral`, async () => {
        const fixture = use();
        const { ethers, registry, networkHelpers, parties, deliveryOf } = fixture;
        const { market } = await deployTaskMarket(ethers, {
          registry,
          currency: fixture.currency,
          treasury: parties.treasury,
          feeBps: FEE_BPS,
        });
        if (state === "not yet effective")
          await registry.connect(parties.admin).authorizeMarket(await market.getAddress());
        await fixture.erc20?.connect(parties.owner).approve(await market.getAddress(), 2n ** 255n);
        const there = { ...fixture, market };
        const of = (salt: string, collateral = 0n) =>
          submit(there, { salt: ethers.id(salt), collateral }, market);
        const asProvider = market.connect(parties.provider);

        const secured = await of("secured", 1n);
        await expectRefusal(
          there,
          () => asProvider.accept(secured.terms, secured.workHash),
          "ProviderRegistry_NotAMarket",
          [await market.getAddress()],
          { of: registry },
        );
        const declined = await of("declined");
        await expectMoves(there, () => asProvider.decline(declined.terms, declined.workHash, 9n), {
          "ledger.owner": COST_WEI,
        });
        const cancelled = await of("cancelled");
        await expectMoves(
          there,
          () => market.connect(parties.owner).cancel(cancelled.terms, cancelled.workHash),
          { "ledger.owner": COST_WEI },
        );
        const [refused, delivered, given, failed, expired] = [
          await of("refused"),
          await of("delivered"),
          await of("given up"),
          await of("failed"),
          await of("expired"),
        ];
        for (const task of [refused, delivered, given, failed])
          await expectMoves(there, () => asProvider.accept(task.terms, task.workHash), {});
        await expectMoves(there, () => asProvider.decline(refused.terms, refused.workHash, 9n), {
          "ledger.owner": COST_WEI,
        });
        await expectMoves(
          there,
          () => asProvider.deliver(delivered.terms, delivered.workHash, deliveryOf(1, 0n)),
          { "ledger.owner": COST_WEI, completed: 1n },
        );
        await networkHelpers.time.increase(DECLINE_WINDOW + 10n);
        await expectMoves(there, () => asProvider.abandon(given.terms, given.workHash), {
          "ledger.owner": COST_WEI,
        });
        await expectMoves(there, () => market.expire(expired.terms, expired.workHash), {
          "ledger.owner": COST_WEI,
        });
        await networkHelpers.time.increaseTo(failed.completeBy);
        await expectMoves(there, () => market.fail(failed.terms, failed.workHash), {
          "ledger.owner": COST_WEI,
        });
        // The secured task, that nobody could accept, comes back too; then nothing is left.
        await expectMoves(there, () => market.expire(secured.terms, secured.workHash), {
          "ledger.owner": COST_WEI,
        });
        const all = await market.balanceOf(parties.owner.address);
        await expectMoves(there, () => market.connect(parties.owner).withdraw(all), {
          "wallet.owner": all,
          "wallet.market": -all,
          "ledger.owner": -all,
        });
      });
    }
  });
}

describe("TaskMarket constructor", () => {
  const use = useMarket();

  async function deploy({ ethers }: Fixture, changes: Partial<MarketSettings>) {
    const registry = changes.registry ?? (await deployRegistry(use(), ethers.ZeroAddress, 45n * DAY));
    return (await deployTaskMarket(ethers, { registry, ...changes })).market;
  }

  async function deployRegistry({ ethers, parties }: Fixture, currency: string, unbonding: bigint) {
    const registry = await ethers.deployContract("ProviderRegistry", [
      currency,
      unbonding,
      parties.admin.address,
    ]);
    return registry.getAddress();
  }

  it("RevertWhen the registry is in another currency", async () => {
    const fixture = use();
    const token = await (await fixture.ethers.deployContract("MockERC20")).getAddress();
    const registry = await deployRegistry(fixture, token, 45n * DAY);
    await expect(deploy(fixture, { registry }))
      .to.be.revertedWithCustomError(fixture.market, "TaskMarket_UnfitRegistry")
      .withArgs(registry);
    await deploy(fixture, { currency: token, registry });
  });

  it("A20_RevertWhen stake could leave within the longest task", async () => {
    const fixture = use();
    const { ZeroAddress } = fixture.ethers;
    for (const unbonding of [0n, 30n * DAY]) {
      const registry = await deployRegistry(fixture, ZeroAddress, unbonding);
      await expect(deploy(fixture, { registry }))
        .to.be.revertedWithCustomError(fixture.market, "TaskMarket_UnfitRegistry")
        .withArgs(registry);
    }
    await deploy(fixture, { registry: await deployRegistry(fixture, ZeroAddress, 30n * DAY + 1n) });
  });

  it("A06_RevertWhen there is no registry or no token at the address", async () => {
    const fixture = use();
    const { ethers, parties } = fixture;
    await expect(deploy(fixture, { registry: parties.stranger.address })).to.be.revert(ethers);
    await expect(deploy(fixture, { currency: parties.stranger.address }))
      .to.be.revertedWithCustomError(fixture.market, "Currency_NoCode")
      .withArgs(parties.stranger.address);
  });

  it("A15_RevertWhen a provider could decline for longer than a day", async () => {
    const fixture = use();
    await expect(deploy(fixture, { declineWindow: DAY + 1n }))
      .to.be.revertedWithCustomError(fixture.market, "TaskMarket_UnfitWindow")
      .withArgs(DAY + 1n, DAY);
    expect(await (await deploy(fixture, { declineWindow: DAY })).declineWindow()).to.equal(DAY);
  });

  it("A40_RevertWhen admin, treasury or fee are out of bounds", async () => {
    const fixture = use();
    const { ethers, market } = fixture;
    await expect(deploy(fixture, { admin: ethers.ZeroAddress, treasury: fixture.parties.treasury }))
      .to.be.revertedWithCustomError(market, "OwnableInvalidOwner")
      .withArgs(ethers.ZeroAddress);
    await expect(deploy(fixture, { treasury: ethers.ZeroAddress })).to.be.revertedWithCustomError(
      market,
      "ProtocolFee_ZeroTreasury",
    );
    await expect(deploy(fixture, { feeBps: 1_001n }))
      .to.be.revertedWithCustomError(market, "ProtocolFee_AboveCeiling")
      .withArgs(1_001n, 1_000n);
    const highest = await deploy(fixture, { feeBps: 1_000n });
    expect(await highest.feeBps()).to.equal(1_000n);
  });

  it("says what it was made of", async () => {
    const fixture = use();
    const { market, extension, registry, parties } = fixture;
    expect(await market.registry()).to.equal(await registry.getAddress());
    expect(await market.currency()).to.equal(fixture.currency);
    expect(await market.declineWindow()).to.equal(DECLINE_WINDOW);
    expect(await market.owner()).to.equal(parties.admin.address);
    expect(await market.treasury()).to.equal(parties.treasury.address);
    expect(await market.feeBps()).to.equal(FEE_BPS);
    expect(await market.keyWindow()).to.equal(WINDOWS.keyWindow);
    expect(await market.takeOverWindow()).to.equal(WINDOWS.takeOverWindow);
    expect(await market.concessionWindow()).to.equal(WINDOWS.concessionWindow);
    expect(await market.models()).to.equal(fixture.ethers.ZeroAddress);
    expect(await market.extension()).to.equal(await extension.getAddress());
    expect(await market.settingsHash()).to.equal(await extension.settingsHash());
    const scheduled = await market.queryFilter(market.filters.FeeScheduled());
    expect(scheduled.map(({ args }) => [args.bps, args.effectiveAt])).to.deep.equal([[FEE_BPS, 0n]]);
    const changed = await market.queryFilter(market.filters.TreasuryChanged());
    expect(changed.map(({ args }) => args.treasury)).to.deep.equal([parties.treasury.address]);
  });

  it("A40_RevertWhen the extension was made with any other setting, or is none", async () => {
    const fixture = use();
    const { ethers, registry, parties } = fixture;
    const same = {
      registry,
      currency: ethers.ZeroAddress,
      models: ethers.ZeroAddress,
      ...WINDOWS,
      admin: parties.admin,
      treasury: parties.treasury,
      feeBps: FEE_BPS,
    };
    const extension = await new TaskMarketExtension__factory(parties.admin).deploy(same);
    const factory = new TaskMarket__factory(parties.admin);
    await factory.deploy(same, extension);
    for (const change of [
      { registry: await deployRegistry(fixture, ethers.ZeroAddress, 45n * DAY) },
      { models: parties.stranger },
      { declineWindow: 1n },
      { keyWindow: 1n },
      { takeOverWindow: 1n },
      { concessionWindow: 1n },
      { admin: parties.stranger },
      { treasury: parties.stranger },
      { feeBps: 0n },
    ])
      await expect(factory.deploy({ ...same, ...change }, extension))
        .to.be.revertedWithCustomError(fixture.market, "TaskMarket_UnfitExtension")
        .withArgs(await extension.getAddress());
    await expect(factory.deploy(same, parties.stranger)).to.be.revert(ethers);
  });
});
