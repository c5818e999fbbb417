import { expect } from "chai";

import { DAY, KINDS, Manner, Moment } from "../registry/fixture.ts";
import { BUDGET_WEI, CAP_BPS, deployRewards, EPOCH, FUNDS_WEI } from "./rewards.ts";
import type { Fixture } from "./rewards.ts";

/** A call that fails moves nobody's money and changes nothing of what the provider gets. */
async function expectRefusal(
  fixture: Fixture,
  call: () => Promise<unknown>,
  error: string,
  args: readonly unknown[] = [],
) {
  const { rewards, balances, parties } = fixture;
  const state = async () => [
    await balances(),
    await rewards.pot(),
    await rewards.epochOf(0n),
    await rewards.rewardOf(parties.provider.address, 0n),
    await rewards.recordedOf(parties.provider.address),
  ];
  const before = await state();
  const refusal = expect(call()).to.be.revertedWithCustomError(rewards, error);
  await (args.length === 0 ? refusal : refusal.withArgs(...args));
  expect(await state()).to.deep.equal(before);
}

/** An epoch that is over, in which the provider paid all the fees and is to get `rewardWei`. */
async function earn(fixture: Fixture, rewardWei: bigint) {
  const { rewards, parties, fund, payFees, goTo } = fixture;
  await fund(rewardWei);
  await payFees(parties.provider.address, 2n * rewardWei);
  await rewards.record([parties.provider.address]);
  await goTo(1n);
}

