import { expect } from "chai";
import fc from "fast-check";

import { isNeuraError } from "../../../src/errors.ts";
import {
  fits,
  GPU_CLASSES,
  gpuClassName,
  gpuClassOf,
  missesOf,
  NO_RESOURCES,
  packResources,
  type Resources,
  unpackResources,
} from "../../../src/market/resources.ts";

const uint = (bits: number): fc.Arbitrary<number> => fc.maxSafeNat().map((value) => value % 2 ** bits);
const resources: fc.Arbitrary<Resources> = fc.record({
  gpuCount: uint(16),
  gpuClass: uint(16),
  vramMiB: uint(32),
  ramMiB: uint(32),
  cpuMilli: uint(32),
  diskMiB: uint(32),
});

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (isNeuraError(error)) return error.code;
    throw error;
  }
  return "nothing was thrown";
}

describe("market: resources", () => {
  it("gives back what it packed", () => {
    fc.assert(
      fc.property(resources, (some) => {
        expect(unpackResources(packResources(some))).to.deep.equal(some);
      }),
    );
  });

  it("lays the fields out as Resources.sol says", () => {
    const some = {
      gpuCount: 1,
      gpuClass: 3,
      vramMiB: 24_576,
      ramMiB: 65_536,
      cpuMilli: 8_000,
      diskMiB: 102_400,
    };
    expect(packResources(some)).to.equal(
      1n | (3n << 16n) | (24_576n << 32n) | (65_536n << 64n) | (8_000n << 96n) | (102_400n << 128n),
    );
  });

  it("refuses reserved bits and numbers that do not fit", () => {
    for (let bit = 160n; bit < 256n; bit++) {
      expect(codeOf(() => unpackResources(1n << bit))).to.equal("resources.malformed");
    }
    for (const [field, value] of [
      ["gpuCount", 65_536],
      ["ramMiB", 2 ** 32],
      ["diskMiB", -1],
      ["cpuMilli", 0.5],
      ["vramMiB", Number.NaN],
    ] as const) {
      expect(codeOf(() => packResources({ ...NO_RESOURCES, [field]: value }))).to.equal(
        "resources.out-of-range",
      );
    }
  });

  it("fits exactly where nothing is missed, and tells both numbers of each miss", () => {
    const offer = { gpuCount: 2, gpuClass: 10, vramMiB: 81_920, ramMiB: 1_000, cpuMilli: 2_000, diskMiB: 10 };
    expect(missesOf(offer, offer)).to.deep.equal([]);
    expect(fits({ ...offer, gpuClass: 0 }, offer)).to.equal(true);
    expect(missesOf({ ...offer, gpuCount: 3, gpuClass: 11, diskMiB: 11 }, offer)).to.deep.equal([
      { field: "gpuCount", needed: 3, offered: 2 },
      { field: "gpuClass", needed: 11, offered: 10 },
      { field: "diskMiB", needed: 11, offered: 10 },
    ]);
    fc.assert(
      fc.property(resources, resources, (need, some) => {
        const smaller = Object.fromEntries(
          missesOf(need, some).map(({ field, offered }) => [field, offered]),
        );
        expect(fits({ ...need, ...smaller }, some)).to.equal(true);
        expect(fits(need, some)).to.equal(missesOf(need, some).length === 0);
      }),
    );
  });

  it("knows GPU classes by name and by number", () => {
    GPU_CLASSES.forEach((name, number) => {
      expect(gpuClassName(number)).to.equal(name);
      expect(gpuClassOf(name.toLowerCase())).to.equal(number);
    });
    expect(gpuClassName(999)).to.equal("class-999");
    expect(gpuClassOf("class-999")).to.equal(999);
    expect(codeOf(() => gpuClassOf("H1000"))).to.equal("resources.unknown-gpu");
    expect(codeOf(() => gpuClassOf("class-70000"))).to.equal("resources.unknown-gpu");
  });
});
