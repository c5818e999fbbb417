import { batchTasks, type BatchedCall, type BatchResult } from "./batch.ts";
import { closeTask, type ClosedTask, type Closing } from "./close.ts";
import { type MarketContext, type MarketOptions, openMarket } from "./context.ts";
import { type DisputeOptions, type DisputePlan, disputeTask, planDispute, ruleTask } from "./dispute.ts";
import {
  openLeaseTicket,
  topUpLease,
  watchLease,
  type LeaseReport,
  type LeaseWatchOptions,
} from "./leasing.ts";
import { type KeptAudit, keptAudits } from "../verify/audits.ts";
import type { AuditTaskOptions, DisputeOutlook, TaskAudit } from "../verify/task.ts";
import type { AppealPlan, JuryStep, OpenAction, PursueOptions } from "../jury/owner.ts";
import { keyPublisher, publishPayloadKey } from "./open.ts";
import { checkOpening, type OpeningFile, type OpeningFinding, type Sealed, showOpening } from "./opening.ts";
import { revokeOrder, sendOrder, type SentOrder, type SignedOrder, signOrder } from "./order.ts";
import { prepareTask, type PreparedTask, type TaskRequest } from "./prepare.ts";
import { checkProvider, findProviders, type ProviderQuery, type ProviderReport } from "./providers.ts";
import { fetchResult, type ResultOptions, type TaskResult } from "./result.ts";
import { settleSpending } from "./spending.ts";
import {
  type Milestone,
  taskStatus,
  type TaskStatus,
  waitForTask,
  type WatchOptions,
  watchTask,
} from "./status.ts";
import { type SignedTask, signTask, type SubmitOptions, submitTask, type SubmittedTask } from "./submit.ts";
import type { AccessTicket } from "./ticket.ts";
import type { Receipt } from "./transaction.ts";

interface Abortable {
  signal?: AbortSignal | undefined;
}

/**
 * The market as a task's owner sees it. Each method is a function of its own beside this file, with its errors.
 *
 * @example
 * const client = new MarketClient({ runner: wallet, deployment, storage: () => openStorage("ar", config), home });
 * const { id } = await client.submit({ source: { files: ["invoice.png"] }, application: "ocr" });
 * await client.wait(id, { for: "delivered" });
 * const { directory } = await client.result(id, { directory: "invoice" });
 */
export class MarketClient {
  readonly #context: MarketContext;

  /** Error: `market.no-provider`. */
  constructor(options: MarketOptions) {
    this.#context = openMarket(options);
  }

