import { formatAmount } from "../../src/amount.ts";
import { claim } from "../../src/bridge/claim.ts";
import { parseAddress } from "../address.ts";
import { action } from "../context.ts";
import { fields } from "../output.ts";
import { type BridgeArguments, openPair } from "./bridge.ts";

interface ClaimArguments extends BridgeArguments {
  readonly to: string | undefined;
}

export default action("neura/bridge-claim/1", async (args: ClaimArguments, context, hre) => {
  const { out, signal } = context;
  const { here, signerOn } = await openPair(args, context, hre);
  const signer = await signerOn(here);
  const to = args.to === undefined ? await signer.getAddress() : parseAddress(args.to, "to");
  const { amountWei, transaction } = await out.step("Claiming", () => claim(here, { to, signer, signal }));
  return {
    data: { amountWei, to, transaction },
    text: fields([
      ["Claimed", `${formatAmount(amountWei, here.currency)} to ${to} on chain ${here.chainId}`],
      ["Transaction", transaction.hash],
    ]),
  };
});
