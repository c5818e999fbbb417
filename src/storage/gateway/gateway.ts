import { createHash } from "node:crypto";
import { once } from "node:events";
import { createReadStream, mkdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import * as merkle from "arweave/node/lib/merkle.js";
import { messageOf, NeuraError } from "../../errors.ts";
import {
  addressOf,
  cutChunks,
  faultOf,
  isBase64Url,
  isRecord,
  parseHeader,
  TreeBuilder,
  type TransactionHeader,
} from "../arweave/format.ts";
import { onePiece } from "../source.ts";
import { Chain } from "./chain.ts";
import { Chunks, type DataKey } from "./chunks.ts";

const MAX_CHUNK_REQUEST_BYTES = 768 * 1024;
const MAX_TRANSACTION_REQUEST_BYTES = 16 * 1024 * 1024;
const MAX_PATH_BYTES = 256 * 1024;
const MAX_ENCODED_DATA_BYTES = 12 * 1024 * 1024;
const LOOPBACK = new Set(["127.0.0.1", "::1", "localhost"]);

export interface GatewayOptions {
  /** Where everything is kept. One gateway at a time. */
  directory: string;
  /** Address to listen on. Only on a loopback address can wallets be credited. Default: 127.0.0.1. */
  host?: string;
  /** Default: 0, any free port. */
  port?: number;
  /** Time between blocks [s]. 0: only `mine` makes blocks. Default: 1. */
  blockSeconds?: number;
  /** Price of storage. Default: 0, so that no wallet needs anything. */
  winstonPerByte?: bigint;
  /** Closes the gateway. */
  signal?: AbortSignal;
}

export interface Gateway {
  url: string;
  /** Puts what is pending into a block now. */
  mine(): { height: number; transactions: string[] };
  close(): Promise<void>;
}

interface Reply {
  status: number;
  body?: string;
  type?: string;
  headers?: Record<string, string>;
  /** Sent instead of `body`, from byte `start` to byte `end`. */
  file?: { path: string; start: number; end: number };
}

const OK = reply(200, "OK");
const PENDING = reply(202, "Pending");
const NOT_FOUND = reply(404, "Not Found.");

/**
 * Starts an Arweave gateway on this machine that speaks to arweave-js as a real one does: it checks transactions and
 * chunk proofs, keeps transactions pending until a block, and serves data once all of its chunks have arrived.
 *
 * Error: `gateway.no-port`.
 */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { host = "127.0.0.1", port = 0, blockSeconds = 1, signal } = options;
  signal?.throwIfAborted();
  const server = http.createServer({ keepAliveTimeout: 60_000 });
  await listen(server, { host, port });
  // Only now: where the port is taken, a gateway may be using this directory.
  let opened;
  try {
    opened = openChain(options, { host, blockSeconds });
  } catch (error) {
    server.close();
    throw error;
  }
  const { chain, node } = opened;
  server.on("request", (request, response) => {
    respond(node, request, response).catch((error: unknown) => {
      response.destroy(error instanceof Error ? error : undefined);
    });
  });

  const timer =
    blockSeconds === 0
      ? undefined
      : setInterval(() => {
          if (chain.hasPending) chain.mine();
        }, blockSeconds * 1000);
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> =>
    (closing ??= new Promise((resolve) => {
      clearInterval(timer);
      signal?.removeEventListener("abort", onAbort);
      server.close(() => {
        chain.close();
        resolve();
      });
      server.closeAllConnections();
    }));
  const onAbort = (): void => void close();
  signal?.addEventListener("abort", onAbort, { once: true });

  const address = server.address() as AddressInfo;
  const name = address.family === "IPv6" ? `[${address.address}]` : address.address;
  return { url: `http://${name}:${address.port}`, mine: () => chain.mine(), close };
}

function openChain(
  { directory, winstonPerByte = 0n }: GatewayOptions,
  { host, blockSeconds }: { host: string; blockSeconds: number },
): { chain: Chain; node: GatewayServer } {
  mkdirSync(directory, { recursive: true });
  const chain = new Chain({ path: join(directory, "journal.ndjson"), blockSeconds });
  const chunks = new Chunks(join(directory, "data"));
  return { chain, node: new GatewayServer({ chain, chunks, winstonPerByte, mayMint: LOOPBACK.has(host) }) };
}

async function listen(server: http.Server, { host, port }: { host: string; port: number }): Promise<void> {
  server.listen(port, host);
  try {
    await once(server, "listening");
  } catch (cause) {
    const taken = cause instanceof Error && "code" in cause && cause.code === "EADDRINUSE";
    throw new NeuraError(
      "gateway.no-port",
      taken
        ? `Port ${port} of ${host} is taken.`
        : `The gateway cannot listen on port ${port} of ${host}: ${messageOf(cause)}.`,
      { next: "End what uses it, perhaps another gateway, or choose another port.", cause },
    );
  }
}

