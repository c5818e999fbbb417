import { randomUUID } from "node:crypto";
import { open, unlink, type FileHandle } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import Arweave from "arweave";
import { isNeuraError, messageOf, NeuraError } from "../errors.ts";
import { Secret } from "../secret.ts";
import {
  addressOf,
  cutChunks,
  faultOf,
  isBase64Url,
  parseHeader,
  TreeBuilder,
  type DataTree,
  type TransactionHeader,
} from "./arweave/format.ts";
import { parseArweaveKey, type ArweaveJwk } from "./arweave/key.ts";
import { UploadRecord } from "./arweave/upload-record.ts";
import { HttpClient, type Answer, type Timeouts } from "./http.ts";
import { readSource } from "./source.ts";
import type {
  GetOptions,
  Price,
  PutOptions,
  ReadBackOptions,
  Source,
  Status,
  Storage,
  Stored,
  TransferOptions,
} from "./storage.ts";

export interface ArweaveOptions {
  /** Base URLs. Uploads go to the first that works; reading tries them in order. */
  gateways: readonly string[];
  /** The wallet that pays. Reading needs none. */
  key?: Secret<ArweaveJwk>;
  /** Added to the quoted price [%], so that a price that rises before the block does not void the upload. Default: 10. */
  headRoomPercent?: number;
  /** {@link GetOptions.spoolDirectory} of every download that names none. Default: the system's (`os.tmpdir()`). */
  spoolDirectory?: string;
  /** Default: 30 s of silence, 60 s for one exchange. */
  timeouts?: Timeouts;
  /** Slowest average download that is put up with [bytes/s]; extends the total time by the size. Default: 64 KiB/s. */
  minBytesPerSecond?: number;
  /** Attempts per request of an upload, and the first pause between two [s], doubled each time. Default: 8 and 0.25. */
  attempts?: number;
  pauseSeconds?: number;
}

const UPLOADS_AT_ONCE = 4;
const MAX_CHUNK_REQUEST_BYTES = 384 * 1024;
/** A multiple of three, so that the pieces' base64 joins without padding. */
const ENCODED_AT_ONCE = 48 * 1024;
const MAX_HEADER_BYTES = 1024 * 1024;
const MAX_TEXT_BYTES = 64 * 1024;
const MAX_PAUSE_SECONDS = 8;
const SPOOL_READ_BYTES = 256 * 1024;
const READ_BACK_SECONDS = 30 * 60;
/** Answers of a node to a chunk that another attempt may change; any other refusal is final. */
const PASSING_CHUNK_ERRORS = /data_root_not_found|exceeds_disk_pool_size_limit|not_joined|timeout/;

const arweave = Arweave.init({});

/** The Arweave network through HTTP gateways. References are `ar://` and the 43 characters of a transaction's id. */
export function openArweave(options: ArweaveOptions): Storage {
  return new ArweaveStorage(options);
}

/**
 * `NEURA_ARWEAVE_GATEWAYS`: URLs with commas between them. `NEURA_ARWEAVE_KEY`: content of the wallet's key file.
 * `undefined` without gateways. Errors: `storage.bad-key`.
 */
export function arweaveFromEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
): ArweaveOptions | undefined {
  const gateways = (environment["NEURA_ARWEAVE_GATEWAYS"] ?? "")
    .split(",")
    .map((url) => url.trim())
    .filter((url) => url !== "");
  if (gateways.length === 0) return undefined;
  const key = environment["NEURA_ARWEAVE_KEY"];
  return key === undefined || key === "" ? { gateways } : { gateways, key: parseArweaveKey(new Secret(key)) };
}

class ArweaveStorage implements Storage {
  readonly scheme = "ar";
  readonly #http = new HttpClient();
  readonly #gateways: readonly URL[];
  readonly #key: Secret<ArweaveJwk> | undefined;
  readonly #headRoomPercent: number;
  readonly #spoolDirectory: string;
  readonly #timeouts: Timeouts;
  readonly #minBytesPerSecond: number;
  readonly #attempts: number;
  readonly #pauseSeconds: number;

