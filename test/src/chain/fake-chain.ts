import { makeError, type Provider, Transaction } from "ethers";

import type { Mined, SenderStore, SignedTransaction } from "../../../src/chain/sender.ts";

/** A chain with one account's transactions, made to misbehave by a test. */
export class FakeChain {
  baseFee: bigint | null = 1_000n;
  gasPrice = 2_000n;
  tip: bigint | null = 10n;
  balance = 10n ** 18n;
  timestamp = 1_000;
  /** Mines whatever arrives. */
  automine = true;
  /** What the next broadcasts throw, before or after the node has taken the transaction. */
  readonly faults: { error: unknown; taken: boolean }[] = [];
  /** What an estimate throws while it is set. */
  refusal: Error | undefined;
  /** Does not answer. */
  down = false;
  /** Whether the next mined transactions fail. */
  reverting = false;
  readonly pool = new Map<number, Transaction>();
  readonly mined: { transaction: Transaction; block: number; succeeded: boolean }[] = [];
  /** Hashes asked for, to see that only those are that can be there. */
  readonly asked: string[] = [];
  broadcasts = 0;

  get provider(): Provider {
    const answer =
      <T>(value: () => T) =>
      async (): Promise<T> => {
        await Promise.resolve();
        if (this.down) throw makeError("connect ECONNREFUSED", "NETWORK_ERROR", { event: "test" });
        return value();
      };
    const chain = {
      getTransactionCount: (_: string, tag: string) =>
        answer(() => this.#count() + (tag === "pending" ? this.#pooled() : 0))(),
      getBlock: answer(() => ({
        baseFeePerGas: this.baseFee,
        timestamp: this.timestamp,
        number: this.#height(),
      })),
      getBlockNumber: answer(() => this.#height()),
      getFeeData: answer(() => ({
        gasPrice: this.gasPrice,
        maxPriorityFeePerGas: this.tip,
        maxFeePerGas: null,
      })),
      getBalance: answer(() => this.balance),
      estimateGas: answer(() => {
        if (this.refusal !== undefined) throw this.refusal;
        return 50_000n;
      }),
      broadcastTransaction: async (raw: string) => {
        await answer(() => undefined)();
        this.broadcasts += 1;
        const fault = this.faults.shift();
        if (fault?.taken !== false) this.#take(Transaction.from(raw));
        if (fault) throw fault.error;
      },
      getTransactionReceipt: (hash: string) =>
        answer(() => {
          this.asked.push(hash);
          const found = this.mined.find(({ transaction }) => transaction.hash === hash);
          if (found === undefined) return null;
          const { transaction, block, succeeded } = found;
          const price = transaction.maxFeePerGas ?? transaction.gasPrice ?? 0n;
          return {
            blockNumber: block,
            gasUsed: 40_000n,
            fee: 40_000n * price,
            status: succeeded ? 1 : 0,
            hash,
          };
        })(),
    };
    return chain as unknown as Provider;
  }

  /** Mines the transactions whose turn it is. */
  mine(): void {
    for (;;) {
      const next = this.pool.get(this.#count());
      if (next === undefined) return;
      this.pool.delete(next.nonce);
      this.mined.push({ transaction: next, block: this.#height() + 1, succeeded: !this.reverting });
    }
  }

  #take(transaction: Transaction): void {
    const { nonce } = transaction;
    if (nonce < this.#count())
      throw makeError("nonce has already been used", "NONCE_EXPIRED", { transaction });
    const before = this.pool.get(nonce);
    if (before?.hash === transaction.hash) throw new Error("already known");
    const isDearer = price(transaction) * 10n >= price(before ?? transaction) * 11n;
    if (before && !isDearer) {
      throw makeError("replacement fee too low", "REPLACEMENT_UNDERPRICED", { transaction });
    }
    this.pool.set(nonce, transaction);
    if (this.automine) this.mine();
  }

  #count(): number {
    return this.mined.length;
  }

  #pooled(): number {
    let count = 0;
    while (this.pool.has(this.#count() + count)) count += 1;
    return count;
  }

  #height(): number {
    return 10 + this.mined.length;
  }
}

function price({ maxFeePerGas, gasPrice }: Transaction): bigint {
  return maxFeePerGas ?? gasPrice ?? 0n;
}

/** A record in memory; what happened to it, in order. */
export class MemoryStore implements SenderStore {
  readonly transactions: (SignedTransaction & { state: Mined | "lost" | "open" })[] = [];
  readonly log: string[] = [];

  record(transaction: SignedTransaction): void {
    this.log.push(`record ${transaction.nonce}`);
    this.transactions.push({ ...transaction, state: "open" });
  }

  open(): SignedTransaction[] {
    return this.transactions.filter(({ state }) => state === "open");
  }

  settle(nonce: number, end: Mined | "lost"): void {
    for (const each of this.transactions) {
      if (each.nonce !== nonce || each.state !== "open") continue;
      each.state = end !== "lost" && end.hash === each.hash ? end : "lost";
    }
  }

  succeeded(purpose: string): Mined | undefined {
    for (const { purpose: own, state } of this.transactions) {
      if (own === purpose && typeof state === "object" && state.succeeded) return state;
    }
    return undefined;
  }

  reopen(fromBlock: number): SignedTransaction[] {
    const again = this.transactions.filter(
      ({ state }) => typeof state === "object" && state.blockNumber >= fromBlock,
    );
    for (const each of again) each.state = "open";
    return again;
  }
}
