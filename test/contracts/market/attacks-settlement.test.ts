import { expect } from "chai";
import type { ContractTransactionResponse } from "ethers";

import { booksOf, expectMoves, expectRefusal, useMarket } from "./books.ts";
import type { Books } from "./books.ts";
import { deployTaskMarket } from "./deploy.ts";
import { COLLATERAL_WEI, COST_WEI, DAY, DURATION, FEE_BPS, PRICE_WEI, STAKE_WEI } from "./fixture.ts";
import type { Fixture, Task, TaskOptions } from "./fixture.ts";
import {
  accepted,
  beat,
  CHALLENGE,
  delivered,
  fund,
  HEARTBEAT,
  kindsOf,
  NOTICE,
  ready,
  RULING,
} from "./flows.ts";
import { orderOf, signOrder } from "./signatures.ts";

// A13, A14, A18, A19 and A20 over everything that a task can do: money leaves once, one side can act at a time, terms
// are fixed, clocks are moved by those whose they are, and stake stays while it is needed.

const USED = 5n;
const PAID = USED * PRICE_WEI;
const FEE = (PAID * FEE_BPS) / 10_000n;
const BOUNTY = (COLLATERAL_WEI * 500n) / 10_000n;
const EARNED: Books = {
  "ledger.provider": PAID - FEE,
  "fees.provider": FEE,
  completed: 1n,
  secondsSold: USED,
};
const SLASHED: Books = {
  stake: -COLLATERAL_WEI,
  locked: -COLLATERAL_WEI,
  "wallet.registry": -COLLATERAL_WEI,
  "wallet.market": COLLATERAL_WEI,
};

/** An arbiter that asks for `feeWei`, and tasks that name it. */
async function judged(fixture: Fixture, feeWei = 7n) {
  const arbiter = await fixture.ethers.deployContract("OddArbiter");
  await arbiter.ask(0n, feeWei, RULING);
  const options: TaskOptions = {
    arbiter: await arbiter.getAddress(),
    challengePeriod: CHALLENGE,
    collateral: COLLATERAL_WEI,
  };
  const bond = feeWei + (COST_WEI * 500n + 9_999n) / 10_000n;
  const dispute = ({ terms, workHash, delivery }: Awaited<ReturnType<typeof delivered>>) =>
    fixture.market
      .connect(fixture.parties.owner)
      .dispute(terms, workHash, delivery, 0n, fixture.ethers.ZeroHash, bond, {
        value: fixture.valueOf(bond),
      });
  return { arbiter, options, bond, dispute };
}

