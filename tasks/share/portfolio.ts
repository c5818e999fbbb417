import { amountsText } from "../../src/share/claims.ts";
import { type Portfolio, readPortfolio } from "../../src/share/portfolio.ts";
import { parseAddresses } from "../address.ts";
import { accountOf, openChainOf } from "../chain.ts";
import { action } from "../context.ts";
import { fields, table } from "../output.ts";
import { claimsText, numberText, shareText } from "./share.ts";

interface PortfolioArguments {
  readonly account: string | undefined;
  readonly shares: string | undefined;
  readonly explain: boolean;
}

export default action("neura/share-portfolio/1", async (given: PortfolioArguments, context) => {
  const account = await accountOf(context, given.account);
  const shares = parseAddresses(given.shares, "share") ?? [];
  const options = { shares, explained: given.explain, signal: context.signal };
  const portfolio = await readPortfolio(await openChainOf(context), account, options);
  return { data: { ...portfolio }, text: portfolioText(portfolio) };
});

function portfolioText({ account, entries, claimable, redeemable, credit }: Portfolio): string {
  if (entries.length === 0) return `${account} has no revenue share.`;
  const head = ["Share", "Address", "Balance", "To claim", "By burning all", "Credited"];
  const rows = entries.map(({ share, isListed, position }) => [
    `${share.symbol}${isListed ? "" : " (not of this deployment)"}${position.isExcluded ? " (takes no part)" : ""}`,
    share.address,
    numberText(position.balanceWei, share),
    ...[position.claimable, position.redeemable, position.credit].map(amountsText),
  ]);
  return [
    `Account  ${account}`,
    table(head, rows, { right: head.slice(2) }),
    fields([
      ["To claim", amountsText(claimable)],
      ["By burning all", amountsText(redeemable)],
      ["Credited", amountsText(credit)],
    ]),
    ...entries.flatMap(({ share, claims }) =>
      claims === undefined ? [] : ["", shareText(share), claimsText(claims, share)],
    ),
  ].join("\n");
}
