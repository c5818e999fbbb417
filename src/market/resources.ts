import { NeuraError } from "../errors.ts";

/** What one machine has or one task needs, as `contracts/libraries/Resources.sol` packs it into one word. */
export interface Resources {
  readonly gpuCount: number;
  /** A number of {@link GPU_CLASSES}; 0: any. */
  readonly gpuClass: number;
  /** Per GPU [MiB]. */
  readonly vramMiB: number;
  readonly ramMiB: number;
  /** Thousandths of a core. */
  readonly cpuMilli: number;
  readonly diskMiB: number;
}

/** The fields from the lowest bit, with their widths. */
const LAYOUT = [
  ["gpuCount", 16],
  ["gpuClass", 16],
  ["vramMiB", 32],
  ["ramMiB", 32],
  ["cpuMilli", 32],
  ["diskMiB", 32],
] as const satisfies readonly (readonly [keyof Resources, number])[];

/** Names of GPU models by their number. Numbers are never reused; a new model is added at the end. */
export const GPU_CLASSES = [
  "any",
  "T4",
  "V100",
  "A10",
  "A30",
  "A40",
  "A100",
  "L4",
  "L40",
  "L40S",
  "H100",
  "H200",
  "GH200",
  "B200",
  "GB200",
  "RTX-3090",
  "RTX-4090",
  "RTX-5090",
  "RTX-A6000",
  "RTX-6000-Ada",
  "RTX-PRO-6000",
  "MI210",
  "MI250",
  "MI300X",
  "MI325X",
  "MI355X",
  "Gaudi-2",
  "Gaudi-3",
] as const;

/** The name of a GPU class; one that this version does not know is shown by its number: `class-999`. */
export function gpuClassName(gpuClass: number): string {
  return GPU_CLASSES[gpuClass] ?? `class-${gpuClass}`;
}

/** The number of a GPU class by its name (any case) or as `class-<number>`. Error: `resources.unknown-gpu`. */
export function gpuClassOf(name: string): number {
  const wanted = name.toLowerCase();
  const index = GPU_CLASSES.findIndex((each) => each.toLowerCase() === wanted);
  if (index >= 0) return index;
  const numbered = /^class-(\d{1,5})$/.exec(wanted);
  if (numbered && Number(numbered[1]) < 2 ** 16) return Number(numbered[1]);
  throw new NeuraError("resources.unknown-gpu", `There is no GPU class ${JSON.stringify(name)}.`, {
    next: `Use one of ${GPU_CLASSES.join(", ")}.`,
  });
}

/** Everything zero: fits everywhere. Spread it and name what is needed. */
export const NO_RESOURCES: Resources = {
  gpuCount: 0,
  gpuClass: 0,
  vramMiB: 0,
  ramMiB: 0,
  cpuMilli: 0,
  diskMiB: 0,
};

/** The word of the contracts. Error: `resources.out-of-range`. */
export function packResources(resources: Resources): bigint {
  let word = 0n;
  let shift = 0n;
  for (const [name, bits] of LAYOUT) {
    const value = resources[name];
    if (!Number.isSafeInteger(value) || value < 0 || value >= 2 ** bits) {
      throw new NeuraError(
        "resources.out-of-range",
        `${name} is ${value}, where a whole number from 0 to ${2 ** bits - 1} belongs.`,
        { next: `Correct ${name}.` },
      );
    }
    word |= BigInt(value) << shift;
    shift += BigInt(bits);
  }
  return word;
}

/** What a word of the contracts says. Error: `resources.malformed` when reserved bits are set. */
export function unpackResources(word: bigint): Resources {
  let rest = word;
  const values = { ...NO_RESOURCES };
  for (const [name, bits] of LAYOUT) {
    values[name] = Number(BigInt.asUintN(bits, rest));
    rest >>= BigInt(bits);
  }
  if (rest !== 0n) {
    throw new NeuraError("resources.malformed", `The resources 0x${word.toString(16)} have unknown bits.`, {
      next: "Update this program, or leave that offer or task alone.",
    });
  }
  return values;
}

/** One requirement that an offer does not meet: what is needed and what is there, in the field's unit. */
export interface Miss {
  readonly field: keyof Resources;
  readonly needed: number;
  readonly offered: number;
}

/** What keeps a machine of shape `offer` from running a task that needs `need`; empty when it fits. */
export function missesOf(need: Resources, offer: Resources): Miss[] {
  return LAYOUT.map(([field]) => ({ field, needed: need[field], offered: offer[field] })).filter(
    ({ field, needed, offered }) =>
      field === "gpuClass" ? needed !== 0 && needed !== offered : needed > offered,
  );
}

/** Whether a machine of shape `offer` can run a task that needs `need`: the contract's `fits`. */
export function fits(need: Resources, offer: Resources): boolean {
  return missesOf(need, offer).length === 0;
}
