import { bytesToHex, concatBytes, hexToBytes } from "@noble/hashes/utils.js";

import { NeuraError } from "../errors.ts";
import { ByteReader, type ByteSource } from "./bytes.ts";

/** What a compartment holds; every envelope has a body. The position is the byte in the file. */
export const KINDS = ["body", "secrets", "trace"] as const;
export type CompartmentKind = (typeof KINDS)[number];

/** Sizes in bytes. */
export const DEFAULT_CHUNK = 64 * 1024;
export const TAG_LENGTH = 16;
export const FRAME_HEADER_LENGTH = 4;
export const FIXED_LENGTH = 66;
export const ENTRY_LENGTH = 190;
const MIN_CHUNK_LOG2 = 12;
const MAX_CHUNK_LOG2 = 20;
export const MAX_RECIPIENTS = 256;

export const MAGIC = new Uint8Array([...new TextEncoder().encode("NEURA-ENV"), 1]);
const LAST_FRAME = 0x80000000;

/** One wrap of a compartment's content key. */
export interface Recipient {
  /** Compressed secp256k1 key, 33 bytes. */
  readonly publicKey: Uint8Array;
  /** The author's proof of knowledge: challenge and response, 32 bytes each. */
  readonly proof: { readonly e: Uint8Array; readonly s: Uint8Array };
  /** 93 bytes: ephemeral point 33, nonce 12, tag 16, encrypted key 32. */
  readonly wrap: Uint8Array;
}

export interface Compartment {
  readonly kind: CompartmentKind;
  /** Plaintext bytes of every frame but the last. */
  readonly chunkBytes: number;
  /** The task, 32 bytes as hex with 0x: see `context.ts`. */
  readonly context: string;
  /** SHA-256 commitment to the content key, 32 bytes as hex with 0x. */
  readonly keyCommit: string;
  readonly recipients: readonly Recipient[];
}

/** Everything before the bodies, in the order of the file. */
export interface Header {
  readonly compartments: readonly Compartment[];
}

/** The part of a header that the envelope's hash and every stream key cover: all but the recipients. */
export function encodeFixed({ compartments }: Header): Uint8Array {
  return concatBytes(
    MAGIC,
    Uint8Array.of(compartments.length),
    ...compartments.flatMap(({ kind, chunkBytes, context, keyCommit }) => [
      Uint8Array.of(KINDS.indexOf(kind), Math.log2(chunkBytes)),
      fromHex(context),
      fromHex(keyCommit),
    ]),
  );
}

/** The bytes of a header, as a file starts with them. */
export function encodeHeader(header: Header): Uint8Array {
  const section = concatBytes(
    ...header.compartments.flatMap(({ recipients }) => [
      bigEndian(recipients.length, 2),
      ...recipients.flatMap(({ publicKey, proof, wrap }) => [publicKey, proof.e, proof.s, wrap]),
    ]),
  );
  return concatBytes(encodeFixed(header), bigEndian(section.length, 4), section);
}

/**
 * Reads the header of an envelope, or a detached header as `rewrap` makes it, and lets go of the source.
 * Errors: `envelope.malformed`, `envelope.truncated`.
 */
export async function readHeader(
  source: ByteSource,
  options: { signal?: AbortSignal | undefined } = {},
): Promise<Header> {
  const reader = new ByteReader(source, options.signal);
  try {
    return await takeHeader(reader);
  } finally {
    await reader.close();
  }
}

/** The header at the reader's position. */
export async function takeHeader(reader: ByteReader): Promise<Header> {
  const magic = await reader.take(MAGIC.length);
  if (!equalBytes(magic, MAGIC)) throw malformed("It does not start as one of version 1 does");
  const count = byteAt(await reader.take(1), 0);
  if (count < 1 || count > KINDS.length) throw malformed(`It has ${count} compartments`);

  const parts = [];
  for (let index = 0; index < count; index++) parts.push(decodeFixed(await reader.take(FIXED_LENGTH)));
  if (new Set(parts.map(({ kind }) => kind)).size !== count) throw malformed("A compartment occurs twice");
  if (!parts.some(({ kind }) => kind === "body")) throw malformed("It has no body");

  const length = uint(await reader.take(4));
  if (length > count * (2 + MAX_RECIPIENTS * ENTRY_LENGTH)) {
    throw malformed(`Its recipient section has ${length} bytes`);
  }
  const section = new Cursor(await reader.take(length));
  const compartments = parts.map((part) => ({ ...part, recipients: decodeRecipients(section) }));
  if (section.left !== 0) throw malformed("Its recipient section is longer than its entries");
  return { compartments };
}

