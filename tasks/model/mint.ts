import { requireOwnership } from "../../src/ownership/context.ts";
import { mintUnits } from "../../src/ownership/rights.ts";
import { parseAddress } from "../address.ts";
import { openChainOf } from "../chain.ts";
import { action } from "../context.ts";
import { parseQuantity, parseReference, quantityText, standingResult } from "./ownership.ts";

interface MintArguments {
  readonly ownership: string;
  readonly to: string;
  readonly amount: string;
}

export default action("neura/model-mint/1", async (given: MintArguments, context) => {
  const { out, signal } = context;
  const reference = parseReference(given.ownership);
  const to = parseAddress(given.to, "account");
  const chain = await openChainOf(context, { signing: true });
  const ownership = await requireOwnership(chain, reference);
  const amountWei = parseQuantity(given.amount, ownership);
  return standingResult(
    await out.step(`Minting ${quantityText(amountWei, ownership)}`, () =>
      mintUnits(chain, ownership.address, { to, amountWei }, { signal }),
    ),
  );
});
