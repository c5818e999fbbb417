import { createHash, randomUUID } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { hexlify } from "ethers";

import {
  type ByteSource,
  type Opening as ShownCompartment,
  openEach,
  type ReaderKey,
  readHeader,
  resultContext,
  unwrap,
} from "../envelope/index.ts";
import { isNeuraError, messageOf, NeuraError } from "../errors.ts";
import { findKey, keyDirectory } from "../keystore.ts";
import { extractArchive, type ExtractedFile } from "./archive.ts";
import type { MarketContext } from "./context.ts";
import type { DeliveryFacts } from "./events.ts";
import {
  type EvidenceFile,
  evidenceHash,
  parseEvidence,
  PlaintextRoot,
  PUBLIC_SALT,
  tee,
  treeSalt,
  ZERO_HASH,
} from "./evidence.ts";
import { measurementOf, noteMeasurement } from "./measurements.ts";
import { loadEvidence, loadRecord, saveEvidence, type TaskRecord } from "./records.ts";
import { endedWithout, taskStatus, type TaskStatus } from "./status.ts";

export interface ResultOptions {
  /** Where the files go; must not exist, or be empty. */
  directory: string;
  /** The most that is taken [bytes], and files. Default: 4 GiB and 10,000. */
  maxBytes?: number | undefined;
  maxFiles?: number | undefined;
  /** What somebody shows of the envelope, in place of the owner's key. */
  openings?: readonly ShownCompartment[] | undefined;
  onProgress?: ((progress: { phase: "downloading" | "opening"; doneBytes: number }) => void) | undefined;
  signal?: AbortSignal | undefined;
}

/** One thing that the delivery committed to, held against what was delivered. */
export interface ResultCheck {
  readonly name: "evidenceHash" | "resultRoot" | "inputRoot" | "runHash";
  /** `unchecked`: this machine does not have what it would be compared with. */
  readonly verdict: "match" | "mismatch" | "unchecked";
  readonly reason: string;
}

export interface TaskResult {
  readonly status: TaskStatus;
  readonly delivery: DeliveryFacts;
  readonly directory: string;
  /** Relative to the directory: `run.json`, `result.json`, those below `logs/` and `output/`. */
  readonly files: readonly ExtractedFile[];
  readonly evidence: EvidenceFile | undefined;
  readonly checks: readonly ResultCheck[];
  /** Whether nothing is a mismatch. */
  readonly sound: boolean;
}

const DEFAULT_MAX_BYTES = 4 * 1024 ** 3;
const DEFAULT_MAX_FILES = 10_000;
const MAX_EVIDENCE_BYTES = 256 * 1024 * 1024;

/**
 * Fetches the result of a task, opens it, holds it against everything that the delivery committed to, and writes
 * its files into a new directory. Needs the task's id and the key of the terms; no record of this machine.
 *
 * Nothing is written to the directory unless all bytes are what the chain names. A result that is not what its
 * evidence says is handed over nevertheless, with `sound: false`: it is the owner's proof.
 *
 * Errors: `task.no-result`, `task.not-delivered`, `result.exists`, `result.key-missing`, `result.wrong-hash`, those
 * of the storage, of `openEach`, of `extractArchive` and of `taskStatus`.
 */
