import { isNeuraError, messageOf, NeuraError } from "../errors.ts";
import { Fields } from "../fields.ts";
import type { JsonObject } from "../json.ts";

/** What of a unit is looked at. */
export interface UnitContent {
  /** What the work made: the bytes that the unit's `outputHash` is of. */
  readonly output: Uint8Array;
  /** What it went on from, where it is re-checked and not done again: the bytes that `stateHash` is of. */
  readonly state?: Uint8Array | undefined;
}

/** How far a unit is from its reference. */
export interface Measurement {
  /** 0: the same. Infinity: nothing in common that could be compared. Nothing: it says nothing. Never NaN. */
  readonly distance: number | undefined;
  /** What was found, as a sentence without its stop. */
  readonly why: string;
}

/**
 * What of a reference a fingerprint is of: bytes, of which any difference counts; a text, of which a letter counts little;
 * vectors, whose directions count alike.
 */
export type Essence =
  | { readonly bytes: Uint8Array }
  | { readonly text: string }
  | { readonly vectors: readonly ArrayLike<number>[] };

/**
 * One way to tell whether a unit of work is what it should be: a pure function of the unit and a reference. Its name
 * has a version, and what it gives for the same bytes never changes under one name.
 */
export interface Method {
  readonly description: string;
  /**
   * How much distance is forgiven: `zero`; what was `calibrated` for the model and its number format; `never` decides
   * nothing.
   */
  readonly tolerance: "zero" | "calibrated" | "never";
  /** Whether each unit's state is the output of the one before, so that a chain of units cannot be broken unseen. */
  readonly isLinked: boolean;
  /**
   * Whether who re-checks is given what was delivered, to go on from its state or to look at its output. Otherwise the
   * work is done again from the payload alone, by somebody who has not seen the result.
   */
  readonly isRechecked: boolean;
  /** The parameters with all defaults. What is wrong with them is said to the fields. */
  readParameters(fields: Fields): JsonObject;
  /** Error: `verify.reference`, for a reference that cannot be read; what a unit holds is never an error. */
  measure(unit: UnitContent, reference: Uint8Array, parameters: JsonObject): Measurement;
  /** What a fingerprint of the reference is of; `state` is what the work went on from. Never an error. */
  essenceOf(reference: Uint8Array, state: Uint8Array | undefined, parameters: JsonObject): Essence;
}

interface Definition<P extends JsonObject, U, R> {
  readonly description: string;
  readonly tolerance: Method["tolerance"];
  readonly isLinked?: boolean;
  readonly isRechecked?: boolean;
  /** Those that are missing without a default are left out. */
  parameters(fields: Fields): P;
  /** Error: `verify.unreadable`. */
  readUnit(unit: UnitContent, parameters: P): U;
  /** Error: `verify.unreadable`. */
  readReference(reference: Uint8Array, unit: UnitContent, parameters: P): R;
  compare(unit: U, reference: R, parameters: P): Measurement;
  /** Left out: its bytes. Error: `verify.unreadable`. */
  essence?(reference: R, unit: UnitContent): Essence;
}

export function defineMethod<P extends JsonObject, U, R>(definition: Definition<P, U, R>): Method {
  const { description, tolerance, isLinked = false, isRechecked = false } = definition;
  const parametersIn = (given: JsonObject): P => {
    const faults: string[] = [];
    const parameters = definition.parameters(new Fields(given, "parameters", faults));
    if (faults.length > 0) throw new Error(`parameters that were not read: ${faults.join("; ")}`);
    return parameters;
  };
  return {
    description,
    tolerance,
    isLinked,
    isRechecked,
    readParameters: (fields) => definition.parameters(fields),
    essenceOf(reference, state, given) {
      const unit = { output: reference, state };
      const parameters = parametersIn(given);
      const read = attempt(() =>
        definition.essence?.(definition.readReference(reference, unit, parameters), unit),
      );
      return ("value" in read ? read.value : undefined) ?? { bytes: reference };
    },
    measure(unit, reference, given) {
      const parameters = parametersIn(given);
      const read = attempt(() => definition.readUnit(unit, parameters));
      if ("error" in read)
        return { distance: Infinity, why: `the delivered unit cannot be read: ${messageOf(read.error)}` };
      const wanted = attempt(() => definition.readReference(reference, unit, parameters));
      if ("error" in wanted)
        throw new NeuraError("verify.reference", `The reference cannot be read: ${messageOf(wanted.error)}`, {
          next: "Do the work again: this says nothing about the delivered unit.",
          cause: wanted.error,
        });
      return definition.compare(read.value, wanted.value, parameters);
    },
  };
}

function attempt<T>(read: () => T): { value: T } | { error: NeuraError } {
  try {
    return { value: read() };
  } catch (error) {
    if (isNeuraError(error, "verify.unreadable")) return { error };
    throw error;
  }
}

/** For bytes that are not what a method compares. */
export function unreadable(message: string, next: string): NeuraError {
  return new NeuraError("verify.unreadable", message, { next });
}
