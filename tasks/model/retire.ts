import { action } from "../context.ts";
import { changeModel } from "./model.ts";

/** As the contract numbers them. */
const ACTIVE = 1;
const RETIRED = 2;

export default action(
  "neura/model-retire/1",
  async ({ model: number, undo }: { model: string; undo: boolean }, context) =>
    await changeModel(context, number, {
      title: undo ? "Letting the model take part again" : "Retiring the model",
      send: (models, model) => models.setStatus(model, undo ? ACTIVE : RETIRED),
    }),
);
