import { Kind, Status } from "./outcome.ts";
import type { MarketRules } from "./rules.ts";
import { isOpen, type Terms } from "./terms.ts";

/** Something that somebody can do now. */
export interface NextStep {
  readonly who: "owner" | "provider" | "backup" | "arbiter" | "anyone";
  readonly action: Action;
  /** The last second of it [Unix s], where there is one. */
  readonly untilSeconds?: number;
}

/** What can be done to a task; the contract's verbs. */
export type Action =
  | "accept"
  | "publish-key"
  | "take-over"
  | "deliver"
  | "decline"
  | "abandon"
  | "cancel"
  | "expire"
  | "fail"
  | "settle"
  | "dispute"
  | "concede"
  | "rule"
  | "resolve"
  | "ready"
  | "heartbeat"
  | "draw"
  | "top-up"
  | "close"
  | "end";

/** What a lease's meter says [s]; times in Unix seconds. */
export interface Meter {
  /** 0: it is not ready yet. */
  readonly readyAtSeconds: number;
  readonly endsAtSeconds: number;
  readonly lastHeartbeatSeconds: number;
  readonly upSeconds: number;
  readonly drawnSeconds: number;
  /** Whether one side has ended it before its time, and which. */
  readonly closing: "no" | "provider" | "other";
}

/** A task at one moment, as far as it decides what can be done. */
export interface Situation {
  readonly status: Status;
  /** When the status was entered [Unix s]. */
  readonly sinceSeconds: number;
  readonly terms: Terms;
  /** Whether its backup may still take it. */
  readonly hasBackup: boolean;
  /** Whether who does it is not the one that the terms name. */
  readonly isAssigned: boolean;
  readonly rulingBySeconds?: number | undefined;
  readonly meter?: Meter | undefined;
  readonly rules: MarketRules;
  /** The time of the chain's newest block [Unix s]. */
  readonly nowSeconds: number;
}

/** The last second to deliver, of a lease to be ready: later for whoever the terms do not name [Unix s]. */
export function completeBySeconds({ terms, isAssigned, sinceSeconds }: Situation): number {
  const { startBySeconds, completeBySeconds: named } = terms.conditions;
  return isAssigned ? sinceSeconds + named - startBySeconds : named;
}

/** Whether a lease was silent for so long that anybody may end it. */
export function isDown({ meter, terms, rules, nowSeconds }: Situation): boolean {
  if (meter === undefined || meter.readyAtSeconds === 0) return false;
  const silence = rules.missedHeartbeats * (terms.price.heartbeatSeconds ?? 0);
  return Math.min(nowSeconds, meter.endsAtSeconds) > meter.lastHeartbeatSeconds + silence;
}

/** All that can be done now, by whom, until when. The contract's own rules: see `ITaskMarket`. */
export function nextSteps(situation: Situation): NextStep[] {
  const { status, sinceSeconds, rules, nowSeconds, terms, meter } = situation;
  const overdue = (untilSeconds: number): boolean => nowSeconds > untilSeconds;
  switch (status) {
    case Status.Funded:
      return stepsWhenFunded(situation);
    case Status.Assigned: {
      const untilSeconds = sinceSeconds + rules.keyWindowSeconds;
      if (overdue(untilSeconds)) return [{ who: "anyone", action: "expire" }];
      return [
        { who: "owner", action: "publish-key", untilSeconds },
        { who: "owner", action: "cancel", untilSeconds },
        { who: "provider", action: "decline", untilSeconds },
      ];
    }
    case Status.Active:
      if (terms.conditions.kind === Kind.Lease && meter !== undefined && meter.readyAtSeconds > 0) {
        return stepsWhenUp(situation, meter);
      }
      return stepsWhenActive(situation);
    case Status.Standby: {
      const untilSeconds = sinceSeconds + rules.takeOverWindowSeconds;
      if (overdue(untilSeconds)) return [{ who: "anyone", action: "expire" }];
      return [
        { who: "backup", action: "take-over", untilSeconds },
        { who: "owner", action: "cancel", untilSeconds },
      ];
    }
    case Status.Delivered: {
      const untilSeconds = sinceSeconds + (terms.conditions.challengePeriodSeconds ?? 0);
      if (overdue(untilSeconds)) return [{ who: "anyone", action: "settle" }];
      return [
        { who: "owner", action: "settle", untilSeconds },
        { who: "owner", action: "dispute", untilSeconds },
      ];
    }
    case Status.Disputed: {
      const { rulingBySeconds = 0 } = situation;
      const concedeUntil = sinceSeconds + rules.concessionWindowSeconds;
      if (!overdue(concedeUntil)) return [{ who: "provider", action: "concede", untilSeconds: concedeUntil }];
      if (!overdue(rulingBySeconds))
        return [{ who: "arbiter", action: "rule", untilSeconds: rulingBySeconds }];
      return [{ who: "anyone", action: "resolve" }];
    }
    default:
      return [];
  }
}

