import { formatUnits, parseUnits } from "ethers";

import { NeuraError } from "./errors.ts";

/** What an amount is counted in: the symbol that people write, and the decimals between it and wei. */
export interface Unit {
  readonly symbol: string;
  readonly decimals: number;
}

/**
 * The wei of an amount as people write it: `1.5 ANKR`, `1.5ankr`, `1.5` (of `unit`), `20 gwei`, `1500 wei`. `name` is
 * what the error calls it. Error: `usage.amount`.
 */
export function parseAmount(text: string, unit: Unit, name = "amount"): bigint {
  const { amount, symbol } =
    /^(?<amount>\d+(?:\.\d+)?)\s*(?<symbol>[A-Za-z]\w*)?$/.exec(text.trim())?.groups ?? {};
  const decimals = symbol === undefined ? unit.decimals : decimalsOf(symbol.toLowerCase(), unit);
  if (amount === undefined || decimals === undefined || (amount.split(".")[1] ?? "").length > decimals) {
    throw new NeuraError(
      "usage.amount",
      `The ${name} ${JSON.stringify(text)} is not an amount of ${unit.symbol}.`,
      {
        next: `Write it like 1.5${unit.symbol} (at most ${unit.decimals} decimals) or 1500000wei.`,
      },
    );
  }
  return parseUnits(amount, decimals);
}

/** An amount as people read it, exact: `1.5 ANKR`. */
export function formatAmount(amountWei: bigint, unit: Unit): string {
  return `${formatUnits(amountWei, unit.decimals).replace(/\.0$/, "")} ${unit.symbol}`;
}

function decimalsOf(symbol: string, unit: Unit): number | undefined {
  if (symbol === unit.symbol.toLowerCase()) return unit.decimals;
  return { gwei: 9, wei: 0 }[symbol];
}
