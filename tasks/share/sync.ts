import { syncRevenue } from "../../src/share/revenue.ts";
import { nameOf } from "../../src/share/tokens.ts";
import { parseAddress } from "../address.ts";
import { openChainOf } from "../chain.ts";
import { action } from "../context.ts";
import { receivedResult, tokenNamed } from "./share.ts";

interface SyncArguments {
  readonly share: string;
  readonly token: string | undefined;
}

export default action("neura/share-sync/1", async (given: SyncArguments, context) => {
  const { out, signal } = context;
  const shares = await openChainOf(context, { signing: true });
  const share = await nameOf(shares, parseAddress(given.share, "share"));
  const token = given.token === undefined ? undefined : tokenNamed(share, given.token).address;
  const received = await out.step("Counting what has come", () =>
    syncRevenue(shares, share.address, { token }, { signal }),
  );
  return receivedResult(received);
});
