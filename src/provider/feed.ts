import { type Log, type Provider, zeroPadValue } from "ethers";

import { readLogs } from "../chain/logs.ts";
import { isNeuraError, messageOf, NeuraError } from "../errors.ts";
import { decodeTaskEvent, TASK_TOPICS } from "../market/events.ts";
import type { Task } from "../market/terms.ts";
import type { BlockId } from "./journal.ts";

/** A task as the chain announced it, and where. */
export interface Announcement {
  readonly id: string;
  /** Missing for terms that this version does not understand; `problem` says why. */
  readonly task: Task | undefined;
  readonly problem?: string;
  readonly block: BlockId;
}

/** What a range of blocks brought. */
export interface News {
  /** In the order of the chain; one that was announced before may come again. */
  readonly announcements: readonly Announcement[];
  /** The last block of the range. */
  readonly readTo: number;
  /** The first block that may not be the one that was read before; nothing as long as all are. */
  readonly reorganisedFrom: number | undefined;
}

export interface Head extends BlockId {
  /** [Unix s] */
  readonly timestamp: number;
}

export interface FeedOptions {
  readonly provider: Provider;
  readonly market: string;
  /** The account whose tasks are read. */
  readonly account: string;
  /** Nothing of the market is in an earlier block. */
  readonly fromBlock: number;
  /** Where it is noted up to which blocks everything was read, newest first. */
  readonly checkpoints: {
    checkpoints(): readonly BlockId[];
    checkpoint(block: BlockId): void;
  };
}

/**
 * The tasks of one provider, from the logs of all blocks since the last that was noted. It asks again and again
 * instead of listening, so that nothing is missed while the connection or this process is down.
 */
export class Feed {
  readonly #options: FeedOptions;

  constructor(options: FeedOptions) {
    this.#options = options;
  }

  /**
   * Reads on up to the chain's head, which it returns. A range of blocks is noted as read after `handle` has
   * returned, so that an interruption repeats announcements and never loses one.
   *
   * Errors: `chain.unavailable`, `chain.logs-refused`.
   */
  async read(
    handle: (news: News) => void,
    { signal }: { signal?: AbortSignal | undefined } = {},
  ): Promise<Head> {
    const { provider, market, account, fromBlock: first, checkpoints } = this.#options;
    const head = await this.#block("latest");
    if (head === undefined) throw unavailable("it has no latest block");
    const noted = checkpoints.checkpoints();
    const newest = noted[0];
    // A node that is behind the one asked before: it will catch up, or the chain grows past its old head again.
    if (newest && head.number < newest.number) return head;
    if (newest?.number === head.number && newest.hash === head.hash) return head;

    const common = await this.#newestOnChain(noted, head);
    const fromBlock = common ? common.number + 1 : first;
    let reorganisedFrom = common === newest ? undefined : fromBlock;
    const topics = [TASK_TOPICS.TaskSubmitted, null, null, zeroPadValue(account, 32)];
    const query = { provider, address: market, topics, fromBlock, toBlock: head.number, signal };
    for await (const { logs, toBlock } of readLogs(query)) {
      const end = toBlock === head.number ? head : await this.#block(toBlock);
      // The chain changes at this moment: the next reading finds out how.
      if (end === undefined) break;
      handle({ announcements: logs.flatMap(announcementIn), readTo: toBlock, reorganisedFrom });
      reorganisedFrom = undefined;
      checkpoints.checkpoint({ number: end.number, hash: end.hash });
    }
    return head;
  }

  async #newestOnChain(noted: readonly BlockId[], head: Head): Promise<BlockId | undefined> {
    for (const checkpoint of noted) {
      const block = checkpoint.number === head.number ? head : await this.#block(checkpoint.number);
      if (block?.hash === checkpoint.hash) return checkpoint;
    }
    return undefined;
  }

  async #block(tag: number | "latest"): Promise<Head | undefined> {
    try {
      const block = await this.#options.provider.getBlock(tag);
      if (block?.hash == null) return undefined;
      return { number: block.number, hash: block.hash, timestamp: block.timestamp };
    } catch (error) {
      throw unavailable(messageOf(error), error);
    }
  }
}

function announcementIn(log: Log): Announcement[] {
  const block = { number: log.blockNumber, hash: log.blockHash };
  try {
    const event = decodeTaskEvent(log);
    return event?.name === "TaskSubmitted" ? [{ id: event.id, task: event.task, block }] : [];
  } catch (error) {
    if (!isNeuraError(error)) throw error;
    return [{ id: log.topics[1] ?? "", task: undefined, problem: error.message, block }];
  }
}

function unavailable(reason: string, cause?: unknown): NeuraError {
  return new NeuraError("chain.unavailable", `The chain's node does not answer: ${reason}.`, {
    next: "Check the node's URL and that it runs, then try again.",
    ...(cause === undefined ? {} : { cause }),
  });
}
