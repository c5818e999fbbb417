import { fromBf16, toBf16Bits } from "../../../src/verify/tensors.ts";

/** How a cheat saves: weights in fewer bits than were promised, given back as the fp32 numbers that they stand for. */
export const PRECISIONS = ["bf16", "int8", "int4"] as const;
export type Precision = (typeof PRECISIONS)[number];

/** Weights of one int4 scale. */
const GROUP = 32;

/**
 * Rounds weights in place: to bf16; to int8 with a scale for each row; to int4 with one for each 32 weights. These are
 * what the runtimes' own converters do, so nothing here is worse than a cheat's best.
 *
 * @param rowLength how many weights belong to one row
 */
export function reduceWeights(weights: Float32Array, rowLength: number, precision: Precision): void {
  if (precision === "bf16") {
    for (let at = 0; at < weights.length; at++) weights[at] = toBf16(weights[at] ?? 0);
    return;
  }
  const [group, most] = precision === "int8" ? [rowLength, 127] : [Math.min(GROUP, rowLength), 7];
  for (let from = 0; from < weights.length; from += group) {
    const part = weights.subarray(from, from + group);
    const scale = part.reduce((largest, weight) => Math.max(largest, Math.abs(weight)), 0) / most;
    if (scale === 0) continue;
    for (let at = 0; at < part.length; at++) part[at] = Math.round((part[at] ?? 0) / scale) * scale;
  }
}

/** The nearest number that has 8 bits of mantissa, ties to even. */
export function toBf16(value: number): number {
  return fromBf16(toBf16Bits(value));
}