describe("TaskMarket: money leaves a task once", () => {
  const use = useMarket();
  type Name =
    "cancel" | "expire" | "fail" | "abandon" | "decline" | "deliver" | "settle" | "resolve" | "endLease";

  async function ending(
    fixture: Fixture,
    name: Name,
  ): Promise<{ data: string[]; moves: Books; by: "owner" | "provider" | "stranger" }> {
    const { market, networkHelpers, parties, deliveryOf } = fixture;
    const encode = market.interface.encodeFunctionData.bind(market.interface);
    const collateral = { collateral: COLLATERAL_WEI };
    const simple = (task: Task, one: "cancel" | "expire" | "fail" | "abandon" | "endLease") =>
      market.interface.encodeFunctionData(one as "cancel", [task.terms, task.workHash]);
    const unlocked = { locked: -COLLATERAL_WEI };
    const { options, bond, dispute } = await judged(fixture);
    switch (name) {
      case "cancel": {
        const task = await fund(fixture, name, collateral);
        return { data: [simple(task, name)], moves: { "ledger.owner": COST_WEI }, by: "owner" };
      }
      case "expire": {
        const task = await fund(fixture, name, collateral);
        await networkHelpers.time.increaseTo(task.startBy);
        return { data: [simple(task, name)], moves: { "ledger.owner": COST_WEI }, by: "stranger" };
      }
      case "fail": {
        const task = await accepted(fixture, name, collateral);
        await networkHelpers.time.increaseTo(task.completeBy);
        const moves = {
          ...SLASHED,
          "ledger.owner": COST_WEI + COLLATERAL_WEI - BOUNTY,
          "ledger.stranger": BOUNTY,
          failed: 1n,
        };
        return { data: [simple(task, name)], moves, by: "stranger" };
      }
      case "abandon": {
        const task = await accepted(fixture, name, collateral);
        await networkHelpers.time.increase(121n);
        const part = (COLLATERAL_WEI * 2_500n + 9_999n) / 10_000n;
        const moves = {
          ...{ stake: -part, "wallet.registry": -part, "wallet.market": part, locked: -COLLATERAL_WEI },
          ...{ "ledger.owner": COST_WEI + part, abandoned: 1n },
        };
        return { data: [simple(task, name)], moves, by: "provider" };
      }
      case "decline": {
        const { terms, workHash } = await accepted(fixture, name, collateral);
        const data = [encode("decline", [terms, workHash, 9n])];
        return { data, moves: { ...unlocked, "ledger.owner": COST_WEI, declined: 1n }, by: "provider" };
      }
      case "deliver": {
        const { terms, workHash } = await accepted(fixture, name, collateral);
        await networkHelpers.time.increase(USED);
        const data = [encode("deliver", [terms, workHash, deliveryOf(1, USED)])];
        return { data, moves: { ...unlocked, ...EARNED, "ledger.owner": COST_WEI - PAID }, by: "provider" };
      }
      case "settle": {
        const { terms, workHash, delivery } = await delivered(fixture, name, options);
        const data = [
          encode("settle", [terms, workHash, delivery]),
          encode("dispute", [terms, workHash, delivery, 0n, fixture.ethers.ZeroHash, bond]),
        ];
        return { data, moves: { ...unlocked, ...EARNED, "ledger.owner": COST_WEI - PAID }, by: "owner" };
      }
      case "resolve": {
        const task = await delivered(fixture, name, options);
        await dispute(task);
        await networkHelpers.time.increase(RULING);
        const { terms, workHash, delivery } = task;
        const data = [
          encode("resolve", [terms, workHash, delivery]),
          encode("settle", [terms, workHash, delivery]),
          encode("concede", [terms, workHash, delivery]),
          encode("rule", [terms, workHash, delivery, 0n]),
        ];
        const moves = { ...unlocked, ...EARNED, "ledger.owner": COST_WEI - PAID + bond };
        return { data, moves, by: "provider" };
      }
      case "endLease": {
        const task = await ready(fixture, name, collateral);
        await beat(fixture, task, HEARTBEAT);
        await market.connect(parties.owner).close(task.terms, task.workHash, 20n);
        await networkHelpers.time.increase(HEARTBEAT);
        const paid = HEARTBEAT * PRICE_WEI;
        const fee = (paid * FEE_BPS) / 10_000n;
        const moves = {
          ...unlocked,
          ...{ "ledger.provider": paid - fee, "fees.provider": fee, completed: 1n, secondsSold: HEARTBEAT },
          "ledger.owner": COST_WEI - paid,
        };
        const draw = encode("draw", [task.terms, task.workHash]);
        return { data: [simple(task, name), draw], moves, by: "stranger" };
      }
    }
  }

  for (const name of [
    "cancel",
    "expire",
    "fail",
    "abandon",
    "decline",
    "deliver",
    "settle",
    "resolve",
    "endLease",
  ] as const) {
    it(`A13_I03_${name}, again and every other way in the same batch: once`, async () => {
      const fixture = use();
      const { market, parties } = fixture;
      // The owner can pay a bond in the batch, if it is let.
      await market.connect(parties.owner).deposit(10n * COST_WEI, { value: 10n * COST_WEI });
      const { data, moves, by } = await ending(fixture, name);
      await fixture.networkHelpers.mine();
      const calls = [...data, ...data];
      // A batch in a batch is no way around it.
      calls.push(market.interface.encodeFunctionData("batch", [data]));
      const as = market.connect(parties[by]);
      const done = await as.batch.staticCall(calls);
      expect(done).to.deep.equal([true, ...Array.from({ length: calls.length - 2 }, () => false), true]);
      const response = await expectMoves(fixture, () => as.batch(calls), moves);
      const { logs } = (await response.wait())!;
      const skipped = logs.filter(
        ({ topics }) => topics[0] === market.interface.getEvent("CallSkipped").topicHash,
      );
      expect(skipped).to.have.length(calls.length - 2 + data.length);
      await expectMoves(fixture, () => as.batch(calls), {});
    });
  }

  it("A13_an order sent twice in a batch is paid once, from the balance alone", async () => {
    const fixture = use();
    const { market, parties } = fixture;
    await market.connect(parties.owner).deposit(3n * COST_WEI, { value: 3n * COST_WEI });
    const task = await fixture.makeTask();
    const signature = await signOrder(fixture, parties.owner, task);
    const one = market.interface.encodeFunctionData("order", [orderOf(task, { signature })]);
    const own = market.interface.encodeFunctionData("submit", [task.terms, task.work]);
    const sponsored = market.interface.encodeFunctionData("order", [
      orderOf(task, { signature, sponsored: true }),
    ]);
    await expectMoves(fixture, () => market.connect(parties.stranger).batch([sponsored, one, one, own]), {
      "ledger.owner": -COST_WEI,
    });
    await expect(
      parties.owner.sendTransaction({
        to: await market.getAddress(),
        data: market.interface.encodeFunctionData("batch", [[own]]),
        value: COST_WEI,
      }),
    ).to.be.revert(fixture.ethers);
  });

  it("A13_a bad element is passed over with its index and reason, the others are done", async () => {
    const fixture = use();
    const { ethers, market, parties, deliveryOf } = fixture;
    const tasks = [await fund(fixture, "1"), await fund(fixture, "2"), await fund(fixture, "3")];
    const asProvider = market.connect(parties.provider);
    await asProvider.decline(tasks[1]!.terms, tasks[1]!.workHash, 9n);
    const calls = tasks.map(({ terms, workHash }) =>
      market.interface.encodeFunctionData("deliver", [terms, workHash, deliveryOf(1, 0n)]),
    );
    calls.push("0x", "0x01020304");
    const response = await expectMoves(fixture, () => asProvider.batch(calls), {
      "ledger.owner": 2n * COST_WEI,
      completed: 2n,
    });
    const reason = market.interface.encodeErrorResult("TaskMarket_WrongStatus", [tasks[1]!.id, 10n]);
    await expect(response).to.emit(market, "CallSkipped").withArgs(1n, reason);
    // Without data it is a deposit of nothing.
    const nothing = market.interface.encodeErrorResult("Escrow_ZeroAmount");
    await expect(response).to.emit(market, "CallSkipped").withArgs(3n, nothing);
    await expect(response).to.emit(market, "CallSkipped").withArgs(4n, "0x");
    expect((await market.taskOf(tasks[1]!.id)).status).to.equal(10n);
    expect(await market.balanceOf(ethers.ZeroAddress)).to.equal(0n);
  });
});

