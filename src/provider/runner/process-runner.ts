import { watch } from "node:fs";
import type { FSWatcher } from "node:fs";
import { once } from "node:events";
import { mkdir, open, readFile, realpath, stat } from "node:fs/promises";
import { connect } from "node:net";
import { availableParallelism } from "node:os";
import { dirname, isAbsolute, join } from "node:path";
import type { Duplex } from "node:stream";
import { fileURLToPath } from "node:url";
import { messageOf, NeuraError } from "../../errors.ts";
import { moduleCommand, moduleUrl, spawnModule } from "../../process.ts";
import { isAlive, kill, killAll } from "./processes.ts";
import type { Runner, RunHandle, RunJob, RunOutcome, RunProgress } from "./runner.ts";
import { findSandbox, SANDBOXES } from "./sandbox.ts";
import type { Sandbox, SandboxName } from "./sandbox.ts";
import { RESTARTS } from "./restarts.ts";
import type { RestartPolicy } from "./restarts.ts";
import { CLAIMED_EXIT_CODE, RunState, SOCKET_NAME } from "./state.ts";

export interface ProcessRunnerOptions {
  /** The module that exports `applications`, a map by name; the built-in ones if left out. */
  readonly applications?: URL;
  /** The sandboxes to try, best first; all that are known if left out. */
  readonly sandboxes?: readonly SandboxName[];
  /** The most that an application's log may hold [bytes]; 4 MiB if left out, and never more than a quarter of the output. */
  readonly logBytes?: number;
  /** How often the application of a service is started again. */
  readonly restarts?: RestartPolicy;
}

const MiB = 1024 * 1024;
/** How long a supervisor may take to begin, and to end a run that is stopped [ms]. */
const START_LIMIT = 20_000;
const STOP_LIMIT = 6_000;
/** Between two looks for a supervisor that died without a word [ms]. */
const LIVENESS_INTERVAL = 250;

/** Runs the built-in applications, each as processes of its own; finds out how this machine can confine them. */
export async function openProcessRunner(options: ProcessRunnerOptions = {}): Promise<Runner> {
  const applications = options.applications ?? moduleUrl(import.meta.url, "../applications/registry");
  const sandbox = await findSandbox(options.sandboxes ?? SANDBOXES);
  const code = await codeFolders(applications);
  const { logBytes = 4 * MiB, restarts = RESTARTS } = options;
  return new ProcessRunner({ applications, sandbox, code, logBytes, restarts });
}

interface Parts {
  readonly applications: URL;
  readonly sandbox: Sandbox;
  readonly code: readonly string[];
  readonly logBytes: number;
  readonly restarts: RestartPolicy;
}

class ProcessRunner implements Runner {
  readonly name = "process";
  readonly isolation: readonly string[];
  readonly #parts: Parts;

  constructor(parts: Parts) {
    const { sandbox } = parts;
    // Since Node 25 its permissions cover the network, which they refuse.
    const offline = process.allowedNodeEnvironmentFlags.has("--allow-net")
      ? ["no network but for native code"]
      : [];
    this.isolation = [
      ...["own process group", "empty environment", "Node permissions"],
      ...(sandbox.isolation.includes("no network") ? [] : offline),
      ...sandbox.isolation,
    ];
    this.#parts = parts;
  }

  async start(job: RunJob, { again = false }: { again?: boolean } = {}): Promise<RunHandle> {
    if (!isAbsolute(job.directory) || job.directory.includes("*"))
      throw notStarted(job.directory, "is no absolute path, or has a star in it");
    // A service may have no files.
    if (job.manifest.service)
      await mkdir(join(job.directory, "input"), { mode: 0o700 }).catch(() => undefined);
    const directory = await realpath(join(job.directory, "input")).then(dirname, (cause: unknown) => {
      throw notStarted(job.directory, "has no input/", cause);
    });
    const state = new RunState(directory);
    await state.prepare();
    if (again && (await new Handle(state).hasEnded())) await state.clear();
    if (await state.read("supervisor.json")) throw alreadyStarted(directory);
    const { sandbox, logBytes, restarts } = this.#parts;
    await state.write("order.json", {
      manifest: job.manifest,
      limits: job.limits,
      command: this.#command(directory, job),
      signalsAsExitCodes: sandbox.signalsAsExitCodes,
      restarts,
      logBytes: Math.floor(Math.min(logBytes, (job.limits.outputMiB * MiB) / 4)),
    });
    await startSupervisor(state);
    return new Handle(state);
  }

