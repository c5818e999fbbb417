import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { sha256, toUtf8Bytes } from "ethers";

import { isNeuraError, messageOf, NeuraError } from "../errors.ts";
import {
  MAX_METADATA_BYTES,
  parseMetadata,
  type ProviderMetadata,
  signerOfMetadata,
} from "../provider/metadata.ts";
import { publicLookup, publicUrl } from "../public-address.ts";
import { HttpClient } from "../storage/http.ts";
import type { MarketContext } from "./context.ts";
import { readJson, writeJson } from "./records.ts";

/** Whose document is wanted, as the registry has it. */
export interface MetadataSource {
  readonly account: string;
  readonly operator: string;
  /** `https://…` or `ar://…`; `http://127.0.0.1…` where the context allows servers on this machine. */
  readonly uri: string;
}

/** What a provider says of itself, or why nothing that it says counts. */
export interface Claims {
  readonly document?: ProviderMetadata;
  /** How old it is, or why there is none. One line. */
  readonly reason: string;
}

/** A document that is older is no document: machines change. */
export const MAX_AGE_SECONDS = 30 * 24 * 3600;
/** What is free now changes by the minute. */
export const MAX_CAPACITY_AGE_SECONDS = 600;

/** How far a provider's clock may be ahead of this one [s]. */
const MAX_AHEAD_SECONDS = 300;
const TIMEOUTS = { idleSeconds: 3, totalSeconds: 5 };
/** How long an answer of a server is used again [ms]. What is on Arweave never changes. */
const FRESH_MS = 30_000;
const MAX_CACHED = 1000;

const outside = new HttpClient({ lookup: publicLookup });
const here = new HttpClient();

/** As {@link fetchMetadata}, but what goes wrong becomes the reason: a provider's mistakes are its own. */
export async function readClaims(
  context: MarketContext,
  source: MetadataSource,
  options: { signal?: AbortSignal | undefined; nowMs?: number } = {},
): Promise<Claims> {
  const { nowMs = Date.now(), signal } = options;
  if (source.uri === "") return { reason: "it names no document about itself" };
  try {
    const document = await fetchMetadata(context, source, options);
    return { document, reason: `its document is ${ageOf(document.issuedAt, nowMs)} old` };
  } catch (error) {
    signal?.throwIfAborted();
    return { reason: isNeuraError(error) ? error.message : "its document cannot be read" };
  }
}

/**
 * The document that the registry's entry points to: fetched within limits of time and size, or from the cache in
 * `NEURA_HOME`, and checked each time.
 *
 * Errors: `url.not-public`, `metadata.unavailable`, `metadata.invalid`, `metadata.wrong-account`,
 * `metadata.wrong-signer`, `metadata.stale`.
 */
export async function fetchMetadata(
  context: MarketContext,
  source: MetadataSource,
  { nowMs = Date.now(), signal }: { nowMs?: number; signal?: AbortSignal | undefined } = {},
): Promise<ProviderMetadata> {
  if (!source.uri.startsWith("ar://")) publicUrl(source.uri, context);
  const text = await cached(context, source.uri, nowMs, () => download(context, source.uri, signal));
  const parsed = parseMetadata(text);
  const { metadata } = parsed;
  if (metadata.account !== source.account) {
    throw new NeuraError("metadata.wrong-account", `Its document is about ${metadata.account}.`);
  }
  const { chainId } = context.domain;
  const registry = context.deployment.contracts.ProviderRegistry;
  const signer = signerOfMetadata(parsed, { chainId, registry });
  if (signer !== source.account && signer !== source.operator) {
    throw new NeuraError(
      "metadata.wrong-signer",
      `Its document is signed by ${signer}, which is neither the provider nor its operator, or is meant for another chain.`,
    );
  }
  const ageSeconds = secondsSince(metadata.issuedAt, nowMs);
  if (ageSeconds > MAX_AGE_SECONDS) {
    throw new NeuraError("metadata.stale", `Its document is ${ageOf(metadata.issuedAt, nowMs)} old.`);
  }
  if (ageSeconds < -MAX_AHEAD_SECONDS) {
    throw new NeuraError("metadata.stale", `Its document is dated in the future: ${metadata.issuedAt}.`);
  }
  return metadata;
}

