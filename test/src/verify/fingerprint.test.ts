import { expect } from "chai";
import fc from "fast-check";
import { network } from "hardhat";

import { cases } from "../../../scripts/bench/verify/cases.ts";
import { withFingerprints } from "../../../scripts/bench/verify/fingerprints.ts";
import { calibrate } from "../../../src/verify/calibration.ts";
import {
  bitsApart,
  FINGERPRINT_BITS,
  FINGERPRINT_SLACK,
  fingerprintOf,
  isNear,
  medianOf,
} from "../../../src/verify/fingerprint.ts";
import { parseVerification } from "../../../src/verify/verification.ts";
import { bytesOf, jsonBytes, tensor } from "./support.ts";

const SEED = `0x${"01".repeat(32)}`;
const EXACT = parseVerification({ method: "exact/1" });
const TEXT = parseVerification({ method: "text/1" });
const NUMERIC = parseVerification({ method: "numeric/1" });
const TRAJECTORY = parseVerification({ method: "trajectory/1" });

const fingerprint = fc.bigInt({ min: 0n, max: 2n ** 240n - 1n });
const letters = fc.array(fc.integer({ min: 0, max: 30 }), { minLength: 300, maxLength: 600 });
/** Letters and, as often as not, a space every fifth of them. */
const page = letters.map((list) =>
  list.map((each) => (each < 26 ? String.fromCharCode(97 + each) : " ")).join(""),
);
const numbers = fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 64, maxLength: 128 });

function of(
  verification: typeof EXACT,
  references: readonly Uint8Array[],
  options: Partial<Parameters<typeof fingerprintOf>[2]> = {},
): bigint {
  return fingerprintOf(verification, references, {
    seed: SEED,
    units: references.map((_, at) => at),
    ...options,
  });
}

