import { createReadStream, createWriteStream } from "node:fs";
import { mkdtemp, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { getAddress, getBytes, hexlify, isAddress, isHexString } from "ethers";

import {
  type CompartmentKind,
  hashEnvelope,
  type Header,
  type Opening,
  payloadContext,
  proveOpening,
  readHeader,
  resultContext,
} from "../envelope/index.ts";
import { compartmentFor, provenWrap } from "../envelope/keys.ts";
import { isNeuraError, NeuraError } from "../errors.ts";
import { type Fields, parseFields } from "../fields.ts";
import { listKeys } from "../keystore.ts";
import { openPayload } from "../provider/payload.ts";
import type { Secret } from "../secret.ts";
import { asking, type MarketContext, requireSigner } from "./context.ts";
import { fetchResult, notDelivered, requireAbsentOrEmpty, requireKey } from "./result.ts";
import { taskStatus, type TaskStatus } from "./status.ts";

/** Which of a task's envelopes. */
export type Sealed = "payload" | "result";

/** What a reader shows of a task's envelope: the file that it hands over. */
export interface OpeningFile {
  readonly task: string;
  readonly of: Sealed;
  /** The reader, whose key it was encrypted to. */
  readonly account: string;
  /** One for each compartment that is shown; none where the envelope's header alone shows that it cannot be read. */
  readonly openings: readonly Opening[];
}

/** What became of opening an envelope with such a file. */
export interface OpeningFinding {
  readonly status: TaskStatus;
  /** Who made the envelope. */
  readonly author: string;
  /** What is wrong with it, which is its author's fault; missing if it opens and is what it should be. */
  readonly problem?: { readonly code: string; readonly message: string };
  /** The files that it holds, if it opens. */
  readonly files: readonly string[];
}

const SCHEMA = "neura/opening/1";
const KINDS: readonly CompartmentKind[] = ["body", "trace"];
const MAX_BYTES = 4 * 1024 ** 3;
const FILES = "files";

// ---- Showing ----

/**
 * What the holder of `secretKey` can show of an envelope: its body, and the evidence of a result; never secrets. Nothing
 * where the header alone shows that the reader cannot open it, and then the error that says why.
 */
export function showCompartments(
  header: Header,
  { context, secretKey }: { context: string; secretKey: Secret<Uint8Array> },
): { openings: Opening[]; problem?: NeuraError } {
  const kinds = KINDS.filter(
    (kind) => kind === "body" || header.compartments.some((each) => each.kind === kind),
  );
  try {
    return { openings: kinds.map((kind) => proveOpening(header, { kind, context, secretKey })) };
  } catch (error) {
    if (isFinding(error)) return { openings: [], problem: error };
    throw error;
  }
}

/**
 * Shows others what an envelope of a task holds: its owner that of the result, its provider that of the payload. Whoever
 * gets what comes out can read that envelope, and nothing else.
 *
 * Errors: `opening.public`, `opening.key-missing`, `result.key-missing`, `task.not-delivered`, those of `taskStatus` and
 * of the storage.
 */
export async function showOpening(
  context: MarketContext,
  id: string,
  { of, signal }: { of: Sealed; signal?: AbortSignal | undefined },
): Promise<OpeningFile & { readonly problem?: NeuraError }> {
  const status = await taskStatus(context, id, { signal });
  const envelope = envelopeOf(context, status, of);
  const network = await context.storage({ reference: envelope.uri });
  const bytes = network.get(envelope.uri, { maxBytes: MAX_BYTES, ...(signal ? { signal } : {}) });
  const header = await readHeader(envelope.header === undefined ? bytes : [envelope.header], { signal });
  const { account, secretKey } =
    of === "result" ? await requireKey(context, status) : await providerKey(context, header);
  return { task: id, of, account, ...showCompartments(header, { context: envelope.context, secretKey }) };
}

/** The newest of the signer's keys, unless an older one is among the recipients. */
async function providerKey(
  context: MarketContext,
  { compartments }: Header,
): Promise<{ account: string; secretKey: Secret<Uint8Array> }> {
  const account = await requireSigner(context).getAddress();
  const keys = await listKeys(context.home, account);
  const recipients = compartments.find(({ kind }) => kind === "body")?.recipients ?? [];
  const wanted = new Set(recipients.map(({ publicKey }) => hexlify(publicKey)));
  const key = keys.find(({ publicKey }) => wanted.has(hexlify(publicKey))) ?? keys.at(-1);
  if (key !== undefined) return { account, secretKey: key.secretKey };
  throw new NeuraError("opening.key-missing", `No encryption key of ${account} is on this machine.`, {
    next: "Show it on the machine that has the key, or restore the key with `account key restore`.",
  });
}

// ---- Checking ----

/**
 * Opens an envelope of a task as its reader could, with what the reader shows of it, from the references and hashes that
 * the chain has: for anybody, without a key. `directory`: where its files go; must not exist, or be empty.
 *
 * Errors, where the file shows nothing: `envelope.bad-opening`, `opening.other-task`, `opening.foreign-key`,
 * `opening.shows-nothing`. `opening.public`, `opening.sealed`, `task.not-delivered`, `result.exists`, `archive.too-large`,
 * those of `taskStatus` and of the storage.
 */
export async function checkOpening(
  context: MarketContext,
  id: string,
  file: OpeningFile,
  { directory, signal }: { directory?: string | undefined; signal?: AbortSignal | undefined } = {},
): Promise<OpeningFinding> {
  if (file.task !== id.toLowerCase()) {
    throw new NeuraError("opening.other-task", `It is about task ${file.task}, not about ${id}.`);
  }
  if (directory !== undefined) await requireAbsentOrEmpty(resolve(directory));
  const status = await taskStatus(context, id, { signal });
  const envelope = envelopeOf(context, status, file.of);
  const { author } = envelope;
  await requireOwnKeys(context, file);
  const place = directory === undefined ? tmpdir() : dirname(resolve(directory));
  const work = await mkdtemp(join(place, ".opening-"));
  try {
    const read = { context, status, file, envelope, work, signal };
    const files = file.openings.length === 0 ? await readHeaderAlone(read) : await readFiles(read);
    if (directory !== undefined) {
      await rm(directory, { recursive: true, force: true });
      await rename(join(work, FILES), directory);
    }
    return { status, author, files };
  } catch (error) {
    if (!isFinding(error)) throw error;
    return { status, author, files: [], problem: { code: error.code, message: error.message } };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Where an envelope is, what the chain says of it, and who made it. */
interface EnvelopeFacts {
  readonly uri: string;
  readonly hash: string;
  readonly context: string;
  readonly author: string;
  /** The one that the owner of a sealed task published. */
  readonly header?: Uint8Array;
}

interface Reading {
  readonly context: MarketContext;
  readonly status: TaskStatus;
  readonly file: OpeningFile;
  readonly envelope: EnvelopeFacts;
  /** A folder for what comes in between. */
  readonly work: string;
  readonly signal: AbortSignal | undefined;
}

/** Opens, checks and lays out all that is shown; the names of its files. */
async function readFiles(reading: Reading): Promise<string[]> {
  const { context, status, file, envelope, work, signal } = reading;
  const { openings } = file;
  const directory = join(work, FILES);
  if (file.of === "payload") {
    const path = await download(reading);
    const task = { id: status.id, terms: status.terms, work: status.work };
    const { manifest } = await openPayload(task, {
      ...{ path, header: envelope.header, directory, openings, maxBytes: MAX_BYTES },
      domain: context.domain,
      signal: signal ?? new AbortController().signal,
    });
    return [...manifest.inputs];
  }
  const { files, checks } = await fetchResult(context, status.id, { directory, openings, signal });
  const broken = checks.find(({ verdict }) => verdict === "mismatch");
  if (broken === undefined) return files.map(({ path }) => path);
  throw new NeuraError("evidence.mismatch", `Its ${broken.name}: ${broken.reason}.`);
}

/** What is wrong with an envelope of which nothing is shown; error `opening.shows-nothing` where nothing is. */
async function readHeaderAlone(reading: Reading): Promise<never> {
  const { context, status, file, envelope, signal } = reading;
  const path = await download(reading);
  const source = envelope.header === undefined ? createReadStream(path) : [envelope.header];
  const body = compartmentFor(await readHeader(source, { signal }), { ...envelope, kind: "body" });
  const { terms, work, provider } = status;
  const readers = file.of === "result" ? [terms.owner] : [terms.provider, work.backup, provider];
  // That it is not encrypted to somebody whom it is not meant for is no fault.
  if (readers.includes(file.account)) {
    const published = await keysOf(context, file.account);
    const entry = body.recipients.find(({ publicKey }) => published.has(hexlify(publicKey)));
    if (entry === undefined) {
      const message = `It is encrypted to ${body.recipients.length} keys, none of which is ${file.account}'s.`;
      throw new NeuraError("envelope.not-a-recipient", message);
    }
    provenWrap(body, entry.publicKey);
  }
  const hash = await hashEnvelope(createReadStream(path), { signal });
  if (hash !== envelope.hash.toLowerCase()) {
    throw new NeuraError("envelope.wrong-hash", `Its hash is ${hash}, not ${envelope.hash}.`);
  }
  throw new NeuraError("opening.shows-nothing", "Nothing is wrong with what everybody can see of it.", {
    next: "Ask its reader to show what the envelope holds: `task opening`.",
  });
}

async function download({ context, envelope, work, signal }: Reading): Promise<string> {
  const path = join(work, "envelope");
  const network = await context.storage({ reference: envelope.uri });
  const options = { maxBytes: MAX_BYTES, spoolDirectory: work, ...(signal ? { signal } : {}) };
  await pipeline(network.get(envelope.uri, options), createWriteStream(path, { mode: 0o600 }));
  return path;
}

/** Errors: `task.not-delivered`, `opening.public`, `opening.sealed`. */
function envelopeOf({ domain }: MarketContext, status: TaskStatus, of: Sealed): EnvelopeFacts {
  const { id, terms, work, delivery, provider = "", keyHeader } = status;
  const { owner, salt, conditions } = terms;
  if (of === "result") {
    if (delivery === undefined) throw notDelivered(status);
    if (conditions.keyEpoch === 0) {
      throw new NeuraError("opening.public", `The result of task ${id} is public: everybody can read it.`);
    }
    const context = resultContext({ taskId: id });
    return { uri: delivery.result, hash: delivery.resultHash, context, author: provider };
  }
  if (conditions.isSealed === true && keyHeader === undefined) {
    throw new NeuraError("opening.sealed", `The key of task ${id} is not published: nobody can read it yet.`);
  }
  return {
    ...{ uri: work.payload, hash: work.payloadHash, author: owner },
    context: payloadContext({ ...domain, owner, salt }),
    ...(keyHeader === undefined ? {} : { header: getBytes(keyHeader) }),
  };
}

/** Error: `opening.foreign-key`. */
async function requireOwnKeys(context: MarketContext, { account, openings }: OpeningFile): Promise<void> {
  const published = await keysOf(context, account);
  const foreign = openings.find(({ recipient }) => !published.has(hexlify(recipient)));
  if (foreign === undefined) return;
  const message = `${hexlify(foreign.recipient)} is none of the keys that ${account} published.`;
  throw new NeuraError("opening.foreign-key", message, {
    next: "Believe nothing that is said about it.",
  });
}

async function keysOf({ contracts }: MarketContext, account: string): Promise<Set<string>> {
  const latest = Number(await asking(contracts.keys.latestEpoch(account)));
  const epochs = Array.from({ length: latest }, (_, index) => index + 1);
  const keys = await Promise.all(epochs.map((epoch) => asking(contracts.keys.keyAt(account, epoch))));
  return new Set(keys.map(({ publicKey }) => publicKey));
}

/** Whether an error says that its author did not make the envelope as it should be. */
function isFinding(error: unknown): error is NeuraError {
  if (!isNeuraError(error) || NO_FINDINGS.has(error.code)) return false;
  return /^(envelope|archive|manifest|evidence)\./.test(error.code);
}

const NO_FINDINGS = new Set([
  "envelope.bad-opening",
  "envelope.bad-request",
  "envelope.bad-key",
  "archive.too-large",
]);

// ---- File ----

/** The text of the file that is handed over. */
export function encodeOpenings({ task, of, account, openings }: OpeningFile): string {
  const shown = openings.map(({ kind, recipient, shared, c, s }) => ({
    kind,
    recipient: hexlify(recipient),
    shared: hexlify(shared),
    c: hexlify(c),
    s: hexlify(s),
  }));
  return `${JSON.stringify({ schema: SCHEMA, task, of, account, openings: shown }, undefined, 2)}\n`;
}

/** Reads such a file. Error: `opening.invalid`. */
export function parseOpenings(text: string, source = "The file"): OpeningFile {
  const format = { schema: SCHEMA, source, code: "opening.invalid", next: "Ask for the file again." };
  return parseFields(text, format, (file) => {
    const bytes = (fields: Fields, name: string, length: number): Uint8Array => {
      const what = `is not ${length} bytes as hex`;
      const read = (value: string): Uint8Array | undefined =>
        isHexString(value, length) ? getBytes(value) : undefined;
      return fields.text(name, what, read, { required: true }) ?? new Uint8Array();
    };
    const oneOf = <T extends string>(fields: Fields, name: string, names: readonly T[]): T | undefined =>
      fields.text(
        name,
        `is not one of ${names.join(", ")}`,
        (value) => names.find((each) => each === value),
        {
          required: true,
        },
      );
    const openings = (file.objects("openings", { atMost: KINDS.length }) ?? []).map((each) => {
      const opening = {
        kind: oneOf(each, "kind", KINDS) ?? "body",
        recipient: bytes(each, "recipient", 33),
        shared: bytes(each, "shared", 33),
        c: bytes(each, "c", 32),
        s: bytes(each, "s", 32),
      };
      each.end();
      return opening;
    });
    return {
      task: hexlify(bytes(file, "task", 32)),
      of: oneOf(file, "of", ["payload", "result"] as const) ?? "result",
      account:
        file.text("account", "is no account", (value) => (isAddress(value) ? getAddress(value) : undefined), {
          required: true,
        }) ?? "",
      openings,
    };
  });
}
