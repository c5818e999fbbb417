import { unlessAborted } from "../abort.ts";
import { NeuraError } from "../errors.ts";
import { asking, type MarketContext, requireSigner } from "./context.ts";
import { taskStatus, type TaskStatus } from "./status.ts";
import { requireReceipt } from "./submit.ts";
import { encodeTerms, workHash } from "./terms.ts";

/** How an owner, or anybody, ends a task that was not delivered. */
export type Closing = "cancel" | "expire" | "fail";

export interface ClosedTask {
  /** After it. */
  readonly status: TaskStatus;
  readonly transaction: { readonly hash: string; readonly block: number; readonly gasUsed: bigint };
}

/**
 * Ends a task: `cancel` by the owner until it is accepted, `expire` by anyone after the time to start, `fail` by
 * anyone after the time to complete. The whole escrow goes back to the owner's balance in the market.
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
  const { market } = context.contracts;
  const before = await taskStatus(context, id, { signal });
  if (!before.next.some(({ action }) => action === closing)) throw notPossible(before, closing);
  const response = await unlessAborted(
    asking(market[closing](encodeTerms(before.terms), workHash(before.work))),
    signal,
  );
  const {
    hash,
    blockNumber: block,
    gasUsed,
  } = requireReceipt(await unlessAborted(asking(response.wait()), signal));
  return { status: await taskStatus(context, id, { signal }), transaction: { hash, block, gasUsed } };
}

function notPossible(
  { id, status, outcome, ended, terms, nowSeconds, next }: TaskStatus,
  closing: Closing,
): NeuraError {
  const { startBySeconds, completeBySeconds } = terms.conditions;
  const because = ended
    ? `it has ended (${outcome})`
    : status === "Funded"
      ? `it can be accepted until ${date(startBySeconds)}`
      : `it can be delivered until ${date(completeBySeconds)}`;
  const steps = next.map(({ who, action }) => `${action} (${who})`).join(", ");
  return new NeuraError(
    "task.not-possible",
    `Task ${id} is ${status}, and \`${closing}\` is not possible: ${because}; the chain's time is ${date(nowSeconds)}.`,
    { next: steps === "" ? "Nothing can be done any more." : `Possible now: ${steps}.` },
  );
}

function date(seconds: number): string {
  return new Date(seconds * 1000).toISOString();
}
