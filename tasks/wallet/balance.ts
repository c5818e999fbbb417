import { formatAmount } from "../../src/amount.ts";
import { balanceOf } from "../../src/wallet.ts";
import { parseAddress } from "../address.ts";
import { action } from "../context.ts";
import { fields } from "../output.ts";

export default action(
  "neura/wallet-balance/1",
  async ({ account: named }: { account: string | undefined }, context) => {
    const signer = await context.signer();
    const deployment = await context.deployment();
    const account = named === undefined ? signer.address : parseAddress(named, "account");
    const balance = await balanceOf({ deployment, signer }, account);
    const { currency } = deployment;
    return {
      data: { account, currency, ...balance },
      text: fields([
        ["Account", account],
        ["In the market", formatAmount(balance.marketWei, currency)],
        ["On the account", formatAmount(balance.ownWei, currency)],
      ]),
    };
  },
);
