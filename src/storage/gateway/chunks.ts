import { appendFileSync, constants, existsSync, mkdirSync, readFileSync, truncateSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";

interface Range {
  max: number;
  /** The proof, base64url. */
  path: string;
}

interface Data {
  ranges: Map<number, Range>;
  receivedBytes: number;
}

export interface DataKey {
  dataRoot: string;
  sizeBytes: number;
}

/**
 * The data of transactions on disk, under their data roots: one file with the bytes, filled as chunks arrive in
 * any order, and one with a line per chunk: first byte, end, proof. The line is written after the bytes, so what is
 * listed is there.
 */
export class Chunks {
  readonly #directory: string;
  readonly #data = new Map<string, Data>();

  constructor(directory: string) {
    this.#directory = directory;
    mkdirSync(directory, { recursive: true });
  }

  pathOf(key: DataKey): string {
    return join(this.#directory, `${key.dataRoot}-${key.sizeBytes}.data`);
  }

  isComplete(key: DataKey): boolean {
    return this.#load(key).receivedBytes === key.sizeBytes;
  }

  /** Stores a chunk whose proof has been checked. */
  async store(key: DataKey, chunk: { bytes: Uint8Array; min: number; path: string }): Promise<void> {
    const { bytes, min, path } = chunk;
    const data = this.#load(key);
    if (data.ranges.has(min)) return;
    const file = await open(this.pathOf(key), constants.O_RDWR | constants.O_CREAT, 0o600);
    try {
      await file.write(bytes, 0, bytes.length, min);
    } finally {
      await file.close();
    }
    if (data.ranges.has(min)) return; // the same chunk came twice at once
    const max = min + bytes.length;
    appendFileSync(this.#listOf(key), `${min} ${max} ${path}\n`, { mode: 0o600 });
    add(data, min, { max, path });
  }

  /** The chunk that covers byte `position` of the data, if it has arrived. */
  async read(key: DataKey, position: number): Promise<{ bytes: Uint8Array; path: string } | undefined> {
    for (const [min, { max, path }] of this.#load(key).ranges) {
      if (position < min || position >= max) continue;
      const file = await open(this.pathOf(key));
      try {
        const bytes = Buffer.alloc(max - min);
        await file.read(bytes, 0, bytes.length, min);
        return { bytes, path };
      } finally {
        await file.close();
      }
    }
    return undefined;
  }

  #listOf(key: DataKey): string {
    return join(this.#directory, `${key.dataRoot}-${key.sizeBytes}.chunks`);
  }

  #load(key: DataKey): Data {
    const name = `${key.dataRoot}-${key.sizeBytes}`;
    const cached = this.#data.get(name);
    if (cached !== undefined) return cached;
    const data: Data = { ranges: new Map(), receivedBytes: 0 };
    const list = this.#listOf(key);
    if (existsSync(list)) {
      const text = readFileSync(list, "latin1");
      const whole = text.slice(0, text.lastIndexOf("\n") + 1);
      truncateSync(list, whole.length);
      for (const line of whole.split("\n")) {
        const [min, max, path] = line.split(" ");
        if (max !== undefined && path !== undefined) add(data, Number(min), { max: Number(max), path });
      }
    }
    this.#data.set(name, data);
    return data;
  }
}

function add(data: Data, min: number, range: Range): void {
  data.ranges.set(min, range);
  data.receivedBytes += range.max - min;
}
