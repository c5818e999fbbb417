import { formatAmount } from "../../src/amount.ts";
import { readShare, type ShareView } from "../../src/share/show.ts";
import { momentText } from "../../src/text.ts";
import { parseAddress } from "../address.ts";
import { openChainOf } from "../chain.ts";
import { action } from "../context.ts";
import { formatDuration } from "../duration.ts";
import { fields, table } from "../output.ts";

export default action("neura/share-show/1", async (given: { share: string }, context) => {
  const shares = await openChainOf(context);
  const view = await readShare(shares, parseAddress(given.share, "share"), { signal: context.signal });
  return { data: { ...view }, text: [settingsText(view), "", fundsText(view)].join("\n") };
});

function settingsText(share: ShareView): string {
  const { minter, capWei, claimBps, redemptionSupplyWei, supplyWei, awayWei } = share;
  const tokens = (wei: bigint): string => formatAmount(wei, share);
  const left = redemptionSupplyWei - supplyWei - awayWei;
  const waits = share.nextSnapshotAtSeconds - share.nowSeconds;
  return fields([
    ["Share", `${share.symbol} (${share.name})`],
    ["Address", share.address],
    ["Made by", share.isListed ? "the deployment's factory" : "somebody else: its code is not known here"],
    ["Tokens", `${tokens(supplyWei)}, ${tokens(share.eligibleWei)} of them take part`],
    ...(awayWei === 0n ? [] : [["Away over the bridge", tokens(awayWei)] as const]),
    [
      "Minting",
      minter === undefined
        ? "none any more"
        : `${minter}, ${tokens(left)} up to a cap of ${tokens(capWei)}, until ${momentText(share.mintUntilSeconds ?? 0)}`,
    ],
    [
      "Divides",
      `each ${formatDuration(share.periodSeconds)}: ${claimBps / 100} % to holders, the rest to who burns`,
    ],
    ["Last snapshot", share.lastSnapshot === 0 ? "none yet" : share.lastSnapshot],
    ["Next one", `${momentText(share.nextSnapshotAtSeconds)}, in ${formatDuration(waits)}`],
    ["Owner", share.owner === undefined ? "none" : `${share.owner}: may exclude contracts that cannot claim`],
    ["Beneficiary", `${share.beneficiary}: gets what nobody has a part in`],
    ["Bridge", share.bridge ?? "none"],
  ]);
}

function fundsText({ funds }: ShareView): string {
  const head = ["Revenue in", "Held", "Of this period", "Redeemable", "Not counted yet", "In the market"];
  const rows = funds.map(({ token, heldWei, pendingWei, redeemableWei, uncountedWei, inMarketWei }) => [
    `${token.symbol} ${token.address}`,
    ...[heldWei, pendingWei, redeemableWei, uncountedWei, inMarketWei].map((wei) => formatAmount(wei, token)),
  ]);
  return table(head, rows, { right: head.slice(1) });
}
