import { expect } from "chai";
import { id } from "ethers";
import fc from "fast-check";

import { cases } from "../../../scripts/bench/verify/cases.ts";
import { isNeuraError } from "../../../src/errors.ts";
import {
  calibrate,
  type Calibration,
  calibrationFor,
  calibrationHash,
  calibrationText,
  type CalibrationWork,
  modelDigest,
  parseCalibration,
  rateAtMost,
  verificationBy,
} from "../../../src/verify/calibration.ts";
import { parseVerification } from "../../../src/verify/verification.ts";
import { about, codeOf, tensor } from "./support.ts";

/** Samples that are off by these shares. */
function offBy(...shares: number[]): CalibrationWork["honest"] {
  return shares.map((share) => ({ unit: { output: tensor([1 + share]) }, reference: tensor([1]) }));
}

function workOf(given: Partial<CalibrationWork>): CalibrationWork {
  return {
    model: "test 1.0.0",
    modelDigest: `0x${"0a".repeat(32)}`,
    dtype: "fp32",
    verification: parseVerification({ method: "numeric/1" }),
    honest: offBy(0.001, 0.002, 0.001, 0.003),
    fakes: [{ name: "twice as much", samples: offBy(1, 0.004, Infinity) }],
    choosing: 2,
    least: 0.0001,
    conditions: ["made up"],
    ...given,
  };
}

