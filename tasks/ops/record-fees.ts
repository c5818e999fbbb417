import { recordFees } from "../../src/market/rewards.ts";
import { action } from "../context.ts";
import { fields } from "../output.ts";
import { rewardsOf } from "./rewards.ts";

export default action(
  "neura/ops-rewards-record/1",
  async (args: { provider: string | undefined }, context) => {
    const { market, provider } = await rewardsOf(context, args.provider, { write: true });
    const { hash, gasUsed } = await context.out.step("Recording its fees", () =>
      recordFees(market, [provider], { signal: context.signal }),
    );
    return {
      data: { provider, transaction: hash, gasUsed },
      text: fields([
        ["Provider", provider],
        ["Transaction", hash],
      ]),
    };
  },
);
