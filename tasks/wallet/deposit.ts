import { formatAmount, parseAmount } from "../../src/amount.ts";
import { NeuraError } from "../../src/errors.ts";
import { balanceOf, deposit, depositWithPermit } from "../../src/wallet.ts";
import { parseAddress } from "../address.ts";
import { action } from "../context.ts";
import { fields } from "../output.ts";

export default action(
  "neura/wallet-deposit/1",
  async (
    { amount, account: named, permit }: { amount: string; account: string | undefined; permit: boolean },
    context,
  ) => {
    const signer = await context.signer();
    const deployment = await context.deployment();
    const { currency } = deployment;
    const amountWei = parseAmount(amount, currency);
    const account = named === undefined ? signer.address : parseAddress(named, "account");
    if (permit && account !== signer.address) {
      throw new NeuraError("usage.permit", "A permit is for the own balance: --account does not go with it.");
    }
    const { hash, gasUsed } = await context.out.step(`Depositing ${formatAmount(amountWei, currency)}`, () =>
      permit
        ? depositWithPermit({ deployment, signer }, { amountWei })
        : deposit({ deployment, signer }, { amountWei, account }),
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
