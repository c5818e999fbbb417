import type { MarketClient, TaskRequest, TaskStatus } from "../src/index.ts";

/**
 * A day to look at what was delivered, before it is paid. Whoever is content pays early, which frees the provider's
 * collateral; whoever does nothing pays after the day.
 */
export async function settleEarly({
  owner,
  request,
  arbiter,
  directory,
}: {
  owner: MarketClient;
  request: TaskRequest;
  /** Who would decide about a dispute. */
  arbiter: string;
  /** Where the result goes. */
  directory: string;
}): Promise<TaskStatus> {
  const { id } = await owner.submit({ ...request, challenge: { periodSeconds: 86_400, arbiter } });
  await owner.wait(id, { for: "delivered", intervalMs: 200 });

  const { sound, status } = await owner.result(id, { directory });
  if (status.payment !== undefined) throw new Error("it was paid before anybody looked");
  if (!sound) throw new Error("the result is not what its provider committed to: dispute it");

  return (await owner.close(id, "settle")).status;
}
