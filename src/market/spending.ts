import { isNeuraError } from "../errors.ts";
import type { MarketContext } from "./context.ts";
import { type Limits, SpendingLedger } from "./limits.ts";
import { spentWei } from "./payment.ts";
import { taskStatus, type TaskStatus } from "./status.ts";

export interface Spending {
  readonly taskId: string;
  /** All that the task can cost, with its top-ups and its bond [wei]. */
  readonly costWei: bigint;
  /** Limits of the task's own. */
  readonly limits?: Partial<Limits>;
}

/** Under which a cost is tried before there is a task. */
const TRIAL = "trial";

/** Whether so much may be committed now. Errors: `limit.*`. */
export async function checkSpending(
  context: MarketContext,
  spending: Omit<Spending, "taskId">,
): Promise<void> {
  await reserveSpending(context, { ...spending, taskId: TRIAL });
  await releaseSpending(context, TRIAL);
}

/**
 * Commits what a task can cost, before its transaction is sent. What ended tasks did not use is free again first, where
 * the limits would refuse it otherwise.
 *
 * Errors: `limit.*`; nothing is committed then.
 */
export async function reserveSpending(
  context: MarketContext,
  { taskId, costWei, limits = {} }: Spending,
): Promise<void> {
  const reserve = async (): Promise<void> =>
    await withLedger(context, (ledger) =>
      ledger.reserve({ taskId, costWei, limits, nowSeconds: Math.floor(Date.now() / 1000) }),
    );
  try {
    await reserve();
  } catch (error) {
    if (!isNeuraError(error, "limit.hour") && !isNeuraError(error, "limit.month")) throw error;
    await settleEnded(context);
    await reserve();
  }
}

/** Takes back what was committed to a task that nobody will send. */
export async function releaseSpending(context: MarketContext, taskId: string): Promise<void> {
  await withLedger(context, (ledger) => ledger.release(taskId));
}

/** Notes what an ended task was paid; others are left as they are. */
export async function settleSpending(
  context: MarketContext,
  ...tasks: readonly Pick<TaskStatus, "id" | "payment">[]
): Promise<void> {
  const ended = tasks.flatMap(({ id, payment }) => (payment === undefined ? [] : [{ id, payment }]));
  if (ended.length === 0) return;
  await withLedger(context, (ledger) => {
    for (const { id, payment } of ended) ledger.settle(id, spentWei(payment));
  });
}

/** Looks which of the tasks that something is committed to have ended, and notes what they were paid. */
export async function settleEnded(
  context: MarketContext,
  { signal }: { signal?: AbortSignal | undefined } = {},
): Promise<void> {
  for (const id of await withLedger(context, (ledger) => ledger.unsettled())) {
    if (id === TRIAL) continue;
    try {
      await settleSpending(context, await taskStatus(context, id, { signal }));
    } catch (error) {
      // It was reserved and not sent, perhaps not yet.
      if (!isNeuraError(error, "task.unknown") && !isNeuraError(error, "task.revoked")) throw error;
    }
  }
}

/** Opens the ledger of this machine's user for one look. Errors: `limit.bad-file`, `store.version`. */
export async function withLedger<T>(
  { home, domain, deployment }: MarketContext,
  work: (ledger: SpendingLedger) => T,
): Promise<T> {
  const ledger = await SpendingLedger.open({ home, domain, currency: deployment.currency });
  try {
    return work(ledger);
  } finally {
    ledger.close();
  }
}
