import { checkModelRevenue } from "../../src/share/revenue.ts";
import { parseAddress } from "../address.ts";
import { action } from "../context.ts";
import { openMarketOf } from "../task/request.ts";
import { changeModel } from "./model.ts";

export default action(
  "neura/model-revenue/1",
  async ({ model: number, account }: { model: string; account: string }, context) => {
    const revenue = parseAddress(account, "account");
    await checkModelRevenue(await openMarketOf(context), revenue);
    return await changeModel(context, number, {
      title: "Announcing where the royalty goes",
      send: (models, model) => models.scheduleRevenue(model, revenue),
    });
  },
);
