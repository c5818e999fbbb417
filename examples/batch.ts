import type { BatchResult, MarketClient, SignedOrder, TaskRequest } from "../src/index.ts";

/**
 * Many tasks in one transaction, for less gas than one by one. One that cannot be done is passed over, and the result says
 * why; it does not stop the others. They are paid from the balance in the market.
 */
export async function batchOfTasks({
  owner,
  requests,
  orders = [],
}: {
  owner: MarketClient;
  requests: readonly TaskRequest[];
  /** Some that are signed already. */
  orders?: readonly SignedOrder[];
}): Promise<BatchResult> {
  // Side by side, since most of the time is the storage's; equal requests would have to come one after another.
  const signed = [...orders, ...(await Promise.all(requests.map((request) => owner.sign(request))))];
  return await owner.batch(signed.map((order) => ({ do: "submit", order })));
}
