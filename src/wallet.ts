import { type Signer, ZeroAddress } from "ethers";

import { formatAmount } from "./amount.ts";
import { Erc20 } from "./chain/erc20.ts";
import type { Deployment } from "./deployment.ts";
import { NeuraError } from "./errors.ts";
import { asking, chainTime, connectContracts } from "./market/context.ts";

/** An account's money in and beside the market. */
export interface Balance {
  /** In the market: can be spent on tasks and withdrawn [wei]. */
  readonly marketWei: bigint;
  /** On the account itself, in the market's currency [wei]. */
  readonly ownWei: bigint;
  /** Of the chain's coin, which pays for gas [wei]. */
  readonly coinWei: bigint;
  /** Fees from its settlements that have not moved to the treasury yet [wei]. */
  readonly feesDueWei: bigint;
}

export interface WalletOptions {
  deployment: Deployment;
  signer: Signer;
}

/** How long a permit is good [s]. */
const PERMIT_SECONDS = 3600;

type Sent = { hash: string; gasUsed: bigint };

/** The balances of `account`. */
export async function balanceOf({ deployment, signer }: WalletOptions, account: string): Promise<Balance> {
  const { market } = connectContracts(deployment, signer);
  const [marketWei, feesDueWei, coinWei] = await Promise.all([
    market.balanceOf(account),
    market.feesDue(account),
    providerOf(signer).getBalance(account),
  ]);
  const { address } = deployment.currency;
  const ownWei = address === ZeroAddress ? coinWei : await new Erc20(address, signer).balanceOf(account);
  return { marketWei, ownWei, coinWei, feesDueWei };
}

/**
 * Puts `amountWei` of the signer's into the balance of `account`; a token is approved first where it has to be.
 * Error: `wallet.insufficient-funds`.
 */
export async function deposit(
  { deployment, signer }: WalletOptions,
  { amountWei, account }: { amountWei: bigint; account: string },
): Promise<Sent> {
  const { contracts, currency } = deployment;
  const from = await signer.getAddress();
  const { ownWei } = await balanceOf({ deployment, signer }, from);
  if (ownWei < amountWei) {
    throw insufficient({ account: from, hasWei: ownWei, neededWei: amountWei, deployment, where: "" });
  }
  const native = currency.address === ZeroAddress;
  if (!native) await new Erc20(currency.address, signer).allow(from, contracts.TaskMarket, amountWei);
  const { market } = connectContracts(deployment, signer);
  return await sent(market.depositFor(account, amountWei, { value: native ? amountWei : 0n }));
}

/**
 * Puts `amountWei` of the signer's token into its own balance in one transaction, with a permit in place of an approval.
 * Errors: `wallet.insufficient-funds`, `token.no-permit`.
 */
export async function depositWithPermit(
  { deployment, signer }: WalletOptions,
  { amountWei }: { amountWei: bigint },
): Promise<Sent> {
  const { contracts, currency } = deployment;
  const from = await signer.getAddress();
  const { ownWei } = await balanceOf({ deployment, signer }, from);
  if (ownWei < amountWei) {
    throw insufficient({ account: from, hasWei: ownWei, neededWei: amountWei, deployment, where: "" });
  }
  if (currency.address === ZeroAddress) {
    throw new NeuraError("token.no-permit", `${currency.symbol} is the chain's own coin, which needs none.`, {
      next: "Deposit without --permit.",
    });
  }
  const deadlineSeconds = (await chainTime(providerOf(signer))) + PERMIT_SECONDS;
  const { v, r, s } = await new Erc20(currency.address, signer).permit(signer, {
    spender: contracts.TaskMarket,
    amountWei,
    deadlineSeconds,
  });
  const { market } = connectContracts(deployment, signer);
  return await sent(market.depositWithPermit(amountWei, deadlineSeconds, v, r, s));
}

/** Pays `amountWei` of the signer's balance out to `to`. Error: `wallet.insufficient-funds`. */
export async function withdraw(
  { deployment, signer }: WalletOptions,
  { amountWei, to }: { amountWei: bigint; to: string },
): Promise<Sent> {
  const { market } = connectContracts(deployment, signer);
  const account = await signer.getAddress();
  const hasWei = await market.balanceOf(account);
  if (hasWei < amountWei) {
    throw insufficient({ account, hasWei, neededWei: amountWei, deployment, where: " in the market" });
  }
  return await sent(market.withdrawTo(to, amountWei));
}

export interface Delegation {
  readonly delegate: string;
  /** What it may still spend [wei]; 0 revokes it. */
  readonly limitWei: bigint;
  /** Last second at which it can [Unix s]. */
  readonly expiresAtSeconds: number;
  /** Only for tasks of this provider. Default: any. */
  readonly provider?: string | undefined;
  /** Only for tasks with this model. Default: any, with or without one. */
  readonly model?: number | undefined;
}

/** Lets another account pay for tasks from the signer's balance, replacing what it had. */
export async function setDelegate(
  { deployment, signer }: WalletOptions,
  { delegate, limitWei, expiresAtSeconds, provider = ZeroAddress, model = 0 }: Delegation,
): Promise<Sent> {
  const { market } = connectContracts(deployment, signer);
  const delegation = { limitWei, provider, expiresAt: expiresAtSeconds, model };
  return await sent(market.setDelegate(delegate, delegation));
}

async function sent(
  call: Promise<{ wait(): Promise<{ hash: string; gasUsed: bigint } | null> }>,
): Promise<Sent> {
  const receipt = await (await asking(call)).wait();
  if (receipt === null)
    throw new NeuraError("chain.unavailable", "The chain has no receipt of the transaction.");
  return { hash: receipt.hash, gasUsed: receipt.gasUsed };
}

function insufficient({
  account,
  hasWei,
  neededWei,
  deployment: { currency, chainId },
  where,
}: {
  account: string;
  hasWei: bigint;
  neededWei: bigint;
  deployment: Deployment;
  where: string;
}): NeuraError {
  const [has, needed, missing] = [hasWei, neededWei, neededWei - hasWei].map((wei) =>
    formatAmount(wei, currency),
  );
  return new NeuraError(
    "wallet.insufficient-funds",
    `${account} has ${has}${where}, where ${needed} are needed.`,
    {
      next: where === "" ? `Send ${missing} to ${account} on chain ${chainId}.` : `Name at most ${has}.`,
      details: { account, hasWei, neededWei },
    },
  );
}

function providerOf({ provider }: Signer) {
  if (provider !== null) return provider;
  throw new NeuraError("market.no-provider", "The signer is not connected to a chain.", {
    next: "Connect it: signer.connect(provider).",
  });
}
