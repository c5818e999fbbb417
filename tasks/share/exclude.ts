import { setSharing } from "../../src/share/rights.ts";
import { parseAddress } from "../address.ts";
import { openChainOf } from "../chain.ts";
import { action } from "../context.ts";
import { positionResult } from "./share.ts";

interface ExcludeArguments {
  readonly share: string;
  readonly account: string | undefined;
  readonly undo: boolean;
}

export default action(
  "neura/share-exclude/1",
  async ({ share, account: named, undo }: ExcludeArguments, context) => {
    const { out, signal } = context;
    const address = parseAddress(share, "share");
    const account = named === undefined ? undefined : parseAddress(named, "account");
    const shares = await openChainOf(context, { signing: true });
    return positionResult(
      await out.step(undo ? "Letting the tokens take part" : "Taking the tokens out of revenue", () =>
        setSharing(shares, address, { shares: undo, account }, { signal }),
      ),
    );
  },
);
