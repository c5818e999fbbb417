import { spawn } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { network } from "hardhat";
import { createHardhatRuntimeEnvironment } from "hardhat/hre";

// The package exports no way to read a command line.
import {
  parseRawArguments,
  parseTask,
  parseTaskArguments,
} from "../../node_modules/hardhat/dist/src/internal/cli/parser.js";
import config from "../../hardhat.config.ts";
import { writeDeployment } from "../../src/deployment.ts";
import { setHost } from "../../tasks/host.ts";
import { localNetwork } from "../../tasks/local-network.ts";
import type { World } from "../src/market/support.ts";
import type { Cleanup } from "../src/storage/support.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const HARDHAT = join(ROOT, "scripts/hardhat.js");

/** The first two accounts of every Hardhat chain. */
export const FIRST = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";
export const SECOND = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
export const SECOND_KEY = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d";

/** The third one, which owns what tests order. */
const OWNER_KEY = "0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a";

/** What commands need to know of a world on the chain behind `url`; the deployment's record lies in `directory`. */
export async function environmentOf(
  { deployment, home, gatewayUrl }: Pick<World, "deployment" | "home" | "gatewayUrl">,
  { url, directory }: { url: string; directory: string },
): Promise<Record<string, string>> {
  const record = join(directory, "deployment.json");
  await writeDeployment(record, deployment);
  return {
    NEURA_RPC_URL: url,
    NEURA_PRIVATE_KEY: OWNER_KEY,
    NEURA_DEPLOYMENT: record,
    NEURA_HOME: home,
    NEURA_ARWEAVE_GATEWAYS: gatewayUrl,
  };
}

export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
  /** Of stdout, with `--json`. */
  json: Record<string, unknown>;
}

export type Run = (words: string[], more?: Record<string, string>) => Promise<Ended>;

/**
 * Runs commands of the project in this process, with the given environment and nothing else: all that
 * `scripts/hardhat.js` does from the command line on, in a Hardhat of their own. Throws where Hardhat itself refuses the
 * words, and knows no options of Hardhat: that takes {@link processes}.
 */
export function commands(environment: Record<string, string>): Run {
  return async (words, more = {}) => {
    const host = { PATH: process.env["PATH"], ...environment, ...more };
    const hre = await createHardhatRuntimeEnvironment(
      { ...config, networks: { ...config.networks, local: localNetwork(host) } },
      { config: join(ROOT, "hardhat.config.ts") },
      ROOT,
    );
    let code: number | null = null;
    let [stdout, stderr] = ["", ""];
    setHost(hre, {
      environment: host,
      isInteractive: false,
      stdout: (text) => (stdout += text),
      stderr: (text) => (stderr += text),
      end: (exitCode) => (code = exitCode),
      leave: () => {
        throw new Error("nobody interrupts this");
      },
      onInterrupt: () => () => undefined,
    });
    const given = parseRawArguments(words);
    const used = given.map(() => false);
    const task = parseTask(given, used, hre.tasks.rootTasks);
    if (Array.isArray(task)) throw new Error(`there is no task ${task.join(" ")}`);
    await task.run(parseTaskArguments(given, used, task));
    return { code, stdout, stderr, json: jsonOf(words, stdout) };
  };
}

/** Runs commands as a user does, each as a process of its own, with the given environment and nothing else. */
export function processes(environment: Record<string, string>): Run {
  return async (words, more = {}) => {
    const { child, ended } = startCommand(words, { ...environment, ...more });
    let [stdout, stderr] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    const code = await ended;
    return { code, stdout, stderr, json: jsonOf(words, stdout) };
  };
}

/** The process of a command, and its exit code once it has closed. */
export function startCommand(words: string[], environment: Record<string, string>) {
  const child = spawn(process.execPath, [HARDHAT, ...words], {
    cwd: ROOT,
    env: { PATH: process.env["PATH"], ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  return { child, ended: new Promise<number | null>((resolve) => child.on("close", resolve)) };
}

/** Throws where more than one object is there. */
function jsonOf(words: readonly string[], stdout: string): Record<string, unknown> {
  const json: unknown = words.includes("--json") && stdout !== "" ? JSON.parse(stdout) : {};
  return { ...(json as object) };
}

/** A fresh chain behind a URL. */
export async function startChain(cleanup: Cleanup): Promise<string> {
  const server = await network.createServer();
  const { address, port } = await server.listen();
  cleanup.add(() => server.close());
  return `http://${address}:${port}`;
}
