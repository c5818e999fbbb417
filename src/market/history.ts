import type { Log, Provider } from "ethers";

import { unlessAborted } from "../abort.ts";
import { readLogs } from "../chain/logs.ts";
import { NeuraError } from "../errors.ts";
import type { MarketContext } from "./context.ts";
import {
  decodeTaskEvent,
  type DeliveryFacts,
  type DisputeFacts,
  type ResolutionFacts,
  TASK_TOPICS,
  type TaskEvent,
} from "./events.ts";
import type { Outcome } from "./outcome.ts";
import type { Task } from "./terms.ts";

/** Where and when something was written. */
export interface Moment {
  readonly transactionHash: string;
  readonly block: number;
  /** [Unix s] */
  readonly atSeconds: number;
}

/** What a task went through. */
export type PhaseName =
  | "submitted"
  | "accepted"
  | "key-published"
  | "reopened"
  | "passed-on"
  | "ready"
  | "topped-up"
  | "delivered"
  | "disputed"
  | "closing"
  | "ended";

/** One thing that happened to a task. */
export interface Phase extends Moment {
  readonly phase: PhaseName;
}

/** All that the chain announced about a task, oldest first. */
export interface TaskHistory {
  /** With its backup. */
  readonly task: Task;
  readonly submitted: Moment;
  /** Who gets back what is not spent. */
  readonly payer: string;
  /** Who does it; missing while nobody has taken an open task, and while its backup is waited for. */
  readonly provider: string | undefined;
  /** Whether its backup has taken it, or may no longer. */
  readonly isBackupGone: boolean;
  /** What was agreed with who does it [wei, or wei/s]; that of the terms before. */
  readonly priceWei: bigint;
  readonly accepted: Moment | undefined;
  /** The payload's key as it was published for who does it, an envelope's header as hex. */
  readonly keyHeader: string | undefined;
  readonly delivered: Moment | undefined;
  readonly delivery: DeliveryFacts | undefined;
  readonly disputed: Moment | undefined;
  readonly dispute: DisputeFacts | undefined;
  readonly resolution: ResolutionFacts | undefined;
  /** Why its first provider was out of it. */
  readonly passedOn: Outcome | undefined;
  /** How the owner of a lease reaches it, encrypted, as hex. */
  readonly ticket: string | undefined;
  /** What a lease was paid in parts [wei]. */
  readonly drawsWei: readonly bigint[];
  readonly toppedUpSeconds: number;
  readonly phases: readonly Phase[];
}

/**
 * The history of a task, sought backwards from the block `toBlock`, or, with `atSeconds`, from the last block of that
 * time; without either, from the newest.
 *
 * Errors: `task.logs-missing`, `task.revoked`, those of `readLogs` and of `decodeTaskEvent`.
 */
export async function readHistory(
  { provider, deployment }: MarketContext,
  id: string,
  { atSeconds, signal }: { atSeconds?: number | undefined; signal?: AbortSignal | undefined } = {},
): Promise<TaskHistory> {
  const logs: Log[] = [];
  const pages = readLogs({
    provider,
    address: deployment.contracts.TaskMarket,
    topics: [Object.values(TASK_TOPICS), id],
    fromBlock: deployment.block,
    ...(atSeconds === undefined
      ? {}
      : { toBlock: await unlessAborted(lastBlockAt(provider, atSeconds, deployment.block), signal) }),
    direction: "backward",
    signal,
  });
  for await (const page of pages) {
    logs.unshift(...page.logs);
    if (logs[0]?.topics[0] === TASK_TOPICS.TaskSubmitted) return await historyOf(provider, logs);
  }
  if (logs.some(({ topics }) => topics[0] === TASK_TOPICS.TaskClosed)) {
    throw new NeuraError("task.revoked", `The order of task ${id} was revoked before anybody sent it.`, {
      next: "Sign another one.",
    });
  }
  throw new NeuraError("task.logs-missing", `The node does not have the events of task ${id}.`, {
    next: "Use a node that keeps the logs of old blocks.",
  });
}