describe("verify: fingerprints", () => {
  it("are of 240 bits, the same for the same bytes, and others with another seed or another number", () => {
    fc.assert(
      fc.property(page, fc.nat(1000), (text, unit) => {
        for (const verification of [EXACT, TEXT]) {
          const one = of(verification, [bytesOf(text)], { units: [unit] });
          expect(one >> BigInt(FINGERPRINT_BITS)).to.equal(0n);
          expect(of(verification, [bytesOf(text)], { units: [unit] })).to.equal(one);
          expect(isNear(of(verification, [bytesOf(text)], { units: [unit + 1] }), one)).to.be.false;
          const seed = `0x${"02".repeat(32)}`;
          expect(isNear(of(verification, [bytesOf(text)], { units: [unit], seed }), one)).to.be.false;
        }
      }),
      { numRuns: 5, endOnFailure: true },
    );
  });

  it("of bytes show any difference", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 60 }),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        (bytes, at, change) => {
          const other = bytes.map((byte, index) => (index === at % bytes.length ? byte ^ change : byte));
          expect(isNear(of(EXACT, [bytes]), of(EXACT, [other]))).to.be.false;
        },
      ),
      { endOnFailure: true },
    );
  });

  it("of texts change little with a letter or a space, and wholly with the page", () => {
    fc.assert(
      fc.property(page, page, fc.nat(), (text, another, at) => {
        const place = at % text.length;
        fc.pre(text.trim().length > 250 && another.trim().length > 250);
        const misread = `${text.slice(0, place)}#${text.slice(place + 1)}`;
        const one = of(TEXT, [bytesOf(text)]);
        expect(bitsApart(one, of(TEXT, [bytesOf(misread)]))).to.be.at.most(FINGERPRINT_SLACK / 2);
        expect(of(TEXT, [bytesOf(` ${text.replaceAll(" ", "\n ")}`)])).to.equal(one);
        expect(bitsApart(one, of(TEXT, [bytesOf(another)]))).to.be.at.least(1.5 * FINGERPRINT_SLACK);
      }),
      { numRuns: 8, endOnFailure: true },
    );
  });

  it("of tensors hold through rounding and scale, of other numbers they are random", () => {
    fc.assert(
      fc.property(numbers, numbers, (values, others) => {
        fc.pre(
          values.some((value) => Math.abs(value) > 0.01) && others.some((value) => Math.abs(value) > 0.01),
        );
        const one = of(NUMERIC, [tensor(values, "F64")]);
        expect(bitsApart(one, of(NUMERIC, [tensor(values, "BF16")]))).to.be.at.most(FINGERPRINT_SLACK / 4);
        const scaled = values.map((value) => 3 * value);
        expect(bitsApart(one, of(NUMERIC, [tensor(scaled, "F64")]))).to.be.at.most(1);
        const length = Math.min(values.length, others.length);
        const cosine = cosineOf(values.slice(0, length), others.slice(0, length));
        fc.pre(Math.abs(cosine) < 0.3);
        expect(bitsApart(one, of(NUMERIC, [tensor(others, "F64")]))).to.be.at.least(1.5 * FINGERPRINT_SLACK);
      }),
      { numRuns: 8, endOnFailure: true },
    );
  });

  it("of steps are of the step: the state alone gives none of it away", () => {
    fc.assert(
      fc.property(numbers, (values) => {
        const state = values.map((value, at) => value + Math.sin(at));
        const next = state.map((value, at) => value + 1e-3 * Math.cos(7 * at));
        const states = [tensor(state)];
        const one = of(TRAJECTORY, [tensor(next)], { states });
        const lazy = of(TRAJECTORY, [tensor(state)], { states });
        expect(bitsApart(one, lazy)).to.be.at.least(1.5 * FINGERPRINT_SLACK);
      }),
      { numRuns: 5, endOnFailure: true },
    );
  });

  it("of several units are random where one of them is left out, or two are exchanged", () => {
    const pages = ["the first page", "the second page", "the third page"].map(bytesOf);
    const all = of(TEXT, pages);
    for (const left of [0, 1, 2]) {
      const units = [0, 1, 2].filter((unit) => unit !== left);
      const part = of(TEXT, pages.toSpliced(left, 1), { units });
      expect(bitsApart(all, part)).to.be.at.least(1.5 * FINGERPRINT_SLACK);
    }
    expect(isNear(all, of(TEXT, pages, { units: [1, 0, 2] }))).to.be.false;
    // The order in which they are done is nobody's business.
    expect(of(TEXT, pages.toReversed(), { units: [2, 1, 0] })).to.equal(all);
  });

  it("are made of anything: what a method cannot read is bytes", () => {
    const methods = [
      ...[
        "exact/1",
        "numeric/1",
        "embedding/1",
        "text/1",
        "tokens/1",
        "trajectory/1",
        "checkpoint/1",
        "none/1",
      ],
    ].map((method) => parseVerification({ method }));
    for (const verification of methods) {
      const [one, other] = [of(verification, [jsonBytes([1])]), of(verification, [Uint8Array.of(255, 254)])];
      expect(isNear(one, other), verification.method).to.be.false;
      expect(of(verification, [])).to.equal(0n);
    }
    const nothing = [tensor([]), tensor([0, 0]), tensor([NaN, Infinity])].map((each) => of(NUMERIC, [each]));
    expect(new Set(nothing).size).to.equal(1);
    expect(isNear(nothing[0]!, 0n)).to.be.false;
  });

  it("hold through other orders of summation, in fp32 and bf16, and show other work", async () => {
    const amount = { samples: 12, faked: 4, choosing: 4 };
    for (const name of ["embedding bf16", "checkpoint fp32"]) {
      const { work, figures } = withFingerprints(cases[name]!(amount));
      await calibrate(work);
      const { honest, mostApart, other, leastApart } = figures()!;
      expect([honest, other], name).to.deep.equal([4, 6]);
      expect(mostApart, name).to.be.at.most(FINGERPRINT_SLACK / 4);
      expect(leastApart, name).to.be.at.least(1.5 * FINGERPRINT_SLACK);
    }
  });

  it("are compared as the contract does it", async () => {
    const { ethers } = await network.create();
    const checker = await ethers.deployContract("FingerprintChecker");
    const near = fc.tuple(fingerprint, fc.uniqueArray(fc.nat(239), { minLength: 40, maxLength: 56 }));
    for (const [one, bits] of fc.sample(near, 12)) {
      const other = bits.reduce((sum, bit) => sum ^ (1n << BigInt(bit)), one);
      expect(bitsApart(one, other)).to.equal(bits.length);
      expect(await checker.isNear(one, other)).to.equal(isNear(one, other));
    }
    for (const list of fc.sample(fc.array(fingerprint, { maxLength: 15 }), 12))
      expect(await checker.median(list)).to.equal(medianOf(list));
  });
});

function cosineOf(one: readonly number[], other: readonly number[]): number {
  const dot = (a: readonly number[], b: readonly number[]): number =>
    a.reduce((sum, value, at) => sum + value * (b[at] ?? 0), 0);
  return dot(one, other) / Math.sqrt(dot(one, one) * dot(other, other));
}
