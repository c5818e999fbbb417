import type { Duplex } from "node:stream";
import type { Limits, Manifest } from "../../manifest.ts";
import type { RunSummary } from "../applications/application.ts";

/**
 * Runs one task's work apart from the node: with limits, without the node's secrets, and so that the work outlives
 * the node and a restarted one finds it again. Where the manifest has a `service`, the work is to answer requests: such
 * a run is kept up, and ends only by its limits or when it is stopped. `process-runner.ts` runs the built-in
 * applications.
 */
export interface Runner {
  /** As the journal and `run.json` name it: `process`. */
  readonly name: string;
  /** What really keeps a run apart from the machine, found out by trying it; what is missing is not in here. */
  readonly isolation: readonly string[];
  /**
   * Starts a run and returns once its identity is on disk: from then on {@link Runner.adopt} finds it, whatever
   * becomes of this process. A folder holds one run in its life.
   *
   * @param options.again but for a service whose last run there has ended: this one takes its place
   * @throws NeuraError `runner.already-started`: adopt it; `runner.not-started`: nothing runs, the fault is ours
   */
  start(job: RunJob, options?: { readonly again?: boolean }): Promise<RunHandle>;
  /**
   * The run that was started in this folder, whether it still goes on, has ended, or has died with the machine;
   * undefined if none was ever started there.
   */
  adopt(directory: string): Promise<RunHandle | undefined>;
}

export interface RunJob {
  /**
   * The task's folder, absolute, of its own for each run: holds `input/` with the payload's files; the runner makes
   * `output/` (the result's files), `logs/`, `tmp/` (removed at the end) and `run/` (its own state).
   */
  readonly directory: string;
  /** Says which application runs, and what it is told. */
  readonly manifest: Manifest;
  /** Usually the manifest's own; going over one is the owner's failure. */
  readonly limits: Limits;
}

/** A run on its way or at its end. Handles hold nothing open; any number of them can look at the same run. */
export interface RunHandle {
  readonly directory: string;
  /**
   * The outcome, as soon as there is one; the run's processes are gone by then. Never rejects because of the run.
   *
   * @param options.signal ends the waiting, not the run
   */
  wait(options?: { readonly signal?: AbortSignal | undefined }): Promise<RunOutcome>;
  /**
   * Ends the run: the application is asked to end, after two seconds it is killed. Returns when it is gone; the
   * outcome is then `infrastructure-fault` with this reason, unless the run had ended by itself before.
   */
  stop(reason: string): Promise<void>;
  progress(): Promise<RunProgress>;
  /**
   * A connection to the run's service, over which one asks it in HTTP/1.1. At `/health` the runner itself answers, with
   * a `ServiceHealth`: 200 if the application has just shown that it lives, else 503. Rejects where there is nobody to
   * connect to.
   */
  connect(): Promise<Duplex>;
}

/** Whether a service answers. */
export interface ServiceHealth {
  /** The application is ready, and has just shown that it lives. */
  readonly isUp: boolean;
  /** How often it was started again. */
  readonly restarts: number;
}

export type RunPhase = "starting" | "running" | "collecting" | "ended";

export interface RunProgress {
  readonly phase: RunPhase;
  /** `done` of `total` units, as the application counts them; both zero until it has said so. */
  readonly done: number;
  readonly total: number;
  /** Of the phase `running`, which is what the owner pays for [s]. */
  readonly secondsWall: number;
  readonly usage: RunUsage;
  /** Of a service: how often its application was started again, and whether it is ready now. */
  readonly service?: { readonly isReady: boolean; readonly restarts: number };
}

export interface RunUsage {
  /** Highest resident memory of all of the run's processes together [bytes]. */
  readonly peakRssBytes: number;
  /** Of all of the run's processes, user and system [s]. */
  readonly cpuSeconds: number;
}

/**
 * How a run ended, named as the market's outcomes are. The owner's kinds are delivered, with logs and partial
 * outputs; `infrastructure-fault` is the provider's.
 *
 * - `completed`: the application returned; there is a summary.
 * - `owner-exit-code`: the work ended its process with another code than 0, or wrote more than it asked for.
 * - `owner-out-of-memory`: the run needed more memory than its limit.
 * - `owner-time-limit`: the run took longer than its limit.
 * - `owner-bad-input`: the application cannot work with these inputs or parameters.
 * - `infrastructure-fault`: anything else: a fault of the application, killed from outside, supervisor gone, stopped.
 */
export type RunKind =
  | "completed"
  | "owner-exit-code"
  | "owner-out-of-memory"
  | "owner-time-limit"
  | "owner-bad-input"
  | "infrastructure-fault";

export interface RunOutcome {
  readonly kind: RunKind;
  /** One sentence for the owner; names no path of this machine. */
  readonly message: string;
  /** Where the application's process ended by itself. */
  readonly exitCode?: number;
  /** Where a signal ended it: `SIGKILL`. */
  readonly signal?: string;
  /** Of the phase `running`, which is what the owner pays for [s]. */
  readonly secondsWall: number;
  /** Time of each phase that was reached, in order [s]. */
  readonly phases: readonly { readonly name: Exclude<RunPhase, "ended">; readonly seconds: number }[];
  readonly usage: RunUsage;
  /** Only of a completed run. */
  readonly summary?: RunSummary;
  /** Whatever watched over the run is gone and left no outcome, so that this is no more than a guess. */
  readonly isLost?: true;
  /** Paths below the task's folder, for the result: `logs/application.log`. */
  readonly logFiles: readonly string[];
}
