/** A decimal number, exact: `digits` times ten to the power of `-scale`. */
export interface Decimal {
  readonly digits: bigint;
  readonly scale: number;
}

const SECONDS_PER_HOUR = 3600n;

/** A decimal above 0, such as `0.42` or `3.1e-2`; nothing of any other text. */
export function parseDecimal(text: string): Decimal | undefined {
  const { whole, part, power } =
    /^(?<whole>\d{1,30})(?:\.(?<part>\d{1,30}))?(?:[eE](?<power>[+-]?\d{1,2}))?$/.exec(text.trim())?.groups ??
    {};
  if (whole === undefined) return undefined;
  const digits = BigInt(whole + (part ?? ""));
  const scale = (part ?? "").length - Number(power ?? 0);
  return digits === 0n ? undefined : { digits, scale };
}

/**
 * The price in wei per second of so many USD an hour, where one coin of `decimals` decimals costs `usdPerCoin`: rounded
 * up, so that the provider gets no less, and the owner pays at most 1 wei a second more.
 */
export function rateWeiOf({
  usdPerHour,
  usdPerCoin,
  decimals,
}: {
  usdPerHour: Decimal;
  usdPerCoin: Decimal;
  decimals: number;
}): bigint {
  // wei/s = (USD/h : USD/coin) * 10^decimals : 3600, as one fraction of whole numbers.
  const power = decimals + usdPerCoin.scale - usdPerHour.scale;
  const numerator = usdPerHour.digits * tenTo(power);
  const denominator = usdPerCoin.digits * SECONDS_PER_HOUR * tenTo(-power);
  return (numerator + denominator - 1n) / denominator;
}

function tenTo(power: number): bigint {
  return power > 0 ? 10n ** BigInt(power) : 1n;
}
