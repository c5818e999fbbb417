import type { Signer } from "ethers";

import { ProviderRewards__factory } from "../src/contracts.ts";
import type { Deployment } from "../src/index.ts";

/** How many epochs back is looked for what was not claimed. */
const EPOCHS = 30n;

/**
 * What somebody runs each night, for one provider or for all of them: puts something into the pot, counts the fees that
 * the provider has paid since the last night, and claims what epochs that are over brought it. The first night makes
 * the provider take part; fees from before do not count. Rewards go to its payout address, whoever claims them.
 */
export async function collectRewards({
  deployment,
  signer,
  provider,
  fundWei = 0n,
}: {
  deployment: Deployment;
  /** Anybody's, who pays the gas, and what is funded. */
  signer: Signer;
  provider: string;
  fundWei?: bigint;
}): Promise<{ claimedWei: bigint }> {
  const rewards = ProviderRewards__factory.connect(deployment.contracts.ProviderRewards, signer);
  // Of a market with a token, approve it first, and send no value.
  if (fundWei > 0n) await (await rewards.fund(fundWei, { value: fundWei })).wait();
  await (await rewards.record([provider])).wait();

  let claimedWei = 0n;
  const current = await rewards.currentEpoch();
  for (let epoch = current > EPOCHS ? current - EPOCHS : 0n; epoch < current; epoch++) {
    const { rewardWei, claimed } = await rewards.rewardOf(provider, epoch);
    if (claimed || rewardWei === 0n) continue;
    await (await rewards.claim(provider, epoch)).wait();
    claimedWei += rewardWei;
  }
  return { claimedWei };
}
