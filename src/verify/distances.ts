import type { Essence, Measurement } from "./method.ts";
import type { Tensor, Tensors } from "./tensors.ts";

/** Nothing that could be compared. */
export function incomparable(why: string): Measurement {
  return { distance: Infinity, why };
}

/** The Euclidean length, at any scale. */
export function lengthOf(values: ArrayLike<number>): number {
  let largest = 0;
  for (let at = 0; at < values.length; at++) largest = Math.max(largest, Math.abs(values[at] ?? 0));
  if (largest === 0 || !Number.isFinite(largest)) return largest;
  let sum = 0;
  for (let at = 0; at < values.length; at++) sum += ((values[at] ?? 0) / largest) ** 2;
  return largest * Math.sqrt(sum);
}

/** `numerator / denominator`, where nothing by nothing is the same and anything else by nothing is not. */
export function ratioOf(numerator: number, denominator: number): number {
  if (numerator === 0) return 0;
  const ratio = numerator / denominator;
  return Number.isNaN(ratio) ? Infinity : ratio;
}

export function differenceOf(one: ArrayLike<number>, other: ArrayLike<number>): Float64Array {
  return Float64Array.from({ length: one.length }, (_, at) => (one[at] ?? 0) - (other[at] ?? 0));
}

/**
 * Compares tensors of equal names, types and shapes by `measure`, of which the largest counts. What is no number has to
 * be none in both, the same one in the same place, and is left out.
 */
export function compareTensors(
  unit: Tensors,
  reference: Tensors,
  measure: (unit: Float64Array, reference: Float64Array, name: string) => number,
): Measurement {
  const names = [...reference.keys()];
  if (names.length === 0) return incomparable("the reference has no tensor");
  const extra = [...unit.keys()].find((name) => !reference.has(name));
  if (extra !== undefined) return incomparable(`the tensor ${JSON.stringify(extra)} does not belong there`);
  let worst = { distance: -1, name: "" };
  for (const [name, wanted] of reference) {
    const found = unit.get(name);
    if (found === undefined) return incomparable(`the tensor ${JSON.stringify(name)} is missing`);
    const [one, other] = [typeOf(found), typeOf(wanted)];
    if (one !== other) return incomparable(`${JSON.stringify(name)} is ${one} where ${other} belongs`);
    const finite = finitePairs(found.values, wanted.values);
    if (finite === undefined)
      return incomparable(
        `${JSON.stringify(name)} is no number where there should be one, or the other way round`,
      );
    const distance = measure(finite.unit, finite.reference, name);
    if (distance > worst.distance) worst = { distance, name };
  }
  return {
    distance: worst.distance,
    why: `of ${names.length} tensors ${JSON.stringify(worst.name)} differs most, by ${worst.distance.toPrecision(3)}`,
  };
}

/** Of what fingerprints of tensors are: each in the order of their names; with a state, how far each is from it. */
export function essenceOfTensors(tensors: Tensors, state?: Tensors): Essence {
  const names = [...tensors.keys()].toSorted();
  return {
    vectors: names.map((name) => {
      const values = tensors.get(name)?.values ?? new Float64Array();
      const before = state?.get(name)?.values;
      return before?.length === values.length ? differenceOf(values, before) : values;
    }),
  };
}

function typeOf({ type, shape }: Tensor): string {
  return `${type}[${shape.join(",")}]`;
}

function finitePairs(
  unit: Float64Array,
  reference: Float64Array,
): { unit: Float64Array; reference: Float64Array } | undefined {
  const isFinite = (value: number): boolean => Number.isFinite(value);
  if (unit.every(isFinite) && reference.every(isFinite)) return { unit, reference };
  if (!unit.every((value, at) => isFinite(value) === isFinite(reference[at] ?? 0))) return undefined;
  if (!unit.every((value, at) => isFinite(value) || Object.is(value, reference[at]))) return undefined;
  return { unit: unit.filter(isFinite), reference: reference.filter(isFinite) };
}
