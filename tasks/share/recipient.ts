import { setRecipient } from "../../src/share/rights.ts";
import { parseAddress } from "../address.ts";
import { openChainOf } from "../chain.ts";
import { action } from "../context.ts";
import { positionResult } from "./share.ts";

export default action(
  "neura/share-recipient/1",
  async ({ share, account }: { share: string; account: string }, context) => {
    const { out, signal } = context;
    const address = parseAddress(share, "share");
    const recipient = account === "own" ? (await context.signer()).address : parseAddress(account, "account");
    const shares = await openChainOf(context, { signing: true });
    return positionResult(
      await out.step("Setting who is paid", () => setRecipient(shares, address, { recipient }, { signal })),
    );
  },
);
