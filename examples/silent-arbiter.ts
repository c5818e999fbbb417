import type { MarketClient, TaskRequest, TaskStatus } from "../src/index.ts";

/**
 * An arbiter that says nothing does not keep the money: once its time is over anybody ends the dispute, the provider is
 * paid as it delivered, and the bond goes back. An owner that names an arbiter bears that risk.
 */
export async function outlastArbiter({
  owner,
  anybody,
  request,
  arbiter,
}: {
  owner: MarketClient;
  anybody: MarketClient;
  request: TaskRequest;
  /** A named arbiter's contract. */
  arbiter: string;
}): Promise<TaskStatus> {
  const { id } = await owner.submit({ ...request, challenge: { periodSeconds: 86_400, arbiter } });
  await owner.wait(id, { for: "delivered", intervalMs: 200 });
  await owner.dispute(id, { unit: 0n });

  for await (const { next } of anybody.watch(id, { intervalMs: 200 })) {
    if (next.some(({ action }) => action === "resolve")) return (await anybody.close(id, "resolve")).status;
  }
  throw new Error("somebody else ended the dispute");
}
