import { expect } from "chai";
import type { Signer } from "ethers";
import fc from "fast-check";

import { booksOf, expectMoves, expectRefusal, useMarket } from "./books.ts";
import { deployTaskMarket } from "./deploy.ts";
import { COLLATERAL_WEI, COST_WEI, DAY, FEE_BPS, PRICE_WEI, STAKE_WEI } from "./fixture.ts";
import type { Fixture } from "./fixture.ts";
import { accepted, CHALLENGE, delivered, fund, kindsOf, ready, RULING, wealthOf } from "./flows.ts";
import { orderOf, signOrder, signQuote } from "./signatures.ts";

// A15, A16, A17, A21, A22 and A26: what a provider, an owner or an arbiter can gain by hoarding, copying, reusing,
// dealing with oneself, accusing falsely and starting afresh. Nothing.

const USED = 5n;
const OFFER = { shape: 0n, rateWei: 1n, slots: 2n, metadata: "" };

/** Registers `account` with a stake, and itself as its operator. */
async function register({ registry, valueOf }: Fixture, account: Signer, stake = STAKE_WEI) {
  const address = await account.getAddress();
  const as = registry.connect(account);
  await as.register(address, address, OFFER);
  if (stake !== 0n) await as.stake(stake, { value: valueOf(stake) });
}

/** An arbiter that asks for `feeWei`, the options that name it, and how it rules. */
async function judge(fixture: Fixture, { feeWei = 0n, collateral = COLLATERAL_WEI } = {}) {
  const { ethers, market, parties } = fixture;
  const arbiter = await ethers.deployContract("OddArbiter");
  await arbiter.ask(0n, feeWei, RULING);
  const options = { arbiter: await arbiter.getAddress(), challengePeriod: CHALLENGE, collateral };
  type Task = Awaited<ReturnType<typeof delivered>>;
  const dispute = async ({ terms, workHash, delivery }: Task) => {
    const [bond] = await market.bondOf(terms);
    await market
      .connect(parties.owner)
      .dispute(terms, workHash, delivery, 0n, ethers.ZeroHash, bond, { value: fixture.valueOf(bond) });
    return bond;
  };
  const rule = async ({ terms, workHash, delivery }: Task, bps: bigint) =>
    arbiter.execute(
      market,
      0n,
      market.interface.encodeFunctionData("rule", [terms, workHash, delivery, bps]),
    );
  return { arbiter, options, dispute, rule };
}

