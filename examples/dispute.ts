import {
  createArbiter,
  type DisputePlan,
  MarketClient,
  type MarketOptions,
  openMarket,
  type TaskRequest,
  type TaskStatus,
  withdrawArbiter,
} from "../src/index.ts";

/**
 * A delivery that is wrong: its owner names the first wrong unit and puts up a bond, the provider has its time to concede,
 * and then the arbiter that both had agreed on says how much of the price is due.
 */
export async function disputeWithArbiter({
  owner,
  judge,
  request,
  providerBps,
}: {
  owner: MarketClient;
  /** How the arbiter reaches the market, with its account. */
  judge: MarketOptions & { account: string };
  request: TaskRequest;
  /** What the arbiter will find due [bps]. */
  providerBps: number;
}): Promise<{ plan: DisputePlan; status: TaskStatus; earnedWei: bigint }> {
  // Once: the arbiter's contract, whose address owners name.
  const court = openMarket(judge);
  const terms = { arbiter: judge.account, feeBps: 500, minimumFeeWei: 1_000n, rulingSeconds: 3 * 86_400 };
  const { address: arbiter } = await createArbiter(court, terms);

  const { id } = await owner.submit({ ...request, challenge: { periodSeconds: 86_400, arbiter } });
  await owner.wait(id, { for: "delivered", intervalMs: 200 });
  const plan = await owner.planDispute(id);
  await owner.dispute(id, { unit: 0n, maximumBondWei: plan.bondWei });

  // On the arbiter's side, which looks at the work meanwhile.
  const client = new MarketClient(judge);
  for await (const { next } of client.watch(id, { intervalMs: 200 })) {
    if (!next.some(({ action }) => action === "rule")) continue;
    const { status } = await client.rule(id, { providerBps });
    const { amountWei: earnedWei } = await withdrawArbiter(court, arbiter, { to: judge.account });
    return { plan, status, earnedWei };
  }
  throw new Error("the dispute ended without a ruling: the provider conceded");
}