function stepsWhenFunded({ terms, hasBackup, rules, nowSeconds }: Situation): NextStep[] {
  const { startBySeconds: untilSeconds, kind } = terms.conditions;
  const leaveBy = untilSeconds + (hasBackup ? rules.takeOverWindowSeconds : 0);
  if (nowSeconds > leaveBy) return [{ who: "anyone", action: "expire" }];
  const cancel: NextStep = { who: "owner", action: "cancel", untilSeconds: leaveBy };
  if (nowSeconds > untilSeconds) {
    return [{ who: "backup", action: "take-over", untilSeconds: leaveBy }, cancel];
  }
  const accept: NextStep = { who: "provider", action: "accept", untilSeconds };
  // Nobody has an open task yet, so nobody can deliver or refuse it.
  if (isOpen(terms)) return [accept, cancel];
  return [
    accept,
    ...(kind === Kind.Lease ? [] : [{ who: "provider", action: "deliver", untilSeconds } as const]),
    { who: "provider", action: "decline", untilSeconds },
    cancel,
  ];
}

function stepsWhenActive(situation: Situation): NextStep[] {
  const { terms, rules, sinceSeconds, nowSeconds } = situation;
  const completeBy = completeBySeconds(situation);
  if (nowSeconds > completeBy) return [{ who: "anyone", action: "fail" }];
  // Who takes an open task that is not sealed could read it before.
  const couldRead = isOpen(terms) && terms.conditions.isSealed !== true;
  const declinableUntil = Math.min(completeBy, sinceSeconds + rules.declineWindowSeconds);
  return [
    {
      who: "provider",
      action: terms.conditions.kind === Kind.Lease ? "ready" : "deliver",
      untilSeconds: completeBy,
    },
    !couldRead && nowSeconds <= declinableUntil
      ? { who: "provider", action: "decline", untilSeconds: declinableUntil }
      : { who: "provider", action: "abandon", untilSeconds: completeBy },
  ];
}

function stepsWhenUp(situation: Situation, meter: Meter): NextStep[] {
  const { terms, nowSeconds } = situation;
  const { endsAtSeconds: untilSeconds, closing } = meter;
  const draw: NextStep[] = meter.upSeconds > meter.drawnSeconds ? [{ who: "anyone", action: "draw" }] : [];
  if (isDown(situation)) return [{ who: "anyone", action: "end" }, ...draw];
  if (nowSeconds > untilSeconds) {
    const isOthers = nowSeconds > untilSeconds + (terms.price.heartbeatSeconds ?? 0);
    return [{ who: isOthers ? "anyone" : "provider", action: "end" }, ...draw];
  }
  return [
    { who: "provider", action: "heartbeat", untilSeconds },
    ...(closing === "other" ? [] : [{ who: "owner", action: "close", untilSeconds } as const]),
    ...(closing === "no"
      ? ([
          { who: "provider", action: "close", untilSeconds },
          { who: "anyone", action: "top-up", untilSeconds },
        ] as const)
      : []),
    ...(nowSeconds === untilSeconds ? [{ who: "provider", action: "end" } as const] : []),
    ...draw,
  ];
}