describe("TaskMarket: hoarding and copying", () => {
  const use = useMarket();

  it("A15_open tasks are taken only into slots that are free, with stake for each, on machines that fit", async () => {
    const fixture = use();
    const { market, registry, networkHelpers, parties } = fixture;
    const { open, sealed } = kindsOf(fixture);
    await registry.connect(parties.provider).updateOffer(OFFER);
    const third = { collateral: STAKE_WEI / 3n };
    const tasks = [
      await accepted(fixture, "1", { ...sealed, ...third }),
      await accepted(fixture, "2", { ...open, ...third }),
      await fund(fixture, "3", { ...open, ...third }),
    ];
    const asProvider = market.connect(parties.provider);
    const { address } = parties.provider;
    const take = (i: number) => asProvider.acceptOpen(tasks[i]!.terms, tasks[i]!.work, address);
    const of = { of: registry };
    await expectRefusal(fixture, () => take(2), "ProviderRegistry_NoFreeSlot", [address, 2n], of);
    // More slots need more stake.
    await registry.connect(parties.provider).updateOffer({ ...OFFER, slots: 9n });
    await take(2);
    const more = await fund(fixture, "4", { ...open, ...third });
    await expectRefusal(
      fixture,
      () => asProvider.acceptOpen(more.terms, more.work, address),
      "ProviderRegistry_InsufficientFreeStake",
      [address, STAKE_WEI - 3n * third.collateral, third.collateral],
      of,
    );
    // A machine that is too small takes nothing, however much it stakes.
    const needy = await fund(fixture, "5", { ...open, collateral: 1n, resources: 1n << 96n });
    await expectRefusal(
      fixture,
      () => asProvider.acceptOpen(needy.terms, needy.work, address),
      "ProviderRegistry_DoesNotFit",
      [address, 1n << 96n, 0n],
      of,
    );
    // Stalling costs all of it, and frees the slots.
    await networkHelpers.time.increaseTo(tasks[2]!.completeBy + 100n);
    for (const task of tasks.slice(1)) {
      const bounty = (third.collateral * 500n) / 10_000n;
      await expectMoves(fixture, () => market.connect(parties.stranger).fail(task.terms, task.workHash), {
        ...{ stake: -third.collateral, locked: -third.collateral, assigned: -1n, failed: 1n },
        ...{ "wallet.registry": -third.collateral, "wallet.market": third.collateral },
        "ledger.owner": 2n * COST_WEI + third.collateral - bounty,
        "ledger.stranger": bounty,
      });
    }
  });

  it("A15_a second account has to stake again, and leaving a sealed task is on the record of each", async () => {
    const fixture = use();
    const { market, registry, parties } = fixture;
    const { sealed } = kindsOf(fixture);
    const sybil = parties.stranger;
    await register(fixture, sybil, 0n);
    const task = await fund(fixture, "sealed", sealed);
    const takeAs = (who: Signer, address: string) =>
      market.connect(who).acceptOpen(task.terms, task.work, address);
    await expectRefusal(
      fixture,
      () => takeAs(sybil, sybil.address),
      "ProviderRegistry_InsufficientFreeStake",
      [sybil.address, 0n, COLLATERAL_WEI],
      { of: registry },
    );
    const stake = { value: COLLATERAL_WEI };
    await registry.connect(sybil).stake(COLLATERAL_WEI, stake);
    for (let round = 0n; round < 2n; round++) {
      for (const [who, address] of [
        [parties.provider, parties.provider.address],
        [sybil, sybil.address],
      ] as const) {
        await takeAs(who, address);
        await market.connect(who).decline(task.terms, task.workHash, 9n);
        const { declined, locked, assigned } = await registry.providerOf(address);
        expect([declined, locked, assigned]).to.deep.equal([round + 1n, 0n, 0n]);
      }
    }
    // The owner has lost nothing, and can leave as before.
    await expectMoves(fixture, () => market.connect(parties.owner).cancel(task.terms, task.workHash), {
      "ledger.owner": 2n * COST_WEI,
    });
  });

  it("A16_what is copied from the mempool serves whom it names, or nobody", async () => {
    const fixture = use();
    const { market, networkHelpers, parties } = fixture;
    const thief = market.connect(parties.stranger);
    await register(fixture, parties.stranger);
    const foreign = (id: string): [string, unknown[]] => [
      "TaskMarket_NotProvider",
      [id, parties.stranger.address],
    ];
    const kinds = kindsOf(fixture);
    const open = await fund(fixture, "open", kinds.open);
    await expectRefusal(
      fixture,
      () => thief.acceptOpen(open.terms, open.work, parties.provider.address),
      ...foreign(open.id),
    );
    await market.connect(parties.provider).acceptOpen(open.terms, open.work, parties.provider.address);
    await networkHelpers.time.increase(USED);
    await expectRefusal(
      fixture,
      () => thief.deliver(open.terms, open.workHash, fixture.deliveryOf(1, USED)),
      ...foreign(open.id),
    );
    const lease = await accepted(fixture, "lease", kinds.lease);
    await expectRefusal(
      fixture,
      () => thief.ready(lease.terms, lease.workHash, "0x01"),
      ...foreign(lease.id),
    );
    const backed = await fund(fixture, "backed", { backup: parties.admin.address });
    await market.connect(parties.provider).decline(backed.terms, backed.workHash, 9n);
    await expectRefusal(
      fixture,
      () => thief.takeOver(backed.terms, backed.work, parties.admin.address),
      "Orders_NotBackup",
      [backed.id, parties.stranger.address],
    );
    // Who names itself as the backup asks for another task.
    const own = { ...backed, workHash: await market.hashWork(backed.work, parties.stranger.address) };
    await expectRefusal(
      fixture,
      () => thief.takeOver(backed.terms, backed.work, parties.stranger.address),
      "TaskMarket_WrongStatus",
      [await market.idOf(own.terms, own.workHash), 0n],
    );
  });

  it("A16_a signed order and its quote do the same whoever sends them, once", async () => {
    const fixture = use();
    const { market, parties } = fixture;
    await market.connect(parties.owner).deposit(2n * COST_WEI, { value: 2n * COST_WEI });
    const task = await fixture.makeTask({ collateral: COLLATERAL_WEI });
    const signature = await signOrder(fixture, parties.owner, task);
    const quote = await signQuote(fixture, parties.provider, task.id, { nonce: 9n });
    const order = orderOf(task, { signature, quote });
    await expectMoves(fixture, () => market.connect(parties.stranger).order(order), {
      "ledger.owner": -COST_WEI,
      locked: COLLATERAL_WEI,
    });
    await expectRefusal(fixture, () => market.connect(parties.owner).order(order), "TaskMarket_TaskExists", [
      task.id,
    ]);
    // The quote is worth nothing for another task, nor its place another time.
    const other = await fixture.makeTask({ salt: fixture.ethers.id("other") });
    const asOwner = market.connect(parties.owner);
    await expectRefusal(fixture, () => asOwner.order(orderOf(other, { quote })), "Orders_BadQuote", [
      other.id,
      parties.provider.address,
    ]);
    const again = await signQuote(fixture, parties.operator, other.id, { nonce: 9n });
    await expectRefusal(fixture, () => asOwner.order(orderOf(other, { quote: again })), "Orders_QuoteUsed", [
      parties.provider.address,
      9n,
    ]);
  });

  it("A17_a delivery is settled as it was delivered, word for word, and for its own task", async () => {
    const fixture = use();
    const { ethers, market, networkHelpers, parties } = fixture;
    const { options } = await judge(fixture, { collateral: 0n });
    const task = await delivered(fixture, "one", options);
    const twin = await delivered(fixture, "two", options, 7n);
    await networkHelpers.time.increase(CHALLENGE);
    const { report, resultHash, evidenceHash } = task.delivery;
    const asProvider = market.connect(parties.provider);
    for (const changed of [
      twin.delivery,
      { report: report + (1n << 8n), resultHash, evidenceHash },
      { report: report + 1n, resultHash, evidenceHash },
      { report: report | (1n << 40n), resultHash, evidenceHash },
      { report, resultHash: ethers.id("other"), evidenceHash },
      { report, resultHash: evidenceHash, evidenceHash: resultHash },
      { report, resultHash, evidenceHash: ethers.ZeroHash },
    ])
      await expectRefusal(
        fixture,
        () => asProvider.settle(task.terms, task.workHash, changed),
        "TaskMarket_WrongDelivery",
        [task.id],
      );
    const empty = await accepted(fixture, "empty");
    await expectRefusal(
      fixture,
      () =>
        asProvider.deliver(empty.terms, empty.workHash, {
          ...fixture.deliveryOf(1, 0n),
          resultHash: ethers.ZeroHash,
        }),
      "Tasks_ZeroHash",
    );
    // The same result serves two tasks, each of which is paid for; that is what evidence and audits are for.
    const paid = USED * PRICE_WEI;
    const fee = (paid * FEE_BPS) / 10_000n;
    await expectMoves(fixture, () => asProvider.settle(task.terms, task.workHash, task.delivery), {
      ...{ "ledger.provider": paid - fee, "fees.provider": fee, completed: 1n, secondsSold: USED },
      "ledger.owner": COST_WEI - paid,
    });
  });
});

