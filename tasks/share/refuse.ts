import { refuseClaimFor } from "../../src/share/rights.ts";
import { parseAddress } from "../address.ts";
import { openChainOf } from "../chain.ts";
import { action } from "../context.ts";
import { positionResult } from "./share.ts";

export default action(
  "neura/share-refuse/1",
  async ({ share, undo }: { share: string; undo: boolean }, context) => {
    const { out, signal } = context;
    const address = parseAddress(share, "share");
    const shares = await openChainOf(context, { signing: true });
    return positionResult(
      await out.step(undo ? "Letting others claim" : "Refusing claims of others", () =>
        refuseClaimFor(shares, address, { refused: !undo }, { signal }),
      ),
    );
  },
);
