import { formatAmount, parseAmount } from "../../src/amount.ts";
import { balanceOf, deposit } from "../../src/wallet.ts";
import { parseAddress } from "../address.ts";
import { action } from "../context.ts";
import { fields } from "../output.ts";

export default action(
  "neura/wallet-deposit/1",
  async ({ amount, account: named }: { amount: string; account: string | undefined }, context) => {
    const signer = await context.signer();
    const deployment = await context.deployment();
    const { currency } = deployment;
    const amountWei = parseAmount(amount, currency);
    const account = named === undefined ? signer.address : parseAddress(named, "account");
    const { hash, gasUsed } = await context.out.step(`Depositing ${formatAmount(amountWei, currency)}`, () =>
      deposit({ deployment, signer }, { amountWei, account }),
    );
    const { marketWei } = await balanceOf({ deployment, signer }, account);
    return {
      data: { account, amountWei, marketWei, transaction: hash, gasUsed },
      text: fields([
        ["Account", account],
        ["In the market", formatAmount(marketWei, currency)],
        ["Transaction", hash],
      ]),
    };
  },
);
