import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { hexlify } from "ethers";
import tar from "tar-stream";

import type { Abortable } from "../abort.ts";
import { openEach, payloadContext, readHeader, resultContext, unwrap } from "../envelope/index.ts";
import { NeuraError } from "../errors.ts";
import { findReaderKey } from "../keystore.ts";
import { extractArchive } from "../market/archive.ts";
import type { MarketContext } from "../market/context.ts";
import {
  branchesOf,
  type Evidence,
  type EvidenceUnit,
  LEAF_BYTES,
  leafSalt,
  plaintextLeaf,
  PlaintextRoot,
  PUBLIC_SALT,
  rootOfBranch,
  treeSalt,
  unitLeaf,
} from "../market/evidence.ts";
import type { TaskResult } from "../market/result.ts";
import type { Secret } from "../secret.ts";
import { RUN } from "./statement.ts";

/**
 * One file that is shown, with what proves that it belongs to the delivery; of the others nothing is seen but hashes
 * that nobody can guess. Bytes are base64, hashes hex with 0x.
 */
export type Disclosure = { readonly path: string } & (
  | {
      /** Its SHA-256 is the evidence's `runHash`. */
      readonly kind: "run";
      readonly content: string;
    }
  | {
      /** Its SHA-256 is one of a unit's hashes. `path`: of the file, or `unit/<index>` for what is none. */
      readonly kind: "unit";
      readonly side: "inputHash" | "outputHash";
      readonly index: number;
      readonly unit: EvidenceUnit;
      readonly branch: readonly string[];
      readonly content: string;
    }
  | {
      /** The leaves of an archive that it lies in: whatever else lies there is seen, too. */
      readonly kind: "leaves";
      readonly root: "inputRoot" | "resultRoot";
      /** Of its entry, header included, in the first leaf [bytes]. */
      readonly offset: number;
      readonly length: number;
      readonly leaves: readonly Leaf[];
    }
);

export interface Leaf {
  readonly index: number;
  readonly salt: string;
  readonly bytes: string;
  readonly branch: readonly string[];
}

/** A file that was shown and belongs to the delivery. */
export interface DisclosedFile {
  readonly path: string;
  readonly content: Uint8Array;
  /** What it is bound to. */
  readonly by: string;
}

/** The most that is shown of one file [bytes]: it is text in a JSON file. */
const MAX_BYTES = 32 * 1024 * 1024;
const MAX_ARCHIVE_BYTES = 4 * 1024 ** 3;
const BLOCK = 512;

// ---- Checking ----

/** The file that is shown. Throws an `Error` that says why, where it is not of the delivery with this evidence. */
export async function disclosedFile(shown: Disclosure, evidence: Evidence): Promise<DisclosedFile> {
  const { path } = shown;
  switch (shown.kind) {
    case "run": {
      const content = bytesOf(shown.content);
      if (path !== RUN || sha256(content) !== evidence.runHash)
        throw new Error(`it is not the delivery's ${RUN}`);
      return { path, content, by: "runHash" };
    }
    case "unit": {
      const { side, index, unit, branch } = shown;
      const content = bytesOf(shown.content);
      if (rootOfBranch(unitLeaf(index, unit), branch) !== evidence.unitsRoot)
        throw new Error(`unit ${index} is not the delivery's`);
      if (sha256(content) !== unit[side]) throw new Error(`it does not have the ${side} of unit ${index}`);
      return { path, content, by: `${side} of unit ${index}` };
    }
    case "leaves": {
      const bytes = shown.leaves.map(({ index, salt, bytes: text, branch }, place) => {
        const chunk = bytesOf(text);
        const isWhole = chunk.length === LEAF_BYTES || place === shown.leaves.length - 1;
        if (index !== (shown.leaves[0]?.index ?? 0) + place || !isWhole || chunk.length > LEAF_BYTES)
          throw new Error("its leaves are not adjacent");
        if (rootOfBranch(plaintextLeaf(index, salt, sha256(chunk)), branch) !== evidence[shown.root])
          throw new Error(`leaf ${index} is not below the ${shown.root}`);
        return chunk;
      });
      const entry = Buffer.concat(bytes).subarray(shown.offset, shown.offset + shown.length);
      if (entry.length !== shown.length || shown.length % BLOCK !== 0)
        throw new Error("it is not in its leaves");
      return { path, content: await onlyFileIn(entry, path), by: shown.root };
    }
  }
}

async function onlyFileIn(entry: Uint8Array, path: string): Promise<Uint8Array> {
  const extract = tar.extract();
  extract.end(Buffer.concat([entry, Buffer.alloc(2 * BLOCK)]));
  const files: Uint8Array[] = [];
  for await (const each of extract) {
    const parts: Uint8Array[] = [];
    for await (const part of each) if (part instanceof Uint8Array) parts.push(part);
    if (each.header.name !== path || each.header.type !== "file") throw new Error("it is another file");
    files.push(Buffer.concat(parts));
  }
  const [content] = files;
  if (content === undefined || files.length > 1) throw new Error("it is not one file");
  return content;
}

