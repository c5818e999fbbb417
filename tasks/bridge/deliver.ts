import { deliverTransfer } from "../../src/bridge/claim.ts";
import { findTransfer } from "../../src/bridge/find.ts";
import { requireAttesters } from "../../src/bridge/attestations.ts";
import { action } from "../context.ts";
import { attestersOf, type BridgeArguments, openPair } from "./bridge.ts";
import { outcomeResult } from "./outcome.ts";

interface DeliverArguments extends BridgeArguments {
  readonly transfer: string;
  readonly attesters: string | undefined;
}

export default action("neura/bridge-deliver/1", async (args: DeliverArguments, context, hre) => {
  const { out, signal, environment } = context;
  const { bridge, signerOn } = await openPair(args, context, hre);
  const attesters = requireAttesters(attestersOf(args.attesters, environment));
  const transfer = await findTransfer(bridge, args.transfer, { signal });
  const signer = await signerOn(transfer.destination);
  const outcome = await out.step("Delivering", () =>
    deliverTransfer(bridge, transfer, { attesters, signer, signal }),
  );
  return outcomeResult(transfer, outcome);
});
