/**
 * How requests reach a service in its sandbox: as streams of HTTP/2 over one pair of connected sockets, of which the
 * application's process inherits one end. So it needs neither network nor a socket of its own, and can listen nowhere.
 */
import { once } from "node:events";
import http2 from "node:http2";
import type { ServerHttp2Stream } from "node:http2";
import type { IncomingHttpHeaders } from "node:http";
import { Readable } from "node:stream";
import type { Duplex } from "node:stream";
import { pipeline } from "node:stream/promises";
import { isNeuraError } from "../../errors.ts";
import { webStream } from "../../web-stream.ts";
import type { Service } from "../applications/application.ts";

/** The application's end. */
export const REQUEST_FD = 4;

/** The headers that pass between requester and application; all others stay outside, such as who the requester is. */
const PASSED = ["accept", "content-length", "content-type"] as const;

/** Those of these headers that are passed on. */
export function passedHeaders(headers: IncomingHttpHeaders): Record<string, string> {
  return Object.fromEntries(
    PASSED.flatMap((name) => {
      const value = headers[name];
      return typeof value === "string" ? [[name, value]] : [];
    }),
  );
}

/** Answers what comes over the channel, in the application's process; `close` waits for the answers under way. */
export function answerRequests(channel: Duplex, service: Service): { close: () => Promise<void> } {
  const session = http2.performServerHandshake(channel);
  session.on("error", () => undefined);
  session.on("stream", (stream, headers) => {
    stream.on("error", () => undefined);
    answer(stream, headers, service).catch(() => stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR));
  });
  return {
    close: async () => {
      if (session.destroyed) return;
      const closed = once(session, "close");
      session.close();
      await closed;
    },
  };
}

async function answer(
  stream: ServerHttp2Stream,
  headers: http2.IncomingHttpHeaders,
  service: Service,
): Promise<void> {
  const gone = new AbortController();
  stream.once("close", () => gone.abort(new Error("Nobody waits for the answer any more.")));
  const { ":method": method = "GET", ":path": path = "/" } = headers;
  // The stream's other direction stays open for the answer when this one has been read.
  const hasBody = method !== "GET" && method !== "HEAD";
  const response = await respond(service, () => {
    return new Request(`http://service${path}`, {
      method,
      headers: passedHeaders(headers),
      signal: gone.signal,
      ...(hasBody ? { body: webStream(stream.iterator({ destroyOnReturn: false })), duplex: "half" } : {}),
    });
  });
  if (stream.destroyed) return;
  stream.respond({ ...passedHeaders(Object.fromEntries(response.headers)), ":status": response.status });
  if (response.body && method !== "HEAD") await pipeline(Readable.from(response.body), stream);
  else stream.end();
}

async function respond(service: Service, request: () => Request): Promise<Response> {
  try {
    return await service.answer(request());
  } catch (error) {
    if (isNeuraError(error, "application.bad-input")) return Response.json(error, { status: 400 });
    console.error(error);
    return Response.json({ error: "The application failed." }, { status: 500 });
  }
}
