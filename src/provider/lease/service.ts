import http from "node:http";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";

import { messageOf } from "../../errors.ts";
import type { ServiceSettings } from "../../manifest.ts";
import { type Look, NO_UPTIME, observe, type Uptime } from "../../market/uptime.ts";
import type { NodeEvent } from "../log.ts";
import { Restarts, RESTARTS } from "../runner/restarts.ts";
import type { Runner, RunHandle, RunJob, RunOutcome, ServiceHealth } from "../runner/runner.ts";
import { StateFolder } from "../runner/state.ts";

/** Between two looks at a service, and as long as it is not up [ms]. */
const LOOK_INTERVAL = 5000;
const IMPATIENT_INTERVAL = 500;
/** A little more than the runner waits for the application [ms]. */
const HEALTH_LIMIT = 12_000;

export interface LeaseOptions {
  readonly runner: Runner;
  /** For events. */
  readonly taskId: string;
  /** Between two looks [ms]; 5000 if left out. */
  readonly lookMs?: number;
  readonly onEvent?: (event: NodeEvent) => void;
}

export interface LeaseStatus {
  /** It was up at least once: from then on the lease can earn. */
  readonly ready: boolean;
  /** At the last look. */
  readonly up: boolean;
  /** For which all looks found it up, in all of its life; never becomes less. */
  readonly upSeconds: number;
  /** All that was seen. */
  readonly uptime: Uptime;
  readonly requests: number;
  /** How many are being answered. */
  readonly openRequests: number;
  /** [Unix s] */
  readonly lastRequestAtSeconds: number | undefined;
  /** How often its application was started again. */
  readonly restarts: number;
}

export interface LeaseEnd {
  /**
   * - `stopped`: by {@link LeaseService.stop}.
   * - `idle`: nobody had used it for as long as its manifest says.
   * - `failed`: it went over its limits, or it ended too often.
   */
  readonly kind: "stopped" | "idle" | "failed";
  readonly message: string;
  readonly outcome: RunOutcome;
}

interface LeaseRecord {
  readonly version: 1;
  readonly uptime: Uptime;
  readonly requests: number;
  readonly lastRequestAtSeconds: number | null;
  /** What `uptime.upMs` was when it was used last: time in which nobody could use it is not idle. */
  readonly usedAtUpMs: number;
  /** How often it was started again by those who watched over it before. */
  readonly restarts: number;
  /** Why it is being stopped. */
  readonly ending: Pick<LeaseEnd, "kind" | "message"> | null;
}

interface Files {
  "job.json": Pick<RunJob, "manifest" | "limits">;
  "record.json": LeaseRecord;
}

const NEW: LeaseRecord = {
  version: 1,
  uptime: NO_UPTIME,
  requests: 0,
  lastRequestAtSeconds: null,
  usedAtUpMs: 0,
  restarts: 0,
  ending: null,
};

/**
 * The service of one lease, as the node keeps it: looks whether it is up and writes that down, counts its requests,
 * stops it when nobody uses it, and has it started again where the runner lost it. All of it is found again in
 * `lease/` of the task's folder by a node that was restarted.
 */
export class LeaseService {
  readonly directory: string;
  readonly settings: ServiceSettings;
  /** Resolves when it has ended; its processes are gone by then. Never rejects. */
  readonly ended: Promise<LeaseEnd>;
  readonly #options: LeaseOptions;
  readonly #job: RunJob;
  readonly #state: StateFolder<Files>;
  readonly #over = new AbortController();
  #work: Promise<unknown> = Promise.resolve();
  #isDetached = false;
  #handle: RunHandle;
  #record: LeaseRecord;
  #openRequests = 0;
  #last: Look | undefined;
  #looking: Promise<void> = Promise.resolve();
  /** As the runner told last. */
  #restarts = 0;

  private constructor(
    parts: { job: RunJob; settings: ServiceSettings; handle: RunHandle; state: StateFolder<Files> },
    record: LeaseRecord,
    options: LeaseOptions,
  ) {
    this.directory = parts.job.directory;
    this.settings = parts.settings;
    this.#job = parts.job;
    this.#handle = parts.handle;
    this.#state = parts.state;
    this.#record = record;
    this.#options = options;
    this.ended = new Promise((resolve) => {
      this.#work = Promise.all([this.#watch(), this.#follow(resolve)]);
    });
  }

