import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import type {
  Runner,
  RunHandle,
  RunJob,
  RunKind,
  RunOutcome,
  RunProgress,
} from "../../../src/provider/runner/runner.ts";

/** How the next runs go. */
export interface Script {
  kind: RunKind;
  /** How long a run takes [s]. */
  seconds: number;
  message: string;
  /** What the run's only unit comes to. */
  answer: number;
}

const LOOK_MS = 20;

/** A runner whose runs take as long and end as a test says. What it knows of a run is on disk, as with a real one. */
export class FakeRunner implements Runner {
  readonly name = "fake";
  readonly isolation = [];
  readonly script: Script;
  /** The folders in which runs were started, in order. */
  readonly started: string[] = [];
  readonly stopped: { directory: string; reason: string }[] = [];

  constructor(script: Partial<Script> = {}) {
    this.script = { kind: "completed", seconds: 0, message: "It is done.", answer: 42, ...script };
  }

  async start({ directory, manifest, limits }: RunJob): Promise<RunHandle> {
    this.started.push(directory);
    const seconds = Math.min(this.script.seconds, limits.seconds);
    const kind = this.script.seconds > limits.seconds ? "owner-time-limit" : this.script.kind;
    await Promise.all(["output", "logs", "run"].map((name) => mkdir(join(directory, name))));
    await writeFile(join(directory, "logs", "application.log"), `ran ${manifest.application}\n`);
    if (kind === "completed") await writeFile(join(directory, "output", "answer.txt"), "42\n");
    const { message, answer } = this.script;
    const endsAt = Date.now() + seconds * 1000;
    await writeState(directory, { kind, message, answer, seconds, endsAt });
    return this.#handle(directory);
  }

  /** Has a run end now. */
  async finish(directory: string): Promise<void> {
    await writeState(directory, { ...(await stateOf(directory)), endsAt: 0 });
  }

  async adopt(directory: string): Promise<RunHandle | undefined> {
    const text = await readFile(join(directory, "run", "fake.json"), "utf8").catch(() => undefined);
    return text === undefined ? undefined : this.#handle(directory);
  }

  #handle(directory: string): RunHandle {
    return {
      directory,
      wait: async ({ signal } = {}) => {
        for (;;) {
          const run = await stateOf(directory);
          const left = run.endsAt - Date.now();
          if (left <= 0) return outcomeOf(run);
          await sleep(Math.min(left, LOOK_MS), undefined, { signal });
        }
      },
      stop: async (reason) => {
        const run = await stateOf(directory);
        if (run.endsAt <= Date.now()) return;
        this.stopped.push({ directory, reason });
        const end = { ...run, kind: "infrastructure-fault" as const, message: reason, endsAt: 0 };
        await writeState(directory, end);
      },
      connect: () => Promise.reject(new Error("It is no service.")),
      progress: async (): Promise<RunProgress> => {
        const { endsAt } = await stateOf(directory);
        const phase = endsAt > Date.now() ? "running" : "ended";
        return { phase, done: 0, total: 0, secondsWall: 0, usage: { peakRssBytes: 0, cpuSeconds: 0 } };
      },
    };
  }
}

interface State {
  kind: RunKind;
  message: string;
  answer: number;
  seconds: number;
  endsAt: number;
}

/** Readers see a whole file or the one before. */
async function writeState(directory: string, state: State): Promise<void> {
  const path = join(directory, "run", "fake.json");
  await writeFile(`${path}.new`, JSON.stringify(state));
  await rename(`${path}.new`, path);
}

async function stateOf(directory: string): Promise<State> {
  return JSON.parse(await readFile(join(directory, "run", "fake.json"), "utf8")) as State;
}

function outcomeOf({ kind, message, answer, seconds }: State): RunOutcome {
  return {
    kind,
    message,
    secondsWall: seconds,
    phases: [{ name: "running", seconds }],
    usage: { peakRssBytes: 1024, cpuSeconds: seconds },
    logFiles: ["logs/application.log"],
    ...(kind === "completed"
      ? {
          summary: {
            result: { schema: "test/answer/1", answer },
            units: [{ name: "all", inputHash: "11".repeat(32), outputHash: `${answer}`.padStart(64, "0") }],
            model: { package: "none", version: "0", files: [] },
            runtime: {},
            dtype: "fp32",
            seed: null,
          },
        }
      : {}),
  };
}