describe("ProviderRewards", () => {
  describe("setup", () => {
    it("keeps what it is made with, and has no admin and no way to stop", async () => {
      const { ethers, rewards, registry, marketAddress, startedAt } = await deployRewards();
      expect(await rewards.market()).to.equal(marketAddress);
      expect(await rewards.registry()).to.equal(await registry.getAddress());
      expect(await rewards.currency()).to.equal(ethers.ZeroAddress);
      expect(await rewards.epochSeconds()).to.equal(EPOCH);
      expect(await rewards.budgetWei()).to.equal(BUDGET_WEI);
      expect(await rewards.capBps()).to.equal(CAP_BPS);
      expect(await rewards.MIN_EPOCH()).to.equal(3_600n);
      expect(startedAt).to.be.greaterThan(0n);
      const writes = rewards.interface.fragments.flatMap((fragment) =>
        fragment.type === "function" && "constant" in fragment && fragment.constant === false
          ? [fragment.format("sighash")]
          : [],
      );
      expect(writes.sort()).to.deep.equal(["claim(address,uint256)", "fund(uint256)", "record(address[])"]);
    });

    it("RevertWhen_made without budget, with too short an epoch, or with a cap that is none", async () => {
      const { ethers, rewards, marketAddress } = await deployRewards();
      const make = (epoch: bigint, budgetWei: bigint, capBps: bigint) =>
        ethers.deployContract("ProviderRewards", [marketAddress, epoch, budgetWei, capBps]);
      for (const [[epoch, budgetWei, capBps], error, args] of [
        [[3_599n, 1n, 1n], "ProviderRewards_UnfitEpoch", [3_599n, 3_600n]],
        [[3_600n, 0n, 1n], "ProviderRewards_ZeroAmount", []],
        [[3_600n, 1n, 0n], "ProviderRewards_UnfitCap", [0n, 10_000n]],
        [[3_600n, 1n, 10_001n], "ProviderRewards_UnfitCap", [10_001n, 10_000n]],
      ] as const) {
        const making = make(epoch, budgetWei, capBps);
        const refusal = expect(making).to.be.revertedWithCustomError(rewards, error);
        await (args.length === 0 ? refusal : refusal.withArgs(...args));
      }
      const made = await make(3_600n, 1n, 10_000n);
      expect(await made.capBps()).to.equal(10_000n);
    });
  });

  for (const kind of KINDS) {
    it(`hands out a budget in proportion to fees (${kind})`, async () => {
      const { rewards, market, parties, fund, payFees, goTo, balances } = await deployRewards({
        kind,
      });
      const { provider, other, funder, stranger } = parties;
      const start = await balances();
      await expect(fund(1_000n)).to.emit(rewards, "Funded").withArgs(funder.address, 1_000n);
      await payFees(provider.address, 300n);
      await payFees(other.address, 100n);
      const recording = rewards.connect(stranger).record([provider.address, other.address, provider.address]);
      await expect(recording).to.emit(market, "FeesCollected").withArgs(provider.address, 300n);
      await expect(recording).to.emit(rewards, "FeesRecorded").withArgs(provider.address, 0n, 300n);
      await expect(recording).to.emit(rewards, "FeesRecorded").withArgs(other.address, 0n, 100n);
      expect((await (await recording).wait())?.logs.length).to.equal(4);
      // 80 % of 400: less than the pot, less than the budget.
      expect(await rewards.rewardOf(provider.address, 0n)).to.deep.equal([300n, 240n, false]);
      expect(await rewards.epochOf(0n)).to.deep.equal([400n, 320n, 0n, 0n]);
      expect(await rewards.pot()).to.equal(1_000n);
      await goTo(1n);
      expect(await rewards.currentEpoch()).to.equal(1n);
      expect(await rewards.pot()).to.equal(680n);
      const claiming = rewards.connect(stranger).claim(provider.address, 0n);
      await expect(claiming).to.emit(rewards, "EpochClosed").withArgs(0n, 400n, 320n);
      await expect(claiming)
        .to.emit(rewards, "RewardClaimed")
        .withArgs(provider.address, 0n, parties.payout.address, 240n);
      await expect(rewards.connect(stranger).claim(other.address, 0n))
        .to.emit(rewards, "RewardClaimed")
        .withArgs(other.address, 0n, other.address, 80n);
      expect(await rewards.rewardOf(provider.address, 0n)).to.deep.equal([300n, 240n, true]);
      expect(await rewards.epochOf(0n)).to.deep.equal([400n, 320n, 400n, 320n]);
      expect(await rewards.pot()).to.equal(680n);
      expect(await balances()).to.deep.equal({
        ...start,
        rewards: 680n,
        market: 400n,
        funder: start["funder"]! - 1_000n,
        owner: start["owner"]! - 400n,
        payout: start["payout"]! + 240n,
        other: start["other"]! + 80n,
      });
    });
  }

  it("announces who joins, and with which fees behind it", async () => {
    const { networkHelpers, rewards, parties, payFees } = await deployRewards();
    const { stranger } = parties;
    expect(await rewards.recordedOf(stranger.address)).to.deep.equal([0n, 0n]);
    await payFees(stranger.address, 70n);
    const recording = await rewards.record([stranger.address]);
    await expect(recording).to.emit(rewards, "ProviderJoined").withArgs(stranger.address, 70n);
    await expect(recording).not.to.emit(rewards, "FeesRecorded");
    const joinedAt = BigInt(await networkHelpers.time.latest());
    expect(await rewards.recordedOf(stranger.address)).to.deep.equal([70n, joinedAt]);
    await payFees(stranger.address, 7n);
    await expect(rewards.record([stranger.address]))
      .to.emit(rewards, "FeesRecorded")
      .withArgs(stranger.address, 0n, 7n);
    expect(await rewards.recordedOf(stranger.address)).to.deep.equal([77n, joinedAt]);
    expect(await rewards.epochOf(0n)).to.deep.equal([7n, 0n, 0n, 0n]);
  });

  it("RevertWhen_nothing is given, claimed too early, twice, or by who paid nothing", async () => {
    const fixture = await deployRewards();
    const { rewards, parties, fund } = fixture;
    const { provider, other } = parties;
    await expectRefusal(fixture, () => fund(0n), "ProviderRewards_ZeroAmount");
    const tooEarly = () => rewards.claim(provider.address, 0n);
    await expectRefusal(fixture, tooEarly, "ProviderRewards_NotOver", [0n, 0n]);
    await earn(fixture, 100n);
    const never = () => rewards.claim(other.address, 0n);
    await expectRefusal(fixture, never, "ProviderRewards_NoFees", [other.address, 0n]);
    const future = () => rewards.claim(provider.address, 2n ** 256n - 1n);
    await expectRefusal(fixture, future, "ProviderRewards_NotOver", [2n ** 256n - 1n, 1n]);
    await rewards.claim(provider.address, 0n);
    const again = () => rewards.claim(provider.address, 0n);
    await expectRefusal(fixture, again, "ProviderRewards_AlreadyClaimed", [provider.address, 0n]);
  });

  it("RevertWhen_what is sent along is not what is funded", async () => {
    for (const kind of KINDS) {
      const fixture = await deployRewards({ kind });
      const { rewards, parties } = fixture;
      const as = rewards.connect(parties.funder);
      const [sent, expected] = kind === "native" ? [4n, 5n] : [1n, 0n];
      const call = () => as.fund(5n, { value: sent });
      await expectRefusal(fixture, call, "Currency_WrongValue", [sent, expected]);
    }
  });

  describe("among hostile parties", () => {
    it("A05_A08 a token that takes a fee or lies about balances is refused", async () => {
      const taking = await deployRewards({ kind: "token", tokenName: "FeeERC20" });
      const call = () => taking.fund(1_000n);
      await expectRefusal(taking, call, "Currency_InexactTransfer", [1_000n, 990n]);
      for (const lie of [1n, -1n]) {
        const lying = await deployRewards({ kind: "token", tokenName: "LyingERC20" });
        const liar = await lying.ethers.getContractAt("LyingERC20", await lying.token!.getAddress());
        await liar.setLie(lie);
        const lied = () => lying.fund(1_000n);
        await expectRefusal(lying, lied, "Currency_InexactTransfer", [1_000n, 1_000n + lie]);
      }
    });

    it("A06 a token that answers oddly pays a reward, or leaves it to be claimed", async () => {
      // What SafeERC20 takes as a transfer: true, no data, or true and more; one that says so and moves nothing
      // cheats whoever it pays.
      const answers = {
        True: 100n,
        False: undefined,
        FalseAfterMoving: undefined,
        TrueWithoutMoving: 0n,
        Nothing: 100n,
        Two: undefined,
        TwoWords: 100n,
        Megabyte: 100n,
        RevertMegabyte: undefined,
        BurnGas: undefined,
      };
      for (const [index, [answer, moved]] of Object.entries(answers).entries()) {
        const fixture = await deployRewards({ kind: "token", tokenName: "OddERC20" });
        const { ethers, rewards, token, parties, balances } = fixture;
        await earn(fixture, 100n);
        const odd = await ethers.getContractAt("OddERC20", await token!.getAddress());
        await odd.setAnswer(BigInt(index));
        const before = await balances();
        const claiming = rewards.claim(parties.provider.address, 0n, { gasLimit: 6_000_000n });
        if (moved === undefined) await expect(claiming, answer).to.revert(ethers);
        else await claiming;
        expect(await balances(), answer).to.deep.equal({
          ...before,
          rewards: before["rewards"]! - (moved ?? 0n),
          payout: before["payout"]! + (moved ?? 0n),
        });
        const [, rewardWei, claimed] = await rewards.rewardOf(parties.provider.address, 0n);
        expect([rewardWei, claimed], answer).to.deep.equal([100n, moved !== undefined]);
      }
    });

    it("A07 who cannot receive waits alone, and gets it all later", async () => {
      for (const kind of KINDS) {
        const fixture = await deployRewards({
          kind,
          tokenName: kind === "token" ? "BlocklistERC20" : "MockERC20",
        });
        const { ethers, rewards, registry, token, parties, fund, payFees, goTo, balanceOf } = fixture;
        const { provider, other } = parties;
        const refuser = await ethers.deployContract("Actor");
        const refuserAddress = await refuser.getAddress();
        await registry.connect(provider).setPayout(refuserAddress);
        await fund(1_000n);
        await payFees(provider.address, 50n);
        await payFees(other.address, 50n);
        await rewards.record([provider.address, other.address]);
        await goTo(1n);
        const blocklist =
          token === undefined
            ? undefined
            : await ethers.getContractAt("BlocklistERC20", await token.getAddress());
        const manners =
          blocklist === undefined ? [Manner.Refuse, Manner.RefuseMegabyte, Manner.BurnGas] : [Manner.Accept];
        await blocklist?.setBlocked(refuserAddress, true);
        for (const manner of manners) {
          await refuser.setManner(manner);
          const claiming = rewards.claim(provider.address, 0n, { gasLimit: 6_000_000n });
          await expect(claiming).to.revert(ethers);
          expect(await rewards.rewardOf(provider.address, 0n)).to.deep.equal([50n, 40n, false]);
        }
        await rewards.claim(other.address, 0n);
        expect(await balanceOf(other.address)).to.equal(FUNDS_WEI + 40n);
        // Epochs later it is still there, whatever was paid out since.
        await payFees(other.address, 5_000n);
        await rewards.record([other.address]);
        await goTo(9n);
        await rewards.claim(other.address, 1n);
        expect(await rewards.pot()).to.equal(0n);
        await blocklist?.setBlocked(refuserAddress, false);
        await refuser.setManner(Manner.Accept);
        await rewards.claim(provider.address, 0n);
        expect(await balanceOf(refuserAddress)).to.equal(40n);
        expect(await balanceOf(fixture.address)).to.equal(0n);
      }
    });

    it("A01_A02 a receiver that claims again while it is paid is paid once", async () => {
      for (const kind of KINDS) {
        for (const moment of kind === "token" ? [Moment.Before, Moment.After] : [Moment.After]) {
          const fixture = await deployRewards({
            kind,
            tokenName: kind === "token" ? "HookERC20" : "MockERC20",
          });
          const { ethers, rewards, registry, token, parties, balanceOf, address } = fixture;
          const thief = await ethers.deployContract("Actor");
          const thiefAddress = await thief.getAddress();
          await registry.connect(parties.provider).setPayout(thiefAddress);
          await earn(fixture, 100n);
          await fixture.fund(1_000n);
          const again = rewards.interface.encodeFunctionData("claim", [parties.provider.address, 0n]);
          await thief.arm(address, 0n, again);
          if (token !== undefined) {
            const hook = await ethers.getContractAt("HookERC20", await token.getAddress());
            await hook.setHook(moment, thiefAddress, thief.interface.encodeFunctionData("reenter"));
          }
          await rewards.claim(parties.provider.address, 0n);
          expect([await thief.entries(), await thief.succeeded()]).to.deep.equal([1n, false]);
          expect(rewards.interface.parseError(await thief.returned())?.name).to.equal(
            "ReentrancyGuardReentrantCall",
          );
          expect(await balanceOf(thiefAddress)).to.equal(100n);
          expect(await balanceOf(address)).to.equal(1_000n);
        }
      }
    });

    it("A09 money that comes without a call is no reward and cannot be taken", async () => {
      for (const kind of KINDS) {
        const fixture = await deployRewards({ kind });
        const { ethers, networkHelpers, rewards, erc20, parties, address, balanceOf } = fixture;
        await earn(fixture, 100n);
        const before = [await rewards.pot(), await rewards.epochOf(0n)];
        if (erc20 === undefined) {
          const plain = { to: address, value: 5n };
          await expect(parties.stranger.sendTransaction(plain)).to.revert(ethers);
          await networkHelpers.setBalance(address, 105n);
        } else await erc20.connect(parties.stranger).transfer(address, 5n);
        expect([await rewards.pot(), await rewards.epochOf(0n)]).to.deep.equal(before);
        await rewards.claim(parties.provider.address, 0n);
        expect(await balanceOf(address)).to.equal(5n);
        expect(await rewards.pot()).to.equal(0n);
      }
    });

    it("A21 dealing with oneself in a busy, a thin and an empty epoch loses the fee's uncapped part", async () => {
      const fixture = await deployRewards();
      const { rewards, market, parties, fund, payFees, goTo, balanceOf, value } = fixture;
      const dealer = parties.stranger;
      await rewards.record([dealer.address]);
      await fund(FUNDS_WEI / 2n);
      const [paidWei, feeWei] = [40_000n, 1_000n];
      let lost = 0n;
      for (const [epoch, othersWei] of [1_000_000n, 10n, 0n].entries()) {
        await market.connect(dealer).deposit(paidWei, value(paidWei));
        await market.settle(dealer.address, dealer.address, paidWei, feeWei);
        await market.connect(dealer).withdraw(paidWei - feeWei);
        if (othersWei > 0n) await payFees(parties.provider.address, othersWei);
        await rewards.record([dealer.address, parties.provider.address]);
        await goTo(BigInt(epoch) + 1n);
        await rewards.claim(dealer.address, BigInt(epoch));
        lost += feeWei - (feeWei * CAP_BPS) / 10_000n;
        expect(await balanceOf(dealer.address)).to.equal(FUNDS_WEI - lost);
      }
    });
  });

  it("an epoch is as long as it is made, however seldom somebody calls", async () => {
    const { networkHelpers, rewards, startedAt, parties, payFees, goTo, fund } = await deployRewards();
    await fund(1_000n);
    await payFees(parties.provider.address, 100n);
    await rewards.record([parties.provider.address]);
    await networkHelpers.time.increaseTo(startedAt + EPOCH - 1n);
    expect(await rewards.currentEpoch()).to.equal(0n);
    await networkHelpers.time.increaseTo(startedAt + EPOCH);
    expect(await rewards.currentEpoch()).to.equal(1n);
    await goTo(52n);
    await networkHelpers.time.increase(3n * DAY);
    expect(await rewards.currentEpoch()).to.equal(52n);
    await expect(rewards.record([])).to.emit(rewards, "EpochClosed").withArgs(0n, 100n, 80n);
    await expect(rewards.record([])).not.to.emit(rewards, "EpochClosed");
    expect(await rewards.pot()).to.equal(920n);
  });
});
