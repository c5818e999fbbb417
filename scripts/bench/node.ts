/**
 * `node --import tsx scripts/bench/node.ts --tasks 10 --json`
 *
 * What a provider's node adds to the work itself: from the block of a task's submission to the block of its delivery,
 * against the bare runner with the same work, and how many tasks it serves in a second. Chain, storage and node are
 * processes of their own; the application hands one small file back. One JSON object on stdout, progress on stderr.
 */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { availableParallelism, cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { HDNodeWallet, JsonRpcProvider, Network } from "ethers";

import { loadDeployment } from "../../src/deployment.ts";
import { generateKeyPair } from "../../src/envelope/index.ts";
import { loadArweaveKey } from "../../src/keys/arweave.ts";
import { publishKey } from "../../src/keys/publish.ts";
import { saveKey } from "../../src/keystore.ts";
import { parseManifest } from "../../src/manifest.ts";
import { MarketClient } from "../../src/market/client.ts";
import { openProcessRunner } from "../../src/provider/runner/process-runner.ts";
import { openStorage } from "../../src/storage/open.ts";
import { objectIn, Processes, runCommand, taskCommand } from "../demo/processes.ts";
import { startChain, startGateway } from "../demo/stage.ts";

const MNEMONIC = "test test test test test test test test test test test junk";
const CHAIN_ID = 31337;
const NODE = "provider's node";
const TASK_TIMEOUT_MS = 120_000;
const PHASES = ["found", "fetched", "running", "ran", "sealed", "uploaded", "delivered"];

interface Event {
  readonly event: string;
  readonly task: string;
  /** [Unix ms] */
  readonly at: number;
}

/** [s] */
interface Spread {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

interface NodeBench {
  readonly schema: "neura/bench-node/1";
  readonly tasks: number;
  readonly slots: number;
  /** Start to outcome of the same work, without a node. */
  readonly bareRunner: Spread;
  /** Submission mined to delivery mined, one task after the other. */
  readonly submittedToDelivered: Spread;
  /** The difference of the medians. */
  readonly overheadSeconds: number;
  /** Medians of what the node did meanwhile, each from the phase before. */
  readonly phases: Readonly<Record<string, number>>;
  /** All tasks waiting at once. */
  readonly burst: { readonly seconds: number; readonly tasksPerSecond: number };
  readonly machine: { readonly cpu: string; readonly cores: number; readonly node: string };
}

async function bench(
  { tasks, slots }: { tasks: number; slots: number },
  { directory, processes, signal }: { directory: string; processes: Processes; signal: AbortSignal },
): Promise<NodeBench> {
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  const file = join(directory, "note.txt");
  await writeFile(file, "hand this back");

  say(`The bare runner, ${tasks} times …`);
  const bareRunner = spreadOf(await bareRuns(file, join(directory, "bare"), tasks));

  say("A chain, storage and the contracts …");
  const stage = { processes, signal };
  const [url, gateway] = await Promise.all([startChain(stage), startGateway(directory, stage)]);
  const common = {
    NEURA_RPC_URL: url,
    NEURA_DEPLOYMENT: join(directory, "deployment.json"),
    NEURA_ARWEAVE_GATEWAYS: gateway,
  };
  const environmentOf = (index: number, home: string): Record<string, string> => ({
    ...common,
    NEURA_PRIVATE_KEY: walletAt(index).privateKey,
    NEURA_HOME: join(directory, home),
  });
  await runCommand(["deploy"], { environment: environmentOf(0, "deployer"), signal });
  const seller = environmentOf(2, "provider");
  await runCommand(
    ["provider", "register", "--rate", "0.001ANKR", "--slots", String(slots), "--stake", "1ANKR"],
    {
      environment: seller,
      signal,
    },
  );

  const network = Network.from(CHAIN_ID);
  const provider = new JsonRpcProvider(url, network, {
    staticNetwork: network,
    pollingInterval: 20,
    cacheTimeout: -1,
  });
  const owner = walletAt(1).connect(provider);
  const deployment = await loadDeployment({ provider, environment: common });
  const home = join(directory, "owner");
  const key = generateKeyPair();
  await saveKey(home, owner.address, key);
  await publishKey(deployment, { signer: owner, key });
  const wallet = await loadArweaveKey(join(home, "arweave.json"));
  const storage = openStorage("ar", { arweave: { gateways: [gateway], key: wallet.key } });
  const client = new MarketClient({ runner: owner, deployment, home, storage: () => storage });
  const submit = async (): Promise<{ id: string; at: number }> => {
    const { id } = await client.submit(
      { source: { files: [file] }, application: "noop", durationSeconds: 60, anyProvider: true },
      { signal },
    );
    return { id, at: Date.now() };
  };

  const events: Event[] = [];
  const startNode = async (node: Processes): Promise<void> => {
    await node.start(NODE, taskCommand("provider", "run", "--json"), {
      environment: seller,
      ready: (line) => (objectIn(line)?.["event"] === "started" ? true : undefined),
      onLine: (line) => {
        const { event, task, time } = objectIn(line) ?? {};
        if (typeof event !== "string" || typeof time !== "string") return;
        events.push({ event, task: typeof task === "string" ? task : "", at: Date.parse(time) });
      },
      signal,
    });
  };

  say(`One task after the other, ${tasks} of them …`);
  const first = new Processes();
  await startNode(first);
  const single: number[] = [];
  for (let each = 0; each < tasks; each++) {
    const { id, at } = await submit();
    const delivered = await eventOf(events, "delivered", id);
    single.push((delivered.at - at) / 1000);
  }
  const submittedToDelivered = spreadOf(single);
  const phases = phasesOf(events);

  say(`All at once, ${tasks} of them in ${slots} slots …`);
  await first.stop();
  const waiting: string[] = [];
  for (let each = 0; each < tasks; each++) waiting.push((await submit()).id);
  events.length = 0;
  await startNode(processes);
  const started = events.find(({ event }) => event === "started")?.at ?? Date.now();
  const ends = await Promise.all(waiting.map((id) => eventOf(events, "delivered", id)));
  const seconds = (Math.max(...ends.map(({ at }) => at)) - started) / 1000;
  provider.destroy();

  return {
    schema: "neura/bench-node/1",
    tasks,
    slots,
    bareRunner,
    submittedToDelivered,
    overheadSeconds: round(submittedToDelivered.median - bareRunner.median),
    phases,
    burst: { seconds: round(seconds), tasksPerSecond: round(tasks / seconds) },
    machine: { cpu: cpus()[0]?.model ?? "unknown", cores: availableParallelism(), node: process.version },
  };
}

/** Seconds from the start to the outcome of runs without a node. */
async function bareRuns(file: string, directory: string, count: number): Promise<number[]> {
  const runner = await openProcessRunner();
  const manifest = parseManifest({
    schema: "neura/manifest/1",
    application: "noop",
    inputs: ["input/note.txt"],
    parameters: {},
    limits: { seconds: 60, ramMiB: 2048, outputMiB: 64 },
  });
  const seconds: number[] = [];
  for (let run = 0; run < count; run++) {
    const folder = join(directory, String(run));
    await mkdir(join(folder, "input"), { recursive: true });
    await writeFile(join(folder, "input", "note.txt"), file);
    const started = performance.now();
    const handle = await runner.start({ directory: folder, manifest, limits: manifest.limits });
    const { kind, message } = await handle.wait();
    if (kind !== "completed") throw new Error(message);
    seconds.push((performance.now() - started) / 1000);
  }
  return seconds;
}

async function eventOf(events: readonly Event[], name: string, task: string): Promise<Event> {
  const until = Date.now() + TASK_TIMEOUT_MS;
  for (;;) {
    const found = events.find((each) => each.event === name && each.task === task);
    if (found) return found;
    if (Date.now() > until) throw new Error(`task ${task} was not ${name} in ${TASK_TIMEOUT_MS / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function phasesOf(events: readonly Event[]): Record<string, number> {
  const tasks = new Set(events.map(({ task }) => task).filter((task) => task !== ""));
  const seconds: Record<string, number[]> = {};
  for (const task of tasks) {
    const own = events.filter((event) => event.task === task && PHASES.includes(event.event));
    for (const [index, event] of own.entries()) {
      const before = own[index - 1];
      if (before) (seconds[event.event] ??= []).push((event.at - before.at) / 1000);
    }
  }
  return Object.fromEntries(Object.entries(seconds).map(([name, values]) => [name, spreadOf(values).median]));
}

function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((one, other) => one - other);
  const at = (share: number): number => round(sorted[Math.floor(share * (sorted.length - 1))] ?? 0);
  return { median: at(0.5), least: at(0), most: at(1) };
}

function round(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}

function walletAt(index: number): HDNodeWallet {
  return HDNodeWallet.fromPhrase(MNEMONIC, "", `m/44'/60'/0'/0/${index}`);
}

function textOf({
  bareRunner,
  submittedToDelivered,
  overheadSeconds,
  phases,
  burst,
  tasks,
  slots,
}: NodeBench): string {
  const steps = Object.entries(phases).map(
    ([name, seconds]) => `  ${name.padEnd(10)} ${seconds.toFixed(3)} s`,
  );
  return [
    `Bare runner              ${bareRunner.median.toFixed(3)} s`,
    `Submitted to delivered   ${submittedToDelivered.median.toFixed(3)} s (${submittedToDelivered.least} to ${submittedToDelivered.most})`,
    `Overhead of the node     ${overheadSeconds.toFixed(3)} s`,
    ...steps,
    `${tasks} at once, ${slots} slots     ${burst.seconds.toFixed(1)} s, ${burst.tasksPerSecond.toFixed(2)} tasks per second`,
  ].join("\n");
}

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    tasks: { type: "string", default: "10" },
    slots: { type: "string", default: "4" },
  },
});
const interruption = new AbortController();
process.once("SIGINT", () => interruption.abort(new Error("Interrupted.")));
const directory = await mkdtemp(join(tmpdir(), "neura-bench-"));
const processes = new Processes();
try {
  const counts = { tasks: Number(values.tasks), slots: Number(values.slots) };
  const result = await bench(counts, { directory, processes, signal: interruption.signal });
  process.stdout.write(`${values.json ? JSON.stringify(result, undefined, 2) : textOf(result)}\n`);
} finally {
  await processes.stop();
  await rm(directory, { recursive: true, force: true });
}
