import { concat, decodeRlp, encodeRlp, getBytes, hexlify, keccak256, type Provider, toBeArray } from "ethers";

import { type Abortable, unlessAborted } from "../abort.ts";
import { messageOf, NeuraError } from "../errors.ts";

/**
 * That a transaction's receipt is in a block, shown by the block's header and the branch of the receipts' trie. Whoever
 * trusts the hash of a block needs nothing else: no node, and no library of ours.
 */

/** The events that are proven. `assigned`: who took a task that its terms do not name a provider for. */
export const PROVEN = ["assigned", "delivered", "settled"] as const;
export type ProvenName = (typeof PROVEN)[number];

/** Where a receipt is proven. */
export interface ReceiptProof {
  /** In {@link ChainProofs.headers}. */
  readonly header: number;
  readonly transactionIndex: number;
  /** The trie's nodes from its root to the receipt, as hex. */
  readonly nodes: readonly string[];
}

export interface ChainProofs {
  /** RLP as hex, from the first to the last block; without gaps where that is not too long. */
  readonly headers: readonly string[];
  readonly receipts: Readonly<Partial<Record<ProvenName, ReceiptProof>>>;
}

/** A log of a proven receipt. */
export interface ProvenLog {
  readonly address: string;
  readonly topics: readonly string[];
  readonly data: string;
}

/** What a header says, as far as it is needed. */
export interface Header {
  readonly hash: string;
  readonly parentHash: string;
  readonly receiptsRoot: string;
  readonly number: number;
  /** [Unix s] */
  readonly timestamp: number;
}

/** Blocks between two events that are put into the file, so that the hash of the last one vouches for both. */
const MAX_GAP = 256;

/** Fields of a header in their order; `#`: a number, which RLP has without leading zeros. */
const FIELDS =
  "parentHash sha3Uncles miner stateRoot transactionsRoot receiptsRoot logsBloom #difficulty #number #gasLimit #gasUsed #timestamp extraData mixHash nonce".split(
    " ",
  );
/** What later forks added, each only behind all of those before it. */
const LATER =
  "#baseFeePerGas withdrawalsRoot #blobGasUsed #excessBlobGas parentBeaconBlockRoot requestsHash blockAccessListHash #slotNumber".split(
    " ",
  );

/** It takes a quarter of a second to load, and little of the library needs it. */
const loadTries = async () => await import("@ethereumjs/mpt");

// ---- Making ----

/** Transactions by what they did, each with the block that it is in. */
export type Wanted = Readonly<Partial<Record<ProvenName, { readonly tx: string; readonly block: number }>>>;

/**
 * Proofs of these transactions' receipts. Nothing that the node says is believed: headers must have the hash of their
 * block, receipts the root of their header. Error: `receipt.unprovable` where they have not, as on chains whose blocks
 * hash otherwise (Cosmos), and where the node does not say enough.
 */
export async function proveReceipts(
  provider: Provider,
  wanted: Wanted,
  { signal }: Abortable = {},
): Promise<ChainProofs> {
  const ask = askOf(provider, signal);
  const { createMerkleProof } = await loadTries();
  const numbers = Object.values(wanted).map(({ block }) => block);
  const [first, last] = [Math.min(...numbers), Math.max(...numbers)];
  const listed =
    last - first > MAX_GAP
      ? [...new Set(numbers)].toSorted((one, other) => one - other)
      : Array.from({ length: last - first + 1 }, (_, index) => first + index);
  const blocks: Block[] = [];
  for (const number of listed) blocks.push(await blockOf(ask, number));
  const receipts: Partial<Record<ProvenName, ReceiptProof>> = {};
  const tries = new Map<Block, Awaited<ReturnType<typeof trieOf>>>();
  for (const name of PROVEN) {
    const { tx, block: number } = wanted[name] ?? {};
    if (tx === undefined) continue;
    const header = blocks.findIndex((each) => each.header.number === number);
    const block = blocks[header];
    const transactionIndex = block?.transactions.indexOf(tx) ?? -1;
    if (block === undefined || transactionIndex < 0)
      throw unprovable(`${tx} is not in block ${number ?? ""}`);
    const trie = tries.get(block) ?? (await trieOf(ask, block));
    tries.set(block, trie);
    const nodes = await createMerkleProof(trie, keyOf(transactionIndex));
    receipts[name] = { header, transactionIndex, nodes: nodes.map((node) => hexlify(node)) };
  }
  return { headers: blocks.map(({ rlp }) => rlp), receipts };
}

