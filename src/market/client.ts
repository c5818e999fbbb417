import { closeTask, type ClosedTask, type Closing } from "./close.ts";
import { type MarketContext, type MarketOptions, openMarket } from "./context.ts";
import { prepareTask, type PreparedTask, type TaskRequest } from "./prepare.ts";
import { checkProvider, findProviders, type ProviderQuery, type ProviderReport } from "./providers.ts";
import { fetchResult, type ResultOptions, type TaskResult } from "./result.ts";
import {
  type Milestone,
  taskStatus,
  type TaskStatus,
  waitForTask,
  type WatchOptions,
  watchTask,
} from "./status.ts";
import { type SubmitOptions, submitTask, type SubmittedTask } from "./submit.ts";

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

  /** Where a task stands, by its id alone. */
  async status(id: string, options: Abortable = {}): Promise<TaskStatus> {
    return await taskStatus(this.#context, id, options);
  }

  /** Its status now and after each change. */
  watch(id: string, options: WatchOptions = {}): AsyncGenerator<TaskStatus> {
    return watchTask(this.#context, id, options);
  }

  async wait(
    id: string,
    options: WatchOptions & { for: Milestone; timeoutSeconds?: number | undefined },
  ): Promise<TaskStatus> {
    return await waitForTask(this.#context, id, options);
  }

  /** Fetches, opens and checks the result, and writes its files into a new directory. */
  async result(id: string, options: ResultOptions): Promise<TaskResult> {
    return await fetchResult(this.#context, id, options);
  }

  /** Ends a task that was not delivered; all its money goes back to the owner's balance. */
  async close(id: string, closing: Closing, options: Abortable = {}): Promise<ClosedTask> {
    return await closeTask(this.#context, id, closing, options);
  }
}
