import { ZeroAddress } from "ethers";

import type { Abortable } from "../abort.ts";
import { isOutage } from "../chain/errors.ts";
import { isNeuraError, NeuraError } from "../errors.ts";
import { asking, type ChainContext, requireSigner } from "../market/context.ts";
import type { Receipt } from "../market/transaction.ts";
import { amountsText, readPosition, type SharePosition } from "./claims.ts";
import { requireShare, send, shareAt } from "./context.ts";
import type { RevenueAmount, ShareName } from "./tokens.ts";

/** What holders decide for themselves, and what the few others with rights may do. */

/** Where an account stands after a change. */
export interface ChangedPosition {
  readonly share: ShareName;
  readonly position: SharePosition;
  readonly transaction: Receipt;
}

/** Pays what the signer claims from now on to `recipient`; to itself: its own address. Error: `share.recipient`. */
export async function setRecipient(
  context: ChainContext,
  address: string,
  { recipient }: { recipient: string },
  options: Abortable = {},
): Promise<ChangedPosition> {
  const account = await requireSigner(context).getAddress();
  const contract = await requireShare(context, address);
  const call = contract.setRecipient.populateTransaction(recipient === account ? ZeroAddress : recipient);
  return await changed(context, address, account, call, options);
}

/** Whether others may claim for the signer; they may unless it refuses. */
export async function refuseClaimFor(
  context: ChainContext,
  address: string,
  { refused }: { refused: boolean },
  options: Abortable = {},
): Promise<ChangedPosition> {
  const account = await requireSigner(context).getAddress();
  const call = (await requireShare(context, address)).refuseClaimFor.populateTransaction(refused);
  return await changed(context, address, account, call, options);
}

/**
 * Whether tokens take part in revenue, from the present period on: the signer's own, or, by the share's owner, those of a
 * contract that cannot claim. Errors: `chain.not-owner`, `share.not-contract`, `share.spoken`.
 */
export async function setSharing(
  context: ChainContext,
  address: string,
  { shares, account: named }: { shares: boolean; account?: string | undefined },
  options: Abortable = {},
): Promise<ChangedPosition> {
  const self = await requireSigner(context).getAddress();
  const contract = await requireShare(context, address);
  const call =
    named === undefined || named === self
      ? contract.setSharing.populateTransaction(shares)
      : contract.setExcluded.populateTransaction(named, !shares);
  return await changed(context, address, named ?? self, call, options);
}

/** Mints within the policy of the share. Errors: `share.not-minter`, `share.minting-over`, `share.cap`. */
export async function mintShares(
  context: ChainContext,
  address: string,
  { account, amountWei }: { account: string; amountWei: bigint },
  options: Abortable = {},
): Promise<ChangedPosition> {
  const call = (await requireShare(context, address)).mint.populateTransaction(account, amountWei);
  return await changed(context, address, account, call, options);
}

/**
 * Pays the signer's credits to `to`: in one token, or in each that there is something in. Those whose token still refuses
 * stay, and are named. Errors: `share.nothing`, `share.recipient`, `share.token-refuses` where it is all of them.
 */
export async function withdrawCredits(
  context: ChainContext,
  address: string,
  { token, to: named }: { token?: string | undefined; to?: string | undefined } = {},
  { signal }: Abortable = {},
): Promise<{
  share: ShareName;
  withdrawn: readonly RevenueAmount[];
  refused: readonly RevenueAmount[];
  transactions: readonly Receipt[];
}> {
  const account = await requireSigner(context).getAddress();
  const to = named ?? account;
  const { share, position } = await readPosition(context, address, account);
  const contract = shareAt(context, address);
  const credits = position.credit.filter((each) => token === undefined || each.token.address === token);
  if (credits.length === 0) {
    throw new NeuraError("share.nothing", `No credit of ${share.symbol} waits for ${account}.`, {
      next: "See `share portfolio` for what there is.",
      details: { share: address, account },
    });
  }
  const withdrawn: RevenueAmount[] = [];
  const refused: RevenueAmount[] = [];
  const transactions: Receipt[] = [];
  let cause: unknown;
  for (const credit of credits) {
    const call = contract.withdrawCredit.populateTransaction(credit.token.address, to);
    try {
      transactions.push((await send(context, call, { share: address, signal })).transaction);
      withdrawn.push(credit);
    } catch (error) {
      signal?.throwIfAborted();
      if (isOutage(error) || isNeuraError(error, "share.recipient")) throw error;
      refused.push(credit);
      cause = error;
    }
  }
  if (withdrawn.length === 0) {
    throw new NeuraError(
      "share.token-refuses",
      `${amountsText(refused)} of ${share.symbol} still cannot be paid to ${to}: the receiver or the token refuses.`,
      { next: "Name another account to pay it to, or try again later: it stays credited.", cause },
    );
  }
  return { share, withdrawn, refused, transactions };
}

async function changed(
  context: ChainContext,
  address: string,
  account: string,
  call: Parameters<typeof send>[1],
  { signal }: Abortable,
): Promise<ChangedPosition> {
  const { transaction } = await send(context, call, { share: address, signal });
  const { share, position } = await asking(readPosition(context, address, account));
  return { share, position, transaction };
}
