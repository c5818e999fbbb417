import { setTimeout as sleep } from "node:timers/promises";
import type { Log, Provider } from "ethers";

import { unlessAborted } from "../abort.ts";
import { readLogs } from "../chain/logs.ts";
import { NeuraError } from "../errors.ts";
import { chainTime, type MarketContext } from "./context.ts";
import { decodeTaskEvent, type DeliveryFacts, TASK_TOPICS } from "./events.ts";
import {
  faultName,
  type FaultName,
  faultOf,
  isTerminal,
  type Outcome,
  outcomeName,
  type OutcomeName,
  outcomeOf,
  Status,
  statusName,
  type StatusName,
  statusOf,
} from "./outcome.ts";
import { chargeWei, maximumCostWei, type Task, type Terms, type Work } from "./terms.ts";

/** Where and when something was written. */
export interface Moment {
  readonly transactionHash: string;
  readonly block: number;
  /** [Unix s] */
  readonly atSeconds: number;
}

/** Something that somebody can do now. */
export interface NextStep {
  readonly who: "owner" | "provider" | "anyone";
  readonly action: "accept" | "deliver" | "decline" | "abandon" | "cancel" | "expire" | "fail";
  /** The last second of it [Unix s], where there is one. */
  readonly untilSeconds?: number;
}

/** Everything that the chain says about a task. */
export interface TaskStatus {
  readonly id: string;
  readonly status: StatusName;
  readonly outcome: OutcomeName;
  readonly fault: FaultName;
  /** Whether nothing can change any more. */
  readonly ended: boolean;
  readonly terms: Terms;
  readonly work: Work;
  readonly feeBps: number;
  readonly submitted: Moment;
  readonly accepted?: Moment;
  readonly closed?: Moment;
  readonly delivery?: DeliveryFacts;
  /** What moved, once it has ended [wei]; `paidWei` includes the fee. */
  readonly payment?: { readonly paidWei: bigint; readonly feeWei: bigint; readonly refundedWei: bigint };
  /** The time of the chain's newest block [Unix s]. */
  readonly nowSeconds: number;
  readonly next: readonly NextStep[];
}

/** What `wait` can wait for. */
export const MILESTONES = ["accepted", "delivered", "ended"] as const;
export type Milestone = (typeof MILESTONES)[number];

export interface WatchOptions {
  /** How often the chain is asked [ms]. Default: 1000. */
  intervalMs?: number | undefined;
  signal?: AbortSignal | undefined;
}

const INTERVAL_MS = 1000;
/** A watch lasts for hours: so many failed questions in a row are put up with once it has seen its task. */
const MAX_FAILURES = 30;
const BPS = 10_000n;

/**
 * Where a task stands, from its id alone: no record of this machine is needed.
 *
 * Errors: `task.bad-id`, `task.unknown`, those of `readLogs`.
 */
export async function taskStatus(
  context: MarketContext,
  id: string,
  { signal }: { signal?: AbortSignal | undefined } = {},
): Promise<TaskStatus> {
  return await describe(context, await findEvents(context, await stateOf(context, id), signal));
}

/**
 * A task's status now, and again whenever it changes or something else can be done; ends when the task has ended.
 * Errors: as `taskStatus`.
 */
export async function* watchTask(
  context: MarketContext,
  id: string,
  { intervalMs = INTERVAL_MS, signal }: WatchOptions = {},
): AsyncGenerator<TaskStatus> {
  let events: TaskEvents | undefined;
  let shown = "";
  let failures = 0;
  for (;;) {
    try {
      const state = await unlessAborted(stateOf(context, id), signal);
      if (events?.state.status !== state.status || events.state.sinceSeconds !== state.sinceSeconds) {
        events = await findEvents(context, state, signal);
      }
      const status = await unlessAborted(describe(context, events), signal);
      failures = 0;
      const summary = [status.status, ...status.next.map(({ who, action }) => `${who} ${action}`)].join();
      if (summary !== shown) yield status;
      shown = summary;
      if (status.ended) return;
    } catch (error) {
      failures += 1;
      if (events === undefined || signal?.aborted === true || failures > MAX_FAILURES) throw error;
    }
    await sleep(intervalMs, undefined, signal === undefined ? {} : { signal });
  }
}

