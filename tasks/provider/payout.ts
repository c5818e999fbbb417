import { formatAmount } from "../../src/amount.ts";
import { payOut, requireProvider } from "../../src/provider/registration.ts";
import { parseAddress } from "../address.ts";
import { action } from "../context.ts";
import { fields } from "../output.ts";

export default action(
  "neura/provider-payout/1",
  async (
    { account: named }: { account: string | undefined },
    { provider, out, signer: open, deployment: load },
  ) => {
    const signer = await open();
    const deployment = await load();
    const account = named === undefined ? signer.address : parseAddress(named, "account");
    const { balanceWei, payout } = await requireProvider({ deployment, provider }, account);
    const amount = formatAmount(balanceWei, deployment.currency);
    const { hash, gasUsed } = await out.step(`Paying out ${amount}`, () =>
      payOut({ deployment, signer }, account),
    );
    return {
      data: { account, payout, amountWei: balanceWei, transaction: hash, gasUsed },
      text: fields([
        ["Provider", account],
        ["Paid out", amount],
        ["To", payout],
        ["Transaction", hash],
      ]),
    };
  },
);
