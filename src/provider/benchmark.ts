import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { arch, cpus } from "node:os";
import { join } from "node:path";

import { NeuraError } from "../errors.ts";
import { parseFields } from "../fields.ts";
import { parseManifest } from "../manifest.ts";
import { medianOf } from "../market/measurements.ts";
import { writeJson } from "../market/records.ts";
import { drawDigits } from "./applications/ocr/draw.ts";
import { ocr } from "./applications/ocr/application.ts";
import { type Benchmark, readBenchmark } from "./metadata.ts";
import type { Runner, RunOutcome } from "./runner/runner.ts";

export interface BenchmarkOptions {
  readonly runner: Runner;
  /** Where the runs have their folders, which are removed again. */
  readonly directory: string;
  /** Default: 5. */
  readonly runs?: number;
  /** Pages in each run. Default: 4. */
  readonly pages?: number;
  readonly onProgress?: ((done: number, runs: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What is read; another picture is another name, since its figures cannot be compared. */
const WORK = "digits-1";
const PAGE = { side: 1000, rows: 16, columns: 4, digits: 6 };
/** Those that the model tells from each other whichever way up they are. */
const DIGITS = [0, 1, 4, 7];
/** A machine that reads less of a clean page than this does not compute what it should. */
const LEAST_READ = 0.5;
const LIMITS = { seconds: 600, ramMiB: 2048, outputMiB: 64 };
const MIB = 1024 * 1024;
const SCHEMA = "neura/benchmark/1";

/**
 * Measures this machine as an owner would meet it: the built-in `ocr` in the runner's sandbox reads drawn pages, in
 * several runs, of which the medians count.
 *
 * Errors: `benchmark.failed`, `benchmark.wrong-result`, those of the runner.
 */
export async function benchmarkMachine(options: BenchmarkOptions): Promise<Benchmark> {
  const { directory, runs = 5, pages = 4, signal, onProgress } = options;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const drawn = await Promise.all(Array.from({ length: pages }, (_, index) => drawPage(index)));
  const outcomes: Completed[] = [];
  while (outcomes.length < runs) {
    signal?.throwIfAborted();
    outcomes.push(await readOnce(options, drawn));
    onProgress?.(outcomes.length, runs);
  }
  const median = (pick: (outcome: Completed) => number): number => medianOf(outcomes.map(pick));
  const [first] = outcomes;
  return {
    application: ocr.name,
    version: ocr.version,
    work: WORK,
    measuredAt: new Date().toISOString(),
    runs,
    units: pages,
    unitsPerSecond: rounded(pages / median(({ secondsWall }) => secondsWall)),
    cpuSecondsPerUnit: rounded(median(({ usage }) => usage.cpuSeconds) / pages),
    peakMemoryMiB: Math.ceil(median(({ usage }) => usage.peakRssBytes) / MIB),
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    architecture: arch(),
    software: Object.entries({ node: process.versions.node, ...first?.summary.runtime }).map(
      ([name, version]) => ({ name, version }),
    ),
  };
}

/** The file of the last measurement in a node's folder. */
export function benchmarkPath(directory: string): string {
  return join(directory, "benchmark.json");
}

export async function saveBenchmark(directory: string, benchmark: Benchmark): Promise<void> {
  await writeJson(benchmarkPath(directory), { schema: SCHEMA, ...benchmark });
}

/** The last measurement, if there was one. Error: `benchmark.invalid`. */
export async function loadBenchmark(directory: string): Promise<Benchmark | undefined> {
  const source = benchmarkPath(directory);
  const text = await readFile(source, "utf8").catch((error: unknown) => {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  });
  const next = "Measure again with `provider benchmark`.";
  const format = { schema: SCHEMA, source, code: "benchmark.invalid", next };
  return text === undefined ? undefined : parseFields(text, format, readBenchmark);
}

// ---- One run ----

interface DrawnPage {
  readonly png: Uint8Array;
  readonly words: readonly string[];
}

type Completed = RunOutcome & { readonly summary: NonNullable<RunOutcome["summary"]> };

async function readOnce(
  { runner, directory, signal }: BenchmarkOptions,
  drawn: readonly DrawnPage[],
): Promise<Completed> {
  const folder = await mkdtemp(join(directory, "benchmark-"));
  try {
    await mkdir(join(folder, "input"));
    const inputs = drawn.map((_, index) => `input/page-${index + 1}.png`);
    await Promise.all(inputs.map((name, index) => writeFile(join(folder, name), drawn[index]?.png ?? "")));
    const manifest = parseManifest({
      schema: "neura/manifest/1",
      application: ocr.name,
      inputs,
      parameters: {},
      limits: LIMITS,
    });
    const run = await runner.start({ directory: folder, manifest, limits: LIMITS });
    const { summary, ...outcome } = await run.wait({ signal }).catch(async (error: unknown) => {
      await run.stop("the measurement was interrupted");
      throw error;
    });
    if (summary === undefined) {
      throw new NeuraError("benchmark.failed", `The measurement ended without a result: ${outcome.message}`, {
        next: "Correct that and measure again: owners' tasks would end the same way.",
      });
    }
    checkRead(summary.result, drawn);
    return { ...outcome, summary };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function checkRead({ text }: Completed["summary"]["result"], drawn: readonly DrawnPage[]): void {
  const read = typeof text === "string" ? text : "";
  const words = drawn.flatMap((page) => page.words);
  const right = words.filter((word) => read.includes(word)).length;
  if (right >= words.length * LEAST_READ) return;
  throw new NeuraError(
    "benchmark.wrong-result",
    `Of ${words.length} words on drawn pages, this machine read ${right}.`,
    { next: "Do not sell its work: reinstall with `npm ci`, and check memory and processor." },
  );
}

/** A page of numbers, each time the same for the same index. */
async function drawPage(index: number): Promise<DrawnPage> {
  // Loads native code: only where the work is done.
  const { encodePng } = await import("./applications/ocr/picture.ts");
  const { side, rows, columns } = PAGE;
  const picture = { width: side, height: side, rgb: new Uint8Array(side * side * 3).fill(255) };
  const next = numbers(index + 1);
  const words = Array.from({ length: rows * columns }, (_, at) => {
    const digits = Array.from({ length: PAGE.digits }, () => DIGITS[next() % DIGITS.length] ?? 0);
    const [x, y] = [40 + (at % columns) * 240, 40 + Math.floor(at / columns) * 58];
    drawDigits(picture, digits, { x, y, size: 14, thick: 4.2, colour: [0, 0, 0] });
    return digits.join("");
  });
  return { png: await encodePng(picture), words };
}

/** Park and Miller's generator. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    // The lowest bits repeat soonest.
    return state >> 8;
  };
}

/** To four figures. */
function rounded(value: number): number {
  return Number(value.toPrecision(4));
}