  constructor(options: ArweaveOptions) {
    this.#gateways = options.gateways.map((text, index) => parseGateway(text, index + 1));
    if (this.#gateways.length === 0) {
      throw new NeuraError("storage.not-configured", "No Arweave gateway is configured.", {
        next: "Set NEURA_ARWEAVE_GATEWAYS to the URLs of one or more gateways.",
      });
    }
    this.#key = options.key;
    this.#headRoomPercent = options.headRoomPercent ?? 10;
    this.#spoolDirectory = options.spoolDirectory ?? tmpdir();
    this.#timeouts = options.timeouts ?? { idleSeconds: 30, totalSeconds: 60 };
    this.#minBytesPerSecond = options.minBytesPerSecond ?? 64 * 1024;
    this.#attempts = options.attempts ?? 8;
    this.#pauseSeconds = options.pauseSeconds ?? 0.25;
  }

  async put(source: Source, options: PutOptions = {}): Promise<Stored> {
    const key = this.#requireKey();
    const tree = await hashSource(source, options);
    if (tree.sizeBytes === 0) {
      throw new NeuraError("storage.empty", "There is nothing to store: the source has no bytes.");
    }
    const tags = encodeTags(options);
    const record = await UploadRecord.open(options.resume);
    try {
      const resumed = record.transaction;
      if (resumed !== undefined) checkSame(resumed, { tree, tags, key, path: options.resume });
      let transaction = resumed ?? (await this.#begin(record, tree, tags, options.signal));
      let sent = await this.#upload(source, tree, record, transaction, options);
      if ("refusal" in sent && resumed !== undefined) {
        // Nobody has it and nobody takes it any more: its anchor is too old, so it can never be mined nor charged.
        transaction = await this.#begin(record, tree, tags, options.signal);
        sent = await this.#upload(source, tree, record, transaction, options);
      }
      if ("refusal" in sent) throw sent.refusal;
      return {
        uri: `ar://${transaction.id}`,
        sizeBytes: tree.sizeBytes,
        costAtomic: BigInt(transaction.reward),
        account: addressOf(transaction.owner),
        gateway: sent.gateway,
      };
    } finally {
      await record.close();
    }
  }

  async *get(uri: string, options: GetOptions): AsyncGenerator<Uint8Array> {
    const id = parseReference(uri);
    // Without a name from the start, so that nothing is left behind however the process ends.
    const path = join(options.spoolDirectory ?? this.#spoolDirectory, `neura-${randomUUID()}.part`);
    const spool = await open(path, "wx+", 0o600);
    try {
      await unlink(path);
      const download = async (gateway: URL): Promise<{ sizeBytes: number }> => {
        await spool.truncate(0);
        return await this.#download(gateway, id, { ...options, phase: "download", spool });
      };
      const { sizeBytes } = await this.#firstGood(uri, this.#gateways, download, options.signal);
      for (let at = 0; at < sizeBytes;) {
        const buffer = Buffer.allocUnsafeSlow(Math.min(SPOOL_READ_BYTES, sizeBytes - at));
        const { bytesRead } = await spool.read(buffer, 0, buffer.length, at);
        if (bytesRead === 0) throw new Error("the spooled download became shorter");
        at += bytesRead;
        yield buffer.subarray(0, bytesRead);
      }
    } finally {
      await spool.close();
    }
  }

  async readBack(
    stored: Pick<Stored, "uri" | "gateway">,
    options: ReadBackOptions = {},
  ): Promise<{ gateway: string }> {
    const id = parseReference(stored.uri);
    const others = this.#gateways.filter((gateway) => nameOf(gateway) !== stored.gateway);
    const gateways = others.length > 0 ? others : this.#gateways;
    const { timeoutSeconds = READ_BACK_SECONDS, signal, onProgress } = options;
    const deadline = Date.now() + timeoutSeconds * 1000;
    for (let pause = this.#pauseSeconds; ; pause = Math.min(2 * pause, MAX_PAUSE_SECONDS)) {
      try {
        const limits = { maxBytes: Number.MAX_SAFE_INTEGER, signal, onProgress };
        const download = async (gateway: URL): Promise<{ gateway: string }> => {
          await this.#download(gateway, id, { ...limits, phase: "read-back" });
          return { gateway: nameOf(gateway) };
        };
        return await this.#firstGood(stored.uri, gateways, download, signal);
      } catch (error) {
        signal?.throwIfAborted();
        const passes = isNeuraError(error) && error.code !== "storage.mismatch";
        if (!passes || Date.now() + pause * 1000 > deadline) throw error;
      }
      await rest(pause, signal);
    }
  }

  async status(uri: string, options: { signal?: AbortSignal } = {}): Promise<Status> {
    const id = parseReference(uri);
    let best: Status | undefined;
    let problem: unknown;
    for (const gateway of this.#gateways) {
      try {
        const status = await this.#statusAt(gateway, id, options.signal);
        if (status.state === "confirmed") return status;
        if (best === undefined || status.state === "pending") best = status;
      } catch (error) {
        options.signal?.throwIfAborted();
        problem ??= error;
      }
    }
    if (best === undefined) throw problem;
    return best;
  }

  async price(sizeBytes: number, options: { signal?: AbortSignal } = {}): Promise<Price> {
    const { signal } = options;
    const quote = await this.#firstAmount(`price/${sizeBytes}`, signal);
    const costAtomic = (quote * BigInt(100 + this.#headRoomPercent) + 99n) / 100n;
    const price = { costAtomic, unit: "winston", symbol: "AR", decimals: 12 };
    if (this.#key === undefined) return price;
    const account = addressOf(this.#key.reveal().n);
    return { ...price, account, balanceAtomic: await this.#firstAmount(`wallet/${account}/balance`, signal) };
  }

  /* ------------------------------------------------ uploading ------------------------------------------------ */

  /** Signs a transaction for the data at today's price and puts it on record. */
  async #begin(
    record: UploadRecord,
    tree: DataTree,
    tags: TransactionHeader["tags"],
    signal: AbortSignal | undefined,
  ): Promise<TransactionHeader> {
    const jwk = this.#requireKey();
    const {
      costAtomic,
      account,
      balanceAtomic = 0n,
    } = await this.price(tree.sizeBytes, { ...(signal && { signal }) });
    if (balanceAtomic < costAtomic) {
      const missingWinston = costAtomic - balanceAtomic;
      throw new NeuraError(
        "storage.insufficient-credit",
        `The Arweave account ${account} has ${balanceAtomic} winston; storing ${tree.sizeBytes} bytes costs ${costAtomic}.`,
        {
          next: `Send at least ${missingWinston} winston (${formatAr(missingWinston)} AR) to ${account}.`,
          details: {
            account: account ?? "",
            costWinston: costAtomic,
            balanceWinston: balanceAtomic,
            missingWinston,
          },
        },
      );
    }
    const unsigned = {
      format: 2,
      last_tx: await this.#first(async (gateway) => await this.#anchorOf(gateway, signal), signal),
      owner: jwk.n,
      target: "",
      quantity: "0",
      data_size: tree.sizeBytes.toString(),
      data_root: tree.root,
      reward: costAtomic.toString(),
    } as const;
    const transaction = arweave.transactions.fromRaw({ ...unsigned, tags, data: new Uint8Array() });
    await arweave.transactions.sign(transaction, jwk);
    const signed = { ...unsigned, tags, id: transaction.id, signature: transaction.signature };
    await record.begin(signed);
    return signed;
  }

  /**
   * Sends the transaction and its chunks to the first gateway that is there, and names it. `refusal`: that gateway
   * does not take the transaction, no other has it, and none was given it by this call.
   */
  async #upload(
    source: Source,
    tree: DataTree,
    record: UploadRecord,
    transaction: TransactionHeader,
    options: TransferOptions,
  ): Promise<{ gateway: string } | { refusal: NeuraError }> {
    let taken = false;
    return await this.#first(async (gateway) => {
      const refusal = await this.#sendHeader(gateway, transaction, record, options.signal);
      if (refusal !== undefined && taken) throw refusal; // whoever took it may have passed it on: it can still be mined
      if (refusal !== undefined) return { refusal };
      taken = true;
      await this.#sendChunks(gateway, source, tree, record, options);
      return { gateway: nameOf(gateway) };
    }, options.signal);
  }

  /** Gives why the gateway does not take the transaction, unless that or another one has it. */
  async #sendHeader(
    gateway: URL,
    transaction: TransactionHeader,
    record: UploadRecord,
    signal: AbortSignal | undefined,
  ): Promise<NeuraError | undefined> {
    const body = JSON.stringify({ ...transaction, data: "" });
    const answer = await this.#postUntilTaken(gateway, "tx", body, signal);
    if (answer.status === 208) return undefined;
    if (answer.status < 300) {
      // It is new to this gateway: whatever that acknowledged for it earlier is lost.
      if (record.acknowledgedBy(nameOf(gateway)).size > 0) await record.forget(nameOf(gateway));
      return undefined;
    }
    const unknown = await this.#isUnknown(transaction.id, signal);
    return unknown ? refused(gateway, "the transaction", answer) : undefined;
  }

  /** Whether every gateway says that it has never heard of a transaction. */
  async #isUnknown(id: string, signal: AbortSignal | undefined): Promise<boolean> {
    for (const gateway of this.#gateways) {
      if ((await this.#statusAt(gateway, id, signal)).state !== "unknown") return false;
    }
    return true;
  }

  async #sendChunks(
    gateway: URL,
    source: Source,
    tree: DataTree,
    record: UploadRecord,
    options: TransferOptions,
  ): Promise<void> {
    const { signal, onProgress } = options;
    const acknowledged = record.acknowledgedBy(nameOf(gateway));
    const stop = new AbortController();
    const stopOrAbort = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
    const lanes = Array.from({ length: UPLOADS_AT_ONCE }, () => new ChunkRequest(tree));
    const sending = new Map<ChunkRequest, Promise<ChunkRequest>>();
    let doneBytes = 0;

    const send = async (
      lane: ChunkRequest,
      { min, max }: { min: number; max: number },
    ): Promise<ChunkRequest> => {
      const answer = await this.#postUntilTaken(gateway, "chunk", lane.body, stopOrAbort);
      if (answer.text.includes("invalid_proof")) throw sourceChanged();
      if (answer.status !== 200) throw refused(gateway, "a chunk", answer);
      await record.acknowledge(nameOf(gateway), min);
      arrived(max - min);
      return lane;
    };
    const arrived = (bytes: number): void => {
      doneBytes += bytes;
      onProgress?.({ phase: "upload", doneBytes, totalBytes: tree.sizeBytes });
    };

    try {
      let index = 0;
      for await (const bytes of cutChunks(readSource(source))) {
        const chunk = tree.chunks[index++];
        if (bytes.length !== (chunk === undefined ? 0 : chunk.maxByteRange - chunk.minByteRange))
          throw sourceChanged();
        if (chunk === undefined) break; // the empty one that ends data of whole chunks
        const { minByteRange: min, maxByteRange: max, proof } = chunk;
        if (acknowledged.has(min)) {
          arrived(max - min);
          continue;
        }
        const lane = lanes.pop() ?? (await Promise.race(sending.values()));
        sending.delete(lane);
        lane.fill({ offset: max - 1, proof, bytes });
        const sent = send(lane, { min, max });
        sent.catch(() => undefined); // awaited below; until then a failure must not count as unhandled
        sending.set(lane, sent);
      }
      await Promise.all(sending.values());
    } finally {
      stop.abort();
      await Promise.allSettled(sending.values());
    }
    if (doneBytes !== tree.sizeBytes) throw sourceChanged();
  }

  /** Posts, and again after a pause while the answer says that it may pass. */
  async #postUntilTaken(
    gateway: URL,
    path: string,
    body: string | Uint8Array,
    signal: AbortSignal | undefined,
  ): Promise<{ status: number; text: string }> {
    for (let attempt = 1; ; attempt++) {
      let problem: unknown;
      try {
        const answer = await this.#request(gateway, path, { method: "POST", body, signal });
        const text = await answer.text(MAX_TEXT_BYTES);
        const { status } = answer;
        const passing = status >= 500 || status === 429 || status === 408 || status === 303;
        if (!passing && !(status === 400 && PASSING_CHUNK_ERRORS.test(text))) return { status, text };
        problem = unavailable(gateway, { status, text });
      } catch (error) {
        signal?.throwIfAborted();
        if (!isNeuraError(error)) throw error;
        problem = error;
      }
      if (attempt === this.#attempts) throw problem;
      const pause = Math.min(this.#pauseSeconds * 2 ** (attempt - 1), MAX_PAUSE_SECONDS);
      await rest(pause * (0.75 + Math.random() / 2), signal);
    }
  }

  /* ----------------------------------------------- downloading ----------------------------------------------- */

  /**
   * Fetches the data of a transaction, hashes it as it comes, and writes it to `spool`. Resolves only if the header
   * is the one that the id names and its owner signed, and the data is all of the data that the header names.
   */
  async #download(
    gateway: URL,
    id: string,
    options: Omit<GetOptions, "signal" | "onProgress"> & {
      signal?: AbortSignal | undefined;
      onProgress?: TransferOptions["onProgress"] | undefined;
      phase: "download" | "read-back";
      spool?: FileHandle;
    },
  ): Promise<{ sizeBytes: number }> {
    const { maxBytes, signal, onProgress, phase, spool } = options;
    const header = await this.#headerAt(gateway, id, signal);
    const sizeBytes = Number(header.data_size);
    if (sizeBytes === 0 || header.data_root === "") {
      throw new NeuraError("storage.not-found", `ar://${id} is a transaction without data.`);
    }
    if (sizeBytes > maxBytes) {
      throw new NeuraError(
        "storage.too-large",
        `ar://${id} has ${sizeBytes} bytes; at most ${maxBytes} are taken.`,
        {
          details: { sizeBytes, maxBytes },
        },
      );
    }
    const answer = await this.#request(gateway, id, {
      signal,
      extraSeconds: sizeBytes / this.#minBytesPerSecond,
    });
    if (answer.status !== 200) throw await dataFault(gateway, id, answer);
    if (answer.claimedBytes !== undefined && answer.claimedBytes !== sizeBytes) {
      answer.discard();
      throw mismatch(gateway, id, `it offers ${answer.claimedBytes} bytes instead of ${sizeBytes}`);
    }

    const tree = new TreeBuilder();
    let doneBytes = 0;
    for await (const chunk of cutChunks(atMost(answer.body, sizeBytes, gateway, id))) {
      tree.add(chunk);
      await writeAll(spool, chunk, doneBytes);
      doneBytes += chunk.length;
      onProgress?.({ phase, doneBytes, totalBytes: sizeBytes });
    }
    const { root } = await tree.build();
    if (doneBytes !== sizeBytes) {
      throw mismatch(gateway, id, `it sent ${doneBytes} bytes instead of ${sizeBytes}`);
    }
    if (root !== header.data_root)
      throw mismatch(gateway, id, "its bytes do not have the transaction's data root");
    return { sizeBytes };
  }