async function historyOf(provider: Provider, logs: readonly Log[]): Promise<TaskHistory> {
  const events = await Promise.all(
    logs.map(async (log) => ({ event: decodeTaskEvent(log), moment: await momentOf(provider, log) })),
  );
  let history: TaskHistory | undefined;
  for (const { event, moment } of events) {
    if (event !== undefined) history = after(history, event, moment);
  }
  if (history === undefined) throw new Error("a task without its submission");
  return history;
}

/** What is known once `event` has happened. */
function after(before: TaskHistory | undefined, event: TaskEvent, moment: Moment): TaskHistory {
  if (event.name === "TaskSubmitted") return beginning(event.task, moment);
  if (before === undefined) throw new Error("a task without its submission");
  const at = (phase: PhaseName, more: Partial<TaskHistory> = {}): TaskHistory => ({
    ...before,
    ...more,
    phases: [...before.phases, { phase, ...moment }],
  });
  switch (event.name) {
    case "TaskSponsored":
      return { ...before, payer: event.payer };
    case "BackupNamed": {
      const { task } = before;
      const work = { ...task.work, backup: event.backup };
      return { ...before, task: { ...task, work }, isBackupGone: false };
    }
    case "TaskAccepted":
      return at("accepted", { accepted: moment, provider: before.task.terms.provider });
    case "TaskAssigned": {
      const { provider, priceWei } = event;
      return at("accepted", {
        accepted: moment,
        provider,
        priceWei,
        keyHeader: undefined,
        isBackupGone: true,
      });
    }
    case "PayloadKeyPublished":
      return at("key-published", { keyHeader: event.header });
    case "TaskReopened":
      return at("reopened", { accepted: undefined, provider: undefined });
    case "TaskPassedOn":
      return at("passed-on", { accepted: undefined, provider: undefined, passedOn: event.outcome });
    case "TaskDelivered":
      return at("delivered", {
        delivery: event.delivery,
        delivered: moment,
        provider: before.provider ?? before.task.terms.provider,
      });
    case "TaskDisputed":
      return at("disputed", { dispute: event.dispute, disputed: moment });
    case "TaskResolved":
      return { ...before, resolution: event.resolution };
    case "LeaseReady":
      return at("ready", { ticket: event.ticket });
    case "LeaseToppedUp":
      return at("topped-up", { toppedUpSeconds: before.toppedUpSeconds + event.secondsAdded });
    case "LeaseDrawn":
      return { ...before, drawsWei: [...before.drawsWei, event.paidWei] };
    case "LeaseClosing":
      return at("closing");
    case "TaskSettled":
    case "TaskClosed":
    case "LeaseEnded":
      return at("ended");
  }
}

function beginning(task: Task, submitted: Moment): TaskHistory {
  return {
    task,
    submitted,
    payer: task.terms.owner,
    provider: undefined,
    isBackupGone: true,
    priceWei: task.terms.price.amountWei,
    accepted: undefined,
    keyHeader: undefined,
    delivered: undefined,
    delivery: undefined,
    disputed: undefined,
    dispute: undefined,
    resolution: undefined,
    passedOn: undefined,
    ticket: undefined,
    drawsWei: [],
    toppedUpSeconds: 0,
    phases: [{ phase: "submitted", ...submitted }],
  };
}

/** The last block whose time is not after `seconds`; times never decrease, but may repeat. */
export async function lastBlockAt(provider: Provider, seconds: number, earliest: number): Promise<number> {
  let first = earliest;
  let last = await provider.getBlockNumber();
  while (first < last) {
    const middle = Math.ceil((first + last) / 2);
    const block = await provider.getBlock(middle);
    if (block !== null && block.timestamp <= seconds) first = middle;
    else last = middle - 1;
  }
  return last;
}

async function momentOf(provider: Provider, { transactionHash, blockNumber }: Log): Promise<Moment> {
  const block = await provider.getBlock(blockNumber);
  return { transactionHash, block: blockNumber, atSeconds: block?.timestamp ?? 0 };
}
