import { spawn } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { network } from "hardhat";

import type { Cleanup } from "../src/storage/support.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** The first two accounts of every Hardhat chain. */
export const FIRST = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";
export const SECOND = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
export const SECOND_KEY = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d";

export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
  /** Of stdout, with `--json`. */
  json: Record<string, unknown>;
}

/** Runs commands as a user does, each as a process of its own, with the given environment and nothing else. */
export function commands(environment: Record<string, string>) {
  return async (words: string[], more: Record<string, string> = {}): Promise<Ended> => {
    const child = spawn(process.execPath, [join(ROOT, "scripts/hardhat.js"), ...words], {
      cwd: ROOT,
      env: { PATH: process.env["PATH"], ...environment, ...more },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let [stdout, stderr] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
    const json: unknown = words.includes("--json") && stdout !== "" ? JSON.parse(stdout) : {};
    return { code, stdout, stderr, json: { ...(json as object) } };
  };
}

/** A fresh chain behind a URL. */
export async function startChain(cleanup: Cleanup): Promise<string> {
  const server = await network.createServer();
  const { address, port } = await server.listen();
  cleanup.add(() => server.close());
  return `http://${address}:${port}`;
}