describe("TaskMarket: dealing with oneself", () => {
  const use = useMarket();

  it("A21_rewards give back less than the fees that it took to be owed them", async () => {
    const fixture = use();
    const { ethers, market, networkHelpers, parties } = fixture;
    const self = parties.provider;
    for (const [capBps, others] of [
      [5_000n, false],
      [10_000n, false],
      [10_000n, true],
    ] as const) {
      const budget = 10n ** 21n;
      const rewards = await ethers.deployContract("ProviderRewards", [market, 3_600n, budget, capBps]);
      await rewards.connect(parties.admin).fund(budget, { value: budget });
      await rewards.record([self.address, parties.stranger.address]);
      const before = await wealthOf(fixture, ["provider", "payout"]);
      await market.collectFees([self.address]);
      const paidBefore = await market.feesPaidOf(self.address);
      for (const name of ["1", "2", "3"]) {
        const salt = ethers.id(`self ${name} ${String(capBps)} ${String(others)}`);
        const task = await fixture.makeTask({ owner: self.address, price: COST_WEI, salt });
        await market.connect(self).submit(task.terms, task.work, { value: COST_WEI });
        await market.connect(self).deliver(task.terms, task.workHash, fixture.deliveryOf(1, 0n));
      }
      if (others) {
        const salt = ethers.id("honest");
        const task = await fixture.makeTask({ provider: parties.stranger.address, price: COST_WEI, salt });
        await market.connect(parties.owner).submit(task.terms, task.work, { value: COST_WEI });
        await market.connect(parties.stranger).deliver(task.terms, task.workHash, fixture.deliveryOf(1, 0n));
      }
      await rewards.record([self.address, parties.stranger.address]);
      const epoch = await rewards.currentEpoch();
      await networkHelpers.time.increase(3_600n);
      await rewards.claim(self.address, epoch);
      const fees = (await market.feesPaidOf(self.address)) - paidBefore;
      expect(fees).to.equal(3n * ((COST_WEI * FEE_BPS) / 10_000n));
      const gained = (await wealthOf(fixture, ["provider", "payout"])) - before;
      expect(gained).to.be.at.most(0n);
      // All that it was given are its own fees.
      expect(gained).to.equal((fees * capBps) / 10_000n - fees);
      // Not a second time.
      await expect(rewards.claim(self.address, epoch)).to.be.revertedWithCustomError(
        rewards,
        "ProviderRewards_AlreadyClaimed",
      );
    }
  });

  it("A21_I02_as owner, provider, backup, arbiter and payer in one, every way through loses fees or nothing", async () => {
    const fixture = use();
    const { ethers, market, networkHelpers, parties } = fixture;
    const self = parties.provider;
    const as = market.connect(self);
    const arbiter = await ethers.deployContract("OddArbiter");
    await arbiter.ask(0n, COST_WEI / 10n, RULING);
    const arbiterAddress = await arbiter.getAddress();
    const others = { arbiter: arbiterAddress };
    const wealth = async () => {
      const books = await booksOf(fixture, others);
      return (
        (await wealthOf(fixture, ["provider", "operator", "payout", "arbiter"], others)) + books["stake"]!
      );
    };
    const base = { owner: self.address, collateral: COLLATERAL_WEI };
    const judged = { ...base, arbiter: arbiterAddress, challengePeriod: CHALLENGE };
    const submit = async (options: object) => {
      const task = await fixture.makeTask({ ...options, salt: ethers.id("self") });
      await as.submit(task.terms, task.work, { value: COST_WEI });
      await as.accept(task.terms, task.workHash);
      await networkHelpers.time.increase(USED);
      return { ...task, delivery: fixture.deliveryOf(1, USED) };
    };
    const disputed = async () => {
      const task = await submit(judged);
      await as.deliver(task.terms, task.workHash, task.delivery);
      const [bond] = await market.bondOf(task.terms);
      await as.dispute(task.terms, task.workHash, task.delivery, 0n, ethers.ZeroHash, bond, { value: bond });
      return task;
    };
    const ruled = async (bps: bigint) => {
      const { terms, workHash, delivery } = await disputed();
      await networkHelpers.time.increase(241n);
      const data = market.interface.encodeFunctionData("rule", [terms, workHash, delivery, bps]);
      await arbiter.execute(market, 0n, data);
    };
    const fee = (USED * PRICE_WEI * FEE_BPS) / 10_000n;
    const cut = (bps: bigint) => {
      const slashed = (COLLATERAL_WEI * (10_000n - bps) + 9_999n) / 10_000n;
      const asked = COST_WEI / 10n;
      const byProvider = asked - (asked * bps) / 10_000n;
      return slashed - byProvider - (slashed - byProvider) / 2n;
    };
    const paths: [string, () => Promise<void>, bigint][] = [
      [
        "delivered",
        async () => {
          const { terms, workHash, delivery } = await submit(base);
          await as.deliver(terms, workHash, delivery);
        },
        fee,
      ],
      [
        "abandoned",
        async () => {
          const { terms, workHash } = await submit(base);
          await networkHelpers.time.increase(121n);
          await as.abandon(terms, workHash);
        },
        0n,
      ],
      [
        "failed",
        async () => {
          const { terms, workHash, completeBy } = await submit(base);
          await networkHelpers.time.increaseTo(completeBy);
          await as.fail(terms, workHash);
        },
        0n,
      ],
      [
        "conceded",
        async () => {
          const { terms, workHash, delivery } = await disputed();
          await as.concede(terms, workHash, delivery);
        },
        0n,
      ],
      ["ruled for the provider", () => ruled(10_000n), fee],
      ["ruled for the owner", () => ruled(0n), cut(0n)],
      ["ruled in part", () => ruled(5_000n), cut(5_000n) + (USED * PRICE_WEI * FEE_BPS) / 20_000n],
      [
        "resolved",
        async () => {
          const { terms, workHash, delivery } = await disputed();
          await networkHelpers.time.increase(RULING);
          await as.resolve(terms, workHash, delivery);
        },
        fee,
      ],
    ];
    const start = await networkHelpers.takeSnapshot();
    for (const [name, act, lost] of paths) {
      const before = await wealth();
      await act();
      expect((await wealth()) - before, name).to.equal(-lost);
      await start.restore();
    }
  });

  it("A21_a royalty to oneself saves none of the fee", async () => {
    const fixture = use();
    const { ethers, registry, networkHelpers, parties } = fixture;
    const models = await ethers.deployContract("ModelRegistry");
    const { market } = await deployTaskMarket(ethers, { registry, models, treasury: parties.treasury });
    const self = parties.provider;
    const there: Fixture = { ...fixture, market };
    await models.connect(self).register(ethers.id("weights"), "ar://weights", "MIT", 8_000n, self.address);
    const model = await models.modelCount();
    const task = await there.makeTask({ owner: self.address, model, royaltyBps: 8_000n, price: COST_WEI });
    const before = await wealthOf(there, ["provider", "payout"]);
    await market.connect(self).submit(task.terms, task.work, { value: COST_WEI });
    await networkHelpers.time.increase(USED);
    await market.connect(self).deliver(task.terms, task.workHash, fixture.deliveryOf(1, USED));
    const after = await wealthOf(there, ["provider", "payout"]);
    expect(after - before).to.equal(-((COST_WEI * FEE_BPS) / 10_000n));
  });
});

