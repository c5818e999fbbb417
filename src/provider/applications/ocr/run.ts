import { createHash } from "node:crypto";
import { readFile, stat, writeFile } from "node:fs/promises";
import { join, posix } from "node:path";
import { env } from "onnxruntime-node";
import sharp from "sharp";
import { badInput } from "../application.ts";
import type { RunContext, RunSummary, Unit } from "../application.ts";
import type { OcrParameters } from "./application.ts";
import { detectLines } from "./detect.ts";
import { directLines } from "./direction.ts";
import { drawBoxes } from "./draw.ts";
import type { Point, Quad } from "./geometry.ts";
import { rowsOf } from "./layout.ts";
import { loadModels } from "./models.ts";
import type { Models } from "./models.ts";
import { decodePicture, encodePng, scalePicture } from "./picture.ts";
import type { Picture } from "./picture.ts";
import { recogniseLine } from "./recognise.ts";

/** One line of text; its box's corners as the text is read: upper left, upper right, lower right, lower left [px]. */
export type Line = {
  readonly text: string;
  /** 0 to 1. */
  readonly confidence: number;
  readonly box: readonly [Point, Point, Point, Point];
};

/** One picture. */
export type Page = {
  /** As the manifest names it. */
  readonly file: string;
  readonly width: number;
  readonly height: number;
  readonly lines: readonly Line[];
  /** The lines in reading order; those beside each other on one line. */
  readonly text: string;
  /** The picture with its boxes drawn: its file in the result, and the file's SHA-256 in hex. */
  readonly boxes: { readonly file: string; readonly sha256: string };
};

/** The application's `result.json`. */
export type OcrResult = {
  readonly schema: "neura/ocr/1";
  readonly pages: readonly Page[];
  /** All pages, an empty line between two. */
  readonly text: string;
};

/** Of inference; fixed, so that a result does not depend on how many cores the machine has. */
export const THREADS = 2;
/** What else `loadModels` fixes. */
const DETERMINISM = {
  executionProvider: "cpu",
  executionMode: "sequential",
  graphOptimizationLevel: "all",
  intraOpNumThreads: String(THREADS),
  interOpNumThreads: "1",
} as const;
/** Readings less sure than this are taken for ornament. */
const LEAST_CONFIDENCE = 0.5;
/** The picture with the boxes is scaled down to this, so that a photo does not come back ten times its size [px]. */
const MAX_DRAWN_SIDE = 2560;
export const MAX_FILE_BYTES = 256 * 1024 * 1024;

/** Reads each picture of the manifest. A unit is a picture; its output is the page's JSON in `result.json`. */
export async function readPictures(
  context: RunContext,
  parameters: OcrParameters,
): Promise<RunSummary & { readonly result: OcrResult }> {
  const { inputs } = context.manifest;
  // Not before there is a picture to read.
  let models: Models | undefined;
  try {
    const pages: Page[] = [];
    const units: Unit[] = [];
    const names = drawnNames(inputs);
    context.progress(0, inputs.length);
    for (const [index, input] of inputs.entries()) {
      const name = input.slice("input/".length);
      const started = performance.now();
      const file = await readInput(name, join(context.inputDirectory, name));
      const picture = await decodePicture(name, file);
      models ??= await loadModels(THREADS);
      const rows = await readPicture(models, picture, parameters, context.signal);
      const lines = rows.flat();
      const { page, drawn } = await drawnPage(inputs, index, picture, rows);
      await writeFile(join(context.outputDirectory, names[index] ?? ""), drawn);
      pages.push(page);
      units.push({ name: input, inputHash: sha256(file), outputHash: sha256(JSON.stringify(page)) });
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      context.log(`${name}: ${picture.width} x ${picture.height}, ${lines.length} lines in ${seconds} s`);
      context.progress(index + 1, inputs.length);
    }
    models ??= await loadModels(THREADS);
    const result: OcrResult = {
      schema: "neura/ocr/1",
      pages,
      text: pages.map(({ text }) => text).join("\n\n"),
    };
    return {
      result,
      units,
      model: models.identity,
      runtime: {
        "onnxruntime-node": env.versions.node ?? "",
        sharp: sharp.versions.sharp,
        libvips: sharp.versions.vips,
      },
      dtype: "fp32",
      seed: null,
      determinism: DETERMINISM,
    };
  } finally {
    await models?.release();
  }
}

