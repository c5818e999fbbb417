import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { hexlify } from "ethers";

import {
  type Header,
  type KeyPair,
  type Opening,
  openEach,
  payloadContext,
  type ReaderKey,
  readHeader,
  unwrap,
} from "../envelope/index.ts";
import { NeuraError } from "../errors.ts";
import { type Manifest, MANIFEST_BOUNDS, parseManifest } from "../manifest.ts";
import { extractArchive } from "../market/archive.ts";
import { PlaintextRoot, tee, treeSalt } from "../market/evidence.ts";
import type { MarketDomain, Task } from "../market/terms.ts";
import type { Storage } from "../storage/storage.ts";

export interface OpenedPayload {
  readonly manifest: Manifest;
  /** What the delivery's evidence says of the input, 32 bytes as hex with 0x. */
  readonly inputRoot: string;
}

/** A key that the provider published. */
export interface OwnKey {
  /** 33 bytes as hex with 0x. */
  readonly publicKey: string;
  readonly isRevoked: boolean;
  /** Missing if it is not on this machine. */
  readonly pair: KeyPair | undefined;
}

/** Fetches the payload's envelope to the file `path`, whole or not at all. Errors: those of `Storage.get`. */
export async function fetchPayload(
  { work }: Task,
  {
    storage,
    path,
    maxBytes,
    signal,
  }: { storage: Storage; path: string; maxBytes: number; signal: AbortSignal },
): Promise<void> {
  const partial = `${path}.partial`;
  await pipeline(
    storage.get(work.payload, { maxBytes, signal }),
    createWriteStream(partial, { mode: 0o600 }),
    { signal },
  );
  await rename(partial, path);
}

/**
 * Opens the envelope in the file `path` and lays the payload's files into `directory`: all of them, after all of
 * the envelope has been checked, or none. The directory must not exist.
 *
 * Errors: `envelope.*`, `archive.*`, `manifest.invalid`.
 */
export async function openPayload(
  { terms, work }: Task,
  {
    path,
    header: detached,
    directory,
    keys = [],
    openings,
    domain,
    maxBytes,
    signal,
  }: {
    path: string;
    /** The one that the owner published, in place of the one in the file. */
    header?: Uint8Array | undefined;
    directory: string;
    /** All keys that the provider ever published: the newest need not be the one that was used. */
    keys?: readonly OwnKey[];
    /** What a provider shows of the envelope, in place of its keys. */
    openings?: readonly Opening[];
    domain: MarketDomain;
    maxBytes: number;
    signal: AbortSignal;
  },
): Promise<OpenedPayload> {
  const context = payloadContext({ ...domain, owner: terms.owner, salt: terms.salt });
  const header = await readHeader(detached ? [detached] : createReadStream(path), { signal });
  const key: ReaderKey = openings ? { openings } : { secretKey: keyFor(header, keys).secretKey };
  const root = new PlaintextRoot(treeSalt(unwrap(header, { ...key, kind: "body", context })));
  const partial = `${directory}.partial`;
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial, { recursive: true, mode: 0o700 });
  const limits = { maxBytes, maxFiles: MANIFEST_BOUNDS.inputs + 1 };
  let names: string[] = [];
  const body = async (plaintext: AsyncIterable<Uint8Array>): Promise<void> => {
    const files = await extractArchive(tee(plaintext, root), { directory: partial, limits, signal });
    names = files.map((file) => file.path);
  };
  try {
    const options = { ...key, context, header, hash: work.payloadHash, signal, handlers: { body } };
    await openEach(createReadStream(path), options);
    const manifest = await readManifest(partial);
    checkFiles(names, manifest);
    await rename(partial, directory);
    return { manifest, inputRoot: root.digest() };
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    throw error;
  }
}

/** The manifest of an opened payload. Error: `manifest.invalid`. */
export async function readManifest(directory: string): Promise<Manifest> {
  const path = join(directory, "manifest.json");
  const size = await stat(path).then(
    (found) => found.size,
    () => undefined,
  );
  if (size === undefined) throw unfit("It has no manifest.json");
  if (size > MANIFEST_BOUNDS.bytes) throw unfit(`Its manifest.json has ${size} bytes`);
  return parseManifest(await readFile(path));
}

/**
 * The key that the body is encrypted to. Errors: `envelope.not-a-recipient`; `provider.key-missing` and
 * `provider.key-revoked` for a key that is the provider's, but not here or not to be used any more.
 */
export function keyFor({ compartments }: Header, keys: readonly OwnKey[]): KeyPair {
  const recipients = compartments.find(({ kind }) => kind === "body")?.recipients ?? [];
  const wanted = new Set(recipients.map(({ publicKey }) => hexlify(publicKey)));
  const own = keys.filter(({ publicKey }) => wanted.has(publicKey));
  const usable = own.find(({ pair, isRevoked }) => pair !== undefined && !isRevoked)?.pair;
  if (usable) return usable;
  if (own.some(({ isRevoked }) => isRevoked)) {
    throw new NeuraError(
      "provider.key-revoked",
      "The payload is encrypted to a key that the provider has revoked.",
    );
  }
  const [missing] = own;
  if (missing) {
    throw new NeuraError(
      "provider.key-missing",
      `The payload is encrypted to the provider's key ${missing.publicKey}, which is not on this machine.`,
      { next: "Restore that key from its backup with `account key restore`, or revoke it." },
    );
  }
  throw new NeuraError(
    "envelope.not-a-recipient",
    `The payload is encrypted to ${wanted.size} keys, none of which is this provider's.`,
    { next: "Encrypt it to the provider's current key in the key registry." },
  );
}

function checkFiles(names: readonly string[], { inputs }: Manifest): void {
  if (names[0] !== "manifest.json") throw unfit("Its first file is not manifest.json");
  const wanted = new Set(inputs);
  const extra = names.slice(1).find((name) => !wanted.delete(name));
  if (extra !== undefined) throw unfit(`Its file ${JSON.stringify(extra)} is not in the manifest`);
  const [missing] = wanted;
  if (missing !== undefined) throw unfit(`The manifest's file ${JSON.stringify(missing)} is not in it`);
}

function unfit(reason: string): NeuraError {
  return new NeuraError("archive.malformed", `The payload is no task's: ${reason}.`, {
    next: "Make it with this package.",
  });
}
