/**
 * The process that watches over one run: starts the application (a service again and again), holds it to its limits,
 * and leaves an outcome. It has a session of its own, so that it outlives the node, and knows nothing but the task's folder.
 *
 *     supervisor.ts <task folder>
 */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { rm } from "node:fs/promises";
import { constants } from "node:os";
import { join, relative } from "node:path";
import { Duplex, Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { messageOf } from "../../errors.ts";
import { REQUEST_FD } from "./channel.ts";
import { ServiceFront } from "./front.ts";
import { CappedLog } from "./log.ts";
import { empty, holdMoreThan, tidy } from "./output.ts";
import { identify, isAlive, killAll, tree, usageOf } from "./processes.ts";
import type { ProcessIdentity } from "./processes.ts";
import { parseReport, REPORT_FD } from "./report.ts";
import type { Final, Work } from "./report.ts";
import { Restarts } from "./restarts.ts";
import type { RunKind, RunOutcome, RunPhase, RunProgress, RunUsage } from "./runner.ts";
import { CLAIMED_EXIT_CODE, RunState, SOCKET_NAME } from "./state.ts";
import type { Order } from "./state.ts";

/** How long an application that was asked to end may take [ms]. */
const GRACE = 2000;
/** How long it may take until it says that it is running [ms]. */
const START_LIMIT = 60_000;
/** Between two looks whether a service's application lives [ms]. */
const PULSE_INTERVAL = 1000;
/** Between two looks at the processes, and once they have taken half of their memory [ms]. */
const WATCH_INTERVAL = 100;
const CLOSE_WATCH_INTERVAL = 20;
/** Between two looks at the output, or ten times what the look took [ms]. */
const OUTPUT_INTERVAL = 200;
const PROGRESS_INTERVAL = 500;
/** Of one report, which is held in memory [bytes]. */
const REPORT_LIMIT = 256 * 1024 * 1024;
const MiB = 1024 * 1024;
const LOG_FILE = "logs/application.log";

type Cause = { readonly kind: RunKind; readonly message: string };
type Exit = { readonly code: number | undefined; readonly signal: string | undefined };

class Supervision {
  readonly #state: RunState;
  readonly #order: Order;
  readonly #log: CappedLog;
  readonly #phases: { name: Exclude<RunPhase, "ended">; began: number }[] = [];
  /** Every process of the run that was ever seen, by its number. */
  readonly #seen = new Map<number, ProcessIdentity>();
  /** Where requests come in; only of a service. */
  #front: ServiceFront | undefined;
  /** Aborted when there is a reason to end the run. */
  readonly #ending = new AbortController();
  /** Why the run was ended from here, the first reason only. */
  #cause: Cause | undefined;

  // ---- Of the application's process that lives now, or was the last one ----

  /** Aborted as soon as nothing needs to be watched any more. */
  #over = new AbortController();
  #child: ChildProcess | undefined;
  #leader: ProcessIdentity | undefined;
  #started = 0;
  /** Whether it has said that it is running. */
  #isRunning = false;
  #final: Final | undefined;
  #stderrTail = "";

  #progress = { done: 0, total: 0 };
  #usage: RunUsage = { peakRssBytes: 0, cpuSeconds: 0 };
  /** CPU time by process, of those that have ended too [s]. */
  readonly #cpuSeconds = new Map<number, number>();
  #progressWritten = -Infinity;

  constructor(state: RunState, order: Order) {
    this.#state = state;
    this.#order = order;
    this.#log = new CappedLog(this.#path(LOG_FILE), order.logBytes);
  }

  /** Ends the run from outside. */
  stop(reason: string): void {
    this.#end({ kind: "infrastructure-fault", message: `The run was stopped: ${reason}` });
  }

  async run(): Promise<RunOutcome> {
    this.#enter("starting");
    let exit: Exit | undefined;
    try {
      exit = this.#order.manifest.service ? await this.#keepUp() : await this.#work();
    } catch (error) {
      this.#cause ??= {
        kind: "infrastructure-fault",
        message: `The run could not be supervised: ${messageOf(error)}`,
      };
    }
    this.#over.abort();
    this.#enter("collecting");
    const alone = this.#leader === undefined || (await killAll(this.#leader, [...this.#seen.values()]));
    if (!alone)
      this.#cause ??= { kind: "infrastructure-fault", message: "The run's processes cannot be killed." };
    await this.#collect();
    const verdict = this.#judge(exit);
    this.#log.close();
    return {
      ...verdict,
      message: this.#sentence(verdict.message),
      secondsWall: this.#secondsWall(),
      phases: this.#phases.map(({ name, began }, index) => ({
        name,
        seconds: ((this.#phases[index + 1]?.began ?? performance.now()) - began) / 1000,
      })),
      usage: this.#usage,
      logFiles: [LOG_FILE],
    };
  }

  /**
   * Starts the application again whenever it ends; returns when there is a reason not to, or it ends too often. What is
   * the owner's to mend would not be mended by that.
   */
  async #keepUp(): Promise<Exit | undefined> {
    // The path from here: that of a socket must be short.
    const path = relative(process.cwd(), join(this.#state.path, SOCKET_NAME));
    const restarts = new Restarts(this.#order.restarts);
    const front = await ServiceFront.listen(path);
    this.#front = front;
    try {
      for (;;) {
        const exit = await this.#work();
        front.detach();
        const { kind, message } = this.#judge(exit);
        if (this.#cause || !["infrastructure-fault", "owner-exit-code"].includes(kind)) return exit;
        const wait = restarts.take(performance.now());
        this.#log.write(`[${message}${wait === undefined ? "" : " It is started again."}]\n`);
        if (wait === undefined) return exit;
        front.restarts++;
        await this.#tellProgress("now");
        await sleep(wait, undefined, this.#ending).catch(() => undefined);
        if (this.#ending.signal.aborted) return exit;
      }
    } finally {
      await front.close();
    }
  }

  /** Returns when the application has ended or has said its last word. */
  async #work(): Promise<Exit | undefined> {
    this.#over = new AbortController();
    this.#seen.clear();
    this.#started = performance.now();
    this.#isRunning = false;
    this.#final = undefined;
    this.#stderrTail = "";
    const [program = "", ...rest] = this.#order.command;
    const home = this.#path("tmp");
    // onnxruntime reports to its makers by default since 1.29, names of models included.
    const environment = { HOME: home, TMPDIR: home, ORT_DISABLE_TELEMETRY: "1" };
    const child = spawn(program, rest, {
      cwd: this.#state.directory,
      env: environment,
      stdio: ["pipe", "pipe", "pipe", "pipe", ...(this.#front ? (["pipe"] as const) : [])],
      detached: true,
    });
    const channel = child.stdio[REQUEST_FD];
    if (channel instanceof Duplex) this.#front?.attach(channel);
    this.#child = child;
    // At once: what comes before somebody listens is lost when the process ends soon.
    const exited = once(child, "exit").then(exitOf);
    // Where it cannot be started at all, waiting for "spawn" tells.
    exited.catch(() => undefined);
    const closed = once(child, "close").catch(() => undefined);
    const said = this.#listen(child).then(() => undefined);
    await once(child, "spawn");
    this.#leader = await identify(child.pid ?? 0);
    if (this.#leader) await this.#state.write("application.json", this.#leader);
    const work: Work = { manifest: this.#order.manifest, directory: this.#state.directory };
    if (this.#cause) child.stdin.end();
    else child.stdin.write(`${JSON.stringify(work)}\n`);

    const watches = [
      () => this.#watchProcesses(),
      () => this.#watchOutput(),
      ...(this.#front ? [() => this.#watchPulse()] : []),
    ].map((look) => this.#repeat(look));
    const first = await Promise.race([exited, said]);
    this.#over.abort();
    await Promise.all(watches);
    if (this.#leader) await killAll(this.#leader, [...this.#seen.values()]);
    // A process that escaped could hold the pipes open.
    await Promise.race([closed, sleep(1000, undefined, { ref: false })]);
    return first;
  }

  /** Reads what the application prints and reports, until its final report. */
  async #listen(child: ChildProcess): Promise<void> {
    child.stdin?.on("error", () => undefined);
    child.stdout?.on("data", (chunk: Buffer) => this.#log.write(chunk));
    child.stderr?.on("data", (chunk: Buffer) => {
      this.#log.write(chunk);
      this.#stderrTail = (this.#stderrTail + chunk.toString("latin1")).slice(-16_384);
    });
    const reports = child.stdio[REPORT_FD];
    if (!(reports instanceof Readable)) throw new Error("There is no pipe for reports.");
    const limit = Math.min(this.#order.limits.outputMiB * MiB, REPORT_LIMIT);
    let pieces: Buffer[] = [];
    let bytes = 0;
    await new Promise<void>((resolve) => {
      reports.on("data", (chunk: Buffer) => {
        let from = 0;
        for (let to = chunk.indexOf("\n"); to !== -1; from = to + 1, to = chunk.indexOf("\n", from)) {
          pieces.push(chunk.subarray(from, to));
          this.#hear(Buffer.concat(pieces).toString("utf8"));
          pieces = [];
          bytes = 0;
        }
        pieces.push(chunk.subarray(from));
        bytes += chunk.length - from;
        if (bytes > limit) {
          pieces = [];
          bytes = 0;
          this.#end(this.#tooMuchOutput(), "now");
        }
        if (this.#final) resolve();
      });
    });
  }

  #hear(line: string): void {
    const report = parseReport(line);
    if (!report || this.#final) return;
    if (report.type === "running") {
      this.#isRunning = true;
      if (this.#phases.at(-1)?.name === "starting") this.#enter("running");
      if (this.#front) {
        this.#front.isReady = this.#cause === undefined;
        void this.#tellProgress("now");
      }
    } else if (report.type === "log") {
      this.#log.write(`${report.line}\n`);
    } else if (report.type === "progress") {
      this.#progress = { done: report.done, total: report.total };
    } else if (report.type !== "completed" || !this.#front) {
      // A service has nothing to complete.
      this.#final = report;
      this.#addUsage(report.usage);
    }
  }

  // ---- Limits ----

  async #watchProcesses(): Promise<number> {
    const { seconds, ramMiB } = this.#order.limits;
    const phase = this.#phases.at(-1);
    if (phase?.name === "running" && performance.now() - phase.began > seconds * 1000)
      this.#end({
        kind: "owner-time-limit",
        message: `The run took longer than the ${seconds} s that its manifest allows.`,
      });
    if (!this.#isRunning && performance.now() - this.#started > START_LIMIT) {
      const message = `The application did not start in ${START_LIMIT / 1000} s.`;
      if (this.#front) await this.#kill(message);
      else this.#end({ kind: "infrastructure-fault", message });
    }

    const rssBytes = await this.#measure();
    if (rssBytes > ramMiB * MiB) this.#end(this.#tooMuchMemory(), "now");
    await this.#tellProgress();
    return rssBytes > (ramMiB * MiB) / 2 ? CLOSE_WATCH_INTERVAL : WATCH_INTERVAL;
  }

  /** Looks at the run's processes; returns the memory that they have held together since the last look [bytes]. */
  async #measure(): Promise<number> {
    if (!this.#leader) return 0;
    const known: number[] = [];
    for (const process of [this.#leader, ...this.#seen.values()])
      if (await isAlive(process)) known.push(process.pid);
    const pids = await tree(known);
    for (const pid of pids) {
      const process = this.#seen.has(pid) ? undefined : await identify(pid);
      if (process) this.#seen.set(pid, process);
    }
    const usage = await usageOf(pids);
    for (const { pid, cpuSeconds } of usage) this.#cpuSeconds.set(pid, cpuSeconds);
    const rssBytes = usage.reduce((sum, process) => sum + process.rssBytes, 0);
    const peakRssBytes = Math.max(rssBytes, ...usage.map((process) => process.peakRssBytes));
    this.#addUsage({
      peakRssBytes,
      cpuSeconds: [...this.#cpuSeconds.values()].reduce((sum, value) => sum + value, 0),
    });
    return peakRssBytes;
  }

  #addUsage({ peakRssBytes, cpuSeconds }: RunUsage): void {
    this.#usage = {
      peakRssBytes: Math.max(this.#usage.peakRssBytes, peakRssBytes),
      cpuSeconds: Math.max(this.#usage.cpuSeconds, cpuSeconds),
    };
  }

  /** An application that lives but does nothing is no better than one that has ended. */
  async #watchPulse(): Promise<number> {
    if (this.#isRunning)
      await this.#front?.ping(this.#order.restarts.hangMs).catch(() => this.#kill("The application hangs."));
    return PULSE_INTERVAL;
  }

  /** Ends the application, but not the run of a service. */
  async #kill(why: string): Promise<void> {
    if (this.#over.signal.aborted) return;
    this.#log.write(`[${why}]\n`);
    if (this.#leader) await killAll(this.#leader, [...this.#seen.values()]);
  }

  async #watchOutput(): Promise<number> {
    const began = performance.now();
    if (await this.#isOutputTooMuch()) this.#end(this.#tooMuchOutput(), "now");
    return Math.max(OUTPUT_INTERVAL, 10 * (performance.now() - began));
  }

  async #isOutputTooMuch(): Promise<boolean> {
    const folders = ["output", "tmp", "logs"].map((folder) => this.#path(folder));
    return await holdMoreThan(this.#order.limits.outputMiB * MiB, folders);
  }

  /** Ends the run for this reason, unless there is one already: asks the application first, or kills it now. */
  #end(cause: Cause, when: "asked" | "now" = "asked"): void {
    if (this.#cause ?? this.#final) return;
    this.#cause = cause;
    this.#ending.abort();
    if (this.#front) this.#front.isReady = false;
    const child = this.#child;
    const leader = this.#leader;
    if (!child || !leader) return;
    child.stdin?.end();
    void sleep(when === "now" ? 0 : GRACE, undefined, { signal: this.#over.signal })
      .then(async () => await killAll(leader, [...this.#seen.values()]))
      .catch(() => undefined);
  }

  async #repeat(look: () => Promise<number>): Promise<void> {
    const { signal } = this.#over;
    try {
      while (!signal.aborted) await sleep(await look(), undefined, { signal });
    } catch (error) {
      if (!signal.aborted)
        this.#end(
          { kind: "infrastructure-fault", message: `The run cannot be watched: ${messageOf(error)}` },
          "now",
        );
    }
  }

  async #tellProgress(when: "now" | "soon" = "soon"): Promise<void> {
    const now = performance.now();
    if (when === "soon" && now - this.#progressWritten < PROGRESS_INTERVAL) return;
    this.#progressWritten = now;
    const progress: RunProgress = {
      phase: this.#phases.at(-1)?.name ?? "starting",
      ...this.#progress,
      secondsWall: this.#secondsWall(),
      usage: this.#usage,
      ...(this.#front ? { service: { isReady: this.#front.isReady, restarts: this.#front.restarts } } : {}),
    };
    await this.#state.write("progress.json", progress);
  }

  // ---- The end ----

  /** Nothing runs any more: leaves no more than the result may hold. */
  async #collect(): Promise<void> {
    const output = this.#path("output");
    try {
      await tidy(this.#path("tmp"));
      await rm(this.#path("tmp"), { recursive: true });
      if (!(await this.#isOutputTooMuch()))
        for (const path of await tidy(output))
          this.#log.write(
            `[removed ${relative(this.#state.directory, path)}: is no file of this run alone]\n`,
          );
      if (await this.#isOutputTooMuch()) {
        this.#cause ??= this.#tooMuchOutput();
        await empty(output);
        this.#log.write("[removed output: is more than the manifest asks for]\n");
      }
    } catch (error) {
      this.#cause ??= {
        kind: "infrastructure-fault",
        message: `The output cannot be read: ${messageOf(error)}`,
      };
    }
  }

  #judge(exit: Exit | undefined): Pick<RunOutcome, "kind" | "message" | "exitCode" | "signal" | "summary"> {
    if (this.#cause) return this.#cause;
    const final = this.#final;
    if (final?.type === "completed")
      return { kind: "completed", message: "The application completed its work.", summary: final.summary };
    if (final?.type === "bad-input") return { kind: "owner-bad-input", message: final.message };
    if (final) return { kind: "infrastructure-fault", message: `The application failed: ${final.message}` };

    const { code, signal } = this.#order.signalsAsExitCodes ? signalFromCode(exit) : (exit ?? {});
    const how = {
      ...(code === undefined ? {} : { exitCode: code }),
      ...(signal === undefined ? {} : { signal }),
    };
    const running = this.#isRunning;
    if (running && code !== 0 && this.#stderrTail.includes("heap out of memory"))
      return { ...this.#tooMuchMemory(), ...how };
    if (signal === "SIGXFSZ") return { ...this.#tooMuchOutput(), ...how };
    if (signal !== undefined)
      return { kind: "infrastructure-fault", message: `The application was killed by ${signal}.`, ...how };
    if (!running || code === undefined || code === 0)
      return { kind: "infrastructure-fault", message: "The application ended without a result.", ...how };
    return { kind: "owner-exit-code", message: `The work ended with exit code ${code}.`, ...how };
  }

  #tooMuchMemory(): Cause {
    const { ramMiB } = this.#order.limits;
    return {
      kind: "owner-out-of-memory",
      message: `The run needed more than the ${ramMiB} MiB of memory that its manifest asks for.`,
    };
  }

  #tooMuchOutput(): Cause {
    const { outputMiB } = this.#order.limits;
    return {
      kind: "owner-exit-code",
      message: `The run wrote more than the ${outputMiB} MiB of output that its manifest asks for.`,
    };
  }

  #enter(name: Exclude<RunPhase, "ended">): void {
    this.#phases.push({ name, began: performance.now() });
  }

  /** Never more than the limit: what the application took to end is not the owner's. */
  #secondsWall(): number {
    const index = this.#phases.findIndex(({ name }) => name === "running");
    const began = this.#phases[index]?.began;
    if (began === undefined) return 0;
    const ended = this.#phases[index + 1]?.began ?? performance.now();
    return Math.min((ended - began) / 1000, this.#order.limits.seconds);
  }

  /** One line without paths of this machine. */
  #sentence(message: string): string {
    return message
      .replaceAll(`${this.#state.directory}/`, "")
      .replace(/[\p{Cc}\p{Surrogate}]+/gu, " ")
      .slice(0, 1000);
  }

  #path(name: string): string {
    return join(this.#state.directory, name);
  }
}

function exitOf([code, signal]: unknown[]): Exit {
  return {
    code: typeof code === "number" ? code : undefined,
    signal: typeof signal === "string" ? signal : undefined,
  };
}

function signalFromCode(exit: Exit | undefined): Partial<Exit> {
  const code = exit?.code ?? 0;
  const signal = Object.entries(constants.signals).find(([, number]) => number === code - 128)?.[0];
  return signal === undefined ? (exit ?? {}) : { signal };
}

process.umask(0o077);
const state = new RunState(process.argv[2] ?? "");
const order = await state.read("order.json");
const self = await identify(process.pid);
if (!order || !self) throw new Error("There is nothing to supervise.");
const supervision = new Supervision(state, order);
for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const)
  process.on(signal, () => {
    void state.read("stop.json").then((stop) => supervision.stop(stop?.reason ?? signal));
  });
if (!(await state.claim(self))) process.exit(CLAIMED_EXIT_CODE);
// Whoever started this may be gone already.
process.stdout.on("error", () => undefined);
process.stdout.write("ready\n");
await state.write("outcome.json", await supervision.run(), { durable: true });
process.exit();
