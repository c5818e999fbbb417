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
  const { here, there, signerOn } = await openPair(args, context, hre);
  const account = await (await signerOn(there)).getAddress();
  const claimableWei = await there.contract.claimableOf(account);
  const end = claimableWei > 0n ? there : here;
  const signer = await signerOn(end);
  const to = args.to === undefined ? await signer.getAddress() : parseAddress(args.to, "to");
  const { amountWei, transaction } = await out.step("Claiming", () => claim(end, { to, signer, signal }));
  return {
    data: { chainId: end.chainId, amountWei, to, transaction },
    text: fields([
      ["Claimed", `${formatAmount(amountWei, end.currency)} to ${to} on chain ${end.chainId}`],
      ["Transaction", transaction.hash],
    ]),
  };
});
