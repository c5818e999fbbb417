import { formatAmount } from "../../src/amount.ts";
import { showRewards } from "../../src/market/rewards.ts";
import { action } from "../context.ts";
import { fields } from "../output.ts";
import { epochText, rewardsOf } from "./rewards.ts";

export default action("neura/ops-rewards-show/1", async (args: { provider: string | undefined }, context) => {
  const { market, provider, currency } = await rewardsOf(context, args.provider, { write: false });
  const view = await showRewards(market, provider, { signal: context.signal });
  const { potWei, currentEpoch, joinedAtSeconds, unrecordedWei, epochs } = view;
  return {
    data: { provider, ...view },
    text: fields([
      ["Provider", provider],
      [
        "Takes part",
        joinedAtSeconds === undefined
          ? "not yet: see `ops rewards record`"
          : `since ${new Date(joinedAtSeconds * 1000).toISOString()}`,
      ],
      ["Not counted yet", `${formatAmount(unrecordedWei, currency)} of fees`],
      ["In the pot", formatAmount(potWei, currency)],
      ["Epoch now", currentEpoch],
      ...epochs.map((each) => [`Epoch ${each.epoch}`, epochText(each, currency)] as const),
    ]),
  };
});
