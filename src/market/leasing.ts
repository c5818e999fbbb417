import { setTimeout as sleep } from "node:timers/promises";
import { getBytes } from "ethers";

import { unlessAborted } from "../abort.ts";
import { NeuraError } from "../errors.ts";
import { findKey, keyDirectory } from "../keystore.ts";
import { type ClosedTask, closeTask, overdueAction, requirePossible } from "./close.ts";
import { asking, type MarketContext, requireSigner } from "./context.ts";
import { connectLease, type LeaseClient, type Probe } from "./lease.ts";
import { valueToSend } from "./money.ts";
import { type TopUp, topUpPlan, type TopUpRule } from "./runway.ts";
import { reserveSpending, settleSpending } from "./spending.ts";
import { type LeaseStatus, taskStatus, type TaskStatus } from "./status.ts";
import { encodeTerms, workHash } from "./terms.ts";
import { type AccessTicket, openTicket } from "./ticket.ts";
import { receiptOf } from "./transaction.ts";

/** The lease of a task that is one and was ready. Errors: `lease.not-a-lease`, `lease.not-ready`. */
export function requireLease({ id, kind, lease, status }: TaskStatus): LeaseStatus {
  if (lease !== undefined) return lease;
  if (kind === "lease") {
    throw new NeuraError("lease.not-ready", `Lease ${id} is ${status}, and was not ready yet.`, {
      next: "Wait for it with `lease watch`.",
    });
  }
  throw new NeuraError("lease.not-a-lease", `Task ${id} is a job, not a lease.`, {
    next: "See it with `task status`.",
  });
}

/**
 * How a lease is reached: what its provider published, opened with the owner's key.
 * Errors: those of {@link requireLease}, `lease.no-ticket`, `lease.key-missing`, those of `openTicket`.
 */
export async function openLeaseTicket(context: MarketContext, status: TaskStatus): Promise<AccessTicket> {
  const { ticket } = requireLease(status);
  const { id, terms } = status;
  const { owner, conditions } = terms;
  if (ticket === "0x") {
    throw new NeuraError("lease.no-ticket", `The provider of lease ${id} has published no ticket.`, {
      next: "Ask it for one, or close the lease.",
    });
  }
  const { publicKey } = await asking(context.contracts.keys.keyAt(owner, conditions.keyEpoch));
  const key = await findKey(context.home, owner, publicKey);
  if (key === undefined) {
    throw new NeuraError(
      "lease.key-missing",
      `The ticket is encrypted to key epoch ${conditions.keyEpoch} of ${owner}, which is not in ${keyDirectory(context.home, owner)}.`,
      {
        next: "Restore that key from its backup with `account key restore`, or use the machine that has it.",
      },
    );
  }
  return await openTicket(getBytes(ticket), { taskId: id, secretKey: key.secretKey });
}

/**
 * Buys `seconds` more of a lease at its price, paid by the signer; anybody can.
 *
 * Errors: `task.not-possible`, those of {@link requireLease}, `wallet.*`, `limit.*`, what the contract refuses.
 */
export async function topUpLease(
  context: MarketContext,
  id: string,
  { seconds, signal }: { seconds: number; signal?: AbortSignal | undefined },
): Promise<ClosedTask> {
  const payer = await requireSigner(context).getAddress();
  const before = await taskStatus(context, id, { signal });
  const { rateWei, fundedWei } = requireLease(before);
  requirePossible(before, "top-up");
  const costWei = rateWei * BigInt(seconds);
  const value = await valueToSend(context, { payer, neededWei: costWei, purpose: "the top-up" });
  await reserveSpending(context, { taskId: id, costWei: fundedWei + costWei });
  const sending = context.contracts.market.topUp(encodeTerms(before.terms), workHash(before.work), seconds, {
    value,
  });
  const transaction = await receiptOf(await unlessAborted(asking(sending), signal), signal);
  return { status: await taskStatus(context, id, { signal }), transaction };
}

