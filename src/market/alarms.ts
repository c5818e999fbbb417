import { createHash } from "node:crypto";

import { formatAmount, type Unit } from "../amount.ts";
import { momentText } from "../text.ts";
import { Fault, faultOf, isDelivered, Outcome, type OutcomeName, type StatusName } from "./outcome.ts";
import { runway } from "./runway.ts";

/** What somebody must hear of, since it costs money when it is missed. `docs/alarms.md` says who hears what. */
export const ALARM_KINDS = [
  "accepted",
  "delivered",
  "failed",
  "challenge-closing",
  "disputed",
  "resolved",
  "lease-ending",
  "lease-down",
  "runway-low",
  "stake-locked",
  "stake-slashed",
  "gas-low",
  "limit-reached",
  /** What `alarm test` sends. */
  "test",
] as const;
export type AlarmKind = (typeof ALARM_KINDS)[number];

export interface Alarm {
  /** The same for the same occurrence, for ever and on every machine: who gets it twice drops the second one. */
  readonly id: string;
  readonly kind: AlarmKind;
  readonly chainId: number;
  /** Whom it concerns. */
  readonly account: string;
  /** The task's id. */
  readonly task?: string;
  /** When it was noticed, by the chain's clock [Unix s]. */
  readonly atSeconds: number;
  /** For people, in one sentence. */
  readonly message: string;
  /** For programs. Amounts are decimal text and end in `Wei`. */
  readonly details: Readonly<Record<string, string | number | boolean>>;
}

/** When what is not yet a loss becomes an alarm. */
export interface AlarmSettings {
  /** Before the end of a challenge period [s]. */
  readonly challengeClosingSeconds: number;
  /** Before the end of a lease [s]. */
  readonly leaseEndingSeconds: number;
  /** With less runway than this [s]. */
  readonly runwaySeconds: number;
  /** With less than this for gas [wei]. */
  readonly gasLowWei: bigint;
  /** When so much of a spending limit is committed [%]. */
  readonly limitPercent: number;
}

export const DEFAULT_ALARM_SETTINGS: AlarmSettings = {
  challengeClosingSeconds: 3600,
  leaseEndingSeconds: 3600,
  runwaySeconds: 3600,
  gasLowWei: 10n ** 18n, // ten transactions at the most that a node pays for one
  limitPercent: 90,
};

/** What is watched for one account on one chain, at one moment. */
export interface Watched {
  readonly account: string;
  readonly chainId: number;
  /** The time of the chain's newest block [Unix s]. */
  readonly atSeconds: number;
  /** What the market is paid in. */
  readonly currency: Unit;
  /** Those that are open, and those that have ended since they were last watched. */
  readonly tasks: readonly WatchedTask[];
  /** A provider's stake [wei]. */
  readonly stake?: {
    readonly lockedWei: bigint;
    /** All that was ever slashed. */
    readonly slashedWei: bigint;
  };
  /** The account that pays for transactions. */
  readonly gas?: { readonly account: string; readonly balanceWei: bigint; readonly coin: Unit };
  /** What is committed of the owner's limits [wei]. */
  readonly spending?: Readonly<
    Record<"hour" | "month", { readonly usedWei: bigint; readonly limitWei: bigint }>
  >;
}

export interface WatchedTask {
  readonly id: string;
  /** Which side the account is on. */
  readonly role: "owner" | "provider";
  readonly status: StatusName;
  readonly outcome: OutcomeName;
  /** Until when a delivery can be disputed [Unix s]. */
  readonly challengeEndsAtSeconds?: number;
  /** Present while a lease runs. */
  readonly lease?: WatchedLease;
}

export interface WatchedLease {
  /** [Unix s] */
  readonly endsAtSeconds: number;
  /** Paid into it and not earned yet [wei]. */
  readonly remainingWei: bigint;
  /** [wei/s] */
  readonly rateWei: bigint;
  /** All that was ever paid into it [wei]. */
  readonly fundedWei: bigint;
  /** Since when it has been down [Unix s]. */
  readonly downSinceSeconds?: number;
}

/**
 * The alarms that `after` gives rise to and `before` did not.
 *
 * Without `before` whatever is over is no news: only what somebody can still act on becomes an alarm.
 *
 * @param settingsBefore with which `before` was looked at: what new settings bring to light is an alarm
 */
