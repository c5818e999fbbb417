import { formatAmount } from "../../src/amount.ts";
import { sweepAccounts } from "../../src/mirror/accounts.ts";
import { parseAddress } from "../address.ts";
import { action } from "../context.ts";
import { fields } from "../output.ts";
import { openMirrors } from "./open.ts";

export default action(
  "neura/mirror-account-sweep/1",
  async ({ to: named }: { to: string | undefined }, context) => {
    const { mirrors, deployment } = await openMirrors(context);
    const to = named === undefined ? (await context.signer()).address : parseAddress(named, "account");
    const amountWei = await context.out.step("Sweeping", () => sweepAccounts(mirrors, { to }));
    return {
      data: { to, amountWei },
      text: fields([
        ["To", to],
        ["Arrived", formatAmount(amountWei, deployment.currency)],
      ]),
    };
  },
);