describe("TaskMarket: false accusations and odd arbiters", () => {
  const use = useMarket();

  /** What a ruling moves, by whom. */
  async function outcomeOf(fixture: Fixture, feeWei: bigint, collateral: bigint, bps: bigint) {
    const { market, networkHelpers } = fixture;
    const { arbiter, options, dispute, rule } = await judge(fixture, { feeWei, collateral });
    const others = { arbiter: await arbiter.getAddress() };
    const task = await delivered(fixture, "judged", options);
    const before = await booksOf(fixture, others);
    const bond = await dispute(task);
    await networkHelpers.time.increase(241n);
    await rule(task, bps);
    const after = await booksOf(fixture, others);
    const change = (name: string) => after[name]! - before[name]!;
    return {
      bond,
      fee: (await market.disputeOf(task.id)).feeWei,
      owner: change("wallet.owner") + change("ledger.owner"),
      provider: change("ledger.provider") + change("fees.provider") + change("stake"),
      arbiter: change("ledger.arbiter"),
      treasury: change("ledger.treasury"),
      slashed: -change("stake"),
      locked: after["locked"]!,
    };
  }

  it("A22_I02_I17_any ruling, however extreme, splits what there is, and pays accusers less than it burns", async () => {
    const fixture = use();
    const { networkHelpers } = fixture;
    const start = await networkHelpers.takeSnapshot();
    const least = [0n, 1n, 4_999n, 5_000n, 9_999n, 10_000n, 10_001n, 2n ** 256n - 1n];
    const cases = least.flatMap((bps) =>
      [0n, 1n, COST_WEI].flatMap((fee) => [0n, 1n, COLLATERAL_WEI].map((it) => [bps, fee, it] as const)),
    );
    for (const [bps, fee, collateral] of cases) {
      await start.restore();
      const what = `${bps} bps, fee ${fee}, collateral ${collateral}`;
      const seen = await outcomeOf(fixture, fee, collateral, bps);
      const due = bps > 10_000n ? 10_000n : bps;
      const paid = (USED * PRICE_WEI * due) / 10_000n;
      // Escrow aside, the accuser's gain is at most what goes to the treasury.
      const gain = seen.owner - (COST_WEI - paid);
      expect(gain <= seen.treasury, what).to.equal(true);
      if (due === 10_000n) expect(gain, what).to.equal(-seen.bond);
      expect(seen.arbiter, what).to.equal(fee);
      expect(seen.slashed <= collateral, what).to.equal(true);
      expect(seen.locked, what).to.equal(0n);
      expect(seen.owner + seen.provider + seen.arbiter + seen.treasury, what).to.equal(COST_WEI);
      // What a provider loses with a ruling in its favour is nothing; a wei of doubt costs a wei of stake at most.
      if (due === 10_000n) expect(seen.provider, what).to.equal(paid + seen.bond - seen.fee);
    }
  }).timeout(60_000);

  it("A22_an owner with its arbiter takes at most the collateral that the provider agreed to, half of it burned", async () => {
    const fixture = use();
    const seen = await outcomeOf(fixture, 0n, COLLATERAL_WEI, 0n);
    expect(seen.owner + seen.arbiter - COST_WEI).to.equal(COLLATERAL_WEI / 2n);
    expect(seen.treasury).to.equal(COLLATERAL_WEI - COLLATERAL_WEI / 2n);
  });

  it("A22_A25_an arbiter that gives no answer asks for nothing, and its silence pays the provider", async () => {
    const fixture = use();
    const { market, networkHelpers, parties } = fixture;
    const start = await networkHelpers.takeSnapshot();
    for (const answer of [1n, 2n, 3n, "account"] as const) {
      await start.restore();
      const { arbiter, options, dispute } = await judge(fixture, { feeWei: COST_WEI });
      if (answer !== "account") await arbiter.ask(answer, COST_WEI, RULING);
      const named = answer === "account" ? { ...options, arbiter: parties.admin.address } : options;
      const task = await delivered(fixture, "silent", named);
      const bond = await dispute(task);
      expect(bond).to.equal((COST_WEI * 500n) / 10_000n);
      const { rulingBy, feeWei } = await market.disputeOf(task.id);
      expect([rulingBy, feeWei]).to.deep.equal([BigInt(await networkHelpers.time.latest()) + 30n * DAY, 0n]);
      await networkHelpers.time.increaseTo(rulingBy);
      const paid = USED * PRICE_WEI;
      const fee = (paid * FEE_BPS) / 10_000n;
      const resolve = () =>
        market.connect(parties.stranger).resolve(task.terms, task.workHash, task.delivery);
      await expectMoves(fixture, resolve, {
        ...{ "ledger.provider": paid - fee, "fees.provider": fee, completed: 1n, secondsSold: USED },
        ...{ "ledger.owner": COST_WEI - paid + bond, locked: -COLLATERAL_WEI },
      });
    }
  });

  it("A22_what an arbiter asks is kept within bounds: no more than the task, no shorter than it can be", async () => {
    const fixture = use();
    const { market } = fixture;
    const { arbiter, options } = await judge(fixture);
    const { terms } = await fixture.makeTask(options);
    const own = (COST_WEI * 500n) / 10_000n;
    const shortest = 240n + 3_600n;
    const huge = 2n ** 256n - 1n;
    for (const [fee, seconds, expected] of [
      [0n, 0n, [own, 0n, shortest]],
      [1n, shortest + 1n, [own + 1n, 1n, shortest + 1n]],
      [COST_WEI + 1n, 30n * DAY, [own + COST_WEI, COST_WEI, 30n * DAY]],
      [huge, huge, [own + COST_WEI, COST_WEI, 30n * DAY]],
    ] as const) {
      await arbiter.ask(0n, fee, seconds);
      expect(await market.bondOf(terms)).to.deep.equal(expected);
    }
  });

  it("testFuzz_A22_the shares of any ruling are the design's", async () => {
    const fixture = use();
    const { networkHelpers } = fixture;
    const start = await networkHelpers.takeSnapshot();
    await fc.assert(
      fc.asyncProperty(
        fc.bigInt(0n, COST_WEI),
        fc.bigInt(0n, STAKE_WEI),
        fc.bigInt(0n, 10_000n),
        async (fee, collateral, bps) => {
          await start.restore();
          const seen = await outcomeOf(fixture, fee, collateral, bps);
          const slashed = (collateral * (10_000n - bps) + 9_999n) / 10_000n;
          expect(seen.slashed).to.equal(slashed);
          const lost = fee - (fee * bps) / 10_000n;
          const byProvider = lost < slashed ? lost : slashed;
          expect(seen.treasury).to.equal(slashed - byProvider - (slashed - byProvider) / 2n);
          expect(seen.owner + seen.provider + seen.arbiter + seen.treasury).to.equal(COST_WEI);
        },
      ),
      { numRuns: 20, seed: 22 },
    );
  });
});

