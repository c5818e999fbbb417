import type { Signer } from "ethers";

import { ModelRegistry__factory } from "../src/contracts.ts";
import {
  claimRevenue,
  collectRoyalties,
  createShare,
  type Deployment,
  openChain,
  readHolders,
  readPosition,
  readShare,
  type SharePayment,
} from "../src/index.ts";

/** A model whose royalties belong to everybody who holds its revenue share, in proportion to what they hold. */
export async function shareModel({
  deployment,
  author,
  investors,
  weights,
}: {
  deployment: Deployment;
  author: Signer;
  /** Who gets how many of a million; the author keeps the rest. */
  investors: readonly { account: string; amountWei: bigint }[];
  weights: { hash: string; uri: string };
}): Promise<{ share: string; model: number }> {
  const supplyWei = 10n ** 24n;
  const account = await author.getAddress();
  const keptWei = investors.reduce((rest, { amountWei }) => rest - amountWei, supplyWei);
  // Nothing of it can be changed later, and nobody can make more.
  const { address: share } = await createShare(openChain({ runner: author, deployment }), {
    name: "Letter reader",
    symbol: "READ",
    periodSeconds: 86_400,
    allocations: [...investors, { account, amountWei: keptWei }],
  });
  const registry = ModelRegistry__factory.connect(deployment.contracts.ModelRegistry, author);
  await (await registry.register(weights.hash, weights.uri, "Apache-2.0", 500, share)).wait();
  return { share, model: Number(await registry.modelCount()) };
}

/**
 * What anybody can run once a day: what tasks have earned becomes revenue of the present period, and all holders are paid
 * what the periods before brought them. Who has sold all of its tokens claims what it earned until then itself.
 */
export async function payHolders({
  deployment,
  signer,
  share,
}: {
  deployment: Deployment;
  /** Anybody's, who pays the gas. */
  signer: Signer;
  share: string;
}): Promise<readonly SharePayment[]> {
  const shares = openChain({ runner: signer, deployment });
  const { funds } = await readShare(shares, share);
  if (funds.some(({ inMarketWei }) => inMarketWei > 0n)) await collectRoyalties(shares, share);

  const { holders } = await readHolders(shares, share);
  const accounts: string[] = [];
  for (const { account } of holders) {
    const { position } = await readPosition(shares, share, account);
    if (position.claimable.length > 0 && !position.refusesClaimFor) accounts.push(account);
  }
  if (accounts.length === 0) return [];
  const { claims } = await claimRevenue(shares, share, { accounts });
  return claims;
}
