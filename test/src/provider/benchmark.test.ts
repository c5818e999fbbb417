import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";

import {
  benchmarkMachine,
  benchmarkPath,
  loadBenchmark,
  saveBenchmark,
} from "../../../src/provider/benchmark.ts";
import { openProcessRunner } from "../../../src/provider/runner/process-runner.ts";
import type { Runner, RunOutcome } from "../../../src/provider/runner/runner.ts";
import { Cleanup, errorOf } from "../storage/support.ts";
import { documentOf } from "./documents.ts";

const ACCOUNT = "0x1111111111111111111111111111111111111111";

/** A runner whose runs end at once, one after the other with these outcomes. */
function runnerWith(outcomes: readonly Partial<RunOutcome>[]): Runner {
  let next = 0;
  return {
    name: "told",
    isolation: [],
    start: ({ directory }) => {
      const outcome: RunOutcome = {
        kind: "completed",
        message: "It completed.",
        secondsWall: 1,
        phases: [],
        usage: { peakRssBytes: 1, cpuSeconds: 1 },
        logFiles: [],
        ...outcomes[next++ % outcomes.length],
      };
      return Promise.resolve({
        directory,
        wait: () => Promise.resolve(outcome),
        stop: () => Promise.resolve(),
        progress: () => Promise.reject(new Error("nobody asks")),
        connect: () => Promise.reject(new Error("nobody asks")),
      });
    },
    adopt: () => Promise.resolve(undefined),
  };
}

describe("provider benchmark", function () {
  this.timeout(60_000);
  const cleanup = new Cleanup();
  after(() => cleanup.run());

  it("reads drawn pages in the node's own sandbox, and leaves nothing but its figures", async () => {
    const directory = cleanup.directory();
    const done: number[] = [];
    const benchmark = await benchmarkMachine({
      runner: await openProcessRunner(),
      directory,
      runs: 1,
      pages: 1,
      onProgress: (count) => done.push(count),
    });
    expect(benchmark).to.include({
      application: "ocr",
      work: "digits-1",
      runs: 1,
      units: 1,
      architecture: process.arch,
    });
    expect(benchmark.unitsPerSecond).to.be.greaterThan(0);
    expect(benchmark.cpuSecondsPerUnit).to.be.greaterThan(0);
    expect(benchmark.peakMemoryMiB).to.be.within(50, 2048);
    expect(benchmark.software.map(({ name }) => name)).to.include.members([
      "node",
      "onnxruntime-node",
      "sharp",
    ]);
    expect(done).to.deep.equal([1]);
    expect(readdirSync(directory)).to.deep.equal([]);
    await saveBenchmark(directory, benchmark);
    expect(await loadBenchmark(directory)).to.deep.equal(benchmark);
  });

  it("counts the medians of its runs", async () => {
    const { text } = await drawnText();
    const summary = { result: { text }, runtime: {} } as unknown as NonNullable<RunOutcome["summary"]>;
    const run = (secondsWall: number, cpuSeconds: number, peak: number): Partial<RunOutcome> => ({
      secondsWall,
      usage: { cpuSeconds, peakRssBytes: peak * 1024 * 1024 },
      summary,
    });
    const runner = runnerWith([run(4, 9, 100), run(100, 1, 900), run(2, 6, 200)]);
    const benchmark = await benchmarkMachine({ runner, directory: cleanup.directory(), runs: 3, pages: 2 });
    expect(benchmark).to.include({
      unitsPerSecond: 0.5,
      cpuSecondsPerUnit: 3,
      peakMemoryMiB: 200,
      runs: 3,
      units: 2,
    });
  });

  it("gives no figures for work that failed or is wrong", async () => {
    const directory = cleanup.directory();
    const options = { directory, runs: 1, pages: 1 };
    const failed = runnerWith([{ kind: "owner-out-of-memory", message: "It needed more memory." }]);
    const error = await errorOf(benchmarkMachine({ ...options, runner: failed }));
    expect([error.code, error.message]).to.deep.equal([
      "benchmark.failed",
      "The measurement ended without a result: It needed more memory.",
    ]);
    const summary = { result: { text: "nonsense" }, runtime: {} } as unknown as NonNullable<
      RunOutcome["summary"]
    >;
    const wrong = await errorOf(benchmarkMachine({ ...options, runner: runnerWith([{ summary }]) }));
    expect(wrong.code).to.equal("benchmark.wrong-result");
    expect(readdirSync(directory)).to.deep.equal([]);
  });

  it("stops when its caller does", async () => {
    const signal = AbortSignal.abort(new Error("enough"));
    const options = { runner: runnerWith([{}]), directory: cleanup.directory(), runs: 1, pages: 1, signal };
    const error: unknown = await benchmarkMachine(options).catch((thrown: unknown) => thrown);
    expect(error).to.have.property("message", "enough");
  });

  it("reads its own file, and no other one", async () => {
    const directory = cleanup.directory();
    expect(await loadBenchmark(directory)).to.equal(undefined);
    writeFileSync(benchmarkPath(directory), '{"schema":"neura/benchmark/1","unitsPerSecond":-1}');
    const error = await errorOf(loadBenchmark(directory));
    expect(error.code).to.equal("benchmark.invalid");
    expect(error.message).to.include("unitsPerSecond is no number above 0").and.to.include("runs is missing");
    const [benchmark] = documentOf(ACCOUNT).benchmarks;
    await saveBenchmark(directory, benchmark!);
    expect(await loadBenchmark(directory)).to.deep.equal(benchmark);
    expect(readdirSync(directory)).to.deep.equal([join("benchmark.json")]);
  });

  /** All that could be on the first two pages: every word of six of the drawn digits. */
  async function drawnText(): Promise<{ text: string }> {
    const digits = ["0", "1", "4", "7"];
    let words = [""];
    for (let length = 0; length < 6; length++)
      words = words.flatMap((word) => digits.map((digit) => word + digit));
    return await Promise.resolve({ text: words.join(" ") });
  }
});
