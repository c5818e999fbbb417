import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

import { isNeuraError, NeuraError } from "../errors.ts";
import type { Manifest } from "../manifest.ts";
import type { EvidenceFile } from "../market/evidence.ts";
import type { AuditedWork, DeliveredUnit } from "./audit.ts";
import { runChecker } from "./command.ts";
import { ocrWork } from "./ocr.ts";
import { parseUnitFiles, type UnitFiles, UNITS_FILE } from "./unit-files.ts";
import { methodOf, type Verification } from "./verification.ts";

/** A delivery as its owner has it. */
export interface DeliveredWork {
  readonly manifest: Manifest;
  readonly evidence: EvidenceFile;
  readonly verification: Verification;
  /** The payload as it was sent, opened: `input/a.png` of the manifest is below it. */
  readonly payloadDirectory: string;
  /** What `fetchResult` wrote. */
  readonly resultDirectory: string;
}

/** What does a unit again, where this package does not know how: a mirror order, a machine of one's own. */
export interface Redo extends Pick<AuditedWork, "modelDigest" | "dtype"> {
  /** As in {@link AuditedWork}. */
  recompute(
    index: number,
    delivered: DeliveredUnit,
    options: DeliveredWork & { readonly signal: AbortSignal },
  ): Promise<Uint8Array>;
}

/** Who is asked what of a unit. */
export interface WorkOptions {
  /** The owner's program, for `checker/1`. */
  readonly checker?: string | undefined;
  readonly redo?: Redo | undefined;
}

/** Applications of which unit i is input i, so that the payload says how many there are. */
export const ONE_BY_INPUT: readonly string[] = ["ocr", "noop"];

/**
 * The work behind a delivery, with whatever can re-check it here: the owner's program, what the caller gives, or the
 * application itself. Without any of them each unit is inconclusive, and says what to do.
 */
export async function workOf(
  delivery: DeliveredWork,
  { checker, redo }: WorkOptions,
): Promise<AuditedWork & { release(): Promise<void> }> {
  const { manifest, verification, evidence } = delivery;
  const { application, inputs } = manifest;
  const outputs = new Outputs(delivery);
  const unitCount =
    ONE_BY_INPUT.includes(application) && inputs.length > 0 ? inputs.length : evidence.units.length;
  const generic = {
    unitCount,
    modelDigest: "",
    dtype: "",
    delivered: (index: number) => outputs.unit(index),
    release: async () => await Promise.resolve(),
  };
  if (verification.method === "checker/1") {
    return {
      ...generic,
      async recompute(_, unit, { signal }) {
        if (checker === undefined) throw noChecker();
        const { program } = verification.parameters;
        const programHash = typeof program === "string" ? program : "";
        const environment = {
          PATH: process.env["PATH"] ?? "",
          NEURA_PAYLOAD: delivery.payloadDirectory,
          NEURA_RESULT: delivery.resultDirectory,
        };
        return await runChecker({ command: [checker], program: checker, programHash, environment }, unit, {
          signal,
        });
      },
    };
  }
  if (redo !== undefined) {
    const { modelDigest, dtype } = redo;
    return {
      ...generic,
      ...{ modelDigest, dtype },
      recompute: async (index, unit, { signal = new AbortController().signal }) =>
        await redo.recompute(index, unit, { ...delivery, signal }),
    };
  }
  if (application === "ocr" && !methodOf(verification).isRechecked && verification.method !== "none/1")
    return await ocrWork({ ...delivery, isWhole: verification.method === "exact/1" });
  return {
    ...generic,
    recompute: async (_, { input }) => {
      // It hands its inputs back as they are.
      if (application === "noop" && input !== undefined) return await Promise.resolve(input);
      throw new NeuraError("verify.no-redo", `nothing here can do the work of ${application} again`, {
        next: "Buy the same work from another provider and compare, or order with --checker and a program that decides.",
      });
    },
  };
}

function noChecker(): NeuraError {
  return new NeuraError("verify.no-checker", "it is decided by a program of yours that was not named", {
    next: "Name it: ./neura task audit … --checker FILE.",
  });
}

/** Finds what was delivered of a unit: by the paths of `units.json`, else whatever the result has with its hash. */
class Outputs {
  readonly #delivery: DeliveredWork;
  #paths: Promise<readonly UnitFiles[]> | undefined;
  #files: Promise<ReadonlyMap<string, Located>> | undefined;

