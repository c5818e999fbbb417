import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import fc from "fast-check";

import {
  loadMeasurements,
  measuredSpeed,
  type Measurement,
  medianOf,
  noteMeasurement,
} from "../../../src/market/measurements.ts";
import { Cleanup } from "../storage/support.ts";

const PROVIDER = "0x1111111111111111111111111111111111111111";

function measurement(index: number, change: Partial<Measurement> = {}): Measurement {
  const task = `0x${index.toString(16).padStart(64, "0")}`;
  return {
    task,
    provider: PROVIDER,
    application: "ocr",
    seconds: index,
    units: 1,
    atSeconds: index,
    ...change,
  };
}

describe("an owner's own measurements", () => {
  const cleanup = new Cleanup();
  after(() => cleanup.run());

  it("are seconds for each unit, by provider and application", async () => {
    const home = cleanup.directory();
    expect(await measuredSpeed(home, PROVIDER, "ocr")).to.equal(undefined);
    await noteMeasurement(home, measurement(1, { seconds: 6, units: 3 }));
    await noteMeasurement(home, measurement(2, { seconds: 1 }));
    await noteMeasurement(home, measurement(3, { seconds: 100, application: "noop" }));
    await noteMeasurement(home, measurement(4, { seconds: 100, provider: PROVIDER.replaceAll("1", "2") }));
    expect(await measuredSpeed(home, PROVIDER, "ocr")).to.deep.equal({
      secondsPerUnit: 1.5,
      tasks: 2,
      atSeconds: 2,
    });
  });

  it("count once for each task, even of many at the same time", async () => {
    const home = cleanup.directory();
    const indices = [...Array(12).keys(), ...Array(12).keys()].map((index) => index + 1);
    await Promise.all(indices.map((index) => noteMeasurement(home, measurement(index))));
    expect(await loadMeasurements(home)).to.have.length(12);
  });

  it("keep the newest 20 of each provider's application", async () => {
    const home = cleanup.directory();
    for (let index = 1; index <= 25; index++) await noteMeasurement(home, measurement(index));
    await noteMeasurement(home, measurement(26, { application: "noop" }));
    const kept = await loadMeasurements(home);
    expect(
      kept.filter(({ application }) => application === "ocr").map(({ atSeconds }) => atSeconds),
    ).to.deep.equal(Array.from({ length: 20 }, (_, index) => 25 - index));
    expect(kept).to.have.length(21);
  });

  it("begin anew where their file was spoiled, and skip entries that are none", async () => {
    const home = cleanup.directory();
    const path = join(home, "measurements.json");
    writeFileSync(path, "{");
    expect(await loadMeasurements(home)).to.deep.equal([]);
    await noteMeasurement(home, measurement(1));
    const file: unknown = JSON.parse(readFileSync(path, "utf8"));
    const { measurements } = file as { measurements: unknown[] };
    writeFileSync(
      path,
      JSON.stringify({ ...(file as object), measurements: [...measurements, 7, { task: "x" }] }),
    );
    expect(await loadMeasurements(home)).to.deep.equal([measurement(1)]);
  });

  it("say so where they cannot be written", async () => {
    const home = cleanup.directory();
    mkdirSync(join(home, "measurements.json"));
    const error: unknown = await noteMeasurement(home, measurement(1)).catch((thrown: unknown) => thrown);
    expect(error).to.be.instanceOf(Error);
    // The next one is not held up by it.
    const other = cleanup.directory();
    await noteMeasurement(other, measurement(1));
    expect(await loadMeasurements(other)).to.have.length(1);
  });

  it("have a median with as many below as above", () => {
    fc.assert(
      fc.property(fc.array(fc.integer(), { minLength: 1, maxLength: 30 }), (values) => {
        const median = medianOf(values);
        const below = values.filter((value) => value < median).length;
        const above = values.filter((value) => value > median).length;
        expect(Math.max(below, above)).to.be.at.most(values.length / 2);
        expect(median).to.be.within(Math.min(...values), Math.max(...values));
      }),
    );
    expect(medianOf([])).to.be.NaN;
  });
});
