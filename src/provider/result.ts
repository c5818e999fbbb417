import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { getBytes, keccak256 } from "ethers";
import tar, { type Pack } from "tar-stream";

import packageJson from "../../package.json" with { type: "json" };

import { resultContext, seal } from "../envelope/index.ts";
import type { JsonObject, Manifest } from "../manifest.ts";
import { gpuClassName } from "../market/resources.ts";
import {
  encodeEvidence,
  type Evidence,
  evidenceHash,
  type EvidenceUnit,
  plaintextRoot,
  PUBLIC_SALT,
  treeSalt,
  unitsRoot,
  ZERO_HASH,
} from "../market/evidence.ts";
import type { OutcomeName } from "../market/outcome.ts";
import type { Task } from "../market/terms.ts";
import type { Secret } from "../secret.ts";
import type { Verification } from "../verify/verification.ts";
import type { Hardware } from "./hardware.ts";
import type { RunOutcome } from "./runner/runner.ts";
import { unitsOfRun, type WorkUnits } from "./units.ts";

export interface ResultSource {
  readonly task: Task;
  readonly manifest: Manifest;
  /** The run's folder, with `output/` and `logs/`. */
  readonly directory: string;
  readonly run: RunOutcome;
  readonly outcome: OutcomeName;
  readonly inputRoot: string;
  /** The owner's public key, 33 bytes as hex; nothing: the result is public. */
  readonly ownerKey: string | undefined;
  /** 32 bytes as hex with 0x. */
  readonly drawNonce: string;
  readonly runner: { readonly name: string; readonly isolation: readonly string[] };
  readonly hardware: Hardware;
}

export interface SealedResult {
  /** 32 bytes as hex with 0x: for the chain. */
  readonly resultHash: string;
  readonly evidenceHash: string;
  /** What that is the hash of: a jury is told. */
  readonly evidence: Evidence;
  readonly sizeBytes: number;
}

/**
 * Makes the result of a run and writes it to the file `path`: an envelope for the owner, or, if the terms want the
 * result public, a tar archive of `result.tar` and `evidence.json`. Making it twice gives two different envelopes,
 * so it is made once.
 */
export async function sealResult(
  source: ResultSource,
  { path, signal }: { path: string; signal: AbortSignal },
): Promise<SealedResult> {
  const archive = `${path}.tar`;
  const partial = `${path}.partial`;
  try {
    const divided = await unitsOfRun(source.run, { directory: source.directory, signal });
    const resultText = JSON.stringify(describeResult(source), undefined, 2);
    const units = divided.units.length > 0 ? divided.units : [wholeOf(source, resultText)];
    const runText = JSON.stringify(describeRun(source, divided), undefined, 2);
    const { sketchFiles } = divided;
    await writeArchive(archive, source, { runText, resultText, leftOut: sketchFiles, signal });
    const sketches = sketchFiles.size > 0 ? divided.sketches : undefined;
    const evidenceOf = async (salt: Secret<Uint8Array>): Promise<Evidence> => ({
      inputRoot: source.inputRoot,
      resultRoot: await plaintextRoot(createReadStream(archive), { salt, signal }),
      unitsRoot: unitsRoot(units),
      unitCount: units.length,
      runHash: sha256(runText),
      drawCommit: keccak256(source.drawNonce),
    });
    const made =
      source.ownerKey === undefined
        ? await publish({
            archive,
            evidence: await evidenceOf(PUBLIC_SALT),
            units,
            sketches,
            partial,
            signal,
          })
        : await encrypt({
            ...source,
            ownerKey: source.ownerKey,
            archive,
            evidenceOf,
            units,
            sketches,
            partial,
            signal,
          });
    await rename(partial, path);
    return made;
  } finally {
    await rm(archive, { force: true });
    await rm(partial, { force: true });
  }
}

interface Parts {
  readonly archive: string;
  readonly units: readonly EvidenceUnit[];
  readonly sketches: WorkUnits["sketches"] | undefined;
  readonly partial: string;
  readonly signal: AbortSignal;
}

async function encrypt({
  task,
  ownerKey,
  archive,
  evidenceOf,
  units,
  sketches,
  partial,
  signal,
}: Parts & {
  task: Task;
  ownerKey: string;
  evidenceOf: (salt: Secret<Uint8Array>) => Promise<Evidence>;
}): Promise<SealedResult> {
  const recipients = [getBytes(ownerKey)];
  let evidence: Evidence | undefined;
  // Read when the stream is: by then it is known what the commitments are salted with.
  async function* trace(): AsyncGenerator<Uint8Array> {
    evidence = await evidenceOf(treeSalt(sealed.contentKey("body")));
    yield new TextEncoder().encode(encodeEvidence({ evidence, units, sketches }));
  }
  const sealed = seal({
    context: resultContext({ taskId: task.id }),
    compartments: [
      { kind: "trace", recipients, source: trace() },
      { kind: "body", recipients, source: createReadStream(archive) },
    ],
    signal,
  });
  await pipeline(sealed.stream, createWriteStream(partial, { mode: 0o600 }), { signal });
  const { hash, size } = sealed.result();
  if (evidence === undefined) throw new Error("the envelope was written without its trace");
  return { resultHash: hash, evidenceHash: evidenceHash(evidence), evidence, sizeBytes: size };
}