describe("verify: calibrations", () => {
  it("chooses a tolerance by some honest samples and tests it with the others", async () => {
    const calibration = await calibrate(workOf({}));
    expect(calibration.tolerance).to.satisfy(about(0.006, 1e-9));
    expect(calibration.honest).to.deep.include({ samples: 2, failed: 0 });
    expect(calibration.honest.largest).to.satisfy(about(0.003, 1e-9));
    expect(calibration.fakes).to.have.length(1);
    expect(calibration.fakes[0]).to.deep.include({ name: "twice as much", samples: 3, missed: 1 });
    expect(calibration.fakes[0]!.smallest).to.satisfy(about(0.004, 1e-9));
  });

  it("says so where honest work fails by it, and stays above the least", async () => {
    const narrow = await calibrate(workOf({ honest: offBy(0.001, 0, 0.002, 0.5), margin: 1 }));
    expect(narrow.tolerance).to.satisfy(about(0.001, 1e-9));
    expect(narrow.honest.failed).to.equal(2);
    expect(narrow.honest.falseAlarmRate).to.equal(1);
    expect((await calibrate(workOf({ honest: offBy(0, 0, 0) }))).tolerance).to.equal(0.0001);
  });

  it("refuses too little honest work, or what cannot be compared", async () => {
    for (const work of [
      workOf({ honest: offBy(0.1, 0.1) }),
      workOf({ choosing: 0 }),
      workOf({ honest: offBy(0, 0, NaN) }),
      workOf({ honest: [] }),
    ])
      expect(
        await calibrate(work).catch((error: unknown) => isNeuraError(error, "verify.calibration-failed")),
      ).to.equal(true);
  });

  it("bounds a rate as Clopper and Pearson do", () => {
    // R: binom.test(k, n, alternative = "less", conf.level = 0.95)$conf.int[2]
    for (const [failed, samples, rate] of [
      [0, 1, 0.95],
      [0, 1000, 0.002991],
      [0, 30_000, 0.0000998526],
      [1, 1000, 0.0047347],
      [5, 100, 0.1022533],
      [100, 100, 1],
    ] as const)
      expect(rateAtMost(failed, samples), `${failed} of ${samples}`).to.satisfy(about(rate, rate * 0.002));
  });

  describe("as a file", () => {
    const measure = fc.double({ min: 0, max: 1e6, noNaN: true });
    const count = fc.integer({ min: 1, max: 1e6 });
    const short = fc.string({ maxLength: 40 });
    const calibration: fc.Arbitrary<Calibration> = fc
      .record({
        model: short,
        dtype: fc.constantFrom("fp32", "bf16", "int"),
        tolerance: measure,
        samples: count,
        largest: measure,
        fakes: fc.array(
          fc.record({ name: short, samples: count, smallest: fc.option(measure, { nil: undefined }) }),
          {
            maxLength: 3,
          },
        ),
        conditions: fc.array(short, { maxLength: 3 }),
      })
      .map(({ samples, largest, fakes, ...rest }) => ({
        ...rest,
        modelDigest: `0x${"0b".repeat(32)}`,
        method: "text/1" as const,
        parameters: parseVerification({ method: "text/1" }).parameters,
        honest: { samples, failed: samples - 1, largest, falseAlarmRate: 0.5 },
        fakes: fakes.map(({ name, samples: of, smallest }) => ({
          name,
          samples: of,
          missed: of - 1,
          ...(smallest === undefined ? {} : { smallest }),
        })),
      }));

    it("comes back as it was, with the hash of its text", () => {
      fc.assert(
        fc.property(calibration, (given) => {
          // JSON has no -0.
          const text = calibrationText(given);
          const read = parseCalibration(text);
          expect(calibrationText(read)).to.equal(text);
          expect(calibrationHash(read)).to.equal(id(text));
          expect(parseCalibration(`${JSON.stringify(JSON.parse(text), undefined, 2)}\n`)).to.deep.equal(read);
        }),
      );
    });

    it("is refused with anything else in it, or missing", async () => {
      const text = calibrationText(await calibrate(workOf({})));
      const change = (path: readonly string[], value: unknown): string => {
        const file = JSON.parse(text) as Record<string, unknown>;
        const inner = path.slice(0, -1).reduce((at, name) => at[name] as Record<string, unknown>, file);
        inner[path.at(-1)!] = value;
        return JSON.stringify(file);
      };
      expect(codeOf(() => parseCalibration(text))).to.equal(undefined);
      for (const [path, value] of [
        [["schema"], "neura/calibration/2"],
        [["tolerance"], -1],
        [["tolerance"], "0.1"],
        [["tolerance"], undefined],
        [["method"], "numeric/2"],
        [["parameters", "of"], "both"],
        [["parameters", "cap"], 1],
        [["modelDigest"], "0x0b"],
        [["dtype"], "FP32"],
        [["honest", "failed"], 3],
        [["honest", "samples"], 0],
        [["honest", "falseAlarmRate"], 1.1],
        [["honest"], undefined],
        [["fakes"], {}],
        [["fakes", "0", "missed"], 4],
        [["fakes", "0", "smallest"], null],
        [["margin"], 3],
      ] as [string[], unknown][])
        expect(
          codeOf(() => parseCalibration(change(path, value))),
          path.join("."),
        ).to.equal("verify.calibration-invalid");
      expect(codeOf(() => parseCalibration("{"))).to.equal("verify.calibration-invalid");
    });
  });

  it("is used for its model, number format, method and parameters alone, by its hash", async () => {
    const calibration = await calibrate(workOf({}));
    const key = { modelDigest: calibration.modelDigest, dtype: "fp32" };
    const verification = verificationBy(calibration);
    const other = { ...calibration, tolerance: 1 };
    expect(calibrationFor([other, calibration], verification, key)).to.equal(calibration);
    expect(calibrationFor([other], verification, key)).to.equal(undefined);
    expect(calibrationFor([calibration], verification, { ...key, dtype: "bf16" })).to.equal(undefined);
    expect(calibrationFor([calibration], verification, { ...key, modelDigest: id("other") })).to.equal(
      undefined,
    );
    const unnamed = parseVerification({ method: "numeric/1" });
    expect(calibrationFor([calibration], unnamed, key)).to.equal(undefined);
    const others = parseVerification({ ...verification, parameters: { of: "sketches" } });
    expect(calibrationFor([calibration], others, key)).to.equal(undefined);
  });

  it("names a model by its files and their order", () => {
    const files = [
      { name: "a", sha256: "00" },
      { name: "b", sha256: "01" },
    ];
    expect(modelDigest(files)).to.match(/^0x[0-9a-f]{64}$/);
    expect(modelDigest(files.toReversed())).to.not.equal(modelDigest(files));
    expect(modelDigest(files.map((file) => ({ ...file, more: 1 })))).to.equal(modelDigest(files));
  });

  describe("of small networks", function () {
    this.timeout(60_000);

    // Few samples, so that this is quick; `./neura bench verify --deep` has thousands.
    for (const [name, workOfCase] of Object.entries(cases)) {
      // Differ from fp32 in their rounding alone.
      if (name.endsWith("bf16") && !name.startsWith("trajectory")) continue;
      it(`${name}: no honest unit fails, and every kind of fake is seen`, async () => {
        const { honest, fakes, tolerance } = await calibrate(
          workOfCase({ samples: 24, faked: 4, choosing: 16 }),
        );
        expect(honest).to.deep.include({ samples: 8, failed: 0 });
        expect(fakes.length).to.be.at.least(4);
        for (const { name: fake, missed, smallest } of fakes) {
          expect(missed, fake).to.equal(0);
          if (smallest !== undefined) expect(smallest, fake).to.be.greaterThan(tolerance);
        }
      });
    }
  });
});
