import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { Abortable } from "../abort.ts";
import { NeuraError } from "../errors.ts";
import { printable } from "../text.ts";
import type { DeliveredUnit } from "./audit.ts";
import { encodeReport } from "./methods/checker.ts";

export interface CheckerCommand {
  /** Program and arguments; no shell is involved. The unit's folder is added as the last argument. */
  readonly command: readonly [string, ...string[]];
  /** The file that decides: the program itself, or the script that it is given. */
  readonly program: string;
  /** SHA-256 of that file, 32 bytes as hex with 0x: the parameter `program` of `checker/1`. */
  readonly programHash: string;
  /** Default: 600. */
  readonly timeoutSeconds?: number | undefined;
  /** All of its environment. Default: `PATH` alone. */
  readonly environment?: Readonly<Record<string, string>> | undefined;
}

const MOST_OUTPUT = 64 * 1024;

/**
 * Lets the owner's own program judge a unit: the reference for `checker/1`. It finds `output`, and `input` and `state`
 * where there are any, as files in the folder that is its last argument, and says by its exit code what it thinks: 0 pass,
 * 1 fail, anything else neither. The last line that it prints is the reason.
 *
 * It runs with this process's rights: whatever it should not reach, the caller has to keep from it.
 *
 * Errors: `verify.program-changed`, `verify.program-missing`, the signal's reason.
 */
export async function runChecker(
  { command, program, programHash, timeoutSeconds = 600, environment }: CheckerCommand,
  unit: DeliveredUnit,
  { signal }: Abortable = {},
): Promise<Uint8Array> {
  const found = await hashProgram(program);
  if (found !== programHash)
    throw new NeuraError("verify.program-changed", `${program} has the hash ${found}, not ${programHash}.`, {
      next: "Use the program that the task named: another one was not agreed to.",
    });
  signal?.throwIfAborted();
  const folder = await mkdtemp(join(tmpdir(), "neura-checker-"));
  try {
    for (const [name, bytes] of Object.entries({ output: unit.output, input: unit.input, state: unit.state }))
      if (bytes instanceof Uint8Array) await writeFile(join(folder, name), bytes, { mode: 0o600 });
    const timeout = AbortSignal.timeout(timeoutSeconds * 1000);
    const end = await run([...command, folder], {
      environment: environment ?? { PATH: process.env["PATH"] ?? "" },
      folder,
      signal: signal === undefined ? timeout : AbortSignal.any([timeout, signal]),
    });
    signal?.throwIfAborted();
    return encodeReport(
      timeout.aborted ? { exitCode: null, message: `it took more than ${timeoutSeconds} s` } : end,
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function run(
  [program = "", ...rest]: readonly string[],
  {
    environment,
    folder,
    signal,
  }: { environment: Readonly<Record<string, string>>; folder: string; signal: AbortSignal },
): Promise<{ exitCode: number | null; message: string }> {
  return await new Promise((resolve, reject) => {
    const child = spawn(program, rest, {
      cwd: folder,
      env: environment,
      stdio: ["ignore", "pipe", "pipe"],
      // A group of its own, so that what it starts ends with it.
      detached: process.platform !== "win32",
    });
    let said = "";
    const kill = (): void => {
      try {
        if (child.pid !== undefined && process.platform !== "win32") process.kill(-child.pid, "SIGKILL");
        else child.kill("SIGKILL");
      } catch {
        // It has just ended.
      }
    };
    signal.addEventListener("abort", kill, { once: true });
    if (signal.aborted) kill();
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (text: string) => (said = (said + text).slice(-MOST_OUTPUT)));
    child.once("error", (cause) => {
      signal.removeEventListener("abort", kill);
      reject(
        new NeuraError("verify.program-missing", `${program} cannot be started: ${cause.message}.`, {
          next: "Name a program that is on this machine and can be run.",
          cause,
        }),
      );
    });
    child.once("close", (exitCode) => {
      signal.removeEventListener("abort", kill);
      // What it started and left behind ends with it.
      kill();
      resolve({ exitCode, message: printable(said.trimEnd().split("\n").at(-1) ?? "") });
    });
  });
}

/** The SHA-256 of a file, 32 bytes as hex with 0x: what `checker/1` is told. Error: `verify.program-missing`. */
export async function hashProgram(path: string): Promise<string> {
  const hash = createHash("sha256");
  try {
    for await (const bytes of createReadStream(path)) if (bytes instanceof Uint8Array) hash.update(bytes);
  } catch (cause) {
    throw new NeuraError("verify.program-missing", `${path} cannot be read.`, {
      next: "Name the file of the owner's program.",
      cause,
    });
  }
  return `0x${hash.digest("hex")}`;
}
