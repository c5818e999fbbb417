import { NeuraError } from "../errors.ts";
import type { Secret } from "../secret.ts";
import { ByteReader, type ByteSource } from "./bytes.ts";
import {
  type Compartment,
  type CompartmentKind,
  decodeFrameHeader,
  encodeFixed,
  equalBytes,
  FRAME_HEADER_LENGTH,
  frameNonce,
  type Header,
  TAG_LENGTH,
  takeHeader,
  toHex,
} from "./format.ts";
import { compartmentOf, type OpeningKey, type ReaderKey, streamKey, unwrap } from "./keys.ts";
import { primitives } from "./primitives.node.ts";

interface ReadOptions {
  /** The task that the envelope must belong to, 32 bytes as hex with 0x. */
  context: string;
  /** A detached header from `rewrap`, in place of the one in the file. */
  header?: Header | undefined;
  /** The hash that the whole envelope must have, 32 bytes as hex: `payloadHash` or `resultHash`. */
  hash?: string | undefined;
  signal?: AbortSignal | undefined;
}

export type OpenOptions = ReadOptions & OpeningKey & { /** `body` if left out. */ kind?: CompartmentKind };

/**
 * The plaintext of one compartment. The source is read to its end, so the iteration ends without an error only if
 * the envelope is whole and, where `hash` is given, is the expected one. Until then what has come is authentic
 * but may be incomplete.
 *
 * Errors: those of `unwrap` and `readHeader`, `envelope.tampered`, `envelope.truncated`, `envelope.wrong-hash`,
 * `envelope.foreign-header`.
 *
 * @example
 * for await (const bytes of open(source, { secretKey, context, hash: terms.payloadHash })) write(bytes);
 */
export async function* open(source: ByteSource, options: OpenOptions): AsyncGenerator<Uint8Array> {
  const { kind = "body" } = options;
  const reader = new EnvelopeReader(source, options);
  try {
    const header = await reader.start();
    compartmentOf(header, kind);
    const key = unwrap(header, { ...options, kind });
    for (const compartment of header.compartments) {
      const own = compartment.kind === kind;
      const frames = reader.frames(compartment, own ? streamKey(header, kind, key) : undefined);
      for (let frame = await frames.next(); frame.done !== true; frame = await frames.next()) {
        if (own) yield frame.value;
      }
    }
    await reader.finish();
  } finally {
    await reader.close();
  }
}

/** What to do with the plaintext of each compartment. A compartment without a handler is passed over. */
export type Handlers = Partial<
  Record<CompartmentKind, (plaintext: AsyncIterable<Uint8Array>) => Promise<void>>
>;

export interface Opened {
  header: Header;
  /** SHA-256 of the envelope without its recipient section, 32 bytes as hex. */
  hash: string;
}

/**
 * Opens several compartments in one pass over the source: each handler is called in the order of the file, if its
 * compartment exists. Resolves when all of the envelope has been read and checked; what a handler did with the
 * plaintext must not take effect before that. What a handler leaves unread is read and checked all the same.
 *
 * Errors: as `open`, and what the handlers throw. The keys of all handled compartments are checked before the first
 * handler is called.
 */
export async function openEach(
  source: ByteSource,
  options: ReadOptions & ReaderKey & { handlers: Handlers },
): Promise<Opened> {
  const reader = new EnvelopeReader(source, options);
  try {
    const header = await reader.start();
    const handled = header.compartments.map((compartment) => {
      const handle = options.handlers[compartment.kind];
      if (handle === undefined) return { compartment, key: undefined };
      const { kind } = compartment;
      return { compartment, handle, key: streamKey(header, kind, unwrap(header, { ...options, kind })) };
    });
    for (const { compartment, handle, key } of handled) {
      const frames = reader.frames(compartment, key);
      await handle?.({ [Symbol.asyncIterator]: () => frames });
      while ((await frames.next()).done !== true);
    }
    return { header, hash: await reader.finish() };
  } finally {
    await reader.close();
  }
}

/**
 * The hash of an envelope, which needs no key: SHA-256 of all but its recipient section, 32 bytes as hex.
 * Errors: those of `readHeader`.
 */
