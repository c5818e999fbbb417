import { action } from "../context.ts";
import { openMarketOf, parseWhole } from "../task/request.ts";
import { showModel } from "./model.ts";

export default action("neura/model-show/1", async ({ model }: { model: string }, context) => {
  return await showModel(await openMarketOf(context), parseWhole(model, "model"));
});
