import type { BatchResult, MarketClient, SignedOrder, TaskRequest } from "../src/index.ts";

/**
 * Many tasks in one transaction, at a third of the gas that they take one by one. One that cannot be done is passed over
 * with its reason; it does not stop the others. They are paid from the balance in the market.
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
  const signed = [...orders];
  for (const request of requests) signed.push(await owner.sign(request));
  const result = await owner.batch(signed.map((order) => ({ do: "submit", order })));
  for (const { id, done, reason = "" } of result.results) if (!done) console.warn(`${id}: ${reason}`);
  return result;
}
