import { createHash } from "node:crypto";

import { expect } from "chai";
import fc from "fast-check";

import {
  decodeSketch,
  encodeSketch,
  PROJECTIONS,
  sketchDistance,
  sketchOf,
} from "../../../src/verify/sketch.ts";
import { about } from "./support.ts";

const seed = Uint8Array.from({ length: 32 }, (_, at) => at);
const state = fc.array(fc.double({ min: -100, max: 100, noNaN: true }), { minLength: 64, maxLength: 200 });

describe("verify: sketches", () => {
  it("projects with the signs that the seed's hashes have", () => {
    const values = Array.from({ length: 9 }, (_, at) => at + 1);
    const { norm, projections } = sketchOf(values, { seed });
    expect(norm).to.equal(Math.fround(Math.sqrt(285)));
    for (const projection of [0, 1, 17, 63]) {
      const sum = values.reduce((total, value, element) => {
        const bit = element * 64 + projection;
        const block = Buffer.alloc(4);
        block.writeUInt32BE(Math.floor(bit / 256));
        const digest = createHash("sha256").update(seed).update(block).digest();
        const isMinus = ((digest[(bit % 256) >> 3]! >> (7 - (bit % 8))) & 1) === 1;
        return total + (isMinus ? -value : value);
      }, 0);
      expect(projections[projection]).to.equal(Math.round((sum / Math.sqrt(285)) * 4096));
    }
  });

  it("has about 200 bytes, and is read as it was written", () => {
    fc.assert(
      fc.property(
        state,
        fc.array(fc.double({ min: -30, max: 0, noNaN: true }), { maxLength: 30 }),
        (values, logProbs) => {
          const sketch = sketchOf(values, { seed, logProbs });
          const bytes = encodeSketch(sketch);
          expect(bytes.length).to.equal(132 + 8 * Math.min(8, logProbs.length));
          expect(decodeSketch(bytes)).to.deep.equal(sketch);
          expect(sketchDistance(sketch, decodeSketch(bytes)).distance).to.equal(0);
        },
      ),
    );
  });

  it("keeps the likeliest tokens, the first of two that are as likely", () => {
    const logProbs = [-5, -1, -3, -1, -9, -8, -7, -6, -4, -2];
    const { top } = sketchOf([1], { seed, logProbs });
    expect(top.map(({ token }) => token)).to.deep.equal([1, 3, 9, 2, 8, 0, 7, 6]);
  });

  it("sees how far a state is from another within a third, whatever the scale", () => {
    fc.assert(
      fc.property(state, state, fc.double({ min: 0.01, max: 1, noNaN: true }), (values, errors, share) => {
        fc.pre(Math.hypot(...values) > 1 && Math.hypot(...values.map((_, at) => errors[at] ?? 0)) > 1);
        const error = values.map((_, at) => errors[at] ?? 0);
        const scale = (share * Math.hypot(...values)) / Math.hypot(...error);
        const other = values.map((value, at) => value + scale * error[at]!);
        const { distance } = sketchDistance(sketchOf(other, { seed }), sketchOf(values, { seed }));
        // 64 signs: a standard error of 9 %, more where few numbers are large.
        expect(distance).to.be.within(share * 0.6, share * 1.45);
      }),
      { numRuns: 200, seed: 1 },
    );
  });

  it("counts likelihoods a quarter, and none where there should be some in full", () => {
    const own = sketchOf([1, 2, 3], { seed, logProbs: [-1, -2, -3] });
    const off = sketchOf([1, 2, 3], { seed, logProbs: [-1.5, -2, -3] });
    expect(sketchDistance(off, own).distance).to.satisfy(about(0.25 * (0.5 / 3), 1e-6));
    const without = sketchOf([1, 2, 3], { seed });
    expect(sketchDistance(without, own).distance).to.equal(0.25);
  });

  it("counts a token that just misses the list next to nothing, and other tokens a lot", () => {
    const logProbs = Array.from({ length: 20 }, (_, at) => -1 - at / 10);
    const own = sketchOf([1], { seed, logProbs });
    // The eighth and the ninth change places.
    const near = sketchOf([1], { seed, logProbs: logProbs.with(7, -1.75).with(8, -1.74) });
    expect(sketchDistance(near, own).distance).to.be.within(0, 0.25 * 0.02);
    expect(sketchDistance(own, near).distance).to.equal(sketchDistance(near, own).distance);
    const others = sketchOf([1], { seed, logProbs: logProbs.toReversed() });
    expect(sketchDistance(others, own).distance).to.be.greaterThan(0.25 * 0.3);
  });

  it("compares no state that is no number, and tells nothing from something", () => {
    const own = sketchOf([1, 2], { seed });
    expect(sketchDistance(sketchOf([NaN, 2], { seed }), own).distance).to.equal(Infinity);
    expect(sketchDistance(own, sketchOf([0, 0], { seed })).distance).to.equal(Infinity);
    expect(sketchDistance(sketchOf([0], { seed }), sketchOf([0, 0], { seed })).distance).to.equal(0);
    expect(sketchDistance(sketchOf([0, 0], { seed }), own).distance).to.be.greaterThan(0.5);
  });

  it("refuses what no sketch is as long as", () => {
    for (const length of [0, 4 + 2 * PROJECTIONS - 1, 4 + 2 * PROJECTIONS + 4, 4 + 2 * PROJECTIONS + 72])
      expect(() => decodeSketch(new Uint8Array(length)))
        .to.throw()
        .with.property("code", "verify.unreadable");
  });
});
