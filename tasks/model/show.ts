import { readOwnership } from "../../src/ownership/show.ts";
import { parseAddress } from "../address.ts";
import { openChainOf } from "../chain.ts";
import { action } from "../context.ts";
import { fields } from "../output.ts";
import { openMarketOf, parseWhole } from "../task/request.ts";
import { showModel } from "./model.ts";
import { ownershipRows } from "./ownership.ts";

export default action("neura/model-show/1", async ({ model }: { model: string }, context) => {
  if (!/^0x/i.test(model)) return await showModel(await openMarketOf(context), parseWhole(model, "model"));
  const address = parseAddress(model, "ownership");
  const ownership = await readOwnership(await openChainOf(context), address, { signal: context.signal });
  return { data: { ownership }, text: fields(ownershipRows(ownership)) };
});
