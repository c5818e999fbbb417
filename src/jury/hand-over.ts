import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, mkdtemp, readFile, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { decodeBase64, encodeBase64, getBytes, hexlify, isHexString, sha256, ZeroAddress } from "ethers";

import type { Abortable } from "../abort.ts";
import {
  type ByteSource,
  type CompartmentKind,
  encodeHeader,
  hashEnvelope,
  type Header,
  type KeyPair,
  openEach,
  payloadContext,
  type ReaderKey,
  readHeader,
  resultContext,
  rewrap,
  unwrap,
} from "../envelope/index.ts";
import { encodeFixed, equalBytes } from "../envelope/format.ts";
import { compartmentFor, provenWrap } from "../envelope/keys.ts";
import { isNeuraError, messageOf, NeuraError } from "../errors.ts";
import { type Fields, parseFields } from "../fields.ts";
import { readKeys } from "../keystore.ts";
import type { Manifest } from "../manifest.ts";
import { extractArchive } from "../market/archive.ts";
import { asking, type MarketContext } from "../market/context.ts";
import {
  type Evidence,
  type EvidenceFile,
  evidenceHash,
  parseEvidence,
  PlaintextRoot,
  tee,
  treeSalt,
} from "../market/evidence.ts";
import { encodeOpenings, type OpeningFile, parseOpenings, showCompartments } from "../market/opening.ts";
import { fetchResult, requireKey } from "../market/result.ts";
import type { TaskStatus } from "../market/status.ts";
import { type OpenedPayload, openPayload, type OwnKey } from "../provider/payload.ts";
import { verificationOf } from "../verify/known.ts";
import { methodOf } from "../verify/verification.ts";
import { type JuryCase, juryOf, type Panel, Step } from "./case.ts";

/** What an owner hands over to a panel in one step. */
export type Handing = "payload" | "result";

/**
 * What `handOver` refers to: headers of the task's own envelopes, whose keys are encrypted to the panel anew. What the
 * envelopes hold, and that it is what payload hash and delivery name, is for each juror to see.
 */
export interface HandOver {
  readonly task: string;
  readonly round: number;
  /** Before the panel commits: the payload. After: result and trace. */
  readonly of: Handing;
  /** The payload's header: its body is encrypted to the panel, its secrets to nobody. */
  readonly payload?: Uint8Array | undefined;
  /** The result's header: with the payload the body alone, where a method needs it; after commitments its trace, too. */
  readonly result?: Uint8Array | undefined;
  /** In place of the result's header, what shows that the owner cannot read the result: see `task opening`. */
  readonly opening?: OpeningFile | undefined;
}

/** Who did not hand over what it should have: the verdict follows from that alone. */
export interface Fault {
  readonly of: "owner" | "provider";
  /** What is due then [bps]. */
  readonly providerBps: 0 | 10_000;
  readonly code: string;
  readonly message: string;
}

/** What was handed over, or whose fault it is that nobody can look at it. */
export type Handed<T> = { readonly value: T } | { readonly fault: Fault };

/** What a result holds, as far as the panel may see it. */
export interface HandedResult {
  /** Relative to the directory. */
  readonly files: readonly string[];
  /** All units, and their sketches; after commitments. */
  readonly evidence?: EvidenceFile;
}

const SCHEMA = "neura/hand-over/1";
const MAX_DOCUMENT_BYTES = 256 * 1024;
const MAX_HEADER_BYTES = 96 * 1024;
/** The same for all jurors, so that all see the same. */
const MAX_BYTES = 4 * 1024 ** 3;
const MAX_FILES = 10_000;
const MAX_EVIDENCE_BYTES = 256 * 1024 * 1024;

// ---- Keys of the panel ----

/** A juror of a panel: the provider behind the seat, and the key that it reads with. */
export interface Juror {
  readonly position: number;
  readonly account: string;
  /** Its newest when the panel was drawn, compressed; missing where it had none. */
  readonly publicKey?: Uint8Array;
}

