import { ZeroAddress } from "ethers";

import type { Abortable } from "../abort.ts";
import { formatAmount } from "../amount.ts";
import { Erc20 } from "../chain/erc20.ts";
import { isNeuraError, NeuraError } from "../errors.ts";
import { asking, type ChainContext, connectContracts, requireSigner } from "../market/context.ts";
import type { Receipt } from "../market/transaction.ts";
import { send, shareAt } from "./context.ts";
import { nameOf, type RevenueAmount, type RevenueToken, type ShareName, tokenAt } from "./tokens.ts";

/** Revenue that came in. */
export interface ReceivedRevenue extends RevenueAmount {
  readonly share: ShareName;
  /** The snapshot that will divide it. */
  readonly snapshot: number;
  /** When that is [Unix s]. */
  readonly endsAtSeconds: number;
  readonly transaction: Receipt;
}

/**
 * Pays `amountWei` of the signer's into a share, as revenue of the present period; a token is approved first where it has
 * to be. What had come without a call counts with it.
 *
 * Errors: `share.unknown`, `share.unknown-token`, `wallet.insufficient-funds`, `market.read-only`.
 */
export async function depositRevenue(
  context: ChainContext,
  address: string,
  { amountWei, token: tokenAddress = ZeroAddress }: { amountWei: bigint; token?: string | undefined },
  { signal }: Abortable = {},
): Promise<ReceivedRevenue> {
  const signer = requireSigner(context);
  const account = await signer.getAddress();
  const share = await nameOf(context, address);
  const token = tokenAt(share, tokenAddress);
  const isNative = token.address === ZeroAddress;
  const erc20 = new Erc20(token.address, signer);
  const hasWei = isNative ? await context.provider.getBalance(account) : await erc20.balanceOf(account);
  if (hasWei < amountWei) {
    const [has, needed] = [hasWei, amountWei].map((each) => formatAmount(each, token));
    throw new NeuraError("wallet.insufficient-funds", `${account} has ${has}, where ${needed} are needed.`, {
      next: `Send ${formatAmount(amountWei - hasWei, token)} to ${account} on chain ${context.deployment.chainId}.`,
      details: { account, hasWei, neededWei: amountWei },
    });
  }
  if (!isNative) await asking(erc20.allow(account, address, amountWei));
  const overrides = isNative ? { value: amountWei } : {};
  const call = shareAt(context, address).deposit.populateTransaction(token.address, amountWei, overrides);
  return await receive(context, share, token, call, signal);
}

/**
 * Counts what has come to a share without a call, as revenue of the present period. Anyone.
 * Errors: `share.unknown`, `share.unknown-token`, `market.read-only`.
 */
export async function syncRevenue(
  context: ChainContext,
  address: string,
  { token: tokenAddress = ZeroAddress }: { token?: string | undefined } = {},
  { signal }: Abortable = {},
): Promise<ReceivedRevenue> {
  const share = await nameOf(context, address);
  const token = tokenAt(share, tokenAddress);
  const call = shareAt(context, address).sync.populateTransaction(token.address);
  return await receive(context, share, token, call, signal);
}

/**
 * Takes the royalties out of the market that tasks have credited to a share there, as its revenue. Anyone.
 * Errors: `share.unknown`, `share.unknown-token`, `share.nothing`, `market.read-only`.
 */
export async function collectRoyalties(
  context: ChainContext,
  address: string,
  { market: marketAddress = context.deployment.contracts.TaskMarket }: { market?: string | undefined } = {},
  { signal }: Abortable = {},
): Promise<ReceivedRevenue> {
  const { deployment, provider } = context;
  const share = await nameOf(context, address);
  const contracts = { ...deployment.contracts, TaskMarket: marketAddress };
  const { market } = connectContracts({ ...deployment, contracts }, provider);
  const [currency, earnedWei] = await asking(Promise.all([market.currency(), market.balanceOf(address)]));
  const token = tokenAt(share, currency);
  if (earnedWei === 0n) {
    throw new NeuraError(
      "share.nothing",
      `${share.symbol} has earned nothing in the market that is still there.`,
      {
        next: "Name the share as a model's revenue address, with `model register --revenue` or `model revenue`.",
        details: { share: address, market: marketAddress },
      },
    );
  }
  const call = shareAt(context, address).collect.populateTransaction(marketAddress);
  return await receive(context, share, token, call, signal);
}

