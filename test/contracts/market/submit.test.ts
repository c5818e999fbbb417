import { expect } from "chai";
import fc from "fast-check";

import { expectMoves, expectRefusal, useMarket } from "./books.ts";
import { COST_WEI, DAY, DURATION, Flag, METERED, PRICE_WEI } from "./fixture.ts";
import type { Fixture, Task, TaskOptions } from "./fixture.ts";
import { domainOf, TASK_TYPES } from "./signatures.ts";

const submitAs = ({ market, parties }: Fixture, task: Task, value = 0n) =>
  market.connect(parties.owner).submit(task.terms, task.work, { value });

const depositAs = ({ market, parties, valueOf }: Fixture, amount: bigint) =>
  market.connect(parties.owner).deposit(amount, { value: valueOf(amount) });

describe("TaskMarket submit, paid in the native coin", () => {
  const use = useMarket();

  it("takes the exact value and touches no ledger word", async () => {
    const fixture = use();
    const task = await fixture.makeTask();
    const response = await expectMoves(fixture, () => submitAs(fixture, task, COST_WEI), {
      "wallet.owner": -COST_WEI,
      "wallet.market": COST_WEI,
    });
    await expect(response)
      .to.emit(fixture.market, "TaskSubmitted")
      .withArgs(
        task.id,
        task.terms.owner,
        task.terms.provider,
        task.terms.price,
        task.terms.conditions,
        task.terms.assurance,
        task.terms.salt,
        task.work.resources,
        task.work.payloadHash,
        task.work.payload,
      );
    const block = await response.getBlock();
    expect(await fixture.market.taskOf(task.id)).to.deep.equal([1n, 0n, BigInt(block!.timestamp), 250n]);
  });

  it("takes what the value lacks from the balance", async () => {
    const fixture = use();
    const task = await fixture.makeTask();
    await depositAs(fixture, COST_WEI);
    await expectMoves(fixture, () => submitAs(fixture, task, COST_WEI / 3n), {
      "wallet.owner": -COST_WEI / 3n,
      "wallet.market": COST_WEI / 3n,
      "ledger.owner": COST_WEI / 3n - COST_WEI,
    });
  });

  it("leaves what the value is above the cost in the balance", async () => {
    const fixture = use();
    const task = await fixture.makeTask();
    await expectMoves(fixture, () => submitAs(fixture, task, COST_WEI + 7n), {
      "wallet.owner": -COST_WEI - 7n,
      "wallet.market": COST_WEI + 7n,
      "ledger.owner": 7n,
    });
  });

  it("takes all from the balance, to its last wei", async () => {
    const fixture = use();
    const task = await fixture.makeTask();
    await depositAs(fixture, COST_WEI);
    await expectMoves(fixture, () => submitAs(fixture, task), { "ledger.owner": -COST_WEI });
  });

  it("RevertWhen value and balance together are a wei short", async () => {
    const fixture = use();
    const { parties } = fixture;
    const task = await fixture.makeTask();
    await depositAs(fixture, 10n);
    await expectRefusal(
      fixture,
      () => submitAs(fixture, task, COST_WEI - 11n),
      "Escrow_InsufficientBalance",
      [parties.owner.address, COST_WEI - 1n, COST_WEI],
    );
    await expectRefusal(fixture, () => submitAs(fixture, task), "Escrow_InsufficientBalance", [
      parties.owner.address,
      10n,
      COST_WEI,
    ]);
    expect((await fixture.market.taskOf(task.id)).status).to.equal(0n);
  });

  it("testFuzz_I07 any value and any balance pay, or nothing moves", async () => {
    const fixture = use();
    const { market, networkHelpers, parties } = fixture;
    const near = (wei: bigint) =>
      fc.oneof(fc.bigInt(wei - 2n, wei + 2n), fc.bigInt(0n, 2n * wei), fc.constant(0n));
    await fc.assert(
      fc.asyncProperty(near(COST_WEI), near(COST_WEI), fc.boolean(), async (value, balance, metered) => {
        const snapshot = await networkHelpers.takeSnapshot();
        if (balance !== 0n) await depositAs(fixture, balance);
        const task = await fixture.makeTask({
          price: metered ? PRICE_WEI | METERED : COST_WEI,
        });
        if (value + balance >= COST_WEI) {
          await expectMoves(fixture, () => submitAs(fixture, task, value), {
            "wallet.owner": -value,
            "wallet.market": value,
            "ledger.owner": value - COST_WEI,
          });
        } else {
          await expectRefusal(fixture, () => submitAs(fixture, task, value), "Escrow_InsufficientBalance", [
            parties.owner.address,
            balance + value,
            COST_WEI,
          ]);
          expect((await market.taskOf(task.id)).status).to.equal(0n);
        }
        await snapshot.restore();
      }),
      { seed: 7, numRuns: 25 },
    );
  });

  it("A13_RevertWhen the same terms are submitted again, live or ended", async () => {
    const fixture = use();
    const { market, parties } = fixture;
    const task = await fixture.makeTask();
    await submitAs(fixture, task, COST_WEI);
    await expectRefusal(fixture, () => submitAs(fixture, task, COST_WEI), "TaskMarket_TaskExists", [task.id]);
    await market.connect(parties.owner).cancel(task.terms, task.workHash);
    await expectRefusal(fixture, () => submitAs(fixture, task, COST_WEI), "TaskMarket_TaskExists", [task.id]);
    // Another salt makes another task.
    const again = await fixture.makeTask({ salt: fixture.ethers.id("again") });
    await expectMoves(fixture, () => submitAs(fixture, again, COST_WEI), {
      "wallet.owner": -COST_WEI,
      "wallet.market": COST_WEI,
    });
  });

  it("A12_RevertWhen terms or work are out of order: the money stays", async () => {
    const fixture = use();
    const valid = await fixture.makeTask();
    const submitWith = (changes: object) =>
      submitAs(fixture, { ...valid, terms: { ...valid.terms, ...changes } }, 2n * COST_WEI);
    await expectRefusal(fixture, () => submitWith({ price: METERED }), "Tasks_ZeroAmount");
    const late = valid.startBy | ((valid.startBy + DURATION - 1n) << 40n) | (DURATION << 80n);
    await fixture.networkHelpers.time.setNextBlockTimestamp(valid.startBy);
    await expectRefusal(fixture, () => submitWith({ conditions: late }), "Tasks_InvalidSchedule", [
      valid.startBy,
      valid.startBy,
      valid.startBy + DURATION - 1n,
      DURATION,
    ]);
  });

  it("A12_RevertWhen a feature does not fit the others, or a bit has no meaning", async () => {
    const fixture = use();
    const { ethers, parties } = fixture;
    const provider = ethers.ZeroAddress;
    const arbiter = parties.stranger.address;
    const lease = { heartbeat: 60n };
    const open = { provider, collateral: 1n, maximum: PRICE_WEI };
    const judged = { arbiter, challengePeriod: 60n };
    const now = BigInt(await fixture.networkHelpers.time.latest());
    const later = { startBy: now + 100n, completeBy: now + 20n * DAY };
    const refused: [TaskOptions, string][] = [
      [{ ...open, collateral: 0n }, "collateral"],
      [{ ...open, maximum: 0n }, "maximumWei"],
      [{ ...open, maximum: PRICE_WEI - 1n }, "maximumWei"],
      [{ maximum: PRICE_WEI }, "maximumWei"],
      [{ flags: Flag.Sealed }, "flags"],
      [{ flags: Flag.IdleStop }, "flags"],
      [{ flags: 4n }, "flags"],
      [{ ...lease, flags: 128n }, "flags"],
      [{ price: PRICE_WEI | (2n << 192n) }, "price"],
      [{ price: PRICE_WEI | METERED | (1n << 248n) }, "price"],
      [{ ...lease, price: COST_WEI }, "price"],
      [{ heartbeat: 9n }, "heartbeat"],
      [{ heartbeat: DAY + 1n }, "heartbeat"],
      [{ price: PRICE_WEI | METERED | (60n << 200n) }, "heartbeat"],
      [{ notice: 1n }, "heartbeat"],
      [{ ...lease, notice: 7n * DAY + 1n }, "notice"],
      [{ ...lease, ...judged }, "challengePeriod"],
      [{ arbiter }, "arbiter"],
      [{ challengePeriod: 60n }, "arbiter"],
      [{ ...judged, ...later, challengePeriod: 14n * DAY + 1n }, "challengePeriod"],
      [{ model: 1n, royaltyBps: 8_001n }, "royaltyBps"],
      [{ royaltyBps: 1n }, "royaltyBps"],
      // This market has no registry of models.
      [{ model: 1n, royaltyBps: 8_000n }, "model"],
      [{ model: 1n }, "model"],
    ];
    for (const [options, field] of refused) {
      const task = await fixture.makeTask(options);
      await expectRefusal(fixture, () => submitAs(fixture, task, 2n * COST_WEI), "Tasks_Unsupported", [
        field,
      ]);
    }
    const kind = await fixture.makeTask(lease);
    kind.terms.conditions += 1n << 144n;
    await expectRefusal(fixture, () => submitAs(fixture, kind, 2n * COST_WEI), "Tasks_Unsupported", ["kind"]);
    // What stands at these bounds is good.
    const allowed: TaskOptions[] = [
      open,
      { ...open, flags: Flag.Sealed },
      { ...open, ...judged, ...later, challengePeriod: 14n * DAY },
      { ...lease, heartbeat: 10n, notice: 7n * DAY, flags: Flag.IdleStop },
      { ...open, ...lease, heartbeat: DAY, flags: Flag.Sealed | Flag.IdleStop },
    ];
    for (const [i, options] of allowed.entries()) {
      const task = await fixture.makeTask({ ...options, salt: ethers.id(`allowed ${i}`) });
      await expectMoves(fixture, () => submitAs(fixture, task, COST_WEI), {
        "wallet.owner": -COST_WEI,
        "wallet.market": COST_WEI,
      });
    }
  });

  it("A12_RevertWhen the cost does not fit a ledger word", async () => {
    const fixture = use();
    const { ethers, networkHelpers, parties } = fixture;
    const limit = 2n ** 96n - 1n;
    await networkHelpers.setBalance(parties.owner.address, 2n ** 130n);
    const dear = await fixture.makeTask({ price: limit, salt: ethers.id("dear") });
    const tooDear = await fixture.makeTask({
      price: ((limit + 1n) / DURATION + 1n) | METERED,
      salt: ethers.id("too dear"),
    });
    const cost = ((limit + 1n) / DURATION + 1n) * DURATION;
    await expectRefusal(fixture, () => submitAs(fixture, tooDear, cost), "Tasks_CostTooHigh", [cost, limit]);
    await expectMoves(fixture, () => submitAs(fixture, dear, limit), {
      "wallet.owner": -limit,
      "wallet.market": limit,
    });
    await expectMoves(
      fixture,
      () => fixture.market.connect(parties.owner).cancel(dear.terms, dear.workHash),
      { "ledger.owner": limit },
    );
  });

  it("A24_RevertWhen reference, hash or resources of the work are out of order", async () => {
    const fixture = use();
    const { ethers } = fixture;
    const valid = await fixture.makeTask();
    const submitWith = (work: object) =>
      submitAs(fixture, { ...valid, work: { ...valid.work, ...work } }, COST_WEI);
    await expectRefusal(fixture, () => submitWith({ payload: "" }), "Tasks_ReferenceLength", [0n, 256n]);
    await expectRefusal(fixture, () => submitWith({ payload: "a".repeat(257) }), "Tasks_ReferenceLength", [
      257n,
      256n,
    ]);
    await expectRefusal(fixture, () => submitWith({ payloadHash: ethers.ZeroHash }), "Tasks_ZeroHash");
    await expectRefusal(fixture, () => submitWith({ resources: 1n << 160n }), "Resources_Malformed", [
      1n << 160n,
    ]);
  });

  it("A17_the id is the EIP-712 digest that a wallet computes", async () => {
    const fixture = use();
    const { ethers, market } = fixture;
    const { terms, work, workHash, backup, id } = await fixture.makeTask({ collateral: 5n });
    const encoder = ethers.TypedDataEncoder;
    expect(
      encoder.hash(await domainOf(fixture), TASK_TYPES, { ...terms, work: { ...work, backup } }),
    ).to.equal(id);
    expect(encoder.hashStruct("Work", { Work: TASK_TYPES.Work }, { ...work, backup })).to.equal(workHash);
    const asOwner = market.connect(fixture.parties.owner);
    expect(await asOwner.submit.staticCall(terms, work, { value: COST_WEI })).to.equal(id);
  });
});

