import type { MarketClient, SubmittedTask, TaskRequest, TaskStatus } from "../src/index.ts";

/**
 * The provider's node is asked before anything is paid, and promises a place at a price: submitting and accepting are
 * one transaction then, so there is no waiting for somebody to accept.
 */
export async function submitWithQuote({
  owner,
  request,
}: {
  owner: MarketClient;
  request: TaskRequest;
}): Promise<{ task: SubmittedTask; accepted: TaskStatus; delivered: TaskStatus }> {
  const { costWei } = await owner.prepare(request);
  // The node may ask for more than it has registered, such as a price in USD by today's rate: here up to a tenth more.
  const task = await owner.submit({ ...request, withQuote: true, maxCostWei: (costWei * 11n) / 10n });

  const accepted = await owner.status(task.id);
  const delivered = await owner.wait(task.id, { for: "delivered", intervalMs: 200 });
  return { task, accepted, delivered };
}
