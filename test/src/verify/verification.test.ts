import { expect } from "chai";
import { id } from "ethers";
import fc from "fast-check";

import { isNeuraError } from "../../../src/errors.ts";
import {
  METHOD_NAMES,
  methodOf,
  parseVerification,
  verificationHash,
  verificationText,
} from "../../../src/verify/verification.ts";
import { codeOf } from "./support.ts";

const program = `0x${"ab".repeat(32)}`;

describe("verify: what a manifest says", () => {
  it("knows nine methods", () => {
    expect(METHOD_NAMES).to.deep.equal([
      "exact/1",
      "numeric/1",
      "embedding/1",
      "text/1",
      "tokens/1",
      "trajectory/1",
      "checkpoint/1",
      "checker/1",
      "none/1",
    ]);
    const needing = METHOD_NAMES.filter((method) => methodOf({ method }).tolerance === "calibrated");
    expect(needing).to.have.length(6);
    const rechecked = METHOD_NAMES.filter((method) => methodOf({ method }).isRechecked);
    expect(rechecked).to.deep.equal(["tokens/1", "trajectory/1", "checkpoint/1", "checker/1"]);
    const linked = METHOD_NAMES.filter((method) => methodOf({ method }).isLinked);
    expect(linked).to.deep.equal(["trajectory/1", "checkpoint/1"]);
  });

  it("has one text and one hash, whatever was left out and in whichever order", () => {
    const short = parseVerification({ method: "text/1", parameters: { text: "/text" } });
    const long = parseVerification({
      parameters: { foldSpaces: true, text: "/text", form: "NFKC" },
      method: "text/1",
    });
    const written = '{"method":"text/1","parameters":{"foldSpaces":true,"form":"NFKC","text":"/text"}}';
    expect(verificationText(short)).to.equal(written);
    expect(verificationText(long)).to.equal(written);
    expect(verificationHash(short)).to.equal(id(written));
    expect(parseVerification(JSON.parse(written))).to.deep.equal(short);
  });

  it("names a calibration by its hash", () => {
    const calibration = `0x${"0c".repeat(32)}`;
    const verification = parseVerification({ method: "tokens/1", calibration });
    expect(verification).to.deep.equal({ method: "tokens/1", parameters: { cap: 1 }, calibration });
    expect(verificationText(verification)).to.include(calibration);
  });

  for (const [name, value] of Object.entries({
    "an unknown parameter": { method: "exact/1", parameters: { tolerance: 1 } },
    "a parameter of another method": { method: "numeric/1", parameters: { cap: 1 } },
    "a field that is none": { method: "exact/1", tolerance: 0.1 },
    "parameters in a list": { method: "exact/1", parameters: [] },
    "a text in place of an object": "exact/1",
    "no method": {},
    null: null,
    "a number for a method": { method: 1 },
    "a cap that is no number": { method: "tokens/1", parameters: { cap: "1" } },
    "a cap of nothing": { method: "tokens/1", parameters: { cap: 0 } },
    "a pointer that is none": { method: "text/1", parameters: { text: "text" } },
    "a pointer with a wrong escape": { method: "text/1", parameters: { text: "/a~2" } },
    "a form that is none": { method: "text/1", parameters: { form: "nfkc" } },
    "no program": { method: "checker/1" },
    "a program in capitals": { method: "checker/1", parameters: { program: program.toUpperCase() } },
    "a calibration that is none": { method: "text/1", calibration: "0x00" },
    "what is neither tensors nor sketches": { method: "numeric/1", parameters: { of: "both" } },
  })) {
    it(`refuses ${name}`, () => {
      expect(codeOf(() => parseVerification(value))).to.equal("verify.parameters");
    });
  }

  it("refuses methods that there are not, those of every object included", () => {
    for (const method of ["exact", "exact/2", "EXACT/1", "toString", "__proto__", ""])
      expect(
        codeOf(() => parseVerification({ method })),
        method,
      ).to.equal("verify.method-unknown");
  });

  it("says what was wrong, and what to do", () => {
    try {
      parseVerification({ method: "tokens/1", parameters: { cap: -1, top: 3 } });
      expect.fail("it was taken");
    } catch (error) {
      if (!isNeuraError(error)) throw error;
      expect(error.message)
        .to.include("parameters.cap is no number from 0.001 to 100")
        .and.include("parameters.top");
      expect(error.next).to.include('"cap":-1');
    }
  });

  it("refuses or reads anything, and reads again what it wrote", () => {
    const parameters = fc.dictionary(
      fc.constantFrom("of", "cap", "form", "text", "program", "x"),
      fc.jsonValue(),
    );
    fc.assert(
      fc.property(fc.constantFrom(...METHOD_NAMES), parameters, (method, given) => {
        let verification;
        try {
          verification = parseVerification({ method, parameters: given });
        } catch (error) {
          if (isNeuraError(error, "verify.parameters")) return;
          throw error;
        }
        expect(parseVerification(JSON.parse(verificationText(verification)))).to.deep.equal(verification);
      }),
    );
  });
});
