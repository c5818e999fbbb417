import { compareTensors, differenceOf, essenceOfTensors, lengthOf, ratioOf } from "../distances.ts";
import { defineMethod, type Measurement, type UnitContent, unreadable } from "../method.ts";
import { decodeTensors, type Tensors } from "../tensors.ts";

/** A change of at most so small a part of the state is taken for one of that part, as rounding is of the state. */
const LEAST_CHANGE = 0.001;

interface Step {
  readonly state: Tensors;
  readonly output: Tensors;
}

const PARTS = {
  tolerance: "calibrated",
  isLinked: true,
  isRechecked: true,
  parameters: () => ({}),
  readReference: (reference: Uint8Array) => decodeTensors(reference),
  compare: compareSteps,
  // What it went on from is handed over, and nearly what it led to: only the step itself shows that it was done.
  essence: (reference: Tensors, { state }: UnitContent) =>
    essenceOfTensors(reference, state === undefined ? undefined : decodeTensors(state)),
} as const;

/**
 * Diffusion, one step: the next state by the state before it. The length of the difference is divided by that of the
 * step and not of the state, of which a late step changes so little that leaving it out would not be seen.
 */
export const trajectory = defineMethod({
  ...PARTS,
  description: "One step of a diffusion, by the relative length of the difference.",
  readUnit: (unit) => readStep(unit),
});

/**
 * Training, one interval between two checkpoints: weights as `trajectory`, by the length of the update; numbers alone
 * (the `loss` has to be among them) by themselves.
 */
export const checkpoint = defineMethod({
  ...PARTS,
  description: "One interval of a training, by the update of the weights and the loss.",
  readUnit: (unit) => {
    const step = readStep(unit);
    if (step.output.get("loss")?.shape.length !== 0)
      throw unreadable("The checkpoint has no loss.", 'Write it as the tensor "loss" of a single number.');
    return step;
  },
});

function readStep({ state, output }: UnitContent): Step {
  if (state === undefined)
    throw unreadable("The state that it went on from is missing.", "Deliver the state of each unit.");
  return { state: decodeTensors(state), output: decodeTensors(output) };
}

function compareSteps({ state, output }: Step, reference: Tensors): Measurement {
  return compareTensors(output, reference, (found, wanted, name) => {
    const off = lengthOf(differenceOf(found, wanted));
    const whole = reference.get(name);
    if (whole?.shape.length === 0) return ratioOf(off, lengthOf(wanted));
    const before = state.get(name)?.values;
    // Without what it went on from, nobody could tell a step from none.
    if (before?.length !== whole?.values.length || before === undefined) return Infinity;
    // Where something is no number, there is no step to measure by.
    if (before.length !== wanted.length) return ratioOf(off, lengthOf(wanted));
    const change = lengthOf(differenceOf(wanted, before));
    return ratioOf(off, Math.max(change, LEAST_CHANGE * lengthOf(before)));
  });
}
