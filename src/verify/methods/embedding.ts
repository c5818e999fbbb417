import { compareTensors, essenceOfTensors, lengthOf } from "../distances.ts";
import { defineMethod } from "../method.ts";
import { decodeTensors } from "../tensors.ts";

/** Directions: 1 - cos of each row (the last dimension), of which the largest counts. Lengths say nothing. */
export const embedding = defineMethod({
  description: "Vectors, by one minus the cosine of the angle.",
  tolerance: "calibrated",
  parameters: () => ({}),
  readUnit: ({ output }) => decodeTensors(output),
  readReference: (reference) => decodeTensors(reference),
  essence: (reference) => essenceOfTensors(reference),
  compare: (unit, reference) =>
    compareTensors(unit, reference, (found, wanted, name) => {
      const rowLength = reference.get(name)?.shape.at(-1) ?? 1;
      // Where something is no number, rows are not whole any more.
      const length = rowLength > 0 && wanted.length % rowLength === 0 ? rowLength : wanted.length;
      let largest = 0;
      for (let from = 0; from < wanted.length; from += length)
        largest = Math.max(
          largest,
          oneLessCosine(found.subarray(from, from + length), wanted.subarray(from, from + length)),
        );
      return largest;
    }),
});

/** Half of the square of the distance between the ends of the unit vectors: exact where the angle is small. */
function oneLessCosine(one: Float64Array, other: Float64Array): number {
  const [oneLength, otherLength] = [lengthOf(one), lengthOf(other)];
  if (oneLength === 0 || otherLength === 0) return oneLength === otherLength ? 0 : 1;
  let sum = 0;
  for (let at = 0; at < one.length; at++)
    sum += ((one[at] ?? 0) / oneLength - (other[at] ?? 0) / otherLength) ** 2;
  return sum / 2;
}
