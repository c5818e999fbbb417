import { closeSync, openSync, writeSync } from "node:fs";

/** A log file that takes no more than its share of the disk; what is beyond is counted and dropped. */
export class CappedLog {
  readonly #file: number;
  #left: number;
  #dropped = 0;

  constructor(path: string, bytes: number) {
    this.#file = openSync(path, "a", 0o600);
    this.#left = bytes;
  }

  write(data: Buffer | string): void {
    const bytes = Buffer.from(data);
    const kept = bytes.subarray(0, this.#left);
    this.#left -= kept.length;
    this.#dropped += bytes.length - kept.length;
    this.#append(kept);
  }

  close(): void {
    if (this.#dropped > 0)
      this.#append(Buffer.from(`\n[cut here: ${this.#dropped} more bytes were logged]\n`));
    closeSync(this.#file);
  }

  #append(bytes: Buffer): void {
    try {
      for (let done = 0; done < bytes.length;) done += writeSync(this.#file, bytes, done);
    } catch {
      // A full disk ends no run by way of its log.
      this.#dropped += bytes.length;
    }
  }
}
