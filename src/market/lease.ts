import http from "node:http";
import https from "node:https";
import type { Duplex } from "node:stream";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import tls from "node:tls";

import { messageOf, NeuraError } from "../errors.ts";
import { webStream } from "../web-stream.ts";
import type { AccessTicket } from "./ticket.ts";
import { type Look, NO_UPTIME, observe, type Uptime } from "./uptime.ts";

/** How long the other side may take to say that it is well [ms]. */
const PROBE_LIMIT = 15_000;
const MAX_HEALTH_BYTES = 4096;
const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/;

export interface LeaseRequest {
  /** Default: POST with a body, else GET. */
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array | AsyncIterable<Uint8Array>;
  readonly signal?: AbortSignal | undefined;
}

/** What the owner saw of the lease at one moment. */
export interface Probe {
  readonly isUp: boolean;
  /** Why it is not. */
  readonly reason?: string;
  /** How often its application was started again, as the provider says. */
  readonly restarts?: number;
}

/** The owner's way to a lease. */
export interface LeaseClient {
  /**
   * Asks the lease. Resolves with the answer, whatever its status; redirects are not followed.
   *
   * Errors: `lease.unreachable`, `lease.wrong-certificate`, `lease.bad-path`.
   */
  request(path: string, request?: LeaseRequest): Promise<Response>;
  /** Whether the lease is up, seen from here. Never rejects because of the lease. */
  probe(options?: { signal?: AbortSignal | undefined }): Promise<Probe>;
  /** Closes connections that wait for the next request. */
  close(): void;
}

/**
 * A client for the lease of this ticket. The token is sent to the ticket's address only, and where the ticket names a
 * certificate, only after the other side has shown it.
 *
 * Error: `lease.insecure` for a ticket whose address would have the token cross a network in the clear.
 *
 * @example
 * const lease = connectLease(await openTicket(sealed, { taskId, secretKey }));
 * const page = await (await lease.request("/", { body: picture })).json();
 */
export function connectLease(ticket: AccessTicket): LeaseClient {
  const base = new URL(ticket.url);
  const isSecure = base.protocol === "https:";
  if (!isSecure && !LOOPBACK.test(base.hostname)) {
    throw new NeuraError(
      "lease.insecure",
      `The lease is at ${base.origin}, which everybody on the way can read.`,
      {
        next: "Ask the provider for a ticket with an https address.",
      },
    );
  }
  const agent = !isSecure
    ? new http.Agent({ keepAlive: true })
    : ticket.certificateSha256 === undefined
      ? new https.Agent({ keepAlive: true })
      : new PinnedAgent(ticket.certificateSha256);

  const request = async (path: string, asked: LeaseRequest = {}): Promise<Response> => {
    const { body, signal, method = body === undefined ? "GET" : "POST", headers = {} } = asked;
    const url = new URL(`${ticket.url}${path}`);
    if (!path.startsWith("/") || !url.href.startsWith(`${ticket.url}/`)) {
      throw new NeuraError("lease.bad-path", `${JSON.stringify(path)} is no path below ${ticket.url}.`, {
        next: "Start it with a slash, and leave out dots.",
      });
    }
    signal?.throwIfAborted();
    return await new Promise((resolve, reject) => {
      const options = { method, agent, ...(signal ? { signal } : {}) };
      const sent = (isSecure ? https : http).request(url, options);
      for (const [name, value] of Object.entries(headers)) sent.setHeader(name, value);
      sent.setHeader("authorization", `Bearer ${ticket.token.reveal()}`);
      sent.once("error", (error) => reject(reasonOf(error, base, signal)));
      sent.once("response", (answer) => {
        try {
          resolve(responseOf(answer, method));
        } catch (error) {
          sent.destroy();
          reject(reasonOf(error, base, signal));
        }
      });
      if (body === undefined || typeof body === "string" || body instanceof Uint8Array) sent.end(body);
      else
        Readable.from(body)
          .once("error", (error) => sent.destroy(error))
          .pipe(sent);
    });
  };

  return {
    request,
    probe: async ({ signal } = {}) => {
      const limit = AbortSignal.timeout(PROBE_LIMIT);
      try {
        const answer = await request("/health", {
          signal: signal ? AbortSignal.any([signal, limit]) : limit,
        });
        const restarts = readRestarts(await readText(answer));
        const told = restarts === undefined ? {} : { restarts };
        if (answer.status === 200) return { isUp: true, ...told };
        return { isUp: false, reason: `It answers with ${answer.status}.`, ...told };
      } catch (error) {
        return { isUp: false, reason: messageOf(error) };
      }
    },
    close: () => agent.destroy(),
  };
}