describe("TaskMarket: starting afresh", () => {
  const use = useMarket();

  it("A26_each fault is counted on whoever had the task, and new keys change nothing of it", async () => {
    const fixture = use();
    const { market, registry, networkHelpers, parties } = fixture;
    const backup = parties.stranger;
    await register(fixture, backup);
    const asProvider = market.connect(parties.provider);
    const task = await fund(fixture, "backed", { backup: backup.address, collateral: COLLATERAL_WEI });
    await asProvider.accept(task.terms, task.workHash);
    await networkHelpers.time.increase(121n);
    await asProvider.abandon(task.terms, task.workHash);
    await market.connect(backup).takeOver(task.terms, task.work, backup.address);
    const { since } = await market.taskOf(task.id);
    await networkHelpers.time.increaseTo(since + task.completeBy - task.startBy);
    await market.fail(task.terms, task.workHash);
    const { options, dispute, rule } = await judge(fixture, { collateral: 0n });
    const judged = await delivered(fixture, "judged", options);
    await dispute(judged);
    await networkHelpers.time.increase(241n);
    await rule(judged, 4_999n);
    const records = async () => {
      const of = async (address: string) => {
        const { declined, abandoned, failed, disputed } = await registry.providerOf(address);
        return { declined, abandoned, failed, disputed };
      };
      return [await of(parties.provider.address), await of(backup.address)];
    };
    const expected = [
      { declined: 0n, abandoned: 1n, failed: 0n, disputed: 1n },
      { declined: 0n, abandoned: 0n, failed: 1n, disputed: 0n },
    ];
    expect(await records()).to.deep.equal(expected);
    const as = registry.connect(parties.provider);
    await as.setOperator(parties.admin.address);
    await as.setPayout(parties.admin.address);
    await as.unstake(1n);
    expect(await records()).to.deep.equal(expected);
    await expect(
      as.register(parties.admin.address, parties.admin.address, OFFER),
    ).to.be.revertedWithCustomError(registry, "ProviderRegistry_AlreadyRegistered");
  });

  it("A26_a key that is rotated in the middle of a task acts no more from that block on", async () => {
    const fixture = use();
    const { market, registry, networkHelpers, parties } = fixture;
    const lease = await ready(fixture, "lease", { collateral: COLLATERAL_WEI });
    const job = await accepted(fixture, "job");
    const task = await fixture.makeTask({ salt: fixture.ethers.id("quoted") });
    const quote = await signQuote(fixture, parties.operator, task.id);
    await registry.connect(parties.provider).setOperator(parties.admin.address);
    const old = market.connect(parties.operator);
    await networkHelpers.time.increase(USED);
    await expect(old.heartbeat([lease.id]))
      .to.emit(market, "HeartbeatSkipped")
      .withArgs(lease.id);
    const foreign = ["TaskMarket_NotProvider", [job.id, parties.operator.address]] as const;
    const delivery = fixture.deliveryOf(1, USED);
    await expectRefusal(fixture, () => old.deliver(job.terms, job.workHash, delivery), foreign[0], [
      ...foreign[1],
    ]);
    await expectRefusal(
      fixture,
      () => market.connect(parties.owner).order(orderOf(task, { quote }), { value: COST_WEI }),
      "Orders_BadQuote",
      [task.id, parties.provider.address],
    );
    const young = market.connect(parties.admin);
    await expect(young.heartbeat([lease.id])).not.to.emit(market, "HeartbeatSkipped");
    await young.deliver(job.terms, job.workHash, delivery);
    expect((await market.leaseOf(lease.id)).upSeconds).to.be.greaterThan(0n);
  });
});
