import { formatAmount } from "../../src/amount.ts";
import { depositRevenue } from "../../src/share/revenue.ts";
import { nameOf } from "../../src/share/tokens.ts";
import { parseAddress } from "../address.ts";
import { openChainOf } from "../chain.ts";
import { action } from "../context.ts";
import { parseRevenue, receivedResult } from "./share.ts";

interface DepositArguments {
  readonly share: string;
  readonly amount: string;
  readonly token: string | undefined;
}

export default action("neura/share-deposit/1", async (given: DepositArguments, context) => {
  const { out, signal } = context;
  const shares = await openChainOf(context, { signing: true });
  const share = await nameOf(shares, parseAddress(given.share, "share"));
  const { token, amountWei } = parseRevenue(share, given.amount, given.token);
  const received = await out.step(`Depositing ${formatAmount(amountWei, token)}`, () =>
    depositRevenue(shares, share.address, { amountWei, token: token.address }, { signal }),
  );
  return receivedResult(received);
});
