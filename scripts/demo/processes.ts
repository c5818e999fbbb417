import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { messageOf, NeuraError } from "../../src/errors.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const HARDHAT = fileURLToPath(new URL("../hardhat.js", import.meta.url));
/** How long a process may take to be ready, and to end when it is asked to [ms]. */
const READY_MS = 60_000;
const END_MS = 10_000;
/** The end of what a process said, for the error if it dies. */
const KEPT_LINES = 30;

type Environment = Readonly<Record<string, string | undefined>>;

/** Processes that run beside the demo until it stops them. */
export class Processes {
  readonly #running = new Map<string, ChildProcess>();
  readonly #said = new Map<string, string[]>();

  /** Starts a process and waits for the line that says that it is ready; every line is handed on. */
  async start<T>(
    name: string,
    command: readonly string[],
    options: {
      environment?: Environment;
      /** What a line says if it says that the process is ready. */
      ready: (line: string) => T | undefined;
      onLine?: (line: string) => void;
      signal: AbortSignal;
    },
  ): Promise<T> {
    const { environment, ready, onLine, signal } = options;
    const [file = process.execPath, ...rest] = command;
    const child = spawn(file, rest, {
      cwd: ROOT,
      env: { ...process.env, ...environment },
      stdio: ["ignore", "pipe", "pipe"],
      // Ctrl-C goes to the demo alone, which stops the others in order.
      detached: true,
    });
    this.#running.set(name, child);
    const said: string[] = [];
    this.#said.set(name, said);
    return await new Promise<T>((resolve, reject) => {
      const fail = (why: string) => reject(this.#death(name, why));
      const timer = setTimeout(() => fail(`was not ready after ${READY_MS / 1000} s`), READY_MS);
      signal.addEventListener("abort", () => reject(toError(signal.reason)), { once: true });
      child.once("error", (error) => fail(error.message));
      child.once("exit", (code, by) => {
        clearTimeout(timer);
        this.#running.delete(name);
        fail(`ended with ${by ?? `code ${String(code)}`}`);
      });
      for (const stream of [child.stdout, child.stderr]) {
        createInterface({ input: stream }).on("line", (line) => {
          said.push(line);
          if (said.length > KEPT_LINES) said.shift();
          onLine?.(line);
          const value = ready(line);
          if (value === undefined) return;
          clearTimeout(timer);
          resolve(value);
        });
      }
    });
  }

  /** Rejects when a process ends that should not yet; to be raced with what needs it. */
  async watch(name: string, signal: AbortSignal): Promise<never> {
    const child = this.#running.get(name);
    if (child !== undefined) await once(child, "exit", { signal });
    throw this.#death(name, "ended too early");
  }

  /** Asks all of them to end, the last one first, and ends those that do not. */
  async stop(): Promise<void> {
    for (const child of [...this.#running.values()].reverse()) {
      const ended = once(child, "exit");
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), END_MS);
      await ended;
      clearTimeout(timer);
    }
  }

  #death(name: string, why: string): NeuraError {
    const lines = (this.#said.get(name) ?? []).join("\n");
    return new NeuraError("demo.process", `The ${name} ${why}. The last it said:\n${lines}`);
  }
}

/** Runs a command of the project and gives back the object that it prints with `--json`. */
export async function runCommand(
  words: readonly string[],
  { environment, signal }: { environment: Environment; signal: AbortSignal },
): Promise<Record<string, unknown>> {
  const [file = process.execPath, ...rest] = taskCommand(...words, "--json");
  const child = spawn(file, rest, {
    cwd: ROOT,
    env: { ...process.env, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
    signal,
  });
  const output = { stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output.stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (output.stderr += text));
  await once(child, "close");
  if (child.exitCode !== 0) {
    throw new NeuraError("demo.command", `\`${words.join(" ")}\` failed.\n${output.stderr.trim()}`);
  }
  return parseObject(output.stdout);
}

/** The command line of a task of the project. */
export function taskCommand(...words: readonly string[]): string[] {
  return [process.execPath, HARDHAT, ...words];
}

/** A port that is free now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("a port is a number");
  return address.port;
}

/** The object in a line of JSON, or nothing. */
export function objectIn(line: string): Record<string, unknown> | undefined {
  try {
    return parseObject(line);
  } catch {
    return undefined;
  }
}

function parseObject(text: string): Record<string, unknown> {
  const value: unknown = JSON.parse(text);
  if (typeof value !== "object" || value === null) throw new Error(`no object: ${text.slice(0, 200)}`);
  return Object.fromEntries(Object.entries(value));
}

function toError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(messageOf(reason));
}
