import { releaseDeeds, releaseUncovered } from "../../src/ownership/deeds.ts";
import { parseAddress } from "../address.ts";
import { openChainOf } from "../chain.ts";
import { action } from "../context.ts";
import { parseWhole } from "../task/request.ts";
import { movedResult, parseReference } from "./ownership.ts";

interface ReleaseArguments {
  readonly ownership: string;
  readonly count: string | undefined;
  readonly uncovered: string | undefined;
}

export default action("neura/model-release/1", async (given: ReleaseArguments, context) => {
  const { out, signal } = context;
  const reference = parseReference(given.ownership);
  const count = given.count === undefined ? undefined : parseWhole(given.count, "number of deeds");
  const account = given.uncovered === undefined ? undefined : parseAddress(given.uncovered, "account");
  const chain = await openChainOf(context, { signing: true });
  return movedResult(
    account === undefined ? "Given back" : "Freed",
    await out.step(account === undefined ? "Giving deeds back" : "Freeing deeds that nobody owns", () =>
      account === undefined
        ? releaseDeeds(chain, reference, { count, signal })
        : releaseUncovered(chain, reference, { account, count, signal }),
    ),
  );
});
