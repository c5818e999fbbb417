import { expect } from "chai";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { mkdir, mkdtemp, realpath, rm } from "node:fs/promises";
import http from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import type { JsonObject, Limits, Manifest, ServiceSettings } from "../../../../src/manifest.ts";
import { openProcessRunner } from "../../../../src/provider/runner/process-runner.ts";
import { tree } from "../../../../src/provider/runner/processes.ts";
import { RESTARTS } from "../../../../src/provider/runner/restarts.ts";
import type { RestartPolicy } from "../../../../src/provider/runner/restarts.ts";
import type {
  Runner,
  RunHandle,
  RunJob,
  RunOutcome,
  ServiceHealth,
} from "../../../../src/provider/runner/runner.ts";
import { moduleUrl, spawnModule } from "../../../../src/process.ts";
import { RunState } from "../../../../src/provider/runner/state.ts";
import type { SandboxName } from "../../../../src/provider/runner/sandbox.ts";

export const APPLICATIONS = new URL("./applications.ts", import.meta.url);

const SERVICE: ServiceSettings = { maxRequestMiB: 1, timeoutSeconds: 30, concurrency: 4, idleStopSeconds: 0 };
const LIMITS: Limits = { seconds: 30, ramMiB: 512, outputMiB: 8 };

/** One folder for all of a test's tasks; at its end nothing of them may be left running. */
export class Workshop {
  path = "";

  async open(): Promise<void> {
    this.path = await realpath(await mkdtemp(join(tmpdir(), "neura-runner-")));
  }

  async close(): Promise<void> {
    let left: string[] = [];
    for (let attempt = 0; attempt < 100; attempt++) {
      left = processesIn(this.path);
      if (left.length === 0) break;
      await sleep(20);
    }
    await rm(this.path, { recursive: true, force: true });
    expect(left, "processes left behind").to.deep.equal([]);
  }

  async job(
    application: string,
    {
      parameters = {},
      limits = {},
      service,
    }: {
      parameters?: JsonObject;
      limits?: Partial<Limits>;
      /** Makes it a service. */
      service?: Partial<ServiceSettings>;
    } = {},
  ): Promise<RunJob> {
    const directory = await mkdtemp(join(this.path, "task-"));
    await mkdir(join(directory, "input"));
    const all = { ...LIMITS, ...limits };
    const manifest: Manifest = {
      schema: "neura/manifest/1",
      application: application,
      inputs: [],
      parameters,
      limits: all,
      ...(service ? { service: { ...SERVICE, ...service } } : {}),
    };
    return { directory, manifest, limits: all };
  }
}

/** A runner with the test's applications; with the machine's best sandbox unless one is named. */
export async function testRunner(
  sandbox?: SandboxName,
  restarts: Partial<RestartPolicy> = {},
): Promise<Runner> {
  return await openProcessRunner({
    applications: APPLICATIONS,
    restarts: { ...RESTARTS, ...restarts },
    ...(sandbox === undefined ? {} : { sandboxes: [sandbox] }),
  });
}

export interface Answer {
  readonly status: number;
  readonly type: string | undefined;
  readonly text: string;
}

/** Asks a run's service as the node does. Rejects where the answer is not whole. */
export async function ask(
  handle: RunHandle,
  path: string,
  { method = "POST", body = "" }: { method?: string; body?: string | Buffer } = {},
): Promise<Answer> {
  const socket = await handle.connect();
  const request = http.request({ method, path, createConnection: () => socket });
  request.setHeader("content-type", "text/plain");
  const answer = await new Promise<http.IncomingMessage>((resolve, reject) => {
    request.once("response", resolve).once("error", reject).end(body);
  });
  const { statusCode = 0, headers } = answer;
  return { status: statusCode, type: headers["content-type"], text: await text(answer) };
}

/** Waits until a service answers; says how often it was started again. */
export async function up(handle: RunHandle): Promise<number> {
  let restarts = -1;
  await until(async () => {
    const health = await ask(handle, "/health", { method: "GET" }).catch(() => undefined);
    if (health?.status === 200) restarts = (JSON.parse(health.text) as ServiceHealth).restarts;
    return restarts >= 0;
  });
  return restarts;
}

/** Kills the processes of a service's application, not its supervisor. */
export async function killApplication(directory: string, signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
  const leader = await new RunState(directory).read("application.json");
  for (const pid of await tree([leader!.pid])) process.kill(pid, signal);
}

export async function outcomeOf(runner: Runner, job: RunJob): Promise<RunOutcome> {
  return await (await runner.start(job)).wait();
}

/** The outcome of any command instead of an application's process. */
export async function supervised(
  job: RunJob,
  command: readonly string[],
  signalsAsExitCodes = false,
): Promise<RunOutcome> {
  const { directory, manifest, limits } = job;
  const state = new RunState(directory);
  await state.prepare();
  await state.write("order.json", {
    manifest,
    limits,
    command,
    signalsAsExitCodes,
    restarts: RESTARTS,
    logBytes: 4096,
  });
  const supervisor = spawnModule(moduleUrl(import.meta.url, "../../../../src/provider/runner/supervisor"), {
    arguments: [directory],
    environment: {},
    detached: true,
    stdio: ["ignore", "pipe", "inherit"],
  });
  await new Promise((resolve) => supervisor.stdout?.once("data", resolve));
  const handle = await (await testRunner("none")).adopt(directory);
  if (!handle) throw new Error("There is nothing to adopt.");
  return await handle.wait();
}

export function logOf(job: { directory: string }): string {
  return readFileSync(join(job.directory, "logs/application.log"), "utf8");
}

/** Waits until the application is at work. */
export async function running(handle: RunHandle): Promise<void> {
  await until(async () => (await handle.progress()).phase === "running");
}

export async function until(
  condition: () => boolean | Promise<boolean>,
  milliseconds = 20_000,
): Promise<void> {
  const end = performance.now() + milliseconds;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error("It did not happen in time.");
    await sleep(20);
  }
}

/** The processes that work in this folder or name it, each as its number and command line. */
export function processesIn(folder: string): string[] {
  return readdirSync("/proc").flatMap((pid) => {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return [];
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, "latin1").replaceAll("\0", " ");
      const directory = readlinkSync(`/proc/${pid}/cwd`);
      return command.includes(folder) || directory.startsWith(folder) ? [`${pid} ${command}`] : [];
    } catch {
      return []; // Ended meanwhile.
    }
  });
}