describe("TaskMarket submit, paid in a token", () => {
  const use = useMarket({ token: "MockERC20" });
  const allow = async ({ erc20, market, parties }: Fixture, amount: bigint) =>
    erc20!.connect(parties.owner).approve(await market.getAddress(), amount);

  it("transfers the cost from the owner's allowance", async () => {
    const fixture = use();
    const task = await fixture.makeTask();
    await allow(fixture, COST_WEI);
    await expectMoves(fixture, () => submitAs(fixture, task), {
      "wallet.owner": -COST_WEI,
      "wallet.market": COST_WEI,
    });
    expect(await fixture.erc20!.allowance(task.terms.owner, await fixture.market.getAddress())).to.equal(0n);
  });

  it("takes all from the balance and transfers nothing", async () => {
    const fixture = use();
    const task = await fixture.makeTask();
    await depositAs(fixture, COST_WEI);
    await allow(fixture, 0n);
    await expectMoves(fixture, () => submitAs(fixture, task), { "ledger.owner": -COST_WEI });
  });

  it("transfers just what the balance lacks", async () => {
    const fixture = use();
    const task = await fixture.makeTask();
    await depositAs(fixture, COST_WEI - 9n);
    await allow(fixture, 9n);
    await expectMoves(fixture, () => submitAs(fixture, task), {
      "wallet.owner": -9n,
      "wallet.market": 9n,
      "ledger.owner": 9n - COST_WEI,
    });
  });

  it("RevertWhen the allowance is a wei short", async () => {
    const fixture = use();
    const task = await fixture.makeTask();
    const market = await fixture.market.getAddress();
    await allow(fixture, COST_WEI - 1n);
    await expectRefusal(
      fixture,
      () => submitAs(fixture, task),
      "ERC20InsufficientAllowance",
      [market, COST_WEI - 1n, COST_WEI],
      { of: fixture.erc20! },
    );
    await depositAs(fixture, 5n);
    await expectRefusal(
      fixture,
      () => submitAs(fixture, task),
      "ERC20InsufficientAllowance",
      [market, COST_WEI - 6n, COST_WEI - 5n],
      { of: fixture.erc20! },
    );
  });

  it("RevertWhen the owner has a wei too little", async () => {
    const fixture = use();
    const { erc20, parties } = fixture;
    const task = await fixture.makeTask();
    const all = await erc20!.balanceOf(parties.owner.address);
    await erc20!.connect(parties.owner).transfer(parties.stranger.address, all - COST_WEI);
    await depositAs(fixture, 5n);
    await erc20!.connect(parties.owner).transfer(parties.stranger.address, 1n);
    await expectRefusal(
      fixture,
      () => submitAs(fixture, task),
      "ERC20InsufficientBalance",
      [parties.owner.address, COST_WEI - 6n, COST_WEI - 5n],
      { of: erc20! },
    );
  });

  it("RevertWhen native value comes along, whether or not the balance covers the cost", async () => {
    const fixture = use();
    const task = await fixture.makeTask();
    await expectRefusal(fixture, () => submitAs(fixture, task, 1n), "Currency_WrongValue", [1n, 0n]);
    await depositAs(fixture, COST_WEI);
    await expectRefusal(fixture, () => submitAs(fixture, task, 1n), "Currency_WrongValue", [1n, 0n]);
    await expectRefusal(fixture, () => submitAs(fixture, task, COST_WEI), "Currency_WrongValue", [
      COST_WEI,
      0n,
    ]);
  });
});
