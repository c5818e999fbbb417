import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { lstat, readFile } from "node:fs/promises";
import { join } from "node:path";

import { isNeuraError, NeuraError } from "../errors.ts";
import { type EvidenceUnit, ZERO_HASH } from "../market/evidence.ts";
import { parseUnitFiles, UNITS_BOUNDS, UNITS_FILE } from "../verify/unit-files.ts";
import type { RunOutcome } from "./runner/runner.ts";

/** What a run's work is made of, as far as it divides it. */
export interface WorkUnits {
  /** None: the whole is one. */
  readonly units: readonly EvidenceUnit[];
  /** One for each unit, where there are any. */
  readonly sketches: readonly (Uint8Array | undefined)[];
  /** Their files, which are no part of the result. */
  readonly sketchFiles: ReadonlySet<string>;
  /** Who divided it: the application in its report, or in the file `units.json`. */
  readonly from: "application" | "units.json" | "nobody";
  /** Why a file that is there was not used. */
  readonly why?: string;
}

const UNDIVIDED = { units: [], sketches: [], sketchFiles: new Set<string>(), from: "nobody" } as const;

/**
 * The units of a run that has completed: those of the application's report, else those of `output/units.json`, hashed.
 * A file that is amiss costs the owner nothing but the division.
 */
export async function unitsOfRun(
  { summary }: RunOutcome,
  { directory, signal }: { directory: string; signal?: AbortSignal | undefined },
): Promise<WorkUnits> {
  if (summary === undefined) return UNDIVIDED;
  if (summary.units.length > 0) {
    const units = summary.units.map(({ inputHash, outputHash }) => ({
      inputHash: `0x${inputHash}`,
      outputHash: `0x${outputHash}`,
      stateHash: ZERO_HASH,
      sketchHash: ZERO_HASH,
    }));
    return { ...UNDIVIDED, units, from: "application" };
  }
  try {
    return await unitsInFile(directory, signal);
  } catch (error) {
    if (isNeuraError(error, "units.invalid")) return { ...UNDIVIDED, why: error.message.slice(0, 1000) };
    throw error;
  }
}

async function unitsInFile(directory: string, signal: AbortSignal | undefined): Promise<WorkUnits> {
  const pathOf = (name: string): string => join(directory, ...name.split("/"));
  const size = await sizeOf(pathOf(UNITS_FILE));
  if (size === undefined) return UNDIVIDED;
  if (size > UNITS_BOUNDS.bytes) throw invalid(`it has ${size} bytes, more than ${UNITS_BOUNDS.bytes}`);
  const files = parseUnitFiles(await readFile(pathOf(UNITS_FILE), "utf8"));
  // Many units may name one file.
  const known = new Map<string, string>();
  const hashOf = async (name: string | undefined): Promise<string> => {
    if (name === undefined) return ZERO_HASH;
    const found = known.get(name) ?? (await hashOfFile(pathOf(name), name, signal));
    known.set(name, found);
    return found;
  };
  const units: EvidenceUnit[] = [];
  const sketches: (Uint8Array | undefined)[] = [];
  let sketchesBytes = 0;
  for (const { input, output, state, sketch } of files) {
    if (sketch !== undefined) {
      const bytes = (await sizeOf(pathOf(sketch))) ?? 0;
      sketchesBytes += bytes;
      if (bytes > UNITS_BOUNDS.sketchBytes || sketchesBytes > UNITS_BOUNDS.sketchesBytes)
        throw invalid(`the sketch ${sketch} is too large`);
    }
    units.push({
      inputHash: await hashOf(input),
      outputHash: await hashOf(output),
      stateHash: await hashOf(state),
      sketchHash: await hashOf(sketch),
    });
    sketches.push(sketch === undefined ? undefined : new Uint8Array(await readFile(pathOf(sketch))));
  }
  const sketchFiles = new Set(files.flatMap(({ sketch }) => sketch ?? []));
  return { units, sketches, sketchFiles, from: "units.json" };
}

async function hashOfFile(path: string, name: string, signal: AbortSignal | undefined): Promise<string> {
  if ((await sizeOf(path)) === undefined) throw invalid(`there is no file ${name}`);
  const hash = createHash("sha256");
  for await (const bytes of createReadStream(path, { signal }))
    if (bytes instanceof Uint8Array) hash.update(bytes);
  return `0x${hash.digest("hex")}`;
}

/** Of a regular file; a link leads nowhere. */
async function sizeOf(path: string): Promise<number | undefined> {
  return await lstat(path).then(
    (found) => (found.isFile() ? found.size : undefined),
    () => undefined,
  );
}

function invalid(why: string): NeuraError {
  return new NeuraError("units.invalid", `units.json cannot be used: ${why}.`);
}
