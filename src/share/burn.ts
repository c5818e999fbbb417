import type { Abortable } from "../abort.ts";
import { formatAmount } from "../amount.ts";
import { NeuraError } from "../errors.ts";
import { asking, type ChainContext, requireSigner } from "../market/context.ts";
import type { Receipt } from "../market/transaction.ts";
import { paymentsOf, readPosition, type SharePayment } from "./claims.ts";
import { send, shareAt } from "./context.ts";
import { amountsOf, nameOf, type RevenueAmount, type ShareName, tokenAt } from "./tokens.ts";

/** What burning pays, and what it leaves. */
export interface BurnPreview {
  readonly share: ShareName;
  readonly burnedWei: bigint;
  readonly amounts: readonly RevenueAmount[];
}

/** What burning `amountWei` of a share's tokens would pay now. Error: `share.unknown`. */
export async function previewBurn(
  context: ChainContext,
  address: string,
  amountWei: bigint,
): Promise<BurnPreview> {
  const share = await nameOf(context, address);
  const contract = shareAt(context, address);
  const amountsWei = await asking(
    Promise.all(
      share.tokens.map((token, index) =>
        index === 0
          ? contract.redeemableOnBurn(amountWei)
          : contract.redeemableERC20OnBurn(amountWei, token.address),
      ),
    ),
  );
  return { share, burnedWei: amountWei, amounts: amountsOf(share, amountsWei) };
}

/**
 * Burns the signer's tokens for their part of what is redeemable, and keeps what it can claim.
 *
 * What a token redeems never falls: whoever burns before takes at most its part, minting and bridging take none, and
 * every closed period adds. So what {@link previewBurn} says is paid at least, whenever the transaction is mined, and a
 * `minimum` is only held against that beforehand: token and smallest unit of each.
 *
 * Errors: `share.unknown`, `share.insufficient`, `share.minimum`, `share.unknown-token`, `market.read-only`.
 */
export async function burnShares(
  context: ChainContext,
  address: string,
  {
    amountWei,
    minimum = [],
  }: { amountWei: bigint; minimum?: readonly { readonly token: string; readonly amountWei: bigint }[] },
  { signal }: Abortable = {},
): Promise<{ share: ShareName; payment: SharePayment; balanceWei: bigint; transaction: Receipt }> {
  const account = await requireSigner(context).getAddress();
  const [{ share, amounts }, { position }] = await Promise.all([
    previewBurn(context, address, amountWei),
    readPosition(context, address, account),
  ]);
  if (amountWei === 0n || position.balanceWei < amountWei) {
    const [has, wanted] = [position.balanceWei, amountWei].map((each) => formatAmount(each, share));
    throw new NeuraError("share.insufficient", `${account} has ${has}, where ${wanted} are to be burned.`, {
      next: "Name an amount above 0 and at most what there is.",
      details: { balanceWei: position.balanceWei, amountWei },
    });
  }
  for (const each of minimum) {
    const token = tokenAt(share, each.token);
    const paysWei = amounts.find(({ token: { address: found } }) => found === token.address)?.amountWei ?? 0n;
    if (paysWei >= each.amountWei) continue;
    throw new NeuraError(
      "share.minimum",
      `Burning ${formatAmount(amountWei, share)} pays ${formatAmount(paysWei, token)}, less than ${formatAmount(each.amountWei, token)}.`,
      {
        next: "Wait: what a token redeems grows when a period is over, and never falls.",
        details: { paysWei, minimumWei: each.amountWei },
      },
    );
  }
  const call = shareAt(context, address).burn.populateTransaction(amountWei);
  const { events, transaction } = await send(context, call, { share: address, signal });
  const [paid] = paymentsOf(share, events);
  const { recipient } = position;
  return {
    share,
    payment: { account, amounts: paid?.amounts ?? [], credited: paid?.credited ?? [], recipient },
    balanceWei: position.balanceWei - amountWei,
    transaction,
  };
}
