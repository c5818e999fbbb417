import { setTimeout as sleep } from "node:timers/promises";
import { getAddress, type Log, type Provider } from "ethers";

import { unlessAborted } from "../abort.ts";
import { isNeuraError, messageOf, NeuraError } from "../errors.ts";
import { isOutage, unavailable } from "./errors.ts";

export interface LogQuery {
  provider: Provider;
  /** One contract, or several. */
  address: string | readonly string[];
  /** As in `eth_getLogs`: one position each, `null` for any, a list for one of several. */
  topics: (string | string[] | null)[];
  /** First and last block, both included. What is ahead of the chain's head is left out; without `toBlock`, up to the head. */
  fromBlock: number;
  toBlock?: number | undefined;
  /** From the first block on, or from the last one back. Default: forward. */
  direction?: "forward" | "backward";
  /** The most blocks of one request. Default: 10,000, which Cosmos chains allow. */
  maxBlocks?: number;
  /** The first pause before a question is asked again that the node had no time for [ms]; each is twice as long. Default: 250. */
  pauseMs?: number;
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
/** How often a node is asked that is busy or does not answer: for about 4 seconds. */
const OUTAGE_ATTEMPTS = 5;

/**
 * The logs of a range of blocks, page by page; the pages are adjacent and cover the range, so that `toBlock` of
 * the last one is where a later call goes on. A range that the node refuses is asked for in halves; a node that is
 * busy is asked again.
 *
 * Errors: `chain.unavailable` when the node does not answer, `chain.logs-refused` when it refuses even one block.
 */
export async function* readLogs(query: LogQuery): AsyncGenerator<LogPage> {
  const { provider, topics, direction = "forward", maxBlocks = MAX_BLOCKS, pauseMs = 250, signal } = query;
  const address = [query.address].flat().map((each) => getAddress(each));
  const ask = <T>(question: () => Promise<T>): Promise<T> => asking(question, pauseMs, signal);
  const headNow = (): Promise<number> =>
    ask(() => provider.getBlockNumber()).catch((error: unknown) => {
      signal?.throwIfAborted();
      throw unavailable(error);
    });
  const head = await headNow();
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
      logs = await ask(() => provider.getLogs({ address, topics, fromBlock, toBlock }));
    } catch (error) {
      signal?.throwIfAborted();
      if (isNeuraError(error)) throw error;
      if (fromBlock < toBlock) {
        blocks = Math.ceil((toBlock - fromBlock + 1) / 2);
        continue;
      }
      refusals += 1;
      const now = await headNow();
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

/** Asks again while the node has no time for it. Error: `chain.unavailable`. */
async function asking<T>(
  question: () => Promise<T>,
  pauseMs: number,
  signal: AbortSignal | undefined,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await unlessAborted(question(), signal);
    } catch (error) {
      signal?.throwIfAborted();
      if (!isOutage(error)) throw error;
      if (attempt === OUTAGE_ATTEMPTS) throw unavailable(error);
    }
    await sleep(pauseMs * 2 ** (attempt - 1), undefined, signal === undefined ? {} : { signal });
  }
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
