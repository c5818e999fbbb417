import { amountsText } from "../../src/share/claims.ts";
import { withdrawCredits } from "../../src/share/rights.ts";
import { nameOf } from "../../src/share/tokens.ts";
import { parseAddress } from "../address.ts";
import { accountOf, openChainOf } from "../chain.ts";
import { action } from "../context.ts";
import { fields } from "../output.ts";
import { shareText, tokenNamed } from "./share.ts";

interface WithdrawArguments {
  readonly share: string;
  readonly token: string | undefined;
  readonly to: string | undefined;
}

export default action("neura/share-withdraw/1", async (given: WithdrawArguments, context) => {
  const { out, signal } = context;
  const shares = await openChainOf(context, { signing: true });
  const share = await nameOf(shares, parseAddress(given.share, "share"));
  const token = given.token === undefined ? undefined : tokenNamed(share, given.token).address;
  const to = await accountOf(context, given.to);
  const result = await out.step("Withdrawing credits", () =>
    withdrawCredits(shares, share.address, { token, to }, { signal }),
  );
  return {
    data: { ...result, to },
    text: fields([
      ["Share", shareText(share)],
      ["Withdrawn", `${amountsText(result.withdrawn)} to ${to}`],
      ...(result.refused.length === 0
        ? []
        : [["Still refused", `${amountsText(result.refused)}, which stays credited`] as const]),
      ["Transactions", result.transactions.map(({ hash }) => hash).join(", ")],
    ]),
  };
});
