import { rm } from "node:fs/promises";
import http from "node:http";
import http2 from "node:http2";
import type { ClientHttp2Session, ClientHttp2Stream } from "node:http2";
import { once } from "node:events";
import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { unlessAborted } from "../../abort.ts";
import { passedHeaders } from "./channel.ts";
import type { ServiceHealth } from "./runner.ts";

/** How long the application may take to show that it lives, before it is not taken for well [ms]. */
const PING_LIMIT = 10_000;
/** How long the last answers may take to get out [ms]. */
const CLOSE_LIMIT = 500;
const { NGHTTP2_CANCEL, NGHTTP2_NO_ERROR, NGHTTP2_PROTOCOL_ERROR } = http2.constants;

/**
 * A service as the node sees it: HTTP on a Unix socket in the task's folder, which stays whatever becomes of the
 * application. Requests go to the process of the application that lives now; there is no queue.
 *
 *     curl --unix-socket run/service.sock http://service/health
 */
export class ServiceFront {
  readonly #server: http.Server;
  #session: ClientHttp2Session | undefined;
  #ping: Promise<void> | undefined;
  /** Whether requests are passed on. */
  isReady = false;
  restarts = 0;

  private constructor() {
    // Whoever comes here is the node, which sets limits to what it passes on.
    this.#server = http.createServer({ requestTimeout: 0 }, (request, response) => {
      if (request.url === "/health") void this.#tellHealth(response);
      else this.#passOn(request, response);
    });
  }

  static async listen(path: string): Promise<ServiceFront> {
    const front = new ServiceFront();
    await rm(path, { force: true });
    front.#server.listen(path);
    await once(front.#server, "listening");
    return front;
  }

  /** The application was started; this is our end of its channel. */
  attach(channel: Duplex): void {
    this.detach();
    const session = http2.connect("http://service", {
      createConnection: () => channel,
      settings: { enablePush: false },
    });
    session.on("error", () => undefined);
    this.#session = session;
  }

  /** The application has ended. */
  detach(): void {
    this.isReady = false;
    this.#session?.destroy(undefined, NGHTTP2_CANCEL);
    this.#session = undefined;
    this.#ping = undefined;
  }

  /** Resolves when the application has shown that it lives, which it does beside its work. Rejects where it does not. */
  async ping(limitMs: number): Promise<void> {
    const session = this.#session;
    if (!session) throw new Error("There is no application.");
    this.#ping ??= new Promise<void>((resolve, reject) => {
      session.ping((error) => (error ? reject(error) : resolve()));
    }).finally(() => (this.#ping = undefined));
    await unlessAborted(this.#ping, AbortSignal.timeout(limitMs));
  }

  async close(): Promise<void> {
    this.detach();
    const closed = new Promise((resolve) => this.#server.close(resolve));
    // What was being answered is refused now, which its requester is to get.
    await Promise.race([closed, sleep(CLOSE_LIMIT, undefined, { ref: false })]);
    this.#server.closeAllConnections();
    await closed;
  }

  async #tellHealth(response: http.ServerResponse): Promise<void> {
    const isUp =
      this.isReady &&
      (await this.ping(PING_LIMIT).then(
        () => true,
        () => false,
      ));
    const health: ServiceHealth = { isUp, restarts: this.restarts };
    response.writeHead(isUp ? 200 : 503, { "content-type": "application/json" }).end(JSON.stringify(health));
  }

  #passOn(request: http.IncomingMessage, response: http.ServerResponse): void {
    for (const each of [request, response]) each.on("error", () => undefined);
    let stream: ClientHttp2Stream | undefined;
    try {
      const { method, url, headers } = request;
      if (this.isReady)
        stream = this.#session?.request({ ...passedHeaders(headers), ":method": method, ":path": url });
    } catch {
      // The application is about to end, or the request is none that could be passed on.
    }
    if (!stream) {
      refuse(response, 503, "The service is not ready.");
      return;
    }
    this.#answer(stream, response);
    request.pipe(stream);
  }

  #answer(stream: ClientHttp2Stream, response: http.ServerResponse): void {
    // What comes of an error is seen when it closes.
    stream.on("error", () => undefined);
    stream.once("response", (headers) => {
      try {
        response.writeHead(headers[":status"] ?? 502, passedHeaders(headers));
        stream.pipe(response, { end: false });
      } catch {
        // No HTTP that one could pass on.
        stream.close(NGHTTP2_PROTOCOL_ERROR);
      }
    });
    stream.once("close", () => {
      // Its end alone does not tell an answer from what a killed process left of one.
      if (!response.headersSent) refuse(response, 502, "The application gave no answer.");
      else if (stream.rstCode === NGHTTP2_NO_ERROR) response.end();
      else response.destroy();
    });
    response.once("close", () => {
      if (!stream.closed) stream.close(NGHTTP2_CANCEL);
    });
  }
}

function refuse(response: http.ServerResponse, status: number, error: string): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify({ error }));
}
