import { materialiseDeeds } from "../../src/ownership/deeds.ts";
import { openChainOf } from "../chain.ts";
import { action } from "../context.ts";
import { parseWhole } from "../task/request.ts";
import { movedResult, parseReference } from "./ownership.ts";

interface MaterialiseArguments {
  readonly ownership: string;
  readonly count: string | undefined;
}

export default action("neura/model-materialise/1", async (given: MaterialiseArguments, context) => {
  const { out, signal } = context;
  const reference = parseReference(given.ownership);
  const count = given.count === undefined ? undefined : parseWhole(given.count, "number of deeds");
  const chain = await openChainOf(context, { signing: true });
  return movedResult(
    "Made",
    await out.step("Making deeds", () => materialiseDeeds(chain, reference, { count, signal })),
  );
});