/**
 * The providers of a panel and their keys at the time of the draw: everybody finds the same, whatever is published or revoked
 * later.
 */
export async function jurorsOf(
  context: MarketContext,
  { seats, class: ofClass, block }: Panel,
): Promise<Juror[]> {
  const { contracts, provider, deployment } = context;
  const jury = juryOf(deployment, provider);
  const drawn = await provider.getBlock(block);
  if (drawn === null) throw new NeuraError("chain.unavailable", `The chain has no block ${block}.`);
  return await Promise.all(
    seats.map(async (seat, position) => {
      const { account } = await asking(jury.seatOf(ofClass, seat));
      const latest = account === ZeroAddress ? 0 : Number(await asking(contracts.keys.latestEpoch(account)));
      for (let epoch = latest; epoch > 0; epoch--) {
        const { publicKey, publishedAt, revokedAt } = await asking(contracts.keys.keyAt(account, epoch));
        const isValid = revokedAt === 0n || revokedAt > BigInt(drawn.timestamp);
        if (publishedAt <= BigInt(drawn.timestamp) && isValid) {
          return { position, account, publicKey: getBytes(publicKey) };
        }
      }
      return { position, account };
    }),
  );
}

/** None twice: one provider can have several seats. */
function keysOf(jurors: readonly Juror[]): Uint8Array[] {
  const keys = new Set(jurors.flatMap(({ publicKey }) => (publicKey ? [hexlify(publicKey)] : [])));
  return Array.from(keys, (key) => getBytes(key));
}

// ---- Handing over ----

/**
 * What the owner of a case hands over next, from the keys of this machine: reads payload or result first, since whoever hands
 * over what is not what the chain names loses the dispute.
 *
 * Errors: `jury.no-panel`, `jury.no-readers`, `jury.key-missing`, `result.key-missing`, those of the storage and of the
 * payload.
 */
