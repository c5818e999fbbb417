import { formatAmount, type Unit } from "../../src/amount.ts";
import { type MarketContext, openMarket } from "../../src/market/context.ts";
import type { EpochReward } from "../../src/market/rewards.ts";
import { parseAddress } from "../address.ts";
import type { Context } from "../context.ts";

/** The market and the provider that a command about rewards is for; `write`: with the account that pays. */
export async function rewardsOf(
  context: Context,
  named: string | undefined,
  { write }: { write: boolean },
): Promise<{ market: MarketContext; provider: string; currency: Unit }> {
  const { home, storage, allowLoopback } = context;
  const deployment = await context.deployment();
  const signer = write || named === undefined ? await context.signer() : undefined;
  const runner = signer ?? context.provider;
  const market = openMarket({ runner, deployment, storage, home, allowLoopback });
  const provider = named === undefined ? (signer?.address ?? "") : parseAddress(named, "provider");
  return { market, provider, currency: deployment.currency };
}

/** One epoch on a line. */
export function epochText({ feesWei, rewardWei, claimed, isOver }: EpochReward, currency: Unit): string {
  const state = claimed ? "claimed" : isOver ? "to be claimed" : "if it ended now";
  return `${formatAmount(rewardWei, currency)} for fees of ${formatAmount(feesWei, currency)}, ${state}`;
}
