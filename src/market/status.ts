import { setTimeout as sleep } from "node:timers/promises";

import { unlessAborted } from "../abort.ts";
import { NeuraError } from "../errors.ts";
import { chainTime, type MarketContext } from "./context.ts";
import type { DeliveryFacts, DisputeFacts, ResolutionFacts } from "./events.ts";
import { type Moment, type Phase, readHistory, type TaskHistory } from "./history.ts";
import { completeBySeconds, isDown, type Meter, type NextStep, nextSteps, type Situation } from "./next.ts";
import {
  faultName,
  type FaultName,
  faultOf,
  isTerminal,
  Kind,
  Outcome,
  outcomeName,
  type OutcomeName,
  outcomeOf,
  Status,
  statusName,
  type StatusName,
  statusOf,
} from "./outcome.ts";
import { type Payment, paymentOf } from "./payment.ts";
import { rulesOf } from "./rules.ts";
import { type Runway, runway } from "./runway.ts";
import { isOpen, maximumCostWei, type Terms, type Work } from "./terms.ts";

export type { Moment, Phase, PhaseName } from "./history.ts";
export type { Action, NextStep } from "./next.ts";
export type { Payment } from "./payment.ts";

/** Everything that the chain says about a task. */
export interface TaskStatus {
  readonly id: string;
  readonly kind: "job" | "lease";
  readonly status: StatusName;
  readonly outcome: OutcomeName;
  readonly fault: FaultName;
  /** Whether nothing can change any more. */
  readonly ended: boolean;
  readonly terms: Terms;
  /** With its backup. */
  readonly work: Work;
  readonly feeBps: number;
  /** Who does it, or did at the end; missing while nobody has taken it. */
  readonly provider?: string;
  /** What is agreed with who does it [wei, or wei/s]; before anybody has an open task, where its price begins. */
  readonly priceWei: bigint;
  /** Who gets back what is not spent: the owner, or its sponsor. */
  readonly payer: string;
  /** Whether the backup that was named may still take it. */
  readonly hasBackup: boolean;
  readonly submitted: Moment;
  readonly accepted?: Moment;
  readonly delivered?: Moment;
  readonly closed?: Moment;
  /** The last second to deliver, of a lease to be ready, once it is accepted [Unix s]. */
  readonly completeBySeconds?: number;
  readonly delivery?: DeliveryFacts;
  /** Of a delivery that can be challenged: until when [Unix s], and who decides. */
  readonly challenge?: { readonly endsAtSeconds: number; readonly arbiter: string };
  readonly dispute?: DisputeFacts & {
    /** The provider's last second to concede [Unix s]. */
    readonly concedeBySeconds: number;
    readonly resolution?: ResolutionFacts;
  };
  /** Of a lease that was ready. */
  readonly lease?: LeaseStatus;
  /** The payload's key for who does a sealed task, an envelope's header as hex. */
  readonly keyHeader?: string;
  /** What moved, once it has ended. */
  readonly payment?: Payment;
  /** All that happened to it, with times. */
  readonly phases: readonly Phase[];
  /** The time of the chain's newest block [Unix s]. */
  readonly nowSeconds: number;
  readonly next: readonly NextStep[];
}

/** Where a lease stands. Times in Unix seconds. */
export interface LeaseStatus {
  readonly readyAtSeconds: number;
  /** The last second that can be paid for. */
  readonly endsAtSeconds: number;
  readonly lastHeartbeatSeconds: number;
  /** The longest silence that is paid for [s]. */
  readonly heartbeatSeconds: number;
  /** Metered so far, of those the ones that are paid, and those that were topped up [s]. */
  readonly upSeconds: number;
  readonly drawnSeconds: number;
  readonly extraSeconds: number;
  /** Why it ends before its time; `None`: it does not. */
  readonly closing: OutcomeName;
  /** Since when it has been silent for longer than is paid for. */
  readonly silentSinceSeconds?: number;
  /** Whether that is so long that anybody may end it. */
  readonly isDown: boolean;
  /** [wei/s] */
  readonly rateWei: bigint;
  /** All that was paid into it, and what of that is not earned [wei]. */
  readonly fundedWei: bigint;
  readonly remainingWei: bigint;
  /** How long it goes on; missing once it has ended. */
  readonly runway?: Runway;
  /** How its owner reaches it, encrypted, as hex. */
  readonly ticket: string;
}

