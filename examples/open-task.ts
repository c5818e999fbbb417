import type { MarketClient, TaskRequest, TaskStatus } from "../src/index.ts";

/**
 * Whoever of a shortlist comes first: the price rises by the second until it is worth it to one of them. The payload is
 * encrypted to those on the list, and to nobody else.
 */
export async function openTask({
  owner,
  request,
  shortlist,
  fromWei,
  toWei,
}: {
  owner: MarketClient;
  request: TaskRequest;
  /** Accounts of providers. Without a list, the three best ones. */
  shortlist: readonly string[];
  /** What a second brings at first, and at the end of the time to start [wei]. */
  fromWei: bigint;
  toWei: bigint;
}): Promise<TaskStatus> {
  const { id, costWei } = await owner.submit({
    ...request,
    open: { shortlist },
    price: { amountWei: fromWei, maximumWei: toWei, metered: true },
    // Taking a task and doing nothing has to cost something.
    collateralWei: (toWei * BigInt(request.durationSeconds ?? 600)) / 10n,
    startWithinSeconds: 300,
  });
  const status = await owner.wait(id, { for: "delivered", intervalMs: 200 });
  if ((status.payment?.paidWei ?? 0n) > costWei) throw new Error("it cost more than was escrowed");
  return status;
}
