import { formatUnits, ZeroAddress } from "ethers";

import { formatAmount, parseAmount, type Unit } from "../../src/amount.ts";
import { NeuraError } from "../../src/errors.ts";
import { amountsText, type ClaimReport, type SharePayment } from "../../src/share/claims.ts";
import type { ReceivedRevenue } from "../../src/share/revenue.ts";
import type { ChangedPosition } from "../../src/share/rights.ts";
import { type RevenueToken, type ShareName, tokenAt } from "../../src/share/tokens.ts";
import { momentText } from "../../src/text.ts";
import { parseAddress } from "../address.ts";
import { type CommandResult, fields, table } from "../output.ts";

// ---- What is written ----

/** The revenue token that an option names by symbol or address. Errors: `share.unknown-token`, `usage.token`. */
export function tokenNamed(share: ShareName, named: string): RevenueToken {
  if (/^0x/i.test(named)) return tokenAt(share, parseAddress(named, "token"));
  const found = share.tokens.filter(({ symbol }) => symbol.toLowerCase() === named.toLowerCase());
  const [first, second] = found;
  if (first !== undefined && second === undefined) return first;
  const known = share.tokens.map(({ symbol, address }) => `${symbol} (${address})`).join(", ");
  throw new NeuraError(
    "usage.token",
    `${JSON.stringify(named)} is ${first === undefined ? "no revenue token" : "more than one revenue token"} of ${share.symbol}.`,
    { next: `Name one by its address: ${known}.` },
  );
}

/**
 * An amount in one of a share's revenue tokens: in the one that is `named`, else in the one whose symbol stands with it, else
 * in the chain's coin. Errors: `usage.amount`, `usage.token`, `share.unknown-token`.
 */
export function parseRevenue(
  share: ShareName,
  text: string,
  named?: string,
): { token: RevenueToken; amountWei: bigint } {
  const symbol = /[A-Za-z]\w*$/.exec(text.trim())?.[0];
  const bySymbol = share.tokens.find((each) => each.symbol.toLowerCase() === symbol?.toLowerCase());
  const token =
    named !== undefined
      ? tokenNamed(share, named)
      : bySymbol !== undefined
        ? tokenNamed(share, bySymbol.symbol)
        : tokenAt(share, ZeroAddress);
  return { token, amountWei: parseAmount(text, token) };
}

/** Whole numbers of snapshots: `3,5`. Error: `usage.number`. */
export function parseSnapshots(text: string): number[] {
  return text.split(",").map((each) => {
    if (/^\d{1,5}$/.test(each.trim())) return Number(each);
    throw new NeuraError("usage.number", `The snapshot ${JSON.stringify(each)} is not a whole number.`, {
      next: "Give their numbers like 3,5: see `share claimable`.",
    });
  });
}

// ---- What is shown ----

/** A share on one line. */
export function shareText({ symbol, name, address }: ShareName): string {
  return `${symbol} (${name}), ${address}`;
}

/** An amount without its unit, for a column that names it. */
export function numberText(wei: bigint, { decimals }: Unit): string {
  return formatUnits(wei, decimals).replace(/\.0$/, "");
}

/** So much of a whole, in percent: `12.34 %`. */
export function partText(part: bigint, whole: bigint): string {
  return whole === 0n ? "–" : `${Number((part * 10_000n) / whole) / 100} %`;
}

/** How what an account can claim comes about, line by line. */
export function claimsText({ lines, sums }: Pick<ClaimReport, "lines" | "sums">, share: Unit): string {
  const head = ["Snapshot", "Ended", "Revenue", "For holders", "Own tokens", "Of", "Amount"];
  const rows = lines.map((line) => [
    String(line.snapshot),
    momentText(line.endedAtSeconds),
    formatAmount(line.revenueWei, line.token),
    line.claimableWei === undefined ? "after a snapshot" : formatAmount(line.claimableWei, line.token),
    numberText(line.sharesWei, share),
    line.eligibleWei === undefined ? "after a snapshot" : formatAmount(line.eligibleWei, share),
    formatAmount(line.amountWei, line.token),
  ]);
  const totals = sums.map(({ token, linesWei, roundingWei, totalWei }) =>
    roundingWei === 0n
      ? `Sum: ${formatAmount(totalWei, token)}`
      : `Sum: ${formatAmount(linesWei, token)}, and ${roundingWei} of the smallest unit that the lines round down: ${formatAmount(totalWei, token)}`,
  );
  return [table(head, rows, { right: head.slice(2) }), ...totals].join("\n");
}

/** What came in, as a command's result. */
export function receivedResult(received: ReceivedRevenue): CommandResult {
  const { share, token, amountWei, snapshot, endsAtSeconds, transaction } = received;
  return {
    data: { ...received },
    text: fields([
      ["Share", shareText(share)],
      ["Revenue", amountWei === 0n ? "nothing had come" : formatAmount(amountWei, token)],
      ["Divided", `with snapshot ${snapshot}, ${momentText(endsAtSeconds)}`],
      ["Transaction", transaction.hash],
    ]),
  };
}

/** Where an account stands after a change, as a command's result. */
export function positionResult({ share, position, transaction }: ChangedPosition): CommandResult {
  const { account, balanceWei, isExcluded, refusesClaimFor, recipient } = position;
  return {
    data: { share, position, transaction },
    text: fields([
      ["Share", shareText(share)],
      ["Account", account],
      ["Balance", formatAmount(balanceWei, share)],
      ["Takes part", isExcluded ? "no" : "yes"],
      ["Is paid", recipient === account ? "itself" : recipient],
      ["Others may claim for it", refusesClaimFor ? "no" : "yes"],
      ["Transaction", transaction.hash],
    ]),
  };
}

/** What somebody was paid, on a line or two. */
export function paymentRows({ account, recipient, amounts, credited }: SharePayment): [string, string][] {
  return [
    [account, `${amountsText(amounts)}${recipient === account ? "" : ` to ${recipient}`}`],
    ...(credited.length === 0
      ? []
      : [["", `of it credited: ${amountsText(credited)} (\`share withdraw\`)`] as [string, string]]),
  ];
}
