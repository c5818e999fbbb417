import { connectLease, type MarketClient, type TaskRequest, type TaskStatus } from "../src/index.ts";

/**
 * Something that is kept up and paid by the second: started, used through a ticket that its owner alone can read, paid
 * on by somebody else, and closed. What is not used goes back to its owner, whoever paid it.
 */
export async function useLease({
  owner,
  friend,
  request,
  body,
}: {
  owner: MarketClient;
  friend: MarketClient;
  request: TaskRequest;
  /** What the application is asked. */
  body: string;
}): Promise<{ answer: string; extended: TaskStatus; status: TaskStatus }> {
  const { id } = await owner.submit({
    ...request,
    // Seconds after a silence longer than a heartbeat are not paid; unused for ten minutes, it ends itself.
    lease: { heartbeatSeconds: 60, noticeSeconds: 120, idleStopSeconds: 600 },
  });
  await owner.wait(id, { for: "ready", intervalMs: 200 });

  const lease = connectLease(await owner.ticket(id));
  try {
    const { isUp, reason } = await lease.probe();
    if (!isUp) throw new Error(reason);
    const answer = await (await lease.request("/", { body })).text();

    const { status: extended } = await friend.topUp(id, { seconds: 120 });
    await owner.close(id, "close");
    return { answer, extended, status: await owner.wait(id, { for: "ended", intervalMs: 200 }) };
  } finally {
    lease.close();
  }
}