  async #headerAt(gateway: URL, id: string, signal: AbortSignal | undefined): Promise<TransactionHeader> {
    const answer = await this.#request(gateway, `tx/${id}`, { signal });
    const text = await answer.text(MAX_HEADER_BYTES);
    if (answer.status === 202) throw pending(gateway, id, "the transaction is not in a block yet");
    if (answer.status === 404 || answer.status === 410) throw notFound(gateway, id);
    if (answer.status !== 200) throw unavailable(gateway, { status: answer.status, text });
    const header = parseHeader(parseJson(text));
    if (header === undefined) throw mismatch(gateway, id, "its answer is not a transaction of format 2");
    if (header.id !== id) throw mismatch(gateway, id, `it answered with transaction ${header.id}`);
    const fault = await faultOf(header);
    if (fault !== undefined) throw mismatch(gateway, id, fault);
    return header;
  }

  async #statusAt(gateway: URL, id: string, signal: AbortSignal | undefined): Promise<Status> {
    const answer = await this.#request(gateway, `tx/${id}/status`, { signal });
    const text = await answer.text(MAX_TEXT_BYTES);
    if (answer.status === 202) return { state: "pending", confirmations: 0 };
    if (answer.status === 404 || answer.status === 410) return { state: "unknown", confirmations: 0 };
    if (answer.status !== 200) throw unavailable(gateway, { status: answer.status, text });
    const confirmations = /"number_of_confirmations"\s*:\s*(\d{1,15})/.exec(text)?.[1];
    if (confirmations === undefined) throw mismatch(gateway, id, "its status is not one");
    const { data_size } = await this.#headerAt(gateway, id, signal);
    return { state: "confirmed", confirmations: Number(confirmations), sizeBytes: Number(data_size) };
  }

  /* ------------------------------------------------ gateways ------------------------------------------------ */

  async #request(
    gateway: URL,
    path: string,
    options: {
      method?: "GET" | "POST";
      body?: string | Uint8Array;
      signal?: AbortSignal | undefined;
      extraSeconds?: number;
    } = {},
  ): Promise<Answer> {
    const { extraSeconds = 0, ...exchange } = options;
    const { idleSeconds, totalSeconds } = this.#timeouts;
    const timeouts = { idleSeconds, totalSeconds: totalSeconds + extraSeconds };
    return await this.#http.request(new URL(path, gateway), { ...exchange, timeouts });
  }

  async #firstAmount(path: string, signal: AbortSignal | undefined): Promise<bigint> {
    return await this.#first(async (gateway) => {
      const answer = await this.#request(gateway, path, { signal });
      const text = await answer.text(MAX_TEXT_BYTES);
      if (answer.status !== 200 || !/^\d{1,40}$/.test(text))
        throw unavailable(gateway, { status: answer.status, text });
      return BigInt(text);
    }, signal);
  }

  async #anchorOf(gateway: URL, signal: AbortSignal | undefined): Promise<string> {
    const answer = await this.#request(gateway, "tx_anchor", { signal });
    const text = await answer.text(MAX_TEXT_BYTES);
    if (answer.status !== 200 || text.length < 43 || !isBase64Url(text)) {
      throw unavailable(gateway, { status: answer.status, text });
    }
    return text;
  }

  /** The result of the first gateway that can be used. */
  async #first<T>(use: (gateway: URL) => Promise<T>, signal?: AbortSignal): Promise<T> {
    let problem: unknown;
    for (const gateway of this.#gateways) {
      try {
        return await use(gateway);
      } catch (error) {
        signal?.throwIfAborted();
        const passes = isNeuraError(error, "storage.unavailable") || isNeuraError(error, "storage.timeout");
        if (!passes) throw error;
        problem ??= error;
      }
    }
    throw problem;
  }

  /** The result of the first gateway that serves a reference truly; else the error that tells most about it. */
  async #firstGood<T>(
    uri: string,
    gateways: readonly URL[],
    use: (gateway: URL) => Promise<T>,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    const problems: NeuraError[] = [];
    for (const gateway of gateways) {
      try {
        return await use(gateway);
      } catch (error) {
        signal?.throwIfAborted();
        if (!isNeuraError(error) || error.code === "storage.too-large") throw error;
        problems.push(error);
      }
    }
    const [first] = problems;
    if (first !== undefined && problems.length === 1) throw first;
    const worst =
      TELLING.map((code) => problems.find((problem) => problem.code === code)).find(Boolean) ?? first;
    throw new NeuraError(
      worst?.code ?? "storage.unavailable",
      `${uri} could not be read from any of ${problems.length} gateways: ${problems.map(messageOf).join(" ")}`,
      { ...(worst?.next === undefined ? {} : { next: worst.next }), cause: worst },
    );
  }

  #requireKey(): ArweaveJwk {
    if (this.#key !== undefined) return this.#key.reveal();
    throw new NeuraError("storage.no-account", "Storing on Arweave needs a wallet, and none is configured.", {
      next: "Put the wallet's key file into the keystore or the environment as NEURA_ARWEAVE_KEY.",
    });
  }
}

