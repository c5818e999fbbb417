import http from "node:http";
import https from "node:https";
import type { LookupFunction } from "node:net";
import { NeuraError, messageOf } from "../errors.ts";

export interface Timeouts {
  /** Longest silence on a connection [s]. */
  idleSeconds: number;
  /** Longest time for one exchange [s], body included. */
  totalSeconds: number;
}

export interface Exchange {
  method?: "GET" | "POST";
  /** Sent as `application/json`. */
  body?: string | Uint8Array;
  signal?: AbortSignal | undefined;
  timeouts: Timeouts;
}

export interface Answer {
  status: number;
  /** From `Content-Length`: a claim, to fail early by, never to trust. */
  claimedBytes: number | undefined;
  body: AsyncIterable<Uint8Array>;
  /** The whole body as text; `storage.mismatch` beyond `maxBytes`. */
  text(maxBytes: number): Promise<string>;
  /** Ends the exchange without reading on. */
  discard(): void;
}

const MAX_REDIRECTS = 3;

/**
 * HTTP for servers that are not trusted: bounded in silence, in time and in redirects, which are followed only
 * within the server's own name. It uses `node:http` because Node's `fetch` keeps request bodies in memory.
 *
 * Errors: `storage.timeout`, `storage.unavailable`; the reason of `signal` when that aborts.
 */
export class HttpClient {
  readonly #lookup: LookupFunction | undefined;
  readonly #agents = {
    "http:": new http.Agent({ keepAlive: true, maxSockets: 16 }),
    "https:": new https.Agent({ keepAlive: true, maxSockets: 16 }),
  };

  /** @param options.lookup finds the addresses of names; the system's way by default */
  constructor({ lookup }: { lookup?: LookupFunction | undefined } = {}) {
    this.#lookup = lookup;
  }

  async request(url: URL, exchange: Exchange): Promise<Answer> {
    let target = url;
    for (let redirects = 0; ; redirects++) {
      const { answer, location } = await this.#send(target, exchange);
      if (location === undefined) return answer;
      answer.discard();
      if (redirects === MAX_REDIRECTS)
        throw unavailable(url, `it redirects more than ${MAX_REDIRECTS} times`);
      const next = URL.canParse(location, target) ? new URL(location, target) : undefined;
      if (next === undefined || !isSameServer(next, url))
        throw unavailable(
          url,
          `it redirects to ${next === undefined ? "nowhere" : `${next.protocol}//${next.host}`}`,
        );
      target = next;
    }
  }

  async #send(url: URL, exchange: Exchange): Promise<{ answer: Answer; location: string | undefined }> {
    try {
      return await this.#sendOnce(url, exchange, this.#agents[isSecure(url) ? "https:" : "http:"]);
    } catch (error) {
      if (!(error instanceof StaleConnection)) throw error;
      // A kept connection that the server closed at that moment. Every request here may be repeated.
      return await this.#sendOnce(url, exchange, false);
    }
  }

  #sendOnce(
    url: URL,
    exchange: Exchange,
    agent: http.Agent | false,
  ): Promise<{ answer: Answer; location: string | undefined }> {
    const { method = "GET", body, signal, timeouts } = exchange;
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const request = (isSecure(url) ? https : http).request(url, {
        method,
        agent,
        ...(this.#lookup === undefined ? {} : { lookup: this.#lookup }),
        headers: {
          Accept: "*/*",
          ...(body === undefined
            ? {}
            : { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(body) }),
        },
      });

      let settledBy: Error | undefined;
      const fail = (error: Error | undefined): void => {
        settledBy ??= error;
        request.destroy();
      };
      const timer = setTimeout(
        () => fail(timedOut(url, `no complete answer within ${timeouts.totalSeconds} s`)),
        timeouts.totalSeconds * 1000,
      );
      const onAbort = (): void => fail(abortReason(signal));
      signal?.addEventListener("abort", onAbort, { once: true });
      request.setTimeout(timeouts.idleSeconds * 1000, () =>
        fail(timedOut(url, `no byte for ${timeouts.idleSeconds} s`)),
      );
      request.once("close", () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", onAbort);
      });

      request.on("error", (error: NodeJS.ErrnoException) => {
        const stale = request.reusedSocket && error.code === "ECONNRESET" && settledBy === undefined;
        reject(stale ? new StaleConnection() : reasonOf(settledBy, url, error));
      });
      request.once("response", (response) => {
        const body = readBody(response, (error) => reasonOf(settledBy, url, error));
        const length = response.headers["content-length"];
        const status = response.statusCode ?? 0;
        resolve({
          location: status >= 300 && status < 400 ? response.headers.location : undefined,
          answer: {
            status,
            claimedBytes: length !== undefined && /^\d+$/.test(length) ? Number(length) : undefined,
            body,
            text: (maxBytes) => readText(body, maxBytes, url),
            discard: () => fail(undefined),
          },
        });
      });
      request.end(body);
    });
  }
}

class StaleConnection extends Error {}

function isSecure(url: URL): boolean {
  return url.protocol === "https:";
}

async function* readBody(
  response: http.IncomingMessage,
  explain: (error: unknown) => Error,
): AsyncGenerator<Uint8Array> {
  try {
    for await (const piece of response) yield piece;
  } catch (error) {
    throw explain(error);
  }
}

async function readText(body: AsyncIterable<Uint8Array>, maxBytes: number, url: URL): Promise<string> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of body) {
    size += piece.length;
    if (size > maxBytes) {
      throw new NeuraError(
        "storage.mismatch",
        `${url.origin} answered more than ${maxBytes} bytes where fewer have to do.`,
      );
    }
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString("utf8");
}

/** The same host and port, or a name below it (gateways serve each transaction under a name of its own). */
function isSameServer(next: URL, origin: URL): boolean {
  const sameHost = next.hostname === origin.hostname || next.hostname.endsWith(`.${origin.hostname}`);
  const downgraded = isSecure(origin) && !isSecure(next);
  return sameHost && !downgraded && next.port === origin.port && /^https?:$/.test(next.protocol);
}

function abortReason(signal: AbortSignal | undefined): Error {
  return signal?.reason instanceof Error ? signal.reason : new Error("aborted", { cause: signal?.reason });
}

function reasonOf(settledBy: Error | undefined, url: URL, error: unknown): Error {
  return settledBy ?? unavailable(url, messageOf(error), error);
}

function timedOut(url: URL, what: string): NeuraError {
  return new NeuraError("storage.timeout", `${url.origin} is too slow: ${what}.`, {
    next: "Try again, or configure another gateway.",
  });
}

function unavailable(url: URL, what: string, cause?: unknown): NeuraError {
  return new NeuraError("storage.unavailable", `${url.origin} cannot be used: ${what}.`, {
    next: "Check that the gateway runs and that its URL is right, or configure another one.",
    cause,
  });
}
