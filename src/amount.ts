import { formatUnits, parseUnits } from "ethers";

import { NeuraError } from "./errors.ts";
import type { Decimal } from "./market/usd.ts";

/** What an amount is counted in: the symbol that people write, and the decimals between it and wei. */
export interface Unit {
  readonly symbol: string;
  readonly decimals: number;
  /** What one unit costs in USD, by a price that the reader chose: amounts are then shown in both. */
  readonly usd?: Decimal | undefined;
}

const USD = "usd";
/** What is shown of a USD [1e-6 USD]. */
const MICRO = 1_000_000n;

/**
 * The wei of an amount as people write it: `1.5 ANKR`, `1.5ankr`, `1.5` (of `unit`), `20 gwei`, `1500 wei`, and, where
 * the unit has a price, `2 USD`, rounded down. `name` is what the error calls it. Error: `usage.amount`.
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
  const value = parseUnits(amount, decimals);
  if (symbol?.toLowerCase() !== USD || unit.usd === undefined) return value;
  const { digits, scale } = unit.usd;
  return (value * 10n ** BigInt(unit.decimals) * powerOf(scale)) / (digits * MICRO * powerOf(-scale));
}

/** An amount as people read it, exact: `1.5 ANKR`; with a price of the unit, `1.5 ANKR ($0.06)`. */
export function formatAmount(amountWei: bigint, unit: Unit): string {
  const amount = `${formatUnits(amountWei, unit.decimals).replace(/\.0$/, "")} ${unit.symbol}`;
  return unit.usd === undefined ? amount : `${amount} (${formatUsd(amountWei, { ...unit, usd: unit.usd })})`;
}

/** To the cent from a dollar on, below to the millionth, rounded down. */
function formatUsd(amountWei: bigint, { decimals, usd }: { decimals: number; usd: Decimal }): string {
  const { digits, scale } = usd;
  const micros = (amountWei * digits * MICRO * powerOf(-scale)) / (10n ** BigInt(decimals) * powerOf(scale));
  if (micros === 0n) return amountWei === 0n ? "$0" : "<$0.000001";
  return `$${formatUnits(micros < MICRO ? micros : micros - (micros % 10_000n), 6).replace(/\.0$/, "")}`;
}

function powerOf(exponent: number): bigint {
  return exponent > 0 ? 10n ** BigInt(exponent) : 1n;
}

function decimalsOf(symbol: string, unit: Unit): number | undefined {
  if (symbol === unit.symbol.toLowerCase()) return unit.decimals;
  if (symbol === USD && unit.usd !== undefined) return 6;
  return { gwei: 9, wei: 0 }[symbol];
}
