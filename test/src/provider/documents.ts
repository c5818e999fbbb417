import type { ProviderMetadata } from "../../../src/provider/metadata.ts";
import { NO_RESOURCES } from "../../../src/market/resources.ts";

/** What a provider could say of itself now. */
export function documentOf(account: string, change: Partial<ProviderMetadata> = {}): ProviderMetadata {
  const now = new Date().toISOString();
  return {
    account,
    issuedAt: now,
    applications: [
      { name: "noop", version: "1.0.0" },
      { name: "ocr", version: "1.0.0" },
    ],
    machine: {
      cpuArchitecture: "x64",
      cpu: "Intel(R) Xeon(R) Processor",
      driver: "550.54.15",
      cudaCapability: "9.0",
      region: "eu-west",
      bandwidthMbps: 1000,
    },
    capacity: {
      measuredAt: now,
      slots: 2,
      freeSlots: 2,
      shape: { ...NO_RESOURCES, ramMiB: 8192, cpuMilli: 4000, diskMiB: 20_480 },
    },
    benchmarks: [
      {
        application: "ocr",
        version: "1.0.0",
        work: "digits-1",
        measuredAt: now,
        runs: 5,
        units: 4,
        unitsPerSecond: 0.5,
        cpuSecondsPerUnit: 2.9,
        peakMemoryMiB: 417,
        cpu: "Intel(R) Xeon(R) Processor",
        architecture: "x64",
        software: [{ name: "node", version: "24.21.0" }],
      },
    ],
    ...change,
  };
}
