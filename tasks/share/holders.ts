import { formatAmount } from "../../src/amount.ts";
import { readHolders } from "../../src/share/holders.ts";
import { parseAddress } from "../address.ts";
import { openChainOf } from "../chain.ts";
import { action } from "../context.ts";
import { fields, table } from "../output.ts";
import { partText, shareText } from "./share.ts";

export default action("neura/share-holders/1", async (given: { share: string }, context) => {
  const { out, signal } = context;
  const shares = await openChainOf(context);
  const address = parseAddress(given.share, "share");
  const view = await out.step("Reading its events", () => readHolders(shares, address, { signal }));
  const { share, holders, supplyWei, eligibleWei, block } = view;
  const head = ["Account", "Balance", "Of all", "Of revenue"];
  const rows = holders.map(({ account, balanceWei, isExcluded }) => [
    account,
    formatAmount(balanceWei, share),
    partText(balanceWei, supplyWei),
    isExcluded ? "takes no part" : partText(balanceWei, eligibleWei),
  ]);
  return {
    data: { ...view },
    text: [
      fields([
        ["Share", shareText(share)],
        [
          "Tokens",
          `${formatAmount(supplyWei, share)}, ${formatAmount(eligibleWei, share)} of them take part`,
        ],
        ["Block", block],
      ]),
      holders.length === 0 ? "Nobody holds any." : table(head, rows, { right: head.slice(1) }),
    ].join("\n"),
  };
});