  async adopt(directory: string): Promise<RunHandle | undefined> {
    const state = new RunState(directory);
    return (await state.read("supervisor.json")) && new Handle(state);
  }

  #command(directory: string, { limits }: RunJob): string[] {
    const { applications, sandbox, code } = this.#parts;
    const writable = [join(directory, "output"), join(directory, "tmp")];
    const readable = [...code, join(directory, "input")];
    const command = moduleCommand(moduleUrl(import.meta.url, "./application-main"), {
      nodeOptions: [
        "--permission",
        "--allow-addons",
        // About --allow-addons: native code is not held by Node's permissions, which is why there is a sandbox.
        "--disable-warning=SecurityWarning",
        ...[...readable, ...writable].map((path) => `--allow-fs-read=${path}`),
        ...writable.map((path) => `--allow-fs-write=${path}`),
        `--max-old-space-size=${Math.ceil(limits.ramMiB)}`,
      ],
      arguments: [applications.href],
    });
    return [
      ...["/bin/sh", "-c", kernelLimits(limits), "sh"],
      ...sandbox.wrap(command, { read: readable, write: writable, directory }),
    ];
  }
}

/**
 * What the kernel holds each process to, whatever becomes of the supervisor: no core dump (it would hold plaintext),
 * CPU time, size of one file, open files; and it is the first to go when the machine runs out of memory.
 */
function kernelLimits({ seconds, outputMiB }: RunJob["limits"]): string {
  const cpuSeconds = Math.ceil(seconds) * availableParallelism() + 60;
  const blocks = Math.ceil(outputMiB + 1) * 2048;
  return [
    ...[`-c 0`, `-t ${cpuSeconds}`, `-f ${blocks}`, "-n 4096"].map(
      (limit) => `ulimit ${limit} 2>/dev/null || :`,
    ),
    "{ echo 800 >/proc/self/oom_score_adj; } 2>/dev/null || :",
    'exec "$@"',
  ].join("\n");
}

async function startSupervisor(state: RunState): Promise<void> {
  const home = join(state.directory, "tmp");
  const log = await open(join(state.path, "supervisor.log"), "a", 0o600);
  const child = spawnModule(moduleUrl(import.meta.url, "./supervisor"), {
    arguments: [state.directory],
    environment: { HOME: home, TMPDIR: home },
    directory: state.directory,
    stdio: ["ignore", "pipe", log.fd],
    detached: true,
  });
  try {
    const code = await new Promise<number | "ready">((resolve, reject) => {
      const timer = setTimeout(() => {
        child.kill("SIGKILL");
        reject(new Error(`It was not ready in ${START_LIMIT / 1000} s.`));
      }, START_LIMIT);
      child.once("error", reject);
      child.once("exit", (exitCode) => resolve(exitCode ?? -1));
      child.stdout?.once("data", () => resolve("ready"));
      child.once("exit", () => clearTimeout(timer));
      child.stdout?.once("data", () => clearTimeout(timer));
    });
    if (code === CLAIMED_EXIT_CODE) throw alreadyStarted(state.directory);
    if (code !== "ready") throw new Error(`It ended with code ${code}: ${await tail(state)}`);
  } catch (error) {
    if (error instanceof NeuraError) throw error;
    throw notStarted(state.directory, `got no supervisor. ${messageOf(error)}`, error);
  } finally {
    await log.close();
    child.stdout?.destroy();
    child.unref();
  }
}

async function tail(state: RunState): Promise<string> {
  return (await readFile(join(state.path, "supervisor.log"), "utf8")).slice(-1000);
}

class Handle implements RunHandle {
  readonly #state: RunState;

  constructor(state: RunState) {
    this.#state = state;
  }

  get directory(): string {
    return this.#state.directory;
  }