/**
 * Waits until a task has been accepted, delivered or has ended in any way.
 *
 * Errors: `task.no-result` when it ended without what is waited for, `task.timeout`, those of `taskStatus`.
 */
export async function waitForTask(
  context: MarketContext,
  id: string,
  options: WatchOptions & { for: Milestone; timeoutSeconds?: number | undefined },
): Promise<TaskStatus> {
  const { for: milestone, timeoutSeconds, intervalMs, signal } = options;
  const timeout = timeoutSeconds === undefined ? undefined : AbortSignal.timeout(timeoutSeconds * 1000);
  const signals = [signal, timeout].filter((each) => each !== undefined);
  try {
    const combined = signals.length === 0 ? undefined : AbortSignal.any(signals);
    for await (const status of watchTask(context, id, { intervalMs, signal: combined })) {
      if (hasReached(status, milestone)) return status;
      if (status.ended) throw endedWithout(status);
    }
  } catch (error) {
    signal?.throwIfAborted();
    if (timeout?.aborted !== true) throw error;
    throw new NeuraError("task.timeout", `After ${timeoutSeconds ?? 0} s task ${id} is not ${milestone}.`, {
      next: "Wait on with `task wait`, or see what can be done with `task status`.",
    });
  }
  throw new Error("a watch ended before its task");
}

function hasReached({ status, ended, delivery, accepted }: TaskStatus, milestone: Milestone): boolean {
  if (milestone === "ended") return ended;
  if (delivery !== undefined) return true;
  return milestone === "accepted" && (accepted !== undefined || status === "Active");
}

/** The error of a task that ended without a result, with the reason and the side at fault. */
export function endedWithout({ id, status, outcome, fault, payment }: TaskStatus): NeuraError {
  const side = fault === "None" ? "nobody's fault" : `the ${fault.toLowerCase()}'s fault`;
  return new NeuraError(
    "task.no-result",
    `Task ${id} ended without a result: ${status}, ${outcome} (${side}).`,
    {
      next: "All its money is back in the owner's balance in the market: submit it again, perhaps to another provider.",
      details: { id, status, outcome, fault, refundedWei: payment?.refundedWei ?? 0n },
    },
  );
}

// ---- Reading the chain ----

interface TaskState {
  readonly id: string;
  readonly status: Status;
  readonly outcome: Outcome;
  readonly sinceSeconds: number;
  readonly feeBps: number;
}

interface TaskEvents {
  readonly state: TaskState;
  readonly task: Task;
  readonly delivery: DeliveryFacts | undefined;
  readonly submitted: Moment;
  readonly accepted: Moment | undefined;
  readonly closed: Moment | undefined;
}

async function stateOf({ contracts, domain }: MarketContext, id: string): Promise<TaskState> {
  if (!/^0x[0-9a-f]{64}$/i.test(id)) {
    throw new NeuraError("task.bad-id", `${JSON.stringify(id)} is not the id of a task.`, {
      next: "It has 64 hexadecimal digits after 0x.",
    });
  }
  const { status, outcome, since, feeBps } = await contracts.market.taskOf(id);
  if (statusOf(status) === Status.None) {
    throw new NeuraError(
      "task.unknown",
      `The market ${domain.market} on chain ${domain.chainId} has no task ${id}.`,
      {
        next: "Check the id and the network, and whether its transaction has been mined.",
      },
    );
  }
  return {
    id,
    status: statusOf(status),
    outcome: outcomeOf(outcome),
    sinceSeconds: Number(since),
    feeBps: Number(feeBps),
  };
}

/** The task's events, sought backwards from the block that gave it its present status. */
async function findEvents(
  { provider, deployment }: MarketContext,
  state: TaskState,
  signal: AbortSignal | undefined,
): Promise<TaskEvents> {
  const logs: Log[] = [];
  const pages = readLogs({
    provider,
    address: deployment.contracts.TaskMarket,
    topics: [Object.values(TASK_TOPICS), state.id],
    fromBlock: deployment.block,
    toBlock: await unlessAborted(lastBlockAt(provider, state.sinceSeconds, deployment.block), signal),
    direction: "backward",
    signal,
  });
  for await (const page of pages) {
    logs.unshift(...page.logs);
    if (logs[0]?.topics[0] === TASK_TOPICS.TaskSubmitted) return await eventsOf(provider, state, logs);
  }
  throw new NeuraError("task.logs-missing", `The node does not have the events of task ${state.id}.`, {
    next: "Use a node that keeps the logs of old blocks.",
  });
}