// ---- Making ----

export interface DisclosureOptions extends Abortable {
  /** `run.json`, `result.json`, below `logs/`, `output/`, `input/`, `manifest.json`, or `unit/<index>`. */
  readonly paths: readonly string[];
  /** Whether other files may be seen with it, where they lie in the same 64 KiB. */
  readonly withNeighbours?: boolean | undefined;
  /** Empty, for what is opened on the way. */
  readonly workDirectory: string;
}

/**
 * What shows these files and, as far as it can be, nothing else: a file that one hash of the evidence is of is shown by
 * that, any other by its 64 KiB leaves.
 *
 * Errors: `receipt.no-file`, `receipt.neighbours`, `receipt.too-large`, those of the storage and of `openEach`.
 */
export async function disclose(
  context: MarketContext,
  result: TaskResult,
  options: DisclosureOptions,
): Promise<Disclosure[]> {
  const archives = new Map<Side, Archive>();
  const archiveOf = async (side: Side): Promise<Archive> => {
    const opened = archives.get(side) ?? (await openArchive(context, result, side, options));
    archives.set(side, opened);
    return opened;
  };
  const shown: Disclosure[] = [];
  for (const path of options.paths)
    shown.push((await byHash(result, path)) ?? (await byLeaves(archiveOf, path, options)));
  return shown;
}

/** By the hash of `run.json`, or by a unit's output. */
async function byHash(
  { directory, evidence, files }: TaskResult,
  path: string,
): Promise<Disclosure | undefined> {
  if (evidence === undefined) return undefined;
  const { units } = evidence;
  const byUnit = (index: number, content: Uint8Array): Disclosure | undefined => {
    const unit = units[index];
    if (unit === undefined || sha256(content) !== unit.outputHash) return undefined;
    const leaves = units.map((each, at) => unitLeaf(at, each));
    const [branch = []] = branchesOf(leaves, [index]);
    return { path, kind: "unit", side: "outputHash", index, unit, branch, content: textOf(content) };
  };
  const numbered = /^unit\/(\d{1,9})$/.exec(path)?.[1];
  if (numbered !== undefined) {
    const index = Number(numbered);
    for (const content of await partsOf(directory, index)) {
      const found = byUnit(index, content);
      if (found !== undefined) return found;
    }
    throw noFile(path, "no part of result.json is what that unit made: show its file instead");
  }
  const file = files.find((each) => each.path === path);
  if (file === undefined) return undefined;
  if (file.sizeBytes > MAX_BYTES) throw tooLarge(path, file.sizeBytes);
  const content = await readFile(join(directory, ...path.split("/")));
  if (path === RUN) return { path, kind: "run", content: textOf(content) };
  return byUnit(
    units.findIndex(({ outputHash }) => outputHash === sha256(content)),
    content,
  );
}

/** What `result.json` has of a unit: an application lists its units in the order of its work. */
async function partsOf(directory: string, index: number): Promise<Uint8Array[]> {
  const text = await readFile(join(directory, "result.json"));
  const value: unknown = JSON.parse(text.toString());
  const parts = Object.values(typeof value === "object" && value !== null ? value : {}).flatMap(
    (each: unknown): unknown[] => (Array.isArray(each) ? each.slice(index, index + 1) : []),
  );
  return [text, ...parts.map((part) => Buffer.from(JSON.stringify(part)))];
}

async function byLeaves(
  archiveOf: (side: Side) => Promise<Archive>,
  path: string,
  { withNeighbours = false }: DisclosureOptions,
): Promise<Disclosure> {
  const side: Side = path === "manifest.json" || path.startsWith("input/") ? "inputRoot" : "resultRoot";
  const { file, salt, leaves, entries } = await archiveOf(side);
  const entry = entries.find((each) => each.path === path);
  if (entry === undefined) throw noFile(path, `there are ${entries.map((each) => each.path).join(", ")}`);
  const { start, end } = entry;
  if (end - start > MAX_BYTES) throw tooLarge(path, end - start);
  const first = Math.floor(start / LEAF_BYTES);
  const last = Math.floor((end - 1) / LEAF_BYTES);
  const seen = entries.filter(
    (each) => each !== entry && each.end > first * LEAF_BYTES && each.start < (last + 1) * LEAF_BYTES,
  );
  if (seen.length > 0 && !withNeighbours) {
    const names = seen.map((each) => each.path).join(", ");
    throw new NeuraError("receipt.neighbours", `${path} lies in the same 64 KiB as ${names}.`, {
      next: "Show those with it by --with-neighbours, or show less: `unit/<index>` where the work has units.",
    });
  }
  const indices = Array.from({ length: last - first + 1 }, (_, place) => first + place);
  const branches = branchesOf(leaves, indices);
  const handle = await open(file);
  try {
    const shown: Leaf[] = [];
    for (const [place, index] of indices.entries()) {
      const { buffer, bytesRead } = await handle.read(
        Buffer.alloc(LEAF_BYTES),
        0,
        LEAF_BYTES,
        index * LEAF_BYTES,
      );
      const bytes = textOf(buffer.subarray(0, bytesRead));
      shown.push({ index, salt: hexlify(leafSalt(salt, index)), bytes, branch: branches[place] ?? [] });
    }
    const offset = start - first * LEAF_BYTES;
    return { path, kind: "leaves", root: side, offset, length: end - start, leaves: shown };
  } finally {
    await handle.close();
  }
}

