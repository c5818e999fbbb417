import { getAddress, isError, type Log, type Provider } from "ethers";

import { unlessAborted } from "../abort.ts";
import { messageOf, NeuraError } from "../errors.ts";

export interface LogQuery {
  provider: Provider;
  address: string;
  /** As in `eth_getLogs`: one position each, `null` for any, a list for one of several. */
  topics: (string | string[] | null)[];
  /** First and last block, both included. What is ahead of the chain's head is left out; without `toBlock`, up to the head. */
  fromBlock: number;
  toBlock?: number | undefined;
  /** From the first block on, or from the last one back. Default: forward. */
  direction?: "forward" | "backward";
  /** The most blocks of one request. Default: 10,000, which Cosmos chains allow. */
  maxBlocks?: number;
  signal?: AbortSignal | undefined;
}

/** The logs of a range of blocks, in the order of the chain. */
export interface LogPage {
  readonly fromBlock: number;
  readonly toBlock: number;
  readonly logs: readonly Log[];
}

const MAX_BLOCKS = 10_000;
/** How far a page at the head may be ahead of the node that answers: load balancers mix nodes. */
const HEAD_ATTEMPTS = 3;

/**
 * The logs of a range of blocks, page by page; the pages are adjacent and cover the range, so that `toBlock` of
 * the last one is where a later call goes on. A range that the node refuses is asked for in halves.
 *
 * Errors: `chain.unavailable` when the node does not answer, `chain.logs-refused` when it refuses even one block.
 */
export async function* readLogs(query: LogQuery): AsyncGenerator<LogPage> {
  const { provider, topics, direction = "forward", maxBlocks = MAX_BLOCKS, signal } = query;
  const address = getAddress(query.address);
  const head = await unlessAborted(headOf(provider), signal);
  // The genesis block has no logs, and some chains have no block 0.
  let first = Math.max(query.fromBlock, 1);
  let last = Math.min(query.toBlock ?? head, head);
  let blocks = maxBlocks;
  let refusals = 0;
  while (first <= last) {
    const forward = direction === "forward";
    const fromBlock = forward ? first : Math.max(first, last - blocks + 1);
    const toBlock = forward ? Math.min(last, first + blocks - 1) : last;
    let logs: Log[];
    try {
      logs = await unlessAborted(provider.getLogs({ address, topics, fromBlock, toBlock }), signal);
    } catch (error) {
      signal?.throwIfAborted();
      if (isUnreachable(error)) throw unavailable(error);
      if (fromBlock < toBlock) {
        blocks = Math.ceil((toBlock - fromBlock + 1) / 2);
        continue;
      }
      refusals += 1;
      const now = await unlessAborted(headOf(provider), signal);
      if (forward && now < toBlock) return;
      if (refusals >= HEAD_ATTEMPTS) throw refused(toBlock, error);
      continue;
    }
    refusals = 0;
    blocks = Math.min(2 * blocks, maxBlocks);
    yield { fromBlock, toBlock, logs };
    if (forward) first = toBlock + 1;
    else last = fromBlock - 1;
  }
}

/** All logs that {@link readLogs} finds, in the order of the chain. For ranges whose logs fit into memory. */
export async function collectLogs(query: Omit<LogQuery, "direction">): Promise<Log[]> {
  const logs: Log[] = [];
  for await (const page of readLogs(query)) logs.push(...page.logs);
  return logs;
}

async function headOf(provider: Provider): Promise<number> {
  try {
    return await provider.getBlockNumber();
  } catch (error) {
    throw unavailable(error);
  }
}

function isUnreachable(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return (
    isError(error, "NETWORK_ERROR") ||
    code === "ECONNREFUSED" ||
    code === "ECONNRESET" ||
    code === "ENOTFOUND"
  );
}

function unavailable(cause: unknown): NeuraError {
  return new NeuraError("chain.unavailable", `The chain's node does not answer: ${messageOf(cause)}.`, {
    next: "Check the node's URL and that it runs, then try again.",
    cause,
  });
}

function refused(block: number, cause: unknown): NeuraError {
  return new NeuraError(
    "chain.logs-refused",
    `The node does not give the logs of block ${block}: ${messageOf(cause)}.`,
    {
      next: "Use a node that keeps the logs of old blocks.",
      cause,
      details: { block },
    },
  );
}
