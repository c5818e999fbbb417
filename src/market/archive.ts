import { createWriteStream } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import tar from "tar-stream";

import type { ByteSource } from "../envelope/index.ts";
import { isNeuraError, messageOf, NeuraError } from "../errors.ts";
import { checkInputPath } from "../manifest.ts";

/** What is taken out of an archive at most; what is beyond is refused, never cut. */
export interface ArchiveLimits {
  /** All files together. */
  readonly maxBytes: number;
  readonly maxFiles: number;
}

/** One extracted file. */
export interface ExtractedFile {
  /** In the archive. */
  readonly path: string;
  readonly sizeBytes: number;
}

/**
 * Writes the files of a tar archive below `directory`, which must be empty: regular files with plain relative
 * paths only, each once; anything else ends it with an error, and the caller deletes the directory.
 *
 * Errors: `archive.unsafe`, `archive.too-large`, `archive.malformed`, and what the source throws.
 */
export async function extractArchive(
  source: ByteSource,
  {
    directory,
    limits,
    signal,
  }: { directory: string; limits: ArchiveLimits; signal?: AbortSignal | undefined },
): Promise<ExtractedFile[]> {
  const files: ExtractedFile[] = [];
  const seen = new Set<string>();
  let total = 0;
  let broken: Error | undefined;
  const watched = async function* (): AsyncGenerator<Uint8Array> {
    try {
      yield* source;
    } catch (error) {
      broken = error instanceof Error ? error : new Error(messageOf(error));
      throw error;
    }
  };
  try {
    const extract = tar.extract();
    const feeding = pipeline(Readable.from(watched()), extract, signal === undefined ? {} : { signal });
    // Its error comes out of the loop, too.
    feeding.catch(() => undefined);
    for await (const entry of extract) {
      const { name, type, size } = entry.header;

      if (type === "directory") {
        entry.resume();
        continue;
      }
      if (type !== "file") throw unsafe(name, `is a ${type}`);
      checkPath(name);
      if (seen.has(name.toLowerCase())) throw unsafe(name, "occurs twice");
      seen.add(name.toLowerCase());
      total += size;
      if (total > limits.maxBytes) throw tooLarge(`more than ${limits.maxBytes} bytes`);
      if (files.length >= limits.maxFiles) throw tooLarge(`more than ${limits.maxFiles} files`);
      const path = join(directory, ...name.split("/"));
      await mkdir(dirname(path), { recursive: true });
      await pipeline(bytesOf(entry), createWriteStream(path, { flags: "wx", mode: 0o644 }));
      files.push({ path: name, sizeBytes: size });
    }
    await feeding;
    return files;
  } catch (error) {
    signal?.throwIfAborted();
    // The tar reader would say only that its input ended.
    if (broken !== undefined) throw broken;
    if (isNeuraError(error)) throw error;
    throw new NeuraError("archive.malformed", `The archive cannot be read: ${messageOf(error)}.`, {
      next: "Do not use it: it is not what a node writes.",
      cause: error,
    });
  }
}

/** A generator, since Node's pipeline does not notice when a stream of this library breaks off. */
async function* bytesOf(entry: AsyncIterable<unknown>): AsyncGenerator<Uint8Array> {
  for await (const bytes of entry) if (bytes instanceof Uint8Array) yield bytes;
}

/** The rules of a manifest's input paths, for any path. */
function checkPath(name: string): void {
  try {
    checkInputPath(`input/${name}`);
  } catch (error) {
    throw unsafe(name, messageOf(error));
  }
}

function unsafe(name: string, reason: string): NeuraError {
  return new NeuraError(
    "archive.unsafe",
    `The archive's entry ${JSON.stringify(name)} is refused: ${reason}.`,
    {
      next: "Do not use it: it could write where it should not.",
    },
  );
}

function tooLarge(reason: string): NeuraError {
  return new NeuraError("archive.too-large", `The archive has ${reason}.`, {
    next: "Ask for less, or raise the limit if you expect that much.",
  });
}