  /**
   * Starts a service; returns as soon as {@link LeaseService.adopt} would find it, before it is ready.
   *
   * Errors: those of {@link Runner.start}.
   */
  static async start(job: RunJob, options: LeaseOptions): Promise<LeaseService> {
    const state = stateIn(job.directory);
    await state.make();
    await state.write("job.json", { manifest: job.manifest, limits: job.limits }, { durable: true });
    return LeaseService.#open(job, await options.runner.start(job), options);
  }

  /** The service that was started in this folder, whatever has become of it; undefined if none was. */
  static async adopt(directory: string, options: LeaseOptions): Promise<LeaseService | undefined> {
    const kept = await stateIn(directory).read("job.json");
    if (!kept) return undefined;
    const job = { directory, ...kept };
    const { runner } = options;
    return LeaseService.#open(job, (await runner.adopt(directory)) ?? (await runner.start(job)), options);
  }

  static async #open(job: RunJob, handle: RunHandle, options: LeaseOptions): Promise<LeaseService> {
    const { service: settings } = job.manifest;
    if (!settings) throw new Error("The manifest describes no service.");
    const state = stateIn(job.directory);
    const record = (await state.read("record.json")) ?? NEW;
    return new LeaseService({ job, settings, handle, state }, record, options);
  }

  status(): LeaseStatus {
    const { uptime, requests, lastRequestAtSeconds } = this.#record;
    return {
      ready: uptime.upMs > 0 || uptime.spans.some(({ isUp }) => isUp),
      up: this.#last?.isUp ?? false,
      upSeconds: Math.floor(uptime.upMs / 1000),
      uptime,
      requests,
      openRequests: this.#openRequests,
      lastRequestAtSeconds: lastRequestAtSeconds ?? undefined,
      restarts: this.#record.restarts + this.#restarts,
    };
  }

  /** Whether it answers now. Never rejects. */
  async health(): Promise<ServiceHealth> {
    const told = await askHealth(this.#handle, this.#over.signal).catch(() => undefined);
    if (told) this.#restarts = told.restarts;
    return { isUp: told?.isUp ?? false, restarts: this.#record.restarts + this.#restarts };
  }

  /**
   * Takes one of the places for requests, which counts as use of the service.
   *
   * @returns what gives the place back; undefined where all are taken
   */
  take(): (() => void) | undefined {
    if (this.#openRequests >= this.settings.concurrency) return undefined;
    this.#openRequests++;
    this.#record = { ...this.#record, requests: this.#record.requests + 1 };
    this.#use();
    let isTaken = true;
    return () => {
      if (!isTaken) return;
      isTaken = false;
      this.#openRequests--;
      this.#use();
    };
  }

  /** A request to the service, of which nothing was sent yet. Rejects where there is nobody to send it to. */
  async request(options: {
    readonly method: string;
    readonly path: string;
    readonly headers: Readonly<Record<string, string>>;
  }): Promise<http.ClientRequest> {
    return await requestTo(this.#handle, options);
  }

  /** Ends the service; also what it is doing. */
  async stop(reason: string): Promise<LeaseEnd> {
    return await this.#end({ kind: "stopped", message: reason });
  }

  /** Looks no more; the service goes on, for {@link LeaseService.adopt}. */
  async detach(): Promise<void> {
    this.#isDetached = true;
    this.#over.abort();
    await this.#work;
    await this.#write();
  }

  // ---- Looking ----

  async #watch(): Promise<void> {
    const { signal } = this.#over;
    const { lookMs = LOOK_INTERVAL } = this.#options;
    while (!signal.aborted) {
      await this.#look();
      const { idleStopSeconds } = this.settings;
      if (idleStopSeconds > 0 && this.#idleMs() >= idleStopSeconds * 1000) {
        const message = `Nobody used the service for ${idleStopSeconds} s.`;
        await this.#end({ kind: "idle", message }).catch((error: unknown) => this.#tellError(error));
      }
      const pause = this.#last?.isUp ? lookMs : Math.min(lookMs, IMPATIENT_INTERVAL);
      await sleep(pause, undefined, { signal }).catch(() => undefined);
    }
  }

  /** One look after the other. */
  async #look(): Promise<void> {
    this.#looking = this.#looking.then(async () => {
      const { isUp, restarts } = await this.health();
      if (this.#over.signal.aborted) return;
      const last = this.#last;
      const look: Look = { atMs: performance.now(), atSeconds: nowSeconds(), isUp, start: restarts };
      const { lookMs = LOOK_INTERVAL } = this.#options;
      const uptime = observe(this.#record.uptime, { last, look, maxGapMs: 3 * lookMs + HEALTH_LIMIT });
      this.#record = { ...this.#record, uptime };
      this.#last = look;
      await this.#write();
      if (isUp && last?.isUp !== true) this.#tell("info", "service-up", { restarts });
      else if (!isUp && last?.isUp) this.#tell("warn", "service-down", { restarts });
      else if (isUp && last?.start !== restarts) this.#tell("warn", "service-restarted", { restarts });
    });
    await this.#looking;
  }

  #idleMs(): number {
    return this.#openRequests > 0 ? 0 : this.#record.uptime.upMs - this.#record.usedAtUpMs;
  }

  #use(): void {
    const usedAtUpMs = this.#record.uptime.upMs;
    this.#record = { ...this.#record, lastRequestAtSeconds: nowSeconds(), usedAtUpMs };
  }

  // ---- The end ----

  /** Waits for the run's end; where the runner lost it, it is started again. */
  async #follow(resolve: (end: LeaseEnd) => void): Promise<void> {
    const restarts = new Restarts(RESTARTS);
    const { signal } = this.#over;
    while (!signal.aborted)
      try {
        if (this.#record.ending) await this.#handle.stop(this.#record.ending.message);
        const outcome = await this.#handle.wait({ signal });
        const pause = outcome.isLost && !this.#record.ending ? restarts.take(performance.now()) : undefined;
        if (pause !== undefined && (await this.#startAgain(pause))) continue;
        this.#over.abort();
        const { kind, message } = this.#record.ending ?? { kind: "failed", message: outcome.message };
        this.#tell(kind === "failed" ? "error" : "info", "service-ended", { kind, message });
        resolve({ kind, message, outcome });
      } catch (error) {
        if (this.#over.signal.aborted) return;
        // Of this machine: its disk is full, or it has no more descriptors.
        this.#tellError(error);
        await sleep(LOOK_INTERVAL, undefined, { signal }).catch(() => undefined);
      }
  }

  async #startAgain(pause: number): Promise<boolean> {
    const { service } = await this.#handle.progress();
    this.#record = { ...this.#record, restarts: this.#record.restarts + (service?.restarts ?? 0) + 1 };
    this.#restarts = 0;
    await this.#write();
    await sleep(pause, undefined, { signal: this.#over.signal });
    try {
      this.#handle = await this.#options.runner.start(this.#job, { again: true });
      return true;
    } catch (error) {
      this.#tellError(error);
      return false;
    }
  }

  async #end(ending: Pick<LeaseEnd, "kind" | "message">): Promise<LeaseEnd> {
    if (this.#isDetached) throw new Error("The service was let go of.");
    if (!this.#record.ending) {
      // So that the time until now counts.
      await this.#look();
      this.#record = { ...this.#record, ending };
      await this.#write();
    }
    await this.#handle.stop(this.#record.ending?.message ?? ending.message);
    return await this.ended;
  }

  async #write(): Promise<void> {
    try {
      await this.#state.write("record.json", this.#record, { durable: true });
    } catch (error) {
      // A full disk ends no lease; what is in memory is written with the next look.
      this.#tellError(error);
    }
  }

  #tellError(error: unknown): void {
    this.#tell("error", "service-fault", { message: messageOf(error) });
  }

  #tell(level: NodeEvent["level"], event: string, fields: Record<string, string | number>): void {
    this.#options.onEvent?.({ level, event, task: this.#options.taskId, ...fields });
  }
}

function stateIn(directory: string): StateFolder<Files> {
  return new StateFolder(join(directory, "lease"));
}

async function requestTo(handle: RunHandle, options: http.RequestOptions): Promise<http.ClientRequest> {
  const socket = await handle.connect();
  return http.request({ ...options, createConnection: () => socket });
}

async function askHealth(handle: RunHandle, over: AbortSignal): Promise<ServiceHealth> {
  const signal = AbortSignal.any([over, AbortSignal.timeout(HEALTH_LIMIT)]);
  const request = await requestTo(handle, { path: "/health", signal });
  const answer = await new Promise<http.IncomingMessage>((resolve, reject) => {
    request.once("response", resolve).once("error", reject).end();
  });
  // From the runner's own front, which no application can reach.
  return JSON.parse(await text(answer)) as ServiceHealth;
}

function nowSeconds(): number {
  return Math.floor(Date.now() / 1000);
}