interface Block {
  readonly rlp: string;
  readonly header: Header;
  readonly transactions: readonly string[];
}

type Ask = (method: string, parameters: readonly unknown[]) => Promise<unknown>;

async function blockOf(ask: Ask, number: number): Promise<Block> {
  const raw = fieldsOf(await ask("eth_getBlockByNumber", [quantity(number), false]), `block ${number}`);
  const rlp = encodeHeader(raw);
  if (keccak256(rlp) !== raw["hash"]) {
    throw unprovable(
      `the header of block ${number} does not hash to ${String(raw["hash"])}: this chain's blocks are not made as Ethereum's are`,
    );
  }
  const { transactions } = raw;
  if (!Array.isArray(transactions)) throw unprovable(`block ${number} has no transactions`);
  return { rlp, header: decodeHeader(rlp), transactions: transactions.map(String) };
}

async function trieOf(ask: Ask, { header, transactions }: Block) {
  const { createMPT } = await loadTries();
  const trie = await createMPT();
  for (const [index, raw] of (await receiptsOf(ask, header, transactions)).entries())
    await trie.put(keyOf(index), getBytes(encodeReceipt(raw)));
  if (hexlify(trie.root()) !== header.receiptsRoot) {
    throw unprovable(
      `the receipts of block ${header.number} do not have its root: this chain's receipts are not made as Ethereum's are`,
    );
  }
  return trie;
}

/** In one question where the node answers it, else in one for each. */
async function receiptsOf(
  ask: Ask,
  { number }: Header,
  transactions: readonly string[],
): Promise<Record<string, unknown>[]> {
  const all = await ask("eth_getBlockReceipts", [quantity(number)]).catch(() => undefined);
  const list: unknown[] = Array.isArray(all) ? all : [];
  if (!Array.isArray(all))
    for (const hash of transactions) list.push(await ask("eth_getTransactionReceipt", [hash]));
  return list.map((each) => fieldsOf(each, `a receipt of block ${number}`));
}

/** A block's header as RLP, of what a node says of the block. Error: `receipt.unprovable`. */
export function encodeHeader(block: Readonly<Record<string, unknown>>): string {
  const later = LATER.findIndex((field) => block[nameOf(field)] === undefined);
  const fields = [...FIELDS, ...(later < 0 ? LATER : LATER.slice(0, later))];
  return encodeRlp(fields.map((field) => itemOf(block, field)));
}

/** EIP-658, behind its type where it has one (EIP-2718). */
function encodeReceipt(raw: Readonly<Record<string, unknown>>): string {
  const { logs, type = "0x0" } = raw;
  if (!Array.isArray(logs)) throw unprovable("a receipt has no logs");
  const body = encodeRlp([
    typeof raw["root"] === "string" && raw["status"] === undefined ? raw["root"] : itemOf(raw, "#status"),
    itemOf(raw, "#cumulativeGasUsed"),
    itemOf(raw, "logsBloom"),
    logs.map((each: unknown) => {
      const log = fieldsOf(each, "a log");
      const { topics } = log;
      return [itemOf(log, "address"), Array.isArray(topics) ? topics.map(String) : [], itemOf(log, "data")];
    }),
  ]);
  const number = BigInt(String(type));
  return number === 0n ? body : concat([toBeArray(number), body]);
}

// ---- Checking ----