/** What `wait` can wait for. */
export const MILESTONES = ["accepted", "ready", "delivered", "settled", "ended"] as const;
export type Milestone = (typeof MILESTONES)[number];

export interface WatchOptions {
  /** How often the chain is asked [ms]. Default: 1000. */
  intervalMs?: number | undefined;
  signal?: AbortSignal | undefined;
}

const INTERVAL_MS = 1000;
/** A watch lasts for hours: so many failed questions in a row are put up with once it has seen its task. */
const MAX_FAILURES = 30;

/**
 * Where a task stands, from its id alone: no record of this machine is needed.
 *
 * Errors: `task.bad-id`, `task.unknown`, `task.revoked`, those of `readLogs`.
 */
export async function taskStatus(
  context: MarketContext,
  id: string,
  { signal }: { signal?: AbortSignal | undefined } = {},
): Promise<TaskStatus> {
  return await describe(context, await look(context, await stateOf(context, id), undefined, signal));
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
  let seen: Look | undefined;
  let shown = "";
  let failures = 0;
  for (;;) {
    try {
      const state = await unlessAborted(stateOf(context, id), signal);
      seen = await unlessAborted(look(context, state, seen, signal), signal);
      const status = await unlessAborted(describe(context, seen), signal);
      failures = 0;
      const steps = status.next.map(({ who, action }) => `${who} ${action}`);
      const { endsAtSeconds, closing, silentSinceSeconds } = status.lease ?? {};
      const summary = [status.status, ...steps, endsAtSeconds, closing, silentSinceSeconds].join();
      if (summary !== shown) yield status;
      shown = summary;
      if (status.ended) return;
    } catch (error) {
      failures += 1;
      if (seen === undefined || signal?.aborted === true || failures > MAX_FAILURES) throw error;
    }
    await sleep(intervalMs, undefined, signal === undefined ? {} : { signal });
  }
}

/**
 * Waits until a task has been accepted, a lease is ready, a job was delivered, was paid, or has ended in any way.
 * `onStatus` sees each change on the way, and is waited for.
 *
 * Errors: `task.no-result` when it ended without what is waited for, `task.not-a-lease`, `task.timeout`, those of
 * `taskStatus`.
 */
