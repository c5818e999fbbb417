import { formatAmount } from "../../src/amount.ts";
import type { Payout } from "../../src/bridge/claim.ts";
import type { FoundTransfer } from "../../src/bridge/find.ts";
import { type CommandResult, fields } from "../output.ts";

/** What an end did with a transfer, as a command's result. */
export function outcomeResult({ id, to, destination }: FoundTransfer, outcome: Payout): CommandResult {
  const { paidWei, creditedWei, waitsWei, transaction } = outcome;
  const row = (label: string, wei: bigint, more = ""): [string, string][] =>
    wei === 0n ? [] : [[label, `${formatAmount(wei, destination.currency)}${more}`]];
  return {
    data: { transfer: id, ...outcome },
    text: fields([
      ["Transfer", id],
      ...row("Paid", paidWei, ` to ${to} on chain ${destination.chainId}`),
      ...row("Credited", creditedWei, ", see `bridge claim`"),
      ...row("Waits", waitsWei, ", see `bridge status`"),
      ["Transaction", transaction.hash],
    ]),
  };
}