/** Reads a header and hashes it. Throws whatever where it is none. */
export function decodeHeader(rlp: string): Header {
  const list = decodeRlp(rlp);
  if (!Array.isArray(list) || list.length < FIELDS.length) throw new Error("it is no header");
  const item = (name: string): string => {
    const found = list[FIELDS.indexOf(name)];
    if (typeof found !== "string") throw new Error(`its ${name} is no value`);
    return found;
  };
  const number = (name: string): number => Number(BigInt(item(name) === "0x" ? "0x0" : item(name)));
  return {
    hash: keccak256(rlp),
    parentHash: item("parentHash"),
    receiptsRoot: item("receiptsRoot"),
    number: number("#number"),
    timestamp: number("#timestamp"),
  };
}

/**
 * Which headers one can rely on who trusts these hashes of blocks: those that have one, and their forebears.
 */
export function trustedHeaders(headers: readonly Header[], hashes: readonly string[]): Set<Header> {
  const trusted = new Set(hashes.map((each) => each.toLowerCase()));
  const found = new Set<Header>();
  for (const header of headers.toReversed()) {
    if (!trusted.has(header.hash)) continue;
    found.add(header);
    trusted.add(header.parentHash);
  }
  return found;
}

/** The logs of a receipt that is in this block. Throws whatever where the branch does not lead to it. */
export async function provenLogs(
  { receiptsRoot }: Header,
  { transactionIndex, nodes }: ReceiptProof,
): Promise<ProvenLog[]> {
  const [root] = nodes;
  if (root === undefined || keccak256(root) !== receiptsRoot)
    throw new Error("its branch does not end at the block's root");
  const { createMPTFromProof } = await loadTries();
  const trie = await createMPTFromProof(nodes.map((node) => getBytes(node)));
  const value = await trie.get(keyOf(transactionIndex), true);
  if (value === null) throw new Error(`its branch has no transaction ${transactionIndex}`);
  // A type is one byte below 0x80, a list begins above.
  const receipt = decodeRlp((value[0] ?? 0) < 0x80 ? value.subarray(1) : value);
  const [status, , , logs] = Array.isArray(receipt) ? receipt : [];
  if (status !== "0x01" || !Array.isArray(logs)) throw new Error("its transaction failed");
  return logs.map((log) => {
    const [address, topics, data] = Array.isArray(log) ? log : [];
    if (typeof address !== "string" || !Array.isArray(topics) || typeof data !== "string")
      throw new Error("a log cannot be read");
    return { address, topics: topics.map(String), data };
  });
}

// ---- Values ----

function keyOf(transactionIndex: number): Uint8Array {
  return getBytes(encodeRlp(toBeArray(transactionIndex)));
}

function nameOf(field: string): string {
  return field.replace("#", "");
}

function itemOf(from: Readonly<Record<string, unknown>>, field: string): string {
  const name = nameOf(field);
  const value = from[name];
  if (typeof value !== "string" || !/^0x[0-9a-f]*$/i.test(value))
    throw unprovable(`the node gives no ${name}`);
  return name === field ? value : hexlify(toBeArray(value));
}

function quantity(value: number): string {
  return `0x${value.toString(16)}`;
}

function askOf(provider: Provider, signal: AbortSignal | undefined): Ask {
  const send = "send" in provider ? provider.send : undefined;
  if (typeof send !== "function") throw unprovable("this provider sends no questions of one's own");
  return async (method, parameters) => {
    try {
      const answer: unknown = await unlessAborted(
        Promise.resolve(Reflect.apply(send, provider, [method, parameters])),
        signal,
      );
      return answer;
    } catch (error) {
      signal?.throwIfAborted();
      throw unprovable(`the node does not answer ${method}: ${messageOf(error)}`);
    }
  };
}

function fieldsOf(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null) throw unprovable(`the node does not have ${what}`);
  return { ...value };
}

function unprovable(reason: string): NeuraError {
  return new NeuraError(
    "receipt.unprovable",
    `The chain's part cannot be proven without a node: ${reason}.`,
    {
      next: "Verify the receipt with a node of the chain instead.",
    },
  );
}
