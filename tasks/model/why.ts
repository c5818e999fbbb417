import { explainDeeds } from "../../src/ownership/why.ts";
import { accountOf, openChainOf } from "../chain.ts";
import { action } from "../context.ts";
import { fields } from "../output.ts";
import { ownershipText, parseReference, standingRows } from "./ownership.ts";

interface WhyArguments {
  readonly ownership: string;
  readonly account: string | undefined;
}

export default action("neura/model-why/1", async (given: WhyArguments, context) => {
  const reference = parseReference(given.ownership);
  const account = await accountOf(context, given.account);
  const report = await explainDeeds(await openChainOf(context), reference, account, {
    signal: context.signal,
  });
  const { ownership, standing, reasons } = report;
  return {
    data: { ...report },
    text: [
      fields([
        ["Ownership", ownershipText(ownership)],
        ...standingRows(ownership, standing, { explained: true }),
      ]),
      ...reasons.flatMap(({ message, next }) => ["", message, ...(next === undefined ? [] : [next])]),
    ].join("\n"),
  };
});
