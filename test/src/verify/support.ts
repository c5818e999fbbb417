import fc from "fast-check";

import { isNeuraError } from "../../../src/errors.ts";
import type { EvidenceUnit } from "../../../src/market/evidence.ts";
import { encodeTensors } from "../../../src/verify/tensors.ts";
import { judge, type Judgement, parseVerification } from "../../../src/verify/verification.ts";

export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export function jsonBytes(value: unknown): Uint8Array {
  return bytesOf(JSON.stringify(value));
}

/** One tensor named `x`. */
export function tensor(values: readonly number[], type: "F32" | "F64" | "BF16" = "F64"): Uint8Array {
  return encodeTensors([["x", { type, shape: [values.length], values }]]);
}

/** The code of the error that it throws, if it does. */
export function codeOf(run: () => unknown): string | undefined {
  try {
    run();
  } catch (error) {
    if (isNeuraError(error)) return error.code;
    throw error;
  }
  return undefined;
}

/** For `satisfy`: a number that is at most so far from another. Hardhat's `closeTo` takes whole numbers only. */
export function about(expected: number, within: number): (value: unknown) => boolean {
  return (value) => typeof value === "number" && Math.abs(value - expected) <= within;
}

/** What a method says of outputs alone, with a tolerance of 0.1 where it takes one. */
export function judged(
  method: string,
  unit: Uint8Array | { output: Uint8Array; state?: Uint8Array },
  reference: Uint8Array,
  { tolerance = 0.1, parameters = {} }: { tolerance?: number; parameters?: Record<string, unknown> } = {},
): Judgement {
  const content = unit instanceof Uint8Array ? { output: unit } : unit;
  return judge(parseVerification({ method, parameters }), { unit: content, reference, tolerance });
}

export function distanceOf(...given: Parameters<typeof judged>): number {
  const { distance } = judged(...given);
  if (distance === undefined) throw new Error("no distance was found");
  return distance;
}

export const hash = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map((bytes) => `0x${Buffer.from(bytes).toString("hex")}`);

export const evidenceUnit: fc.Arbitrary<EvidenceUnit> = fc.record({
  inputHash: hash,
  outputHash: hash,
  stateHash: hash,
  sketchHash: hash,
});

/** What is next to nothing vanishes when it is scaled, so it is nothing. */
export const finite = fc
  .double({ min: -1e6, max: 1e6, noNaN: true })
  .map((value) => (Math.abs(value) < 1e-100 ? 0 : value));