export async function fetchResult(
  context: MarketContext,
  id: string,
  options: ResultOptions,
): Promise<TaskResult> {
  const directory = resolve(options.directory);
  await requireAbsentOrEmpty(directory);
  const status = await taskStatus(context, id, { signal: options.signal });
  const { delivery } = status;
  if (delivery === undefined) throw status.ended ? endedWithout(status) : notDelivered(status);
  const { openings } = options;
  const isPublic = status.terms.conditions.keyEpoch === 0;
  const key = isPublic ? undefined : openings ? { openings } : await requireKey(context, status);

  const work = join(dirname(directory), `.${basename(directory)}.${randomUUID().slice(0, 8)}.partial`);
  await mkdir(work, { recursive: true });
  try {
    const fetched = join(work, "fetched");
    await download(context, delivery, fetched, options);
    const files = join(work, "files");
    await mkdir(files);
    const opening = { id, delivery, source: fetched, directory: files, options };
    const opened =
      key === undefined ? await openPublic({ ...opening, work }) : await openPrivate({ ...opening, key });
    const record = await loadRecord(context.home, id);
    const checks = await checksOf(record, status, { ...opened, directory: files });
    // An empty directory is replaced by the new one.
    await rm(directory, { recursive: true, force: true });
    await rename(files, directory);
    const result: TaskResult = {
      status,
      delivery,
      directory,
      files: opened.files,
      evidence: typeof opened.evidence === "string" ? undefined : opened.evidence,
      checks,
      sound: checks.every(({ verdict }) => verdict !== "mismatch"),
    };
    await measure(context, result);
    if (record !== undefined && result.evidence !== undefined)
      await saveEvidence(context.home, id, result.evidence);
    return result;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/**
 * A result that {@link fetchResult} wrote on this machine, held again against what the delivery committed to, without its
 * archive. Errors: `task.no-result`, `task.not-delivered`, `result.no-evidence`, those of `taskStatus`.
 */
export async function readResult(
  context: MarketContext,
  id: string,
  { directory, signal }: { directory: string; signal?: AbortSignal | undefined },
): Promise<Omit<TaskResult, "files">> {
  const status = await taskStatus(context, id, { signal });
  const { delivery } = status;
  if (delivery === undefined) throw status.ended ? endedWithout(status) : notDelivered(status);
  const evidence = await loadEvidence(context.home, id);
  if (evidence === undefined) {
    throw new NeuraError("result.no-evidence", `What task ${id} committed to is not on this machine.`, {
      next: "Fetch the result again: leave the folder out.",
    });
  }
  const record = await loadRecord(context.home, id);
  const checks = await checksOf(record, status, { evidence, resultRoot: undefined, directory });
  const sound = checks.every(({ verdict }) => verdict !== "mismatch");
  return { status, delivery, directory: resolve(directory), evidence, checks, sound };
}

/** Notes what the work took, for the next choice of a provider. The result is there with or without it. */
async function measure({ home }: MarketContext, result: TaskResult): Promise<void> {
  try {
    const measurement = await measurementOf(home, result);
    if (measurement !== undefined) await noteMeasurement(home, measurement);
  } catch {
    // A folder that cannot be written, or a `run.json` that cannot be read.
  }
}

/** What came out of a result; in place of evidence that cannot be read, why. */
interface OpenedResult {
  readonly files: readonly ExtractedFile[];
  readonly resultRoot: string;
  readonly evidence: EvidenceFile | string | undefined;
}

interface Opening {
  readonly id: string;
  readonly delivery: DeliveryFacts;
  /** The downloaded file. */
  readonly source: string;
  readonly directory: string;
  readonly options: ResultOptions;
}

async function download(
  { storage }: MarketContext,
  { result }: DeliveryFacts,
  path: string,
  { maxBytes = DEFAULT_MAX_BYTES, onProgress, signal }: ResultOptions,
): Promise<void> {
  const network = await storage({ reference: result });
  const bytes = network.get(result, {
    maxBytes,
    ...(signal === undefined ? {} : { signal }),
    onProgress: ({ doneBytes }) => onProgress?.({ phase: "downloading", doneBytes }),
  });
  await pipeline(bytes, createWriteStream(path, { mode: 0o600 }));
}

/** An envelope: the result as `body`, the evidence as `trace`. */
async function openPrivate({
  id,
  delivery,
  source,
  directory,
  options,
  key,
}: Opening & { key: ReaderKey }): Promise<OpenedResult> {
  const { onProgress, signal } = options;
  const context = resultContext({ taskId: id });
  const contentKey = unwrap(await readHeader(createReadStream(source)), { ...key, kind: "body", context });
  const root = new PlaintextRoot(treeSalt(contentKey));
  let files: ExtractedFile[] = [];
  let evidence: OpenedResult["evidence"];
  await openEach(createReadStream(source), {
    ...key,
    context,
    hash: delivery.resultHash,
    signal,
    handlers: {
      body: async (plaintext) => {
        files = await extractArchive(tee(counted(plaintext, onProgress), root), {
          directory,
          limits: limitsOf(options),
          signal,
        });
      },
      trace: async (plaintext) => {
        evidence = await readEvidence(plaintext);
      },
    },
  });
  return { files, resultRoot: root.digest(), evidence };
}

/** A tar archive of `result.tar` and `evidence.json`. */
async function openPublic({
  delivery,
  source,
  directory,
  options,
  work,
}: Opening & { work: string }): Promise<OpenedResult> {
  const { onProgress, signal } = options;
  const hash = createHash("sha256");
  for await (const bytes of bytesOf(source)) hash.update(bytes);
  const found = `0x${hash.digest("hex")}`;
  if (found !== delivery.resultHash) {
    throw new NeuraError("result.wrong-hash", `The result's hash is ${found}, not ${delivery.resultHash}.`, {
      next: "Do not use it: it is not the one that was named on chain.",
    });
  }
  const outer = join(work, "outer");
  await mkdir(outer);
  const limits = limitsOf(options);
  const parts = await extractArchive(bytesOf(source), { directory: outer, limits, signal });
  const has = (name: string): boolean => parts.some(({ path }) => path === name);
  if (!has("result.tar")) {
    throw new NeuraError("archive.malformed", "The result has no result.tar.", {
      next: "Do not use it: it is not what a node writes.",
    });
  }
  const root = new PlaintextRoot(PUBLIC_SALT);
  const plaintext = counted(bytesOf(join(outer, "result.tar")), onProgress);
  const files = await extractArchive(tee(plaintext, root), { directory, limits, signal });
  const evidence = has("evidence.json")
    ? await readEvidence(bytesOf(join(outer, "evidence.json")))
    : undefined;
  return { files, resultRoot: root.digest(), evidence };
}

async function readEvidence(source: ByteSource): Promise<EvidenceFile | string> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const bytes of source) {
    size += bytes.length;
    if (size <= MAX_EVIDENCE_BYTES) parts.push(Uint8Array.from(bytes));
  }
  if (size > MAX_EVIDENCE_BYTES) return `it has ${size} bytes`;
  try {
    return parseEvidence(Buffer.concat(parts).toString());
  } catch (error) {
    if (isNeuraError(error, "evidence.invalid")) return messageOf(error);
    throw error;
  }
}

