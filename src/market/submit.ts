import { randomBytes } from "node:crypto";
import { createWriteStream } from "node:fs";
import { access, mkdir, open, readdir, readFile, rename, rm, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { getBytes, hexlify, keccak256 } from "ethers";

import { unlessAborted } from "../abort.ts";
import { payloadContext, seal } from "../envelope/index.ts";
import { isNeuraError, messageOf, NeuraError } from "../errors.ts";
import { Secret } from "../secret.ts";
import type { Stored } from "../storage/storage.ts";
import { requireAttested } from "./attested.ts";
import { asking, chainTime, isRefusal, type MarketContext, requireSigner } from "./context.ts";
import { PlaintextRoot, tee, treeSalt } from "./evidence.ts";
import { encodeOrder, type SignedOrder, signOrder, unsignedOrder } from "./order.ts";
import { Status, statusOf } from "./outcome.ts";
import { attemptDirectory, draftPath, outboxOf, secretsText } from "./outbox.ts";
import { packPayload } from "./payload.ts";
import { type PreparedTask, taskValueToSend, termsOf } from "./prepare.ts";
import { type Quote, requestQuote, type UsdPrice } from "./quotes.ts";
import { loadRecord, readJson, saveRecord, type TaskRecord, writeJson } from "./records.ts";
import { releaseSpending, reserveSpending } from "./spending.ts";
import {
  encodeTerms,
  encodeWork,
  MAX_TERM_SECONDS,
  maximumCostWei,
  taskId,
  type Terms,
  type Work,
} from "./terms.ts";
import { type Receipt, receiptOf } from "./transaction.ts";

/** What is happening, for whoever waits. Sizes are missing where nothing is counted. */
export interface SubmitProgress {
  readonly phase: "encrypting" | "uploading" | "reading-back" | "asking" | "sending" | "confirming";
  readonly doneBytes?: number | undefined;
  readonly totalBytes?: number | undefined;
}

export interface SubmitOptions {
  onProgress?: ((progress: SubmitProgress) => void) | undefined;
  signal?: AbortSignal | undefined;
}

/** A task that is on the chain. */
export interface SubmittedTask {
  readonly id: string;
  readonly terms: Terms;
  readonly work: Work;
  readonly costWei: bigint;
  /** Missing when an earlier call had sent it already. */
  readonly transaction?: Receipt;
  /** The provider's, with which it was accepted at once. */
  readonly quote?: Quote & { readonly rateWei: bigint; readonly usd?: UsdPrice | undefined };
  /** What storing the payload cost; missing when an earlier call had stored it. */
  readonly stored?: Stored | undefined;
}

/** A task that somebody else can send. */
export interface SignedTask extends SignedOrder {
  /** What storing the payload cost; missing when an earlier call had stored it. */
  readonly stored?: Stored | undefined;
}

/** How far an attempt has come; kept until the task is on the chain, so that the next call goes on from there. */
interface Draft {
  /** 32 bytes as hex. */
  readonly auditSeed: Secret<string>;
  readonly sealed?: { readonly payloadHash: string; readonly inputRoot: string } | undefined;
  readonly payload?: string | undefined;
  /** The task that the transaction is or was for. */
  readonly id?: string | undefined;
}

/** A task lives for 30 days at most: what an attempt left is of no use after that. */
const DRAFT_LIFE_MS = MAX_TERM_SECONDS * 1000;
const UPLOAD_TAGS = { "Neura-Kind": "payload", "Neura-Version": "1" };

/**
 * Encrypts the payload for the provider, stores it, reads it back and sends the one transaction that pays.
 *
 * Called again with the same request after it was cut off, it goes on where it stopped: nothing is stored or paid
 * twice, since the task's id is on disk before the transaction is sent.
 *
 * Errors: `submit.running`, `payload.changed`, `limit.*`, those of the storage, of `requireAttested` and of `requestQuote`,
 * what the contract refuses.
 */
export async function submitTask(
  context: MarketContext,
  prepared: PreparedTask,
  options: SubmitOptions = {},
): Promise<SubmittedTask> {
  return await attempt(context, prepared, async (directory) => {
    const draft = await loadDraft(directory);
    const earlier = await findSubmitted(context, draft);
    if (earlier !== undefined) return earlier;
    const { stored, ...stage } = await store(context, prepared, { directory, draft, options });
    return { ...(await send(context, prepared, stage)), stored };
  });
}

/**
 * As {@link submitTask}, but signs the task in place of sending it: whoever has the order can send it, once. Where the
 * signer is not the owner, a contract for example, it is left unsigned.
 *
 * Errors: `submit.running`, `payload.changed`, `limit.*`, those of the storage, of `requireAttested` and of `signOrder`.
 */
export async function signTask(
  context: MarketContext,
  prepared: PreparedTask,
  options: SubmitOptions = {},
): Promise<SignedTask> {
  return await attempt(context, prepared, async (directory) => {
    const draft = await loadDraft(directory);
    const { stored, ...stage } = await store(context, prepared, { directory, draft, options });
    const { record } = await compose(context, prepared, stage);
    await reserveSpending(context, {
      taskId: record.id,
      costWei: maximumCostWei(record.terms),
      limits: prepared.spending,
    });
    const order = unsignedOrder(context.domain, record);
    const account = await requireSigner(context).getAddress();
    const signed = account === record.terms.owner ? await signOrder(context, order) : order;
    return { ...signed, stored };
  });
}

/** Goes on with what an earlier call that wanted the same has left; afterwards that is gone. */
async function attempt<T>(
  context: MarketContext,
  prepared: PreparedTask,
  work: (directory: string) => Promise<T>,
): Promise<T> {
  await forgetOldDrafts(outboxOf(context.home));
  const directory = attemptDirectory(context, prepared);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const unlock = await lock(join(directory, "lock"));
  try {
    const done = await work(directory);
    await rm(directory, { recursive: true, force: true });
    return done;
  } finally {
    await unlock();
  }
}

/** What one step hands to the next. */
interface Stage {
  readonly directory: string;
  readonly draft: Draft;
  readonly options: SubmitOptions;
}

async function store(
  context: MarketContext,
  prepared: PreparedTask,
  stage: Stage,
): Promise<Stage & { stored?: Stored }> {
  const { attestation: policy, readers } = prepared;
  if (policy !== undefined) {
    await requireAttested(context, readers, { policy, signal: stage.options.signal });
  }
  const draft = await sealPayload(context, prepared, stage);
  return { ...stage, ...(await uploadPayload(context, { ...stage, draft })) };
}

// ---- Seal ----

async function sealPayload(
  { domain }: MarketContext,
  prepared: PreparedTask,
  { directory, draft, options }: Stage,
): Promise<Draft> {
  const path = envelopePath(directory);
  if (draft.sealed !== undefined && (await exists(path))) return draft;
  const { owner, features, readers, ownReaders, payload, secrets } = prepared;
  // The owner can read its own payload again; what it has in secrets, only those who do the work, unless it has to hand
  // the key on.
  const keysOf = (list: typeof readers): Uint8Array[] =>
    [...new Set(list.map(({ publicKey }) => publicKey))].map((key) => getBytes(key));
  const secretReaders = features.isSealed === true ? ownReaders : readers;
  const { signal, onProgress } = options;
  let root: PlaintextRoot | undefined;
  const sealed = seal({
    context: payloadContext({ ...domain, owner, salt: keccak256(draft.auditSeed.reveal()) }),
    compartments: [
      ...(Object.keys(secrets).length === 0
        ? []
        : [{ kind: "secrets" as const, recipients: keysOf(secretReaders), source: [secretsText(secrets)] }]),
      { kind: "body", recipients: keysOf([...readers, ...ownReaders]), source: body() },
    ],
    signal,
  });
  async function* body(): AsyncGenerator<Uint8Array> {
    root = new PlaintextRoot(treeSalt(sealed.contentKey("body")));
    let doneBytes = 0;
    for await (const bytes of tee(packPayload(payload), root)) {
      yield bytes;
      doneBytes += bytes.length;
      onProgress?.({ phase: "encrypting", doneBytes, totalBytes: payload.sizeBytes });
    }
  }
  const partial = `${path}.partial`;
  await pipeline(sealed.stream, createWriteStream(partial, { mode: 0o600, flush: true }));
  await rename(partial, path);
  // An upload of another envelope must not go on.
  await rm(uploadPath(directory), { force: true });
  const inputRoot = root?.digest() ?? "";
  const next: Draft = {
    auditSeed: draft.auditSeed,
    sealed: { payloadHash: sealed.result().hash, inputRoot },
  };
  await saveDraft(directory, next);
  return next;
}

// ---- Upload ----

async function uploadPayload(
  { storage }: MarketContext,
  { directory, draft, options }: Stage,
): Promise<{ draft: Draft; stored?: Stored }> {
  if (draft.payload !== undefined) return { draft };
  const { signal, onProgress } = options;
  const network = await storage({ write: true });
  const transfer = {
    ...(signal === undefined ? {} : { signal }),
    onProgress: ({
      phase,
      doneBytes,
      totalBytes,
    }: {
      phase: string;
      doneBytes: number;
      totalBytes?: number;
    }) =>
      onProgress?.({ phase: phase === "read-back" ? "reading-back" : "uploading", doneBytes, totalBytes }),
  };
  const stored = await network.put(envelopePath(directory), {
    ...transfer,
    resume: uploadPath(directory),
    tags: UPLOAD_TAGS,
  });
  onProgress?.({ phase: "reading-back" });
  await network.readBack(stored, transfer);
  const next = { ...draft, payload: stored.uri };
  await saveDraft(directory, next);
  return { draft: next, stored };
}

// ---- Send ----

/** The task as it will be sent, on disk with all that belongs to it. */
async function compose(
  context: MarketContext,
  prepared: PreparedTask,
  { directory, draft, options }: Stage,
): Promise<{ record: TaskRecord; quote?: SubmittedTask["quote"] }> {
  const { domain, home, provider } = context;
  const { auditSeed, sealed, payload } = draft;
  if (sealed === undefined || payload === undefined) throw new Error("a draft without its payload");
  const known = draft.id === undefined ? undefined : await loadRecord(home, draft.id);
  const now = await chainTime(provider);
  const { backup } = prepared.features;
  const task = {
    terms:
      known !== undefined && known.terms.conditions.startBySeconds > now
        ? known.terms
        : termsOf(prepared, { now, salt: keccak256(auditSeed.reveal()) }),
    work: {
      resources: prepared.resources,
      payloadHash: sealed.payloadHash,
      payload,
      ...(backup === undefined ? {} : { backup }),
    },
  };
  const { terms, work, quote } = await agree(context, prepared, { ...task, options });
  const id = taskId(domain, terms, work);
  const record: TaskRecord = {
    id,
    ...domain,
    auditSeed,
    terms,
    work,
    inputRoot: sealed.inputRoot,
    application: prepared.payload.manifest.application,
    inputs: prepared.payload.files.length,
    createdAt: new Date().toISOString(),
  };
  await saveRecord(home, record);
  await saveDraft(directory, { ...draft, id });
  return { record, ...(quote === undefined ? {} : { quote }) };
}

async function send(
  context: MarketContext,
  prepared: PreparedTask,
  stage: Stage,
): Promise<Omit<SubmittedTask, "stored">> {
  const { contracts, home } = context;
  const { signal, onProgress } = stage.options;
  requireSigner(context);
  const { record, quote } = await compose(context, prepared, stage);
  const { id, terms, work } = record;
  const costWei = maximumCostWei(terms);
  // A quote may have changed the price.
  const value =
    costWei === prepared.costWei ? prepared.valueWei : await taskValueToSend(context, terms, costWei);

  onProgress?.({ phase: "sending" });
  signal?.throwIfAborted();
  await reserveSpending(context, { taskId: id, costWei, limits: prepared.spending });
  const sending =
    quote === undefined && work.backup === undefined
      ? contracts.market.submit(encodeTerms(terms), encodeWork(work), { value })
      : contracts.market.order(encodeOrder({ terms, work, quote }), { value });
  const response = await unlessAborted(asking(sending), signal).catch(async (error: unknown) => {
    // What the contract refuses was not sent; a task that exists was, before.
    if (isRefusal(error) && !isNeuraError(error, "task.exists")) await releaseSpending(context, id);
    throw error;
  });
  await saveRecord(home, { ...record, transactionHash: response.hash });
  onProgress?.({ phase: "confirming" });
  const transaction = await receiptOf(response, signal);
  return { id, terms, work, costWei, transaction, ...(quote === undefined ? {} : { quote }) };
}

/** The task with its provider's quote, where one is wanted; at the price that it asks, if that is allowed. */
async function agree(
  context: MarketContext,
  { quote: wanted }: PreparedTask,
  { terms, work, options }: { terms: Terms; work: Work; options: SubmitOptions },
): Promise<{ terms: Terms; work: Work; quote?: SubmittedTask["quote"] }> {
  if (wanted === undefined) return { terms, work };
  const { url, maximumWei, mayRaise } = wanted;
  const { signal, onProgress } = options;
  onProgress?.({ phase: "asking" });
  const ask = async (asked: Terms) => ({
    terms: asked,
    work,
    quote: await requestQuote(context, url, { terms: asked, work }, { maximumWei, signal }),
  });
  try {
    return await ask(terms);
  } catch (error) {
    if (!mayRaise || !isNeuraError(error, "quote.declined")) throw error;
    const { reason, rateWei } = error.details;
    if (reason !== "PriceTooLow" || typeof rateWei !== "bigint") throw error;
    return await ask({ ...terms, price: { ...terms.price, amountWei: rateWei } });
  }
}

/** The task of an earlier call, if its transaction has arrived. */
async function findSubmitted(
  { contracts, home, provider }: MarketContext,
  { id }: Draft,
): Promise<SubmittedTask | undefined> {
  const record = id === undefined ? undefined : await loadRecord(home, id);
  if (id === undefined || record === undefined) return undefined;
  const { transactionHash } = record;
  // It may still be on its way; some nodes do not show it until it is mined.
  if (transactionHash !== undefined) await (await provider.getTransaction(transactionHash))?.wait();
  const { status } = await contracts.market.taskOf(id);
  if (statusOf(status) === Status.None) return undefined;
  const { terms, work } = record;
  return { id, terms, work, costWei: await contracts.market.costOf(encodeTerms(terms)) };
}

// ---- Outbox ----

/** Deletes what attempts that nobody came back to have left. */
async function forgetOldDrafts(outbox: string): Promise<void> {
  const names = await readdir(outbox).catch(() => []);
  for (const name of names) {
    const { mtimeMs } = await stat(join(outbox, name));
    if (mtimeMs < Date.now() - DRAFT_LIFE_MS) await rm(join(outbox, name), { recursive: true, force: true });
  }
}

function envelopePath(directory: string): string {
  return join(directory, "payload.envelope");
}

function uploadPath(directory: string): string {
  return join(directory, "upload.json");
}

async function loadDraft(directory: string): Promise<Draft> {
  const file = await readJson(draftPath(directory));
  const { auditSeed, payloadHash, inputRoot, payload, id } = file ?? {};
  if (typeof auditSeed !== "string") {
    const draft = { auditSeed: new Secret(hexlify(randomBytes(32))) };
    await saveDraft(directory, draft);
    return draft;
  }
  return {
    auditSeed: new Secret(auditSeed),
    sealed:
      typeof payloadHash === "string" && typeof inputRoot === "string"
        ? { payloadHash, inputRoot }
        : undefined,
    payload: typeof payload === "string" ? payload : undefined,
    id: typeof id === "string" ? id : undefined,
  };
}

async function saveDraft(directory: string, { auditSeed, sealed, payload, id }: Draft): Promise<void> {
  await writeJson(draftPath(directory), { auditSeed: auditSeed.reveal(), ...sealed, payload, id });
}

/** Takes the lock file, whose holder may have died. Error: `submit.running`. */
async function lock(path: string): Promise<() => Promise<void>> {
  for (;;) {
    try {
      const file = await open(path, "wx", 0o600);
      await file.writeFile(String(process.pid));
      await file.close();
      return async () => await rm(path, { force: true });
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
    }
    const holder = Number(await readFile(path, "utf8").catch(() => "0"));
    if (holder === process.pid || isAlive(holder)) {
      throw new NeuraError("submit.running", `Process ${holder} is submitting the same task right now.`, {
        next: "Wait for it.",
      });
    }
    await unlink(path).catch(() => undefined);
  }
}

function isAlive(pid: number): boolean {
  if (pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return messageOf(error).includes("EPERM");
  }
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
