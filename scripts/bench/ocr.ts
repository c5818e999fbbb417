/**
 * How well and how fast the application `ocr` reads drawn pictures: `node --import tsx scripts/bench/ocr.ts [--json]`.
 */
import { realpathSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { availableParallelism, cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import Table from "cli-table3";
import { parseManifest } from "../../src/manifest.ts";
import { ocr, readParameters } from "../../src/provider/applications/ocr/application.ts";
import { readPictures } from "../../src/provider/applications/ocr/run.ts";
import { characterErrorRate, drawPicture, fonts } from "../pictures.ts";
import type { DrawOptions, Drawn, Kind } from "../pictures.ts";

export interface Case {
  readonly name: string;
  readonly kind: Kind;
  readonly seed: number;
  readonly options: DrawOptions;
}

export interface CaseResult {
  readonly name: string;
  readonly width: number;
  readonly height: number;
  /** Characters wrong, missing or too many by those of the truth, spaces and line breaks included; 0 is perfect. */
  readonly errorRate: number;
  /** The same with neither. */
  readonly errorRateWithoutSpaces: number;
  /** Decoding, finding, reading, drawing, encoding [s]. */
  readonly seconds: number;
}

/** Fonts and sizes, rotations, noise, blur, compression, kinds. */
export const cases: readonly Case[] = [
  ...fonts.flatMap((font) =>
    [12, 16, 24, 40].map((size): Case => ({
      name: `${font} ${size} px`,
      kind: "letter",
      seed: size,
      options: { font, size },
    })),
  ),
  ...[-10, 3, 10, 90, 180, 270].map((rotation): Case => ({
    name: `rotated ${rotation}°`,
    kind: "letter",
    seed: 7,
    options: { rotation },
  })),
  ...[10, 25, 40].map((noise): Case => ({
    name: `noise ${noise}`,
    kind: "letter",
    seed: 8,
    options: { noise },
  })),
  ...[1, 2].map((blur): Case => ({ name: `blur ${blur} px`, kind: "letter", seed: 9, options: { blur } })),
  { name: "JPEG quality 20", kind: "letter", seed: 10, options: { format: "jpeg", quality: 20 } },
  { name: "WebP quality 50", kind: "letter", seed: 11, options: { format: "webp", quality: 50 } },
  ...(["invoice", "table", "receipt", "small"] as const).map((kind): Case => ({
    name: kind,
    kind,
    seed: 1,
    options: {},
  })),
  {
    name: "photo of a letter",
    kind: "letter",
    seed: 5,
    options: { photo: true, rotation: -2, noise: 5, blur: 0.6, format: "jpeg", quality: 72 },
  },
  {
    name: "photo of an invoice",
    kind: "invoice",
    seed: 2,
    options: { photo: true, noise: 6, format: "jpeg", quality: 80 },
  },
];

/** Draws the cases and reads them, all in one run of the application. */
export async function measure(
  chosen: readonly Case[],
  signal: AbortSignal,
  onProgress: (done: number) => void = () => undefined,
): Promise<CaseResult[]> {
  const folder = await mkdtemp(join(tmpdir(), "neura-ocr-"));
  try {
    const [inputDirectory, outputDirectory] = [join(folder, "input"), join(folder, "output")];
    await mkdir(inputDirectory);
    await mkdir(outputDirectory);
    const drawn: Drawn[] = [];
    for (const [index, { kind, seed, options }] of chosen.entries()) {
      const picture = await drawPicture(kind, seed, options);
      await writeFile(join(inputDirectory, String(index)), picture.picture);
      drawn.push(picture);
    }
    const manifest = parseManifest({
      schema: "neura/manifest/1",
      application: ocr.name,
      inputs: chosen.map((_, index) => `input/${index}`),
      parameters: {},
      limits: { seconds: 600, ramMiB: 2048, outputMiB: 256 },
    });
    const times: number[] = [];
    const { result } = await readPictures(
      {
        manifest,
        inputDirectory,
        outputDirectory,
        signal,
        log: () => undefined,
        progress: (done) => {
          times.push(performance.now());
          onProgress(done);
        },
      },
      readParameters(manifest),
    );
    return chosen.map(({ name }, index) => {
      const truth = drawn[index]?.text ?? "";
      const { text = "", width = 0, height = 0 } = result.pages[index] ?? {};
      return {
        name,
        width,
        height,
        errorRate: characterErrorRate(truth, text),
        errorRateWithoutSpaces: characterErrorRate(truth.replace(/\s/g, ""), text.replace(/\s/g, "")),
        seconds: ((times[index + 1] ?? 0) - (times[index] ?? 0)) / 1000,
      };
    });
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** The measurements as a table for people. */
export function tableOf(results: readonly CaseResult[]): string {
  const table = new Table({
    head: ["picture", "pixels", "wrong", "wrong but for spaces", "seconds"],
    colAligns: ["left", "right", "right", "right", "right"],
    style: { head: [], border: [], compact: true },
  });
  const percent = (share: number): string => `${(share * 100).toFixed(2)} %`;
  for (const { name, width, height, errorRate, errorRateWithoutSpaces, seconds } of results)
    table.push([
      name,
      `${width} x ${height}`,
      percent(errorRate),
      percent(errorRateWithoutSpaces),
      seconds.toFixed(2),
    ]);
  return table.toString();
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { json: { type: "boolean", default: false } } });
  const interruption = new AbortController();
  process.once("SIGINT", () => interruption.abort(new Error("Interrupted.")));
  const started = performance.now();
  const results = await measure(cases, interruption.signal, (done) => {
    process.stderr.write(`\r${done} of ${cases.length} pictures${done === cases.length ? "\n" : ""}`);
  });
  const mean = (pick: (result: CaseResult) => number): number =>
    results.reduce((sum, result) => sum + pick(result), 0) / results.length;
  const summary = {
    schema: "neura/bench-ocr/1",
    machine: { cpu: cpus()[0]?.model ?? "unknown", cores: availableParallelism(), node: process.version },
    pages: results.length,
    secondsPerPage: mean(({ seconds }) => seconds),
    errorRate: mean(({ errorRate }) => errorRate),
    errorRateWithoutSpaces: mean(({ errorRateWithoutSpaces }) => errorRateWithoutSpaces),
    peakMemoryMiB: Math.round(process.resourceUsage().maxRSS / 1024),
    totalSeconds: (performance.now() - started) / 1000,
    results,
  };
  if (values.json) console.log(JSON.stringify(summary, undefined, 2));
  else {
    console.log(tableOf(results));
    console.log(
      `${(summary.errorRate * 100).toFixed(2)} % of the characters wrong, ${summary.secondsPerPage.toFixed(2)} s per page, ` +
        `peak memory ${summary.peakMemoryMiB} MiB (${summary.machine.cpu}, ${summary.machine.cores} cores)`,
    );
  }
}

if (process.argv[1] && realpathSync(process.argv[1]) === import.meta.filename) await main();
