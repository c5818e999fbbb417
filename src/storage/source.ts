import { open } from "node:fs/promises";
import type { Source } from "./storage.ts";

const READ_BYTES = 256 * 1024;

/** Starts reading a source from its first byte. A piece is valid only until the next one is asked for. */
export function readSource(source: Source): AsyncIterable<Uint8Array> {
  if (typeof source === "function") return source();
  return typeof source === "string" ? readFile(source) : onePiece(source);
}

/** The bytes as a stream of one piece. */
export async function* onePiece(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  await Promise.resolve();
  yield bytes;
}

async function* readFile(path: string): AsyncGenerator<Uint8Array> {
  const file = await open(path);
  try {
    const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, READ_BYTES, null);
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}