export function alarmsOf(
  before: Watched | undefined,
  after: Watched,
  settings: AlarmSettings = DEFAULT_ALARM_SETTINGS,
  settingsBefore: AlarmSettings = settings,
): Alarm[] {
  const known = new Set(before && conditionsOf(before, settingsBefore).map(keyOf));
  const conditions = conditionsOf(after, settings).filter(
    (each) => !known.has(keyOf(each)) && (before !== undefined || each.isOver !== true),
  );
  return [...conditions, ...stakeConditions(before, after)].map((each) => createAlarm(after, each));
}

/** An alarm with its id. `occurrence` tells one occurrence from the next; the time does where there is none. */
export function createAlarm(
  { account, chainId, atSeconds }: Pick<Alarm, "account" | "chainId" | "atSeconds">,
  { kind, role, task, subject, occurrence = atSeconds, message, details }: Condition,
): Alarm {
  const identity = [chainId, account.toLowerCase(), kind, role, task, subject, occurrence];
  return {
    id: createHash("sha256").update(JSON.stringify(identity)).digest("hex"),
    kind,
    chainId,
    account,
    ...(task === undefined ? {} : { task }),
    atSeconds,
    message,
    details: role === undefined ? details : { role, ...details },
  };
}

/** Something that holds at a moment. */
export interface Condition extends Pick<Alarm, "kind" | "task" | "message" | "details"> {
  readonly role?: WatchedTask["role"];
  /** What it is about, where neither account nor task says so. */
  readonly subject?: string;
  /** Missing where it is the moment at which it began to hold. */
  readonly occurrence?: string | number;
  /** Nothing can be done about it any more. */
  readonly isOver?: boolean;
}

/** The same for the same condition at two moments. */
function keyOf({ kind, role, task, subject, occurrence }: Condition): string {
  return JSON.stringify([kind, role, task, subject, occurrence]);
}

function conditionsOf(watched: Watched, settings: AlarmSettings): Condition[] {
  return [
    ...watched.tasks.flatMap((task) =>
      [
        ...(task.role === "owner" ? ownersConditions(task, watched, settings) : []),
        ...(task.role === "provider" ? providersConditions(task) : []),
        ...sharedConditions(task, watched, settings),
      ].map((condition) => ({ ...condition, role: task.role, task: task.id })),
    ),
    ...gasConditions(watched, settings),
    ...limitConditions(watched, settings),
  ];
}

// ---- Tasks ----

function ownersConditions(task: WatchedTask, watched: Watched, settings: AlarmSettings): Condition[] {
  const { status, outcome } = task;
  const name = nameOf(task);
  const details = { status, outcome };
  switch (status) {
    case "Active":
      return [
        { kind: "accepted", message: `${name} was accepted.`, details, isOver: true },
        ...runwayConditions(task, watched, settings),
      ];
    case "Delivered":
    case "Settled":
      return isDelivered(Outcome[outcome]) ? deliveryConditions(task, watched, settings) : [];
    case "Expired":
    case "Declined":
    case "Failed":
    case "Abandoned": {
      const message = `${name} ended without a result: ${status}, ${outcome}.`;
      return [{ kind: "failed", message, details, isOver: true }];
    }
    default:
      return [];
  }
}

function deliveryConditions(
  task: WatchedTask,
  { atSeconds }: Watched,
  { challengeClosingSeconds }: AlarmSettings,
): Condition[] {
  const { status, outcome, challengeEndsAtSeconds: endsAt } = task;
  const name = nameOf(task);
  const message = `${name} was delivered: ${outcome}.`;
  if (status === "Settled" || endsAt === undefined || atSeconds > endsAt) {
    return [{ kind: "delivered", message, details: { status, outcome }, isOver: true }];
  }
  const details = { status, outcome, challengeEndsAtSeconds: endsAt };
  const until = `until ${momentText(endsAt)}.`;
  const delivered: Condition = {
    kind: "delivered",
    message: `${message} It can be disputed ${until}`,
    details,
  };
  if (endsAt - atSeconds > challengeClosingSeconds) return [delivered];
  const closing = `${name} can be disputed only ${until}`;
  return [delivered, { kind: "challenge-closing", message: closing, details, occurrence: endsAt }];
}

function providersConditions(task: WatchedTask): Condition[] {
  const { status, outcome } = task;
  if (status !== "Failed" && status !== "Abandoned" && status !== "Declined") return [];
  if (faultOf(Outcome[outcome]) !== Fault.Provider) return [];
  const message = `${nameOf(task)} ended by this provider's fault: ${status}, ${outcome}.`;
  return [{ kind: "failed", message, details: { status, outcome }, isOver: true }];
}

