import { expect } from "chai";

import type { Needs } from "../../../src/manifest.ts";
import { judgeNeeds, type Machine } from "../../../src/market/needs.ts";

const MACHINE: Machine = {
  cpuArchitecture: "x64",
  driver: "550.54.15",
  cudaCapability: "9.0",
  interconnect: "nvlink",
  region: "eu-west",
  bandwidthMbps: 1000,
};

function verdict(needs: Needs, machine: Machine = MACHINE): boolean | "unknown" | undefined {
  return judgeNeeds(needs, machine)[0]?.met;
}

describe("judgeNeeds", () => {
  it("compares versions part by part, and numbers as numbers", () => {
    const drivers: [string, boolean][] = [
      ["550", true],
      ["550.54", true],
      ["550.54.15", true],
      ["550.54.15.0", true],
      ["550.54.16", false],
      ["550.100", false],
      ["99.1", true],
    ];
    for (const [driver, met] of drivers) expect(verdict({ driver }), driver).to.equal(met);
    expect(verdict({ cudaCapability: "8.9" })).to.equal(true);
    expect(verdict({ cudaCapability: "10.0" })).to.equal(false);
    expect(verdict({ bandwidthMbps: 1000 })).to.equal(true);
    expect(verdict({ bandwidthMbps: 1001 })).to.equal(false);
  });

  it("compares names, NVLink being PCIe too, and regions from the large to the small", () => {
    expect(verdict({ cpuArchitecture: "X64" })).to.equal(true);
    expect(verdict({ cpuArchitecture: "arm64" })).to.equal(false);
    expect(verdict({ interconnect: "pcie" })).to.equal(true);
    expect(verdict({ interconnect: "nvlink" }, { interconnect: "pcie" })).to.equal(false);
    for (const region of ["eu", "EU-west"]) expect(verdict({ region }), region).to.equal(true);
    for (const region of ["eu-w", "us", "eu-west-1"]) expect(verdict({ region }), region).to.equal(false);
  });

  it("names both sides, and says what is not stated", () => {
    expect(judgeNeeds({ driver: "560", sharedMemoryMiB: 64 }, MACHINE)).to.deep.equal([
      { name: "driver", needed: "560", offered: "550.54.15", met: false },
      { name: "sharedMemoryMiB", needed: 64, offered: "not stated", met: "unknown" },
    ]);
    expect(judgeNeeds({}, MACHINE)).to.deep.equal([]);
  });
});
