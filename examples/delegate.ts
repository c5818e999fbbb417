import { deposit, type Deployment, type MarketClient, setDelegate, type TaskRequest } from "../src/index.ts";
import type { Signer } from "ethers";

/**
 * A key for the CI: it orders tasks from its owner's balance, up to a limit, until a day, for one provider alone. It
 * cannot withdraw, and it cannot read results, which are encrypted to the owner.
 */
export async function delegateToCi({
  deployment,
  signer,
  ci,
  ciAccount,
  provider,
  limitWei,
  expiresAtSeconds,
  request,
}: {
  deployment: Deployment;
  /** The owner's. */
  signer: Signer;
  /** A client with the CI's key. */
  ci: MarketClient;
  ciAccount: string;
  /** Account of the only provider that it may order from. */
  provider: string;
  limitWei: bigint;
  /** [Unix s] */
  expiresAtSeconds: number;
  request: TaskRequest;
}): Promise<string> {
  const owner = await signer.getAddress();
  const wallet = { deployment, signer };
  await deposit(wallet, { amountWei: limitWei, account: owner });
  await setDelegate(wallet, { delegate: ciAccount, limitWei, expiresAtSeconds, provider });

  // In the CI's job: its account needs coins for gas only.
  const { id } = await ci.submit({ ...request, owner, provider });
  await ci.wait(id, { for: "delivered", intervalMs: 200 });
  return id;
}
