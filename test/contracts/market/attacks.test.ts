import { expect } from "chai";

import { booksOf, expectMoves, expectRefusal, useMarket } from "./books.ts";
import { deployTaskMarket } from "./deploy.ts";
import { COLLATERAL_WEI, COST_WEI, deployMarket, FEE_BPS, METERED, PRICE_WEI, STAKE_WEI } from "./fixture.ts";
import type { Fixture, TaskOptions } from "./fixture.ts";

// Cases of the catalogue of attacks that need whole flows of plain tasks. Those of the other verbs are in
// attacks-*.test.ts, re-entrance (A01, A02, A04) in TaskMarket.reentrancy.t.sol, the whole table (A13, A14) in
// matrix.test.ts, arithmetic (A10-A12) and bounds (A24) in the Solidity tests, refusing receivers (A07) in
// escrow.test.ts, fee and admin (A39, A40) in fee.test.ts.

async function submit(fixture: Fixture, salt: string, options: TaskOptions = {}) {
  const { ethers, market, parties, valueOf } = fixture;
  const task = await fixture.makeTask({ salt: ethers.id(salt), ...options });
  const value = valueOf(await market.costOf(task.terms));
  await market.connect(parties.owner).submit(task.terms, task.work, { value });
  return task;
}

describe("TaskMarket under attack", () => {
  const use = useMarket();

  // ---- What does not exist ----

  it("A39_A40_nobody pauses, upgrades, seizes or sweeps: these calls are all", () => {
    const { market } = use();
    const calls: string[] = [];
    market.interface.forEachFunction((call) => {
      if (call.stateMutability !== "view" && call.stateMutability !== "pure") calls.push(call.name);
    });
    expect(calls.sort()).to.deep.equal([
      "abandon",
      "accept",
      "acceptOpen",
      "acceptOwnership",
      "batch",
      "cancel",
      "cancelQuotes",
      "close",
      "collectFees",
      "concede",
      "decline",
      "deliver",
      "deposit",
      "depositFor",
      "depositWithPermit",
      "dispute",
      "draw",
      "endLease",
      "expire",
      "fail",
      "heartbeat",
      "order",
      "payout",
      "publishPayloadKey",
      "ready",
      "resolve",
      "revokeOrder",
      "rule",
      "scheduleFee",
      "setDelegate",
      "setTreasury",
      "settle",
      "submit",
      "takeOver",
      "topUp",
      "transferOwnership",
      "withdraw",
      "withdrawTo",
    ]);
  });

  it("A28_A40_its code delegates to its own alone, destroys and creates nothing, asks for no origin or chance", async () => {
    const { ethers, market, extension } = use();
    const forbidden = new Map([
      [0x32, "ORIGIN"],
      [0x44, "PREVRANDAO"],
      [0x4a, "BLOBBASEFEE"],
      [0xf0, "CREATE"],
      [0xf2, "CALLCODE"],
      [0xf4, "DELEGATECALL"],
      [0xf5, "CREATE2"],
      [0xff, "SELFDESTRUCT"],
    ]);
    const found = async (contract: { getDeployedCode(): Promise<string | null> }) => {
      const code = ethers.getBytes((await contract.getDeployedCode())!);
      const names: string[] = [];
      let at = 0;
      // The compiler ends code by INVALID; constants and its metadata follow.
      for (; code[at] !== 0xfe; at++) {
        const operation = code[at]!;
        const name = forbidden.get(operation);
        if (name !== undefined) names.push(name);
        // What is pushed is data.
        if (operation >= 0x60 && operation <= 0x7f) at += operation - 0x5f;
      }
      expect(code.length - at).to.be.lessThan(500);
      return names;
    };
    // To itself, for a batch, and to the extension.
    expect(await found(market)).to.deep.equal(["DELEGATECALL", "DELEGATECALL"]);
    expect(await found(extension)).to.deep.equal([]);
  });

  // ---- Money from nowhere ----

  it("A09_coins that arrive without a call are nobody's and change nothing", async () => {
    const fixture = use();
    const { ethers, market, registry, networkHelpers, parties, deliveryOf } = fixture;
    const task = await submit(fixture, "before", { collateral: COLLATERAL_WEI });
    const forced = 12_345n;
    for (const contract of [market, registry]) {
      const address = await contract.getAddress();
      await networkHelpers.setBalance(address, (await ethers.provider.getBalance(address)) + forced);
    }
    const asProvider = market.connect(parties.provider);
    await expectMoves(fixture, () => asProvider.accept(task.terms, task.workHash), {
      locked: COLLATERAL_WEI,
    });
    await expectMoves(fixture, () => asProvider.deliver(task.terms, task.workHash, deliveryOf(1, 0n)), {
      locked: -COLLATERAL_WEI,
      "ledger.owner": COST_WEI,
      completed: 1n,
    });
    await market.connect(parties.owner).withdraw(COST_WEI);
    const books = await booksOf(fixture);
    expect(books["wallet.market"]).to.equal(forced);
    for (const [name, amount] of Object.entries(books))
      if (/^(ledger|fees)\./.test(name)) expect(amount, name).to.equal(0n);
  });

  // ---- Providers ----

  it("A15_who accepts everything and stalls has staked for each, and pays each owner", async () => {
    const fixture = use();
    const { market, registry, networkHelpers, parties } = fixture;
    const collateral = STAKE_WEI / 3n;
    const tasks: Awaited<ReturnType<typeof submit>>[] = [];
    for (const salt of ["1", "2", "3", "4"]) tasks.push(await submit(fixture, salt, { collateral }));
    const asProvider = market.connect(parties.provider);
    for (const task of tasks.slice(0, 3)) await asProvider.accept(task.terms, task.workHash);
    await expectRefusal(
      fixture,
      () => asProvider.accept(tasks[3]!.terms, tasks[3]!.workHash),
      "ProviderRegistry_InsufficientFreeStake",
      [parties.provider.address, STAKE_WEI - 3n * collateral, collateral],
      { of: registry },
    );
    await networkHelpers.time.increaseTo(tasks[3]!.completeBy);
    const bounty = (collateral * 500n) / 10_000n;
    for (const task of tasks.slice(0, 3))
      await expectMoves(fixture, () => market.connect(parties.stranger).fail(task.terms, task.workHash), {
        stake: -collateral,
        locked: -collateral,
        "wallet.registry": -collateral,
        "wallet.market": collateral,
        "ledger.owner": COST_WEI + collateral - bounty,
        "ledger.stranger": bounty,
        failed: 1n,
      });
    await expectMoves(fixture, () => market.expire(tasks[3]!.terms, tasks[3]!.workHash), {
      "ledger.owner": COST_WEI,
    });
  });

  it("A16_a delivery copied from the mempool is worth nothing to anybody else", async () => {
    const fixture = use();
    const { market, registry, networkHelpers, parties, deliveryOf } = fixture;
    const task = await submit(fixture, "copied", { collateral: COLLATERAL_WEI });
    await registry.connect(parties.stranger).register(parties.delegate.address, parties.stranger.address, {
      shape: 0n,
      rateWei: 1n,
      slots: 1n,
      metadata: "",
    });
    await networkHelpers.time.increase(20n);
    const delivery = deliveryOf(1, 10n);
    // Other providers and their operators among them, before and after the task is accepted.
    const copy = async () => {
      for (const role of ["stranger", "delegate", "owner", "admin", "payout"] as const)
        await expectRefusal(
          fixture,
          () => market.connect(parties[role]).deliver(task.terms, task.workHash, delivery),
          "TaskMarket_NotProvider",
          [task.id, parties[role].address],
        );
    };
    await copy();
    await market.connect(parties.provider).accept(task.terms, task.workHash);
    await networkHelpers.time.increase(20n);
    await copy();
    const paid = 10n * PRICE_WEI;
    const fee = (paid * FEE_BPS) / 10_000n;
    const response = await expectMoves(
      fixture,
      () => market.connect(parties.operator).deliver(task.terms, task.workHash, delivery),
      {
        locked: -COLLATERAL_WEI,
        "ledger.provider": paid - fee,
        "fees.provider": fee,
        "ledger.owner": COST_WEI - paid,
        completed: 1n,
        secondsSold: 10n,
      },
    );
    await expect(response)
      .to.emit(market, "TaskDelivered")
      .withArgs(task.id, delivery.report, delivery.resultHash, delivery.evidenceHash, delivery.result);
  });

  it("A17_I05_the same terms in another market are another task", async () => {
    const fixture = use();
    const { ethers, market, registry, parties, deliveryOf } = fixture;
    const task = await submit(fixture, "here");
    const { market: other } = await deployTaskMarket(ethers, { registry });
    const idThere = await other.idOf(task.terms, task.workHash);
    expect(idThere).not.to.equal(task.id);
    const asProvider = other.connect(parties.provider);
    await expectRefusal(
      fixture,
      () => asProvider.deliver(task.terms, task.workHash, deliveryOf(1, 0n)),
      "TaskMarket_WrongStatus",
      [idThere, 0n],
    );
    await other.connect(parties.owner).submit(task.terms, task.work, { value: COST_WEI });
    await asProvider.deliver(task.terms, task.workHash, deliveryOf(1, 0n));
    expect((await market.taskOf(task.id)).status).to.equal(1n);
    await expectMoves(fixture, () => market.connect(parties.owner).cancel(task.terms, task.workHash), {
      "ledger.owner": COST_WEI,
    });
  });

  it("A18_terms changed by anybody, in any field, are not the task's", async () => {
    const fixture = use();
    const { ethers, market, parties, deliveryOf } = fixture;
    const task = await submit(fixture, "fixed");
    const asProvider = market.connect(parties.provider);
    const changes = [
      { owner: parties.provider.address },
      { price: (2n * PRICE_WEI) | METERED },
      { price: COST_WEI },
      { conditions: task.terms.conditions + 1n },
      { conditions: task.terms.conditions + (1n << 40n) },
      { conditions: task.terms.conditions + (1n << 80n) },
      { assurance: 1n },
      { salt: ethers.id("another") },
    ];
    for (const change of changes) {
      const terms = { ...task.terms, ...change };
      const refusal = ["TaskMarket_WrongStatus", [await market.idOf(terms, task.workHash), 0n]] as [
        string,
        unknown[],
      ];
      await expectRefusal(fixture, () => asProvider.accept(terms, task.workHash), ...refusal);
      await expectRefusal(
        fixture,
        () => asProvider.deliver(terms, task.workHash, deliveryOf(1, 0n)),
        ...refusal,
      );
    }
    const workHash = ethers.id("other work");
    await expectRefusal(fixture, () => asProvider.accept(task.terms, workHash), "TaskMarket_WrongStatus", [
      await market.idOf(task.terms, workHash),
      0n,
    ]);
    // Nor does another become the provider by saying so.
    const stolen = { ...task.terms, provider: parties.stranger.address };
    await expectRefusal(
      fixture,
      () => market.connect(parties.stranger).deliver(stolen, task.workHash, deliveryOf(1, 0n)),
      "TaskMarket_WrongStatus",
      [await market.idOf(stolen, task.workHash), 0n],
    );
  });

  it("A18_the owner cannot take back what was accepted, nor what it has seen delivered", async () => {
    const fixture = use();
    const { market, parties, deliveryOf } = fixture;
    const task = await submit(fixture, "seen");
    const cancel = () => market.connect(parties.owner).cancel(task.terms, task.workHash);
    await market.connect(parties.provider).accept(task.terms, task.workHash);
    await expectRefusal(fixture, cancel, "TaskMarket_WrongStatus", [task.id, 3n]);
    await market.connect(parties.provider).deliver(task.terms, task.workHash, deliveryOf(1, 0n));
    await expectRefusal(fixture, cancel, "TaskMarket_WrongStatus", [task.id, 7n]);
  });

  it("A19_nobody moves another's clocks and limits by paying for it", async () => {
    const fixture = use();
    const { ethers, market, networkHelpers, parties } = fixture;
    await market.connect(parties.owner).setDelegate(parties.delegate.address, {
      limitWei: 5n,
      provider: ethers.ZeroAddress,
      expiresAt: 77n,
      model: 0n,
    });
    const task = await submit(fixture, "timed");
    const before = await market.taskOf(task.id);
    const asStranger = market.connect(parties.stranger);
    for (const role of ["owner", "provider", "delegate"] as const)
      await expectMoves(fixture, () => asStranger.depositFor(parties[role].address, 9n, { value: 9n }), {
        "wallet.stranger": -9n,
        "wallet.market": 9n,
        [`ledger.${role}`]: 9n,
      });
    await expectRefusal(
      fixture,
      () => asStranger.accept(task.terms, task.workHash),
      "TaskMarket_NotProvider",
      [task.id, parties.stranger.address],
    );
    await expectRefusal(fixture, () => asStranger.submit(task.terms, task.work), "Escrow_NotDelegate", [
      parties.owner.address,
      parties.stranger.address,
    ]);
    await market.collectFees([parties.owner.address, parties.provider.address]);
    expect(await market.taskOf(task.id)).to.deep.equal(before);
    // Time alone changes nothing either.
    await networkHelpers.time.increaseTo(task.completeBy + 1_000n);
    expect(await market.taskOf(task.id)).to.deep.equal(before);
  });

  it("A21_who buys from itself loses the fee with each task", async () => {
    const fixture = use();
    const { ethers, market, networkHelpers, parties, makeTask, deliveryOf } = fixture;
    const self = market.connect(parties.provider);
    const task = await makeTask({ owner: parties.provider.address, salt: ethers.id("self") });
    await self.submit(task.terms, task.work, { value: COST_WEI });
    await networkHelpers.time.increase(50n);
    const paid = 50n * PRICE_WEI;
    const fee = (paid * FEE_BPS) / 10_000n;
    await expectMoves(fixture, () => self.deliver(task.terms, task.workHash, deliveryOf(1, 50n)), {
      "ledger.provider": COST_WEI - fee,
      "fees.provider": fee,
      completed: 1n,
      secondsSold: 50n,
    });
  });

  it("A21_I02_failing a task of one's own for the bounty moves one's own stake in a circle", async () => {
    const fixture = use();
    const { ethers, market, networkHelpers, parties, makeTask } = fixture;
    const self = market.connect(parties.provider);
    const task = await makeTask({
      owner: parties.provider.address,
      collateral: COLLATERAL_WEI,
      salt: ethers.id("self"),
    });
    await self.submit(task.terms, task.work, { value: COST_WEI });
    await self.accept(task.terms, task.workHash);
    await networkHelpers.time.increaseTo(task.completeBy);
    await expectMoves(fixture, () => self.fail(task.terms, task.workHash), {
      "ledger.provider": COST_WEI + COLLATERAL_WEI,
      stake: -COLLATERAL_WEI,
      locked: -COLLATERAL_WEI,
      "wallet.registry": -COLLATERAL_WEI,
      "wallet.market": COLLATERAL_WEI,
      failed: 1n,
    });
  });

  it("A11_many small tasks save at most a wei of fee each", async () => {
    const fixture = use();
    const { market, parties, deliveryOf } = fixture;
    const whole = 7_919n;
    const feeOf = (amount: bigint) => (amount * FEE_BPS) / 10_000n;
    const parts = [whole / 3n, whole / 3n, whole - 2n * (whole / 3n)];
    for (const [i, price] of parts.entries()) {
      const task = await submit(fixture, String(i), { price });
      await market.connect(parties.provider).deliver(task.terms, task.workHash, deliveryOf(1, 0n));
    }
    const fees = await market.feesDue(parties.provider.address);
    expect(fees).to.equal(parts.reduce((sum, part) => sum + feeOf(part), 0n));
    expect(feeOf(whole) - fees).to.be.within(0n, BigInt(parts.length));
    expect(await market.balanceOf(parties.provider.address)).to.equal(whole - fees);
  });

  it("A24_a longer reference costs its sender more", async () => {
    const fixture = use();
    const { ethers, market, parties } = fixture;
    const gasOf = async (length: number) => {
      const task = await fixture.makeTask({ salt: ethers.id("sized") });
      const work = { ...task.work, payload: "a".repeat(length) };
      return market.connect(parties.owner).submit.estimateGas(task.terms, work, { value: COST_WEI });
    };
    const [short, long] = [await gasOf(1), await gasOf(256)];
    // 16 for each byte of calldata (4 for each that fills a word), and 8 for each of the event's words.
    expect(long - short).to.be.greaterThan(255n * 16n - 31n * 4n + 224n * 8n - 1n);
  });

  it("A26_a provider cannot start afresh: its record stays with its account", async () => {
    const fixture = use();
    const { market, registry, networkHelpers, parties } = fixture;
    const task = await submit(fixture, "failed", { collateral: COLLATERAL_WEI });
    await market.connect(parties.provider).accept(task.terms, task.workHash);
    await networkHelpers.time.increaseTo(task.completeBy);
    await market.fail(task.terms, task.workHash);
    const asProvider = registry.connect(parties.provider);
    const offer = { shape: 0n, rateWei: 1n, slots: 1n, metadata: "" };
    await expectRefusal(
      fixture,
      () => asProvider.register(parties.operator.address, parties.payout.address, offer),
      "ProviderRegistry_AlreadyRegistered",
      [parties.provider.address],
      { of: registry },
    );
    for (const change of [
      () => asProvider.setOperator(parties.stranger.address),
      () => asProvider.setPayout(parties.stranger.address),
      () => asProvider.setStatus(2),
      () => asProvider.updateOffer({ ...offer, slots: 9n }),
    ])
      await expectMoves(fixture, change, {});
    expect((await registry.providerOf(parties.provider.address)).failed).to.equal(1n);
  });
});

