import http from "node:http";
import type { AddressInfo } from "node:net";

import { messageOf, NeuraError } from "./errors.ts";
import type { Listen } from "./provider/quotes/settings.ts";

/** So many requests at once, and then so many each second [1/s]. */
export interface Rate {
  readonly burst: number;
  readonly perSecond: number;
}

export interface HttpServerOptions {
  readonly listen: Listen;
  /** Requests of one address, and of all together. */
  readonly rates: { readonly each: Rate; readonly all: Rate };
  /** What is thrown where nothing can listen there. */
  readonly refusal: { readonly code: string; readonly next: string };
  /** Answers a request. Where it throws, the asker is told no more than that. */
  readonly serve: (request: http.IncomingMessage, response: http.ServerResponse) => void | Promise<void>;
}

export interface HttpServer {
  /** `http://127.0.0.1:4280`: where it really listens. */
  readonly url: string;
  readonly port: number;
  close(): Promise<void>;
}

const MAX_CONNECTIONS = 256;
const MAX_ADDRESSES = 10_000;
/** [ms] */
const TIMES = { headersTimeout: 5_000, requestTimeout: 10_000, keepAliveTimeout: 5_000 };

/**
 * A server that anybody may ask: within limits of rate, connections and time. An address is that of the connection: of a
 * proxy in front of it, the proxy's. Error: the one of `refusal`.
 */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const { listen, rates, refusal, serve } = options;
  const limit = new RateLimit(rates);
  const server = http.createServer(TIMES, (request, response) => {
    if (limit.take(request.socket.remoteAddress ?? "")) void attempt(serve, request, response);
    else answer(response, 429, errorBody("rate.limited"), { "retry-after": "1" });
  });
  server.maxConnections = MAX_CONNECTIONS;
  server.maxHeadersCount = 64;
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause) => {
      const where = `${listen.host}:${listen.port}`;
      const { code, next } = refusal;
      reject(new NeuraError(code, `Nothing can listen at ${where}: ${messageOf(cause)}.`, { next, cause }));
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

async function attempt(
  serve: HttpServerOptions["serve"],
  request: http.IncomingMessage,
  response: http.ServerResponse,
): Promise<void> {
  try {
    await serve(request, response);
  } catch {
    answer(response, 500, errorBody("unavailable"));
  }
}

/** Answers once, with JSON where `headers` name no other type. */
export function answer(
  response: http.ServerResponse,
  status: number,
  body: string,
  headers: Readonly<Record<string, string>> = {},
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

export function errorBody(code: string): string {
  return JSON.stringify({ error: { code } });
}

function addressOf(server: http.Server): AddressInfo {
  const address = server.address();
  if (typeof address === "object" && address !== null) return address;
  throw new Error("a server that listens has an address");
}

// ---- Rates ----

class RateLimit {
  readonly #each: Rate;
  readonly #all: Bucket;
  readonly #buckets = new Map<string, Bucket>();

  constructor({ each, all }: HttpServerOptions["rates"]) {
    this.#each = each;
    this.#all = new Bucket(all);
  }

  take(address: string): boolean {
    return this.#bucketOf(address).take() && this.#all.take();
  }

  #bucketOf(address: string): Bucket {
    const buckets = this.#buckets;
    const known = buckets.get(address);
    if (known) return known;
    // Those that have not been seen for long are full again: nothing is lost with them.
    if (buckets.size >= MAX_ADDRESSES)
      for (const [each, { isFull }] of buckets) if (isFull) buckets.delete(each);
    if (buckets.size >= MAX_ADDRESSES) buckets.clear();
    const bucket = new Bucket(this.#each);
    buckets.set(address, bucket);
    return bucket;
  }
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
