import { expect } from "chai";
import fc from "fast-check";

import { type Decimal, parseDecimal, rateWeiOf } from "../../../src/market/usd.ts";

function decimal(text: string): Decimal {
  const parsed = parseDecimal(text);
  if (parsed === undefined) throw new Error(`${text} is no decimal`);
  return parsed;
}

function rate(usdPerHour: string, usdPerCoin: string, decimals = 18): bigint {
  return rateWeiOf({ usdPerHour: decimal(usdPerHour), usdPerCoin: decimal(usdPerCoin), decimals });
}

const amounts = fc
  .tuple(fc.bigInt({ min: 1n, max: 10n ** 24n }), fc.integer({ min: 0, max: 24 }))
  .map(([digits, scale]) => {
    const text = digits.toString().padStart(scale + 1, "0");
    return scale === 0 ? text : `${text.slice(0, -scale)}.${text.slice(-scale)}`;
  });

describe("prices in USD", () => {
  it("are exact", () => {
    // 0.36 USD an hour at 0.03 USD a coin: 12 coins an hour, a three-hundredth coin a second.
    expect(rate("0.36", "0.03")).to.equal(3_333_333_333_333_334n);
    expect(rate("3600", "1")).to.equal(10n ** 18n);
    expect(rate("3600", "1", 6)).to.equal(10n ** 6n);
    expect(rate("0.36", "3e-2")).to.equal(rate("0.36", "0.03"));
    expect(rate("0.000000000000000001", "1000000")).to.equal(1n);
  });

  it("are rounded up by less than 1 wei a second, for all prices", () => {
    fc.assert(
      fc.property(amounts, amounts, fc.integer({ min: 0, max: 18 }), (usdPerHour, usdPerCoin, decimals) => {
        const [hour, coin] = [decimal(usdPerHour), decimal(usdPerCoin)];
        const rateWei = rate(usdPerHour, usdPerCoin, decimals);
        // rate * 3600 * coin, against hour, both without fractions.
        const unit = 10n ** BigInt(decimals);
        const asked = hour.digits * 10n ** BigInt(coin.scale) * unit;
        const paid = (wei: bigint): bigint => wei * 3600n * coin.digits * 10n ** BigInt(hour.scale);
        expect(paid(rateWei) >= asked).to.equal(true);
        expect(paid(rateWei - 1n) < asked).to.equal(true);
      }),
    );
  });

  it("rise with the price in USD, and fall with that of the coin", () => {
    fc.assert(
      fc.property(amounts, amounts, amounts, (one, other, coin) => {
        const order = (a: string, b: string): bigint => {
          const [x, y] = [decimal(a), decimal(b)];
          return x.digits * 10n ** BigInt(y.scale) - y.digits * 10n ** BigInt(x.scale);
        };
        const [low, high] = order(one, other) <= 0n ? [one, other] : [other, one];
        expect(rate(low, coin) <= rate(high, coin)).to.equal(true);
        expect(rate(coin, high) <= rate(coin, low)).to.equal(true);
      }),
    );
  });

  it("are read from decimals above 0, and from nothing else", () => {
    expect(decimal(" 1.50 ")).to.deep.equal({ digits: 150n, scale: 2 });
    expect(decimal("12e3")).to.deep.equal({ digits: 12n, scale: -3 });
    for (const text of [
      "",
      "0",
      "0.00",
      "-1",
      "+1",
      "1,5",
      "1.",
      ".5",
      "1e999",
      "NaN",
      "0x10",
      "1 2",
      "1".repeat(31),
    ])
      expect(parseDecimal(text), text).to.equal(undefined);
  });
});