  async wait({ signal }: { readonly signal?: AbortSignal | undefined } = {}): Promise<RunOutcome> {
    let wake = (): void => undefined;
    const awake = (): void => wake();
    const watcher = watchFolder(this.#state.path, awake);
    signal?.addEventListener("abort", awake);
    try {
      for (;;) {
        signal?.throwIfAborted();
        let timer: NodeJS.Timeout | undefined;
        const pause = new Promise<void>((resolve) => {
          wake = resolve;
          timer = setTimeout(resolve, LIVENESS_INTERVAL);
        });
        const outcome = await this.#outcome();
        if (!outcome) await pause;
        clearTimeout(timer);
        if (outcome) return outcome;
      }
    } finally {
      watcher?.close();
      signal?.removeEventListener("abort", awake);
    }
  }

  async stop(reason: string): Promise<void> {
    await this.#state.write("stop.json", { reason });
    const supervisor = await this.#state.read("supervisor.json");
    if (!supervisor || (await this.#outcome())) return;
    kill(supervisor.pid, "SIGTERM");
    try {
      await this.wait({ signal: AbortSignal.timeout(STOP_LIMIT) });
    } catch {
      if (await isAlive(supervisor)) kill(supervisor.pid, "SIGKILL");
      await this.wait();
    }
  }

  async progress(): Promise<RunProgress> {
    const told = await this.#state.read("progress.json");
    const outcome = await this.#outcome();
    const progress = told ?? {
      phase: "starting",
      done: 0,
      total: 0,
      secondsWall: 0,
      usage: { peakRssBytes: 0, cpuSeconds: 0 },
    };
    if (!outcome) return progress;
    return { ...progress, phase: "ended", secondsWall: outcome.secondsWall, usage: outcome.usage };
  }

  async connect(): Promise<Duplex> {
    // The path of a socket must be short, which that of a task's folder need not be.
    const folder = await open(this.#state.path);
    const path = process.platform === "linux" ? `/proc/self/fd/${folder.fd}` : this.#state.path;
    try {
      const socket = connect(join(path, SOCKET_NAME));
      await once(socket, "connect");
      return socket;
    } finally {
      await folder.close();
    }
  }

  /** Also where none was ever started. */
  async hasEnded(): Promise<boolean> {
    return (await this.#outcome()) !== undefined;
  }

  /** The outcome as the supervisor left it, or of a supervisor that left none; undefined while it lives. */
  async #outcome(): Promise<RunOutcome | undefined> {
    const supervisor = await this.#state.read("supervisor.json");
    // In this order: it writes the outcome before it ends.
    const alive = supervisor !== undefined && (await isAlive(supervisor));
    const outcome = await this.#state.read("outcome.json");
    if (outcome || alive) return outcome;
    const application = await this.#state.read("application.json");
    if (application) await killAll(application);
    const told = await this.#state.read("progress.json");
    const stop = await this.#state.read("stop.json");
    return {
      kind: "infrastructure-fault",
      message: stop ? `The run was stopped: ${stop.reason}` : "The run's supervisor or its machine died.",
      secondsWall: told?.secondsWall ?? 0,
      phases: [],
      usage: told?.usage ?? { peakRssBytes: 0, cpuSeconds: 0 },
      logFiles: ["logs/application.log"],
      ...(stop ? {} : { isLost: true }),
    };
  }
}

/** Undefined where the system has no more watches to give: then one has to look from time to time. */
function watchFolder(path: string, changed: () => void): FSWatcher | undefined {
  try {
    return watch(path, changed).on("error", () => undefined);
  } catch {
    return undefined;
  }
}

/** What an application's code is made of: our own sources, the applications, and the packages they can import. */
async function codeFolders(applications: URL): Promise<string[]> {
  const own = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
  const folders = new Set([own, dirname(fileURLToPath(applications))]);
  for (let folder = dirname(own); ; folder = dirname(folder)) {
    folders.add(join(folder, "node_modules")).add(join(folder, "package.json"));
    if (folder === dirname(folder)) break;
  }
  const found: string[] = [];
  for (const folder of folders)
    if (await stat(folder).catch(() => undefined)) found.push(folder, await realpath(folder));
  return [...new Set(found)];
}

function alreadyStarted(directory: string): NeuraError {
  return new NeuraError("runner.already-started", `A run was started in ${directory} already.`, {
    next: "Adopt it, or use a new folder.",
    details: { directory },
  });
}

function notStarted(directory: string, why: string, cause?: unknown): NeuraError {
  return new NeuraError("runner.not-started", `No run was started: ${directory} ${why}.`, {
    details: { directory },
    ...(cause === undefined ? {} : { cause }),
  });
}
