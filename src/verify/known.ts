import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";

import { messageOf, NeuraError } from "../errors.ts";
import ocrCalibration from "./calibrations/ocr-fp32.json" with { type: "json" };
import { type Calibration, parseCalibration, verificationBy } from "./calibration.ts";
import { parseVerification, type Verification, verificationHash } from "./verification.ts";

/** How pages are verified: their text, and how sure the model was of each line. */
export const OCR_VERIFICATION = parseVerification({
  method: "text/1",
  parameters: { text: "/text", confidences: "/lines/*/confidence" },
});

/** Of the models that this package uses: `./neura bench verify --deep --only text` measures it anew. */
export const OCR_CALIBRATION: Calibration = parseCalibration(JSON.stringify(ocrCalibration), "ocr-fp32.json");

/** What every owner and every node with this package knows. */
export const BUILT_IN_CALIBRATIONS: readonly Calibration[] = [OCR_CALIBRATION];

/** What an owner's client puts into the manifest if nothing else is said; nothing: the application has no method. */
export function verificationOf(application: string): Verification | undefined {
  return application === "ocr" ? verificationBy(OCR_CALIBRATION) : undefined;
}

/**
 * Whether the tolerance that a verification names is known: its calibration, and measured by this method with these
 * parameters. One that names none asks for none.
 */
export function knowsTolerance(calibrations: readonly Calibration[], verification: Verification): boolean {
  if (verification.calibration === undefined) return true;
  const wanted = verificationHash(verification);
  return calibrations.some((each) => verificationHash(verificationBy(each)) === wanted);
}

/**
 * The calibrations in these files, and in all files `.json` of these folders. Error: `verify.calibration-missing`, those of
 * `parseCalibration`.
 */
export async function loadCalibrations(paths: readonly string[]): Promise<Calibration[]> {
  const files = await Promise.all(paths.map(filesAt));
  return await Promise.all(files.flat().map(async (path) => parseCalibration(await text(path), path)));
}

async function filesAt(path: string): Promise<string[]> {
  const found = await stat(path).catch((cause: unknown) => {
    throw missing(path, cause);
  });
  if (!found.isDirectory()) return [path];
  const names = await readdir(path);
  return names.filter((name) => name.endsWith(".json")).map((name) => join(path, name));
}

async function text(path: string): Promise<string> {
  return await readFile(path, "utf8").catch((cause: unknown) => {
    throw missing(path, cause);
  });
}

function missing(path: string, cause: unknown): NeuraError {
  return new NeuraError(
    "verify.calibration-missing",
    `The calibration ${path} cannot be read: ${messageOf(cause)}.`,
    {
      next: "Name a file, or a folder of such files.",
      cause,
    },
  );
}
