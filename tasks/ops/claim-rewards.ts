import { formatAmount } from "../../src/amount.ts";
import { claimRewards } from "../../src/market/rewards.ts";
import { action } from "../context.ts";
import { fields } from "../output.ts";
import { wholeFrom } from "../provider/shape.ts";
import { rewardsOf } from "./rewards.ts";

export default action(
  "neura/ops-rewards-claim/1",
  async (args: { provider: string | undefined; epoch: string | undefined }, context) => {
    const epoch = wholeFrom("epoch", args.epoch);
    const { market, provider, currency } = await rewardsOf(context, args.provider, { write: true });
    const { claimed, transactions } = await context.out.step("Claiming its rewards", () =>
      claimRewards(market, provider, { epoch, signal: context.signal }),
    );
    const amountWei = claimed.reduce((sum, { rewardWei }) => sum + rewardWei, 0n);
    return {
      data: { provider, amountWei, claimed, transactions: transactions.map(({ hash }) => hash) },
      text: fields([
        ["Provider", provider],
        ["Claimed", formatAmount(amountWei, currency)],
        ...claimed.map(
          ({ epoch: number, rewardWei }) => [`Epoch ${number}`, formatAmount(rewardWei, currency)] as const,
        ),
      ]),
    };
  },
);
