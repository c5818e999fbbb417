import { expect } from "chai";
import type { ContractTransactionResponse } from "ethers";

import { booksOf, expectMoves, expectRefusal, useMarket } from "./books.ts";
import { COLLATERAL_WEI, COST_WEI } from "./fixture.ts";
import type { Fixture } from "./fixture.ts";
import { accepted, CHALLENGE, delivered, kindsOf, ready, RULING } from "./flows.ts";
import { domainOf, orderOf, TASK_TYPES } from "./signatures.ts";

// A23, A24 and A25: many tasks, long texts, and other contracts that are asked with too little gas or use up all.

const MANY = 10_000;

describe("TaskMarket: limits", () => {
  const use = useMarket();

  it("A23_ten thousand tasks later each call costs what it cost before, to the unit of gas", async function () {
    this.timeout(120_000);
    const fixture = use();
    const { ethers, market, networkHelpers, parties, deliveryOf } = fixture;
    const total = BigInt(MANY + 200) * COST_WEI;
    await networkHelpers.setBalance(parties.owner.address, 2n * total);
    await market.connect(parties.owner).deposit(total, { value: total });
    const now = BigInt(await networkHelpers.time.latest());
    const times = { startBy: now + 80_000n, completeBy: now + 90_000n };
    const make = (i: number) =>
      fixture.makeTask({ ...times, salt: `0x${(0x1_00_00_00 + i).toString(16).padStart(64, "f")}` });
    const [owner, provider] = [market.connect(parties.owner), market.connect(parties.provider)];
    const gasOf = async (sent: Promise<ContractTransactionResponse>) => (await (await sent).wait())!.gasUsed;
    const measure = async (first: number) => {
      const [one, two, three] = [await make(first), await make(first + 1), await make(first + 2)];
      const gas = {
        submit: await gasOf(owner.submit(one.terms, one.work)),
        order: await gasOf(owner.order(orderOf(two))),
        accept: await gasOf(provider.accept(one.terms, one.workHash)),
        deliver: await gasOf(provider.deliver(one.terms, one.workHash, deliveryOf(1, 0n))),
        cancel: await gasOf(owner.cancel(two.terms, two.workHash)),
        decline: 0n,
      };
      await owner.submit(three.terms, three.work);
      gas.decline = await gasOf(provider.decline(three.terms, three.workHash, 9n));
      return gas;
    };
    // The parties' words are there already.
    await measure(0x10);
    const before = await measure(0x20);
    const { terms, work } = await make(0x100);
    const call = market.interface.encodeFunctionData("submit", [terms, work]);
    const place = terms.salt.slice(2);
    const batch = async (from: number, count: number) => {
      const calls = Array.from({ length: count }, (_, i) =>
        call.replace(place, (0x2_00_00_00 + from + i).toString(16).padStart(64, "e")),
      );
      return owner.batch(calls, { gasLimit: 16_000_000n });
    };
    for (let from = 0; from < MANY; from += 250) await (await batch(from, 250)).wait();
    // All of them are there: none was passed over.
    expect(await market.balanceOf(parties.owner.address)).to.be.lessThan(300n * COST_WEI);
    expect(await measure(0x30)).to.deep.equal(before);
    expect(await ethers.provider.getBalance(market)).to.be.greaterThan(BigInt(MANY) * COST_WEI);
  });

  it("A23_one bad lease in many is passed over, and so is a lease that was named twice", async () => {
    const fixture = use();
    const { ethers, market, networkHelpers, parties } = fixture;
    const leases = [await ready(fixture, "1"), await ready(fixture, "2"), await ready(fixture, "3")];
    await market.connect(parties.owner).close(leases[1]!.terms, leases[1]!.workHash, 20n);
    await networkHelpers.time.increase(90n);
    await market.connect(parties.provider).endLease(leases[1]!.terms, leases[1]!.workHash);
    const ids = leases.map(({ id }) => id);
    const bad = [ids[1]!, ethers.id("no lease")];
    const asProvider = market.connect(parties.provider);
    const response = asProvider.heartbeat([ids[0]!, bad[0]!, bad[1]!, ids[2]!, ids[2]!]);
    for (const id of bad) await expect(response).to.emit(market, "HeartbeatSkipped").withArgs(id);
    const latest = BigInt(await networkHelpers.time.latest());
    for (const id of [ids[0]!, ids[2]!]) expect((await market.leaseOf(id)).lastHeartbeat).to.equal(latest);
    // The silence was too long to be paid for, once or twice.
    expect((await market.leaseOf(ids[2]!)).upSeconds).to.equal(0n);
  });

  it("A24_RevertWhen a header or a ticket is a byte too long, or a header empty", async () => {
    const fixture = use();
    const { ethers, market, parties } = fixture;
    const kinds = kindsOf(fixture);
    const sealed = await accepted(fixture, "sealed", kinds.sealed);
    const publish = (length: number) =>
      market
        .connect(parties.owner)
        .publishPayloadKey(sealed.terms, sealed.workHash, ethers.hexlify(new Uint8Array(length)));
    for (const length of [0, 1_025])
      await expectRefusal(fixture, () => publish(length), "Orders_HeaderLength", [BigInt(length), 1_024n]);
    await expectMoves(fixture, () => publish(1_024), {});
    const lease = await accepted(fixture, "lease", kinds.lease);
    const open = (length: number) =>
      market
        .connect(parties.provider)
        .ready(lease.terms, lease.workHash, ethers.hexlify(new Uint8Array(length)));
    await expectRefusal(fixture, () => open(2_049), "Leases_TicketLength", [2_049n, 2_048n]);
    await expectMoves(fixture, () => open(2_048), {});
  });

  it("A24_RevertWhen an order's work is out of order, or a delivery's reference is too long", async () => {
    const fixture = use();
    const { market, parties } = fixture;
    const task = await fixture.makeTask();
    const order = (work: object) => {
      const whole = orderOf(task);
      return market
        .connect(parties.owner)
        .order({ ...whole, work: { ...task.work, ...work } }, { value: COST_WEI });
    };
    for (const length of [0, 257])
      await expectRefusal(fixture, () => order({ payload: "a".repeat(length) }), "Tasks_ReferenceLength", [
        BigInt(length),
        256n,
      ]);
    await expectRefusal(fixture, () => order({ resources: 1n << 160n }), "Resources_Malformed", [1n << 160n]);
    const job = await accepted(fixture, "job");
    const deliver = (length: number) =>
      market
        .connect(parties.provider)
        .deliver(job.terms, job.workHash, { ...fixture.deliveryOf(1, 0n), result: "a".repeat(length) });
    for (const length of [0, 257])
      await expectRefusal(fixture, () => deliver(length), "Tasks_ReferenceLength", [BigInt(length), 256n]);
  });
});