/** Which of several gateways' errors stands for all: what waiting may change first. */
const TELLING = [
  "storage.pending",
  "storage.timeout",
  "storage.unavailable",
  "storage.mismatch",
  "storage.not-found",
] as const;

/** The id in `ar://<id>`. It is all that a reference is used for: it names no server. */
function parseReference(uri: string): string {
  const id = /^ar:\/\/([\w-]{43})$/.exec(uri)?.[1];
  if (id !== undefined && isBase64Url(id)) return id;
  throw new NeuraError("storage.bad-reference", `${JSON.stringify(uri)} is not an Arweave reference.`, {
    next: "An Arweave reference is ar:// and the 43 characters of a transaction's id.",
  });
}

/** The URL itself stays unsaid: it may hold a password or a key. */
function parseGateway(text: string, number: number): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new NeuraError("storage.not-configured", `Gateway ${number} is not given by a URL of HTTP.`, {
      next: "Give its URL with http:// or https:// in front.",
    });
  }
  if (!url.pathname.endsWith("/")) url.pathname += "/";
  return url;
}

/** What a gateway is called in results, errors and records: not its whole URL, which may hold a password or a key. */
function nameOf(gateway: URL): string {
  return gateway.origin;
}

/** Waits [s]; rejects with the reason of `signal` when that aborts. */
async function rest(seconds: number, signal: AbortSignal | undefined): Promise<void> {
  await sleep(seconds * 1000, undefined, { signal }).catch(() => undefined);
  signal?.throwIfAborted();
}