/** A change in what the owner sees. */
export interface LeaseChange {
  /** [Unix s] */
  readonly atSeconds: number;
  readonly probe: Probe;
  /** All that was seen until now. */
  readonly uptime: Uptime;
}

export interface MonitorOptions {
  readonly ticket: AccessTicket;
  /** Default: 30,000. */
  readonly intervalMs?: number;
  /** The first probe that failed, of several in a row. */
  readonly onDown?: (change: LeaseChange) => void;
  /** The first probe that succeeded after one that failed. */
  readonly onUp?: (change: LeaseChange) => void;
  /** Ends it. */
  readonly signal: AbortSignal;
}

/**
 * Looks at a lease from time to time until the signal aborts; then resolves to what was seen, which is the owner's
 * evidence where the provider has closed or claims something else.
 *
 * Error: that of {@link connectLease}.
 */
export async function monitorLease(options: MonitorOptions): Promise<Uptime> {
  const { ticket, intervalMs = 30_000, onDown, onUp, signal } = options;
  const client = connectLease(ticket);
  const maxGapMs = 2 * intervalMs + PROBE_LIMIT;
  let uptime = NO_UPTIME;
  let last: Look | undefined;
  const isOver = (): boolean => signal.aborted;
  try {
    while (!isOver()) {
      const probe = await client.probe({ signal });
      if (isOver()) break;
      const look: Look = {
        atMs: performance.now(),
        atSeconds: Math.floor(Date.now() / 1000),
        isUp: probe.isUp,
        start: probe.restarts,
      };
      uptime = observe(uptime, { last, look, maxGapMs });
      const change = { atSeconds: look.atSeconds, probe, uptime };
      if (!look.isUp && last?.isUp !== false) onDown?.(change);
      if (look.isUp && last?.isUp === false) onUp?.(change);
      last = look;
      await sleep(intervalMs, undefined, { signal }).catch(() => undefined);
    }
  } finally {
    client.close();
  }
  return uptime;
}

/** Connects to whoever has one certificate, whether or not others vouch for it. */
class PinnedAgent extends https.Agent {
  readonly #sha256: string;

  constructor(sha256: string) {
    // A resumed session would come without a certificate.
    super({ keepAlive: true, maxCachedSessions: 0 });
    this.#sha256 = sha256;
  }

  override createConnection(
    options: https.RequestOptions,
    done: (error: Error | null, stream: Duplex) => void,
  ): undefined {
    const socket = tls.connect({ ...connectionOf(options), rejectUnauthorized: false });
    const fail = (error: Error): void => done(error, socket);
    socket.once("error", fail);
    socket.once("secureConnect", () => {
      socket.off("error", fail);
      const shown = socket.getPeerX509Certificate()?.fingerprint256.replaceAll(":", "").toLowerCase();
      if (shown === this.#sha256) {
        done(null, socket);
        return;
      }
      socket.destroy();
      fail(
        new NeuraError(
          "lease.wrong-certificate",
          "The other side has another certificate than the ticket says.",
          {
            next: "Send it nothing. Ask the provider for a new ticket.",
          },
        ),
      );
    });
  }
}

function connectionOf({
  host,
  port,
  servername,
}: https.RequestOptions & { servername?: string | undefined }): tls.ConnectionOptions {
  return { host: host ?? "", port: Number(port ?? 443), ...(servername === undefined ? {} : { servername }) };
}

function responseOf(answer: http.IncomingMessage, method: string): Response {
  const status = answer.statusCode ?? 0;
  const isEmpty = method === "HEAD" || [204, 205, 304].includes(status);
  if (isEmpty) answer.resume();
  const headers = Object.entries(answer.headersDistinct).flatMap(([name, values = []]) =>
    values.map((value): [string, string] => [name, value]),
  );
  return new Response(isEmpty ? null : webStream(answer[Symbol.asyncIterator]()), { status, headers });
}

async function readText({ body }: Response): Promise<string> {
  let text = "";
  for await (const piece of body ?? []) {
    text += Buffer.from(piece).toString("latin1");
    if (text.length > MAX_HEALTH_BYTES) break;
  }
  return text;
}

function readRestarts(text: string): number | undefined {
  try {
    const value: unknown = JSON.parse(text);
    const restarts = typeof value === "object" && value && "restarts" in value ? value.restarts : undefined;
    return typeof restarts === "number" ? restarts : undefined;
  } catch {
    return undefined;
  }
}

function reasonOf(error: unknown, { origin }: URL, signal: AbortSignal | undefined): Error {
  if (error instanceof NeuraError) return error;
  if (signal?.aborted && signal.reason instanceof Error) return signal.reason;
  return new NeuraError("lease.unreachable", `${origin} does not answer: ${messageOf(error)}.`, {
    next: "Try again; while it is down, the lease earns nothing.",
    cause: error,
  });
}