/** [s]; below zero for a time to come. */
export function secondsSince(time: string, nowMs: number): number {
  return (nowMs - Date.parse(time)) / 1000;
}

/** For people: `12 s`, `3 h`. */
export function ageOf(time: string, nowMs: number): string {
  const seconds = Math.max(0, Math.round(secondsSince(time, nowMs)));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} days`;
}

// ---- Fetching ----

async function download(
  context: MarketContext,
  uri: string,
  signal: AbortSignal | undefined,
): Promise<string> {
  const timeout = AbortSignal.timeout(TIMEOUTS.totalSeconds * 1000);
  const limit = signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
  try {
    return uri.startsWith("ar://")
      ? await fromStorage(context, uri, limit)
      : await fromServer(context, uri, limit);
  } catch (error) {
    signal?.throwIfAborted();
    const why = timeout.aborted ? `no answer within ${TIMEOUTS.totalSeconds} s` : messageOf(error);
    throw new NeuraError("metadata.unavailable", `Its document cannot be fetched: ${why.slice(0, 200)}`, {
      cause: error,
    });
  }
}

async function fromStorage({ storage }: MarketContext, uri: string, signal: AbortSignal): Promise<string> {
  const network = await storage({ reference: uri });
  const pieces: Uint8Array[] = [];
  for await (const piece of network.get(uri, { maxBytes: MAX_METADATA_BYTES, signal }))
    pieces.push(Uint8Array.from(piece));
  return Buffer.concat(pieces).toString("utf8");
}

async function fromServer(
  { allowLoopback }: MarketContext,
  uri: string,
  signal: AbortSignal,
): Promise<string> {
  const answer = await askServer(publicUrl(uri, { allowLoopback }), { signal });
  if (answer.status !== 200) throw new Error(`${new URL(uri).origin} answers ${answer.status}`);
  return answer.text;
}

/**
 * Asks a server that a stranger named; with `body`, by POST. Its answer is text of at most 64 KiB. The URL is one of
 * {@link publicUrl}. Errors: `storage.*`; the reason of `signal` when that aborts.
 */
export async function askServer(
  url: URL,
  { body, signal }: { body?: string; signal?: AbortSignal | undefined },
): Promise<{ status: number; text: string }> {
  // A literal address, which was checked already, or allowed as one of this machine.
  const http = url.protocol === "http:" || /^(127\.|\[::1\])/.test(url.hostname) ? here : outside;
  const answer = await http.request(url, {
    timeouts: TIMEOUTS,
    signal,
    ...(body === undefined ? {} : { method: "POST", body }),
  });
  const isLarge = (answer.claimedBytes ?? 0) > MAX_METADATA_BYTES;
  if (!isLarge) return { status: answer.status, text: await answer.text(MAX_METADATA_BYTES) };
  answer.discard();
  throw new Error(`${url.origin} answers more than ${MAX_METADATA_BYTES} bytes`);
}

// ---- Cache ----

/** The document's text, from `<home>/cache/metadata` while that is fresh; checked against its own hash. */
async function cached(
  { home }: MarketContext,
  uri: string,
  nowMs: number,
  fetch: () => Promise<string>,
): Promise<string> {
  const directory = join(home, "cache", "metadata");
  const path = join(directory, `${sha256(toUtf8Bytes(uri)).slice(2)}.json`);
  const entry = await readJson(path).catch(() => undefined);
  const { text, hash, fetchedMs } = entry ?? {};
  if (typeof text === "string" && hashOf(text) === hash && typeof fetchedMs === "number") {
    const isFresh = uri.startsWith("ar://") || Math.abs(nowMs - fetchedMs) < FRESH_MS;
    if (isFresh) return text;
  }
  const fetched = await fetch();
  try {
    const names = await readdir(directory).catch(() => []);
    // A cache that is full begins anew.
    if (names.length >= MAX_CACHED) await rm(directory, { recursive: true, force: true });
    await writeJson(path, { uri, fetchedMs: nowMs, hash: hashOf(fetched), text: fetched });
  } catch {
    // It costs time, no more: somebody else may be writing the same.
  }
  return fetched;
}

function hashOf(text: string): string {
  return sha256(toUtf8Bytes(text));
}
