import { ZeroAddress } from "ethers";

import { delegateVotes } from "../../src/ownership/rights.ts";
import { parseAddress } from "../address.ts";
import { openChainOf } from "../chain.ts";
import { action } from "../context.ts";
import { parseReference, quantityText, standingResult } from "./ownership.ts";

interface DelegateArguments {
  readonly ownership: string;
  readonly delegatee: string;
}

export default action("neura/model-delegate/1", async (given: DelegateArguments, context) => {
  const { out, signal } = context;
  const reference = parseReference(given.ownership);
  const self = (await context.signer()).address;
  const delegatee =
    given.delegatee === "own"
      ? self
      : given.delegatee === "nobody"
        ? ZeroAddress
        : parseAddress(given.delegatee, "delegatee");
  const chain = await openChainOf(context, { signing: true });
  const changed = await out.step("Giving the votes", () =>
    delegateVotes(chain, reference, { delegatee }, { signal }),
  );
  const { ownership, standing } = changed;
  return standingResult(changed, [
    ["Its votes", standing.delegate === undefined ? "nobody has them" : `${standing.delegate} has them`],
    ["Votes it has", quantityText(standing.votesWei, ownership)],
  ]);
});
