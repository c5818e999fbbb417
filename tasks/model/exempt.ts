import { NeuraError } from "../../src/errors.ts";
import { setExempt } from "../../src/ownership/rights.ts";
import { parseAddress } from "../address.ts";
import { openChainOf } from "../chain.ts";
import { action } from "../context.ts";
import { parseReference, standingResult } from "./ownership.ts";

interface ExemptArguments {
  readonly ownership: string;
  readonly account: string | undefined;
  readonly giveUp: boolean;
  readonly undo: boolean;
}

export default action("neura/model-exempt/1", async (given: ExemptArguments, context) => {
  const { out, signal } = context;
  const { undo, giveUp } = given;
  const reference = parseReference(given.ownership);
  const account = given.account === undefined ? undefined : parseAddress(given.account, "account");
  if (giveUp && (undo || account !== undefined)) {
    throw new NeuraError("usage.exempt", "--give-up is for the own deeds, of an account that wants none.", {
      next: "Leave it out, or leave out --undo and --account.",
    });
  }
  const chain = await openChainOf(context, { signing: true });
  const change = { exempt: !undo, account, giveUp };
  const changed = await out.step(undo ? "Letting deeds come" : "Letting no deeds come", () =>
    setExempt(chain, reference, change, { signal }),
  );
  const { ownership, standing } = changed;
  return standingResult(
    changed,
    giveUp && standing.deeds > 0
      ? [["Left", `give the others back with \`model release ${ownership.address}\``]]
      : [],
  );
});
