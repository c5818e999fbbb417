import { createHmac, timingSafeEqual } from "node:crypto";

import { messageOf, NeuraError } from "../../errors.ts";
import type { Secret } from "../../secret.ts";
import type { Alarm } from "../alarms.ts";
import { bodyOf, type Sink } from "./sink.ts";

export interface WebhookSink extends Pick<Sink, "name" | "kinds" | "timeoutSeconds"> {
  /** `https`, or `http` on this machine. Only its origin is ever shown: the path may be a key. */
  readonly url: URL;
  /** What sender and receiver share, at least {@link MIN_SECRET_BYTES}; its UTF-8 bytes are the key. */
  readonly secret: Secret<string>;
}

export const MIN_SECRET_BYTES = 32;
const SCHEME = "v1";
const HEADERS = {
  timestamp: "neura-timestamp",
  signature: "neura-signature",
  id: "neura-alarm-id",
} as const;
/** How old what arrives may be, or how far ahead of the receiver's clock [s]. */
const TOLERANCE_SECONDS = 300;

/** Why a webhook cannot be used; nothing if it can. */
export function webhookFault({ url, secret }: Pick<WebhookSink, "url" | "secret">): string | undefined {
  if (Buffer.byteLength(secret.reveal()) < MIN_SECRET_BYTES) {
    return `has a secret of less than ${MIN_SECRET_BYTES} bytes`;
  }
  if (url.username !== "" || url.password !== "") return "has a name or a password in its URL";
  const isLocal = /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(url.hostname);
  if (url.protocol === "https:" || (url.protocol === "http:" && isLocal)) return undefined;
  return "is neither https nor http on this machine";
}

/**
 * Posts each alarm as JSON, signed: `Neura-Signature: v1=<hex>` is the HMAC-SHA256 of `<Neura-Timestamp>.<body>`, and
 * `Neura-Alarm-Id` the alarm's id. Any answer but 2xx is a failure; redirects are not followed.
 *
 * Errors: `alarm.bad-webhook`; of `send`: `alarm.webhook`.
 */
export function webhookSink(webhook: WebhookSink): Sink {
  const { name, kinds, timeoutSeconds, url, secret } = webhook;
  const fault = webhookFault(webhook);
  if (fault !== undefined) throw new NeuraError("alarm.bad-webhook", `The webhook of ${name} ${fault}.`);
  return {
    name,
    kinds,
    timeoutSeconds,
    send: async (alarm, signal) => {
      const timeout = AbortSignal.timeout(timeoutSeconds * 1000);
      const body = bodyOf(alarm);
      const timestamp = Math.floor(Date.now() / 1000);
      let status: number;
      try {
        const answer = await fetch(url, {
          method: "POST",
          headers: {
            "content-type": "application/json",
            [HEADERS.timestamp]: `${timestamp}`,
            [HEADERS.signature]: `${SCHEME}=${signatureOf(secret, timestamp, body).toString("hex")}`,
            [HEADERS.id]: alarm.id,
          },
          body,
          redirect: "manual",
          signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
        });
        status = answer.status;
        await answer.body?.cancel();
      } catch (error) {
        signal?.throwIfAborted();
        throw failure(webhook, timeout.aborted ? `no answer within ${timeoutSeconds} s` : reasonOf(error));
      }
      if (status >= 200 && status < 300) return;
      const isRedirect = status >= 300 && status < 400;
      throw failure(webhook, `it answers ${status}${isRedirect ? ", and redirects are not followed" : ""}`);
    },
  };
}

/**
 * For receivers: the alarm in a request, if it is signed with the secret and fresh. Alarms can come twice; whoever must
 * not act twice keeps their ids.
 *
 * @param body as it came, before anything parsed it
 * @param headers of the request; names in any case
 * @throws `alarm.bad-signature`, `alarm.stale`
 *
 * @example
 * const alarm = verifyWebhook({ secret, headers: request.headers, body });
 * if (seen.has(alarm.id)) return;
 */
export function verifyWebhook({
  secret,
  headers,
  body,
  nowSeconds = Date.now() / 1000,
  toleranceSeconds = TOLERANCE_SECONDS,
}: {
  secret: Secret<string>;
  headers: Headers | Readonly<Record<string, string | readonly string[] | undefined>>;
  body: string | Uint8Array;
  nowSeconds?: number;
  toleranceSeconds?: number;
}): Alarm {
  const read = headers instanceof Headers ? headers : new Headers(plainHeaders(headers));
  const timestamp = read.get(HEADERS.timestamp) ?? "";
  const text = typeof body === "string" ? body : Buffer.from(body).toString("utf8");
  const wanted = signatureOf(secret, timestamp, body);
  const given = /^v1=(?<hex>[0-9a-f]{64})$/.exec(read.get(HEADERS.signature) ?? "")?.groups?.["hex"] ?? "";
  const signature = Buffer.from(given.padStart(64, "0"), "hex");
  if (!timingSafeEqual(wanted, signature) || !/^\d{1,12}$/.test(timestamp)) {
    throw new NeuraError("alarm.bad-signature", "The request is not signed with the webhook's secret.", {
      next: "Give sender and receiver the same secret, and check the body as it came.",
    });
  }
  if (Math.abs(nowSeconds - Number(timestamp)) > toleranceSeconds) {
    throw new NeuraError(
      "alarm.stale",
      `The request was signed at ${timestamp} s, which is too far from now.`,
      {
        next: "Set this machine's clock, if the request is not an old one that somebody sent again.",
      },
    );
  }
  // Signed by our own sender.
  return JSON.parse(text) as Alarm;
}

function signatureOf(secret: Secret<string>, timestamp: number | string, body: string | Uint8Array): Buffer {
  return createHmac("sha256", secret.reveal()).update(`${timestamp}.`).update(body).digest();
}

function plainHeaders(
  headers: Readonly<Record<string, string | readonly string[] | undefined>>,
): [string, string][] {
  const wanted = new Set<string>(Object.values(HEADERS));
  return Object.entries(headers).flatMap(([name, value]): [string, string][] =>
    typeof value === "string" && wanted.has(name.toLowerCase()) ? [[name, value]] : [],
  );
}

/** What is behind `fetch failed`. */
function reasonOf(error: unknown): string {
  return error instanceof Error && error.cause !== undefined ? messageOf(error.cause) : messageOf(error);
}

function failure({ name, url }: WebhookSink, what: string): NeuraError {
  return new NeuraError("alarm.webhook", `The webhook of ${name} at ${url.origin} failed: ${what}.`, {
    next: "Check that the receiver runs, and try it with `alarm test`.",
  });
}