async function hashSource(source: Source, { signal, onProgress }: TransferOptions): Promise<DataTree> {
  const tree = new TreeBuilder();
  let doneBytes = 0;
  for await (const chunk of cutChunks(readSource(source))) {
    signal?.throwIfAborted();
    tree.add(chunk);
    doneBytes += chunk.length;
    onProgress?.({ phase: "hash", doneBytes });
  }
  return await tree.build();
}

/**
 * The JSON of a `POST /chunk` in a buffer that is used again. All of its values are base64url or digits, so nothing
 * needs escaping; they are encoded in small steps, because strings of the whole cost more than all the rest.
 */
class ChunkRequest {
  readonly #buffer = Buffer.allocUnsafeSlow(MAX_CHUNK_REQUEST_BYTES);
  readonly #head: string;
  #length = 0;

  constructor(tree: DataTree) {
    this.#head = `{"data_root":"${tree.root}","data_size":"${tree.sizeBytes}",`;
  }

  get body(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  fill({ offset, proof, bytes }: { offset: number; proof: Uint8Array; bytes: Buffer }): void {
    this.#length = 0;
    this.#write(
      `${this.#head}"offset":"${offset}","data_path":"${Buffer.from(proof).toString("base64url")}","chunk":"`,
    );
    for (let at = 0; at < bytes.length; at += ENCODED_AT_ONCE) {
      this.#write(bytes.toString("base64url", at, Math.min(at + ENCODED_AT_ONCE, bytes.length)));
    }
    this.#write(`"}`);
  }

