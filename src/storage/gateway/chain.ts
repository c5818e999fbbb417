import { createHash } from "node:crypto";
import { closeSync, existsSync, openSync, readFileSync, truncateSync, writeSync } from "node:fs";
import { addressOf, type TransactionHeader } from "../arweave/format.ts";

interface Block {
  height: number;
  hash: string;
  timeSeconds: number;
  transactions: string[];
}

type Entry =
  { transaction: TransactionHeader } | { block: Block } | { mint: { address: string; winston: string } };

interface Known {
  header: TransactionHeader;
  block?: Block;
}

/** A transaction's place in the weave: its data ends at byte `end`, counted from 1. */
interface Placed {
  id: string;
  header: TransactionHeader;
  end: number;
}

/**
 * The ledger of the local gateway: transactions, blocks and balances, in memory and in an append-only journal. A
 * journal entry is written before its request is answered; a line that a crash cut off is dropped at the next start.
 *
 * Blocks without transactions are not stored, the clock counts them: so confirmations grow as on a real network.
 */
export class Chain {
  readonly #journal: number;
  readonly #blockSeconds: number;
  readonly #known = new Map<string, Known>();
  readonly #pending = new Set<string>();
  readonly #dataRoots = new Set<string>();
  readonly #placed: Placed[] = [];
  readonly #blocks: Block[] = [];
  readonly #anchors = new Set<string>();
  readonly #balances = new Map<string, bigint>();
  readonly #lastTransactions = new Map<string, string>();
  #weaveBytes = 0;

  /** @param options.blockSeconds Time between blocks [s]; 0: only {@link Chain.mine} makes blocks. */
  constructor(options: { path: string; blockSeconds: number }) {
    this.#blockSeconds = options.blockSeconds;
    this.#apply({
      block: { height: 0, hash: blockHash("", []), timeSeconds: nowSeconds(), transactions: [] },
    });
    if (existsSync(options.path)) {
      const text = readFileSync(options.path, "utf8");
      const whole = text.slice(0, text.lastIndexOf("\n") + 1);
      truncateSync(options.path, Buffer.byteLength(whole));
      for (const line of whole.split("\n")) if (line !== "") this.#apply(JSON.parse(line) as Entry);
    }
    this.#journal = openSync(options.path, "a", 0o600);
  }

  get height(): number {
    const { height, timeSeconds } = this.#latest;
    if (this.#blockSeconds === 0) return height;
    return height + Math.max(0, Math.floor((nowSeconds() - timeSeconds) / this.#blockSeconds));
  }

  get anchor(): string {
    return this.#latest.hash;
  }

  get blockCount(): number {
    return this.#blocks.length;
  }

  get hasPending(): boolean {
    return this.#pending.size > 0;
  }

  /** The block height and confirmations of a transaction, `"pending"`, or `undefined` if it is not known. */
  find(
    id: string,
  ): { header: TransactionHeader; block: Block; confirmations: number } | "pending" | undefined {
    const known = this.#known.get(id);
    if (known?.block === undefined) return known === undefined ? undefined : "pending";
    return { header: known.header, block: known.block, confirmations: this.height - known.block.height + 1 };
  }

  expectsData(dataRoot: string, sizeBytes: number): boolean {
    return this.#dataRoots.has(`${dataRoot}-${sizeBytes}`);
  }

  /** The last byte of a mined transaction's data in the weave. */
  endOf(id: string): number | undefined {
    return this.#placed.find((placed) => placed.id === id)?.end;
  }

  /** The mined transaction whose data covers this byte of the weave, and the byte's place in that data from 0. */
  at(offset: number): { header: TransactionHeader; position: number } | undefined {
    for (const { header, end } of this.#placed) {
      const start = end - Number(header.data_size) + 1;
      if (offset >= start && offset <= end) return { header, position: offset - start };
    }
    return undefined;
  }

  balanceOf(address: string): bigint {
    return this.#balances.get(address) ?? 0n;
  }

  lastTransactionOf(address: string): string {
    return this.#lastTransactions.get(address) ?? "";
  }

  isAnchor(anchor: string, address: string): boolean {
    return this.#anchors.has(anchor) || anchor === this.lastTransactionOf(address);
  }

  mint(address: string, winston: bigint): void {
    this.#record({ mint: { address, winston: winston.toString() } });
  }

  accept(transaction: TransactionHeader): void {
    this.#record({ transaction });
  }

  mine(): { height: number; transactions: string[] } {
    const transactions = [...this.#pending];
    const height = Math.max(this.height, this.#latest.height + 1);
    const hash = blockHash(this.#latest.hash, transactions);
    this.#record({ block: { height, hash, timeSeconds: nowSeconds(), transactions } });
    return { height, transactions };
  }

  close(): void {
    closeSync(this.#journal);
  }

  get #latest(): Block {
    const latest = this.#blocks.at(-1);
    if (latest === undefined) throw new Error("a chain has a first block");
    return latest;
  }

  #record(entry: Entry): void {
    writeSync(this.#journal, `${JSON.stringify(entry)}\n`);
    this.#apply(entry);
  }

  #apply(entry: Entry): void {
    if ("mint" in entry) this.#credit(entry.mint.address, BigInt(entry.mint.winston));
    else if ("transaction" in entry) this.#applyTransaction(entry.transaction);
    else this.#applyBlock(entry.block);
  }

  #applyTransaction(header: TransactionHeader): void {
    this.#known.set(header.id, { header });
    this.#pending.add(header.id);
    if (header.data_root !== "") this.#dataRoots.add(`${header.data_root}-${header.data_size}`);
    this.#credit(addressOf(header.owner), -(BigInt(header.reward) + BigInt(header.quantity)));
  }

  #applyBlock(block: Block): void {
    this.#blocks.push(block);
    this.#anchors.add(block.hash);
    for (const id of block.transactions) {
      const known = this.#known.get(id);
      if (known === undefined) continue;
      known.block = block;
      this.#pending.delete(id);
      const { header } = known;
      this.#lastTransactions.set(addressOf(header.owner), id);
      if (header.target !== "") this.#credit(header.target, BigInt(header.quantity));
      if (header.data_root === "") continue;
      this.#weaveBytes += Number(header.data_size);
      this.#placed.push({ id, header, end: this.#weaveBytes });
    }
  }

  #credit(address: string, winston: bigint): void {
    this.#balances.set(address, this.balanceOf(address) + winston);
  }
}

function blockHash(previous: string, transactions: string[]): string {
  return createHash("sha384")
    .update(`${previous}\n${transactions.join("\n")}`)
    .digest("base64url");
}

function nowSeconds(): number {
  return Date.now() / 1000;
}
