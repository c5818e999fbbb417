import { expect } from "chai";
import type { HardhatEthersSigner } from "@nomicfoundation/hardhat-ethers/types";

import { createChain, DAY, OFFER } from "../registry/fixture.ts";

/** Rewards, the named arbiter and the registry of models together with the whole market. */
const FEE_BPS = 250n;
const CAP_BPS = 5_000n;
const BUDGET_WEI = 10n ** 18n;
const EPOCH = 7n * DAY;
const PRICE_WEI = 1_000_000n;
const COLLATERAL_WEI = 300_000n;
const STAKE_WEI = 10n ** 18n;
const CONCESSION = 600n;
const RULING = 3n * DAY;
const CHALLENGE = DAY;
const COMPLETED = 1n;
const Status = { Settled: 7n, Resolved: 13n } as const;

interface Wanted {
  owner: HardhatEthersSigner;
  provider: HardhatEthersSigner;
  model?: bigint;
  royaltyBps?: bigint;
  arbiter?: string;
}

async function deploy() {
  const { ethers, networkHelpers } = await createChain();
  const [admin, treasury, owner, provider, payout, judge, creator, stranger] = await ethers.getSigners();
  if (!admin || !treasury || !owner || !provider || !payout || !judge || !creator || !stranger)
    throw new Error("the simulated network has too few accounts");
  const parties = { admin, treasury, owner, provider, payout, judge, creator, stranger };
  const registry = await ethers.deployContract("ProviderRegistry", [
    ethers.ZeroAddress,
    45n * DAY,
    admin.address,
  ]);
  const models = await ethers.deployContract("ModelRegistry");
  const settings = {
    currency: ethers.ZeroAddress,
    registry: await registry.getAddress(),
    models: await models.getAddress(),
    declineWindow: 120n,
    keyWindow: 600n,
    takeOverWindow: 600n,
    concessionWindow: CONCESSION,
    admin: admin.address,
    treasury: treasury.address,
    feeBps: FEE_BPS,
  };
  const extension = await ethers.deployContract("TaskMarketExtension", [settings]);
  const deployed = await ethers.deployContract("TaskMarket", [settings, await extension.getAddress()]);
  const address = await deployed.getAddress();
  const market = await ethers.getContractAt("ITaskMarket", address);
  await registry.connect(admin).authorizeMarket(address);
  await registry.connect(provider).register(provider.address, payout.address, OFFER);
  await registry.connect(provider).stake(STAKE_WEI, { value: STAKE_WEI });
  const rewards = await ethers.deployContract("ProviderRewards", [address, EPOCH, BUDGET_WEI, CAP_BPS]);
  const arbiter = await ethers.deployContract("NamedArbiter", [judge.address, 1_000n, 10n, RULING]);
  const now = async () => BigInt(await networkHelpers.time.latest());

  /** Submits a task of a fixed price, and accepts it where it has something at stake. */
  const order = async ({ owner, provider, model = 0n, royaltyBps = 0n, arbiter }: Wanted) => {
    const time = await now();
    const challenge = arbiter === undefined ? 0n : CHALLENGE;
    const terms = {
      owner: owner.address,
      provider: provider.address,
      price: PRICE_WEI,
      conditions:
        (time + DAY) |
        ((time + 20n * DAY) << 40n) |
        (600n << 80n) |
        (challenge << 112n) |
        (model << 184n) |
        (royaltyBps << 232n),
      assurance: arbiter === undefined ? 0n : COLLATERAL_WEI | (BigInt(arbiter) << 96n),
      salt: ethers.id(String(time)),
    };
    const work = { resources: 0n, payloadHash: ethers.id("payload"), payload: "ar://payload" };
    const workHash = await market.hashWork(work, ethers.ZeroAddress);
    const submitting = await market.connect(owner).submit(terms, work, { value: PRICE_WEI });
    if (arbiter !== undefined) await market.connect(provider).accept(terms, workHash);
    return { terms, workHash, submitting, id: await market.idOf(terms, workHash) };
  };
  const delivery = {
    report: COMPLETED,
    resultHash: ethers.id("result"),
    evidenceHash: ethers.id("evidence"),
    result: "ar://result",
  };
  const { report, resultHash, evidenceHash } = delivery;
  const delivered = { report, resultHash, evidenceHash };
  return {
    ...{ ethers, networkHelpers, registry, models, market, rewards, arbiter, parties, now },
    ...{ order, delivery, delivered },
  };
}

