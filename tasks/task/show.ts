import { formatAmount, type Unit } from "../../src/amount.ts";
import { NeuraError } from "../../src/errors.ts";
import type { NextStep, TaskStatus } from "../../src/market/status.ts";
import { maximumCostWei } from "../../src/market/terms.ts";
import type { Context } from "../context.ts";
import { formatDuration } from "../duration.ts";
import { fields } from "../output.ts";

/** A task's status for people. */
export function statusText(status: TaskStatus, currency: Unit): string {
  const { id, terms, delivery, payment, submitted, accepted, closed, nowSeconds, next } = status;
  const { price } = terms;
  const rate = `${formatAmount(price.amountWei, currency)}${price.metered ? " per second" : ""}`;
  return fields([
    ["Task", id],
    ["Status", headline(status)],
    ["Owner", terms.owner],
    ["Provider", terms.provider],
    ["Price", `${rate}, at most ${formatAmount(maximumCostWei(terms), currency)}`],
    ["Submitted", date(submitted.atSeconds)],
    ...(accepted ? [["Accepted", date(accepted.atSeconds)] as const] : []),
    ...(closed ? [["Ended", date(closed.atSeconds)] as const] : []),
    ...(delivery ? [["Used", `${delivery.secondsUsed} s`] as const] : []),
    ...(payment
      ? [
          [
            "Paid",
            `${formatAmount(payment.paidWei, currency)}, fee of ${formatAmount(payment.feeWei, currency)} included`,
          ] as const,
          [
            "Back",
            `${formatAmount(payment.refundedWei, currency)}, in the owner's balance in the market`,
          ] as const,
        ]
      : []),
    ...next.map((step) => ["Possible", possible(step, nowSeconds)] as const),
    ...(delivery ? [["Next", `./neura task result ${id}`] as const] : []),
  ]);
}

/** A status in one line: `Declined: PayloadMismatch, the owner's fault`. */
export function headline({ status, outcome, fault }: TaskStatus): string {
  if (outcome === "None") return status;
  return `${status}: ${outcome}${fault === "None" ? "" : `, the ${fault.toLowerCase()}'s fault`}`;
}

/** What can be done next, in one line. */
export function possible({ who, action, untilSeconds }: NextStep, nowSeconds: number): string {
  const by = who === "anyone" ? "anyone" : `the ${who}`;
  return untilSeconds === undefined
    ? `${action} by ${by}`
    : `${action} by ${by}, for another ${formatDuration(untilSeconds - nowSeconds)}`;
}

/** The error of a command that Ctrl-C ended while something goes on without it, in place of what was thrown. */
export async function detachable<T>(
  { signal }: Context,
  { message, next }: { message: string; next: string },
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new NeuraError("interrupted", message, { next, cause: error });
  }
}

function date(seconds: number): string {
  return new Date(seconds * 1000).toISOString();
}