  #write(text: string): void {
    this.#length += this.#buffer.write(text, this.#length, "latin1");
  }
}

function encodeTags({
  contentType = "application/octet-stream",
  tags = {},
}: PutOptions): TransactionHeader["tags"] {
  return Object.entries({ "Content-Type": contentType, ...tags }).map(([name, value]) => ({
    name: Buffer.from(name).toString("base64url"),
    value: Buffer.from(value).toString("base64url"),
  }));
}

/** A resumed upload must be of the same bytes, labels and wallet: what was paid for is one transaction. */
function checkSame(
  transaction: TransactionHeader,
  wanted: { tree: DataTree; tags: TransactionHeader["tags"]; key: ArweaveJwk; path: string | undefined },
): void {
  const { tree, tags, key, path } = wanted;
  const same =
    transaction.data_root === tree.root &&
    transaction.data_size === tree.sizeBytes.toString() &&
    transaction.owner === key.n &&
    JSON.stringify(transaction.tags) === JSON.stringify(tags);
  if (same) return;
  throw new NeuraError(
    "storage.resume-mismatch",
    `${path ?? ""} records the upload of other data or by another wallet.`,
    {
      next: "Resume with the same source, tags and key, or name another file.",
    },
  );
}

async function* atMost(
  body: AsyncIterable<Uint8Array>,
  sizeBytes: number,
  gateway: URL,
  id: string,
): AsyncGenerator<Uint8Array> {
  let received = 0;
  for await (const piece of body) {
    received += piece.length;
    if (received > sizeBytes) throw mismatch(gateway, id, `it sends more than ${sizeBytes} bytes`);
    yield piece;
  }
}

