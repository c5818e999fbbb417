import type { Needs } from "../manifest.ts";

/** What a machine has, in the vocabulary of {@link Needs}; what is left out is not stated. */
export interface Machine extends Needs {
  /** Model of the processor, as it names itself. */
  readonly cpu?: string;
  /** Names of the GPUs, as their driver gives them. */
  readonly gpus?: readonly string[];
}

/** One need, held against a machine. */
export interface NeedVerdict {
  readonly name: keyof Needs;
  readonly needed: string | number;
  readonly offered: string | number;
  /** `unknown`: the machine does not state it. */
  readonly met: boolean | "unknown";
}

/** Each need with what the machine has of it, in the order of the needs. */
export function judgeNeeds(needs: Needs, machine: Machine): NeedVerdict[] {
  return NAMES.flatMap((name): NeedVerdict[] => {
    const [needed, offered] = [needs[name], machine[name]];
    if (needed === undefined) return [];
    if (offered === undefined) return [{ name, needed, offered: "not stated", met: "unknown" }];
    return [{ name, needed, offered, met: MEETS[name](String(needed), String(offered)) }];
  });
}

type Meets = (needed: string, offered: string) => boolean;

const same: Meets = (needed, offered) => needed.toLowerCase() === offered.toLowerCase();
/** Versions and numbers: the first part that differs decides. */
const atLeast: Meets = (needed, offered) => {
  const [want, have] = [needed.split("."), offered.split(".")];
  for (let index = 0; index < Math.max(want.length, have.length); index++) {
    const difference = partOf(have[index]) - partOf(want[index]);
    if (difference !== 0) return difference > 0;
  }
  return true;
};

const MEETS: Readonly<Record<keyof Needs, Meets>> = {
  cpuArchitecture: same,
  driver: atLeast,
  cudaCapability: atLeast,
  // What talks over NVLink talks over PCIe too.
  interconnect: (needed, offered) =>
    same(needed, offered) || (same(needed, "pcie") && same(offered, "nvlink")),
  // `eu` is met by `eu-west`.
  region: (needed, offered) => `${offered.toLowerCase()}-`.startsWith(`${needed.toLowerCase()}-`),
  bandwidthMbps: atLeast,
  sharedMemoryMiB: atLeast,
};

const NAMES = [
  "cpuArchitecture",
  "driver",
  "cudaCapability",
  "interconnect",
  "region",
  "bandwidthMbps",
  "sharedMemoryMiB",
] as const satisfies readonly (keyof Needs)[];

/** A part that is no number counts as 0. */
function partOf(part: string | undefined): number {
  return /^\d{1,15}$/.test(part ?? "") ? Number(part) : 0;
}
