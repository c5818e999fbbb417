import type http from "node:http";

import { isNeuraError, messageOf, NeuraError } from "../../errors.ts";
import {
  answer,
  errorBody,
  type HttpServer,
  type HttpServerOptions,
  startHttpServer,
} from "../../http-server.ts";
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
  /** Requests of one address, and of all together. */
  readonly rates?: HttpServerOptions["rates"];
}

export type QuoteServer = HttpServer;

const RATES = { each: { burst: 20, perSecond: 2 }, all: { burst: 100, perSecond: 50 } };
const MAX_BODY_BYTES = 64 * 1024;
const ANSWER_MS = 15_000;

/**
 * Serves `GET /metadata` and `POST /quote` to anybody: within limits of rate, size and time, and without a word of what
 * went wrong inside.
 *
 * Error: `quotes.cannot-listen`.
 */
export async function startQuoteServer(options: QuoteServerOptions): Promise<QuoteServer> {
  const { listen, rates = RATES } = options;
  return await startHttpServer({
    ...{ listen, rates },
    refusal: {
      code: "quotes.cannot-listen",
      next: "Name another address in `quotes.listen` of the policy.",
    },
    serve: (request, response) => serve(request, response, options),
  });
}

async function serve(
  request: http.IncomingMessage,
  response: http.ServerResponse,
  { domain, metadata, answer: quote, emit }: QuoteServerOptions,
): Promise<void> {
  const path = (request.url ?? "").split("?", 1)[0];
  response.setTimeout(ANSWER_MS, () => response.destroy());
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
