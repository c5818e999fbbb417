import { action } from "../context.ts";
import { changeModel, weightsHashOf } from "./model.ts";

interface VersionArguments {
  readonly model: string;
  readonly weights: string;
  readonly uri: string | undefined;
}

export default action("neura/model-version/1", async (given: VersionArguments, context) => {
  const { weights, uri = "" } = given;
  const hash = await weightsHashOf(weights);
  return await changeModel(context, given.model, {
    title: "Adding the version",
    send: (models, model) => models.addVersion(model, hash, uri),
  });
});