describe("with the whole market", () => {
  describe("ProviderRewards", () => {
    it("pays a provider's payout address for the fees of its tasks, and not for those before", async () => {
      const fixture = await deploy();
      const { ethers, networkHelpers, market, rewards, parties, order, delivery } = fixture;
      const { owner, provider, payout, stranger, treasury } = parties;
      const feeWei = (PRICE_WEI * FEE_BPS) / 10_000n;
      const work = async () => {
        const { terms, workHash } = await order({ owner, provider });
        await market.connect(provider).deliver(terms, workHash, delivery);
      };
      await rewards.connect(stranger).fund(BUDGET_WEI, { value: BUDGET_WEI });
      await work();
      await rewards.record([provider.address]);
      expect(await rewards.recordedOf(provider.address)).to.deep.include(feeWei);
      await work();
      // The provider takes its earnings out, and its fees go with them.
      await market.connect(provider).payout(provider.address);
      await work();
      await rewards.record([provider.address]);
      expect((await rewards.epochOf(0n)).feesWei).to.equal(2n * feeWei);
      expect(await market.balanceOf(treasury.address)).to.equal(3n * feeWei);
      await networkHelpers.time.increase(EPOCH);
      const before = await ethers.provider.getBalance(payout.address);
      await rewards.connect(stranger).claim(provider.address, 0n);
      expect((await ethers.provider.getBalance(payout.address)) - before).to.equal(feeWei);
      expect(await rewards.pot()).to.equal(BUDGET_WEI - feeWei);
    });

    it("A21 whoever orders from itself has less than before", async () => {
      const fixture = await deploy();
      const { ethers, networkHelpers, market, rewards, parties, order, delivery } = fixture;
      const dealer = parties.stranger;
      await rewards.connect(parties.owner).fund(BUDGET_WEI, { value: BUDGET_WEI });
      await rewards.record([dealer.address]);
      const before = await ethers.provider.getBalance(dealer.address);
      for (let i = 0; i < 4; ++i) {
        const { terms, workHash } = await order({ owner: dealer, provider: dealer });
        await market.connect(dealer).deliver(terms, workHash, delivery);
      }
      await rewards.record([dealer.address]);
      await networkHelpers.time.increase(EPOCH);
      await rewards.claim(dealer.address, 0n);
      await market.connect(dealer).withdraw(await market.balanceOf(dealer.address));
      const feesWei = (4n * PRICE_WEI * FEE_BPS) / 10_000n;
      const lost = before - (await ethers.provider.getBalance(dealer.address));
      expect(lost).to.equal(feesWei - (feesWei * CAP_BPS) / 10_000n);
    });
  });

  describe("ModelRegistry", () => {
    it("is asked for the share at submission and for the address at settlement", async () => {
      const fixture = await deploy();
      const { ethers, networkHelpers, market, models, parties, order, delivery } = fixture;
      const { owner, provider, creator, stranger } = parties;
      const royaltyBps = 1_500n;
      const as = models.connect(creator);
      await as.register(ethers.id("weights"), "", "MIT", royaltyBps, creator.address);
      await expect(order({ owner, provider, model: 1n, royaltyBps: royaltyBps - 1n }))
        .to.be.revertedWithCustomError(market, "TaskMarket_WrongRoyalty")
        .withArgs(1n, royaltyBps - 1n, royaltyBps);
      const royaltyWei = (PRICE_WEI * royaltyBps) / 10_000n;
      const feeWei = (PRICE_WEI * FEE_BPS) / 10_000n;
      const { terms, workHash } = await order({ owner, provider, model: 1n, royaltyBps });
      // What changes after the submission: the share not, where it goes does.
      await as.setRoyalty(1n, 0n);
      await as.setStatus(1n, 2n);
      await as.scheduleRevenue(1n, stranger.address);
      await market.connect(provider).accept(terms, workHash);
      await networkHelpers.time.increase(7n * DAY);
      await expect(market.connect(provider).deliver(terms, workHash, delivery))
        .to.emit(market, "RoyaltyPaid")
        .withArgs(1n, stranger.address, royaltyWei);
      expect(await market.balanceOf(stranger.address)).to.equal(royaltyWei);
      expect(await market.balanceOf(creator.address)).to.equal(0n);
      expect(await market.balanceOf(provider.address)).to.equal(PRICE_WEI - royaltyWei - feeWei);
      await expect(order({ owner, provider, model: 1n, royaltyBps }))
        .to.be.revertedWithCustomError(models, "ModelRegistry_Retired")
        .withArgs(1n);
      await expect(order({ owner, provider, model: 2n, royaltyBps }))
        .to.be.revertedWithCustomError(models, "ModelRegistry_Unknown")
        .withArgs(2n);
    });
  });

  describe("NamedArbiter", () => {
    /** A delivery that its owner disputes. */
    async function dispute(fixture: Awaited<ReturnType<typeof deploy>>) {
      const { ethers, market, arbiter, parties, order, delivery, delivered } = fixture;
      const { owner, provider } = parties;
      const task = await order({ owner, provider, arbiter: await arbiter.getAddress() });
      await market.connect(provider).deliver(task.terms, task.workHash, delivery);
      const { bondWei, feeWei, rulingSeconds } = await market.bondOf(task.terms);
      await market
        .connect(owner)
        .dispute(task.terms, task.workHash, delivered, 0n, ethers.ZeroHash, bondWei, { value: bondWei });
      return { ...task, bondWei, feeWei, rulingSeconds };
    }

    it("A22 rules within its time, is paid by the loser, and takes its fee out", async () => {
      const fixture = await deploy();
      const { ethers, networkHelpers, market, arbiter, parties, delivered } = fixture;
      const { owner, provider, judge, stranger } = parties;
      const { terms, workHash, id, bondWei, feeWei, rulingSeconds } = await dispute(fixture);
      expect([feeWei, rulingSeconds]).to.deep.equal([PRICE_WEI / 10n, RULING]);
      expect(await arbiter.quote(PRICE_WEI)).to.deep.equal([feeWei, RULING]);
      const rule = (by: typeof judge, bps: bigint) =>
        arbiter.connect(by).rule(market, terms, workHash, delivered, bps);
      for (const caller of [stranger, owner, provider])
        await expect(rule(caller, 10_000n))
          .to.be.revertedWithCustomError(arbiter, "NamedArbiter_NotArbiter")
          .withArgs(caller.address);
      // Nor does the arbiter's account rule without its contract.
      await networkHelpers.time.increase(CONCESSION);
      await expect(market.connect(judge).rule(terms, workHash, delivered, 0n))
        .to.be.revertedWithCustomError(market, "Disputes_NotArbiter")
        .withArgs(id, judge.address);
      await expect(rule(judge, 0n)).to.emit(market, "TaskResolved").withArgs(id, 0n, COLLATERAL_WEI, bondWei);
      expect((await market.taskOf(id))[0]).to.equal(Status.Resolved);
      expect(await market.balanceOf(arbiter)).to.equal(feeWei);
      const compensation = (COLLATERAL_WEI - feeWei) / 2n;
      expect(await market.balanceOf(owner.address)).to.equal(PRICE_WEI + bondWei + compensation);
      await expect(arbiter.connect(stranger).withdraw(market, stranger.address))
        .to.be.revertedWithCustomError(arbiter, "NamedArbiter_NotArbiter")
        .withArgs(stranger.address);
      const before = await ethers.provider.getBalance(stranger.address);
      await expect(arbiter.connect(judge).withdraw(market, stranger.address))
        .to.emit(market, "Withdrawn")
        .withArgs(await arbiter.getAddress(), stranger.address, feeWei);
      expect((await ethers.provider.getBalance(stranger.address)) - before).to.equal(feeWei);
      await expect(arbiter.connect(judge).withdraw(market, stranger.address)).to.be.revertedWithCustomError(
        market,
        "Escrow_ZeroAmount",
      );
    });

    it("A22 an arbiter that is silent, or too late, has no say", async () => {
      const fixture = await deploy();
      const { networkHelpers, market, arbiter, parties, delivered } = fixture;
      const { terms, workHash, id, bondWei } = await dispute(fixture);
      const { rulingBy } = await market.disputeOf(id);
      await networkHelpers.time.increaseTo(rulingBy);
      await expect(arbiter.connect(parties.judge).rule(market, terms, workHash, delivered, 0n))
        .to.be.revertedWithCustomError(market, "TaskMarket_TooLate")
        .withArgs(id, rulingBy, rulingBy + 1n);
      await expect(market.connect(parties.stranger).resolve(terms, workHash, delivered))
        .to.emit(market, "TaskResolved")
        .withArgs(id, 10_000n, 0n, bondWei);
      expect(await market.balanceOf(arbiter)).to.equal(0n);
    });
  });
});