export async function hashEnvelope(
  source: ByteSource,
  options: { signal?: AbortSignal | undefined } = {},
): Promise<string> {
  const reader = new ByteReader(source, options.signal);
  try {
    const hash = primitives.sha256();
    hash.update(encodeFixed(await takeHeader(reader)));
    for (let bytes = await reader.takeAny(); bytes !== undefined; bytes = await reader.takeAny()) {
      hash.update(bytes);
    }
    return toHex(hash.digest());
  } finally {
    await reader.close();
  }
}

/** One pass over an envelope: the header, the frames of each compartment in turn, the end. */
class EnvelopeReader {
  readonly #reader: ByteReader;
  readonly #options: Pick<ReadOptions, "header" | "hash">;
  readonly #hash = primitives.sha256();

  constructor(source: ByteSource, options: Pick<ReadOptions, "header" | "hash" | "signal">) {
    this.#reader = new ByteReader(source, options.signal);
    this.#options = options;
  }

  /** The header to go by: the detached one, if there is one and it belongs to these bodies. */
  async start(): Promise<Header> {
    const header = await takeHeader(this.#reader);
    const fixed = encodeFixed(header);
    this.#hash.update(fixed);
    const { header: detached = header } = this.#options;
    if (!equalBytes(encodeFixed(detached), fixed)) {
      throw new NeuraError("envelope.foreign-header", "The detached header belongs to another envelope.", {
        next: "Use the one that was made for this envelope.",
      });
    }
    return detached;
  }

  /**
   * The plaintext of the compartment's frames; without a key they are only walked. It has no `return`, so that a
   * consumer that stops early leaves the rest to be read; it answers in turn, and after an error only with that.
   */
  frames({ kind, chunkBytes }: Compartment, key: Secret<Uint8Array> | undefined): AsyncIterator<Uint8Array> {
    let index = 0;
    let ended = false;
    const step = async (): Promise<IteratorResult<Uint8Array, undefined>> => {
      if (ended) return { done: true, value: undefined };
      const head = await this.#reader.take(FRAME_HEADER_LENGTH);
      const { length, last } = decodeFrameHeader(head);
      if (last ? length > chunkBytes || (length === 0 && index > 0) : length !== chunkBytes) {
        throw tampered(kind);
      }
      this.#hash.update(head);
      const sealed = await this.#reader.take(length + TAG_LENGTH);
      this.#hash.update(sealed);
      const value =
        key === undefined ? new Uint8Array() : decrypt(kind, key, frameNonce(index, last), sealed);
      index += 1;
      ended = last;
      return { done: false, value };
    };
    let latest: Promise<unknown> = Promise.resolve();
    return {
      next: () => {
        const following = latest.then(step);
        latest = following;
        return following;
      },
    };
  }

  /** Checks that nothing follows and that the hash is the expected one; gives the hash. */
  async finish(): Promise<string> {
    if ((await this.#reader.takeAny()) !== undefined) {
      throw new NeuraError("envelope.tampered", "There are bytes behind the end of the envelope.", TAMPERED);
    }
    const hash = toHex(this.#hash.digest());
    const expected = this.#options.hash;
    if (expected !== undefined && expected.toLowerCase() !== hash) {
      throw new NeuraError("envelope.wrong-hash", `The envelope's hash is ${hash}, not ${expected}.`, {
        next: "Do not use it: it is not the one that was named on chain.",
      });
    }
    return hash;
  }

  async close(): Promise<void> {
    await this.#reader.close();
  }
}

const TAMPERED = {
  next: "Do not use it. Fetch it again; if that does not help, its author or storage changed it.",
};

function tampered(kind: CompartmentKind): NeuraError {
  return new NeuraError("envelope.tampered", `The ${kind} is not what its author encrypted.`, TAMPERED);
}

function decrypt(
  kind: CompartmentKind,
  key: Secret<Uint8Array>,
  nonce: Uint8Array,
  sealed: Uint8Array,
): Uint8Array {
  try {
    return primitives.decrypt({ key: key.reveal(), nonce, sealed });
  } catch {
    throw tampered(kind);
  }
}
