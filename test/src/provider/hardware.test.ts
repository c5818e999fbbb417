import { expect } from "chai";

import { NO_RESOURCES } from "../../../src/market/resources.ts";
import { describeProvider, measureCapacity } from "../../../src/provider/capacity.ts";
import { detectHardware, gpusIn, interconnectIn } from "../../../src/provider/hardware.ts";
import { Cleanup } from "../storage/support.ts";

describe("what a machine has", () => {
  const cleanup = new Cleanup();
  after(() => cleanup.run());

  it("is found out as far as it can be", async () => {
    const { shape, machine } = await detectHardware(cleanup.directory());
    expect(shape.ramMiB).to.be.greaterThan(0);
    expect(machine.cpuArchitecture).to.equal(process.arch);
    expect(machine.region).to.equal(undefined);
  });

  it("includes its GPUs, whatever their driver tells of them", () => {
    const answer = [
      "NVIDIA H200, 143771, 570.86.10, 9.0",
      "NVIDIA H200, 143771, 570.86.10, 9.0",
      "Tesla T4, 15360",
      "Quadro, 512, [N/A], [N/A]",
      "No devices were found",
      "",
    ].join("\n");
    const unknown = { driver: undefined, cudaCapability: undefined };
    const h200 = { name: "NVIDIA H200", vramMiB: 143_771, driver: "570.86.10", cudaCapability: "9.0" };
    expect(gpusIn(answer)).to.deep.equal([
      h200,
      h200,
      { name: "Tesla T4", vramMiB: 15_360, ...unknown },
      { name: "Quadro", vramMiB: 512, ...unknown },
    ]);
  });

  it("includes the link between them", () => {
    const matrix = (link: string): string =>
      [
        `        GPU0    GPU1    CPU Affinity`,
        `GPU0     X      ${link}     0-15`,
        `GPU1    ${link}      X      0-15`,
        "",
        "Legend:",
        "  NV#  = Connection",
      ].join("\n");
    expect(interconnectIn(matrix("NV18"))).to.equal("nvlink");
    expect(interconnectIn(matrix("PHB"))).to.equal("pcie");
    expect(interconnectIn("")).to.equal("pcie");
  });

  it("has room for what it offers, no more than is free, and for nothing where no place is", async () => {
    const directory = cleanup.directory();
    const offered = {
      ...NO_RESOURCES,
      ramMiB: 2 ** 31,
      cpuMilli: 1500,
      diskMiB: 2 ** 31,
      gpuCount: 8,
      gpuClass: 10,
      vramMiB: 80,
    };
    const { shape } = await measureCapacity({ offered, slots: 2, freeSlots: 1, directory });
    expect(shape).to.include({ gpuCount: 8, gpuClass: 10, vramMiB: 80 });
    expect(shape.ramMiB).to.be.within(1, 2 ** 31 - 1);
    expect(shape.diskMiB).to.be.within(1, 2 ** 31 - 1);
    expect(shape.cpuMilli).to.be.at.most(1500);
    const small = { ...NO_RESOURCES, ramMiB: 1, cpuMilli: 1, diskMiB: 1 };
    expect(
      (await measureCapacity({ offered: small, slots: 2, freeSlots: 2, directory })).shape,
    ).to.deep.equal(small);
    const busy = await measureCapacity({ offered, slots: 2, freeSlots: 0, directory });
    expect(busy).to.deep.include({ slots: 2, freeSlots: 0, shape: NO_RESOURCES });
  });

  it("is told with the versions of what runs on it", async () => {
    const capacity = await measureCapacity({ offered: NO_RESOURCES, slots: 1, freeSlots: 1, directory: "." });
    const { applications } = describeProvider({
      account: "",
      names: ["ocr", "own"],
      machine: {},
      capacity,
      benchmark: undefined,
    });
    expect(applications).to.deep.equal([
      { name: "ocr", version: "1.0.0" },
      { name: "own", version: "0" },
    ]);
  });
});
