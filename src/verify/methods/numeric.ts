import {
  compareTensors,
  differenceOf,
  essenceOfTensors,
  incomparable,
  lengthOf,
  ratioOf,
} from "../distances.ts";
import { defineMethod } from "../method.ts";
import { decodeSketch, type Sketch, sketchDistance } from "../sketch.ts";
import { decodeTensors, type Tensors } from "../tensors.ts";

type Output = { readonly tensors: Tensors } | { readonly sketch: Sketch };

/**
 * Tensors: the length of the difference by that of the reference, of the tensor that differs most. With `of: "sketches"`
 * the unit is a sketch in place of what it was made of.
 */
export const numeric = defineMethod({
  description: "Tensors, each by the relative length of its difference.",
  tolerance: "calibrated",
  parameters: (fields) => ({
    of: fields.text("of", 'is neither "tensors" nor "sketches"', readOf) ?? "tensors",
  }),
  readUnit: ({ output }, { of }) => read(output, of),
  readReference: (reference, _, { of }) => read(reference, of),
  essence: (reference) =>
    "sketch" in reference ? { vectors: [reference.sketch.projections] } : essenceOfTensors(reference.tensors),
  compare(unit, reference) {
    if ("sketch" in unit && "sketch" in reference) return sketchDistance(unit.sketch, reference.sketch);
    if ("tensors" in unit && "tensors" in reference)
      return compareTensors(unit.tensors, reference.tensors, (found, wanted) =>
        ratioOf(lengthOf(differenceOf(found, wanted)), lengthOf(wanted)),
      );
    return incomparable("one is a sketch, the other is not");
  },
});

function readOf(text: string): "tensors" | "sketches" | undefined {
  return text === "tensors" || text === "sketches" ? text : undefined;
}

function read(output: Uint8Array, of: "tensors" | "sketches"): Output {
  return of === "tensors" ? { tensors: decodeTensors(output) } : { sketch: decodeSketch(output) };
}