export async function handOverOf(
  context: MarketContext,
  { found, status, of }: { found: JuryCase; status: TaskStatus; of: Handing },
  { signal = new AbortController().signal }: Abortable = {},
): Promise<HandOver> {
  const panel = panelOf(found);
  const recipients = keysOf(await jurorsOf(context, panel));
  if (recipients.length === 0) {
    throw new NeuraError("jury.no-readers", "Nobody of the panel has published a key to encrypt to.", {
      next: "Nothing can be handed over: see `jury show` for how the case goes on.",
    });
  }
  const document = { task: found.id, round: panel.round, of };
  if (of === "result") {
    return { ...document, ...(await resultFor(context, { status, recipients, kinds: ["body", "trace"] })) };
  }
  const work = await mkdtemp(join(tmpdir(), "neura-hand-over-"));
  try {
    const { header, manifest } = await payloadFor(context, { status, work, recipients, signal });
    const verification = manifest.verification ?? verificationOf(manifest.application);
    const isRechecked = verification !== undefined && methodOf(verification).isRechecked;
    const result = isRechecked ? await resultFor(context, { status, recipients, kinds: ["body"] }) : {};
    return { ...document, payload: encodeHeader(header), ...result };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

function panelOf({ id, panels, round }: JuryCase): Panel {
  const panel = panels[round];
  if (panel !== undefined) return panel;
  throw new NeuraError("jury.no-panel", `No panel has been drawn for task ${id}.`, {
    next: "See `jury show` for what comes before that.",
  });
}

async function payloadFor(
  context: MarketContext,
  {
    status,
    work,
    recipients,
    signal,
  }: { status: TaskStatus; work: string; recipients: readonly Uint8Array[]; signal: AbortSignal },
): Promise<{ header: Header; manifest: Manifest }> {
  const { id, terms } = status;
  const path = join(work, "payload");
  await download(context, status.work.payload, { path, signal });
  const original = await readHeader(createReadStream(path));
  const { keys } = await readKeys(context.home, terms.owner);
  const body = original.compartments.find(({ kind }) => kind === "body")?.recipients ?? [];
  const readers = new Set(body.map(({ publicKey }) => hexlify(publicKey)));
  const key = keys.find(({ publicKey }) => readers.has(hexlify(publicKey)));
  if (key === undefined) {
    throw new NeuraError(
      "jury.key-missing",
      `The payload of task ${id} can be read with none of the keys of ${terms.owner} on this machine.`,
      {
        next: "Hand it over on the machine that submitted the task, or restore the key with `account key restore`: without it the dispute is lost.",
      },
    );
  }
  const opened = await openPayload(status, {
    ...{ path, directory: join(work, "files"), domain: context.domain, maxBytes: MAX_BYTES, signal },
    keys: [{ publicKey: hexlify(key.publicKey), isRevoked: false, pair: key }],
  });
  const sealedFor = payloadContext({ ...context.domain, owner: terms.owner, salt: terms.salt });
  const { secretKey } = key;
  const header = rewrap(original, { kind: "body", context: sealedFor, secretKey, recipients });
  return { header, manifest: opened.manifest };
}

/** Nothing where everybody can read it, or where everybody sees that it is not what the delivery names. */
async function resultFor(
  context: MarketContext,
  {
    status,
    recipients,
    kinds,
  }: { status: TaskStatus; recipients: readonly Uint8Array[]; kinds: readonly CompartmentKind[] },
): Promise<Pick<HandOver, "result" | "opening">> {
  const { id, terms, delivery } = status;
  if (terms.conditions.keyEpoch === 0 || delivery === undefined) return {};
  const { secretKey } = await requireKey(context, status);
  const sealedFor = resultContext({ taskId: id });
  let original: Header;
  try {
    original = await readHeader(await bytesAt(context, delivery.result));
  } catch (error) {
    if (isOfEnvelope(error)) return {};
    throw error;
  }
  try {
    const header = kinds.reduce<Header>(
      (made, kind) => {
        const contentKey = unwrap(original, { kind, context: sealedFor, secretKey });
        return rewrap(made, { kind, context: sealedFor, contentKey, recipients, keep: true });
      },
      { compartments: original.compartments.map((each) => ({ ...each, recipients: [] })) },
    );
    return { result: encodeHeader(header) };
  } catch (error) {
    if (!isOfEnvelope(error)) throw error;
    const { openings } = showCompartments(original, { context: sealedFor, secretKey });
    return { opening: { task: id, of: "result", account: terms.owner, openings } };
  }
}

// ---- The document ----

/** The text of the document. */
export function encodeHandOver({ task, round, of, payload, result, opening }: HandOver): string {
  const fields = {
    ...{ schema: SCHEMA, task, round, of },
    ...(payload === undefined ? {} : { payload: encodeBase64(payload) }),
    ...(result === undefined ? {} : { result: encodeBase64(result) }),
    ...(opening === undefined ? {} : { opening: encodeOpenings(opening) }),
  };
  return `${JSON.stringify(fields, undefined, 2)}\n`;
}

/** Reads such a document. Error: `jury.document`. */
export function parseHandOver(text: string, source = "What was handed over"): HandOver {
  const format = {
    schema: SCHEMA,
    source,
    code: "jury.document",
    next: "Its owner loses the dispute by it.",
  };
  if (text.length > MAX_DOCUMENT_BYTES) {
    throw new NeuraError(format.code, `${source} is longer than ${MAX_DOCUMENT_BYTES} bytes.`, {
      next: format.next,
    });
  }
  return parseFields(text, format, (file) => {
    const of = file.text("of", "is neither payload nor result", (each) =>
      each === "payload" || each === "result" ? each : undefined,
    );
    return {
      task: file.required(
        "task",
        file.text("task", "is no task", (each) => (isHexString(each, 32) ? each : undefined)),
        "",
      ),
      round: file.required("round", file.whole("round", { to: 1 }), 0),
      of: file.required("of", of, "payload"),
      payload: headerIn(file, "payload"),
      result: headerIn(file, "result"),
      opening: file.text("opening", "shows nothing", openingIn),
    };
  });
}

function headerIn(file: Fields, name: "payload" | "result"): Uint8Array | undefined {
  return file.text(name, "is no header in base64", (text) => {
    try {
      const bytes = decodeBase64(text);
      return bytes.length <= MAX_HEADER_BYTES && encodeBase64(bytes) === text ? bytes : undefined;
    } catch {
      return undefined;
    }
  });
}

function openingIn(text: string): OpeningFile | undefined {
  try {
    return parseOpenings(text);
  } catch (error) {
    if (isNeuraError(error, "opening.invalid")) return undefined;
    throw error;
  }
}

// ---- Opening, by jurors ----

/** What opening takes. */
export interface HandedOptions extends Abortable {
  readonly found: JuryCase;
  readonly status: TaskStatus;
  readonly handOver: HandOver;
  /** The juror's, which the panel's header is encrypted to. */
  readonly key: KeyPair;
  /** Where files go; must not exist. */
  readonly directory: string;
  /** Whether what cannot be fetched now is its author's fault, since there is no time to try again. Default: no. */
  readonly isLastTry?: boolean | undefined;
}

/**
 * What the delivery committed to, as it was announced with the panel; nothing where it was drawn without: then a provider
 * that kept its half of the seed kept that too, and the trace has to show it.
 */
export function announcedEvidence({ evidence }: Panel, { delivery }: TaskStatus): Evidence | undefined {
  return evidenceHash(evidence) === delivery?.evidenceHash ? evidence : undefined;
}

/**
 * What the owner handed over for the round that sits. A fault of the owner's where it is nothing, or cannot be read.
 * Errors: those of the storage, unless it is the last try.
 */
export async function fetchHandOver(
  context: MarketContext,
  { found, of, isLastTry = false }: { found: JuryCase; of: Handing; isLastTry?: boolean | undefined },
  { signal }: Abortable = {},
): Promise<Handed<HandOver>> {
  const step = of === "payload" ? Step.Committing : Step.Revealing;
  const handed = found.handedOver.findLast((each) => each.round === found.round && each.step === step);
  if (handed === undefined) return { fault: faultOf("owner", "jury.nothing", `No ${of} was handed over.`) };
  return await judged({ author: "owner", isLastTry }, async () => {
    const text = await textAt(context, handed.uri, signal);
    const document = parseHandOver(text, handed.uri);
    const isThis = document.task === found.id && document.round === found.round && document.of === of;
    if (isThis) return document;
    throw new NeuraError(
      "jury.document",
      `It is the ${document.of} of task ${document.task}, round ${document.round}.`,
    );
  });
}

/**
 * Opens the payload as the provider could read it, never its secrets. A payload that is not what the terms name, or does not
 * open with what was handed over, is the owner's fault; a sound one that the delivery was not made from, the provider's.
 *
 * Errors: those of the storage, unless it is the last try.
 */
export async function openHandedPayload(
  context: MarketContext,
  options: HandedOptions,
): Promise<Handed<OpenedPayload>> {
  const { found, status, handOver, key, directory, isLastTry = false } = options;
  const { signal = new AbortController().signal } = options;
  const { terms } = status;
  const panel = panelOf(found);
  const jurors = await jurorsOf(context, panel);
  const sealedFor = payloadContext({ ...context.domain, owner: terms.owner, salt: terms.salt });
  const opened = await judged({ author: "owner", isLastTry }, () =>
    inFolder(directory, async (folder) => {
      const path = join(folder, "payload");
      await download(context, status.work.payload, { path, signal });
      await requireHash(path, status.work.payloadHash);
      const given = { bytes: handOver.payload, path, context: sealedFor, kinds: ["body"] as const, jurors };
      const header = encodeHeader(await requireHeader(given));
      const own: OwnKey = { publicKey: hexlify(key.publicKey), isRevoked: false, pair: key };
      const { domain } = context;
      return await openPayload(status, {
        path,
        header,
        directory,
        keys: [own],
        domain,
        maxBytes: MAX_BYTES,
        signal,
      });
    }),
  );
  if ("fault" in opened) return opened;
  const { inputRoot } = opened.value;
  const committed = announcedEvidence(panel, status);
  if (committed === undefined || inputRoot === committed.inputRoot) return opened;
  const message = `The delivery was made from ${committed.inputRoot}, not from this payload, ${inputRoot}.`;
  return { fault: faultOf("provider", "jury.other-input", message) };
}

/**
 * Opens the result, and, once the panel has committed, the trace. What is not what the delivery committed to, or nobody
 * could open, is the provider's fault; what the owner did not hand over, the owner's.
 *
 * Errors: those of the storage, unless it is the last try.
 */
export async function openHandedResult(
  context: MarketContext,
  options: HandedOptions,
): Promise<Handed<HandedResult>> {
  const { found, status, directory, isLastTry = false, signal } = options;
  const { delivery, terms } = status;
  if (delivery === undefined) throw new Error("a dispute without a delivery");
  const panel = panelOf(found);
  return await judged({ author: "provider", isLastTry }, async () => {
    if (terms.conditions.keyEpoch === 0) return await openPublicResult(context, options);
    return await inFolder(directory, async (folder) => {
      const path = join(folder, "result");
      await download(context, delivery.result, { path, signal });
      await requireHash(path, delivery.resultHash);
      const reader = await readerOf(context, { ...options, path, jurors: await jurorsOf(context, panel) });
      return await openSealedResult({ ...options, ...reader, path, folder, panel });
    });
  });
}

async function openPublicResult(
  context: MarketContext,
  { status, directory, signal }: HandedOptions,
): Promise<HandedResult> {
  const { files, evidence, checks } = await fetchResult(context, status.id, { directory, signal });
  const broken = checks.find(({ name, verdict }) => verdict === "mismatch" && name !== "inputRoot");
  if (broken !== undefined)
    throw new NeuraError("evidence.mismatch", `Its ${broken.name}: ${broken.reason}.`);
  if (evidence === undefined) throw new NeuraError("evidence.missing", "The result has no evidence.");
  return { files: files.map(({ path }) => path), evidence };
}

interface Reader {
  readonly key: ReaderKey;
  readonly header: Header;
  readonly kinds: readonly CompartmentKind[];
}

/** How a juror reads the result: by the header that the owner made for the panel, or by what the owner shows of its own. */
async function readerOf(
  context: MarketContext,
  { status, handOver, key, path, jurors }: HandedOptions & { path: string; jurors: readonly Juror[] },
): Promise<Reader> {
  const sealedFor = resultContext({ taskId: status.id });
  const kinds: readonly CompartmentKind[] = handOver.of === "result" ? ["body", "trace"] : ["body"];
  const original = await readHeader(createReadStream(path));
  for (const kind of kinds) compartmentFor(original, { kind, context: sealedFor });
  const { opening } = handOver;
  if (opening === undefined) {
    const header = await requireHeader({
      bytes: handOver.result,
      path,
      context: sealedFor,
      kinds,
      jurors,
    }).catch(byOwner);
    const { secretKey } = key;
    for (const kind of kinds) byOwnerSync(() => unwrap(header, { kind, context: sealedFor, secretKey }));
    return { key: { secretKey }, header, kinds };
  }
  const { owner, conditions } = status.terms;
  const { publicKey } = await asking(context.contracts.keys.keyAt(owner, conditions.keyEpoch));
  // Shows by the header alone, which everybody has, that it is not encrypted to the owner.
  for (const kind of kinds)
    provenWrap(compartmentFor(original, { kind, context: sealedFor }), getBytes(publicKey));
  for (const kind of kinds) {
    const shown = opening.openings.find((each) => each.kind === kind);
    if (shown === undefined || hexlify(shown.recipient) !== publicKey) {
      throw new OwnersFault(
        "opening.shows-nothing",
        `Nothing is shown of the ${kind}, and nothing is wrong with it.`,
      );
    }
    try {
      unwrap(original, { kind, context: sealedFor, openings: [shown] });
    } catch (error) {
      if (isNeuraError(error, "envelope.bad-opening")) return byOwner(error);
      throw error;
    }
  }
  return { key: { openings: opening.openings }, header: original, kinds };
}

async function openSealedResult({
  status,
  directory,
  folder,
  key,
  header,
  kinds,
  path,
  panel,
  signal,
}: Pick<HandedOptions, "status" | "directory" | "signal"> &
  Reader & { path: string; folder: string; panel: Panel }): Promise<HandedResult> {
  const sealedFor = resultContext({ taskId: status.id });
  const root = new PlaintextRoot(treeSalt(unwrap(header, { ...key, kind: "body", context: sealedFor })));
  const files = join(folder, "files");
  await mkdir(files);
  let names: string[] = [];
  let evidence: EvidenceFile | undefined;
  const body = async (plaintext: ByteSource): Promise<void> => {
    const limits = { maxBytes: MAX_BYTES, maxFiles: MAX_FILES };
    const extracted = await extractArchive(tee(plaintext, root), { directory: files, limits, signal });
    names = extracted.map((file) => file.path);
  };
  const trace = async (plaintext: ByteSource): Promise<void> => {
    evidence = parseEvidence(await textOf(plaintext, MAX_EVIDENCE_BYTES));
  };
  await openEach(createReadStream(path), {
    ...{ ...key, context: sealedFor, header, signal },
    handlers: kinds.includes("trace") ? { body, trace } : { body },
  });
  if (kinds.includes("trace")) {
    if (evidence === undefined) throw new NeuraError("evidence.missing", "The result has no evidence.");
    requireSame("evidenceHash", status.delivery?.evidenceHash ?? "", evidenceHash(evidence.evidence));
  }
  const committed = evidence?.evidence ?? announcedEvidence(panel, status);
  if (committed !== undefined) {
    requireSame("resultRoot", committed.resultRoot, root.digest());
    const run = await readFile(join(files, "run.json")).catch(() => undefined);
    requireSame("runHash", committed.runHash, run === undefined ? "no run.json" : sha256(run));
  }
  await rename(files, directory);
  return { files: names, ...(evidence === undefined ? {} : { evidence }) };
}

function requireSame(name: string, expected: string, found: string): void {
  if (expected === found) return;
  throw new NeuraError("evidence.mismatch", `Its ${name} is ${found}, where ${expected} was committed to.`);
}

/** Its author is whoever is at fault. Errors: `envelope.wrong-hash`, those of `hashEnvelope`. */
async function requireHash(path: string, expected: string): Promise<void> {
  const found = await hashEnvelope(createReadStream(path));
  if (found === expected.toLowerCase()) return;
  throw new NeuraError("envelope.wrong-hash", `The envelope's hash is ${found}, not ${expected}.`);
}

/**
 * The header that was handed over, which belongs to this envelope and is encrypted to all of the panel: all jurors see the
 * same. Errors: `jury.document`, `envelope.*`.
 */
async function requireHeader({
  bytes,
  path,
  context,
  kinds,
  jurors,
}: {
  bytes: Uint8Array | undefined;
  path: string;
  context: string;
  kinds: readonly CompartmentKind[];
  jurors: readonly Juror[];
}): Promise<Header> {
  if (bytes === undefined)
    throw new NeuraError("jury.document", "What was handed over lacks the envelope's header.");
  const header = await readHeader([bytes]);
  const original = await readHeader(createReadStream(path));
  if (!equalBytes(encodeFixed(header), encodeFixed(original)) || !equalBytes(encodeHeader(header), bytes)) {
    throw new NeuraError("envelope.foreign-header", "The header belongs to another envelope.");
  }
  for (const kind of kinds) {
    const compartment = compartmentFor(header, { kind, context });
    for (const publicKey of keysOf(jurors)) provenWrap(compartment, publicKey);
  }
  return header;
}

// ---- Whose fault ----

/** Something that the owner did, where what comes out is usually the provider's. */
class OwnersFault extends NeuraError {}

function byOwner(error: unknown): never {
  if (isFinding(error)) throw new OwnersFault(error.code, error.message);
  throw error;
}

function byOwnerSync<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    return byOwner(error);
  }
}

