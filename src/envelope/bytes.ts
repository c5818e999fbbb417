import { unlessAborted } from "../abort.ts";
import { NeuraError } from "../errors.ts";

/** Bytes in pieces of any size. A file, a response's body, a Node stream and an array of chunks all are one. */
export type ByteSource = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/** The chunks of `source`; an abort ends the wait for the next one at once. */
export async function* interruptible(source: ByteSource, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  if (signal === undefined) {
    yield* source;
    return;
  }
  const iterator =
    Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
  let ended = false;
  try {
    for (;;) {
      const next = await unlessAborted(Promise.resolve(iterator.next()), signal);
      if (next.done === true) {
        ended = true;
        return;
      }
      yield next.value;
    }
  } finally {
    if (!ended) {
      const closed = Promise.resolve(iterator.return?.());
      // A source that hangs cannot be closed either: after an abort nobody waits for it.
      if (signal.aborted) closed.catch(() => undefined);
      else await closed;
    }
  }
}

/**
 * `source` cut into blocks of `size` bytes; only the last is shorter, and it is empty only if there are no bytes
 * at all. A block is valid until the next one is asked for.
 */
export async function* blocksOf(
  source: ByteSource,
  size: number,
): AsyncGenerator<{ block: Uint8Array; last: boolean }> {
  const block = new Uint8Array(size);
  let filled = 0;
  for await (const chunk of source) {
    let offset = 0;
    while (offset < chunk.length) {
      if (filled === size) {
        yield { block, last: false };
        filled = 0;
      }
      const part = chunk.subarray(offset, offset + size - filled);
      block.set(part, filled);
      filled += part.length;
      offset += part.length;
    }
  }
  yield { block: block.subarray(0, filled), last: true };
}

/** Reads exact numbers of bytes from a source. What was taken is valid until the next bytes are taken. */
export class ByteReader {
  readonly #chunks: AsyncGenerator<Uint8Array>;
  #joined: Uint8Array = new Uint8Array();
  #rest: Uint8Array = new Uint8Array();

  constructor(source: ByteSource, signal?: AbortSignal) {
    this.#chunks = interruptible(source, signal);
  }

  /** The next `length` bytes; throws `envelope.truncated` if the source ends before. */
  async take(length: number): Promise<Uint8Array> {
    if (this.#rest.length >= length) return this.#cut(length);
    if (this.#joined.length < length) this.#joined = new Uint8Array(length);
    const taken = this.#joined.subarray(0, length);
    let filled = 0;
    while (filled < length) {
      if (this.#rest.length === 0 && !(await this.#refill())) {
        throw new NeuraError("envelope.truncated", "The envelope ends before its last byte.", {
          next: "Fetch it again, from another gateway if there is one.",
        });
      }
      const part = this.#cut(Math.min(length - filled, this.#rest.length));
      taken.set(part, filled);
      filled += part.length;
    }
    return taken;
  }

  /** What has come but has not been taken, else the next chunk; nothing at the end of the source. */
  async takeAny(): Promise<Uint8Array | undefined> {
    return this.#rest.length > 0 || (await this.#refill()) ? this.#cut(this.#rest.length) : undefined;
  }

  /** Lets go of the source. */
  async close(): Promise<void> {
    await this.#chunks.return(undefined);
  }

  #cut(length: number): Uint8Array {
    const part = this.#rest.subarray(0, length);
    this.#rest = this.#rest.subarray(length);
    return part;
  }

  async #refill(): Promise<boolean> {
    for (;;) {
      const next = await this.#chunks.next();
      if (next.done === true) return false;
      if (next.value.length > 0) {
        this.#rest = next.value;
        return true;
      }
    }
  }
}
