import { expect } from "chai";

import { deployRegistry, FUNDS_WEI, KINDS, NEVER, OFFER, PERIOD, plain, Record, Status } from "./fixture.ts";
import type { Fixture, Kind } from "./fixture.ts";

const STAKE_WEI = 100n * 10n ** 18n;

/** A registry with a registered provider, and stake where it is asked for. */
async function deploy({ kind = "native", stakeWei = 0n }: { kind?: Kind; stakeWei?: bigint } = {}) {
  const fixture = await deployRegistry({ kind });
  const { registry, parties, value } = fixture;
  const { provider, operator, payout } = parties;
  await registry.connect(provider).register(operator.address, payout.address, OFFER);
  if (stakeWei > 0n) await registry.connect(provider).stake(stakeWei, value(stakeWei));
  return fixture;
}

/** Stake, locked, unbonding and free stake of the provider. */
async function stakeOf({ registry, parties: { provider } }: Fixture) {
  const { stake, locked, unbonding } = await registry.providerOf(provider.address);
  return { stake, locked, unbonding, free: await registry.freeStakeOf(provider.address) };
}

/** A call that fails moves nobody's money and changes nothing of the provider. */
async function expectRefusal(fixture: Fixture, call: () => Promise<unknown>, error: string, args: unknown[]) {
  const state = async () => [
    await fixture.balances(),
    await fixture.registry.providerOf(fixture.parties.provider.address),
    await fixture.registry.freeStakeOf(fixture.parties.provider.address),
  ];
  const before = await state();
  await expect(call())
    .to.be.revertedWithCustomError(fixture.registry, error)
    .withArgs(...args);
  expect(await state()).to.deep.equal(before);
}

