import type http from "node:http";
import { isHexString } from "ethers";

import {
  answer,
  errorBody,
  type HttpServer,
  type HttpServerOptions,
  startHttpServer,
} from "../http-server.ts";
import type { Listen } from "../provider/quotes/settings.ts";
import { type Attestation, encodeAttestations } from "./attestations.ts";
import { type Metric, metricsText } from "./metrics.ts";

export interface ServerOptions {
  readonly listen: Listen;
  /** What is well, and what is not. */
  readonly health: () => { readonly isWell: boolean; readonly body: Readonly<Record<string, unknown>> };
  readonly metrics: () => readonly Metric[];
  /** Of an attester. */
  readonly attestations?: (message: string) => readonly Attestation[];
  /** Requests of one address, and of all together. */
  readonly rates?: HttpServerOptions["rates"];
}

const RATES = { each: { burst: 200, perSecond: 50 }, all: { burst: 1_000, perSecond: 500 } };

/**
 * Serves `GET /health` (503 where something is not well), `GET /metrics` (Prometheus' text format) and, of an attester,
 * `GET /attestations?message=0x…` to anybody. Error: `bridge.cannot-listen`.
 */
export async function startServer(options: ServerOptions): Promise<HttpServer> {
  const { listen, rates = RATES } = options;
  return await startHttpServer({
    ...{ listen, rates },
    refusal: { code: "bridge.cannot-listen", next: "Name another address with --listen." },
    serve: (request, response) => serve(request, response, options),
  });
}

function serve(
  request: http.IncomingMessage,
  response: http.ServerResponse,
  { health, metrics, attestations }: ServerOptions,
): void {
  request.resume();
  const [path, query] = (request.url ?? "").split("?", 2);
  if (request.method !== "GET") {
    answer(response, 405, errorBody("method.not-allowed"));
  } else if (path === "/health") {
    const { isWell, body } = health();
    answer(response, isWell ? 200 : 503, plain({ isWell, ...body }));
  } else if (path === "/metrics") {
    const type = "text/plain; version=0.0.4; charset=utf-8";
    answer(response, 200, metricsText(metrics()), { "content-type": type });
  } else if (path === "/attestations" && attestations !== undefined) {
    const message = new URLSearchParams(query).get("message")?.toLowerCase();
    if (isHexString(message, 32)) answer(response, 200, encodeAttestations(message, attestations(message)));
    else answer(response, 400, errorBody("bridge.no-message"));
  } else {
    answer(response, 404, errorBody("not-found"));
  }
}

function plain(value: unknown): string {
  return JSON.stringify(value, (_, each: unknown) => (typeof each === "bigint" ? `${each}` : each));
}