export async function waitForTask(
  context: MarketContext,
  id: string,
  options: WatchOptions & {
    for: Milestone;
    timeoutSeconds?: number | undefined;
    onStatus?: ((status: TaskStatus) => void | Promise<void>) | undefined;
  },
): Promise<TaskStatus> {
  const { for: milestone, timeoutSeconds, intervalMs, signal, onStatus } = options;
  const timeout = timeoutSeconds === undefined ? undefined : AbortSignal.timeout(timeoutSeconds * 1000);
  const signals = [signal, timeout].filter((each) => each !== undefined);
  try {
    const combined = signals.length === 0 ? undefined : AbortSignal.any(signals);
    for await (const status of watchTask(context, id, { intervalMs, signal: combined })) {
      await onStatus?.(status);
      if (hasReached(status, milestone)) return status;
      if (status.ended) throw endedWithout(status);
      if (milestone === "ready" && status.kind === "job") throw notALease(status);
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

function hasReached({ status, ended, delivery, accepted, lease }: TaskStatus, milestone: Milestone): boolean {
  switch (milestone) {
    case "ended":
      return ended;
    case "settled":
      return status === "Settled" || status === "Resolved";
    case "delivered":
      return delivery !== undefined;
    case "ready":
      return lease !== undefined;
    case "accepted":
      return accepted !== undefined || delivery !== undefined || status === "Active";
  }
}

function notALease({ id }: TaskStatus): NeuraError {
  return new NeuraError("task.not-a-lease", `Task ${id} is a job, and only leases become ready.`, {
    next: "Wait until it is delivered.",
  });
}

/** The error of a task that ended without a result, with the reason and the side at fault. */
export function endedWithout({ id, status, outcome, fault, payment, terms, payer }: TaskStatus): NeuraError {
  const side = fault === "None" ? "nobody's fault" : `the ${fault.toLowerCase()}'s fault`;
  const whose = payer === terms.owner ? "the owner's" : "its sponsor's";
  return new NeuraError(
    "task.no-result",
    `Task ${id} ended without a result: ${status}, ${outcome} (${side}).`,
    {
      next:
        payment === undefined || payment.paidWei === 0n
          ? `All its money is back in ${whose} balance in the market: submit it again, perhaps to another provider.`
          : `What was not used is back in ${whose} balance in the market.`,
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

interface LeaseWords extends Omit<Meter, "closing"> {
  readonly extraSeconds: number;
  readonly closing: Outcome;
}

/** What was seen of a task at one moment. */
interface Look {
  readonly state: TaskState;
  readonly history: TaskHistory;
  readonly lease: LeaseWords | undefined;
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

/** The history is read again only where something was announced since `before`. */
async function look(
  context: MarketContext,
  state: TaskState,
  before: Look | undefined,
  signal: AbortSignal | undefined,
): Promise<Look> {
  const { id, status, sinceSeconds } = state;
  const isSame = before?.state.status === status && before.state.sinceSeconds === sinceSeconds;
  // A lease that is up goes on being announced; nothing else does after it has entered its status.
  const mayBeUp = status === Status.Active;
  const newest = async (): Promise<TaskHistory> =>
    await readHistory(context, id, { ...(mayBeUp ? {} : { atSeconds: sinceSeconds }), signal });
  let history = isSame ? before.history : await newest();
  if (history.task.terms.conditions.kind !== Kind.Lease) return { state, history, lease: undefined };
  const lease = await leaseWords(context, id);
  const { closing, endsAtSeconds, drawnSeconds } = lease;
  if (
    isSame &&
    [before.lease?.closing, before.lease?.endsAtSeconds, before.lease?.drawnSeconds].join() !==
      [closing, endsAtSeconds, drawnSeconds].join()
  ) {
    history = await newest();
  }
  return { state, history, lease: lease.readyAtSeconds === 0 ? undefined : lease };
}

async function leaseWords({ contracts }: MarketContext, id: string): Promise<LeaseWords> {
  const words = await contracts.market.leaseOf(id);
  return {
    readyAtSeconds: Number(words.readyAt),
    endsAtSeconds: Number(words.endsAt),
    lastHeartbeatSeconds: Number(words.lastHeartbeat),
    upSeconds: Number(words.upSeconds),
    drawnSeconds: Number(words.drawnSeconds),
    extraSeconds: Number(words.extraSeconds),
    closing: outcomeOf(words.closing),
  };
}

async function describe(
  { contracts, provider }: MarketContext,
  { state, history, lease }: Look,
): Promise<TaskStatus> {
  const { task, submitted, accepted, delivered, delivery, priceWei, phases } = history;
  const { terms, work } = task;
  const [nowSeconds, rules] = await Promise.all([chainTime(provider), rulesOf(contracts)]);
  const ended = isTerminal(state.status);
  const hasBackup = !ended && !history.isBackupGone;
  const situation: Situation = {
    status: state.status,
    sinceSeconds: state.sinceSeconds,
    terms,
    hasBackup,
    isAssigned: isOpen(terms) || (work.backup !== undefined && history.provider === work.backup),
    rulingBySeconds: history.dispute?.rulingBySeconds,
    meter: lease && meterOf(lease),
    rules,
    nowSeconds,
  };
  const last = phases.at(-1);
  return {
    id: state.id,
    kind: terms.conditions.kind === Kind.Lease ? "lease" : "job",
    status: statusName(state.status),
    outcome: outcomeName(state.outcome),
    fault: faultName(faultOf(state.outcome)),
    ended,
    terms,
    work,
    feeBps: state.feeBps,
    ...(history.provider === undefined ? {} : { provider: history.provider }),
    priceWei,
    payer: history.payer,
    hasBackup,
    submitted,
    ...(accepted ? { accepted } : {}),
    ...(delivered ? { delivered } : {}),
    ...(ended && last ? { closed: momentOf(last) } : {}),
    ...(state.status === Status.Active ? { completeBySeconds: completeBySeconds(situation) } : {}),
    ...(delivery ? { delivery } : {}),
    ...challengeOf(history),
    ...disputeOf(history, rules.concessionWindowSeconds),
    ...(lease ? { lease: describeLease(lease, { situation, history, ended }) } : {}),
    ...(history.keyHeader === undefined ? {} : { keyHeader: history.keyHeader }),
    ...(ended
      ? {
          payment: paymentOf({
            ...history,
            terms,
            lease,
            rules,
            outcome: state.outcome,
            feeBps: state.feeBps,
          }),
        }
      : {}),
    phases,
    nowSeconds,
    next: nextSteps(situation),
  };
}

function momentOf({ transactionHash, block, atSeconds }: Phase): Moment {
  return { transactionHash, block, atSeconds };
}

function meterOf({ closing, ...lease }: LeaseWords): Meter {
  const side = closing === Outcome.ProviderClosed ? "provider" : "other";
  return { ...lease, closing: closing === Outcome.None ? "no" : side };
}

function challengeOf({ task, delivered }: TaskHistory): Pick<TaskStatus, "challenge"> {
  const { arbiter, conditions } = task.terms;
  if (delivered === undefined || arbiter === undefined) return {};
  return {
    challenge: { endsAtSeconds: delivered.atSeconds + (conditions.challengePeriodSeconds ?? 0), arbiter },
  };
}

function disputeOf(
  { dispute, disputed, resolution }: TaskHistory,
  windowSeconds: number,
): Pick<TaskStatus, "dispute"> {
  if (dispute === undefined || disputed === undefined) return {};
  const concedeBySeconds = disputed.atSeconds + windowSeconds;
  return { dispute: { ...dispute, concedeBySeconds, ...(resolution ? { resolution } : {}) } };
}

function describeLease(
  lease: LeaseWords,
  { situation, history, ended }: { situation: Situation; history: TaskHistory; ended: boolean },
): LeaseStatus {
  const { terms, nowSeconds } = situation;
  const { heartbeatSeconds = 0 } = terms.price;
  const { priceWei: rateWei, ticket = "0x" } = history;
  const { upSeconds, extraSeconds, endsAtSeconds, lastHeartbeatSeconds } = lease;
  const fundedWei = maximumCostWei(terms) + rateWei * BigInt(extraSeconds);
  const remainingWei = fundedWei - rateWei * BigInt(upSeconds);
  const isSilent = !ended && Math.min(nowSeconds, endsAtSeconds) > lastHeartbeatSeconds + heartbeatSeconds;
  return {
    ...lease,
    closing: outcomeName(lease.closing),
    heartbeatSeconds,
    ...(isSilent ? { silentSinceSeconds: lastHeartbeatSeconds } : {}),
    isDown: !ended && isDown(situation),
    rateWei,
    fundedWei,
    remainingWei,
    ...(ended ? {} : { runway: runway({ remainingWei, rateWei, endsAtSeconds, nowSeconds }) }),
    ticket,
  };
}