describe("TaskMarket: at each second one side can act", () => {
  const use = useMarket();

  /** A task in each state that a time-out ends, by the name of the only call that does. */
  async function everything(fixture: Fixture) {
    const { market, parties } = fixture;
    const { options, dispute } = await judged(fixture);
    const small = { collateral: STAKE_WEI / 20n };
    const kinds = kindsOf(fixture);
    const tasks: [string, Task & { delivery?: object }][] = [];
    tasks.push(["expire", await fund(fixture, "funded")]);
    tasks.push(["expire", await fund(fixture, "backed", { backup: parties.stranger.address })]);
    tasks.push(["expire", await fund(fixture, "open", { ...kinds.open, ...small })]);
    tasks.push(["expire", await accepted(fixture, "assigned", { ...kinds.sealed, ...small })]);
    const standby = await fund(fixture, "standby", { backup: parties.stranger.address });
    await market.connect(parties.provider).decline(standby.terms, standby.workHash, 9n);
    tasks.push(["expire", standby]);
    tasks.push(["fail", await accepted(fixture, "active", small)]);
    tasks.push(["fail", await accepted(fixture, "not ready", { ...kinds.lease, ...small })]);
    tasks.push(["settle", await delivered(fixture, "delivered", { ...options, ...small })]);
    const disputed = await delivered(fixture, "disputed", { ...options, ...small });
    await dispute(disputed);
    tasks.push(["resolve", disputed]);
    tasks.push(["endLease", await ready(fixture, "down", small)]);
    const leaving = await ready(fixture, "leaving", small);
    await market.connect(parties.provider).close(leaving.terms, leaving.workHash, 22n);
    tasks.push(["endLease", leaving]);
    return tasks;
  }

  it("A14_I08_I19_after a jump of a year anyone ends everything, each in one way, and nothing is left", async () => {
    const fixture = use();
    const { ethers, market, networkHelpers, parties } = fixture;
    await fixture.registry
      .connect(parties.provider)
      .updateOffer({ shape: 0n, rateWei: 1n, slots: 9n, metadata: "" });
    const tasks = await everything(fixture);
    await networkHelpers.time.increase(365n * DAY);
    const as = market.connect(parties.stranger);
    const act = async (name: string, { terms, workHash, delivery }: Task & { delivery?: object }) => {
      const passed = delivery ?? fixture.deliveryOf(1, USED);
      const calls: Record<string, () => Promise<ContractTransactionResponse>> = {
        expire: () => as.expire(terms, workHash),
        fail: () => as.fail(terms, workHash),
        settle: () => as.settle(terms, workHash, passed as ReturnType<Fixture["deliveryOf"]>),
        resolve: () => as.resolve(terms, workHash, passed as ReturnType<Fixture["deliveryOf"]>),
        endLease: () => as.endLease(terms, workHash),
      };
      return calls[name]!();
    };
    for (const [right, task] of tasks) {
      for (const name of ["expire", "fail", "settle", "resolve", "endLease"])
        if (name !== right) await expect(act(name, task), `${right} by ${name}`).to.be.revert(ethers);
      // Whoever slept, provider and owner included, can do nothing else any more.
      for (const party of [parties.provider, parties.owner, parties.operator]) {
        const late = market.connect(party);
        for (const call of [
          () => late.accept(task.terms, task.workHash),
          () => late.acceptOpen(task.terms, task.work, parties.provider.address),
          () => late.deliver(task.terms, task.workHash, fixture.deliveryOf(1, 0n)),
          () => late.decline(task.terms, task.workHash, 9n),
          () => late.abandon(task.terms, task.workHash),
          () => late.publishPayloadKey(task.terms, task.workHash, "0x01"),
          () => late.cancel(task.terms, task.workHash),
          () => late.ready(task.terms, task.workHash, "0x01"),
          () => late.concede(task.terms, task.workHash, fixture.deliveryOf(1, USED)),
          () => late.takeOver(task.terms, task.work, parties.stranger.address),
        ])
          await expect(call(), right).to.be.revert(ethers);
      }
      await act(right, task);
    }
    await market.collectFees([parties.provider.address]);
    for (const role of ["owner", "provider", "stranger", "treasury"] as const) {
      const amount = await market.balanceOf(parties[role].address);
      if (amount !== 0n) await market.connect(parties[role]).withdraw(amount);
    }
    const books = await booksOf(fixture);
    expect(books["wallet.market"]).to.equal(0n);
    expect([books["locked"], books["assigned"]]).to.deep.equal([0n, 0n]);
  });

  it("A14_with windows of no length each state still ends, a second later, by one side", async () => {
    const fixture = use();
    const { ethers, registry, networkHelpers, parties } = fixture;
    const none = { declineWindow: 0n, keyWindow: 0n, takeOverWindow: 0n, concessionWindow: 0n };
    const { market } = await deployTaskMarket(ethers, { registry, treasury: parties.treasury, ...none });
    await registry.connect(parties.admin).authorizeMarket(await market.getAddress());
    await networkHelpers.time.increase(45n * DAY);
    const there: Fixture = { ...fixture, market };
    const asProvider = market.connect(parties.provider);
    const next = async (act: () => Promise<ContractTransactionResponse>) => {
      await networkHelpers.time.setNextBlockTimestamp((await networkHelpers.time.latest()) + 1);
      return act();
    };
    const expectTooLate = async (act: () => Promise<ContractTransactionResponse>) => {
      const snapshot = await networkHelpers.takeSnapshot();
      await expect(next(act)).to.be.revertedWithCustomError(market, "TaskMarket_TooLate");
      await snapshot.restore();
    };
    const active = await accepted(there, "active", { collateral: COLLATERAL_WEI });
    await expectTooLate(() => asProvider.decline(active.terms, active.workHash, 9n));
    await next(() => asProvider.abandon(active.terms, active.workHash));
    const sealed = await accepted(there, "sealed", kindsOf(fixture).sealed);
    await expectTooLate(() =>
      market.connect(parties.owner).publishPayloadKey(sealed.terms, sealed.workHash, "0x01"),
    );
    await expectTooLate(() => asProvider.decline(sealed.terms, sealed.workHash, 9n));
    await next(() => market.expire(sealed.terms, sealed.workHash));
    const standby = await fund(there, "standby", { backup: parties.stranger.address });
    await asProvider.decline(standby.terms, standby.workHash, 9n);
    await expectTooLate(() =>
      market.connect(parties.stranger).takeOver(standby.terms, standby.work, parties.stranger.address),
    );
    await next(() => market.expire(standby.terms, standby.workHash));
    const { arbiter, options, dispute } = await judged(there);
    const disputed = await delivered(there, "disputed", options);
    await dispute(disputed);
    await expectTooLate(() => asProvider.concede(disputed.terms, disputed.workHash, disputed.delivery));
    const { terms, workHash, delivery } = disputed;
    const ruling = market.interface.encodeFunctionData("rule", [terms, workHash, delivery, 5_000n]);
    await next(() => arbiter.execute(market, 0n, ruling));
    expect((await market.taskOf(await market.idOf(terms, workHash))).status).to.equal(13n);
  });

  it("A14_a challenge that ends when the owner sends its dispute is over: the provider is paid", async () => {
    const fixture = use();
    const { market, networkHelpers, parties } = fixture;
    const { options, dispute, bond } = await judged(fixture);
    const task = await delivered(fixture, "challenged", options);
    const { since } = await market.taskOf(task.id);
    const settle = () => market.connect(parties.stranger).settle(task.terms, task.workHash, task.delivery);
    const last = await networkHelpers.takeSnapshot();
    await networkHelpers.time.setNextBlockTimestamp(since + CHALLENGE);
    await expectRefusal(fixture, settle, "TaskMarket_NotOwner", [task.id, parties.stranger.address]);
    await last.restore();
    await networkHelpers.time.setNextBlockTimestamp(since + CHALLENGE);
    await expectMoves(fixture, () => dispute(task), { "wallet.owner": -bond, "wallet.market": bond });
    await last.restore();
    await networkHelpers.time.setNextBlockTimestamp(since + CHALLENGE + 1n);
    await expectRefusal(fixture, () => dispute(task), "TaskMarket_TooLate", [
      task.id,
      since + CHALLENGE,
      since + CHALLENGE + 1n,
    ]);
    await expectMoves(fixture, settle, {
      ...EARNED,
      locked: -COLLATERAL_WEI,
      "ledger.owner": COST_WEI - PAID,
    });
  });
});

