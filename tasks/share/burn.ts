import { formatAmount, parseAmount } from "../../src/amount.ts";
import { burnShares, previewBurn } from "../../src/share/burn.ts";
import { amountsText, readPosition } from "../../src/share/claims.ts";
import { parseAddress } from "../address.ts";
import { openChainOf } from "../chain.ts";
import { action } from "../context.ts";
import { fields } from "../output.ts";
import { parseRevenue, paymentRows, shareText } from "./share.ts";

interface BurnArguments {
  readonly share: string;
  readonly amount: string;
  readonly minimum: string | undefined;
  readonly dryRun: boolean;
}

export default action("neura/share-burn/1", async (given: BurnArguments, context) => {
  const { out, signal } = context;
  const shares = await openChainOf(context, { signing: true });
  const { address: account } = await context.signer();
  const { share, position } = await readPosition(shares, parseAddress(given.share, "share"), account);
  const amountWei = given.amount === "all" ? position.balanceWei : parseAmount(given.amount, share);
  const minimum = given.minimum
    ?.split(",")
    .map((each) => parseRevenue(share, each))
    .map((each) => ({ token: each.token.address, amountWei: each.amountWei }));
  if (given.dryRun) {
    const { amounts } = await previewBurn(shares, share.address, amountWei);
    return {
      data: { share, account, burnedWei: amountWei, amounts, sent: false },
      text: fields([
        ["Share", shareText(share)],
        ["Burning", formatAmount(amountWei, share)],
        ["Pays", `${amountsText(amounts)}, or more: what a token redeems never falls`],
      ]),
    };
  }
  const burned = await out.step(`Burning ${formatAmount(amountWei, share)}`, () =>
    burnShares(
      shares,
      share.address,
      { amountWei, ...(minimum === undefined ? {} : { minimum }) },
      { signal },
    ),
  );
  return {
    data: { ...burned, account, burnedWei: amountWei, sent: true },
    text: fields([
      ["Share", shareText(share)],
      ["Burned", `${formatAmount(amountWei, share)}, ${formatAmount(burned.balanceWei, share)} are left`],
      ...paymentRows(burned.payment),
      ["Transaction", burned.transaction.hash],
    ]),
  };
});
