import { NeuraError } from "../errors.ts";
import type { Secret } from "../secret.ts";
import { blocksOf, type ByteSource, interruptible } from "./bytes.ts";
import {
  type Compartment,
  type CompartmentKind,
  DEFAULT_CHUNK,
  encodeFixed,
  encodeFrameHeader,
  encodeHeader,
  ENTRY_LENGTH,
  FIXED_LENGTH,
  FRAME_HEADER_LENGTH,
  frameNonce,
  type Header,
  isChunkSize,
  MAGIC,
  TAG_LENGTH,
  toHex,
} from "./format.ts";
import { commitTo, generateContentKey, streamKey, wrapForAll } from "./keys.ts";
import { primitives } from "./primitives.node.ts";

export interface SealOptions {
  /** Of which task: 32 bytes as hex with 0x, from `payloadContext` or `resultContext`. */
  context: string;
  /** In the order of the file. Put the body last, so that the others can be read before it. */
  compartments: readonly {
    kind: CompartmentKind;
    /** Compressed secp256k1 keys, 33 bytes each. */
    recipients: readonly Uint8Array[];
    /** The plaintext; read once, when its turn comes. */
    source: ByteSource;
  }[];
  /** Plaintext bytes per frame, a power of two from 4 KiB to 1 MiB; 64 KiB if left out. */
  chunkBytes?: number;
  signal?: AbortSignal | undefined;
}

export interface Sealed {
  /** What the envelope starts with; known at once. */
  readonly header: Header;
  /** The bytes of the envelope. Can be read once. */
  readonly stream: AsyncIterable<Uint8Array>;
  /** The content key of a compartment, known at once: what its plaintext's commitments are salted with. */
  contentKey(kind: CompartmentKind): Secret<Uint8Array>;
  /** What is known when the stream has been read to its end; before that `envelope.unfinished`. */
  result(): SealResult;
}

export interface SealResult {
  /** SHA-256 of the envelope without its recipient section, 32 bytes as hex: the hash for the chain. */
  hash: string;
  /** Bytes of the whole envelope. */
  size: number;
}

/**
 * Encrypts compartments for their recipients, as a stream in constant memory.
 *
 * Errors: `envelope.bad-request`, `envelope.bad-key`; from the stream, what the sources throw.
 *
 * @example
 * const sealed = seal({ context, compartments: [{ kind: "body", recipients: [provider, owner], source: file }] });
 * const reference = await storage.put(sealed.stream);
 * const { hash } = sealed.result();
 */
export function seal({ context, compartments, chunkBytes = DEFAULT_CHUNK, signal }: SealOptions): Sealed {
  checkRequest({ context, compartments, chunkBytes });
  const parts = compartments.map(({ kind, recipients, source }) => {
    const contentKey = generateContentKey();
    const fixed = { kind, chunkBytes, context: context.toLowerCase(), keyCommit: commitTo(contentKey) };
    const compartment: Compartment = { ...fixed, recipients: wrapForAll(fixed, contentKey, recipients) };
    return { compartment, contentKey, source };
  });
  const header: Header = { compartments: parts.map(({ compartment }) => compartment) };
  let result: SealResult | undefined;

  async function* stream(): AsyncGenerator<Uint8Array> {
    const hash = primitives.sha256();
    hash.update(encodeFixed(header));
    const head = encodeHeader(header);
    let size = head.length;
    yield head;
    for (const { compartment, contentKey, source } of parts) {
      const key = streamKey(header, compartment.kind, contentKey);
      for await (const frame of framesOf(interruptible(source, signal), { key, chunkBytes })) {
        hash.update(frame);
        size += frame.length;
        yield frame;
      }
    }
    result = { hash: toHex(hash.digest()), size };
  }

  return {
    header,
    stream: stream(),
    contentKey(kind) {
      const part = parts.find(({ compartment }) => compartment.kind === kind);
      if (part === undefined) {
        throw new NeuraError("envelope.no-compartment", `The envelope has no ${kind}.`);
      }
      return part.contentKey;
    },
    result() {
      if (result === undefined) {
        throw new NeuraError("envelope.unfinished", "The envelope has not been written to its end.", {
          next: "Read its stream first.",
        });
      }
      return result;
    },
  };
}

/**
 * The exact size of an envelope that has not been made yet [bytes]: what a storage has to be paid for. It follows from
 * the format alone (docs/envelope.md): `recipients` is how many a compartment has, `bytes` the size of its plaintext;
 * their kinds and order do not matter. `chunkBytes` as in {@link SealOptions}.
 *
 * @example
 * // A payload of 1 MB for the provider and its owner, and secrets for the provider.
 * sealedSize({ compartments: [{ recipients: 1, bytes: 120 }, { recipients: 2, bytes: 1_000_000 }] });
 */
export function sealedSize({
  compartments,
  chunkBytes = DEFAULT_CHUNK,
}: {
  compartments: readonly { recipients: number; bytes: number }[];
  chunkBytes?: number;
}): number {
  const sizes = compartments.map(({ recipients, bytes }) => {
    const frames = Math.max(1, Math.ceil(bytes / chunkBytes));
    return FIXED_LENGTH + 2 + recipients * ENTRY_LENGTH + bytes + frames * (FRAME_HEADER_LENGTH + TAG_LENGTH);
  });
  return sizes.reduce((total, size) => total + size, MAGIC.length + 1 + 4);
}

async function* framesOf(
  plaintext: ByteSource,
  { key, chunkBytes }: { key: Secret<Uint8Array>; chunkBytes: number },
): AsyncGenerator<Uint8Array> {
  let index = 0;
  for await (const { block, last } of blocksOf(plaintext, chunkBytes)) {
    const frame = new Uint8Array(FRAME_HEADER_LENGTH + block.length + TAG_LENGTH);
    frame.set(encodeFrameHeader(block.length, last));
    primitives.encryptInto({
      key: key.reveal(),
      nonce: frameNonce(index, last),
      plaintext: block,
      target: frame.subarray(FRAME_HEADER_LENGTH),
    });
    index += 1;
    yield frame;
  }
}

function checkRequest({ context, compartments, chunkBytes }: Required<Omit<SealOptions, "signal">>): void {
  const reject = (message: string, next: string): never => {
    throw new NeuraError("envelope.bad-request", message, { next });
  };
  if (!isChunkSize(chunkBytes)) {
    reject(`Chunks of ${chunkBytes} bytes are not possible.`, "Use a power of two from 4096 to 1048576.");
  }
  if (!/^0x[0-9a-f]{64}$/i.test(context)) {
    reject(`"${context}" is not a context of 32 bytes.`, "Make it with payloadContext or resultContext.");
  }
  const kinds = compartments.map(({ kind }) => kind);
  if (!kinds.includes("body") || new Set(kinds).size !== kinds.length) {
    reject(
      `The compartments are ${kinds.join(", ") || "none"}.`,
      "Give one body, and the others at most once.",
    );
  }
}
