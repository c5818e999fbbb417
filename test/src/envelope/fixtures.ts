import { expect } from "chai";

import { type CompartmentKind, generateKeyPair, type KeyPair, seal } from "../../../src/envelope/index.ts";
import { encodeHeader, type Header } from "../../../src/envelope/format.ts";
import { NeuraError } from "../../../src/errors.ts";

export const CONTEXT = `0x${"c0".repeat(32)}`;
export const SMALL_CHUNK = 4096;

/** Bytes that are easy to make again: 0, 1, … 250, 0, … */
export function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => index % 251);
}

export async function collect(source: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts = [];
  for await (const part of source) parts.push(part);
  return concat(...parts);
}

export function concat(...parts: Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

/** A sealed envelope in memory, its recipient and its parts. */
export async function sealed(
  plaintexts: Partial<Record<CompartmentKind, Uint8Array>> = { body: pattern(10_000) },
  { keys = generateKeyPair(), others = [] }: { keys?: KeyPair; others?: Uint8Array[] } = {},
): Promise<{ bytes: Uint8Array; header: Header; bodies: Uint8Array; hash: string; keys: KeyPair }> {
  const kinds: CompartmentKind[] = ["secrets", "trace", "body"];
  const envelope = seal({
    context: CONTEXT,
    chunkBytes: SMALL_CHUNK,
    compartments: kinds.flatMap((kind) => {
      const plaintext = plaintexts[kind];
      if (plaintext === undefined) return [];
      return [{ kind, recipients: [...others, keys.publicKey], source: [plaintext] }];
    }),
  });
  const bytes = await collect(envelope.stream);
  const { header } = envelope;
  const bodies = bytes.subarray(encodeHeader(header).length);
  return { bytes, header, bodies, hash: envelope.result().hash, keys };
}

/** Expects a `NeuraError` with this code, now or from the promise, and gives it. */
export async function refusal(code: string, action: () => unknown): Promise<NeuraError> {
  try {
    await action();
  } catch (error) {
    expect(error).to.be.instanceOf(NeuraError);
    if (error instanceof NeuraError) {
      expect(error.code).to.equal(code);
      return error;
    }
  }
  return expect.fail(`expected ${code}, but nothing was thrown`);
}