describe("ProviderRegistry", () => {
  describe("register", () => {
    it("keeps and announces what was registered", async () => {
      const { registry, networkHelpers, parties } = await deployRegistry();
      const { provider, operator, payout } = parties;
      const registering = registry.connect(provider).register(operator.address, payout.address, OFFER);
      await expect(registering)
        .to.emit(registry, "ProviderRegistered")
        .withArgs(provider.address, operator.address, payout.address);
      await expect(registering)
        .to.emit(registry, "OfferUpdated")
        .withArgs(provider.address, OFFER.shape, OFFER.rateWei, OFFER.slots, OFFER.metadata);
      expect(plain(await registry.providerOf(provider.address))).to.deep.equal({
        account: provider.address,
        operator: operator.address,
        payout: payout.address,
        status: Status.Active,
        registeredAt: BigInt(await networkHelpers.time.latest()),
        declined: 0n,
        abandoned: 0n,
        failed: 0n,
        disputed: 0n,
        assigned: 0n,
        stake: 0n,
        locked: 0n,
        unbonding: 0n,
        unbondsAt: 0n,
        offer: OFFER,
      });
      expect(await registry.operatorOf(provider.address)).to.equal(operator.address);
      expect(await registry.payoutOf(provider.address)).to.equal(payout.address);
      expect(await registry.providerCount()).to.equal(1n);
    });

    it("A26_RevertWhen_account is registered already: the record stays", async () => {
      const fixture = await deploy({ stakeWei: STAKE_WEI });
      const { registry, parties } = fixture;
      const { provider, operator, market } = parties;
      await registry.connect(market).release(provider.address, 0n, 0n, Record.Failed, false);
      for (const status of [Status.Active, Status.Paused]) {
        await registry.connect(provider).setStatus(status);
        const again = () => registry.connect(provider).register(operator.address, operator.address, OFFER);
        await expectRefusal(fixture, again, "ProviderRegistry_AlreadyRegistered", [provider.address]);
      }
      await registry.connect(provider).setOperator(parties.stranger.address);
      await registry.connect(provider).updateOffer({ ...OFFER, slots: 1n });
      expect((await registry.providerOf(provider.address)).failed).to.equal(1n);
      expect(await registry.providerCount()).to.equal(1n);
    });

    it("RevertWhen_operator or payout is nobody", async () => {
      const { ethers, registry, parties } = await deployRegistry();
      const { provider, operator } = parties;
      const as = registry.connect(provider);
      for (const [call, what] of [
        [as.register(ethers.ZeroAddress, operator.address, OFFER), "operator"],
        [as.register(operator.address, ethers.ZeroAddress, OFFER), "payout"],
      ] as const) {
        await expect(call)
          .to.be.revertedWithCustomError(registry, "ProviderRegistry_ZeroAddress")
          .withArgs(what);
      }
      expect(await registry.providerCount()).to.equal(0n);
    });

    it("A24_RevertWhen_offer is malformed, without slots or price, or its metadata too long", async () => {
      const { registry, parties } = await deployRegistry();
      const { provider, operator } = parties;
      const as = registry.connect(provider);
      const bad = [
        { offer: { ...OFFER, slots: 0n }, error: "ProviderRegistry_NoSlots", args: [] },
        { offer: { ...OFFER, rateWei: 0n }, error: "ProviderRegistry_ZeroRate", args: [] },
        {
          offer: { ...OFFER, metadata: "x".repeat(257) },
          error: "ProviderRegistry_MetadataTooLong",
          args: [257n, 256n],
        },
        { offer: { ...OFFER, shape: 1n << 160n }, error: "Resources_Malformed", args: [1n << 160n] },
      ];
      for (const { offer, error, args } of bad) {
        await expect(as.register(operator.address, operator.address, offer))
          .to.be.revertedWithCustomError(registry, error)
          .withArgs(...args);
      }
      expect(await registry.providerCount()).to.equal(0n);
      const longest = { ...OFFER, metadata: "é".repeat(128) };
      await as.register(operator.address, operator.address, longest);
      expect((await registry.providerOf(provider.address)).offer.metadata).to.equal(longest.metadata);
      for (const { offer, error, args } of bad) {
        await expect(as.updateOffer(offer))
          .to.be.revertedWithCustomError(registry, error)
          .withArgs(...args);
      }
      expect(plain(await registry.providerOf(provider.address)).offer).to.deep.equal(longest);
    });
  });

  describe("change", () => {
    it("replaces the offer, the operator, the payout address and the status", async () => {
      const { registry, parties } = await deploy();
      const { provider, stranger } = parties;
      const as = registry.connect(provider);
      const offer = { shape: 1n, rateWei: 2n ** 96n - 1n, slots: 65_535n, metadata: "" };
      await expect(as.updateOffer(offer))
        .to.emit(registry, "OfferUpdated")
        .withArgs(provider.address, 1n, offer.rateWei, offer.slots, "");
      await expect(as.setOperator(stranger.address))
        .to.emit(registry, "OperatorChanged")
        .withArgs(provider.address, stranger.address);
      await expect(as.setPayout(provider.address))
        .to.emit(registry, "PayoutChanged")
        .withArgs(provider.address, provider.address);
      await expect(as.setStatus(Status.Paused))
        .to.emit(registry, "StatusChanged")
        .withArgs(provider.address, Status.Paused);
      const now = plain(await registry.providerOf(provider.address));
      expect(now).to.deep.include({
        operator: stranger.address,
        payout: provider.address,
        status: Status.Paused,
        offer,
      });
      await expect(as.setStatus(Status.Active))
        .to.emit(registry, "StatusChanged")
        .withArgs(provider.address, Status.Active);
    });

    it("RevertWhen_new value is none", async () => {
      const fixture = await deploy();
      const { ethers, registry, parties } = fixture;
      const as = registry.connect(parties.provider);
      const zero = ethers.ZeroAddress;
      await expectRefusal(fixture, () => as.setOperator(zero), "ProviderRegistry_ZeroAddress", ["operator"]);
      await expectRefusal(fixture, () => as.setPayout(zero), "ProviderRegistry_ZeroAddress", ["payout"]);
      await expectRefusal(fixture, () => as.setStatus(Status.None), "ProviderRegistry_InvalidStatus", []);
    });

    it("A19_RevertWhen_caller is not registered: neither operator nor market act for a provider", async () => {
      const fixture = await deploy({ stakeWei: STAKE_WEI });
      const { registry, parties, value } = fixture;
      for (const caller of [
        parties.operator,
        parties.payout,
        parties.market,
        parties.admin,
        parties.stranger,
      ]) {
        const as = registry.connect(caller);
        for (const call of [
          () => as.updateOffer(OFFER),
          () => as.setOperator(caller.address),
          () => as.setPayout(caller.address),
          () => as.setStatus(Status.Paused),
          () => as.stake(1n, value(1n)),
          () => as.unstake(1n),
          () => as.cancelUnstake(),
          () => as.withdrawStake(parties.stranger.address),
        ])
          await expectRefusal(fixture, call, "ProviderRegistry_NotRegistered", [caller.address]);
      }
    });
  });

  for (const kind of KINDS) {
    describe(`stake (${kind})`, () => {
      it("goes in, out after the period, to whom the provider says", async () => {
        const fixture = await deploy({ kind });
        const { registry, networkHelpers, parties, balanceOf, address, value } = fixture;
        const { provider, stranger } = parties;
        const as = registry.connect(provider);
        await expect(as.stake(STAKE_WEI, value(STAKE_WEI)))
          .to.emit(registry, "Staked")
          .withArgs(provider.address, STAKE_WEI);
        await as.stake(1n, value(1n));
        const stake = STAKE_WEI + 1n;
        expect(await stakeOf(fixture)).to.deep.equal({ stake, locked: 0n, unbonding: 0n, free: stake });
        const unstaking = await as.unstake(30n);
        const unbondsAt = BigInt(await networkHelpers.time.latest()) + PERIOD;
        await expect(unstaking)
          .to.emit(registry, "UnstakeStarted")
          .withArgs(provider.address, 30n, unbondsAt);
        expect((await registry.providerOf(provider.address)).unbondsAt).to.equal(unbondsAt);
        expect(await stakeOf(fixture)).to.deep.equal({
          stake,
          locked: 0n,
          unbonding: 30n,
          free: stake - 30n,
        });
        await networkHelpers.time.setNextBlockTimestamp(unbondsAt - 1n);
        await expectRefusal(
          fixture,
          () => as.withdrawStake(stranger.address),
          "ProviderRegistry_StillUnbonding",
          [provider.address, unbondsAt],
        );
        await networkHelpers.time.setNextBlockTimestamp(unbondsAt);
        await expect(as.withdrawStake(stranger.address))
          .to.emit(registry, "Unstaked")
          .withArgs(provider.address, stranger.address, 30n);
        expect(await stakeOf(fixture)).to.deep.equal({
          stake: stake - 30n,
          locked: 0n,
          unbonding: 0n,
          free: stake - 30n,
        });
        expect(await balanceOf(provider.address)).to.equal(FUNDS_WEI - stake);
        expect(await balanceOf(stranger.address)).to.equal(FUNDS_WEI + 30n);
        expect(await balanceOf(address)).to.equal(stake - 30n);
        await expectRefusal(
          fixture,
          () => as.withdrawStake(stranger.address),
          "ProviderRegistry_NothingUnbonding",
          [provider.address],
        );
      });

      it("comes back from unbonding at any time, also after the period", async () => {
        const fixture = await deploy({ kind, stakeWei: STAKE_WEI });
        const { registry, networkHelpers, parties, balances } = fixture;
        const as = registry.connect(parties.provider);
        const before = await balances();
        for (const wait of [1n, PERIOD + 1n]) {
          await as.unstake(7n);
          await networkHelpers.time.increase(wait);
          await expect(as.cancelUnstake())
            .to.emit(registry, "UnstakeCancelled")
            .withArgs(parties.provider.address, 7n);
          expect(await stakeOf(fixture)).to.deep.equal({
            stake: STAKE_WEI,
            locked: 0n,
            unbonding: 0n,
            free: STAKE_WEI,
          });
          expect((await registry.providerOf(parties.provider.address)).unbondsAt).to.equal(0n);
        }
        expect(await balances()).to.deep.equal(before);
        await expectRefusal(fixture, () => as.cancelUnstake(), "ProviderRegistry_NothingUnbonding", [
          parties.provider.address,
        ]);
      });

      it("RevertWhen_amount or receiver is nothing, or more than is free", async () => {
        const fixture = await deploy({ kind, stakeWei: STAKE_WEI });
        const { ethers, registry, parties } = fixture;
        const { provider, market } = parties;
        const as = registry.connect(provider);
        await registry.connect(market).lock(provider.address, 40n);
        await as.unstake(9n);
        const free = STAKE_WEI - 49n;
        await expectRefusal(fixture, () => as.stake(0n), "ProviderRegistry_ZeroAmount", []);
        await expectRefusal(fixture, () => as.unstake(0n), "ProviderRegistry_ZeroAmount", []);
        for (const amount of [free + 1n, NEVER]) {
          const args = [provider.address, free, amount];
          await expectRefusal(
            fixture,
            () => as.unstake(amount),
            "ProviderRegistry_InsufficientFreeStake",
            args,
          );
        }
        const nobody = () => as.withdrawStake(ethers.ZeroAddress);
        await expectRefusal(fixture, nobody, "ProviderRegistry_ZeroAddress", ["to"]);
        await as.unstake(free);
        expect(await stakeOf(fixture)).to.deep.equal({
          stake: STAKE_WEI,
          locked: 40n,
          unbonding: free + 9n,
          free: 0n,
        });
      });

      it("RevertWhen_value is not what the currency takes", async () => {
        const fixture = await deploy({ kind });
        const { registry, parties } = fixture;
        const as = registry.connect(parties.provider);
        if (kind === "native") {
          for (const wrong of [0n, 4n, 6n])
            await expectRefusal(fixture, () => as.stake(5n, { value: wrong }), "Currency_WrongValue", [
              wrong,
              5n,
            ]);
        } else {
          await expectRefusal(fixture, () => as.stake(5n, { value: 5n }), "Currency_WrongValue", [5n, 0n]);
        }
      });
    });

    describe(`stake to nobody (${kind})`, () => {
      it("RevertWhen_receiver is the registry or a market, now or later", async () => {
        const fixture = await deploy({ kind, stakeWei: STAKE_WEI });
        const { registry, networkHelpers, parties, address, balanceOf } = fixture;
        const { admin, provider, operator, market, laterMarket } = parties;
        await registry.connect(provider).unstake(5n);
        await networkHelpers.time.increase(PERIOD);
        await registry.connect(admin).authorizeMarket(laterMarket.address);
        for (const to of [address, market.address, laterMarket.address]) {
          const call = () => registry.connect(provider).withdrawStake(to);
          await expectRefusal(fixture, call, "ProviderRegistry_ToContract", [to]);
        }
        await registry.connect(provider).withdrawStake(operator.address);
        expect(await balanceOf(operator.address)).to.equal(FUNDS_WEI + 5n);
        expect(await balanceOf(address)).to.equal(STAKE_WEI - 5n);
      });
    });

    describe(`markets (${kind})`, () => {
      it("lock, unlock and slash: what is slashed goes to the market", async () => {
        const fixture = await deploy({ kind, stakeWei: STAKE_WEI });
        const { registry, parties, balanceOf, address } = fixture;
        const { provider, market } = parties;
        const as = registry.connect(market);
        await expect(as.lock(provider.address, 60n))
          .to.emit(registry, "StakeLocked")
          .withArgs(provider.address, market.address, 60n);
        expect(await stakeOf(fixture)).to.deep.equal({
          stake: STAKE_WEI,
          locked: 60n,
          unbonding: 0n,
          free: STAKE_WEI - 60n,
        });
        const unlocking = as.release(provider.address, 10n, 0n, Record.None, false);
        await expect(unlocking)
          .to.emit(registry, "StakeUnlocked")
          .withArgs(provider.address, market.address, 10n);
        await expect(unlocking).not.to.emit(registry, "StakeSlashed");
        await expect(unlocking).not.to.emit(registry, "ProviderRecorded");
        const slashing = as.release(provider.address, 50n, 20n, Record.Failed, false);
        await expect(slashing)
          .to.emit(registry, "StakeUnlocked")
          .withArgs(provider.address, market.address, 50n);
        await expect(slashing)
          .to.emit(registry, "StakeSlashed")
          .withArgs(provider.address, market.address, 20n);
        await expect(slashing)
          .to.emit(registry, "ProviderRecorded")
          .withArgs(provider.address, market.address, Record.Failed);
        const stake = STAKE_WEI - 20n;
        expect(await stakeOf(fixture)).to.deep.equal({ stake, locked: 0n, unbonding: 0n, free: stake });
        expect(await balanceOf(market.address)).to.equal(FUNDS_WEI + 20n);
        expect(await balanceOf(provider.address)).to.equal(FUNDS_WEI - STAKE_WEI);
        expect(await balanceOf(address)).to.equal(stake);
      });

      it("RevertWhen_market wants more than it locked itself", async () => {
        const fixture = await deploy({ kind, stakeWei: STAKE_WEI });
        const { registry, networkHelpers, parties } = fixture;
        const { admin, provider, market, laterMarket, stranger } = parties;
        await registry.connect(admin).authorizeMarket(laterMarket.address);
        await networkHelpers.time.increase(PERIOD);
        await registry.connect(market).lock(provider.address, 60n);
        await registry.connect(laterMarket).lock(provider.address, 40n);
        for (const [caller, locked, unlocked, slashed, asked] of [
          [market, 60n, 61n, 0n, 61n],
          [market, 60n, 60n, 61n, 61n],
          // Of what it unlocks, not of all that it has locked.
          [market, 10n, 10n, 11n, 11n],
          [market, 0n, 0n, 1n, 1n],
          [laterMarket, 40n, 41n, 41n, 41n],
          [stranger, 0n, 1n, 0n, 1n],
          [stranger, 0n, 0n, 1n, 1n],
          [provider, 0n, 60n, 60n, 60n],
        ] as const) {
          const call = () =>
            registry.connect(caller).release(provider.address, unlocked, slashed, Record.Failed, false);
          const args = [provider.address, caller.address, locked, asked];
          await expectRefusal(fixture, call, "ProviderRegistry_BeyondLock", args);
        }
      });
    });
  }

  describe("markets", () => {
    it("RevertWhen_who locks may not, or who is locked cannot be", async () => {
      const fixture = await deploy({ stakeWei: STAKE_WEI });
      const { registry, parties } = fixture;
      const { provider, market, admin, operator, stranger } = parties;
      for (const caller of [admin, operator, provider, stranger]) {
        const call = () => registry.connect(caller).lock(provider.address, 1n);
        await expectRefusal(fixture, call, "ProviderRegistry_NotAMarket", [caller.address]);
      }
      const as = registry.connect(market);
      const unknown = () => as.lock(stranger.address, 0n);
      await expectRefusal(fixture, unknown, "ProviderRegistry_NotRegistered", [stranger.address]);
      for (const amount of [STAKE_WEI + 1n, NEVER]) {
        const args = [provider.address, STAKE_WEI, amount];
        const call = () => as.lock(provider.address, amount);
        await expectRefusal(fixture, call, "ProviderRegistry_InsufficientFreeStake", args);
      }
      await registry.connect(provider).setStatus(Status.Paused);
      const paused = () => as.lock(provider.address, 1n);
      await expectRefusal(fixture, paused, "ProviderRegistry_NotActive", [provider.address]);
    });

    it("a paused provider's locks can be released", async () => {
      const fixture = await deploy({ stakeWei: STAKE_WEI });
      const { registry, parties } = fixture;
      await registry.connect(parties.market).lock(parties.provider.address, 5n);
      await registry.connect(parties.provider).setStatus(Status.Paused);
      await registry
        .connect(parties.market)
        .release(parties.provider.address, 5n, 0n, Record.Declined, false);
      expect((await stakeOf(fixture)).free).to.equal(STAKE_WEI);
    });

    it("count declined, abandoned, failed and disputed tasks apart", async () => {
      const { registry, parties } = await deploy();
      const { provider, market } = parties;
      const expected = { declined: 0n, abandoned: 0n, failed: 0n, disputed: 0n };
      for (const [record, field] of [
        [Record.None, undefined],
        [Record.Declined, "declined"],
        [Record.Abandoned, "abandoned"],
        [Record.Failed, "failed"],
        [Record.Disputed, "disputed"],
        [Record.Failed, "failed"],
      ] as const) {
        const releasing = registry.connect(market).release(provider.address, 0n, 0n, record, false);
        if (field === undefined) {
          await expect(releasing).not.to.emit(registry, "ProviderRecorded");
        } else {
          ++expected[field];
          await expect(releasing)
            .to.emit(registry, "ProviderRecorded")
            .withArgs(provider.address, market.address, record);
        }
        expect(plain(await registry.providerOf(provider.address))).to.deep.include(expected);
      }
    });

    it("A25_nothing to release never fails, and counts only from a market for a provider", async () => {
      const fixture = await deploy({ stakeWei: STAKE_WEI });
      const { ethers, registry, parties, balances } = fixture;
      const { provider, market, stranger } = parties;
      const before = await balances();
      for (const [caller, account] of [
        [stranger, provider.address],
        [stranger, stranger.address],
        [market, stranger.address],
        [market, ethers.ZeroAddress],
      ] as const) {
        const releasing = registry.connect(caller).release(account, 0n, 0n, Record.Failed, false);
        await expect(releasing).not.to.revert(ethers);
        await expect(releasing).not.to.emit(registry, "ProviderRecorded");
      }
      expect((await registry.providerOf(provider.address)).failed).to.equal(0n);
      expect(await registry.providerCount()).to.equal(1n);
      expect(await balances()).to.deep.equal(before);
    });

    it("A20_first market locks at once, later ones when all free stake can have left", async () => {
      const fixture = await deploy({ stakeWei: STAKE_WEI });
      const { registry, networkHelpers, parties, balanceOf } = fixture;
      const { admin, provider, market, laterMarket } = parties;
      expect(await registry.marketEffectiveAt(market.address)).not.to.equal(0n);
      expect(await registry.marketEffectiveAt(laterMarket.address)).to.equal(0n);
      const authorizing = await registry.connect(admin).authorizeMarket(laterMarket.address);
      const effectiveAt = BigInt(await networkHelpers.time.latest()) + PERIOD;
      await expect(authorizing)
        .to.emit(registry, "MarketAuthorized")
        .withArgs(laterMarket.address, effectiveAt);
      expect(await registry.marketEffectiveAt(laterMarket.address)).to.equal(effectiveAt);
      const early = () => registry.connect(laterMarket).lock(provider.address, 1n);
      await expectRefusal(fixture, early, "ProviderRegistry_NotAMarket", [laterMarket.address]);
      // Who starts to leave at once, has what it unbonds out of reach before the new market can lock.
      await registry.connect(provider).unstake(STAKE_WEI - 10n);
      await networkHelpers.time.setNextBlockTimestamp(effectiveAt - 1n);
      await expectRefusal(fixture, early, "ProviderRegistry_NotAMarket", [laterMarket.address]);
      // A market that may not lock yet counts nothing either.
      await registry.connect(laterMarket).release(provider.address, 0n, 0n, Record.Failed, false);
      expect((await registry.providerOf(provider.address)).failed).to.equal(0n);
      await networkHelpers.time.setNextBlockTimestamp(effectiveAt);
      await registry.connect(laterMarket).lock(provider.address, 10n);
      await registry.connect(laterMarket).release(provider.address, 10n, 10n, Record.Failed, false);
      await registry.connect(provider).withdrawStake(provider.address);
      expect(await balanceOf(provider.address)).to.equal(FUNDS_WEI - 10n);
      expect(await balanceOf(laterMarket.address)).to.equal(FUNDS_WEI + 10n);
    });

    it("A20_markets lock at once that came before anybody was registered", async () => {
      const { registry, networkHelpers, parties } = await deployRegistry();
      const { admin, provider, laterMarket, stranger } = parties;
      await registry.connect(admin).authorizeMarket(laterMarket.address);
      const now = BigInt(await networkHelpers.time.latest());
      expect(await registry.marketEffectiveAt(laterMarket.address)).to.equal(now);
      await registry.connect(provider).register(provider.address, provider.address, OFFER);
      await registry.connect(provider).stake(STAKE_WEI, { value: STAKE_WEI });
      await registry.connect(laterMarket).lock(provider.address, STAKE_WEI);
      expect(await registry.freeStakeOf(provider.address)).to.equal(0n);
      await registry.connect(admin).authorizeMarket(stranger.address);
      const later = BigInt(await networkHelpers.time.latest());
      expect(await registry.marketEffectiveAt(stranger.address)).to.equal(later + PERIOD);
    });

    it("RevertWhen_market is nobody or known, or the caller not the admin", async () => {
      const fixture = await deploy();
      const { ethers, registry, parties } = fixture;
      const { admin, market, laterMarket, provider, stranger } = parties;
      const as = registry.connect(admin);
      const nobody = () => as.authorizeMarket(ethers.ZeroAddress);
      await expectRefusal(fixture, nobody, "ProviderRegistry_ZeroAddress", ["market"]);
      await as.authorizeMarket(laterMarket.address);
      for (const known of [market, laterMarket]) {
        const args = [known.address, await registry.marketEffectiveAt(known.address)];
        const again = () => as.authorizeMarket(known.address);
        await expectRefusal(fixture, again, "ProviderRegistry_MarketKnown", args);
      }
      for (const caller of [market, provider, stranger]) {
        const call = () => registry.connect(caller).authorizeMarket(stranger.address);
        await expectRefusal(fixture, call, "OwnableUnauthorizedAccount", [caller.address]);
      }
    });

    it("the admin hands over in two steps, or leaves for good", async () => {
      const { ethers, registry, parties } = await deploy();
      const { admin, stranger, laterMarket } = parties;
      await registry.connect(admin).transferOwnership(stranger.address);
      expect(await registry.owner()).to.equal(admin.address);
      await registry.connect(stranger).acceptOwnership();
      await registry.connect(stranger).authorizeMarket(laterMarket.address);
      await registry.connect(stranger).renounceOwnership();
      expect(await registry.owner()).to.equal(ethers.ZeroAddress);
    });
  });

  describe("views", () => {
    it("page through all providers in order", async () => {
      const { registry, ethers } = await deployRegistry();
      expect(await registry.providers(0n, 10n)).to.deep.equal([[], 0n]);
      const accounts = (await ethers.getSigners()).slice(0, 5);
      for (const account of accounts)
        await registry.connect(account).register(account.address, account.address, OFFER);
      const expected = accounts.map((account) => account.address);
      for (const limit of [1n, 2n, 4n, 5n, 6n, NEVER]) {
        const seen: string[] = [];
        let cursor = 0n;
        do {
          const { page, next } = await registry.providers(cursor, limit);
          seen.push(...page.map((provider) => provider.account));
          expect(next === 0n || next === cursor + limit).to.equal(true);
          cursor = next;
        } while (cursor !== 0n);
        expect(seen).to.deep.equal(expected);
      }
      for (const cursor of [5n, 6n, NEVER])
        expect(await registry.providers(cursor, NEVER)).to.deep.equal([[], 0n]);
    });

    it("find those that suit, page by page", async () => {
      const { registry, ethers, fund, parties, value } = await deployRegistry();
      const accounts = (await ethers.getSigners()).slice(8, 15);
      const gpus = (count: bigint, kind: bigint) => count | (kind << 16n) | (24_000n << 32n);
      const offers = [
        { shape: gpus(8n, 1n), rateWei: 10n },
        { shape: gpus(1n, 1n), rateWei: 10n },
        { shape: gpus(8n, 2n), rateWei: 10n },
        { shape: gpus(8n, 1n), rateWei: 11n },
        { shape: gpus(8n, 1n), rateWei: 10n },
        { shape: gpus(8n, 1n), rateWei: 10n },
        { shape: gpus(9n, 1n), rateWei: 1n },
      ];
      for (const [index, account] of accounts.entries()) {
        await fund(account.address, FUNDS_WEI);
        const as = registry.connect(account);
        await as.register(account.address, account.address, { ...OFFER, ...offers[index] });
        await as.stake(100n, value(100n));
      }
      // The fifth is paused, the sixth has too little left.
      await registry.connect(accounts[4]).setStatus(Status.Paused);
      await registry.connect(parties.market).lock(accounts[5]!.address, 51n);
      const find = async (cursor: bigint, limit: bigint) => {
        const { page, next } = await registry.eligible(gpus(8n, 1n), 10n, 50n, cursor, limit);
        return { who: page.map(({ account }) => accounts.findIndex((a) => a.address === account)), next };
      };
      expect(await find(0n, NEVER)).to.deep.equal({ who: [0, 6], next: 0n });
      // The limit is on those looked at: a page may be empty and not be the last.
      expect(await find(0n, 1n)).to.deep.equal({ who: [0], next: 1n });
      expect(await find(1n, 5n)).to.deep.equal({ who: [], next: 6n });
      expect(await find(6n, 5n)).to.deep.equal({ who: [6], next: 0n });
      expect(await find(7n, 5n)).to.deep.equal({ who: [], next: 0n });
      // Any class, any price, any stake: all but the paused.
      const { page } = await registry.eligible(0n, NEVER, 0n, 0n, NEVER);
      expect(page.map(({ account }) => account)).to.deep.equal(
        accounts.filter((_, index) => index !== 4).map((account) => account.address),
      );
      const [found] = (await registry.eligible(gpus(9n, 1n), 1n, 100n, 0n, NEVER)).page;
      expect(found).to.deep.equal(await registry.providerOf(accounts[6]!.address));
    });

    it("say nothing of accounts that never registered", async () => {
      const { ethers, registry, parties } = await deploy();
      const { stranger } = parties;
      expect(await registry.operatorOf(stranger.address)).to.equal(ethers.ZeroAddress);
      expect(await registry.payoutOf(stranger.address)).to.equal(ethers.ZeroAddress);
      expect(await registry.freeStakeOf(stranger.address)).to.equal(0n);
      await expect(registry.providerOf(stranger.address))
        .to.be.revertedWithCustomError(registry, "ProviderRegistry_NotRegistered")
        .withArgs(stranger.address);
    });

    it("say what it was deployed with", async () => {
      const { ethers, registry, parties } = await deploy();
      expect(await registry.currency()).to.equal(ethers.ZeroAddress);
      expect(await registry.unbondingPeriod()).to.equal(PERIOD);
      expect(await registry.owner()).to.equal(parties.admin.address);
    });
  });

  describe("A12 limits", () => {
    it("A12_stake of 96 bits and no more", async () => {
      const most = 2n ** 96n - 1n;
      for (const kind of KINDS) {
        const fixture = await deploy({ kind });
        const { registry, parties, fund, value } = fixture;
        await fund(parties.provider.address, 2n * most);
        const as = registry.connect(parties.provider);
        await as.stake(most, value(most));
        await as.unstake(most);
        const before = await fixture.balances();
        await expect(as.stake(1n, value(1n)))
          .to.be.revertedWithCustomError(registry, "SafeCastOverflowedUintDowncast")
          .withArgs(96n, most + 1n);
        expect(await fixture.balances()).to.deep.equal(before);
        expect(await stakeOf(fixture)).to.deep.equal({ stake: most, locked: 0n, unbonding: most, free: 0n });
      }
    });

    it("A12_RevertWhen_there is no token at the currency's address", async () => {
      const { ethers, parties } = await deployRegistry();
      const factory = await ethers.getContractFactory("ProviderRegistry");
      await expect(factory.deploy(parties.stranger.address, PERIOD, parties.admin.address))
        .to.be.revertedWithCustomError(factory, "Currency_NoCode")
        .withArgs(parties.stranger.address);
      await expect(factory.deploy(ethers.ZeroAddress, PERIOD, ethers.ZeroAddress))
        .to.be.revertedWithCustomError(factory, "OwnableInvalidOwner")
        .withArgs(ethers.ZeroAddress);
    });
  });
});
