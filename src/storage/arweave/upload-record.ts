import { open, readFile, rename, truncate, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { NeuraError } from "../../errors.ts";
import { syncDirectory } from "../../files.ts";
import { isRecord, parseHeader, type TransactionHeader } from "./format.ts";

const SCHEMA = "neura/arweave-upload/1";

/**
 * What has to survive a crash so that an upload goes on and is paid once: the signed transaction, on disk before
 * anybody sees it, then a line per chunk that a gateway has acknowledged. Without a path it lasts as long as the call.
 */
export class UploadRecord {
  readonly #path: string | undefined;
  readonly #acknowledged = new Map<string, Set<number>>();
  #transaction: TransactionHeader | undefined;
  #file: FileHandle | undefined;

  private constructor(path: string | undefined) {
    this.#path = path;
  }

  static async open(path: string | undefined): Promise<UploadRecord> {
    const record = new UploadRecord(path);
    if (path !== undefined) await record.#load(path);
    return record;
  }

  get transaction(): TransactionHeader | undefined {
    return this.#transaction;
  }

  /** The first bytes of the chunks that this gateway has. */
  acknowledgedBy(gateway: string): Set<number> {
    let chunks = this.#acknowledged.get(gateway);
    if (chunks === undefined) this.#acknowledged.set(gateway, (chunks = new Set()));
    return chunks;
  }

  /** Begins anew with this transaction; returns once it is on disk. */
  async begin(transaction: TransactionHeader): Promise<void> {
    await this.close();
    this.#transaction = transaction;
    this.#acknowledged.clear();
    if (this.#path === undefined) return;
    const fresh = `${this.#path}.new`;
    const file = await open(fresh, "w", 0o600);
    try {
      await file.writeFile(`${JSON.stringify({ schema: SCHEMA, transaction })}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(fresh, this.#path);
    await syncDirectory(dirname(this.#path));
    this.#file = await open(this.#path, "a");
  }

  async acknowledge(gateway: string, min: number): Promise<void> {
    this.acknowledgedBy(gateway).add(min);
    await this.#file?.appendFile(`${JSON.stringify({ gateway, min })}\n`);
  }

  /** The gateway has lost what it acknowledged. */
  async forget(gateway: string): Promise<void> {
    this.acknowledgedBy(gateway).clear();
    await this.#file?.appendFile(`${JSON.stringify({ gateway, forget: true })}\n`);
  }

  async close(): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
  }

  async #load(path: string): Promise<void> {
    let text: string;
    try {
      text = await readFile(path, "utf8");
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return;
      throw error;
    }
    const whole = text.slice(0, text.lastIndexOf("\n") + 1); // a crash may have cut the last line off
    const [first = "", ...lines] = whole.split("\n");
    const head = parse(first);
    const transaction =
      isRecord(head) && head["schema"] === SCHEMA ? parseHeader(head["transaction"]) : undefined;
    if (transaction === undefined) {
      throw new NeuraError("storage.resume-mismatch", `${path} is not the record of an Arweave upload.`, {
        next: "Name another file to resume from.",
      });
    }
    this.#transaction = transaction;
    for (const line of lines) {
      const entry = parse(line);
      if (!isRecord(entry) || typeof entry["gateway"] !== "string") continue;
      const chunks = this.acknowledgedBy(entry["gateway"]);
      if (entry["forget"] === true) chunks.clear();
      else if (typeof entry["min"] === "number") chunks.add(entry["min"]);
    }
    await truncate(path, Buffer.byteLength(whole));
    this.#file = await open(path, "a");
  }
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