function sharedConditions(task: WatchedTask, watched: Watched, settings: AlarmSettings): Condition[] {
  const { status, outcome, lease } = task;
  const name = nameOf(task);
  const details = { status, outcome };
  if (status === "Disputed") return [{ kind: "disputed", message: `${name} is disputed.`, details }];
  if (status === "Resolved") {
    return [{ kind: "resolved", message: `The dispute about ${name} has ended.`, details, isOver: true }];
  }
  if (status !== "Active" || lease === undefined) return [];
  const { endsAtSeconds, downSinceSeconds } = lease;
  const conditions: Condition[] = [];
  if (downSinceSeconds !== undefined) {
    conditions.push({
      kind: "lease-down",
      message: `${name} has been down since ${momentText(downSinceSeconds)}.`,
      details: { downSinceSeconds },
      occurrence: downSinceSeconds,
    });
  }
  const { secondsLeft, endedBy } = runway({ ...lease, nowSeconds: watched.atSeconds });
  if (endedBy === "time" && secondsLeft <= settings.leaseEndingSeconds) {
    conditions.push({
      kind: "lease-ending",
      message: `${name} ends at ${momentText(endsAtSeconds)}.`,
      details: { endsAtSeconds },
      occurrence: endsAtSeconds,
    });
  }
  return conditions;
}

function runwayConditions(
  task: WatchedTask,
  { atSeconds }: Watched,
  { runwaySeconds }: AlarmSettings,
): Condition[] {
  if (task.lease === undefined) return [];
  const { secondsLeft, endsAtSeconds, endedBy } = runway({ ...task.lease, nowSeconds: atSeconds });
  if (endedBy === "time" || secondsLeft >= runwaySeconds) return [];
  const { remainingWei, rateWei, fundedWei } = task.lease;
  return [
    {
      kind: "runway-low",
      message: `The money of ${nameOf(task)} is used up at ${momentText(endsAtSeconds)} at the present rate.`,
      details: { secondsLeft, endsAtSeconds, remainingWei: `${remainingWei}`, rateWei: `${rateWei}` },
      occurrence: `${fundedWei}`, // so that it may come again after a top-up
    },
  ];
}

function nameOf({ id, lease }: WatchedTask): string {
  return `${lease === undefined ? "Task" : "Lease"} ${id.slice(0, 10)}…`;
}

// ---- Money ----

function stakeConditions(before: Watched | undefined, { stake, currency }: Watched): Condition[] {
  const earlier = before?.stake;
  if (stake === undefined || earlier === undefined) return [];
  const { lockedWei, slashedWei } = stake;
  const [newlyLockedWei, newlySlashedWei] = [lockedWei - earlier.lockedWei, slashedWei - earlier.slashedWei];
  const conditions: Condition[] = [];
  if (newlyLockedWei > 0n) {
    conditions.push({
      kind: "stake-locked",
      message: `${formatAmount(newlyLockedWei, currency)} of stake were locked; ${formatAmount(lockedWei, currency)} are locked now.`,
      details: { addedWei: `${newlyLockedWei}`, lockedWei: `${lockedWei}` },
    });
  }
  if (newlySlashedWei > 0n) {
    conditions.push({
      kind: "stake-slashed",
      message: `${formatAmount(newlySlashedWei, currency)} of stake were slashed.`,
      details: { addedWei: `${newlySlashedWei}`, slashedWei: `${slashedWei}` },
      occurrence: `${slashedWei}`,
    });
  }
  return conditions;
}

function gasConditions({ gas }: Watched, { gasLowWei }: AlarmSettings): Condition[] {
  if (gas === undefined || gas.balanceWei >= gasLowWei) return [];
  const { account: payer, balanceWei, coin } = gas;
  const message = `${payer} has ${formatAmount(balanceWei, coin)} left for gas, less than ${formatAmount(gasLowWei, coin)}.`;
  const details = { payer, balanceWei: `${balanceWei}`, gasLowWei: `${gasLowWei}` };
  return [{ kind: "gas-low", subject: payer, message, details }];
}

function limitConditions({ spending, currency }: Watched, { limitPercent }: AlarmSettings): Condition[] {
  if (spending === undefined) return [];
  return (["hour", "month"] as const).flatMap((window): Condition[] => {
    const { usedWei, limitWei } = spending[window];
    if (usedWei * 100n < limitWei * BigInt(limitPercent)) return [];
    const message = `${formatAmount(usedWei, currency)} of the ${formatAmount(limitWei, currency)} for a ${window} are committed.`;
    const details = { window, usedWei: `${usedWei}`, limitWei: `${limitWei}` };
    return [{ kind: "limit-reached", subject: window, message, details }];
  });
}
