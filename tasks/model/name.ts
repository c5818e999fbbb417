import { nameOwnership } from "../../src/ownership/create.ts";
import { parseAddress } from "../address.ts";
import { action } from "../context.ts";
import { openMarketOf, parseWhole } from "../task/request.ts";
import { showModel } from "./model.ts";

interface NameArguments {
  readonly model: string;
  readonly ownership: string;
}

export default action("neura/model-name/1", async (given: NameArguments, context) => {
  const { out, signal } = context;
  const model = parseWhole(given.model, "model");
  const address = parseAddress(given.ownership, "ownership");
  const market = await openMarketOf(context, { signing: true });
  const { transaction } = await out.step("Naming the ownership", () =>
    nameOwnership(market, model, address, { signal }),
  );
  return await showModel(market, model, { transaction });
});