async function publish({
  archive,
  evidence,
  units,
  sketches,
  partial,
  signal,
}: Parts & { evidence: Evidence }): Promise<SealedResult> {
  const pack = tar.pack();
  const write = async (): Promise<void> => {
    await addText(pack, "evidence.json", encodeEvidence({ evidence, units, sketches }));
    await addFile(pack, "result.tar", archive);
    pack.finalize();
  };
  await writePack(pack, write, partial, signal);
  const hash = createHash("sha256");
  await pipeline(createReadStream(partial), hash, { signal });
  const { size } = await stat(partial);
  return {
    resultHash: `0x${hash.digest("hex")}`,
    evidenceHash: evidenceHash(evidence),
    evidence,
    sizeBytes: size,
  };
}

// ---- What the result says ----

/** `run.json`: all that a re-run needs to be the same, and what this one took; null where this machine does not know. */
function describeRun(
  { task, manifest, run, outcome, runner, hardware }: ResultSource,
  { units, from, why }: WorkUnits,
): JsonObject {
  const { summary } = run;
  const { driver = null, cudaCapability = null, interconnect = null } = hardware.machine;
  return {
    schema: "neura/run/1",
    task: task.id,
    node: { name: packageJson.name, version: packageJson.version, runtime: `node ${process.versions.node}` },
    runner: { name: runner.name, isolation: runner.isolation },
    application: manifest.application,
    parameters: manifest.parameters,
    limits: { ...manifest.limits },
    verification: manifest.verification ? verificationJson(manifest.verification) : null,
    units: { count: Math.max(1, units.length), from, ...(why === undefined ? {} : { why }) },
    model: summary
      ? {
          package: summary.model.package,
          version: summary.model.version,
          files: summary.model.files.map(({ name, sha256: digest }) => ({ name, sha256: digest })),
        }
      : null,
    runtime: summary?.runtime ?? null,
    dtype: summary?.dtype ?? null,
    seed: summary?.seed ?? null,
    sampler: summary?.sampler ?? null,
    determinism: summary?.determinism ?? null,
    outcome,
    message: run.message,
    exitCode: run.exitCode ?? null,
    signal: run.signal ?? null,
    seconds: run.secondsWall,
    phases: run.phases.map(({ name, seconds }) => ({ name, seconds })),
    usage: { peakRssBytes: run.usage.peakRssBytes, cpuSeconds: run.usage.cpuSeconds },
    machine: {
      cpu: hardware.cpu,
      architecture: hardware.architecture,
      gpus: hardware.gpus,
      gpuClass: hardware.gpus.length === 0 ? null : gpuClassName(hardware.shape.gpuClass),
      ...{ driver, cudaCapability, interconnect },
      shape: { ...hardware.shape },
    },
  };
}

function verificationJson({ method, parameters, calibration }: Verification): JsonObject {
  return { method, parameters, ...(calibration === undefined ? {} : { calibration }) };
}

/** `result.json`: the application's own, or why there is none. */
function describeResult({ run, outcome }: ResultSource): JsonObject {
  return run.summary?.result ?? { schema: "neura/failure/1", outcome, message: run.message };
}

/** Work that nobody divides is one unit. */
function wholeOf({ inputRoot }: ResultSource, resultText: string): EvidenceUnit {
  const [stateHash, sketchHash] = [ZERO_HASH, ZERO_HASH];
  return { inputHash: inputRoot, outputHash: sha256(resultText), stateHash, sketchHash };
}

// ---- Archives ----

async function writeArchive(
  path: string,
  { directory, run }: ResultSource,
  {
    runText,
    resultText,
    leftOut,
    signal,
  }: { runText: string; resultText: string; leftOut: ReadonlySet<string>; signal: AbortSignal },
): Promise<void> {
  const pack = tar.pack();
  const write = async (): Promise<void> => {
    await addText(pack, "run.json", runText);
    await addText(pack, "result.json", resultText);
    const outputs = (await filesBelow(directory, "output")).filter((name) => !leftOut.has(name));
    for (const name of [...run.logFiles, ...outputs]) {
      await addFile(pack, name, join(directory, ...name.split("/")));
    }
    pack.finalize();
  };
  await writePack(pack, write, path, signal);
}

async function writePack(
  pack: Pack,
  write: () => Promise<void>,
  path: string,
  signal: AbortSignal,
): Promise<void> {
  const writing = write().catch((error: unknown) => {
    pack.destroy(error instanceof Error ? error : new Error(String(error)));
  });
  await pipeline(pack, createWriteStream(path, { mode: 0o600 }), { signal });
  await writing;
}

/** Regular files below a folder, in the order of their names; a link leads nowhere. */
async function filesBelow(directory: string, name: string): Promise<string[]> {
  const entries = await readdir(join(directory, name), { withFileTypes: true });
  const files: string[] = [];
  for (const entry of entries.toSorted((one, other) => (one.name < other.name ? -1 : 1))) {
    const path = `${name}/${entry.name}`;
    if (entry.isDirectory()) files.push(...(await filesBelow(directory, path)));
    else if (entry.isFile()) files.push(path);
  }
  return files;
}

/** Without time, mode and owner of this machine. */
function entryOf(name: string): { name: string; mtime: Date; mode: number } {
  return { name, mtime: new Date(0), mode: 0o644 };
}

async function addText(pack: Pack, name: string, text: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    pack.entry(entryOf(name), text, (error) => (error ? reject(error) : resolve()));
  });
}

async function addFile(pack: Pack, name: string, path: string): Promise<void> {
  const { size } = await stat(path);
  await pipeline(createReadStream(path), pack.entry({ ...entryOf(name), size }));
}

function sha256(text: string): string {
  return `0x${createHash("sha256").update(text).digest("hex")}`;
}
