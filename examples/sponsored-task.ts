import type { MarketClient, TaskRequest, TaskStatus } from "../src/index.ts";

/**
 * An owner without money: it signs what it wants, and a sponsor pays for it. The owner alone can read the result; what
 * is not spent goes back to the sponsor.
 */
export async function sponsoredTask({
  owner,
  sponsor,
  request,
  directory,
}: {
  owner: MarketClient;
  sponsor: MarketClient;
  request: TaskRequest;
  /** Where the result goes. */
  directory: string;
}): Promise<TaskStatus> {
  const order = await owner.sign(request);
  const { id } = await sponsor.sendOrder(order, { sponsor: true });

  await owner.wait(id, { for: "delivered", intervalMs: 200 });
  const { sound, status } = await owner.result(id, { directory });
  if (!sound) throw new Error("the result is not what its provider committed to");
  return status;
}