class GatewayServer {
  readonly #chain: Chain;
  readonly #chunks: Chunks;
  readonly #winstonPerByte: bigint;
  readonly #mayMint: boolean;

  constructor(parts: { chain: Chain; chunks: Chunks; winstonPerByte: bigint; mayMint: boolean }) {
    this.#chain = parts.chain;
    this.#chunks = parts.chunks;
    this.#winstonPerByte = parts.winstonPerByte;
    this.#mayMint = parts.mayMint;
  }

  async handle(request: http.IncomingMessage): Promise<Reply> {
    const { pathname } = new URL(request.url ?? "/", "http://gateway");
    const [first = "", second = "", third = "", ...more] = pathname.slice(1).split("/");
    if (more.length > 0) return NOT_FOUND;
    switch (request.method) {
      case "OPTIONS":
        return {
          status: 204,
          headers: {
            "Access-Control-Allow-Methods": "GET, HEAD, POST",
            "Access-Control-Allow-Headers": "Content-Type, Range",
          },
        };
      case "POST":
        return await this.#post(request, [first, second, third]);
      case "GET":
      case "HEAD":
        if (isId(first) && second === "") return this.#getData(first, request.headers.range);
        return await this.#get([first, second, third]);
      default:
        return reply(405, "Method Not Allowed");
    }
  }