// ---- Archives ----

type Side = "inputRoot" | "resultRoot";

interface Archive {
  readonly file: string;
  readonly salt: Secret<Uint8Array>;
  readonly leaves: readonly string[];
  readonly entries: readonly Entry[];
}

/** A file in an archive, from its first header to its padding [bytes]. */
interface Entry {
  readonly path: string;
  readonly start: number;
  readonly end: number;
}

/** Fetches and opens the payload or the result once more, into a file. */
async function openArchive(
  context: MarketContext,
  { status, delivery }: TaskResult,
  side: Side,
  { workDirectory, signal }: DisclosureOptions,
): Promise<Archive> {
  const { storage, home, domain } = context;
  const { terms, work, id } = status;
  const isInput = side === "inputRoot";
  const uri = isInput ? work.payload : delivery.result;
  const hash = isInput ? work.payloadHash : delivery.resultHash;
  const directory = join(workDirectory, side);
  await mkdir(directory, { recursive: true });
  const fetched = join(directory, "fetched");
  const network = await storage({ reference: uri });
  const limits = { maxBytes: MAX_ARCHIVE_BYTES, maxFiles: 10_000 };
  const bytes = network.get(uri, { maxBytes: limits.maxBytes, ...(signal === undefined ? {} : { signal }) });
  await pipeline(bytes, createWriteStream(fetched, { mode: 0o600 }));

  let file = join(directory, "archive.tar");
  let salt: Secret<Uint8Array> = PUBLIC_SALT;
  if (!isInput && terms.conditions.keyEpoch === 0) {
    await extractArchive(createReadStream(fetched), { directory: join(directory, "outer"), limits, signal });
    file = join(directory, "outer", "result.tar");
  } else {
    const envelope = isInput
      ? payloadContext({ ...domain, owner: terms.owner, salt: terms.salt })
      : resultContext({ taskId: id });
    const header = await readHeader(createReadStream(fetched));
    const key = await findReaderKey(home, header, [terms.owner]);
    if (key === undefined) {
      throw new NeuraError(
        "result.key-missing",
        `${uri} is encrypted to no key of ${terms.owner} that is here.`,
        {
          next: "Restore the key from its backup with `account key restore`; who wants a result public has none.",
        },
      );
    }
    const { secretKey } = key;
    salt = treeSalt(unwrap(header, { kind: "body", context: envelope, secretKey }));
    await openEach(createReadStream(fetched), {
      context: envelope,
      secretKey,
      hash,
      signal,
      handlers: {
        body: async (plaintext) => {
          await pipeline(plaintext, createWriteStream(file, { mode: 0o600 }));
        },
      },
    });
  }
  const root = new PlaintextRoot(salt);
  for await (const part of createReadStream(file)) if (part instanceof Uint8Array) root.update(part);
  root.digest();
  return { file, salt, leaves: root.leaves, entries: await entriesOf(file) };
}

/** Names by the reader of archives, places by the sizes in the headers. */
async function entriesOf(file: string): Promise<Entry[]> {
  const extract = tar.extract();
  const feeding = pipeline(createReadStream(file), extract);
  feeding.catch(() => undefined);
  const names: string[] = [];
  for await (const entry of extract) {
    names.push(entry.header.name);
    entry.resume();
  }
  await feeding;
  const entries: Entry[] = [];
  const handle = await open(file);
  try {
    let start = 0;
    for (let at = 0; entries.length < names.length;) {
      const { buffer } = await handle.read(Buffer.alloc(BLOCK), 0, BLOCK, at);
      const size = parseInt(buffer.toString("latin1", 124, 136), 8);
      at += BLOCK + Math.ceil(size / BLOCK) * BLOCK;
      // What says more about the next entry belongs to it.
      if ("xgLK".includes(buffer.toString("latin1", 156, 157))) continue;
      entries.push({ path: names[entries.length] ?? "", start, end: at });
      start = at;
    }
  } finally {
    await handle.close();
  }
  return entries;
}

// ---- Values ----

function sha256(bytes: Uint8Array): string {
  return `0x${createHash("sha256").update(bytes).digest("hex")}`;
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}

function bytesOf(text: string): Uint8Array {
  const bytes = Buffer.from(text, "base64");
  if (bytes.toString("base64") !== text) throw new Error("it is not base64");
  return bytes;
}

function noFile(path: string, reason: string): NeuraError {
  return new NeuraError("receipt.no-file", `The delivery has no ${path} that can be shown: ${reason}.`);
}

function tooLarge(path: string, size: number): NeuraError {
  return new NeuraError("receipt.too-large", `${path} has ${size} bytes, more than ${MAX_BYTES}.`, {
    next: "Hand over the file itself: its SHA-256 is in the receipt.",
  });
}
