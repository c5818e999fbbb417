import type { ContractTransactionResponse } from "ethers";

import { unlessAborted } from "../abort.ts";
import { NeuraError } from "../errors.ts";
import { asking, type MarketContext, requireSigner } from "./context.ts";
import type { Action } from "./next.ts";
import { Outcome } from "./outcome.ts";
import { settleSpending } from "./spending.ts";
import { taskStatus, type TaskStatus } from "./status.ts";
import { encodeReport, encodeTerms, workHash } from "./terms.ts";
import { type Receipt, receiptOf } from "./transaction.ts";

/**
 * How an owner, or anybody, ends a task or a part of it: `cancel`, `expire`, `fail` what was not delivered, `settle` what
 * was, `resolve` a dispute that its arbiter left alone; `close` and `end` a lease, or `draw` what it earned.
 */
export type Closing = "cancel" | "expire" | "fail" | "settle" | "resolve" | "close" | "end" | "draw";

export interface ClosedTask {
  /** After it. */
  readonly status: TaskStatus;
  readonly transaction: Receipt;
}

/**
 * Ends a task. What was not spent goes back to its payer's balance in the market.
 *
 * Errors: `task.not-possible` with what can be done instead, those of `taskStatus`, what the contract refuses.
 */
export async function closeTask(
  context: MarketContext,
  id: string,
  closing: Closing,
  { signal }: { signal?: AbortSignal | undefined } = {},
): Promise<ClosedTask> {
  requireSigner(context);
  const before = await taskStatus(context, id, { signal });
  requirePossible(before, closing);
  const response = await unlessAborted(asking(send(context, before, closing)), signal);
  const transaction = await receiptOf(response, signal);
  const status = await taskStatus(context, id, { signal });
  await settleSpending(context, status);
  return { status, transaction };
}

/** What anybody can do about a task that is overdue; nothing where it is not. */
export function overdueAction({ next }: Pick<TaskStatus, "next">): Closing | undefined {
  const actions = next.flatMap(({ who, action }) => (who === "anyone" ? [action] : []));
  return (["expire", "fail", "settle", "resolve", "end"] as const).find((each) => actions.includes(each));
}

/** Error: `task.not-possible`. */
export function requirePossible(status: TaskStatus, action: Action): void {
  if (status.next.some((step) => step.action === action)) return;
  const { id, outcome, ended, nowSeconds, next } = status;
  const steps = next.map((step) => `${step.action} (${step.who})`).join(", ");
  const because = ended ? `it has ended (${outcome})` : becauseOf(status);
  throw new NeuraError(
    "task.not-possible",
    `Task ${id} is ${status.status}, and \`${action}\` is not possible: ${because}; the chain's time is ${date(nowSeconds)}.`,
    { next: steps === "" ? "Nothing can be done any more." : `Possible now: ${steps}.` },
  );
}

/** The words of a delivery that can be challenged, as the contract takes them again. Error: `task.not-possible`. */
export function deliveredWords({ id, delivery }: Pick<TaskStatus, "id" | "delivery">) {
  if (delivery !== undefined) {
    const { resultHash, evidenceHash } = delivery;
    return { report: encodeReport(delivery), resultHash, evidenceHash };
  }
  throw new NeuraError("task.not-possible", `Task ${id} has not been delivered.`, { next: "Wait for it." });
}

async function send(
  { contracts: { market } }: MarketContext,
  status: TaskStatus,
  closing: Closing,
): Promise<ContractTransactionResponse> {
  const task = [encodeTerms(status.terms), workHash(status.work)] as const;
  switch (closing) {
    case "settle":
    case "resolve":
      return await market[closing](...task, deliveredWords(status));
    case "close":
      return await market.close(...task, Outcome.OwnerClosed);
    case "end":
      return await market.endLease(...task);
    default:
      return await market[closing](...task);
  }
}

function becauseOf(status: TaskStatus): string {
  const { challenge, dispute, lease, next, completeBySeconds, terms } = status;
  const until = next.find(({ untilSeconds }) => untilSeconds !== undefined)?.untilSeconds;
  if (lease !== undefined) return `it is up until ${date(lease.endsAtSeconds)} (closing: ${lease.closing})`;
  if (status.status === "Disputed" && dispute !== undefined)
    return `its arbiter has until ${date(dispute.rulingBySeconds)}`;
  if (status.status === "Delivered" && challenge !== undefined)
    return `it can be disputed until ${date(challenge.endsAtSeconds)}`;
  if (status.status === "Active" && completeBySeconds !== undefined)
    return `it can be delivered until ${date(completeBySeconds)}`;
  if (status.status === "Funded") return `it can be accepted until ${date(terms.conditions.startBySeconds)}`;
  return until === undefined ? "something else has to be done first" : `this lasts until ${date(until)}`;
}

function date(seconds: number): string {
  return new Date(seconds * 1000).toISOString();
}
