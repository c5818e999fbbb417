import { randomBytes } from "node:crypto";
import { createWriteStream } from "node:fs";
import { access, mkdir, open, readdir, readFile, rename, rm, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { getBytes, hexlify, keccak256, type TransactionReceipt } from "ethers";

import { unlessAborted } from "../abort.ts";
import { payloadContext, seal } from "../envelope/index.ts";
import { messageOf, NeuraError } from "../errors.ts";
import { Secret } from "../secret.ts";
import type { Stored } from "../storage/storage.ts";
import { asking, chainTime, type MarketContext, requireSigner } from "./context.ts";
import { PlaintextRoot, tee, treeSalt } from "./evidence.ts";
import { Status, statusOf } from "./outcome.ts";
import { attemptDirectory, draftPath, outboxOf, secretsText } from "./outbox.ts";
import { packPayload } from "./payload.ts";
import { type PreparedTask, timesOf } from "./prepare.ts";
import { loadRecord, readJson, saveRecord, type TaskRecord, writeJson } from "./records.ts";
import { encodeTerms, encodeWork, MAX_TERM_SECONDS, taskId, type Terms, type Work } from "./terms.ts";

/** What is happening, for whoever waits. Sizes are missing where nothing is counted. */
export interface SubmitProgress {
  readonly phase: "encrypting" | "uploading" | "reading-back" | "sending" | "confirming";
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
  readonly transaction?: { readonly hash: string; readonly block: number; readonly gasUsed: bigint };
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
 * Errors: `submit.running`, `payload.changed`, those of the storage, what the contract refuses.
 */
export async function submitTask(
  context: MarketContext,
  prepared: PreparedTask,
  options: SubmitOptions = {},
): Promise<SubmittedTask> {
  await forgetOldDrafts(outboxOf(context.home));
  const directory = attemptDirectory(context, prepared);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const unlock = await lock(join(directory, "lock"));
  try {
    let draft = await loadDraft(directory);
    const earlier = await findSubmitted(context, draft);
    if (earlier === undefined) {
      draft = await sealPayload(context, prepared, { directory, draft, options });
      const { draft: uploaded, stored } = await uploadPayload(context, { directory, draft, options });
      const submitted = await send(context, prepared, { directory, draft: uploaded, options });
      await rm(directory, { recursive: true, force: true });
      return { ...submitted, stored };
    }
    await rm(directory, { recursive: true, force: true });
    return earlier;
  } finally {
    await unlock();
  }
}

// ---- Seal ----

async function sealPayload(
  { domain }: MarketContext,
  prepared: PreparedTask,
  { directory, draft, options }: { directory: string; draft: Draft; options: SubmitOptions },
): Promise<Draft> {
  const path = envelopePath(directory);
  if (draft.sealed !== undefined && (await exists(path))) return draft;
  const { owner, provider, ownerKey, payload, secrets } = prepared;
  const providerKey = getBytes(provider.key.publicKey);
  // The owner can read its own payload again; what it has in secrets, only the provider.
  const readers = new Set([provider.key.publicKey, ...(ownerKey === undefined ? [] : [ownerKey.publicKey])]);
  const { signal, onProgress } = options;
  let root: PlaintextRoot | undefined;
  const sealed = seal({
    context: payloadContext({ ...domain, owner, salt: keccak256(draft.auditSeed.reveal()) }),
    compartments: [
      ...(Object.keys(secrets).length === 0
        ? []
        : [{ kind: "secrets" as const, recipients: [providerKey], source: [secretsText(secrets)] }]),
      { kind: "body", recipients: [...readers].map((key) => getBytes(key)), source: body() },
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
  { directory, draft, options }: { directory: string; draft: Draft; options: SubmitOptions },
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

async function send(
  context: MarketContext,
  prepared: PreparedTask,
  { directory, draft, options }: { directory: string; draft: Draft; options: SubmitOptions },
): Promise<Omit<SubmittedTask, "stored">> {
  const { contracts, domain, home } = context;
  const { owner, provider, price, resources, costWei, valueWei } = prepared;
  const { auditSeed, sealed, payload } = draft;
  if (sealed === undefined || payload === undefined) throw new Error("a draft without its payload");
  const { signal, onProgress } = options;
  requireSigner(context);

  const known = draft.id === undefined ? undefined : await loadRecord(home, draft.id);
  const now = await chainTime(context.provider);
  const terms: Terms =
    known !== undefined && known.terms.conditions.startBySeconds > now
      ? known.terms
      : {
          owner,
          provider: provider.account,
          price,
          conditions: {
            ...timesOf(prepared, now),
            durationSeconds: prepared.durationSeconds,
            keyEpoch: prepared.ownerKey?.epoch ?? 0,
          },
          collateralWei: prepared.collateralWei,
          salt: keccak256(auditSeed.reveal()),
        };
  const work: Work = { resources, payloadHash: sealed.payloadHash, payload };
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

  onProgress?.({ phase: "sending" });
  signal?.throwIfAborted();
  const response = await unlessAborted(
    asking(contracts.market.submit(encodeTerms(terms), encodeWork(work), { value: valueWei })),
    signal,
  );
  await saveRecord(home, { ...record, transactionHash: response.hash });
  onProgress?.({ phase: "confirming" });
  const receipt = requireReceipt(await unlessAborted(asking(response.wait()), signal));
  const { hash, blockNumber: block, gasUsed } = receipt;
  return { id, terms, work, costWei, transaction: { hash, block, gasUsed } };
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

/** The receipt of a transaction that succeeded. */
export function requireReceipt(receipt: TransactionReceipt | null): TransactionReceipt {
  if (receipt?.status === 1) return receipt;
  throw new NeuraError("chain.failed", `The transaction ${receipt?.hash ?? ""} was mined, but failed.`, {
    next: "See `task status`: somebody may have been faster.",
  });
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
