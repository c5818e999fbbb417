import { explainClaims } from "../../src/share/claims.ts";
import { parseAddress } from "../address.ts";
import { accountOf, openChainOf } from "../chain.ts";
import { action } from "../context.ts";
import { fields } from "../output.ts";
import { claimsText, shareText } from "./share.ts";

interface ClaimableArguments {
  readonly share: string;
  readonly account: string | undefined;
}

export default action("neura/share-claimable/1", async (given: ClaimableArguments, context) => {
  const address = parseAddress(given.share, "share");
  const account = await accountOf(context, given.account);
  const shares = await openChainOf(context);
  const report = await explainClaims(shares, address, account, { signal: context.signal });
  const { share, position, lastSnapshot } = report;
  return {
    data: { ...report },
    text: [
      fields([
        ["Share", shareText(share)],
        ["Account", account],
        ["Claimed through", `snapshot ${position.claimedThrough} of ${lastSnapshot}`],
      ]),
      report.sums.length === 0 ? "Nothing is to be claimed." : claimsText(report, share),
    ].join("\n"),
  };
});
