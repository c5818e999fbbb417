import type { Interface } from "ethers";
import { getAddress, id, toQuantity } from "ethers";
import { network } from "hardhat";
import type { NetworkConnection } from "hardhat/types/network";

/** What a transaction did. */
export interface Sent {
  readonly ok: boolean;
  readonly gasWei: bigint;
  readonly atSeconds: number;
  readonly logs: readonly {
    readonly address: string;
    readonly topics: readonly string[];
    readonly data: string;
  }[];
}

/** More gas than any transaction of the simulation takes. */
const GAS = 15_000_000;
const FIRST_SECONDS = 2_000_000_000;

interface Waiting {
  readonly atSeconds: number;
  readonly order: number;
  readonly wake: () => void;
}

interface Pending {
  readonly hash: Promise<string>;
  readonly from: string;
  readonly settle: (sent: Sent) => void;
}

/**
 * A chain in this process whose time is the simulation's. Whoever takes part is an `async` function that waits for
 * moments and for its transactions; all transactions of one moment go into one block, in the order in which they were
 * sent. Nothing depends on how fast this runs, so equal seeds give equal chains.
 */
export class SimulatedChain {
  readonly connection: NetworkConnection;
  readonly gasPriceWei: bigint;
  /** The time of the newest block, or the moment that is being played [Unix s]. */
  nowSeconds = FIRST_SECONDS;
  transactions = 0;
  failed = 0;
  blocks = 0;
  /** Gas that each account paid for [wei]. */
  readonly gasPaidWei = new Map<string, bigint>();
  readonly #waiting: Waiting[] = [];
  #pending: Pending[] = [];
  #order = 0;
  /** Questions to the chain that have no answer yet. */
  #asking = 0;
  #blockSeconds = FIRST_SECONDS;

  private constructor(connection: NetworkConnection, gasPriceWei: bigint) {
    this.connection = connection;
    this.gasPriceWei = gasPriceWei;
  }

  static async create({ gasPriceWei }: { gasPriceWei: bigint }): Promise<SimulatedChain> {
    const connection = await network.create({
      override: { initialBaseFeePerGas: 0n, blockGasLimit: 1_000_000_000_000n },
    });
    return new SimulatedChain(connection, gasPriceWei);
  }

  /** From here on blocks are made by {@link run} alone. */
  async start(): Promise<void> {
    await this.#request("evm_setNextBlockTimestamp", [FIRST_SECONDS]);
    await this.#request("evm_mine", []);
    await this.#request("evm_setAutomine", [false]);
  }

  /** An account that needs no key, with this much of the coin. */
  async account(name: string, balanceWei: bigint): Promise<string> {
    const address = getAddress(`0x${id(name).slice(-40)}`);
    await this.#request("hardhat_impersonateAccount", [address]);
    await this.#request("hardhat_setBalance", [address, toQuantity(balanceWei)]);
    return address;
  }

  /** Goes on at that moment, or at once where it has passed. */
  async at(atSeconds: number): Promise<void> {
    await new Promise<void>((wake) => {
      const each = { atSeconds, order: this.#order++, wake };
      // Latest first: what comes next is at the end.
      let [low, high] = [0, this.#waiting.length];
      while (low < high) {
        const middle = (low + high) >> 1;
        const other = this.#waiting[middle];
        if (other !== undefined && isBefore(each, other)) low = middle + 1;
        else high = middle;
      }
      this.#waiting.splice(low, 0, each);
    });
  }

  /** Sends a transaction; goes on when it is in a block, whether it succeeded or not. */
  async send(from: string, to: string, data: string, valueWei = 0n): Promise<Sent> {
    return await new Promise<Sent>((settle) => {
      const transaction = {
        ...{ from, to, data, value: toQuantity(valueWei) },
        ...{ gas: toQuantity(GAS), gasPrice: toQuantity(this.gasPriceWei) },
      };
      const hash = this.#request("eth_sendTransaction", [transaction]).then(String);
      this.#pending.push({ hash, from, settle });
    });
  }

  /** What a contract answers, as of the newest block. */
  async call<T>(contract: Interface, to: string, name: string, args: readonly unknown[]): Promise<T> {
    this.#asking++;
    try {
      const data = contract.encodeFunctionData(name, args);
      const answer = String(await this.#request("eth_call", [{ to, data }, "latest"]));
      // The ABI that the caller's type was generated from decodes it.
      return contract.decodeFunctionResult(name, answer) as unknown as T;
    } finally {
      this.#asking--;
    }
  }

  async balanceOf(account: string): Promise<bigint> {
    return BigInt(String(await this.#request("eth_getBalance", [account, "latest"])));
  }

  /** Plays until nobody waits for anything. */
  async run(onBlock: (chain: this) => void = () => undefined): Promise<void> {
    await this.#settleDown();
    for (;;) {
      if (this.#pending.length > 0) {
        await this.#mine();
        onBlock(this);
      } else {
        const next = this.#next();
        if (next === undefined) return;
        this.nowSeconds = Math.max(this.nowSeconds, next.atSeconds);
        next.wake();
        // All that happens at the same moment comes into the same block.
        for (let same = this.#next(this.nowSeconds); same; same = this.#next(this.nowSeconds)) same.wake();
      }
      await this.#settleDown();
    }
  }

  /** Takes the first of those that wait, if its moment is not after `untilSeconds`. */
  #next(untilSeconds = Infinity): Waiting | undefined {
    const first = this.#waiting.at(-1);
    if (first === undefined || first.atSeconds > untilSeconds) return undefined;
    return this.#waiting.pop();
  }

  async #mine(): Promise<void> {
    const pending = this.#pending;
    this.#pending = [];
    const hashes = await Promise.all(pending.map(({ hash }) => hash));
    this.#blockSeconds = Math.max(this.nowSeconds, this.#blockSeconds + 1);
    this.nowSeconds = this.#blockSeconds;
    await this.#request("evm_setNextBlockTimestamp", [this.#blockSeconds]);
    await this.#request("evm_mine", []);
    this.blocks++;
    const receipts = await Promise.all(
      hashes.map((hash) => this.#request("eth_getTransactionReceipt", [hash])),
    );
    for (const [index, { from, settle }] of pending.entries()) {
      const receipt = receipts[index] as Receipt | null | undefined;
      if (!receipt) throw new Error("a transaction did not fit into its block");
      const gasWei = BigInt(receipt.gasUsed) * this.gasPriceWei;
      const ok = BigInt(receipt.status) === 1n;
      this.transactions++;
      if (!ok) this.failed++;
      this.gasPaidWei.set(from, (this.gasPaidWei.get(from) ?? 0n) + gasWei);
      settle({ ok, gasWei, atSeconds: this.#blockSeconds, logs: receipt.logs });
    }
  }

  /** Until nobody has anything left to do at this moment. */
  async #settleDown(): Promise<void> {
    do await new Promise((resolve) => setImmediate(resolve));
    while (this.#asking > 0);
  }

  async #request(method: string, params: unknown[]): Promise<unknown> {
    return await this.connection.provider.request({ method, params });
  }
}

interface Receipt {
  readonly gasUsed: string;
  readonly status: string;
  readonly logs: Sent["logs"];
}

function isBefore(one: Waiting, other: Waiting): boolean {
  return one.atSeconds < other.atSeconds || (one.atSeconds === other.atSeconds && one.order < other.order);
}

/** Numbers from 0 to 1 that depend on the seed alone (mulberry32). */
export function random(seed: string): () => number {
  let state = Number(BigInt.asUintN(32, BigInt(id(seed))));
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
