/**
 * `node --import tsx scripts/bench/envelope.ts --size 1GiB --json`
 *
 * Encrypts, verifies and decrypts from disk to disk, next to a plain copy of the same file and to the cipher alone in
 * the same run. One JSON object on stdout, progress on stderr.
 */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from "node:crypto";
import { createReadStream, createWriteStream, realpathSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import { generateKeyPair } from "../../src/envelope/keys.ts";
import { hashEnvelope, open } from "../../src/envelope/open.ts";
import { seal } from "../../src/envelope/seal.ts";
import { loadArweaveKey } from "../../src/keys/arweave.ts";
import { openStorage } from "../../src/storage/open.ts";
import { Processes } from "../demo/processes.ts";
import { startGateway } from "../demo/stage.ts";

const CHUNK = 64 * 1024;
const CONTEXT = `0x${"be".repeat(32)}`;

/** A storage to put between encryption and decryption. */
export interface BenchStore {
  /** Stores a file and reads it back; gives its reference. */
  put(path: string): Promise<string>;
  get(reference: string): AsyncIterable<Uint8Array>;
}

export interface Rate {
  seconds: number;
  /** 10^6 bytes of plaintext per second. */
  mbPerSecond: number;
}

export interface EnvelopeBench {
  schema: "neura/bench/envelope/1";
  sizeBytes: number;
  envelopeBytes: number;
  /** File to file, nothing else. */
  copy: Rate;
  /** In memory, the same frames as the envelope has. */
  cipherAlone: { encrypt: Rate; decrypt: Rate; hash: Rate };
  /** File to file. */
  encrypt: Rate;
  /** The envelope's hash from its file. */
  verify: Rate;
  /** File to file, every frame and the hash checked. */
  decrypt: Rate;
  store?: { put: Rate; get: Rate };
  /** 10^6 bytes of resident memory at most, from the start of the process to the end of the decryption. */
  peakRssMb: number;
  node: string;
}

/** Runs the benchmark in a temporary folder, which needs four times `sizeBytes` of space. */
export async function benchEnvelope(options: {
  sizeBytes: number;
  store?: BenchStore;
  onStep?: (step: string) => void;
}): Promise<EnvelopeBench> {
  const { sizeBytes, store, onStep = () => undefined } = options;
  const folder = await mkdtemp(join(tmpdir(), "neura-bench-"));
  const path = (name: string) => join(folder, name);
  const time = async (step: string, action: () => unknown): Promise<Rate> => {
    onStep(step);
    const start = performance.now();
    await action();
    const seconds = (performance.now() - start) / 1000;
    return { seconds: round(seconds, 3), mbPerSecond: round(sizeBytes / 1e6 / seconds, 1) };
  };
  try {
    const { secretKey, publicKey } = generateKeyPair();
    onStep("make a pseudo-random file");
    const digest = createHash("sha256");
    await pipeline(
      pseudoRandom(sizeBytes, (chunk) => digest.update(chunk)),
      createWriteStream(path("plain")),
    );
    const expected = digest.digest("hex");

    const sealed = seal({
      context: CONTEXT,
      compartments: [{ kind: "body", recipients: [publicKey], source: read(path("plain")) }],
    });
    const encrypt = await time("encrypt", () => pipeline(sealed.stream, createWriteStream(path("envelope"))));
    const { hash, size } = sealed.result();

    let stored: { put: Rate; get: Rate } | undefined;
    if (store !== undefined) {
      let reference = "";
      const put = await time("store", async () => (reference = await store.put(path("envelope"))));
      await rm(path("envelope"));
      const get = await time("fetch", () =>
        pipeline(store.get(reference), createWriteStream(path("envelope"))),
      );
      stored = { put, get };
    }

    const verify = await time("verify", async () => {
      if ((await hashEnvelope(read(path("envelope")))) !== hash) throw new Error("the hash differs");
    });
    const decrypt = await time("decrypt", () =>
      pipeline(
        open(read(path("envelope")), { secretKey, context: CONTEXT, hash }),
        createWriteStream(path("opened")),
      ),
    );
    onStep("compare");
    const found = createHash("sha256");
    for await (const chunk of read(path("opened"))) found.update(chunk);
    if (found.digest("hex") !== expected) throw new Error("the decrypted file differs");

    // The comparisons come last: what they take is not the envelope's memory.
    const peakRssMb = round((process.resourceUsage().maxRSS * 1024) / 1e6, 1);
    const copy = await time("copy", () => pipeline(read(path("plain")), createWriteStream(path("copy"))));
    await rm(path("copy"));
    const cipherAlone = {
      encrypt: await time("cipher alone, encrypt", () => encryptOnly(sizeBytes)),
      decrypt: await time("cipher alone, decrypt", () => decryptOnly(sizeBytes)),
      hash: await time("hash alone", () => hashOnly(sizeBytes)),
    };

    return {
      schema: "neura/bench/envelope/1",
      sizeBytes,
      envelopeBytes: size,
      copy,
      cipherAlone,
      encrypt,
      verify,
      decrypt,
      ...(stored === undefined ? {} : { store: stored }),
      peakRssMb,
      node: process.version,
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function read(path: string): AsyncIterable<Uint8Array> {
  return createReadStream(path, { highWaterMark: CHUNK }) as AsyncIterable<Uint8Array>;
}

/** The keystream of a random key: nothing that a disk or a cipher could shorten. */
function* pseudoRandom(length: number, onChunk: (chunk: Uint8Array) => void): Generator<Uint8Array> {
  const stream = createCipheriv("aes-256-ctr", randomBytes(32), randomBytes(16));
  const zeros = new Uint8Array(CHUNK);
  for (let left = length; left > 0; left -= CHUNK) {
    const chunk = stream.update(zeros.subarray(0, Math.min(left, CHUNK)));
    onChunk(chunk);
    yield chunk;
  }
}

function* frameLengths(length: number): Generator<number> {
  for (let left = length; left > 0; left -= CHUNK) yield Math.min(left, CHUNK);
}

function encryptOnly(sizeBytes: number): void {
  const [key, nonce, block] = [randomBytes(32), randomBytes(12), randomBytes(CHUNK)];
  for (const length of frameLengths(sizeBytes)) {
    const cipher = createCipheriv("aes-256-gcm", key, nonce);
    cipher.update(block.subarray(0, length));
    cipher.final();
    cipher.getAuthTag();
  }
}

function decryptOnly(sizeBytes: number): void {
  const [key, nonce, block] = [randomBytes(32), randomBytes(12), randomBytes(CHUNK)];
  const sealedOf = (length: number) => {
    const cipher = createCipheriv("aes-256-gcm", key, nonce);
    return {
      ciphertext: Buffer.concat([cipher.update(block.subarray(0, length)), cipher.final()]),
      tag: cipher.getAuthTag(),
    };
  };
  let sealed = sealedOf(CHUNK);
  for (const length of frameLengths(sizeBytes)) {
    if (length !== sealed.ciphertext.length) sealed = sealedOf(length);
    const decipher = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: 16 }).setAuthTag(
      sealed.tag,
    );
    decipher.update(sealed.ciphertext);
    decipher.final();
  }
}

function hashOnly(sizeBytes: number): void {
  const block = randomBytes(CHUNK);
  const hash = createHash("sha256");
  for (const length of frameLengths(sizeBytes)) hash.update(block.subarray(0, length));
  hash.digest();
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}

/** Bytes of `64KiB`, `1GiB`, `500MB` or a plain number. */
export function parseSize(text: string): number {
  const units: Record<string, number> = {
    KiB: 2 ** 10,
    MiB: 2 ** 20,
    GiB: 2 ** 30,
    KB: 1e3,
    MB: 1e6,
    GB: 1e9,
  };
  const [, digits, unit] = /^(\d+)(KiB|MiB|GiB|KB|MB|GB)?$/.exec(text) ?? [];
  const bytes = Number(digits) * (unit === undefined ? 1 : (units[unit] ?? NaN));
  if (!Number.isSafeInteger(bytes) || bytes === 0) {
    throw new Error(`"${text}" is not a size: write it as 64KiB, 100MiB or 1GiB.`);
  }
  return bytes;
}

function table(bench: EnvelopeBench): string {
  const { copy, cipherAlone, encrypt, verify, decrypt, store } = bench;
  const rates: Record<string, Rate> = {
    "plain copy": copy,
    "cipher alone, encrypt": cipherAlone.encrypt,
    "cipher alone, decrypt": cipherAlone.decrypt,
    "hash alone": cipherAlone.hash,
    encrypt,
    ...(store === undefined ? {} : { store: store.put, fetch: store.get }),
    verify,
    decrypt,
  };
  const lines = Object.entries(rates).map(
    ([name, { seconds, mbPerSecond }]) =>
      `${name.padEnd(22)} ${mbPerSecond.toFixed(1).padStart(8)} MB/s ${seconds.toFixed(2).padStart(8)} s`,
  );
  return [...lines, `peak memory            ${bench.peakRssMb.toFixed(1).padStart(8)} MB`].join("\n");
}

/** A local Arweave gateway as a process of its own, in a folder that `close` removes. */
async function openStore(): Promise<BenchStore & { close(): Promise<void> }> {
  const directory = await mkdtemp(join(tmpdir(), "neura-bench-"));
  const processes = new Processes();
  const { signal } = new AbortController();
  const gateway = await startGateway(directory, { processes, signal });
  const { key } = await loadArweaveKey(join(directory, "arweave.json"));
  const storage = openStorage("ar", { arweave: { gateways: [gateway], key } });
  return {
    async put(path) {
      const stored = await storage.put(path, {});
      await storage.readBack(stored, {});
      return stored.uri;
    },
    get: (reference) => storage.get(reference, { maxBytes: Number.MAX_SAFE_INTEGER }),
    async close() {
      await processes.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    options: { size: { type: "string", default: "256MiB" }, json: { type: "boolean", default: false } },
  });
  const sizeBytes = parseSize(values.size);
  const store = await openStore();
  try {
    const bench = await benchEnvelope({
      sizeBytes,
      store,
      onStep: (step) => process.stderr.write(`${step} …\n`),
    });
    process.stdout.write(`${values.json ? JSON.stringify(bench) : table(bench)}\n`);
  } finally {
    await store.close();
  }
}
