import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect } from "chai";

import { isNeuraError } from "../../../src/errors.ts";
import { calibrationText, verificationBy } from "../../../src/verify/calibration.ts";
import {
  knowsTolerance,
  loadCalibrations,
  OCR_CALIBRATION,
  verificationOf,
} from "../../../src/verify/known.ts";

describe("verify: calibrations that are known", () => {
  let folder: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "neura-known-"));
  });
  after(async () => await rm(folder, { recursive: true, force: true }));

  it("are files, and whatever lies in a folder", async () => {
    const tolerances = [0.1, 0.2, 0.3];
    const all = tolerances.map((tolerance) => ({ ...OCR_CALIBRATION, tolerance }));
    await mkdir(join(folder, "more"));
    const paths = ["one.json", "more/two.json", "more/three.json"].map((name) => join(folder, name));
    for (const [index, path] of paths.entries()) await writeFile(path, calibrationText(all[index]!));
    await writeFile(join(folder, "more", "README.md"), "not one");
    const loaded = await loadCalibrations([paths[0]!, join(folder, "more")]);
    expect(loaded.map(({ tolerance }) => tolerance)).to.have.members(tolerances);
    for (const each of all) expect(knowsTolerance(loaded, verificationBy(each))).to.be.true;
    expect(knowsTolerance(loaded, verificationBy(OCR_CALIBRATION))).to.be.false;
  });

  it("are refused where one cannot be read", async () => {
    const codeOf = async (path: string): Promise<string> =>
      await loadCalibrations([path]).then(
        () => "",
        (error: unknown) => (isNeuraError(error) ? error.code : String(error)),
      );
    expect(await codeOf(join(folder, "none"))).to.equal("verify.calibration-missing");
    const broken = join(folder, "broken.json");
    await writeFile(broken, "{}");
    expect(await codeOf(broken)).to.equal("verify.calibration-invalid");
  });

  it("suit an application, where it has a method of its own", () => {
    expect(verificationOf("ocr")).to.deep.equal(verificationBy(OCR_CALIBRATION));
    expect(verificationOf("noop")).to.equal(undefined);
  });
});
