import type http from "node:http";

import { createAlarm, type Watched, type WatchedTask } from "../../../../src/market/alarms.ts";
import { Secret } from "../../../../src/secret.ts";
import { type Cleanup, collect, serve } from "../../storage/support.ts";

export const NOW = 1_800_000_000;
export const TASK = `0x${"22".repeat(32)}`;

/** What is watched of an account, with a change. */
export function watched(change: Partial<Watched> = {}): Watched {
  return {
    account: `0x${"ab".repeat(20)}`,
    chainId: 267,
    atSeconds: NOW,
    currency: { symbol: "ANKR", decimals: 18 },
    tasks: [],
    ...change,
  };
}

export const SECRET = new Secret("0123456789abcdef0123456789abcdef");

export const ALARM = createAlarm(watched(), {
  kind: "failed",
  task: TASK,
  message: "It failed.",
  details: {},
});

/** An owner's task in this status, as it is watched. */
export function ownedTask(status: WatchedTask["status"], id = TASK): WatchedTask {
  return { id, role: "owner", status, outcome: status === "Failed" ? "ProviderLate" : "None" };
}

export interface Received {
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

/** A receiver of webhooks in a test's hands: `answer` says with which status, or hangs without one. */
export async function receiver(
  cleanup: Cleanup,
  answer: (count: number) => number | undefined = () => 204,
): Promise<{ url: URL; received: Received[] }> {
  const received: Received[] = [];
  const url = await serve(cleanup, (request, response) => {
    void collect(request).then((bytes) => {
      received.push({ headers: request.headers, body: bytes.toString("utf8") });
      const status = answer(received.length);
      if (status !== undefined) response.writeHead(status, { location: "/elsewhere" }).end();
    });
  });
  return { url: new URL("/hook?key=of-the-receiver", url), received };
}
