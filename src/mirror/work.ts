import { createReadStream } from "node:fs";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { createHash } from "node:crypto";
import { join } from "node:path";

import type { Abortable } from "../abort.ts";
import type { Manifest } from "../manifest.ts";
import type { EvidenceFile } from "../market/evidence.ts";
import type { DeliveredUnit } from "../verify/audit.ts";
import { OCR_CALIBRATION, verificationOf } from "../verify/known.ts";
import { parseVerification, type Verification } from "../verify/verification.ts";

/** Applications whose unit is an input, so that a part of them is work of its own. */
const DIVISIBLE: readonly string[] = ["ocr", "noop"];

/** Whether unit i of the work is input i. */
export function isDivisible({ application }: Pick<Manifest, "application">): boolean {
  return DIVISIBLE.includes(application);
}

/** The same manifest for some of its inputs, in their order. */
export function partOf(manifest: Manifest, units: readonly number[]): Manifest {
  return { ...manifest, inputs: units.flatMap((unit) => manifest.inputs[unit] ?? []) };
}

/** How deliveries of this work are compared: as its manifest says, else as suits its application. */
export function verificationFor({ verification, application }: Manifest): Verification {
  return verification ?? verificationOf(application) ?? parseVerification({ method: "exact/1" });
}

/** What calibrations are looked up by: a comparison has no model of its own, and takes the one that was agreed to. */
export const CALIBRATED_MODEL = { modelDigest: OCR_CALIBRATION.modelDigest, dtype: OCR_CALIBRATION.dtype };

// ---- What was delivered ----

export interface Outputs {
  /** Of a unit; nothing, where the result does not have it. */
  unit(index: number): Promise<DeliveredUnit | undefined>;
  /** Whether each unit's output is where this can find it: else a missing one means nothing. */
  readonly areAllKnown: boolean;
}

/**
 * The units of a result that `fetchResult` wrote: an `ocr` page of `result.json`; of anything else `result.json` or the file
 * below `output/` that has the unit's hash.
 */
export async function outputsOf(
  manifest: Manifest,
  {
    directory,
    payloadDirectory,
    evidence,
  }: { directory: string; payloadDirectory: string; evidence: EvidenceFile },
): Promise<Outputs> {
  const pages = manifest.application === "ocr" ? await pagesIn(directory) : undefined;
  const files = pages === undefined ? await filesByHash(directory) : new Map<string, string>();
  const input = async (index: number): Promise<{ input?: Uint8Array }> => {
    const path = manifest.inputs[index];
    if (!isDivisible(manifest) || path === undefined) return {};
    return { input: await readFile(join(payloadDirectory, ...path.split("/"))) };
  };
  return {
    areAllKnown: isDivisible(manifest) || evidence.units.every(({ outputHash }) => files.has(outputHash)),
    async unit(index) {
      if (pages !== undefined) {
        const page = pages[index];
        return page === undefined ? undefined : { ...(await input(index)), output: jsonBytes(page) };
      }
      const path = files.get(evidence.units[index]?.outputHash ?? "");
      return path === undefined
        ? undefined
        : { ...(await input(index)), output: new Uint8Array(await readFile(path)) };
    },
  };
}

/** The pages of a result of `ocr`; none where it has none that can be read. */
async function pagesIn(directory: string): Promise<unknown[]> {
  const text = await readFile(join(directory, "result.json"), "utf8").catch(() => "");
  return pagesOf(text) ?? [];
}

/** The pages of a `result.json` of `ocr`. */
export function pagesOf(text: string): unknown[] | undefined {
  try {
    const result: unknown = JSON.parse(text);
    const pages: unknown =
      typeof result === "object" && result !== null ? Reflect.get(result, "pages") : undefined;
    return Array.isArray(pages) ? pages.map((page: unknown) => page) : undefined;
  } catch {
    return undefined;
  }
}

/** What a unit's hash is of. */
export function jsonBytes(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

async function filesByHash(directory: string): Promise<Map<string, string>> {
  const below = await readdir(join(directory, "output"), { recursive: true, withFileTypes: true }).catch(
    () => [],
  );
  const paths = below.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const found = new Map<string, string>();
  for (const path of [...paths, join(directory, "result.json")]) {
    const hash = createHash("sha256");
    try {
      for await (const bytes of createReadStream(path)) if (bytes instanceof Uint8Array) hash.update(bytes);
      found.set(`0x${hash.digest("hex")}`, path);
    } catch {
      // A result that has no such file.
    }
  }
  return found;
}

// ---- Done here ----

/** The work, done on this machine, unit by unit. */
export interface LocalWork {
  recompute(index: number, options: Abortable): Promise<Uint8Array>;
  release(): Promise<void>;
}

/** Nothing, where this machine cannot do the work. `scratch`: an empty folder, or one that is not there. */
export async function localWork(
  manifest: Manifest,
  { payloadDirectory, scratch }: { payloadDirectory: string; scratch: string },
): Promise<LocalWork | undefined> {
  if (manifest.application === "noop") {
    return {
      recompute: async (index) =>
        new Uint8Array(await readFile(join(payloadDirectory, ...(manifest.inputs[index] ?? "").split("/")))),
      release: async () => await Promise.resolve(),
    };
  }
  if (manifest.application !== "ocr") return undefined;
  await mkdir(scratch, { recursive: true });
  await writeFile(join(scratch, "result.json"), '{"pages":[]}');
  const { ocrWork } = await import("../verify/ocr.ts");
  const work = await ocrWork({ manifest, payloadDirectory, resultDirectory: scratch });
  const nothing = new Uint8Array();
  return {
    recompute: async (index, options) => await work.recompute(index, { output: nothing }, options),
    release: () => work.release(),
  };
}