  async #post(
    request: http.IncomingMessage,
    [first, second, third]: [string, string, string],
  ): Promise<Reply> {
    switch (first) {
      case "tx":
        return second === "" ? await this.#postTransaction(request) : NOT_FOUND;
      case "chunk":
        return second === "" ? await this.#postChunk(request) : NOT_FOUND;
      case "mine":
        return json(this.#chain.mine());
      case "mint":
        if (!this.#mayMint) return reply(403, "Only a gateway on a loopback address mints.");
        if (!isId(second) || !/^\d{1,30}$/.test(third)) return reply(400, "Invalid address or amount.");
        this.#chain.mint(second, BigInt(third));
        return OK;
      default:
        return NOT_FOUND;
    }
  }

  async #get([first, second, third]: [string, string, string]): Promise<Reply> {
    switch (first) {
      case "":
      case "info":
        return this.#info();
      case "tx_anchor":
        return reply(200, this.#chain.anchor);
      case "price":
        if (!/^\d{1,15}$/.test(second)) return failed(400, "size_must_be_an_integer");
        return reply(200, this.#priceOf(Number(second)).toString());
      case "wallet":
        if (!isId(second)) return reply(400, "Invalid address.");
        if (third === "balance") return reply(200, this.#chain.balanceOf(second).toString());
        return third === "last_tx" ? reply(200, this.#chain.lastTransactionOf(second)) : NOT_FOUND;
      case "chunk":
        return /^\d{1,15}$/.test(second)
          ? await this.#getChunk(Number(second))
          : failed(400, "invalid_offset");
      case "tx":
        return isId(second) ? await this.#getTransaction(second, third) : reply(400, "Invalid hash.");
      default:
        return NOT_FOUND;
    }
  }

  #info(): Reply {
    return json({
      network: "neura.local",
      version: 5,
      release: 1,
      height: this.#chain.height,
      current: this.#chain.anchor,
      blocks: this.#chain.blockCount,
      peers: 0,
      queue_length: 0,
      node_state_latency: 0,
    });
  }

  async #getTransaction(id: string, part: string): Promise<Reply> {
    const found = this.#chain.find(id);
    if (found === undefined) return NOT_FOUND;
    if (found === "pending") return PENDING;
    switch (part) {
      case "":
        return json({ ...found.header, data: "" });
      case "status":
        return json({
          block_height: found.block.height,
          block_indep_hash: found.block.hash,
          number_of_confirmations: found.confirmations,
        });
      case "offset": {
        const end = this.#chain.endOf(id);
        return end === undefined ? NOT_FOUND : json({ size: found.header.data_size, offset: end.toString() });
      }
      case "data": {
        const key = keyOf(found.header);
        if (!this.#chunks.isComplete(key)) return NOT_FOUND;
        if (key.sizeBytes > MAX_ENCODED_DATA_BYTES) return failed(400, "tx_data_too_big");
        return reply(200, (await readFile(this.#chunks.pathOf(key))).toString("base64url"));
      }
      default:
        return NOT_FOUND;
    }
  }

  async #getChunk(offset: number): Promise<Reply> {
    const at = this.#chain.at(offset);
    const chunk = at && (await this.#chunks.read(keyOf(at.header), at.position));
    if (chunk === undefined) return failed(404, "chunk_not_found");
    const encoded = Buffer.from(chunk.bytes).toString("base64url");
    return json({ chunk: encoded, data_path: chunk.path, tx_path: "", packing: "unpacked" });
  }

  async #postTransaction(request: http.IncomingMessage): Promise<Reply> {
    const text = await readBody(request, MAX_TRANSACTION_REQUEST_BYTES);
    if (text === undefined) return reply(413, "Payload too large");
    const value = parseJson(text);
    if (!isRecord(value)) return reply(400, "Invalid JSON.");
    const header = parseHeader(value);
    if (header === undefined || !isPlausible(header)) return reply(400, "Transaction verification failed.");
    if (this.#chain.find(header.id) !== undefined) return reply(208, "Transaction already processed.");
    if ((await faultOf(header)) !== undefined) return reply(400, "Transaction verification failed.");

    const inline = value["data"] ?? "";
    if (inline !== "") {
      if (!isBase64Url(inline) || !(await this.#storeInline(header, Buffer.from(inline, "base64url")))) {
        return reply(400, "The attached data is split in an unknown way.");
      }
    }

    // Nothing is awaited from here to `accept`: two requests cannot spend one balance or add one transaction twice.
    const address = addressOf(header.owner);
    const costs = BigInt(header.reward) + BigInt(header.quantity);
    if (this.#chain.find(header.id) !== undefined) return reply(208, "Transaction already processed.");
    if (!this.#chain.isAnchor(header.last_tx, address)) return reply(400, "Invalid anchor (last_tx).");
    if (
      BigInt(header.reward) < this.#priceOf(Number(header.data_size)) ||
      costs > this.#chain.balanceOf(address)
    ) {
      return reply(400, "Transaction verification failed.");
    }
    this.#chain.accept(header);
    return OK;
  }

  async #storeInline(header: TransactionHeader, data: Buffer): Promise<boolean> {
    const key = keyOf(header);
    if (data.length !== key.sizeBytes) return false;
    const tree = new TreeBuilder();
    for await (const chunk of cutChunks(onePiece(data))) tree.add(chunk);
    const { root, chunks } = await tree.build();
    if (root !== key.dataRoot) return false;
    for (const { minByteRange: min, maxByteRange, proof } of chunks) {
      const path = Buffer.from(proof).toString("base64url");
      await this.#chunks.store(key, { bytes: data.subarray(min, maxByteRange), min, path });
    }
    return true;
  }

  async #postChunk(request: http.IncomingMessage): Promise<Reply> {
    const text = await readBody(request, MAX_CHUNK_REQUEST_BYTES);
    if (text === undefined) return reply(413, "Payload too large");
    const { chunk, rest: value } = parseChunkRequest(text);
    if (!isRecord(value)) return failed(400, "invalid_json");
    const { data_root: dataRoot, data_path: path } = value;
    if (typeof dataRoot !== "string" || typeof path !== "string" || chunk === undefined) {
      return failed(400, "invalid_json");
    }
    const sizeBytes = numberOf(value["data_size"]);
    const offset = numberOf(value["offset"]);
    if (sizeBytes === undefined) return failed(400, "data_size_too_big");
    if (value["offset"] === undefined) return failed(400, "offset_field_required");
    if (offset === undefined) return failed(400, "offset_too_big");

    const bytes = Buffer.from(chunk, "base64url");
    const proof = Buffer.from(path, "base64url");
    if (bytes.length > merkle.MAX_CHUNK_SIZE) return failed(400, "chunk_too_big");
    if (proof.length > MAX_PATH_BYTES) return failed(400, "data_path_too_big");
    const isLast = proof.length >= 32 && merkle.bufferToInt(proof.subarray(-32)) === sizeBytes;
    if (!isLast && proof.length > bytes.length) return failed(400, "chunk_proof_ratio_not_attractive");
    if (!this.#chain.expectsData(dataRoot, sizeBytes)) return failed(400, "data_root_not_found");

    const root = Buffer.from(dataRoot, "base64url");
    const place = offset < sizeBytes && (await merkle.validatePath(root, offset, 0, sizeBytes, proof));
    const hash = createHash("sha256").update(bytes).digest();
    if (!place || place.chunkSize !== bytes.length || !hash.equals(proof.subarray(-64, -32))) {
      return failed(400, "invalid_proof");
    }
    await this.#chunks.store({ dataRoot, sizeBytes }, { bytes, min: place.leftBound, path });
    return OK;
  }

  /** The bytes themselves, or one range of them. */
  #getData(id: string, rangeHeader: string | undefined): Reply {
    const found = this.#chain.find(id);
    if (found === "pending") return PENDING;
    if (found === undefined || found.header.data_root === "") return NOT_FOUND;
    const key = keyOf(found.header);
    if (!this.#chunks.isComplete(key)) return NOT_FOUND;

    const path = this.#chunks.pathOf(key);
    const type = contentTypeOf(found.header);
    const headers = {
      "Accept-Ranges": "bytes",
      "Cache-Control": "public, max-age=31536000, immutable",
      ETag: `"${id}"`,
    };
    const range = parseRange(rangeHeader, key.sizeBytes);
    if (range === undefined)
      return { status: 200, type, headers, file: { path, start: 0, end: key.sizeBytes - 1 } };
    if (range === "unsatisfiable")
      return { status: 416, headers: { "Content-Range": `bytes */${key.sizeBytes}` } };
    const { start, end } = range;
    const contentRange = { "Content-Range": `bytes ${start}-${end}/${key.sizeBytes}` };
    return { status: 206, type, headers: { ...headers, ...contentRange }, file: { path, start, end } };
  }

  #priceOf(sizeBytes: number): bigint {
    return BigInt(sizeBytes) * this.#winstonPerByte;
  }
}

/** The body as text, or `undefined` if it is longer than `maxBytes`; read to its end so that an answer can be sent. */
async function readBody(request: http.IncomingMessage, maxBytes: number): Promise<string | undefined> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of request as AsyncIterable<Buffer>) {
    size += piece.length;
    if (size <= maxBytes) pieces.push(piece);
  }
  return size <= maxBytes ? Buffer.concat(pieces, size).toString("latin1") : undefined;
}

async function respond(
  server: GatewayServer,
  request: http.IncomingMessage,
  response: http.ServerResponse,
): Promise<void> {
  const answer = await server.handle(request).catch((error: unknown) => failed(500, messageOf(error)));
  const { status, body = "", type = "text/plain; charset=utf-8", headers = {}, file } = answer;
  response.writeHead(status, {
    "Access-Control-Allow-Origin": "*",
    "Content-Type": type,
    "Content-Length": file === undefined ? Buffer.byteLength(body) : file.end - file.start + 1,
    ...headers,
  });
  if (file === undefined || request.method === "HEAD") {
    response.end(body);
    return;
  }
  const { path, start, end } = file;
  await pipeline(createReadStream(path, { start, end, highWaterMark: 1 << 18 }), response);
}

function reply(status: number, body: string): Reply {
  return { status, body };
}

function json(value: unknown): Reply {
  return { status: 200, body: JSON.stringify(value), type: "application/json" };
}

function failed(status: number, error: string): Reply {
  return { status, body: JSON.stringify({ error }), type: "application/json" };
}

/** Takes the chunk out before the rest is parsed as JSON, which took a third of the time of a large upload. */
function parseChunkRequest(text: string): { chunk: string | undefined; rest: unknown } {
  const key = /"chunk"\s*:\s*"/.exec(text);
  if (key === null) return { chunk: undefined, rest: parseJson(text) };
  const start = key.index + key[0].length;
  const end = text.indexOf('"', start);
  return { chunk: text.slice(start, end), rest: parseJson(text.slice(0, start) + text.slice(end)) };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function keyOf(header: TransactionHeader): DataKey {
  return { dataRoot: header.data_root, sizeBytes: Number(header.data_size) };
}

function isId(value: string): boolean {
  return value.length === 43 && isBase64Url(value);
}

/** Data and its size go together, a root is a hash, and a target an address. */
function isPlausible(header: TransactionHeader): boolean {
  const sizeBytes = Number(header.data_size);
  if (!Number.isSafeInteger(sizeBytes) || (header.data_root === "") !== (sizeBytes === 0)) return false;
  return (header.data_root === "" || isId(header.data_root)) && (header.target === "" || isId(header.target));
}

function numberOf(value: unknown): number | undefined {
  if (typeof value !== "string" || !/^\d{1,15}$/.test(value)) return undefined;
  return Number(value);
}

function contentTypeOf(header: TransactionHeader): string {
  const decoded = header.tags.map(({ name, value }) => [fromBase64Url(name), fromBase64Url(value)] as const);
  const value = decoded.find(([name]) => name.toLowerCase() === "content-type")?.[1];
  return value !== undefined && /^[\w.+-]+\/[\w.+-]+(; ?[\w-]+=[\w.-]+)*$/.test(value)
    ? value
    : "application/octet-stream";
}

function fromBase64Url(value: string): string {
  return Buffer.from(value, "base64url").toString();
}

/** One range of RFC 9110 section 14.1.2; several at once are answered with the whole, as the RFC allows. */
function parseRange(
  header: string | undefined,
  size: number,
): { start: number; end: number } | "unsatisfiable" | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? "");
  if (match === null || (match[1] === "" && match[2] === "")) return undefined;
  const first = match[1] ?? "";
  const last = match[2] ?? "";
  const start = first === "" ? Math.max(0, size - Number(last)) : Number(first);
  const end = first === "" || last === "" ? size - 1 : Math.min(Number(last), size - 1);
  return start >= size || start > end ? "unsatisfiable" : { start, end };
}
