import { join } from "node:path";
import { expect } from "chai";
import fc from "fast-check";

import { Journal } from "../../../src/provider/journal.ts";
import { lockDirectory } from "../../../src/provider/lock.ts";
import { openDatabase } from "../../../src/sqlite.ts";
import { taskId, type Task } from "../../../src/market/terms.ts";
import { MACHINE } from "../market/support.ts";
import { Cleanup, errorOf } from "../storage/support.ts";

const DOMAIN = { chainId: 267n, market: `0x${"ab".repeat(20)}` };
const BLOCK = { number: 7, hash: `0x${"77".repeat(32)}` };

function taskOf(number: number): Task {
  const terms = {
    owner: `0x${"11".repeat(20)}`,
    provider: `0x${"22".repeat(20)}`,
    price: { amountWei: 5n + BigInt(number), metered: true },
    conditions: { startBySeconds: 10, completeBySeconds: 100, durationSeconds: 50, keyEpoch: 1 },
    collateralWei: 3n,
    salt: `0x${"33".repeat(32)}`,
  };
  const work = { resources: MACHINE, payloadHash: `0x${"44".repeat(32)}`, payload: "ar://payload" };
  return { id: taskId(DOMAIN, terms, work), terms, work };
}

describe("Journal", () => {
  const cleanup = new Cleanup();
  let path: string;
  afterEach(() => cleanup.run());
  beforeEach(() => {
    path = join(cleanup.directory(), "journal.sqlite");
  });

  async function open(domain = DOMAIN): Promise<Journal> {
    const journal = await Journal.open(path, domain);
    cleanup.add(() => journal.close());
    return journal;
  }

  it("N08_keeps a task once, as it was announced first, and by chain and market", async () => {
    const journal = await open();
    const task = taskOf(1);
    expect(journal.add(task, BLOCK, 1)).to.be.true;
    journal.advance(task.id, "fetched", { inputRoot: "0x01" }, 2);
    expect(journal.add(task, { ...BLOCK, number: 9 }, 3)).to.be.false;
    expect(journal.get(task.id)).to.deep.include({
      task,
      step: "fetched",
      block: BLOCK,
      facts: { inputRoot: "0x01" },
      times: { found: 1, fetched: 2 },
    });
    const other = await open({ ...DOMAIN, chainId: 268n });
    expect(other.get(task.id)).to.be.undefined;
    expect(other.add(task, BLOCK, 1)).to.be.true;
  });

  it("has everything again after it was closed", async () => {
    const first = await Journal.open(path, DOMAIN);
    const task = taskOf(1);
    first.add(task, BLOCK, 1);
    first.advance(task.id, "sealed", { resultHash: "0xaa" }, 2);
    first.checkpoint(BLOCK);
    first.close();
    const again = await open();
    expect(again.get(task.id)?.facts).to.deep.equal({ resultHash: "0xaa" });
    expect(again.checkpoints()).to.deep.equal([BLOCK]);
  });

  it("adds up what is known of a task, whatever the order", async () => {
    const journal = await open();
    const task = taskOf(1);
    journal.add(task, BLOCK, 0);
    fc.assert(
      fc.property(
        fc.array(fc.record({ attempts: fc.nat(9), runSeconds: fc.nat(99) }, { requiredKeys: [] })),
        (changes) => {
          const before = journal.get(task.id)!.facts;
          for (const change of changes) journal.learn(task.id, change);
          expect(journal.get(task.id)!.facts).to.deep.equal(Object.assign({}, before, ...changes));
        },
      ),
      { numRuns: 50 },
    );
  });

  it("lists open tasks, those of later blocks, and sums up what was earned and spent", async () => {
    const journal = await open();
    const [one, two, three] = [taskOf(1), taskOf(2), taskOf(3)];
    for (const [index, task] of [one, two, three].entries()) {
      journal.add(task, { number: 10 + index, hash: BLOCK.hash }, 0);
    }
    journal.advance(one.id, "done", { outcome: "Completed", earnedWei: "100" }, 1);
    journal.advance(two.id, "done", { outcome: "PriceTooLow" }, 1);
    const sent = {
      hash: "0x01",
      nonce: 0,
      purpose: `deliver:${one.id}`,
      raw: "0x",
      maxSpendWei: 9n,
      untilSeconds: 5,
    };
    journal.record(sent);
    journal.settle(0, { hash: "0x01", blockNumber: 12, succeeded: true, gasUsed: 2n, spentWei: 7n });
    expect(journal.list({ open: true }).map(({ task }) => task.id)).to.deep.equal([three.id]);
    expect(journal.list({ fromBlock: 11 }).map(({ task }) => task.id)).to.deep.equal([two.id, three.id]);
    expect(journal.gasOf(one.id)).to.equal(7n);
    expect(journal.ledger()).to.deep.equal({
      earnedWei: 100n,
      gasWei: 7n,
      tasks: { Completed: 1, PriceTooLow: 1, open: 1 },
    });
  });

  it("keeps transactions: open ones in order, the end of each, and takes an end back", async () => {
    const journal = await open();
    const sent = (hash: string, nonce: number) => ({
      hash,
      nonce,
      purpose: `deliver:${nonce}`,
      raw: `${hash}ff`,
      maxSpendWei: 10n ** 20n,
      untilSeconds: undefined,
    });
    for (const each of [sent("0x0a", 0), sent("0x0b", 0), sent("0x0c", 1)]) journal.record(each);
    expect(journal.open()).to.deep.equal([sent("0x0a", 0), sent("0x0b", 0), sent("0x0c", 1)]);
    const end = { hash: "0x0b", blockNumber: 5, succeeded: true, gasUsed: 1n, spentWei: 2n };
    journal.settle(0, end);
    expect(journal.open()).to.deep.equal([sent("0x0c", 1)]);
    expect(journal.succeeded("deliver:0")).to.deep.equal(end);
    journal.settle(1, "lost");
    expect(journal.open()).to.deep.equal([]);
    expect(journal.reopen(6)).to.deep.equal([]);
    expect(journal.reopen(5)).to.deep.equal([sent("0x0b", 0)]);
    expect(journal.succeeded("deliver:0")).to.be.undefined;
    expect(journal.open()).to.deep.equal([sent("0x0b", 0)]);
  });

  it("drops the checkpoints behind the one that is noted", async () => {
    const journal = await open();
    for (const number of [5, 6, 9]) journal.checkpoint({ number, hash: `0x${number}` });
    journal.checkpoint({ number: 6, hash: "0xnew" });
    expect(journal.checkpoints()).to.deep.equal([
      { number: 6, hash: "0xnew" },
      { number: 5, hash: "0x5" },
    ]);
  });

  it("refuses a file of another version with words, and leaves it as it is", async () => {
    const database = await openDatabase(path);
    database.exec("PRAGMA user_version = 9");
    database.close();
    const error = await errorOf(Journal.open(path, DOMAIN));
    expect(error.code).to.equal("provider.journal-version");
    expect(error.message).to.include("version 9").and.to.include("version 2");
  });

  it("reads a file of the version before, and keeps programs of that version away from then on", async () => {
    const task = taskOf(1);
    const before = await Journal.open(path, DOMAIN);
    before.add(task, BLOCK, 1);
    before.close();
    const database = await openDatabase(path);
    database.exec("PRAGMA user_version = 1");
    database.close();
    expect((await open()).get(task.id)).to.deep.include({ task, step: "found" });
    const after = await openDatabase(path);
    expect(after.prepare("PRAGMA user_version").get()).to.deep.include({ user_version: 2 });
    after.close();
  });

  it("keeps a task's backup, and forgets a task that was never its own", async () => {
    const journal = await open();
    const { terms, work } = taskOf(1);
    const whole = { ...work, backup: `0x${"AB".repeat(20)}` };
    const task = { id: taskId(DOMAIN, terms, whole), terms, work: whole };
    journal.add(task, BLOCK, 1, { step: "standby" });
    expect(journal.get(task.id)).to.deep.include({ task, step: "standby", times: { standby: 1 } });
    journal.forget(task.id);
    expect(journal.get(task.id)).to.be.undefined;
    expect(journal.add(task, BLOCK, 2)).to.be.true;
  });

  it("folds heartbeats together, and keeps what they cost", async () => {
    const journal = await open();
    const beat = (nonce: number, purpose: string, blockNumber: number): void => {
      const hash = `0x${nonce}`;
      journal.record({ hash, nonce, purpose, raw: "0x", maxSpendWei: 9n, untilSeconds: undefined });
      journal.settle(nonce, {
        hash,
        blockNumber,
        succeeded: true,
        gasUsed: 2n,
        spentWei: 10n ** BigInt(nonce),
      });
    };
    for (let nonce = 0; nonce < 4; nonce++) beat(nonce, `heartbeat:${nonce}`, nonce);
    beat(4, "deliver:4", 2);
    beat(5, "heartbeat:5", 9);
    const gas = journal.ledger().gasWei;
    expect(gas).to.equal(111_111n);
    for (const toBlock of [2, 2, 3, 8]) {
      journal.fold("heartbeat", toBlock);
      expect(journal.ledger().gasWei, `${toBlock}`).to.equal(gas);
    }
    expect(journal.succeeded("heartbeat:1")).to.be.undefined;
    expect(journal.succeeded("heartbeat:5")).not.to.be.undefined;
    expect(journal.succeeded("deliver:4")).not.to.be.undefined;
    expect(journal.reopen(1).map(({ purpose }) => purpose)).to.have.members(["deliver:4", "heartbeat:5"]);
  });

  it("N12_lets one process at a time into a folder, and the next after it has gone", async () => {
    const directory = cleanup.directory();
    const unlock = await lockDirectory(directory);
    const error = await errorOf(lockDirectory(directory));
    expect(error.code).to.equal("provider.locked");
    expect(error.message).to.include(`process ${process.pid}`);
    unlock();
    (await lockDirectory(directory))();
  });
});
