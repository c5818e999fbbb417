import { formatAmount, parseAmount } from "../../src/amount.ts";
import { balanceOf, withdraw } from "../../src/wallet.ts";
import { parseAddress } from "../address.ts";
import { action } from "../context.ts";
import { fields } from "../output.ts";

export default action(
  "neura/wallet-withdraw/1",
  async ({ amount, to: named }: { amount: string; to: string | undefined }, context) => {
    const signer = await context.signer();
    const deployment = await context.deployment();
    const { currency } = deployment;
    const account = signer.address;
    const to = named === undefined ? account : parseAddress(named, "account");
    const amountWei =
      amount === "all"
        ? (await balanceOf({ deployment, signer }, account)).marketWei
        : parseAmount(amount, currency);
    const { hash, gasUsed } = await context.out.step(`Withdrawing ${formatAmount(amountWei, currency)}`, () =>
      withdraw({ deployment, signer }, { amountWei, to }),
    );
    const { marketWei } = await balanceOf({ deployment, signer }, account);
    return {
      data: { account, to, amountWei, marketWei, transaction: hash, gasUsed },
      text: fields([
        ["To", to],
        ["Left in the market", formatAmount(marketWei, currency)],
        ["Transaction", hash],
      ]),
    };
  },
);
