import { collectRoyalties } from "../../src/share/revenue.ts";
import { parseAddress } from "../address.ts";
import { openChainOf } from "../chain.ts";
import { action } from "../context.ts";
import { receivedResult } from "./share.ts";

interface CollectArguments {
  readonly share: string;
  readonly market: string | undefined;
}

export default action("neura/share-collect/1", async (given: CollectArguments, context) => {
  const { out, signal } = context;
  const shares = await openChainOf(context, { signing: true });
  const address = parseAddress(given.share, "share");
  const market = given.market === undefined ? undefined : parseAddress(given.market, "market");
  const received = await out.step("Collecting royalties", () =>
    collectRoyalties(shares, address, { market }, { signal }),
  );
  return receivedResult(received);
});
