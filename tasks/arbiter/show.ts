import { formatAmount } from "../../src/amount.ts";
import { readArbiter } from "../../src/market/dispute.ts";
import { parseAddress } from "../address.ts";
import { action } from "../context.ts";
import { formatDuration } from "../duration.ts";
import { fields } from "../output.ts";
import { openMarketOf } from "../task/request.ts";

export default action("neura/arbiter-show/1", async ({ address }: { address: string }, context) => {
  const market = await openMarketOf(context);
  const { currency } = market.deployment;
  const found = await readArbiter(market, parseAddress(address, "arbiter"));
  return {
    data: { ...found },
    text: fields([
      ["Arbiter", found.address],
      ["Decides", `${found.arbiter}, within ${formatDuration(found.rulingSeconds)}`],
      ["Fee", `${found.feeBps / 100} %, at least ${formatAmount(found.minimumFeeWei, currency)}`],
      ["Earned", `${formatAmount(found.earnedWei, currency)}, not taken out yet`],
    ]),
  };
});