describe("TaskMarket: gas of others", () => {
  const use = useMarket();

  /** An order of a contract's, which answers as it is told when it is asked for its signature. */
  async function ordered(fixture: Fixture, answer: bigint) {
    const { ethers, market, parties } = fixture;
    const account = await ethers.deployContract("ContractAccount");
    const owner = await account.getAddress();
    await account.sign(parties.owner.address, answer);
    await market.connect(parties.stranger).depositFor(owner, COST_WEI, { value: COST_WEI });
    const task = await fixture.makeTask({ owner });
    const signature = await parties.owner.signTypedData(await domainOf(fixture), TASK_TYPES, {
      ...task.terms,
      work: { ...task.work, backup: task.backup },
    });
    const order = orderOf(task, { signature });
    return { owner, account, task, order, others: { account: owner } };
  }

  for (const [name, answer] of [
    ["burns all gas", 3n],
    ["returns a megabyte", 4n],
    ["says yes to everything in another word", 1n],
    ["reverts", 2n],
  ] as const) {
    it(`A25_an owner's contract that ${name} orders nothing, at a bounded price`, async () => {
      const fixture = use();
      const { market, parties } = fixture;
      const { owner, task, order, others } = await ordered(fixture, answer);
      const before = await booksOf(fixture, others);
      const sent = market.connect(parties.stranger).order(order, { gasLimit: 1_000_000n });
      await expect(sent)
        .to.be.revertedWithCustomError(market, "Orders_BadSignature")
        .withArgs(task.id, owner);
      expect(await booksOf(fixture, others)).to.deep.equal(before);
      const receipts = await fixture.ethers.provider.getBlock("latest");
      expect(receipts!.gasUsed).to.be.lessThan(350_000n);
    });
  }

  it("A25_RevertWhen a relayer leaves too little gas for an owner's signature: never a false no", async () => {
    const fixture = use();
    const { market, parties } = fixture;
    const { order, task, others } = await ordered(fixture, 0n);
    const data = market.interface.encodeFunctionData("order", [order]);
    const before = await booksOf(fixture, others);
    const seen = new Set<string>();
    for (let gasLimit = 60_000n; gasLimit < 400_000n; gasLimit += 10_000n) {
      const call = { from: parties.stranger.address, to: await market.getAddress(), data, gasLimit };
      const outcome = await fixture.ethers.provider.call(call).then(
        () => "done",
        (error: unknown) => {
          const returned = error instanceof Error && "data" in error ? String(error.data) : "";
          return market.interface.parseError(returned)?.name ?? "out of gas";
        },
      );
      seen.add(outcome);
    }
    expect([...seen].sort()).to.deep.equal(["TaskMarket_InsufficientGas", "done"]);
    expect(await booksOf(fixture, others)).to.deep.equal(before);
    // In a batch as well: passed over, not used up.
    const starved = await market
      .connect(parties.stranger)
      .batch([data], { gasLimit: 180_000n })
      .then(async (response) => response.wait());
    expect(starved!.status).to.equal(1);
    expect(starved!.logs.map(({ topics }) => topics[0])).to.deep.equal([
      market.interface.getEvent("CallSkipped").topicHash,
    ]);
    expect((await market.taskOf(task.id)).status).to.equal(0n);
    await expectMoves(
      fixture,
      () => market.connect(parties.stranger).order(order),
      { "ledger.account": -COST_WEI },
      others,
    );
  });

  it("A25_an owner that leaves too little gas for its arbiter disputes nothing: never a fee of zero", async () => {
    const fixture = use();
    const { ethers, market, networkHelpers, parties } = fixture;
    const arbiter = await ethers.deployContract("OddArbiter");
    await arbiter.ask(0n, 7n, RULING);
    const options = { arbiter: await arbiter.getAddress(), challengePeriod: CHALLENGE };
    const task = await delivered(fixture, "starved", options);
    const [bond] = await market.bondOf(task.terms);
    const start = await networkHelpers.takeSnapshot();
    let done = 0;
    for (let gasLimit = 100_000n; gasLimit < 300_000n; gasLimit += 10_000n) {
      const disputed = await market
        .connect(parties.owner)
        .dispute(task.terms, task.workHash, task.delivery, 0n, ethers.ZeroHash, bond, {
          value: bond,
          gasLimit,
        })
        .then(
          () => true,
          () => false,
        );
      const { feeWei } = await market.disputeOf(task.id);
      expect(feeWei).to.equal(disputed ? 7n : 0n);
      if (disputed) done++;
      await start.restore();
    }
    expect(done).to.be.within(1, 19);
  });

  it("A25_an arbiter that burns gas takes 100,000 of it, and a signature cannot be asked with a way back in", async () => {
    const fixture = use();
    const { ethers, market, parties } = fixture;
    const arbiter = await ethers.deployContract("OddArbiter");
    await arbiter.ask(2n, 7n, RULING);
    const options = { arbiter: await arbiter.getAddress(), challengePeriod: CHALLENGE };
    const task = await delivered(fixture, "burning", { ...options, collateral: COLLATERAL_WEI });
    const [bond] = await market.bondOf(task.terms);
    const response = await market
      .connect(parties.owner)
      .dispute(task.terms, task.workHash, task.delivery, 0n, ethers.ZeroHash, bond, { value: bond });
    expect((await response.wait())!.gasUsed).to.be.lessThan(250_000n);
    // Asked for its signature, the account tries to order in its own name: it may not change anything.
    const { account, order, others } = await ordered(fixture, 5n);
    const own = market.interface.encodeFunctionData("cancelQuotes", [0n, 1n]);
    await account.call(market, own);
    await expectMoves(
      fixture,
      () => market.connect(parties.stranger).order(order),
      { "ledger.account": -COST_WEI },
      others,
    );
    expect(await market.usedQuotes(others.account, 0n)).to.equal(0n);
  });
});
