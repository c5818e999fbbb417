import { type Log, type Provider, ZeroAddress, zeroPadValue } from "ethers";

import { type LogQuery, readLogs } from "../chain/logs.ts";
import { isNeuraError, messageOf, NeuraError } from "../errors.ts";
import { decodeTaskEvent, TASK_TOPICS } from "../market/events.ts";
import { type MarketDomain, type Task, taskId } from "../market/terms.ts";
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
  readonly domain: MarketDomain;
  /** The account whose tasks are read. */
  readonly account: string;
  /** Whether tasks are read that name no provider. */
  readonly open: boolean;
  /** Whether tasks are read that name the account as their backup. */
  readonly backup: boolean;
  /** Nothing of the market is in an earlier block. */
  readonly fromBlock: number;
  /** Where it is noted up to which blocks everything was read, newest first. */
  readonly checkpoints: {
    checkpoints(): readonly BlockId[];
    checkpoint(block: BlockId): void;
  };
}

type LogTopics = LogQuery["topics"];
type BlockRange = Required<Pick<LogQuery, "fromBlock" | "toBlock" | "signal">>;

/**
 * The tasks of one provider, those that it is the backup of, and those that anybody may take, from the logs of all
 * blocks since the last that was noted. It asks again and again
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
    const { fromBlock: first, checkpoints } = this.#options;
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
    for await (const { logs, fromBlock: from, toBlock } of this.#logs(this.#topics(), {
      fromBlock,
      toBlock: head.number,
      signal,
    })) {
      const others = await this.#passedOn({ fromBlock: from, toBlock, signal });
      const announcements = await this.#announced([...logs, ...others], signal);
      const end = toBlock === head.number ? head : await this.#block(toBlock);
      // The chain changes at this moment: the next reading finds out how.
      if (end === undefined) break;
      handle({ announcements, readTo: toBlock, reorganisedFrom });
      reorganisedFrom = undefined;
      checkpoints.checkpoint({ number: end.number, hash: end.hash });
    }
    return head;
  }

  #topics(): LogTopics {
    const { account, open } = this.#options;
    const providers = [account, ...(open ? [ZeroAddress] : [])];
    return [TASK_TOPICS.TaskSubmitted, null, null, providers.map((each) => zeroPadValue(each, 32))];
  }

  #logs(topics: LogTopics, range: BlockRange) {
    const { provider, domain } = this.#options;
    return readLogs({ provider, address: domain.market, topics, ...range });
  }

  async #logsIn(topics: LogTopics, range: BlockRange): Promise<Log[]> {
    const found: Log[] = [];
    for await (const { logs } of this.#logs(topics, range)) found.push(...logs);
    return found;
  }

  /** The submissions of what may be passed on to the account. */
  async #passedOn(range: BlockRange): Promise<Log[]> {
    const { account, backup } = this.#options;
    if (!backup) return [];
    const named = await this.#logsIn([TASK_TOPICS.BackupNamed, null, zeroPadValue(account, 32)], range);
    const submissions = named.map(({ topics, blockNumber }) =>
      this.#logsIn([TASK_TOPICS.TaskSubmitted, topics[1] ?? null], {
        ...range,
        fromBlock: blockNumber,
        toBlock: blockNumber,
      }),
    );
    return (await Promise.all(submissions)).flat();
  }

  /** What the logs announce, each with its backup, in the order of the chain. */
  async #announced(logs: readonly Log[], signal: AbortSignal | undefined): Promise<Announcement[]> {
    const inOrder = logs.toSorted(
      (one, other) => one.blockNumber - other.blockNumber || one.index - other.index,
    );
    const announcements = await Promise.all(inOrder.map((log) => this.#announcement(log, signal)));
    return announcements.flat();
  }

  async #announcement(log: Log, signal: AbortSignal | undefined): Promise<Announcement[]> {
    const block = { number: log.blockNumber, hash: log.blockHash };
    try {
      const event = decodeTaskEvent(log);
      if (event?.name !== "TaskSubmitted") return [];
      return [{ id: event.id, task: await this.#whole(event.task, block.number, signal), block }];
    } catch (error) {
      if (!isNeuraError(error) || error.code.startsWith("chain.")) throw error;
      return [{ id: log.topics[1] ?? "", task: undefined, problem: error.message, block }];
    }
  }

  /** The task with its backup, which an event of its own names. Error: `task.malformed`. */
  async #whole(task: Task, block: number, signal: AbortSignal | undefined): Promise<Task> {
    const { id, terms, work } = task;
    const { domain } = this.#options;
    if (taskId(domain, terms, work) === id) return task;
    const topics = [TASK_TOPICS.BackupNamed, id];
    for (const log of await this.#logsIn(topics, { fromBlock: block, toBlock: block, signal })) {
      const event = decodeTaskEvent(log);
      if (event?.name !== "BackupNamed") continue;
      const whole = { id, terms, work: { ...work, backup: event.backup } };
      if (taskId(domain, terms, whole.work) === id) return whole;
    }
    throw new NeuraError("task.malformed", `The task ${id} is not the one that its terms and work name.`, {
      next: "Leave that task alone.",
    });
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

function unavailable(reason: string, cause?: unknown): NeuraError {
  return new NeuraError("chain.unavailable", `The chain's node does not answer: ${reason}.`, {
    next: "Check the node's URL and that it runs, then try again.",
    ...(cause === undefined ? {} : { cause }),
  });
}