/**
 * Closes the period before the present one, if no call has yet, and counts coins that came without a call. Anyone.
 * Errors: `share.unknown`, `market.read-only`.
 */
export async function takeSnapshot(
  context: ChainContext,
  address: string,
  { signal }: Abortable = {},
): Promise<{
  share: ShareName;
  /** The newest snapshot; 0: none. */
  lastSnapshot: number;
  /** What was divided by this. */
  divided: readonly DividedRevenue[];
  transaction: Receipt;
}> {
  const share = await nameOf(context, address);
  const contract = shareAt(context, address);
  const call = contract.snapshot.populateTransaction();
  const { events, transaction } = await send(context, call, { share: address, signal });
  const divided = events.flatMap((event): DividedRevenue[] => {
    if (event.name !== "SnapshotTaken") return [];
    const { snapshot, revenueWei, claimableWei, redeemableWei, eligibleWei } = event;
    return share.tokens
      .filter((token) => token.address === event.token)
      .map((token) => ({ snapshot, token, revenueWei, claimableWei, redeemableWei, eligibleWei }));
  });
  const lastSnapshot = Number(await asking(contract.lastSnapshot({ blockTag: transaction.block })));
  return { share, lastSnapshot, divided, transaction };
}

/** How the revenue of a period was divided. */
export interface DividedRevenue {
  readonly snapshot: number;
  readonly token: RevenueToken;
  readonly revenueWei: bigint;
  readonly claimableWei: bigint;
  readonly redeemableWei: bigint;
  /** Tokens that took part. */
  readonly eligibleWei: bigint;
}

/** The revenue share at a model's revenue address, and whether royalties can come out of the market into it. */
export interface ModelRevenue {
  readonly share: ShareName;
  readonly isUsable: boolean;
}

/** What a revenue address is, where it is a revenue share. */
export async function modelRevenueOf(
  context: ChainContext,
  address: string,
): Promise<ModelRevenue | undefined> {
  const { currency } = context.deployment;
  try {
    const share = await nameOf(context, address);
    return { share, isUsable: share.tokens.some((token) => token.address === currency.address) };
  } catch (error) {
    if (isNeuraError(error, "share.unknown")) return undefined;
    throw error;
  }
}

/**
 * Checks that royalties which go to an address can be taken out of the market, as far as it is a revenue share.
 * Error: `share.unknown-token`.
 */
export async function checkModelRevenue(context: ChainContext, address: string): Promise<void> {
  const revenue = await modelRevenueOf(context, address);
  if (revenue === undefined || revenue.isUsable) return;
  const { symbol } = context.deployment.currency;
  throw new NeuraError(
    "share.unknown-token",
    `The revenue share ${revenue.share.symbol} takes no ${symbol}: royalties could never leave the market.`,
    { next: "Make a share that does: its revenue tokens are fixed when it is made." },
  );
}

/** Sends a call that brings revenue, and says how much and when it will be divided. */
async function receive(
  context: ChainContext,
  share: ShareName,
  token: RevenueToken,
  call: Parameters<typeof send>[1],
  signal: AbortSignal | undefined,
): Promise<ReceivedRevenue> {
  const { events, transaction } = await send(context, call, { share: share.address, signal });
  const received = events.find((event) => event.name === "RevenueReceived");
  const contract = shareAt(context, share.address);
  const last = received?.period ?? Number(await contract.lastSnapshot({ blockTag: transaction.block }));
  const snapshot = last + 1;
  const endsAtSeconds = Number(await contract.endOf(snapshot));
  return { share, token, amountWei: received?.amountWei ?? 0n, transaction, snapshot, endsAtSeconds };
}