/** The whole page, and the picture of it that it names. */
export async function drawnPage(
  inputs: readonly string[],
  index: number,
  picture: Picture,
  rows: readonly (readonly ReadLine[])[],
): Promise<{ page: Page; drawn: Uint8Array }> {
  const drawn = await encodePng(await drawnPicture(picture, rows.flat()));
  const boxes = { file: `output/${drawnNames(inputs)[index] ?? ""}`, sha256: sha256(drawn) };
  return { page: { ...pageOf(inputs[index] ?? "", picture, rows), boxes }, drawn };
}

type ReadLine = { readonly quad: Quad; readonly text: string; readonly confidence: number };

/** What was read of a picture, without the picture of it. */
export function pageOf(
  file: string,
  { width, height }: Picture,
  rows: readonly (readonly ReadLine[])[],
): Omit<Page, "boxes"> {
  return {
    file,
    width,
    height,
    lines: rows.flat().map(({ text, confidence, quad }) => ({
      text,
      confidence: round(confidence, 4),
      box: [corner(quad[0]), corner(quad[1]), corner(quad[2]), corner(quad[3])],
    })),
    text: rows.map((row) => row.map(({ text }) => text).join(" ")).join("\n"),
  };
}

/** The lines of a picture in rows. */
export async function readPicture(
  models: Models,
  picture: Picture,
  { maxSide }: OcrParameters,
  signal: AbortSignal,
): Promise<ReadLine[][]> {
  signal.throwIfAborted();
  const found = await detectLines(models.detection, picture, maxSide);
  const lines: ReadLine[] = [];
  for (const quad of await directLines(models.direction, picture, found)) {
    signal.throwIfAborted();
    const reading = await recogniseLine(models, picture, quad);
    if (reading.text !== "" && reading.confidence >= LEAST_CONFIDENCE) lines.push({ quad, ...reading });
  }
  return rowsOf(lines);
}

async function drawnPicture(picture: Picture, lines: readonly ReadLine[]): Promise<Picture> {
  const scale = Math.min(1, MAX_DRAWN_SIDE / Math.max(picture.width, picture.height));
  const size = (side: number): number => Math.max(1, Math.round(side * scale));
  const small =
    scale === 1 ? picture : await scalePicture(picture, size(picture.width), size(picture.height));
  const at = ([x, y]: Point): Point => [x * scale, y * scale];
  return drawBoxes(
    small,
    lines.map(({ quad: [a, b, c, d], confidence }) => ({ confidence, quad: [at(a), at(b), at(c), at(d)] })),
  );
}

async function readInput(name: string, path: string): Promise<Buffer> {
  const { size } = await stat(path).catch((cause: unknown) => {
    throw badInput(`The payload has no file ${name}.`, { next: "Add it or take it off the inputs.", cause });
  });
  if (size > MAX_FILE_BYTES)
    throw badInput(`${name} has ${size} bytes; at most ${MAX_FILE_BYTES} are read.`, {
      next: "Scale the picture down.",
      details: { file: name, bytes: size },
    });
  return await readFile(path);
}

/** A file name for each picture with boxes: the input's own, with its place in front where two have the same. */
function drawnNames(inputs: readonly string[]): string[] {
  const stems = inputs.map((input) => posix.basename(input).replace(/\.(png|jpe?g|webp)$/i, ""));
  const distinct = new Set(stems.map((stem) => stem.toLowerCase())).size === stems.length;
  return stems.map((stem, index) => `${distinct ? "" : `${index + 1}-`}${stem}.boxes.png`);
}

function corner([x, y]: Point): Point {
  return [round(x, 1), round(y, 1)];
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}

function sha256(data: Uint8Array | string): string {
  return createHash("sha256").update(data).digest("hex");
}
