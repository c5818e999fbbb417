import http from "node:http";
import type { AddressInfo } from "node:net";
import { isHexString } from "ethers";

import { messageOf, NeuraError } from "../errors.ts";
import type { Listen } from "../provider/quotes/settings.ts";
import { type Attestation, encodeAttestations } from "./attestations.ts";

/** A number that is watched, with what tells it from others of its name. */
export interface Metric {
  readonly name: string;
  readonly help: string;
  readonly value: number | bigint;
  readonly labels?: Readonly<Record<string, string | number>>;
}

export interface ServerOptions {
  readonly listen: Listen;
  /** What is well, and what is not. */
  readonly health: () => { readonly isWell: boolean; readonly body: Readonly<Record<string, unknown>> };
  readonly metrics: () => readonly Metric[];
  /** Of an attester. */
  readonly attestations?: (message: string) => readonly Attestation[];
}

export interface BridgeServer {
  /** `http://127.0.0.1:4290`: where it really listens. */
  readonly url: string;
  close(): Promise<void>;
}

const MAX_CONNECTIONS = 256;
/** [ms] */
const TIMES = { headersTimeout: 5_000, requestTimeout: 10_000, keepAliveTimeout: 5_000 };

/**
 * Serves `GET /health` (503 where something is not well), `GET /metrics` (Prometheus' text format) and, of an attester,
 * `GET /attestations?message=0x…` to anybody. Error: `bridge.cannot-listen`.
 */
export async function startServer(options: ServerOptions): Promise<BridgeServer> {
  const { listen } = options;
  const server = http.createServer(TIMES, (request, response) => answer(request, response, options));
  server.maxConnections = MAX_CONNECTIONS;
  server.maxHeadersCount = 64;
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause) => {
      const where = `${listen.host}:${listen.port}`;
      reject(
        new NeuraError("bridge.cannot-listen", `Nothing can listen at ${where}: ${messageOf(cause)}.`, {
          next: "Name another address with --listen.",
          cause,
        }),
      );
    });
    server.listen(listen.port, listen.host, resolve);
  });
  const { address, port, family } = addressOf(server);
  return {
    url: `http://${family === "IPv6" ? `[${address}]` : address}:${port}`,
    close: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function answer(
  request: http.IncomingMessage,
  response: http.ServerResponse,
  { health, metrics, attestations }: ServerOptions,
): void {
  request.resume();
  const { pathname, searchParams } = new URL(request.url ?? "/", "http://localhost");
  if (request.method !== "GET") {
    write(response, 405, '{"error":"method.not-allowed"}');
  } else if (pathname === "/health") {
    const { isWell, body } = health();
    write(response, isWell ? 200 : 503, plain({ isWell, ...body }));
  } else if (pathname === "/metrics") {
    write(response, 200, metricsText(metrics()), "text/plain; version=0.0.4; charset=utf-8");
  } else if (pathname === "/attestations" && attestations !== undefined) {
    const message = searchParams.get("message")?.toLowerCase();
    if (isHexString(message, 32)) write(response, 200, encodeAttestations(message, attestations(message)));
    else write(response, 400, '{"error":"bridge.no-message"}');
  } else {
    write(response, 404, '{"error":"not-found"}');
  }
}

function write(
  response: http.ServerResponse,
  status: number,
  body: string,
  type = "application/json; charset=utf-8",
): void {
  response.writeHead(status, {
    "content-type": type,
    "content-length": Buffer.byteLength(body),
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
  });
  response.end(body);
}

/** In Prometheus' text format, version 0.0.4. */
export function metricsText(metrics: readonly Metric[]): string {
  const named = new Set<string>();
  const lines = metrics.flatMap(({ name, help, value, labels = {} }) => {
    const pairs = Object.entries(labels).map(([label, each]) => `${label}="${each}"`);
    const line = `${name}${pairs.length === 0 ? "" : `{${pairs.join(",")}}`} ${value}`;
    if (named.has(name)) return [line];
    named.add(name);
    return [`# HELP ${name} ${help}`, `# TYPE ${name} gauge`, line];
  });
  return `${lines.join("\n")}\n`;
}

function plain(value: unknown): string {
  return JSON.stringify(value, (_, each: unknown) => (typeof each === "bigint" ? `${each}` : each));
}

function addressOf(server: http.Server): AddressInfo {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("a server has an address");
  return address;
}
