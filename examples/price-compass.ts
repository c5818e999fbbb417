import {
  MarketClient,
  type MarketOptions,
  openMarket,
  readCompass,
  type ShapePrice,
  shapeBucket,
  type SubmittedTask,
  type TaskRequest,
} from "../src/index.ts";

/**
 * Offers what machines like this one were sold for lately, and no more than what is paid for being served at once; both
 * are read from the chain's events.
 */
export async function priceByCompass({
  owner,
  request,
}: {
  owner: MarketOptions;
  request: TaskRequest;
}): Promise<{ shape: ShapePrice; task: SubmittedTask }> {
  const client = new MarketClient(owner);
  const { resources } = await client.prepare(request);

  const { shapes } = await readCompass(openMarket(owner), { seconds: 7 * 86_400 });
  const shape = shapes.find((each) => each.shape === shapeBucket(resources));
  if (shape?.suggestedWei === undefined)
    throw new Error("nothing like it was sold lately: ask the providers");

  const task = await client.submit({
    ...request,
    price: { amountWei: shape.suggestedWei, metered: true },
    maxRateWei: shape.maximumWei,
  });
  return { shape, task };
}