function decodeFixed(bytes: Uint8Array): Omit<Compartment, "recipients"> {
  const kind = KINDS[byteAt(bytes, 0)];
  if (kind === undefined) throw malformed(`It has a compartment of kind ${byteAt(bytes, 0)}`);
  const chunkBytes = 2 ** byteAt(bytes, 1);
  if (!isChunkSize(chunkBytes)) throw malformed(`Its chunks have ${chunkBytes} bytes`);
  return {
    kind,
    chunkBytes,
    context: toHex(bytes.subarray(2, 34)),
    keyCommit: toHex(bytes.subarray(34)),
  };
}

function decodeRecipients(section: Cursor): Recipient[] {
  const count = uint(section.take(2));
  if (count > MAX_RECIPIENTS) throw malformed(`A compartment has ${count} recipients`);
  const recipients = Array.from({ length: count }, () => ({
    publicKey: section.take(33),
    proof: { e: section.take(32), s: section.take(32) },
    wrap: section.take(93),
  }));
  if (new Set(recipients.map(({ publicKey }) => bytesToHex(publicKey))).size !== count) {
    throw malformed("A recipient occurs twice");
  }
  return recipients;
}

class Cursor {
  readonly #bytes: Uint8Array;
  #position = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.#position;
  }

  take(length: number): Uint8Array {
    if (length > this.left) throw malformed("Its recipient section is shorter than its entries");
    const taken = this.#bytes.slice(this.#position, this.#position + length);
    this.#position += length;
    return taken;
  }
}

/** Whether the format can say that chunks have this size. */
export function isChunkSize(bytes: number): boolean {
  const log2 = Math.log2(bytes);
  return Number.isInteger(log2) && log2 >= MIN_CHUNK_LOG2 && log2 <= MAX_CHUNK_LOG2;
}

/** The header of a frame: its ciphertext's length, and whether it is the last of its compartment. */
export function encodeFrameHeader(length: number, last: boolean): Uint8Array {
  return bigEndian(last ? length + LAST_FRAME : length, FRAME_HEADER_LENGTH);
}

export function decodeFrameHeader(bytes: Uint8Array): { length: number; last: boolean } {
  const value = uint(bytes);
  return { length: value % LAST_FRAME, last: value >= LAST_FRAME };
}

/** The nonce of frame `index`: 11 bytes of counter, one of the last frame's flag (the STREAM construction). */
export function frameNonce(index: number, last: boolean): Uint8Array {
  const nonce = new Uint8Array(12);
  nonce.set(bigEndian(index, 8), 3);
  nonce[11] = last ? 1 : 0;
  return nonce;
}

/** Bytes as hex with 0x. */
export function toHex(bytes: Uint8Array): string {
  return `0x${bytesToHex(bytes)}`;
}

/** The bytes of hex with 0x. */
export function fromHex(hex: string): Uint8Array {
  return hexToBytes(hex.slice(2));
}

/** Compares public values; not for secrets. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

function bigEndian(value: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => Math.floor(value / 256 ** (length - 1 - index)) % 256);
}

function uint(bytes: Uint8Array): number {
  return bytes.reduce((value, byte) => value * 256 + byte, 0);
}

function byteAt(bytes: Uint8Array, index: number): number {
  return bytes[index] ?? 0;
}

function malformed(reason: string): NeuraError {
  return new NeuraError("envelope.malformed", `This is not an envelope that can be read. ${reason}.`, {
    next: "Check that the reference points to an envelope and that it was fetched whole.",
  });
}
