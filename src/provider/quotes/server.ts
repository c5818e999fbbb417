import http from "node:http";
import type { AddressInfo } from "node:net";

import { isNeuraError, messageOf, NeuraError } from "../../errors.ts";
import { encodeQuoteAnswer, parseQuoteRequest, type QuoteAnswer } from "../../market/quotes.ts";
import type { MarketDomain, Task } from "../../market/terms.ts";
import type { NodeEvent } from "../log.ts";
import type { Listen } from "./settings.ts";

export interface QuoteServerOptions {
  readonly listen: Listen;
  readonly domain: MarketDomain;
  /** The signed document about the provider, as it is now. */
  readonly metadata: () => Promise<string>;
  readonly answer: (task: Task) => Promise<QuoteAnswer>;
  readonly emit: (event: NodeEvent) => void;
  /** Requests of one address, and of all together: so many at once, and each second [1/s]. */
  readonly rates?: { readonly each: Rate; readonly all: Rate };
}

export interface Rate {
  readonly burst: number;
  readonly perSecond: number;
}

export interface QuoteServer {
  /** `http://127.0.0.1:4280`: where it really listens. */
  readonly url: string;
  readonly port: number;
  close(): Promise<void>;
}

const RATES = { each: { burst: 20, perSecond: 2 }, all: { burst: 100, perSecond: 50 } };
const MAX_BODY_BYTES = 64 * 1024;
const MAX_CONNECTIONS = 256;
const MAX_ADDRESSES = 10_000;
/** [ms] */
const TIMES = { headers: 5_000, request: 10_000, keepAlive: 5_000, answer: 15_000 };

/**
 * Serves `GET /metadata` and `POST /quote` to anybody: within limits of rate, size and time, and without a word of what
 * went wrong inside.
 *
 * Error: `quotes.cannot-listen`.
 */
export async function startQuoteServer(options: QuoteServerOptions): Promise<QuoteServer> {
  const { listen, rates = RATES } = options;
  const all = new Bucket(rates.all);
  const buckets = new Map<string, Bucket>();
  const server = http.createServer(
    { headersTimeout: TIMES.headers, requestTimeout: TIMES.request, keepAliveTimeout: TIMES.keepAlive },
    (request, response) => {
      const bucket = bucketOf(buckets, request.socket.remoteAddress ?? "", rates.each);
      if (!bucket.take() || !all.take()) {
        answer(response, 429, errorBody("rate.limited"), { "retry-after": "1" });
        return;
      }
      void serve(request, response, options);
    },
  );
  server.maxConnections = MAX_CONNECTIONS;
  server.maxHeadersCount = 64;
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause) => {
      const where = `${listen.host}:${listen.port}`;
      reject(
        new NeuraError("quotes.cannot-listen", `Nothing can listen at ${where}: ${messageOf(cause)}.`, {
          next: "Name another address in `quotes.listen` of the policy.",
          cause,
        }),
      );
    });
    server.listen(listen.port, listen.host, resolve);
  });
  const { port, address, family } = addressOf(server);
  return {
    port,
    url: `http://${family === "IPv6" ? `[${address}]` : address}:${port}`,
    close: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

async function serve(
  request: http.IncomingMessage,
  response: http.ServerResponse,
  { domain, metadata, answer: quote, emit }: QuoteServerOptions,
): Promise<void> {
  const path = (request.url ?? "").split("?", 1)[0];
  response.setTimeout(TIMES.answer, () => response.destroy());
  try {
    if (path === "/metadata" && request.method === "GET") {
      answer(response, 200, await metadata());
    } else if (path === "/quote" && request.method === "POST") {
      const task = parseQuoteRequest(await bodyOf(request), domain);
      const answered = await quote(task);
      const fields =
        "quote" in answered ? { nonce: answered.quote.nonce } : { reason: answered.decline.reason };
      emit({ level: "info", event: "quoted", task: task.id, owner: task.terms.owner, ...fields });
      answer(response, 200, encodeQuoteAnswer(task.id, answered));
    } else {
      const isKnown = path === "/metadata" || path === "/quote";
      answer(response, isKnown ? 405 : 404, errorBody(isKnown ? "method.not-allowed" : "not-found"));
    }
  } catch (error) {
    const code = isNeuraError(error) ? error.code : "unexpected";
    const status = STATUS[code] ?? 500;
    // What is the node's own trouble stays in its log.
    if (status >= 500) emit({ level: "warn", event: "trouble", code, message: messageOf(error) });
    answer(response, status, errorBody(status >= 500 ? "unavailable" : code));
  }
}

/** Errors that are the asker's. */
const STATUS: Readonly<Record<string, number>> = {
  "quote.bad-request": 400,
  "quote.too-large": 413,
  "terms.unsupported": 422,
  "resources.malformed": 422,
};

function answer(
  response: http.ServerResponse,
  status: number,
  body: string,
  headers: Record<string, string> = {},
): void {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(status, {
    "content-type": "application/json; charset=utf-8",
    "content-length": Buffer.byteLength(body),
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    // What is left of a body that was not read is not read either.
    ...(status >= 400 ? { connection: "close" } : {}),
    ...headers,
  });
  response.end(body);
}

function errorBody(code: string): string {
  return JSON.stringify({ error: { code } });
}

/** Error: `quote.too-large`. */
async function bodyOf(request: http.IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  let size = 0;
  // The answer still has to go out on the connection of a request that is too large.
  for await (const piece of request.iterator({ destroyOnReturn: false })) {
    if (!(piece instanceof Buffer)) continue;
    size += piece.length;
    if (size > MAX_BODY_BYTES)
      throw new NeuraError("quote.too-large", `The request has more than ${MAX_BODY_BYTES} bytes.`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString("utf8");
}

function addressOf(server: http.Server): AddressInfo {
  const address = server.address();
  if (typeof address === "object" && address !== null) return address;
  throw new Error("a server that listens has an address");
}

// ---- Rates ----

function bucketOf(buckets: Map<string, Bucket>, address: string, rate: Rate): Bucket {
  const known = buckets.get(address);
  if (known) return known;
  // Those that have not been seen for long are full again: nothing is lost with them.
  if (buckets.size >= MAX_ADDRESSES)
    for (const [each, { isFull }] of buckets) if (isFull) buckets.delete(each);
  if (buckets.size >= MAX_ADDRESSES) buckets.clear();
  const bucket = new Bucket(rate);
  buckets.set(address, bucket);
  return bucket;
}

/** So many at once, and then as many as flow in. */
class Bucket {
  readonly #rate: Rate;
  #level: number;
  #at = performance.now();

  constructor(rate: Rate) {
    this.#rate = rate;
    this.#level = rate.burst;
  }

  get isFull(): boolean {
    this.#fill();
    return this.#level >= this.#rate.burst;
  }

  take(): boolean {
    this.#fill();
    if (this.#level < 1) return false;
    this.#level -= 1;
    return true;
  }

  #fill(): void {
    const now = performance.now();
    const flowed = ((now - this.#at) / 1000) * this.#rate.perSecond;
    this.#level = Math.min(this.#rate.burst, this.#level + flowed);
    this.#at = now;
  }
}
