import { formatAmount, parseAmount } from "../../src/amount.ts";
import { mintShares } from "../../src/share/rights.ts";
import { nameOf } from "../../src/share/tokens.ts";
import { parseAddress } from "../address.ts";
import { openChainOf } from "../chain.ts";
import { action } from "../context.ts";
import { positionResult } from "./share.ts";

interface MintArguments {
  readonly share: string;
  readonly account: string;
  readonly amount: string;
}

export default action("neura/share-mint/1", async (given: MintArguments, context) => {
  const { out, signal } = context;
  const shares = await openChainOf(context, { signing: true });
  const share = await nameOf(shares, parseAddress(given.share, "share"));
  const account = parseAddress(given.account, "account");
  const amountWei = parseAmount(given.amount, share);
  return positionResult(
    await out.step(`Minting ${formatAmount(amountWei, share)}`, () =>
      mintShares(shares, share.address, { account, amountWei }, { signal }),
    ),
  );
});