describe("TaskMarket: terms and clocks are whose they are", () => {
  const use = useMarket();

  it("A18_the owner can take back nothing that was accepted, in any way of accepting", async () => {
    const fixture = use();
    const { market, networkHelpers, parties } = fixture;
    const asOwner = market.connect(parties.owner);
    const kinds = kindsOf(fixture);
    const open = await accepted(fixture, "open", kinds.open);
    await networkHelpers.time.increaseTo(open.startBy);
    const { options } = await judged(fixture);
    await market.connect(parties.provider).abandon(open.terms, open.workHash);
    const task = await delivered(fixture, "seen", { ...options, collateral: 0n });
    const lease = await ready(fixture, "up");
    for (const [{ terms, workHash, id }, status] of [
      [open, 12n],
      [task, 5n],
      [lease, 3n],
    ] as const)
      for (const call of [() => asOwner.cancel(terms, workHash), () => asOwner.revokeOrder(terms, workHash)])
        await expectRefusal(fixture, call, "TaskMarket_WrongStatus", [id, status]);
    // Leaving a lease pays what was metered up to then.
    await beat(fixture, lease, HEARTBEAT);
    await asOwner.close(lease.terms, lease.workHash, 20n);
    await networkHelpers.time.increase(HEARTBEAT);
    const paid = HEARTBEAT * PRICE_WEI;
    const fee = (paid * FEE_BPS) / 10_000n;
    await expectMoves(fixture, () => asOwner.endLease(lease.terms, lease.workHash), {
      ...{ "ledger.provider": paid - fee, "fees.provider": fee, completed: 1n, secondsSold: HEARTBEAT },
      "ledger.owner": COST_WEI - paid,
    });
  });

  it("A18_an open task's price is the chain's: who waits gains by the second, and never more than the maximum", async () => {
    const fixture = use();
    const { market, networkHelpers, parties } = fixture;
    const kinds = kindsOf(fixture);
    const task = await fund(fixture, "rising", kinds.open);
    const opened = BigInt(await networkHelpers.time.latest());
    const start = await networkHelpers.takeSnapshot();
    for (const at of [opened + 1n, opened + 50n, task.startBy - 1n, task.startBy]) {
      await start.restore();
      await networkHelpers.time.setNextBlockTimestamp(at);
      const price = PRICE_WEI + (PRICE_WEI * (at - opened)) / (task.startBy - opened);
      const response = market
        .connect(parties.provider)
        .acceptOpen(task.terms, task.work, parties.provider.address);
      await expect(response)
        .to.emit(market, "TaskAssigned")
        .withArgs(task.id, parties.provider.address, price);
      await networkHelpers.time.increase(USED);
      const paid = price * USED;
      const fee = (paid * FEE_BPS) / 10_000n;
      await expectMoves(
        fixture,
        () =>
          market.connect(parties.provider).deliver(task.terms, task.workHash, fixture.deliveryOf(1, USED)),
        {
          ...{ "ledger.provider": paid - fee, "fees.provider": fee, completed: 1n, secondsSold: USED },
          ...{ "ledger.owner": 2n * COST_WEI - paid, locked: -COLLATERAL_WEI, assigned: -1n },
        },
      );
    }
  });

  it("A18_an arbiter that raises its fee meanwhile gets no more than the owner put up", async () => {
    const fixture = use();
    const { market } = fixture;
    const { arbiter, options, bond, dispute } = await judged(fixture);
    const task = await delivered(fixture, "dear", options);
    await arbiter.ask(0n, 8n, RULING);
    await expectRefusal(fixture, () => dispute(task), "Disputes_BondTooHigh", [bond + 1n, bond]);
    await arbiter.ask(0n, 2n ** 255n, RULING);
    const [dearest] = await market.bondOf(task.terms);
    expect(dearest).to.equal(COST_WEI + bond - 7n);
    await expectRefusal(fixture, () => dispute(task), "Disputes_BondTooHigh", [dearest, bond]);
  });

  it("A19_paying for another's task buys no say in it, and what is not spent comes back to the payer", async () => {
    const fixture = use();
    const { market, networkHelpers, parties } = fixture;
    const task = await fixture.makeTask(kindsOf(fixture).lease);
    const signature = await signOrder(fixture, parties.owner, task);
    const asStranger = market.connect(parties.stranger);
    const order = orderOf(task, { signature, sponsored: true });
    await expectMoves(fixture, () => asStranger.order(order, { value: COST_WEI }), {
      "wallet.stranger": -COST_WEI,
      "wallet.market": COST_WEI,
    });
    expect(await market.payerOf(task.terms, task.workHash)).to.equal(parties.stranger.address);
    await expectRefusal(fixture, () => asStranger.cancel(task.terms, task.workHash), "TaskMarket_NotOwner", [
      task.id,
      parties.stranger.address,
    ]);
    await market.connect(parties.provider).accept(task.terms, task.workHash);
    await market.connect(parties.provider).ready(task.terms, task.workHash, "0x01");
    const { endsAt } = await market.leaseOf(task.id);
    const extra = 100n * PRICE_WEI;
    await expectMoves(
      fixture,
      () => market.connect(parties.delegate).topUp(task.terms, task.workHash, 100n, { value: extra }),
      { "wallet.delegate": -extra, "wallet.market": extra },
    );
    const after = await market.leaseOf(task.id);
    expect(after.endsAt).to.equal(endsAt + 100n);
    await expectRefusal(
      fixture,
      () => asStranger.close(task.terms, task.workHash, 20n),
      "TaskMarket_NotOwner",
      [task.id, parties.stranger.address],
    );
    await market.connect(parties.owner).close(task.terms, task.workHash, 20n);
    await networkHelpers.time.increase(HEARTBEAT);
    // All of it, the top-up too.
    await expectMoves(fixture, () => market.endLease(task.terms, task.workHash), {
      "ledger.stranger": COST_WEI + extra,
      completed: 1n,
    });
  });

  it("A19_nobody keeps a silent lease alive: not by heartbeats, draws, top-ups or closing it", async () => {
    const fixture = use();
    const { ethers, market, networkHelpers, parties } = fixture;
    const lease = await ready(fixture, "silent", { collateral: COLLATERAL_WEI });
    const before = await market.leaseOf(lease.id);
    await networkHelpers.time.increaseTo(before.lastHeartbeat + 2n * HEARTBEAT);
    for (const role of ["stranger", "owner", "delegate"] as const) {
      const as = market.connect(parties[role]);
      await expect(as.heartbeat([lease.id]))
        .to.emit(market, "HeartbeatSkipped")
        .withArgs(lease.id);
      await expectMoves(fixture, () => as.draw(lease.terms, lease.workHash), {});
      await as.topUp(lease.terms, lease.workHash, 1n, { value: PRICE_WEI });
    }
    const after = await market.leaseOf(lease.id);
    expect(after.lastHeartbeat).to.equal(before.lastHeartbeat);
    expect(after.upSeconds).to.equal(0n);
    await networkHelpers.time.increaseTo(before.lastHeartbeat + 3n * HEARTBEAT);
    const asStranger = market.connect(parties.stranger);
    await expectRefusal(
      fixture,
      () => asStranger.topUp(lease.terms, lease.workHash, 1n, { value: PRICE_WEI }),
      "Leases_NotReady",
      [lease.id],
    );
    // Its provider cannot beat, top up or leave its way out of that either.
    const asProvider = market.connect(parties.provider);
    await expect(asProvider.heartbeat([lease.id]))
      .to.emit(market, "HeartbeatSkipped")
      .withArgs(lease.id);
    await asProvider.close(lease.terms, lease.workHash, 22n);
    const own = await networkHelpers.takeSnapshot();
    await asProvider.endLease(lease.terms, lease.workHash);
    expect((await market.taskOf(lease.id)).outcome).to.equal(23n);
    await own.restore();
    await networkHelpers.time.increase(NOTICE + HEARTBEAT);
    await expectMoves(fixture, () => asStranger.endLease(lease.terms, lease.workHash), {
      ...SLASHED,
      "ledger.owner": COST_WEI + 3n * PRICE_WEI + COLLATERAL_WEI - BOUNTY,
      "ledger.stranger": BOUNTY,
      failed: 1n,
    });
    expect(await ethers.provider.getBalance(market)).to.equal(COST_WEI + 3n * PRICE_WEI + COLLATERAL_WEI);
  });

  it("A20_stake cannot leave from under open tasks, deliveries and disputes, whatever the provider changes", async () => {
    const fixture = use();
    const { ethers, market, registry, networkHelpers, parties } = fixture;
    const asProvider = registry.connect(parties.provider);
    const third = STAKE_WEI / 3n;
    const { options, dispute } = await judged(fixture);
    await accepted(fixture, "open", { ...kindsOf(fixture).sealed, collateral: third });
    await delivered(fixture, "delivered", { ...options, collateral: third });
    await dispute(await delivered(fixture, "disputed", { ...options, collateral: third }));
    const free = STAKE_WEI - 3n * third;
    const all = () => asProvider.unstake(free + 1n);
    for (const change of [
      () => asProvider.setStatus(2),
      () => asProvider.updateOffer({ shape: 0n, rateWei: 1n, slots: 1n, metadata: "" }),
      () => asProvider.setOperator(parties.stranger.address),
      () => asProvider.setPayout(parties.stranger.address),
      () => asProvider.unstake(free),
      () => asProvider.cancelUnstake(),
    ]) {
      await change();
      const left = await registry.freeStakeOf(parties.provider.address);
      await expectRefusal(
        fixture,
        all,
        "ProviderRegistry_InsufficientFreeStake",
        [parties.provider.address, left, free + 1n],
        { of: registry },
      );
      expect((await booksOf(fixture))["locked"]).to.equal(3n * third);
    }
    // Years later, too.
    await networkHelpers.time.increase(400n * DAY);
    await expect(all()).to.be.revertedWithCustomError(registry, "ProviderRegistry_InsufficientFreeStake");
    expect(await market.balanceOf(ethers.ZeroAddress)).to.equal(0n);
    expect(DURATION).to.be.lessThan(30n * DAY);
  });
});
