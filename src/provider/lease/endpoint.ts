import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import http from "node:http";
import https from "node:https";
import type { AddressInfo } from "node:net";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";

import { messageOf, NeuraError } from "../../errors.ts";
import { passedHeaders } from "../runner/channel.ts";
import { isAuthorised } from "./access.ts";
import type { LeaseService } from "./service.ts";

const MiB = 1024 * 1024;
const MAX_HEADER_BYTES = 16 * 1024;
/** How long the rest of a request that was refused is read, so that the refusal arrives [ms]. */
const LINGER = 1000;
const ROUTE = /^\/(0x[0-9a-f]{64})(\/.*)?$/;

export interface EndpointOptions {
  /** Address to listen on; a loopback address where a reverse proxy stands in front. */
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** PEM; without it this is plain HTTP, and TLS is left to a reverse proxy. */
  readonly tls?: { readonly key: string; readonly cert: string };
  /** Where owners reach it: `https://leases.example.org`. Default: the address it listens on. */
  readonly publicUrl?: string;
  /** How long a client may take for the headers of a request [ms]; 10,000 if left out. */
  readonly headersMs?: number;
  /** At the same time, of all leases together; 1000 if left out. */
  readonly maxConnections?: number;
}

/** A lease that is reached through the endpoint. */
export interface OpenLease {
  readonly service: LeaseService;
  /** SHA-256 of the token that its requests must have, hex. */
  readonly tokenHash: string;
}

/** The front of all of a node's leases: HTTP, with the lease's id first in each path. */
export interface LeaseEndpoint {
  /** The address that a ticket names for this task. */
  urlOf(taskId: string): string;
  /** Of the certificate, as a ticket names it; undefined where somebody else does the TLS, or nobody. */
  readonly certificateSha256: string | undefined;
  /** Lets requests through to a lease; in place of what was open under this id. */
  open(taskId: string, lease: OpenLease): void;
  shut(taskId: string): void;
  /** Ends all connections. */
  close(): Promise<void>;
}

