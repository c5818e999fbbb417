import { NeuraError } from "../errors.ts";

/** How long an unused lease is kept up without another rule [s]. */
export const IDLE_STOP_SECONDS = 30 * 60;

/** How long a lease goes on. */
export interface Runway {
  /** Whole seconds, rounded down: what is said to be left is paid for. */
  readonly secondsLeft: number;
  /** [Unix s] */
  readonly endsAtSeconds: number;
  /** What ends it first; `time` where both end together. */
  readonly endedBy: "money" | "time";
}

/** How long a lease goes on at the present rate: until its money is used up, or until its time is over. */
export function runway({
  remainingWei,
  rateWei,
  endsAtSeconds,
  nowSeconds,
}: {
  /** Paid into it and not earned yet [wei]. */
  remainingWei: bigint;
  /** [wei/s] */
  rateWei: bigint;
  /** When it ends however much is paid [Unix s]. */
  endsAtSeconds: number;
  nowSeconds: number;
}): Runway {
  const secondsOfTime = Math.max(0, endsAtSeconds - nowSeconds);
  const isShort = rateWei > 0n && remainingWei / rateWei < BigInt(secondsOfTime);
  const secondsLeft = isShort ? Number(remainingWei / rateWei) : secondsOfTime;
  return { secondsLeft, endsAtSeconds: nowSeconds + secondsLeft, endedBy: isShort ? "money" : "time" };
}

/** When a lease is topped up, how far, and how much it may cost altogether. */
export interface TopUpRule {
  /** Less runway than this [s] is topped up … */
  readonly belowSeconds: number;
  /** … to this [s]. */
  readonly toSeconds: number;
  /** The most that is ever paid into the lease, the first payment included [wei]. */
  readonly ceilingWei: bigint;
}

/** What to buy now; nothing unless `seconds` is above 0. */
export interface TopUp {
  readonly seconds: number;
  readonly costWei: bigint;
  /**
   * `enough`: the runway is no shorter than the rule wants it. `below`: it is filled up. `ceiling`: as much is bought as
   * the ceiling leaves, perhaps nothing.
   */
  readonly reason: "enough" | "below" | "ceiling";
}

/** What a rule buys for a lease. Error: `usage.top-up-rule` for a rule that would never fill anything up. */
export function topUpPlan({
  runwaySeconds,
  rule: { belowSeconds, toSeconds, ceilingWei },
  rateWei,
  spentWei,
}: {
  runwaySeconds: number;
  rule: TopUpRule;
  /** [wei/s] */
  rateWei: bigint;
  /** All that has been paid into the lease so far [wei]. */
  spentWei: bigint;
}): TopUp {
  if (toSeconds < belowSeconds) {
    throw new NeuraError(
      "usage.top-up-rule",
      `A runway below ${belowSeconds} s cannot be filled up to ${toSeconds} s.`,
      { next: "Fill up to at least the time below which it is done." },
    );
  }
  if (runwaySeconds >= belowSeconds) return { seconds: 0, costWei: 0n, reason: "enough" };
  const missing = BigInt(toSeconds - runwaySeconds);
  const leftWei = ceilingWei > spentWei ? ceilingWei - spentWei : 0n;
  const isCapped = missing * rateWei > leftWei;
  const seconds = isCapped ? leftWei / rateWei : missing;
  return { seconds: Number(seconds), costWei: seconds * rateWei, reason: isCapped ? "ceiling" : "below" };
}

/** Whether a lease that nobody uses is to be ended. */
export interface IdleDecision {
  readonly stop: boolean;
  readonly idleSeconds: number;
  /** When it is to be ended if no request comes [Unix s]; missing where idling is allowed. */
  readonly stopsAtSeconds?: number;
}

/**
 * Whether a lease has been idle for too long. `idleStopSeconds` is half an hour unless it is given; 0 lets it idle for
 * ever. A lease without any request yet counts from when it became ready.
 */
export function idleDecision({
  lastRequestAtSeconds,
  nowSeconds,
  idleStopSeconds = IDLE_STOP_SECONDS,
}: {
  lastRequestAtSeconds: number;
  nowSeconds: number;
  idleStopSeconds?: number | undefined;
}): IdleDecision {
  const idleSeconds = Math.max(0, nowSeconds - lastRequestAtSeconds);
  if (idleStopSeconds === 0) return { stop: false, idleSeconds };
  const stopsAtSeconds = lastRequestAtSeconds + idleStopSeconds;
  return { stop: idleSeconds >= idleStopSeconds, idleSeconds, stopsAtSeconds };
}
