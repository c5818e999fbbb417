import { expect } from "chai";
import fc from "fast-check";

import { COIN_SIDES, drawDelay, tossCoin } from "../../../src/mirror/coin.ts";

/** Whole numbers that only the seed decides (the 32-bit generator "mulberry32"), each as likely as any other. */
function seeded(seed: number): (below: number) => number {
  let state = seed >>> 0;
  const word = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  return (below) => Math.floor((word() / 2 ** 32) * below);
}

describe("mirror: the coin", () => {
  it("says yes for exactly its share of all draws", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: COIN_SIDES }), (sides) => {
        const probability = sides / COIN_SIDES;
        // The last draw that says yes, and the first one that does not.
        if (sides > 0) expect(tossCoin(probability, () => sides - 1)).to.equal(true);
        if (sides < COIN_SIDES) expect(tossCoin(probability, () => sides)).to.equal(false);
      }),
    );
  });

  it("is fair over 20,000 tosses of a seeded source", () => {
    for (const [seed, probability] of [
      [1, 0.05],
      [2, 0.1],
      [3, 0.5],
      [4, 0.97],
    ] as const) {
      const draw = seeded(seed);
      const tosses = 20_000;
      const count = Array.from({ length: tosses }, () => tossCoin(probability, draw)).filter(Boolean).length;
      // Hoeffding: a fair coin is farther off than this less than once in a million.
      const bound = Math.sqrt((tosses * Math.log(2e6)) / 2);
      expect(Math.abs(count - tosses * probability)).to.be.lessThan(bound);
    }
  });

  it("never and always where that is asked for, by chance nobody chose", () => {
    for (let toss = 0; toss < 100; toss++) {
      expect(tossCoin(0)).to.equal(false);
      expect(tossCoin(1)).to.equal(true);
    }
    for (const wrong of [-0.1, 1.1, NaN]) expect(() => tossCoin(wrong)).to.throw("is no probability");
  });

  it("draws delays from nothing to the most, both ends included", () => {
    const draw = seeded(5);
    const seen = new Set(Array.from({ length: 1000 }, () => drawDelay(9, draw)));
    expect([...seen].toSorted((a, b) => a - b)).to.deep.equal([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });
});
