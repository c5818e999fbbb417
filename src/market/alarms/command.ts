import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";

import { NeuraError } from "../../errors.ts";
import type { Alarm } from "../alarms.ts";
import { bodyOf, type Sink } from "./sink.ts";

export interface CommandSink extends Pick<Sink, "name" | "kinds" | "timeoutSeconds"> {
  /** The program and its arguments, as they are: no shell reads them, and nothing of an alarm is put into them. */
  readonly command: readonly [string, ...string[]];
}

/** How much of what a command complains is repeated [characters]. */
const COMPLAINT_LENGTH = 300;
/** How long the rest of it is waited for [ms]. */
const COMPLAINT_MS = 100;

/**
 * Starts a program for each alarm. It gets the alarm as JSON on its standard input, and of the environment `PATH` and
 * `HOME` alone, besides `NEURA_ALARM_KIND`. It has to end with code 0 in time; else it is killed with all that it started.
 *
 * Error of `send`: `alarm.command`.
 */
export function commandSink({ name, kinds, timeoutSeconds, command }: CommandSink): Sink {
  const [program, ...parameters] = command;
  return {
    name,
    kinds,
    timeoutSeconds,
    send: async (alarm, signal) => {
      signal?.throwIfAborted();
      const child = spawn(program, parameters, {
        env: environmentFor(alarm),
        stdio: ["pipe", "ignore", "pipe"],
        detached: true, // a process group, to be killed as a whole
        shell: false,
      });
      let complaint = "";
      child.stderr.setEncoding("utf8").on("data", (text: string) => {
        complaint = (complaint + text).slice(0, COMPLAINT_LENGTH);
      });
      child.stdin.on("error", () => undefined); // it need not read
      child.stdin.end(bodyOf(alarm));
      const timeout = AbortSignal.timeout(timeoutSeconds * 1000);
      const stop = signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
      const kill = () => killGroup(child);
      stop.addEventListener("abort", kill, { once: true });
      try {
        // Not `close`, which waits for whatever the program left running.
        const ended = await new Promise<number | string>((resolve, reject) => {
          child.once("error", (error) => reject(failure(name, `cannot be started: ${error.message}`)));
          child.once("exit", (code, signalName) => resolve(code ?? signalName ?? "nothing"));
        });
        if (ended === 0) return;
        signal?.throwIfAborted();
        await Promise.race([once(child.stderr, "close"), sleep(COMPLAINT_MS)]);
        const how = timeout.aborted ? `did not end within ${timeoutSeconds} s` : `ended with ${ended}`;
        throw failure(name, complaint === "" ? how : `${how}: ${printable(complaint)}`);
      } finally {
        stop.removeEventListener("abort", kill);
        child.stderr.destroy();
      }
    },
  };
}

function environmentFor({ kind }: Alarm): NodeJS.ProcessEnv {
  const { PATH, HOME } = process.env;
  return {
    ...(PATH === undefined ? {} : { PATH }),
    ...(HOME === undefined ? {} : { HOME }),
    NEURA_ALARM_KIND: kind,
  };
}

function killGroup(child: ChildProcess): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
  } catch {
    child.kill("SIGKILL"); // where there are no groups, or it has ended meanwhile
  }
}

function printable(text: string): string {
  return text.replaceAll(/[\s\p{C}]+/gu, " ").trim();
}

function failure(name: string, what: string): NeuraError {
  return new NeuraError("alarm.command", `The command of ${name} ${what}.`, {
    next: "Correct it in alarms.json, and try it with `alarm test`.",
  });
}
