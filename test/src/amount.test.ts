import { expect } from "chai";
import fc from "fast-check";

import { formatAmount, parseAmount } from "../../src/amount.ts";
import { isNeuraError } from "../../src/errors.ts";

const ANKR = { symbol: "ANKR", decimals: 18 };
const USDC = { symbol: "USDC", decimals: 6 };

describe("amounts", () => {
  it("reads what people write", () => {
    const wei: [string, bigint][] = [
      ["1.5 ANKR", 1_500_000_000_000_000_000n],
      ["1.5ankr", 1_500_000_000_000_000_000n],
      [" 1.5 ", 1_500_000_000_000_000_000n],
      ["0.000000000000000001", 1n],
      ["20 gwei", 20_000_000_000n],
      ["1500 wei", 1500n],
      ["0", 0n],
    ];
    for (const [text, amount] of wei) expect(parseAmount(text, ANKR), text).to.equal(amount);
    expect(parseAmount("1.5 USDC", USDC)).to.equal(1_500_000n);
  });

  it("refuses everything else, and says what to write", () => {
    for (const text of [
      "",
      "ANKR",
      "-1",
      "1,5",
      "1e18",
      "0x10",
      "1.",
      ".5",
      "1 ETH",
      "1.5wei",
      "0.0000000000000000001",
    ]) {
      expect(() => parseAmount(text, ANKR, "price"), text)
        .to.throw()
        .and.to.satisfy(
          (error: unknown) => isNeuraError(error, "usage.amount") && error.message.includes("price"),
        );
    }
    expect(() => parseAmount("0.0000001", USDC)).to.throw("is not an amount of USDC");
  });

  it("shows amounts in USD too where there is a price, and reads them", () => {
    const unit = { ...ANKR, usd: { digits: 42n, scale: 3 } };
    const of = (text: string) => formatAmount(parseAmount(text, unit), unit);
    expect(of("1.5ANKR")).to.equal("1.5 ANKR ($0.063)");
    expect(of("1000")).to.equal("1000 ANKR ($42)");
    expect(of("123.456789ANKR")).to.equal("123.456789 ANKR ($5.18)");
    expect(of("1wei")).to.equal("0.000000000000000001 ANKR (<$0.000001)");
    expect(of("0")).to.equal("0 ANKR ($0)");
    expect(of("4.2USD")).to.equal("100 ANKR ($4.2)");
    expect(of("1usd")).to.equal("23.809523809523809523 ANKR ($0.999999)");
    expect(() => parseAmount("1USD", ANKR)).to.throw("is not an amount of ANKR");
    const dear = { symbol: "WBTC", decimals: 8, usd: { digits: 9n, scale: -4 } };
    expect(formatAmount(150_000_000n, dear)).to.equal("1.5 WBTC ($135000)");
    expect(parseAmount("45000 USD", dear)).to.equal(50_000_000n);
  });

  it("reads back every amount that it writes", () => {
    const units = fc.record({
      symbol: fc.constantFrom("ANKR", "USDC", "ETH"),
      decimals: fc.integer({ min: 0, max: 36 }),
    });
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 96n - 1n }), units, (amountWei, unit) => {
        expect(parseAmount(formatAmount(amountWei, unit), unit)).to.equal(amountWei);
      }),
    );
  });
});
