import { formatAmount } from "../../src/amount.ts";
import { withdrawFromJury } from "../../src/jury/owner.ts";
import { parseAddress } from "../address.ts";
import { action } from "../context.ts";
import { fields } from "../output.ts";
import { openMarketOf } from "../task/request.ts";

export default action("neura/jury-withdraw/1", async (given: { to: string | undefined }, context) => {
  const { out, signal } = context;
  const market = await openMarketOf(context, { signing: true });
  const to = given.to === undefined ? (await context.signer()).address : parseAddress(given.to, "account");
  const { amountWei, transaction } = await out.step("Taking it out", () =>
    withdrawFromJury(market, { to, signal }),
  );
  return {
    data: { to, amountWei, transaction },
    text: fields([
      ["To", to],
      ["Amount", formatAmount(amountWei, market.deployment.currency)],
      ["Transaction", transaction.hash],
    ]),
  };
});