async function eventsOf(provider: Provider, state: TaskState, logs: readonly Log[]): Promise<TaskEvents> {
  const events = await Promise.all(
    logs.map(async (log) => ({ event: decodeTaskEvent(log), moment: await momentOf(provider, log) })),
  );
  let found: Partial<TaskEvents> = {};
  for (const { event, moment } of events) {
    if (event?.name === "TaskSubmitted") found = { ...found, task: event.task, submitted: moment };
    else if (event?.name === "TaskAccepted") found = { ...found, accepted: moment };
    else if (event?.name === "TaskDelivered") found = { ...found, delivery: event.delivery, closed: moment };
    else found = { ...found, closed: moment };
  }
  const { task, submitted, accepted, closed, delivery } = found;
  if (task === undefined || submitted === undefined) throw new Error("a task without its submission");
  return { state, task, submitted, accepted, closed, delivery };
}

/** The last block whose time is not after `seconds`; times never decrease, but may repeat. */
async function lastBlockAt(provider: Provider, seconds: number, earliest: number): Promise<number> {
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

async function describe({ contracts, provider }: MarketContext, events: TaskEvents): Promise<TaskStatus> {
  const { state, task, submitted, accepted, closed, delivery } = events;
  const { terms, work } = task;
  const [nowSeconds, declineWindow] = await Promise.all([
    chainTime(provider),
    contracts.market.declineWindow(),
  ]);
  const ended = isTerminal(state.status);
  return {
    id: state.id,
    status: statusName(state.status),
    outcome: outcomeName(state.outcome),
    fault: faultName(faultOf(state.outcome)),
    ended,
    terms,
    work,
    feeBps: state.feeBps,
    submitted,
    ...(accepted ? { accepted } : {}),
    ...(closed ? { closed } : {}),
    ...(delivery ? { delivery } : {}),
    ...(ended ? { payment: paymentOf(terms, state.feeBps, delivery) } : {}),
    nowSeconds,
    next: nextSteps(state, terms, { nowSeconds, declineWindow: Number(declineWindow) }),
  };
}

/** As the contract settles: the fee is rounded down. */
function paymentOf(
  terms: Terms,
  feeBps: number,
  delivery: DeliveryFacts | undefined,
): NonNullable<TaskStatus["payment"]> {
  const paidWei = delivery === undefined ? 0n : chargeWei(terms, delivery);
  return { paidWei, feeWei: (paidWei * BigInt(feeBps)) / BPS, refundedWei: maximumCostWei(terms) - paidWei };
}

function nextSteps(
  { status, sinceSeconds }: TaskState,
  { conditions }: Terms,
  { nowSeconds, declineWindow }: { nowSeconds: number; declineWindow: number },
): NextStep[] {
  const { startBySeconds, completeBySeconds } = conditions;
  if (status === Status.Funded) {
    if (nowSeconds > startBySeconds) return [{ who: "anyone", action: "expire" }];
    const untilSeconds = startBySeconds;
    return [
      { who: "provider", action: "accept", untilSeconds },
      { who: "provider", action: "deliver", untilSeconds },
      { who: "provider", action: "decline", untilSeconds },
      { who: "owner", action: "cancel", untilSeconds },
    ];
  }
  if (status !== Status.Active) return [];
  if (nowSeconds > completeBySeconds) return [{ who: "anyone", action: "fail" }];
  const declinableUntil = Math.min(completeBySeconds, sinceSeconds + declineWindow);
  return [
    { who: "provider", action: "deliver", untilSeconds: completeBySeconds },
    nowSeconds <= declinableUntil
      ? { who: "provider", action: "decline", untilSeconds: declinableUntil }
      : { who: "provider", action: "abandon", untilSeconds: completeBySeconds },
  ];
}

async function momentOf(provider: Provider, { transactionHash, blockNumber }: Log): Promise<Moment> {
  const block = await provider.getBlock(blockNumber);
  return { transactionHash, block: blockNumber, atSeconds: block?.timestamp ?? 0 };
}
