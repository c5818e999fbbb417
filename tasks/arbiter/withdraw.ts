import { formatAmount } from "../../src/amount.ts";
import { withdrawArbiter } from "../../src/market/dispute.ts";
import { parseAddress } from "../address.ts";
import { action } from "../context.ts";
import { fields } from "../output.ts";
import { openMarketOf } from "../task/request.ts";

export default action(
  "neura/arbiter-withdraw/1",
  async ({ address, to: named }: { address: string; to: string | undefined }, context) => {
    const market = await openMarketOf(context, { signing: true });
    const to = named === undefined ? (await context.signer()).address : parseAddress(named, "account");
    const arbiter = parseAddress(address, "arbiter");
    const { amountWei, transaction } = await context.out.step("Taking out the fees", () =>
      withdrawArbiter(market, arbiter, { to }),
    );
    return {
      data: { address: arbiter, to, amountWei, transaction },
      text: fields([
        ["To", to],
        ["Amount", formatAmount(amountWei, market.deployment.currency)],
        ["Transaction", transaction.hash],
      ]),
    };
  },
);
