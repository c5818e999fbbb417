import { expect } from "chai";
import fc from "fast-check";

import { isNeuraError } from "../../../src/errors.ts";
import { parseUnitFiles, UNITS_BOUNDS } from "../../../src/verify/unit-files.ts";

const unit = { input: "input/a.png", output: "output/a.txt" };
const fileOf = (units: unknown): string => JSON.stringify({ schema: "neura/units/1", units });

function refusal(text: string): string {
  try {
    parseUnitFiles(text);
  } catch (error) {
    if (isNeuraError(error, "units.invalid")) return error.message;
    throw error;
  }
  throw new Error("It was accepted.");
}

describe("verify: units.json", () => {
  it("names the files of each unit", () => {
    const chained = {
      input: "output/a.txt",
      output: "output/b",
      state: "output/a.txt",
      sketch: "output/s/1",
    };
    expect(parseUnitFiles(fileOf([unit, chained]))).to.deep.equal([unit, chained]);
  });

  const wrong: [name: string, units: unknown, reason: string][] = [
    ["no units", [], "has no unit"],
    ["units in no list", {}, "is no list"],
    ["no output", [{ input: "input/a" }], "output is missing"],
    ["no input", [{ output: "output/a" }], "input is missing"],
    ["an output that was sent", [{ ...unit, output: "input/a" }], "is no path below output/"],
    ["a path that leaves", [{ ...unit, output: "output/../run/x" }], "is no path below output/"],
    ["a path from the root", [{ ...unit, input: "/etc/passwd" }], "is no path below input/ or output/"],
    ["the file itself", [{ ...unit, output: "output/units.json" }], "is no path below output/"],
    ["a field that is unknown", [{ ...unit, weight: 1 }], "weight is unknown"],
    ["a sketch that is an output", [{ ...unit, sketch: unit.output }], "sketches are no part of the result"],
    ["too many", Array.from({ length: UNITS_BOUNDS.units + 1 }, () => unit), "more than"],
  ];
  for (const [name, units, reason] of wrong)
    it(`refuses ${name}`, () => {
      expect(refusal(fileOf(units))).to.contain(reason);
    });

  it("refuses or reads anything", () => {
    const path = fc.constantFrom("input/a", "output/a", "output/../a", "", "output/", "logs/a");
    const units = fc.array(
      fc.record({ input: path, output: path, state: path, sketch: path }, { requiredKeys: [] }),
    );
    fc.assert(
      fc.property(fc.oneof(units.map(fileOf), fc.json(), fc.string()), (text) => {
        try {
          for (const { output } of parseUnitFiles(text)) expect(output).to.equal("output/a");
        } catch (error) {
          expect(isNeuraError(error, "units.invalid"), String(error)).to.be.true;
        }
      }),
    );
  });
});
