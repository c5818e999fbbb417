import { parseAddress } from "../address.ts";
import { action } from "../context.ts";
import { changeModel } from "./model.ts";

export default action(
  "neura/model-revenue/1",
  async ({ model: number, account }: { model: string; account: string }, context) => {
    const revenue = parseAddress(account, "account");
    return await changeModel(context, number, {
      title: "Announcing where the royalty goes",
      send: (models, model) => models.scheduleRevenue(model, revenue),
    });
  },
);
