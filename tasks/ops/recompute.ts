import { formatAmount } from "../../src/amount.ts";
import { openMarket } from "../../src/market/context.ts";
import { type Difference, recomputeReputation } from "../../src/market/reputation.ts";
import { parseAddress } from "../address.ts";
import { action } from "../context.ts";
import { EXIT, fields } from "../output.ts";

export default action("neura/ops-recompute/1", async (args: { provider: string | undefined }, context) => {
  const { provider: runner, home, storage, signal, allowLoopback, out } = context;
  const provider = args.provider === undefined ? undefined : parseAddress(args.provider, "provider");
  const deployment = await context.deployment();
  const market = openMarket({ runner, deployment, storage, home, allowLoopback });
  const report = await out.step("Reading all events", () =>
    recomputeReputation(market, { provider, signal }),
  );
  const { providers, epochs, differences, block } = report;
  const { currency } = deployment;
  return {
    data: { ...report },
    text: [
      fields([
        ["Block", block],
        ...providers.map(
          ({ provider: account, completed, secondsSold, declined, abandoned, failed, disputed, feesWei }) =>
            [
              account,
              `${completed} completed (${secondsSold} s), ${declined} declined, ${abandoned} abandoned, ${failed} failed, ` +
                `${disputed} disputes lost, ${formatAmount(feesWei, currency)} of fees`,
            ] as const,
        ),
        ...epochs.map(
          ({ epoch, feesWei, budgetWei, paidWei }) =>
            [
              `Epoch ${epoch}`,
              `${formatAmount(feesWei, currency)} of fees, ${formatAmount(budgetWei, currency)} of rewards, ` +
                `${formatAmount(paidWei, currency)} of them claimed`,
            ] as const,
        ),
      ]),
      differences.length === 0
        ? "The chain says the same."
        : ["The chain says something else:", ...differences.map(differenceText)].join("\n"),
    ].join("\n"),
    exitCode: differences.length === 0 ? EXIT.done : EXIT.failed,
  };
});

function differenceText({ figure, provider, epoch, chain, recomputed }: Difference): string {
  const where = [
    ...(provider === undefined ? [] : [provider]),
    ...(epoch === undefined ? [] : [`epoch ${epoch}`]),
  ];
  return `  ${[figure, ...where].join(", ")}: ${chain} on the chain, ${recomputed} by its events`;
}
