import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { makeError, Transaction, Wallet } from "ethers";

import { type Call, Sender, type SenderOptions } from "../../../src/chain/sender.ts";
import { type NeuraError, NeuraError as Failure } from "../../../src/errors.ts";
import { Cleanup, errorOf } from "../storage/support.ts";
import { FakeChain, MemoryStore } from "./fake-chain.ts";

const MARKET = `0x${"ab".repeat(20)}`;
const signer = new Wallet(`0x${"11".repeat(32)}`);

describe("Sender", () => {
  const cleanup = new Cleanup();
  let chain: FakeChain;
  let store: MemoryStore;
  let alerts: NeuraError[];

  beforeEach(() => {
    chain = new FakeChain();
    store = new MemoryStore();
    alerts = [];
  });
  afterEach(() => cleanup.run());

  async function open(change: Partial<SenderOptions> = {}): Promise<Sender> {
    const sender = await Sender.open({
      provider: chain.provider,
      signer,
      chainId: 267n,
      store,
      explain: (error) => error,
      pollMs: 5,
      foreignAfterMs: 50,
      onAlert: (alert) => void alerts.push(alert),
      ...change,
    });
    cleanup.add(() => sender.close());
    return sender;
  }

  const call = (purpose: string, change: Partial<Call> = {}): Call => ({
    purpose,
    to: MARKET,
    data: "0x1234",
    maxSpendWei: 10n ** 15n,
    ...change,
  });

  it("sends a call, and says what it cost", async () => {
    const sender = await open();
    const mined = await sender.send(call("deliver:1"));
    expect(mined).to.include({ succeeded: true, gasUsed: 40_000n, blockNumber: 11 });
    const { transaction } = chain.mined[0]!;
    expect(transaction.gasLimit).to.equal(60_000n);
    expect(transaction.maxFeePerGas).to.equal(2_010n);
    expect(transaction.maxPriorityFeePerGas).to.equal(10n);
    expect(mined.spentWei).to.equal(40_000n * 2_010n);
  });

  it("N11_puts a transaction on record before it sends it", async () => {
    const broadcastsAtRecord: number[] = [];
    const sender = await open({
      onStep: (step) => step === "signed" && broadcastsAtRecord.push(chain.broadcasts),
    });
    await sender.send(call("deliver:1"));
    expect(store.log).to.deep.equal(["record 0"]);
    expect(broadcastsAtRecord).to.deep.equal([0]);
  });

  it("N08_serves a purpose once, however often it is asked, at once or later", async () => {
    const sender = await open();
    const same = await Promise.all([1, 2, 3].map(() => sender.send(call("deliver:1"))));
    expect(new Set(same.map(({ hash }) => hash)).size).to.equal(1);
    await sender.send(call("deliver:1"));
    expect(chain.mined).to.have.length(1);
  });

  it("N12_gives nonces in order to what is sent at once", async () => {
    chain.automine = false;
    const sender = await open();
    const sent = [1, 2, 3, 4].map((id) => sender.send(call(`deliver:${id}`)));
    await eventually(() => chain.pool.size === 4);
    expect([...chain.pool.keys()]).to.deep.equal([0, 1, 2, 3]);
    expect(chain.asked).to.deep.equal([]);
    chain.mine();
    await Promise.all(sent);
  });

  it("N11_finds its transaction again after a crash between record and sending, and sends it", async () => {
    chain.down = false;
    const first = await open({
      onStep: (step) => {
        if (step === "signed") throw new Error("killed");
      },
    });
    await first.send(call("deliver:1")).catch(() => undefined);
    await first.close();
    expect(chain.broadcasts).to.equal(0);
    expect(store.open()).to.have.length(1);
    const [recorded] = store.open();

    const second = await open();
    const mined = await second.send(call("deliver:1"));
    expect(mined.hash).to.equal(recorded!.hash);
    expect(chain.mined).to.have.length(1);
  });

  it("N11_finds its transaction again after a crash between sending and receipt", async () => {
    chain.automine = false;
    const first = await open();
    const lost = first.send(call("deliver:1")).catch(() => undefined);
    await eventually(() => chain.pool.size === 1);
    await first.close();
    await lost;
    chain.mine();

    const second = await open();
    await second.send(call("deliver:1"));
    chain.automine = true;
    await second.send(call("deliver:2"));
    expect(store.transactions.map(({ nonce, purpose }) => [nonce, purpose])).to.deep.equal([
      [0, "deliver:1"],
      [1, "deliver:2"],
    ]);
  });

  it("N11_an answer that is lost costs nothing: the transaction is there, or is sent again", async () => {
    const lost = makeError("timeout", "TIMEOUT", {
      operation: "send",
      reason: "timeout",
      request: undefined as never,
    });
    chain.faults.push({ error: lost, taken: true });
    const sender = await open();
    await sender.send(call("deliver:1"));
    expect(chain.mined).to.have.length(1);
  });

  it("believes the receipt where a node reports an error for what it has mined", async () => {
    chain.reverting = true;
    chain.faults.push({ error: new Error("Transaction reverted without a reason"), taken: true });
    chain.refusal = undefined;
    const sender = await open();
    const error = await errorOf(sender.send(call("deliver:1")));
    expect(error.code).to.equal("chain.reverted");
    expect(store.transactions[0]!.state).to.include({ succeeded: false });
  });

  it("N12_raises an alarm for a stranger's transaction that is known, and goes on behind it", async () => {
    chain.automine = false;
    const sender = await open();
    await strangerSends(0);
    const sent = sender.send(call("deliver:1"));
    await eventually(() => chain.pool.size === 2);
    chain.mine();
    await sent;
    expect(alerts.map(({ code }) => code)).to.deep.equal(["sender.foreign-transaction"]);
    expect(chain.mined.map(({ transaction }) => transaction.nonce)).to.deep.equal([0, 1]);
  });

  it("N12_raises an alarm when a stranger's transaction takes the nonce, and sends its own anew", async () => {
    chain.automine = false;
    const sender = await open();
    const sent = sender.send(call("deliver:1"));
    await eventually(() => chain.pool.size === 1);
    chain.pool.clear();
    await strangerSends(0);
    chain.automine = true;
    chain.mine();
    const mined = await sent;
    expect(mined.succeeded).to.be.true;
    expect(alerts.map(({ code }) => code)).to.include("sender.foreign-transaction");
    expect(chain.mined.map(({ transaction }) => transaction.nonce)).to.deep.equal([0, 1]);
  });

  it("N13_raises the fee under the same nonce when it is stuck", async () => {
    chain.automine = false;
    const sender = await open({ bumpAfterMs: 30 });
    const sent = sender.send(call("deliver:1"));
    await eventually(() => store.transactions.length >= 3);
    chain.mine();
    const mined = await sent;
    const [first, second] = store.transactions.map(({ raw }) => Transaction.from(raw));
    expect(first!.nonce).to.equal(second!.nonce);
    expect(second!.maxFeePerGas! * 100n >= first!.maxFeePerGas! * 113n).to.be.true;
    expect(second!.maxPriorityFeePerGas! * 100n >= first!.maxPriorityFeePerGas! * 113n).to.be.true;
    expect(second!.data).to.equal(first!.data);
    expect(chain.mined).to.have.length(1);
    expect(mined.hash).to.equal(chain.mined[0]!.transaction.hash);
    expect(store.open()).to.deep.equal([]);
  });

  it("N13_stops raising at the ceiling, and says so once", async () => {
    chain.automine = false;
    const sender = await open({ bumpAfterMs: 10 });
    const sent = sender.send(call("deliver:1", { maxSpendWei: 60_000n * 2_500n }));
    await eventually(() => alerts.length > 0);
    await sleep(50);
    expect(alerts.map(({ code }) => code)).to.deep.equal(["sender.stuck"]);
    for (const { raw } of store.transactions) {
      const { gasLimit, maxFeePerGas } = Transaction.from(raw);
      expect(gasLimit * maxFeePerGas! <= 60_000n * 2_500n).to.be.true;
    }
    chain.mine();
    await sent;
  });

  it("N13_makes void what is stuck beyond its last second", async () => {
    chain.automine = false;
    const sender = await open({ bumpAfterMs: 20 });
    const sent = sender.send(call("deliver:1", { untilSeconds: 2_000 }));
    await eventually(() => chain.pool.size === 1);
    chain.timestamp = 2_001;
    await eventually(() => chain.pool.get(0)?.to === signer.address);
    chain.mine();
    expect((await errorOf(sent)).code).to.equal("sender.void");
    expect(chain.mined[0]!.transaction.data).to.equal("0x");

    // It does not count as done.
    chain.automine = true;
    await sender.send(call("deliver:1"));
    expect(chain.mined[1]!.transaction.data).to.equal("0x1234");
  });

  it("N13_sends nothing that is dearer than its bound, or than the account can pay", async () => {
    const sender = await open();
    const dear = await errorOf(sender.send(call("deliver:1", { maxSpendWei: 1_000n })));
    expect(dear.code).to.equal("sender.too-expensive");
    chain.balance = 100n;
    const poor = await errorOf(sender.send(call("deliver:1", { valueWei: 7n })));
    expect(poor.code).to.equal("sender.insufficient-funds");
    const missing = 60_000n * 2_010n + 7n - 100n;
    expect(poor.next).to.equal(
      `Send at least ${missing} wei of the chain's native coin to ${signer.address}.`,
    );
    expect(chain.broadcasts).to.equal(0);
    expect(store.log).to.deep.equal([]);
  });

  it("N15_sends nothing that would revert, and says what the contract says", async () => {
    chain.refusal = makeError("execution reverted", "CALL_EXCEPTION", {
      action: "estimateGas",
      data: "0x",
      reason: null,
      transaction: { to: MARKET, data: "0x1234" },
      invocation: null,
      revert: null,
    });
    const plain = await errorOf((await open()).send(call("deliver:1")));
    expect(plain.code).to.equal("chain.reverted");
    const explained = new Failure("task.too-late", "Too late.");
    const sender = await open({ explain: () => explained });
    expect(await errorOf(sender.send(call("deliver:1")))).to.equal(explained);
    expect(chain.broadcasts).to.equal(0);
  });

  it("frees the nonce of what the node refuses for good", async () => {
    chain.faults.push({ error: new Error("max fee per gas less than block base fee"), taken: false });
    const sender = await open();
    expect((await errorOf(sender.send(call("deliver:1")))).code).to.equal("sender.refused");
    await sender.send(call("deliver:2"));
    expect(chain.mined.map(({ transaction }) => transaction.nonce)).to.deep.equal([0]);
  });

  it("is right on chains with a base fee of zero, and on those with none", async () => {
    chain.baseFee = 0n;
    chain.tip = null;
    chain.gasPrice = 0n;
    const sender = await open();
    await sender.send(call("deliver:1"));
    chain.baseFee = null;
    chain.gasPrice = 7n;
    await sender.send(call("deliver:2"));
    const [zero, none] = chain.mined.map(({ transaction }) => transaction);
    expect([zero!.type, zero!.maxFeePerGas, zero!.maxPriorityFeePerGas]).to.deep.equal([2, 1n, 1n]);
    expect([none!.type, none!.gasPrice]).to.deep.equal([0, 7n]);
  });

  it("goes on when the node is gone for a while", async () => {
    chain.automine = false;
    const sender = await open();
    const sent = sender.send(call("deliver:1"));
    await eventually(() => chain.pool.size === 1);
    chain.down = true;
    await sleep(30);
    chain.down = false;
    chain.mine();
    await sent;
    expect(alerts[0]?.code).to.equal("chain.unavailable");
    expect((await errorOf(Sender.open({ ...down(), provider: down().provider }))).code).to.equal(
      "chain.unavailable",
    );

    function down(): SenderOptions {
      const gone = new FakeChain();
      gone.down = true;
      return { provider: gone.provider, signer, chainId: 267n, store, explain: (error) => error };
    }
  });

  it("N07_waits for the confirmations that it is told to", async () => {
    const sender = await open({ confirmations: 2 });
    let isDone = false;
    const sent = sender.send(call("deliver:1")).then(() => (isDone = true));
    await eventually(() => chain.mined.length === 1);
    await sleep(40);
    expect(isDone).to.be.false;
    await strangerSends(1);
    await strangerSends(2);
    await sent;
  });

  it("N07_sends again what a reorganisation took out", async () => {
    const sender = await open();
    const { hash } = await sender.send(call("deliver:1"));
    chain.mined.length = 0;
    expect(sender.reopen(11)).to.deep.equal(["deliver:1"]);
    const again = await sender.send(call("deliver:1"));
    expect(again.hash).to.equal(hash);
    expect(chain.mined).to.have.length(1);
  });

  /** The same key at work somewhere else. */
  async function strangerSends(nonce: number): Promise<void> {
    const transaction = {
      to: MARKET,
      nonce,
      gasLimit: 21_000n,
      chainId: 267n,
      maxFeePerGas: 10_000n,
      type: 2,
    };
    const raw = await signer.signTransaction({ ...transaction, maxPriorityFeePerGas: 100n });
    await chain.provider.broadcastTransaction(raw);
  }
});

async function eventually(condition: () => boolean): Promise<void> {
  for (let tries = 0; tries < 500; tries++) {
    if (condition()) return;
    await sleep(5);
  }
  throw new Error("it did not come to that");
}
