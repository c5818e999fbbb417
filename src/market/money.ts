import { ZeroAddress } from "ethers";

import { formatAmount, type Unit } from "../amount.ts";
import { Erc20 } from "../chain/erc20.ts";
import type { Deployment } from "../deployment.ts";
import { NeuraError } from "../errors.ts";
import type { MarketContext } from "./context.ts";

/**
 * What `payer` has to send along so that `neededWei` can be taken from it [wei]: nothing where its balance in the market
 * suffices, or where the market takes a token that it may take.
 *
 * Errors: `wallet.insufficient-funds`, `wallet.allowance`.
 */
export async function valueToSend(
  context: MarketContext,
  { payer, neededWei, purpose }: { payer: string; neededWei: bigint; purpose: string },
): Promise<bigint> {
  const { contracts, provider, deployment } = context;
  const balanceWei = await contracts.market.balanceOf(payer);
  if (balanceWei >= neededWei) return 0n;
  if (deployment.currency.address !== ZeroAddress) {
    await checkToken(context, { payer, neededWei: neededWei - balanceWei, purpose });
    return 0n;
  }
  const coinWei = await provider.getBalance(payer);
  // The whole from one side where that is possible: a balance that is left alone costs no gas.
  const valueWei = coinWei >= neededWei ? neededWei : neededWei - balanceWei;
  if (coinWei >= valueWei) return valueWei;
  throw insufficient({
    account: payer,
    hasWei: coinWei,
    neededWei: valueWei,
    unit: deployment.currency,
    purpose,
    deployment,
  });
}

/** Checks that the account can pay for the gas too. Error: `wallet.insufficient-funds`. */
export async function checkGas(
  { provider, deployment }: MarketContext,
  { account, gas, valueWei, purpose }: { account: string; gas: bigint; valueWei: bigint; purpose: string },
): Promise<void> {
  const [hasWei, { maxFeePerGas, gasPrice }] = await Promise.all([
    provider.getBalance(account),
    provider.getFeeData(),
  ]);
  const neededWei = valueWei + gas * (maxFeePerGas ?? gasPrice ?? 0n);
  if (hasWei >= neededWei) return;
  const isNative = deployment.currency.address === ZeroAddress;
  const unit = isNative ? deployment.currency : { symbol: "of the chain's coin", decimals: 18 };
  throw insufficient({ account, hasWei, neededWei, unit, purpose: `${purpose} and its gas`, deployment });
}

async function checkToken(
  { provider, deployment }: MarketContext,
  { payer: account, neededWei, purpose }: { payer: string; neededWei: bigint; purpose: string },
): Promise<void> {
  const { currency, contracts } = deployment;
  const token = new Erc20(currency.address, provider);
  const [hasWei, allowedWei] = await Promise.all([
    token.balanceOf(account),
    token.allowance(account, contracts.TaskMarket),
  ]);
  if (hasWei < neededWei) {
    throw insufficient({ account, hasWei, neededWei, unit: currency, purpose, deployment });
  }
  if (allowedWei < neededWei) {
    const [allowed, needed] = [allowedWei, neededWei].map((each) => formatAmount(each, currency));
    throw new NeuraError(
      "wallet.allowance",
      `The market may take ${allowed} from ${account}, where ${needed} are needed.`,
      {
        next: `Deposit ${needed} with \`wallet deposit\`, or approve ${contracts.TaskMarket} for that much.`,
      },
    );
  }
}

function insufficient({
  account,
  hasWei,
  neededWei,
  unit,
  purpose,
  deployment: { chainId },
}: {
  account: string;
  hasWei: bigint;
  neededWei: bigint;
  unit: Unit;
  purpose: string;
  deployment: Deployment;
}): NeuraError {
  const missingWei = neededWei - hasWei;
  const [has, needed, missing] = [hasWei, neededWei, missingWei].map((each) => formatAmount(each, unit));
  return new NeuraError(
    "wallet.insufficient-funds",
    `${account} has ${has}, where ${needed} are needed for ${purpose}: ${missing} are missing.`,
    {
      next: `Send ${missing} to ${account} on chain ${chainId}.`,
      details: { account, hasWei, neededWei, missingWei, chainId },
    },
  );
}