/** Starts the front. Error: `endpoint.no-port`. */
export async function startEndpoint(options: EndpointOptions): Promise<LeaseEndpoint> {
  const { host, port, tls, publicUrl, headersMs = 10_000, maxConnections = 1000 } = options;
  const leases = new Map<string, OpenLease>();
  const settings = {
    headersTimeout: headersMs,
    connectionsCheckingInterval: Math.ceil(headersMs / 4),
    maxHeaderSize: MAX_HEADER_BYTES,
    // Each lease has its own limit for a whole request.
    requestTimeout: 0,
  };
  const listener = (request: http.IncomingMessage, response: http.ServerResponse): void => {
    handle(leases, request, response).catch(() => response.destroy());
  };
  const server = tls
    ? https.createServer({ ...settings, ...tls, handshakeTimeout: headersMs }, listener)
    : http.createServer(settings, listener);
  server.maxConnections = maxConnections;
  await listen(server, { host, port });

  const address = server.address() as AddressInfo;
  const name = address.family === "IPv6" ? `[${address.address}]` : address.address;
  const base = publicUrl?.replace(/\/+$/, "") ?? `${tls ? "https" : "http"}://${name}:${address.port}`;
  const certificate = tls && publicUrl === undefined ? new X509Certificate(tls.cert) : undefined;
  return {
    urlOf: (taskId) => `${base}/${taskId.toLowerCase()}`,
    certificateSha256: certificate?.fingerprint256.replaceAll(":", "").toLowerCase(),
    open: (taskId, lease) => void leases.set(taskId.toLowerCase(), lease),
    shut: (taskId) => void leases.delete(taskId.toLowerCase()),
    close: async () => {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function listen(server: http.Server, { host, port }: { host: string; port: number }): Promise<void> {
  server.listen(port, host);
  try {
    await once(server, "listening");
  } catch (cause) {
    throw new NeuraError("endpoint.no-port", `${host}:${port} cannot be listened on: ${messageOf(cause)}.`, {
      next: "End what uses the port, or configure another address for leases.",
      cause,
    });
  }
}

async function handle(
  leases: ReadonlyMap<string, OpenLease>,
  request: http.IncomingMessage,
  response: http.ServerResponse,
): Promise<void> {
  // That a client is gone shows in its response's "close".
  for (const stream of [request, response]) stream.on("error", () => undefined);
  response.once("close", () => readRest(request));
  const [, taskId = "", path = "/"] = ROUTE.exec(request.url ?? "") ?? [];
  const lease = leases.get(taskId);
  if (!lease) refuse(response, 404, "There is no such lease here, or it has ended.");
  else if (!isAuthorised(request.headers.authorization, lease.tokenHash)) {
    response.setHeader("www-authenticate", "Bearer");
    refuse(response, 401, "This lease needs the token of its ticket.");
  } else if (path.split("?")[0] === "/health") {
    const health = await lease.service.health();
    answer(response, health.isUp ? 200 : 503, health);
  } else await passOn(lease.service, path, request, response);
}

/** Hands a request to the service within the limits of its manifest. */
async function passOn(
  service: LeaseService,
  path: string,
  request: http.IncomingMessage,
  response: http.ServerResponse,
): Promise<void> {
  const { maxRequestMiB, timeoutSeconds } = service.settings;
  const tooLarge = `The request has more than ${maxRequestMiB} MiB.`;
  if (Number(request.headers["content-length"] ?? 0) > maxRequestMiB * MiB) {
    refuse(response, 413, tooLarge);
    return;
  }
  const giveBack = service.take();
  if (!giveBack) {
    response.setHeader("retry-after", "1");
    refuse(response, 429, `${service.settings.concurrency} requests are being answered, which is the most.`);
    return;
  }
  const timer = setTimeout(() => {
    refuse(response, 504, `The request took longer than ${timeoutSeconds} s.`);
  }, timeoutSeconds * 1000);
  const closed = new Promise((resolve) => response.once("close", resolve));
  try {
    const upstream = await service.request({
      method: request.method ?? "GET",
      path,
      headers: passedHeaders(request.headers),
    });
    response.once("close", () => upstream.destroy());
    if (response.destroyed) upstream.destroy();
    upstream.once("error", () => refuse(response, 502, "The service ended before it answered."));
    upstream.once("response", (from) => {
      if (response.headersSent) return;
      response.writeHead(from.statusCode ?? 502, { ...passedHeaders(from.headers), ...ALWAYS });
      response.flushHeaders();
      // Of an answer that ends too soon the connection ends too, so that nobody takes it for whole.
      pipeline(from, response).catch(() => response.destroy());
    });
    const counter = new ByteLimit(maxRequestMiB * MiB);
    counter.once("error", () => refuse(response, 413, tooLarge));
    request.pipe(counter).pipe(upstream);
  } catch {
    refuse(response, 503, "The service is not ready.");
  }
  await closed;
  clearTimeout(timer);
  giveBack();
}

/** Passes on so many bytes, then fails. */
class ByteLimit extends Transform {
  #left: number;

  constructor(bytes: number) {
    super();
    this.#left = bytes;
  }

  override _transform(chunk: Buffer, _: string, done: (error: Error | null, chunk?: Buffer) => void): void {
    this.#left -= chunk.length;
    if (this.#left < 0) done(new Error("It has too many bytes."));
    else done(null, chunk);
  }
}

const ALWAYS = { "cache-control": "no-store", "x-content-type-options": "nosniff" };

function answer(response: http.ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { "content-type": "application/json", ...ALWAYS }).end(JSON.stringify(value));
}

/** Says no, or ends the connection where an answer has begun already. */
function refuse(response: http.ServerResponse, status: number, error: string): void {
  if (response.headersSent) {
    if (!response.writableEnded) response.destroy();
  } else answer(response, status, { error });
}

/** Reads what is left of a request that was answered, for a while; then its connection ends. */
function readRest(request: http.IncomingMessage): void {
  if (request.complete || request.destroyed) return;
  request.unpipe();
  request.resume();
  const timer = setTimeout(() => request.complete || request.socket.destroy(), LINGER);
  timer.unref();
}
