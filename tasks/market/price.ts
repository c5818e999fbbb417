import { formatAmount, type Unit } from "../../src/amount.ts";
import { NeuraError } from "../../src/errors.ts";
import { readCompass, shapeBucket, type ShapePrice, type Volume } from "../../src/market/compass.ts";
import { openMarket } from "../../src/market/context.ts";
import { NO_RESOURCES } from "../../src/market/resources.ts";
import { action } from "../context.ts";
import { fields } from "../output.ts";
import { shapeFrom } from "../provider/shape.ts";

const DAY_SECONDS = 86_400;

export default action(
  "neura/market-price/1",
  async (args: { shape: string | undefined; days: number }, context) => {
    const { provider, home, storage, signal, allowLoopback } = context;
    if (args.days < 1) {
      throw new NeuraError("usage.days", `--days is ${args.days}, where 1 or more belongs.`);
    }
    const wanted = args.shape === undefined ? undefined : shapeBucket(shapeFrom(args.shape, NO_RESOURCES));
    const deployment = await context.deployment();
    const market = openMarket({ runner: provider, deployment, storage, home, allowLoopback });
    const compass = await readCompass(market, { seconds: args.days * DAY_SECONDS, signal });
    const shapes = compass.shapes.filter(({ shape }) => wanted === undefined || shape === wanted);
    const { currency } = deployment;
    return {
      data: { ...compass, currency, shapes },
      text:
        shapes.length === 0
          ? `${wanted === undefined ? "Nothing" : `Nothing like ${wanted}`} was sold or asked for in ${args.days} days.`
          : shapes.map((each) => priceText(each, currency)).join("\n\n"),
    };
  },
);

function priceText({ shape, sold, unmet, suggestedWei, maximumWei }: ShapePrice, currency: Unit): string {
  const rate = (rateWei: bigint | undefined): string =>
    rateWei === undefined ? "not known: nothing was sold" : `${formatAmount(rateWei, currency)} per second`;
  return fields([
    [shape, ""],
    ["Suggested", rate(suggestedWei)],
    ["At most", rate(maximumWei)],
    ["Sold", volumeText(sold, currency, "pairs of parties")],
    ["Found nobody", volumeText(unmet, currency, "owners")],
  ]);
}

function volumeText({ tasks, seconds, pairs, rates }: Volume, currency: Unit, parties: string): string {
  if (rates === undefined) return "nothing";
  const { lowest, quarter, median, threeQuarters, highest } = rates;
  const prices = [lowest, quarter, median, threeQuarters, highest].map((each) =>
    formatAmount(each, currency),
  );
  return `${tasks} tasks of ${pairs} ${parties}, ${seconds} s, at ${prices.join(" / ")}`;
}