export interface LeaseWatchOptions {
  /** Buys more by this rule. Default: nothing. */
  readonly topUp?: TopUpRule | undefined;
  /** Closes the lease when the owner's own look found it down for so long [s]. Default: 300; 0: never. */
  readonly downLimitSeconds?: number | undefined;
  /** Between two looks [ms]. Default: 30,000. */
  readonly intervalMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What somebody who keeps an eye on a lease hears of. */
export type LeaseReport =
  | { readonly event: "status"; readonly status: TaskStatus }
  /** What the owner saw: the first look, and each change. */
  | { readonly event: "probe"; readonly probe: Probe; readonly downSeconds: number }
  | { readonly event: "topped-up"; readonly topUp: TopUp; readonly status: TaskStatus }
  /** The rule would buy more than its ceiling leaves. */
  | { readonly event: "ceiling"; readonly topUp: TopUp }
  | { readonly event: "closed"; readonly downSeconds: number; readonly status: TaskStatus }
  /** Something failed; it goes on. */
  | { readonly event: "failed"; readonly what: string; readonly error: unknown };

const INTERVAL_MS = 30_000;
const DOWN_LIMIT_SECONDS = 300;
const RULE_OFF: TopUpRule = { belowSeconds: 0, toSeconds: 0, ceilingWei: 0n };

/**
 * Keeps an eye on a lease until it has ended: tells each change, tops it up by rule, looks whether it really answers,
 * closes it when that is not so for too long, and ends it when its provider does not. What fails is told and tried again.
 *
 * Errors: `lease.not-a-lease`, `usage.top-up-rule`; the reason of `signal` when that aborts.
 */
export async function* watchLease(
  context: MarketContext,
  id: string,
  options: LeaseWatchOptions = {},
): AsyncGenerator<LeaseReport> {
  const { intervalMs = INTERVAL_MS, signal } = options;
  const rule = options.topUp ?? RULE_OFF;
  // Refuses a rule that makes no sense before anything is watched.
  topUpPlan({ runwaySeconds: 0, rule, rateWei: 0n, spentWei: 0n });
  const prober = new Prober(context);
  let shown = "";
  let capped = false;
  try {
    for (;;) {
      signal?.throwIfAborted();
      try {
        const status = await unlessAborted(taskStatus(context, id, { signal }), signal);
        if (status.kind === "job") requireLease(status);
        const summary = summaryOf(status);
        if (summary !== shown) yield { event: "status", status };
        shown = summary;
        if (status.ended) {
          await settleSpending(context, status);
          return;
        }
        const overdue = overdueAction(status);
        if (overdue !== undefined) {
          await closeTask(context, id, overdue, { signal });
          continue;
        }
        if (status.lease !== undefined) {
          yield* lookAt(context, { status, lease: status.lease, prober, options });
          const plan = planTopUp(status, status.lease, rule);
          if (plan.reason === "ceiling" && !capped) yield { event: "ceiling", topUp: plan };
          capped = plan.reason === "ceiling";
          if (plan.seconds > 0) {
            const { status: after } = await topUpLease(context, id, { seconds: plan.seconds, signal });
            shown = summaryOf(after);
            yield { event: "topped-up", topUp: plan, status: after };
          }
        }
      } catch (error) {
        signal?.throwIfAborted();
        if (error instanceof NeuraError && error.code === "lease.not-a-lease") throw error;
        yield { event: "failed", what: "looking after the lease", error };
      }
      await sleep(intervalMs, undefined, signal === undefined ? {} : { signal });
    }
  } finally {
    prober.close();
  }
}

/** One look from the owner's side; the lease is closed after too long a time down. */
async function* lookAt(
  context: MarketContext,
  {
    status,
    lease,
    prober,
    options: { downLimitSeconds = DOWN_LIMIT_SECONDS, signal },
  }: { status: TaskStatus; lease: LeaseStatus; prober: Prober; options: LeaseWatchOptions },
): AsyncGenerator<LeaseReport> {
  if (lease.closing !== "None") return;
  const { probe, downSeconds, isNews } = await prober.look(status, signal);
  if (isNews) yield { event: "probe", probe, downSeconds };
  if (probe.isUp || downLimitSeconds === 0 || downSeconds < downLimitSeconds) return;
  const { status: after } = await closeTask(context, status.id, "close", { signal });
  yield { event: "closed", downSeconds, status: after };
}

function planTopUp(
  { next }: TaskStatus,
  { runway, rateWei, fundedWei }: LeaseStatus,
  rule: TopUpRule,
): TopUp {
  const isPossible = next.some(({ action }) => action === "top-up");
  if (!isPossible || runway === undefined) return { seconds: 0, costWei: 0n, reason: "enough" };
  return topUpPlan({ runwaySeconds: runway.secondsLeft, rule, rateWei, spentWei: fundedWei });
}

function summaryOf({ status, lease }: TaskStatus): string {
  return [status, lease?.endsAtSeconds, lease?.closing, lease?.silentSinceSeconds].join();
}

/** Looks at one lease again and again, and knows since when it has been down. */
class Prober {
  readonly #context: MarketContext;
  #client: LeaseClient | undefined;
  #last: Probe | undefined;
  #downSinceMs: number | undefined;

  constructor(context: MarketContext) {
    this.#context = context;
  }

  async look(
    status: TaskStatus,
    signal: AbortSignal | undefined,
  ): Promise<{ probe: Probe; downSeconds: number; isNews: boolean }> {
    const probe = await this.#probe(status, signal);
    const isNews = this.#last?.isUp !== probe.isUp;
    this.#last = probe;
    const nowMs = performance.now();
    this.#downSinceMs = probe.isUp ? undefined : (this.#downSinceMs ?? nowMs);
    const downSeconds = Math.floor((nowMs - (this.#downSinceMs ?? nowMs)) / 1000);
    return { probe, downSeconds, isNews };
  }

  async #probe(status: TaskStatus, signal: AbortSignal | undefined): Promise<Probe> {
    this.#client ??= connectLease(await openLeaseTicket(this.#context, status));
    return await this.#client.probe({ signal });
  }

  close(): void {
    this.#client?.close();
  }
}
