import { releaseTransfer } from "../../src/bridge/claim.ts";
import { findTransfer } from "../../src/bridge/find.ts";
import { action } from "../context.ts";
import { type BridgeArguments, openPair } from "./bridge.ts";
import { outcomeResult } from "./outcome.ts";

export default action(
  "neura/bridge-release/1",
  async (args: BridgeArguments & { readonly transfer: string }, context, hre) => {
    const { out, signal } = context;
    const { bridge, signerOn } = await openPair(args, context, hre);
    const transfer = await findTransfer(bridge, args.transfer, { signal });
    const signer = await signerOn(transfer.destination);
    return outcomeResult(
      transfer,
      await out.step("Releasing", () => releaseTransfer(transfer, { signer, signal })),
    );
  },
);