/** What `read` gives, or whose fault its error is: the author's of what is read, unless it says otherwise. */
async function judged<T>(
  { author, isLastTry }: { author: Fault["of"]; isLastTry: boolean },
  read: () => Promise<T>,
): Promise<Handed<T>> {
  try {
    return { value: await read() };
  } catch (error) {
    const isAbsent = isLastTry && isNeuraError(error) && error.code.startsWith("storage.");
    if (!isFinding(error) && !isAbsent) throw error;
    return { fault: faultOf(error instanceof OwnersFault ? "owner" : author, error.code, messageOf(error)) };
  }
}

function faultOf(of: Fault["of"], code: string, message: string): Fault {
  return { of, providerBps: of === "owner" ? 10_000 : 0, code, message };
}

/** Whether an error says something about what was read, and nothing about this machine. */
function isFinding(error: unknown): error is NeuraError {
  if (!isNeuraError(error) || error.code === "envelope.bad-request") return false;
  return /^(envelope|archive|manifest|evidence|opening|jury\.document|result\.wrong-hash)/.test(error.code);
}

function isOfEnvelope(error: unknown): boolean {
  return isNeuraError(error) && error.code.startsWith("envelope.");
}

// ---- Bytes ----

async function bytesAt(context: MarketContext, uri: string, signal?: AbortSignal): Promise<ByteSource> {
  const network = await context.storage({ reference: uri });
  return network.get(uri, { maxBytes: MAX_BYTES, ...(signal === undefined ? {} : { signal }) });
}