async function writeAll(file: FileHandle | undefined, bytes: Uint8Array, position: number): Promise<void> {
  for (let at = 0; file !== undefined && at < bytes.length;) {
    at += (await file.write(bytes, at, bytes.length - at, position + at)).bytesWritten;
  }
}

async function dataFault(gateway: URL, id: string, answer: Answer): Promise<NeuraError> {
  const text = await answer.text(MAX_TEXT_BYTES).catch(() => "");
  if (answer.status === 202 || answer.status === 404) {
    return pending(gateway, id, "the data has not arrived there yet");
  }
  return unavailable(gateway, { status: answer.status, text });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function formatAr(winston: bigint): string {
  const digits = winston.toString().padStart(13, "0");
  return `${digits.slice(0, -12)}.${digits.slice(-12)}`.replace(/\.?0+$/, "");
}

function notFound(gateway: URL, id: string): NeuraError {
  return new NeuraError("storage.not-found", `${nameOf(gateway)} does not know ar://${id}.`, {
    next: "Check the reference; a fresh upload may take minutes to reach every gateway.",
  });
}

function pending(gateway: URL, id: string, what: string): NeuraError {
  return new NeuraError("storage.pending", `${nameOf(gateway)} cannot serve ar://${id} yet: ${what}.`, {
    next: "Try again in a moment.",
  });
}

function mismatch(gateway: URL, id: string, what: string): NeuraError {
  return new NeuraError("storage.mismatch", `${nameOf(gateway)} answered wrongly for ar://${id}: ${what}.`, {
    next: "Configure another gateway.",
  });
}

function unavailable(gateway: URL, { status, text }: { status: number; text: string }): NeuraError {
  return new NeuraError(
    "storage.unavailable",
    `${nameOf(gateway)} answered ${status}: ${excerpt(gateway, text)}`,
    {
      next: "Try again, or configure another gateway.",
    },
  );
}

function refused(gateway: URL, what: string, { status, text }: { status: number; text: string }): NeuraError {
  return new NeuraError(
    "storage.refused",
    `${nameOf(gateway)} refused ${what} with ${status}: ${excerpt(gateway, text)}`,
    {
      next: "Check the account's credit, or configure another gateway.",
    },
  );
}

function sourceChanged(): NeuraError {
  return new NeuraError("storage.source-changed", "The source changed while it was being stored.", {
    next: "Store it again, with another file to resume from.",
  });
}

/**
 * Servers' texts are shown, but short, without control characters, and without what is secret in the gateway's URL:
 * many repeat the path that was asked for.
 */
function excerpt({ username, password, pathname }: URL, text: string): string {
  const secrets = [username, password, ...pathname.split("/")].filter((part) => part !== "");
  const shown = secrets.reduce((rest, secret) => rest.replaceAll(secret, "…"), text);
  return JSON.stringify(shown.slice(0, 120));
}
