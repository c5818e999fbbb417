import { expect } from "chai";
import fc from "fast-check";

import { isNeuraError } from "../../../src/errors.ts";
import { encodeReport } from "../../../src/verify/methods/checker.ts";
import { encodeTensors } from "../../../src/verify/tensors.ts";
import { judge, METHOD_NAMES, parseVerification } from "../../../src/verify/verification.ts";
import { bytesOf, distanceOf, finite, jsonBytes, judged, about, tensor } from "./support.ts";

const vector = fc.array(finite, { minLength: 1, maxLength: 20 });
const text = fc.string({ unit: "grapheme", maxLength: 60 });

describe("verify: methods", () => {
  describe("exact/1", () => {
    it("passes the same bytes and nothing else", () => {
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 50 }), fc.uint8Array({ maxLength: 50 }), (one, other) => {
          expect(judged("exact/1", one, Uint8Array.from(one)).verdict).to.equal("pass");
          const isSame = Buffer.compare(one, other) === 0;
          expect(judged("exact/1", one, other).verdict).to.equal(isSame ? "pass" : "fail");
        }),
      );
    });

    it("says where they differ, and needs no calibration", () => {
      const found = judged("exact/1", Uint8Array.of(1, 2, 3), Uint8Array.of(1, 9, 3));
      expect(found).to.deep.equal({ verdict: "fail", distance: 1, tolerance: 0, why: "byte 1 is 2, not 9" });
      expect(judged("exact/1", Uint8Array.of(1), Uint8Array.of(1, 2)).why).to.equal("it has 1 bytes, not 2");
    });
  });

  describe("numeric/1", () => {
    it("finds no distance to the same, and the same one at every scale", () => {
      fc.assert(
        fc.property(vector, vector, fc.integer({ min: -200, max: 200 }), (one, other, power) => {
          expect(distanceOf("numeric/1", tensor(one), tensor(one))).to.equal(0);
          const [a, b] = [one, one.map((value, at) => value + (other[at] ?? 0))];
          const scaled = (values: number[]): Uint8Array => tensor(values.map((value) => value * 2 ** power));
          const distance = distanceOf("numeric/1", tensor(b), tensor(a));
          const again = distanceOf("numeric/1", scaled(b), scaled(a));
          if (Number.isFinite(distance)) expect(again).to.satisfy(about(distance, 1e-9 * distance));
          else expect(again).to.equal(Infinity);
        }),
      );
    });

    it("grows with the error", () => {
      fc.assert(
        fc.property(
          vector,
          vector,
          fc.double({ min: 1.01, max: 100, noNaN: true }),
          (values, errors, factor) => {
            fc.pre(
              values.some((value) => Math.abs(value) > 1e-3) &&
                errors.some((value) => Math.abs(value) > 1e-3),
            );
            fc.pre(values.some((_, at) => Math.abs(errors[at] ?? 0) > 1e-3));
            const off = (by: number): number[] => values.map((value, at) => value + by * (errors[at] ?? 0));
            const small = distanceOf("numeric/1", tensor(off(1)), tensor(values));
            expect(distanceOf("numeric/1", tensor(off(factor)), tensor(values))).to.be.greaterThan(small);
          },
        ),
      );
    });

    it("takes the tensor that differs most, by the length of the reference", () => {
      const file = (x: number[], y: number[]): Uint8Array =>
        encodeTensors([
          ["x", { type: "F64", shape: [2], values: x }],
          ["y", { type: "F64", shape: [2], values: y }],
        ]);
      const found = judged("numeric/1", file([3, 4.5], [1, 0]), file([3, 4], [0, 1]), { tolerance: 2 });
      expect(found.distance).to.satisfy(about(Math.SQRT2, 1e-12));
      expect(found.why).to.equal('of 2 tensors "y" differs most, by 1.41');
      expect(distanceOf("numeric/1", file([3, 4.5], [0, 1]), file([3, 4], [0, 1]))).to.satisfy(
        about(0.1, 1e-12),
      );
    });

    const incomparable: Record<string, [unit: Uint8Array, reference: Uint8Array]> = {
      "a missing tensor": [
        tensor([1]),
        encodeTensors([
          ["x", { type: "F64", shape: [1], values: [1] }],
          ["y", { type: "F64", shape: [1], values: [1] }],
        ]),
      ],
      "a tensor too many": [
        encodeTensors([
          ["x", { type: "F64", shape: [1], values: [1] }],
          ["y", { type: "F64", shape: [1], values: [1] }],
        ]),
        tensor([1]),
      ],
      "another shape": [tensor([1, 2]), tensor([1])],
      "another type": [tensor([1], "F32"), tensor([1])],
      NaN: [tensor([NaN, 1]), tensor([1, 1])],
      "a number where the reference has none": [tensor([1, 1]), tensor([NaN, 1])],
      infinity: [tensor([Infinity, 1]), tensor([1, 1])],
      "the other infinity": [tensor([Infinity, 1]), tensor([-Infinity, 1])],
      garbage: [bytesOf("garbage"), tensor([1])],
      "something where there is nothing": [tensor([1]), tensor([0])],
    };
    for (const [name, [unit, reference]] of Object.entries(incomparable)) {
      it(`fails for ${name}`, () => {
        const found = judged("numeric/1", unit, reference);
        expect(found.verdict).to.equal("fail");
        expect(found.distance).to.equal(Infinity);
      });
    }

    it("takes what is no number where the reference has the same", () => {
      const odd = [NaN, Infinity, -Infinity, 1];
      expect(distanceOf("numeric/1", tensor(odd), tensor(odd))).to.equal(0);
      expect(distanceOf("numeric/1", tensor([NaN, 1.5]), tensor([NaN, 1]))).to.satisfy(about(0.5, 1e-12));
      expect(distanceOf("numeric/1", tensor([0, 0]), tensor([0, 0]))).to.equal(0);
    });
  });

  describe("embedding/1", () => {
    it("looks at directions, the same both ways", () => {
      fc.assert(
        fc.property(
          vector,
          vector,
          fc.double({ min: 0.001, max: 1000, noNaN: true }),
          (one, other, factor) => {
            const [a, b] = [one, one.map((_, at) => other[at] ?? 0)];
            const distance = distanceOf("embedding/1", tensor(a), tensor(b));
            expect(distance).to.be.within(0, 2 + 1e-12);
            expect(distanceOf("embedding/1", tensor(b), tensor(a))).to.equal(distance);
            expect(
              distanceOf("embedding/1", tensor(a.map((value) => value * factor)), tensor(a)),
            ).to.be.below(1e-25);
          },
        ),
      );
    });

    it("is one less the cosine, exact for small angles", () => {
      expect(distanceOf("embedding/1", tensor([1, 0]), tensor([0, 2]))).to.satisfy(about(1, 1e-15));
      expect(distanceOf("embedding/1", tensor([1, 0]), tensor([-3, 0]))).to.equal(2);
      expect(distanceOf("embedding/1", tensor([1, 1e-9]), tensor([1, 0]))).to.satisfy(about(5e-19, 1e-24));
    });

    it("takes the row that differs most", () => {
      const rows = (values: number[]): Uint8Array =>
        encodeTensors([["x", { type: "F64", shape: [2, 2], values }]]);
      expect(distanceOf("embedding/1", rows([1, 0, 1, 0]), rows([1, 0, 0, 1]))).to.satisfy(about(1, 1e-15));
    });

    it("takes nothing for a direction of its own", () => {
      expect(distanceOf("embedding/1", tensor([0, 0]), tensor([0, 0]))).to.equal(0);
      expect(distanceOf("embedding/1", tensor([0, 0]), tensor([1, 0]))).to.equal(1);
    });
  });

  describe("text/1", () => {
    it("is 0 for the same, symmetric, and at most 1", () => {
      fc.assert(
        fc.property(text, text, (one, other) => {
          const [a, b] = [bytesOf(one), bytesOf(other)];
          expect(distanceOf("text/1", a, a)).to.equal(0);
          const distance = distanceOf("text/1", a, b);
          expect(distance).to.equal(distanceOf("text/1", b, a));
          expect(distance).to.be.within(0, 1);
        }),
      );
    });

    it("counts the fewest changes, by the characters of the longer text", () => {
      expect(distanceOf("text/1", bytesOf("kitten"), bytesOf("sitting"))).to.equal(3 / 7);
      expect(distanceOf("text/1", bytesOf(""), bytesOf("lost"))).to.equal(1);
      expect(distanceOf("text/1", bytesOf(""), bytesOf(""))).to.equal(0);
    });

    it("reads one text however it is encoded, and folds spaces unless told not to", () => {
      const composed = bytesOf("caf\u00e9\n ﬁne ");
      const decomposed = bytesOf(" cafe\u0301 fine");
      expect(distanceOf("text/1", composed, decomposed)).to.equal(0);
      const parameters = { form: "NFC", foldSpaces: false };
      expect(distanceOf("text/1", composed, decomposed, { parameters })).to.be.greaterThan(0);
      expect(distanceOf("text/1", bytesOf("e\u0301"), bytesOf("\u00e9"), { parameters })).to.equal(0);
    });

    it("finds text and sureness in JSON", () => {
      const parameters = { text: "/a~1b/0", confidences: "/lines/*/sure" };
      const page = (words: string, ...sure: number[]): Uint8Array =>
        jsonBytes({ "a/b": [words], lines: sure.map((each) => ({ sure: each })) });
      const from = (unit: Uint8Array, reference: Uint8Array): number =>
        distanceOf("text/1", unit, reference, { parameters });
      expect(from(page("word", 0.9, 0.8), page("word", 0.9, 0.8))).to.equal(0);
      expect(from(page("word", 0.9, 0.8), page("word", 0.7, 0.8))).to.satisfy(about(0.1, 1e-12));
      expect(from(page("word", 0.9), page("word", 0.9, 0.8)), "a line too few").to.equal(0.5);
      expect(from(page("ward", 0.9), page("word", 0.9)), "a wrong letter").to.equal(0.25);
      expect(from(page("word"), page("word"))).to.equal(0);
    });

    for (const [name, unit] of Object.entries({
      "no JSON": bytesOf("{"),
      "no UTF-8": Uint8Array.of(0xff),
      "no text": jsonBytes({ text: 1 }),
      "nothing there": jsonBytes({}),
      "a text of __proto__": bytesOf('{"__proto__":{"text":"word"}}'),
    })) {
      it(`fails a unit with ${name}`, () => {
        const found = judged("text/1", unit, jsonBytes({ text: "word" }), { parameters: { text: "/text" } });
        expect(found).to.include({ verdict: "fail", distance: Infinity });
      });
    }

    it("does not compare long texts that differ all over, but tells one that is far too long", () => {
      const long = "ab".repeat(100_001);
      const other = "ba".repeat(100_001);
      expect(judged("text/1", bytesOf(`x${long}x`), bytesOf(`y${other}y`))).to.include({
        verdict: "inconclusive",
        distance: undefined,
      });
      expect(judged("text/1", bytesOf(`x${long}`), bytesOf("word"))).to.include({ verdict: "fail" });
      expect(judged("text/1", bytesOf(`${long}x`), bytesOf(`${long}y`)), "but for their ends").to.include({
        verdict: "pass",
        distance: 1 / 200_003,
      });
    });
  });

  describe("tokens/1", () => {
    const drawn = { tokens: [5, 6, 7, 8], logProbs: [-1, -2, -0.5, -3] };
    const checked = { ...drawn, margins: [0, 0, 0, 0] };

    it("finds no distance where every token is that of the seed and as likely as stated", () => {
      expect(distanceOf("tokens/1", jsonBytes(drawn), jsonBytes(checked))).to.equal(0);
    });

    it("counts what a token lost by and how far its likelihood is off, each place up to the cap", () => {
      const near = { ...checked, tokens: [5, 9, 7, 8], margins: [0, 0.02, 0, 0] };
      expect(distanceOf("tokens/1", jsonBytes(drawn), jsonBytes(near))).to.satisfy(about(0.005, 1e-12));
      const far = { ...near, margins: [0, 30, 0, 0] };
      expect(distanceOf("tokens/1", jsonBytes(drawn), jsonBytes(far))).to.equal(0.25);
      const parameters = { cap: 4 };
      expect(distanceOf("tokens/1", jsonBytes(drawn), jsonBytes(far), { parameters })).to.equal(1);
      const impossible = { ...near, margins: [0, null, 0, 0] };
      expect(distanceOf("tokens/1", jsonBytes(drawn), jsonBytes(impossible))).to.equal(0.25);
      const unlikely = { ...checked, logProbs: [-1.4, -2, -0.5, -3] };
      expect(distanceOf("tokens/1", jsonBytes(drawn), jsonBytes(unlikely))).to.satisfy(about(0.1, 1e-12));
    });

    it("grows with the margin, up to the cap", () => {
      const margin = fc.double({ min: 0, max: 5, noNaN: true });
      fc.assert(
        fc.property(margin, margin, (one, other) => {
          const at = (by: number): number =>
            distanceOf(
              "tokens/1",
              jsonBytes(drawn),
              jsonBytes({ ...checked, tokens: [1, 6, 7, 8], margins: [by, 0, 0, 0] }),
            );
          expect(at(Math.max(one, other))).to.be.at.least(at(Math.min(one, other)));
          expect(at(one)).to.be.at.most(0.25);
        }),
      );
    });

    for (const [name, unit] of Object.entries({
      "too few tokens": { tokens: [5], logProbs: [-1] },
      "lists of two lengths": { ...drawn, logProbs: [-1] },
      "a token that is none": { ...drawn, tokens: [5, 6, 7, 1.5] },
      "no likelihoods": { tokens: drawn.tokens },
      "a list in place of an object": [],
    })) {
      it(`fails a unit with ${name}`, () => {
        expect(judged("tokens/1", jsonBytes(unit), jsonBytes(checked))).to.include({
          verdict: "fail",
          distance: Infinity,
        });
      });
    }
  });

  describe("trajectory/1 and checkpoint/1", () => {
    const state = tensor([10, 0]);
    const step = (values: number[]): { output: Uint8Array; state: Uint8Array } => ({
      output: tensor(values),
      state,
    });

    it("measures by the step and not by the state", () => {
      const reference = tensor([10, 1]);
      expect(distanceOf("trajectory/1", step([10, 1]), reference)).to.equal(0);
      expect(distanceOf("trajectory/1", step([10, 1.1]), reference)).to.satisfy(about(0.1, 1e-12));
      expect(distanceOf("trajectory/1", step([10, 0]), reference), "a step left out").to.equal(1);
    });

    it("measures next to no step by a thousandth of the state", () => {
      expect(distanceOf("trajectory/1", step([10, 1e-9]), tensor([10, 2e-9]))).to.satisfy(about(1e-7, 1e-15));
      expect(distanceOf("trajectory/1", step([10, 0.001]), state)).to.satisfy(about(0.1, 1e-12));
    });

    it("fails a unit that does not say what it goes on from", () => {
      const found = judged("trajectory/1", tensor([10, 1]), tensor([10, 1]));
      expect(found).to.include({ verdict: "fail", distance: Infinity });
      expect(found.why).to.include("state that it went on from is missing");
    });

    it("fails a unit whose state lacks what it changes", () => {
      const other = encodeTensors([["y", { type: "F64", shape: [2], values: [10, 0] }]]);
      for (const foreign of [other, tensor([10, 0, 0])])
        expect(
          distanceOf("trajectory/1", { output: tensor([10, 1]), state: foreign }, tensor([10, 1])),
        ).to.equal(Infinity);
    });

    it("takes a state that is no number any more where the reference has the same", () => {
      expect(distanceOf("trajectory/1", step([NaN, 1]), tensor([NaN, 1]))).to.equal(0);
      expect(distanceOf("trajectory/1", step([NaN, 1.5]), tensor([NaN, 1]))).to.satisfy(about(0.5, 1e-12));
      expect(distanceOf("trajectory/1", step([1, 1]), tensor([NaN, 1]))).to.equal(Infinity);
    });

    it("compares weights by their update and the loss by itself", () => {
      const file = (weight: number, loss: number): Uint8Array =>
        encodeTensors([
          ["w", { type: "F64", shape: [1], values: [weight] }],
          ["loss", { type: "F64", shape: [], values: [loss] }],
        ]);
      const from = (output: Uint8Array): number =>
        distanceOf("checkpoint/1", { output, state: file(1, 3) }, file(1.5, 2));
      expect(from(file(1.5, 2))).to.equal(0);
      expect(from(file(1.45, 2))).to.satisfy(about(0.1, 1e-12));
      expect(from(file(1.5, 2.5))).to.satisfy(about(0.25, 1e-12));
      expect(from(file(1, 3)), "no training").to.equal(1);
      expect(from(tensor([1.5])), "no loss").to.equal(Infinity);
    });
  });

  describe("checker/1", () => {
    const parameters = { program: `0x${"ab".repeat(32)}` };
    const said = (exitCode: number | null, message = ""): ReturnType<typeof judged> =>
      judged("checker/1", bytesOf("output"), encodeReport({ exitCode, message }), { parameters });

    it("passes with 0, fails with 1, and decides nothing with anything else", () => {
      expect(said(0)).to.include({ verdict: "pass", distance: 0 });
      expect(said(1, "the loss is 3")).to.include({
        verdict: "fail",
        why: "the owner's program fails it: the loss is 3",
      });
      for (const exitCode of [2, 127, 137, -1, null])
        expect(said(exitCode), String(exitCode)).to.include({ verdict: "inconclusive", distance: undefined });
    });
  });

  it("judges nothing by none/1", () => {
    expect(judged("none/1", bytesOf("a"), bytesOf("b"))).to.include({
      verdict: "inconclusive",
      distance: undefined,
    });
  });

  it("never fails by distance without a calibration, however far away", () => {
    for (const method of ["numeric/1", "embedding/1", "text/1", "tokens/1", "trajectory/1", "checkpoint/1"]) {
      const verification = parseVerification({ method });
      const reference =
        method === "tokens/1" ? jsonBytes({ tokens: [1], logProbs: [-1], margins: [0] }) : tensor([1, 2]);
      const unit = { output: bytesOf("\u0000garbage") };
      const found = judge(verification, {
        unit,
        reference: method === "text/1" ? bytesOf("word") : reference,
      });
      expect(found, method).to.include({ verdict: "inconclusive", tolerance: undefined });
      expect(found.why, method).to.include("no calibration");
    }
  });

  it("says of a reference that cannot be read that it is one's own fault", () => {
    for (const method of METHOD_NAMES.filter((name) => name !== "exact/1" && name !== "none/1")) {
      const parameters = method === "checker/1" ? { program: `0x${"ab".repeat(32)}` } : {};
      const unit =
        method === "tokens/1"
          ? jsonBytes({ tokens: [], logProbs: [] })
          : method === "checkpoint/1"
            ? encodeTensors([["loss", { shape: [], values: [1] }]])
            : tensor([1]);
      const text = method === "text/1";
      expect(() =>
        judged(method, { output: text ? bytesOf("a") : unit, state: tensor([1]) }, Uint8Array.of(0xff), {
          parameters,
        }),
      ).to.satisfy((run: () => void) => {
        try {
          run();
        } catch (error) {
          return isNeuraError(error, "verify.reference");
        }
        return false;
      }, method);
    }
  });
});
