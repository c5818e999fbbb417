import { formatAmount } from "../../src/amount.ts";
import { takeSnapshot } from "../../src/share/revenue.ts";
import { parseAddress } from "../address.ts";
import { openChainOf } from "../chain.ts";
import { action } from "../context.ts";
import { fields, table } from "../output.ts";
import { shareText } from "./share.ts";

export default action("neura/share-snapshot/1", async (given: { share: string }, context) => {
  const { out, signal } = context;
  const shares = await openChainOf(context, { signing: true });
  const address = parseAddress(given.share, "share");
  const taken = await out.step("Taking the snapshot", () => takeSnapshot(shares, address, { signal }));
  const { share, lastSnapshot, divided, transaction } = taken;
  const head = ["Snapshot", "Revenue", "For holders", "For who burns", "Among"];
  const rows = divided.map(({ snapshot, token, revenueWei, claimableWei, redeemableWei, eligibleWei }) => [
    String(snapshot),
    ...[revenueWei, claimableWei, redeemableWei].map((wei) => formatAmount(wei, token)),
    formatAmount(eligibleWei, share),
  ]);
  return {
    data: { ...taken },
    text: [
      fields([
        ["Share", shareText(share)],
        ["Last snapshot", lastSnapshot === 0 ? "none yet: its first period is not over" : lastSnapshot],
        ["Transaction", transaction.hash],
      ]),
      divided.length === 0 ? "Nothing was left to divide." : table(head, rows, { right: head.slice(1) }),
    ].join("\n"),
  };
});