  constructor(delivery: DeliveredWork) {
    this.#delivery = delivery;
  }

  async unit(index: number): Promise<DeliveredUnit | undefined> {
    const { units } = this.#delivery.evidence;
    this.#paths ??= this.#unitFiles();
    const paths = await this.#paths;
    const files = paths.length === units.length ? paths[index] : undefined;
    if (files !== undefined) {
      const [output, input, state] = await Promise.all([
        this.#at(files.output),
        this.#at(files.input),
        files.state === undefined ? undefined : this.#at(files.state),
      ]);
      return output && { output, input, state };
    }
    const leaf = units[index];
    if (leaf === undefined) return undefined;
    this.#files ??= this.#byHash();
    const found = await this.#files;
    const output = await contentOf(found.get(leaf.outputHash));
    if (output === undefined) return undefined;
    const { manifest } = this.#delivery;
    const own = ONE_BY_INPUT.includes(manifest.application) ? manifest.inputs[index] : undefined;
    const [input, state] = await Promise.all([
      own === undefined ? contentOf(found.get(leaf.inputHash)) : this.#at(own),
      contentOf(found.get(leaf.stateHash)),
    ]);
    return { output, input, state };
  }

  /** Below `input/` of the payload, or in the result. */
  async #at(path: string): Promise<Uint8Array | undefined> {
    const { payloadDirectory, resultDirectory } = this.#delivery;
    const folder = path.startsWith("input/") ? payloadDirectory : resultDirectory;
    return await bytesAt(join(folder, ...path.split("/")));
  }

  /** None where the provider did not divide the work by it. */
  async #unitFiles(): Promise<readonly UnitFiles[]> {
    const { resultDirectory } = this.#delivery;
    try {
      const run: unknown = JSON.parse(await readFile(join(resultDirectory, "run.json"), "utf8"));
      if (fieldOf(fieldOf(run, "units"), "from") !== "units.json") return [];
      return parseUnitFiles(await readFile(join(resultDirectory, ...UNITS_FILE.split("/")), "utf8"));
    } catch (error) {
      if (isNeuraError(error, "units.invalid") || error instanceof SyntaxError || isMissing(error)) return [];
      throw error;
    }
  }

  /** By SHA-256: each file of result and payload, and each entry of a list in `result.json`. */
  async #byHash(): Promise<ReadonlyMap<string, Located>> {
    const { payloadDirectory, resultDirectory } = this.#delivery;
    const found = new Map<string, Located>();
    const below = await Promise.all(
      [join(payloadDirectory, "input"), join(resultDirectory, "output")].map(filesBelow),
    );
    for (const path of [...below.flat(), join(resultDirectory, "result.json")]) {
      const hash = await hashOfFile(path);
      if (hash !== undefined) found.set(hash, { path });
    }
    for (const entry of await entriesIn(join(resultDirectory, "result.json"))) {
      const bytes = new TextEncoder().encode(JSON.stringify(entry));
      found.set(`0x${createHash("sha256").update(bytes).digest("hex")}`, { bytes });
    }
    return found;
  }
}

type Located = { readonly path: string } | { readonly bytes: Uint8Array };

async function contentOf(located: Located | undefined): Promise<Uint8Array | undefined> {
  if (located === undefined) return undefined;
  return "bytes" in located ? located.bytes : await bytesAt(located.path);
}

async function bytesAt(path: string): Promise<Uint8Array | undefined> {
  try {
    return new Uint8Array(await readFile(path));
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

async function hashOfFile(path: string): Promise<string | undefined> {
  const hash = createHash("sha256");
  try {
    for await (const bytes of createReadStream(path)) if (bytes instanceof Uint8Array) hash.update(bytes);
    return `0x${hash.digest("hex")}`;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** What lists in a result's file have; an application lists its units there. */
async function entriesIn(path: string): Promise<unknown[]> {
  const text = (await bytesAt(path)) ?? new Uint8Array();
  try {
    const result: unknown = JSON.parse(new TextDecoder().decode(text));
    const values: unknown[] = Object.values(typeof result === "object" && result !== null ? result : {});
    return values.flatMap((each): unknown[] => (Array.isArray(each) ? each : []));
  } catch (error) {
    if (error instanceof SyntaxError) return [];
    throw error;
  }
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}

function isMissing(error: unknown): boolean {
  return (
    error instanceof Error && "code" in error && ["ENOENT", "ENOTDIR", "EISDIR"].includes(String(error.code))
  );
}
