import type { MarketClient, TaskRequest, TaskStatus } from "../src/index.ts";

/**
 * An open task that nobody can read before it is theirs: the payload is encrypted to its owner alone, whose client
 * publishes the key for the one provider that has accepted. Its clock starts only then; without the key it leaves the
 * task at no cost, and others can take it.
 */
export async function sealedTask({
  owner,
  request,
  fromWei,
  toWei,
  onReport,
}: {
  owner: MarketClient;
  request: TaskRequest;
  /** What a second brings at first, and at the end of the time to start [wei]. */
  fromWei: bigint;
  toWei: bigint;
  onReport: (line: string) => void;
}): Promise<TaskStatus> {
  const { id } = await owner.submit({
    ...request,
    open: { isSealed: true },
    price: { amountWei: fromWei, maximumWei: toWei, metered: true },
    collateralWei: (toWei * BigInt(request.durationSeconds ?? 600)) / 10n,
  });
  // This program, or another one with the owner's key, has to run until somebody has accepted.
  const onStatus = owner.keyPublisher({ onReport });
  return await owner.wait(id, { for: "delivered", intervalMs: 200, onStatus });
}