async function download(
  context: MarketContext,
  uri: string,
  { path, signal }: { path: string; signal: AbortSignal | undefined },
): Promise<void> {
  const network = await context.storage({ reference: uri });
  const options = { maxBytes: MAX_BYTES, spoolDirectory: dirname(path), ...(signal ? { signal } : {}) };
  await pipeline(network.get(uri, options), createWriteStream(path, { mode: 0o600 }));
}

async function textAt(context: MarketContext, uri: string, signal: AbortSignal | undefined): Promise<string> {
  const network = await context.storage({ reference: uri });
  const options = { maxBytes: MAX_DOCUMENT_BYTES, ...(signal === undefined ? {} : { signal }) };
  try {
    return await textOf(network.get(uri, options), MAX_DOCUMENT_BYTES);
  } catch (error) {
    // However often it is tried, and whoever tries.
    if (isNeuraError(error, "storage.too-large")) throw new NeuraError("jury.document", error.message);
    throw error;
  }
}

async function textOf(source: ByteSource, maxBytes: number): Promise<string> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const bytes of source) {
    size += bytes.length;
    if (size > maxBytes) throw new NeuraError("evidence.invalid", `It has more than ${maxBytes} bytes.`);
    parts.push(Uint8Array.from(bytes));
  }
  return Buffer.concat(parts).toString();
}

/** Does work in a folder beside `directory` that is gone afterwards. */
async function inFolder<T>(directory: string, work: (folder: string) => Promise<T>): Promise<T> {
  await mkdir(dirname(directory), { recursive: true });
  const folder = await mkdtemp(join(dirname(directory), ".handed-"));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