  /** All providers for these needs, ranked, each with the reason for its rank or its exclusion. */
  async findProviders(query: ProviderQuery, options: Abortable = {}): Promise<ProviderReport[]> {
    return await findProviders(this.#context, query, options);
  }

  /** One provider: each requirement met or missed, with both numbers. */
  async checkProvider(account: string, query: ProviderQuery): Promise<ProviderReport> {
    return await checkProvider(this.#context, query, account);
  }

  /** Everything that can be checked and said before a byte or money moves. */
  async prepare(request: TaskRequest, options: Abortable = {}): Promise<PreparedTask> {
    return await prepareTask(this.#context, request, options);
  }

  /** Encrypts, stores and pays; a prepared task, or a request that is prepared first. */
  async submit(task: TaskRequest | PreparedTask, options: SubmitOptions = {}): Promise<SubmittedTask> {
    const prepared = "costWei" in task ? task : await this.prepare(task, options);
    return await submitTask(this.#context, prepared, options);
  }

  /** As {@link submit}, but signs the task for somebody else to send. */
  async sign(task: TaskRequest | PreparedTask, options: SubmitOptions = {}): Promise<SignedTask> {
    const prepared = "costWei" in task ? task : await this.prepare({ ...task, signOnly: true }, options);
    return await signTask(this.#context, prepared, options);
  }

  /** The order with its owner's signature: the given one, or one that the signer makes. */
  async signOrder(
    order: SignedOrder,
    options: { signature?: string | undefined } = {},
  ): Promise<SignedOrder> {
    return await signOrder(this.#context, order, options);
  }

  /** Sends an order that its owner signed; it is paid once, however often it is sent. */
  async sendOrder(
    order: SignedOrder,
    options: Abortable & { sponsor?: boolean | undefined } = {},
  ): Promise<SentOrder> {
    return await sendOrder(this.#context, order, options);
  }

  /** Makes an order that was not sent impossible. */
  async revokeOrder(order: SignedOrder, options: Abortable = {}): Promise<Receipt> {
    return await revokeOrder(this.#context, order, options);
  }

  /** Where a task stands, by its id alone. */
  async status(id: string, options: Abortable = {}): Promise<TaskStatus> {
    return await taskStatus(this.#context, id, options);
  }

  /** Its status now and after each change. */
  watch(id: string, options: WatchOptions = {}): AsyncGenerator<TaskStatus> {
    return watchTask(this.#context, id, options);
  }

  /** Waits for a milestone; with `onStatus`, each change on the way is told. */
  async wait(
    id: string,
    options: WatchOptions & {
      for: Milestone;
      timeoutSeconds?: number | undefined;
      onStatus?: ((status: TaskStatus) => void | Promise<void>) | undefined;
    },
  ): Promise<TaskStatus> {
    const status = await waitForTask(this.#context, id, options);
    await settleSpending(this.#context, status);
    return status;
  }

  /** Fetches, opens and checks the result, and writes its files into a new directory. */
  async result(id: string, options: ResultOptions): Promise<TaskResult> {
    const result = await fetchResult(this.#context, id, options);
    await settleSpending(this.#context, result.status);
    return result;
  }

  /** Does a few units of a delivery again, on this machine, and says whether they are what was delivered. */
  async audit(id: string, options: AuditTaskOptions = {}): Promise<TaskAudit> {
    // Not before there is work to be done again: it loads what does it.
    const { auditTask } = await import("../verify/task.ts");
    return await auditTask(this.#context, id, options);
  }

  /** What audits of a task found that were made on this machine, the oldest first. */
  async audits(id: string): Promise<KeptAudit[]> {
    return await keptAudits(this.#context.home, id);
  }

  /** What disputing a delivery takes and brings, and whether that is worth it; nothing where it cannot be disputed. */
  async disputeOutlook(status: TaskStatus, options: Abortable = {}): Promise<DisputeOutlook | undefined> {
    const { disputeOutlook } = await import("../verify/task.ts");
    return await disputeOutlook(this.#context, status, options);
  }

  /** Ends a task, or a part of it; what was not spent goes back to its payer's balance. */
  async close(id: string, closing: Closing, options: Abortable = {}): Promise<ClosedTask> {
    return await closeTask(this.#context, id, closing, options);
  }

  // ---- Open tasks ----

  /** Publishes the key of a sealed task for whoever has accepted it. */
  async publishKey(id: string, options: Abortable = {}): Promise<ClosedTask> {
    return await publishPayloadKey(this.#context, id, options);
  }

  /** Publishes keys while somebody follows a task: an `onStatus` for {@link wait}. */
  keyPublisher(options: Parameters<typeof keyPublisher>[1]): ReturnType<typeof keyPublisher> {
    return keyPublisher(this.#context, options);
  }

  // ---- Disputes ----

  /** Shows others what an envelope holds, without the key: the owner the result's, the provider the payload's. */
  async showOpening(id: string, options: Abortable & { of: Sealed }): ReturnType<typeof showOpening> {
    return await showOpening(this.#context, id, options);
  }

  /** Opens an envelope with what its reader shows of it, and says whose fault it is if it cannot be read. */
  async checkOpening(
    id: string,
    file: OpeningFile,
    options: Abortable & { directory?: string | undefined } = {},
  ): Promise<OpeningFinding> {
    return await checkOpening(this.#context, id, file, options);
  }

  /** What disputing a delivery would take, and could bring. */
  async planDispute(id: string, options: Abortable = {}): Promise<DisputePlan> {
    return await planDispute(this.#context, id, options);
  }

  async dispute(id: string, options: DisputeOptions): Promise<ClosedTask & { readonly plan: DisputePlan }> {
    return await disputeTask(this.#context, id, options);
  }

  /** By an arbiter: so much of what the delivery costs is due [bps]. */
  async rule(id: string, options: Abortable & { providerBps: number }): Promise<ClosedTask> {
    return await ruleTask(this.#context, id, options);
  }

  // ---- Jury ----

  /** Does all that is due for the owner of a task that is disputed before the jury, until it has ended. */
  async pursue(id: string, options: PursueOptions = {}): Promise<TaskStatus> {
    const { pursueCase } = await import("../jury/owner.ts");
    return (await pursueCase(this.#context, id, options)).status;
  }

  /** Summons or draws the jury, finishes a case, or lets it lapse, as anybody may. */
  async moveCase(id: string, action: OpenAction, options: Abortable = {}): Promise<JuryStep> {
    const { moveCase } = await import("../jury/owner.ts");
    return await moveCase(this.#context, id, action, options);
  }

  /** What appealing against a panel of three would take, and could bring. */
  async planAppeal(id: string, options: Abortable = {}): Promise<AppealPlan> {
    const { planAppeal } = await import("../jury/owner.ts");
    return await planAppeal(this.#context, id, options);
  }

  /** Has fifteen others decide. */
  async appeal(
    id: string,
    options: Abortable & { maximumBondWei?: bigint | undefined } = {},
  ): Promise<JuryStep & { readonly plan: AppealPlan }> {
    const { appealCase } = await import("../jury/owner.ts");
    return await appealCase(this.#context, id, options);
  }

  // ---- Leases ----

  /** How a lease is reached; for its owner alone. */
  async ticket(id: string, options: Abortable = {}): Promise<AccessTicket> {
    return await openLeaseTicket(this.#context, await this.status(id, options));
  }

  /** Buys more seconds of a lease at its price. */
  async topUp(id: string, options: Abortable & { seconds: number }): Promise<ClosedTask> {
    return await topUpLease(this.#context, id, options);
  }

  /** Keeps an eye on a lease: tops it up by rule, and closes it when it is down for too long. */
  watchLease(id: string, options: LeaseWatchOptions): AsyncGenerator<LeaseReport> {
    return watchLease(this.#context, id, options);
  }

  // ---- Batches ----

  /** Sends several calls in one transaction; one that fails is passed over. */
  async batch(calls: readonly BatchedCall[], options: Abortable = {}): Promise<BatchResult> {
    return await batchTasks(this.#context, calls, options);
  }
}