describe("TaskMarket and hostile tokens", () => {
  it("A09_tokens that are sent to it are nobody's", async () => {
    const fixture = await deployMarket({ token: "MockERC20" });
    const { erc20, market, parties } = fixture;
    const to = await market.getAddress();
    await expectMoves(fixture, () => erc20!.connect(parties.owner).transfer(to, 5n), {
      "wallet.owner": -5n,
      "wallet.market": 5n,
    });
    await expectRefusal(
      fixture,
      () => market.connect(parties.owner).withdraw(5n),
      "Escrow_InsufficientBalance",
      [parties.owner.address, 0n, 5n],
    );
    // A task is still paid in full.
    const task = await fixture.makeTask();
    await expectMoves(fixture, () => market.connect(parties.owner).submit(task.terms, task.work), {
      "wallet.owner": -COST_WEI,
      "wallet.market": COST_WEI,
    });
  });

  const answers = [
    ["True", true],
    ["False", false],
    ["FalseAfterMoving", false],
    ["TrueWithoutMoving", false],
    ["Nothing", true],
    ["Two", false],
    ["TwoWords", true],
    ["Megabyte", true],
    ["RevertMegabyte", false],
  ] as const;
  for (const [number, [answer, moves]] of answers.entries()) {
    it(`A06_A08_a token that answers ${answer} ${moves ? "pays" : "pays nothing and submits nothing"}`, async () => {
      const fixture = await deployMarket({ token: "OddERC20" });
      const { ethers, market, parties } = fixture;
      const token = await ethers.getContractAt("OddERC20", fixture.currency);
      await token.setAnswer(number);
      const task = await fixture.makeTask();
      const submitTask = () =>
        market.connect(parties.owner).submit(task.terms, task.work, { gasLimit: 12_000_000n });
      if (moves) {
        await expectMoves(fixture, submitTask, {
          "wallet.owner": -COST_WEI,
          "wallet.market": COST_WEI,
        });
      } else {
        const before = await booksOf(fixture);
        await expect(submitTask()).to.be.revert(ethers);
        expect(await booksOf(fixture)).to.deep.equal(before);
        expect((await market.taskOf(task.id)).status).to.equal(0n);
      }
    });
  }

  it("A08_a token that lies about balances is paid with what it says it moved, or not at all", async () => {
    const fixture = await deployMarket({ token: "LyingERC20" });
    const { ethers, market, parties } = fixture;
    const token = await ethers.getContractAt("LyingERC20", fixture.currency);
    await token.setLie(7n);
    await expectRefusal(
      fixture,
      () => market.connect(parties.owner).deposit(100n),
      "Currency_InexactTransfer",
      [100n, 107n],
    );
    await token.setLie(-7n);
    await expectRefusal(
      fixture,
      () => market.connect(parties.owner).deposit(100n),
      "Currency_InexactTransfer",
      [100n, 93n],
    );
  });
});