async function checksOf(
  record: TaskRecord | undefined,
  { delivery }: TaskStatus,
  {
    evidence,
    resultRoot,
    directory,
  }: {
    evidence: OpenedResult["evidence"];
    /** Nothing where the archive is not there. */
    resultRoot: string | undefined;
    directory: string;
  },
): Promise<ResultCheck[]> {
  const committed = delivery?.evidenceHash ?? ZERO_HASH;
  if (evidence === undefined && committed === ZERO_HASH) {
    return [{ name: "evidenceHash", verdict: "unchecked", reason: "the delivery commits to no evidence" }];
  }
  if (evidence === undefined || typeof evidence === "string") {
    const reason = evidence ?? "the delivery commits to evidence, but the result has none";
    return [{ name: "evidenceHash", verdict: "mismatch", reason }];
  }
  const claimed = evidence.evidence;
  const compare = (name: ResultCheck["name"], expected: string | undefined, found: string): ResultCheck => {
    if (expected === undefined)
      return { name, verdict: "unchecked", reason: "nothing is known here to compare it with" };
    return expected === found
      ? { name, verdict: "match", reason: found }
      : { name, verdict: "mismatch", reason: `${found} where ${expected} was committed to` };
  };
  return [
    compare("evidenceHash", committed, evidenceHash(claimed)),
    compare("resultRoot", resultRoot === undefined ? undefined : claimed.resultRoot, resultRoot ?? ""),
    compare("runHash", claimed.runHash, await hashOfFile(join(directory, "run.json"))),
    compare("inputRoot", record?.inputRoot, claimed.inputRoot),
  ];
}

// ---- Directory and key ----

/** Error: `result.exists`. */
export async function requireAbsentOrEmpty(directory: string): Promise<void> {
  try {
    if ((await readdir(directory)).length === 0) return;
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOENT") return;
    if (code !== "ENOTDIR") throw error;
  }
  throw new NeuraError(
    "result.exists",
    `${directory} exists and is not empty; nothing in it has been touched.`,
    {
      next: "Name another directory, or move that one away.",
    },
  );
}

/** The owner's key that a result is encrypted to. Error: `result.key-missing`. */
export async function requireKey(
  { contracts, home }: MarketContext,
  { terms }: TaskStatus,
): Promise<NonNullable<Awaited<ReturnType<typeof findKey>>>> {
  const { owner, conditions } = terms;
  const { publicKey } = await contracts.keys.keyAt(owner, conditions.keyEpoch);
  const key = await findKey(home, owner, publicKey);
  if (key !== undefined) return key;
  throw new NeuraError(
    "result.key-missing",
    `The result is encrypted to key epoch ${conditions.keyEpoch} of ${owner} (${hexlify(publicKey)}), which is not in ${keyDirectory(home, owner)}.`,
    {
      next: "Restore that key from its backup with `account key restore`, or fetch the result on the machine that has it.",
    },
  );
}

export function notDelivered({ id, status }: TaskStatus): NeuraError {
  return new NeuraError("task.not-delivered", `Task ${id} is ${status}: there is no result yet.`, {
    next: "Wait for it with `task wait`.",
  });
}

// ---- Bytes ----

function limitsOf({ maxBytes = DEFAULT_MAX_BYTES, maxFiles = DEFAULT_MAX_FILES }: ResultOptions): {
  maxBytes: number;
  maxFiles: number;
} {
  return { maxBytes, maxFiles };
}

async function* bytesOf(path: string): AsyncGenerator<Uint8Array> {
  for await (const bytes of createReadStream(path)) if (bytes instanceof Uint8Array) yield bytes;
}

async function* counted(
  source: ByteSource,
  onProgress: ResultOptions["onProgress"],
): AsyncGenerator<Uint8Array> {
  let doneBytes = 0;
  for await (const bytes of source) {
    yield bytes;
    doneBytes += bytes.length;
    onProgress?.({ phase: "opening", doneBytes });
  }
}

async function hashOfFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  try {
    for await (const bytes of bytesOf(path)) hash.update(bytes);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return "no such file";
    throw error;
  }
  return `0x${hash.digest("hex")}`;
}
