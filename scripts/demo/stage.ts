import { readdir } from "node:fs/promises";
import { join } from "node:path";

import { openProcessRunner } from "../../src/provider/runner/process-runner.ts";
import { moduleCommand, moduleUrl } from "../../src/process.ts";
import { freePort, objectIn, type Processes, taskCommand } from "./processes.ts";

/** The chain, the storage and the provider's node of a demo: each a process of its own, on ports of its own. */

interface Stage {
  processes: Processes;
  signal: AbortSignal;
}

export const NODE = "provider's node";

/** Starts a Hardhat chain and gives back its URL. */
export async function startChain({ processes, signal }: Stage): Promise<string> {
  const port = String(await freePort());
  const url = `http://127.0.0.1:${port}`;
  return await processes.start("chain", taskCommand("node", "--hostname", "127.0.0.1", "--port", port), {
    ready: (line) => (line.includes(`127.0.0.1:${port}`) ? url : undefined),
    signal,
  });
}

/** Starts a local Arweave gateway and gives back its URL. */
export async function startGateway(directory: string, { processes, signal }: Stage): Promise<string> {
  const module = moduleUrl(import.meta.url, "../../src/storage/gateway/main");
  const command = moduleCommand(module, {
    arguments: ["--directory", join(directory, "arweave"), "--block-seconds", "0.5"],
  });
  return await processes.start("local Arweave gateway", command, {
    ready: (line) => {
      const url = objectIn(line)?.["url"];
      return typeof url === "string" ? url : undefined;
    },
    signal,
  });
}

/** Starts the provider's node; its events go to `onEvent`. */
export async function startNode(
  environment: Readonly<Record<string, string>>,
  { processes, signal, onEvent }: Stage & { onEvent: (event: Record<string, unknown>) => void },
): Promise<void> {
  await processes.start(NODE, taskCommand("provider", "run", "--json"), {
    environment,
    onLine: (line) => {
      const event = objectIn(line);
      if (event !== undefined) onEvent(event);
    },
    ready: (line) => (objectIn(line)?.["event"] === "started" ? true : undefined),
    signal,
  });
}

/** Ends runs that the node, stopped in the middle, has left to their own processes below its folder of tasks. */
export async function stopRuns(tasks: string): Promise<void> {
  const runs = (await readdir(tasks, { recursive: true }).catch(() => [])).filter((path) =>
    /^[^/]+\/run-\d+$/.test(path),
  );
  if (runs.length === 0) return;
  const runner = await openProcessRunner();
  for (const path of runs) {
    const run = await runner.adopt(join(tasks, path));
    await run?.stop("The demo ends.");
  }
}
