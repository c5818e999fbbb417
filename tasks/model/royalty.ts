import { action } from "../context.ts";
import { parseWhole } from "../task/request.ts";
import { changeModel } from "./model.ts";

export default action(
  "neura/model-royalty/1",
  async ({ model: number, bps }: { model: string; bps: string }, context) => {
    const royaltyBps = parseWhole(bps, "royalty");
    return await changeModel(context, number, {
      title: "Changing the royalty",
      send: (models, model) => models.setRoyalty(model, royaltyBps),
    });
  },
);
