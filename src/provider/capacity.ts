import { availableParallelism } from "node:os";

import type { Machine } from "../market/needs.ts";
import { NO_RESOURCES, type Resources } from "../market/resources.ts";
import { applications } from "./applications/registry.ts";
import { freeDiskMiB } from "./hardware.ts";
import type { Attestation, Benchmark, Capacity, OfferedApplication, ProviderMetadata } from "./metadata.ts";

const MIB = 1024 * 1024;

/**
 * What this machine could take now: of what it offers, no more than is free at this moment, and nothing where every
 * place is taken.
 */
export async function measureCapacity({
  offered,
  slots,
  freeSlots,
  directory,
}: {
  /** As it is registered. */
  offered: Resources;
  slots: number;
  freeSlots: number;
  /** Says which disk counts. */
  directory: string;
}): Promise<Capacity> {
  const diskMiB = await freeDiskMiB(directory);
  const shape = {
    ...offered,
    ramMiB: Math.min(offered.ramMiB, Math.floor(process.availableMemory() / MIB)),
    cpuMilli: Math.min(offered.cpuMilli, availableParallelism() * 1000),
    diskMiB: Math.min(offered.diskMiB, diskMiB),
  };
  const measuredAt = new Date().toISOString();
  return { measuredAt, slots, freeSlots, shape: freeSlots > 0 ? shape : NO_RESOURCES };
}

/** A provider's document about itself, from what is known on its machine. */
export function describeProvider({
  account,
  names,
  machine,
  capacity,
  benchmark,
  quoteUrl,
  accessUrl,
  attestations,
}: {
  account: string;
  /** Of the applications. */
  names: readonly string[];
  machine: Machine;
  capacity: Capacity;
  benchmark: Benchmark | undefined;
  quoteUrl?: string | undefined;
  accessUrl?: string | undefined;
  attestations?: readonly Attestation[] | undefined;
}): ProviderMetadata {
  return {
    account,
    issuedAt: new Date().toISOString(),
    applications: names.map((name): OfferedApplication => ({
      name,
      version: applications.get(name)?.version ?? "0",
    })),
    machine,
    capacity,
    benchmarks: benchmark === undefined ? [] : [benchmark],
    ...(quoteUrl === undefined ? {} : { quoteUrl }),
    ...(accessUrl === undefined ? {} : { accessUrl }),
    ...(attestations === undefined ? {} : { attestations }),
  };
}
