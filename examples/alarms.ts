import { createServer } from "node:http";
import { buffer } from "node:stream/consumers";

import {
  type Alarm,
  type Deployment,
  type MarketClient,
  Notifier,
  openSink,
  type Secret,
  verifyWebhook,
  watchAlarms,
  type Watched,
} from "../src/index.ts";

/** Watches a task and posts what costs money when it is missed; each alarm arrives once, also over restarts. */
export async function watchWithWebhook({
  client,
  deployment,
  account,
  id,
  home,
  webhook,
  signal,
}: {
  client: MarketClient;
  deployment: Deployment;
  account: string;
  /** The task. */
  id: string;
  /** Keeps what was sent. */
  home: string;
  webhook: { url: URL; secret: Secret<string> };
  signal: AbortSignal;
}): Promise<void> {
  const { chainId, currency } = deployment;
  const sink = openSink({ name: "pager", kinds: undefined, timeoutSeconds: 10, ...webhook });
  const notifier = await Notifier.open({ home, sinks: [sink] });
  const snapshot = async (): Promise<Watched> => {
    const { status, outcome, challenge, nowSeconds } = await client.status(id, { signal });
    const challenged = challenge === undefined ? {} : { challengeEndsAtSeconds: challenge.endsAtSeconds };
    const tasks = [{ id, role: "owner" as const, status, outcome, ...challenged }];
    return { account, chainId, currency, tasks, atSeconds: nowSeconds };
  };
  await watchAlarms({ snapshot, notifier, signal, intervalMs: 200 }).finally(() => notifier.close());
}

/** The other side: takes what is signed with the secret, and refuses everything else. */
export function alarmReceiver(secret: Secret<string>, onAlarm: (alarm: Alarm) => void) {
  const seen = new Set<string>();
  return createServer((request, response) => {
    void buffer(request).then((body) => {
      try {
        const alarm = verifyWebhook({ secret, headers: request.headers, body });
        if (!seen.has(alarm.id)) onAlarm(alarm);
        seen.add(alarm.id);
        response.writeHead(204).end();
      } catch {
        response.writeHead(401).end();
      }
    });
  });
}
