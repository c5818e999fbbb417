import { keccak256, toUtf8Bytes } from "ethers";

import { NeuraError } from "../errors.ts";
import { Fields } from "../fields.ts";
import { canonicalJson, type JsonObject } from "../json.ts";
import type { Method, UnitContent } from "./method.ts";
import { checker } from "./methods/checker.ts";
import { embedding } from "./methods/embedding.ts";
import { exact } from "./methods/exact.ts";
import { none } from "./methods/none.ts";
import { numeric } from "./methods/numeric.ts";
import { checkpoint, trajectory } from "./methods/steps.ts";
import { text } from "./methods/text.ts";
import { tokens } from "./methods/tokens.ts";

/** Every method there is. One that gives something else for the same bytes gets a new version beside the old one. */
const METHODS = {
  "exact/1": exact,
  "numeric/1": numeric,
  "embedding/1": embedding,
  "text/1": text,
  "tokens/1": tokens,
  "trajectory/1": trajectory,
  "checkpoint/1": checkpoint,
  "checker/1": checker,
  "none/1": none,
} as const satisfies Record<string, Method>;

export type MethodName = keyof typeof METHODS;

/** In the order of the registry. */
export const METHOD_NAMES: readonly MethodName[] = Object.keys(METHODS).filter(isMethodName);

/**
 * How a task's result is verified: what the manifest says of it, as `verification`. A part of the payload and so of the
 * evidence's `inputRoot`: fixed before the provider takes the task, and the same for owner, provider and jury.
 */
export interface Verification {
  readonly method: MethodName;
  /** With all defaults. */
  readonly parameters: JsonObject;
  /**
   * Hash of the calibration whose tolerance holds, 32 bytes as hex with 0x. Where the method needs one, none decides
   * nothing without it. Whoever does not know the calibration behind it should not take the task.
   */
  readonly calibration?: string | undefined;
}

/** What a comparison says. */
export type Verdict = "pass" | "fail" | "inconclusive";

export interface Judgement {
  readonly verdict: Verdict;
  /** 0: the same. Infinity: nothing in common that could be compared. Nothing: none was found. */
  readonly distance: number | undefined;
  /** The most that passes; nothing where none is known. */
  readonly tolerance: number | undefined;
  readonly why: string;
}

export function isMethodName(name: string): name is MethodName {
  return Object.hasOwn(METHODS, name);
}

export function methodOf({ method }: Pick<Verification, "method">): Method {
  return METHODS[method];
}

/**
 * Reads what a manifest says, from the parsed value: `{ "method": "text/1", "parameters": {}, "calibration": "0x…" }`, of
 * which only the method is needed. Errors: `verify.method-unknown`, `verify.parameters`.
 */
export function parseVerification(value: unknown): Verification {
  const faults: string[] = [];
  const verification = readVerification(new Fields(value, "", faults));
  if (faults.length === 0) return verification;
  throw new NeuraError("verify.parameters", `The verification is amiss: ${faults.join("; ")}.`, {
    next: `Correct it, or leave parameters out; this is what was read: ${value === undefined ? "nothing" : JSON.stringify(value).slice(0, 200)}.`,
  });
}

/** The same of fields, to which faults are said. Error: `verify.method-unknown`. */
export function readVerification(fields: Fields): Verification {
  const name = fields.required(
    "method",
    fields.text("method", "is no text", (each) => each),
    "none/1",
  );
  if (!isMethodName(name))
    throw new NeuraError(
      "verify.method-unknown",
      `There is no method ${JSON.stringify(name.slice(0, 64))}.`,
      {
        next: `Name one of: ${METHOD_NAMES.join(", ")}.`,
      },
    );
  const given = fields.object("parameters");
  const parameters = METHODS[name].readParameters(given);
  given.end();
  const calibration = fields.text("calibration", "is no hash, 32 bytes as lower-case hex with 0x", (each) =>
    /^0x[0-9a-f]{64}$/.test(each) ? each : undefined,
  );
  fields.end();
  return { method: name, parameters, ...(calibration === undefined ? {} : { calibration }) };
}

/** The one text of a verification: canonical JSON (RFC 8785), all defaults written out. */
export function verificationText({ method, parameters, calibration }: Verification): string {
  return canonicalJson({ method, parameters, calibration });
}

/** keccak256 of {@link verificationText}, 32 bytes as hex. */
export function verificationHash(verification: Verification): string {
  return keccak256(toUtf8Bytes(verificationText(verification)));
}

/**
 * Holds a delivered unit against a reference. What is farther than the tolerance fails; without a tolerance nothing
 * does. Anybody gets the same for the same bytes.
 *
 * Error: `verify.reference`, for a reference that cannot be read.
 */
export function judge(
  verification: Pick<Verification, "method" | "parameters">,
  {
    unit,
    reference,
    tolerance: calibrated,
  }: {
    unit: UnitContent;
    reference: Uint8Array;
    /** Of the calibration for this model, number format and method; not used where the method needs none. */
    tolerance?: number | undefined;
  },
): Judgement {
  const method = methodOf(verification);
  const { distance, why } = method.measure(unit, reference, verification.parameters);
  const tolerance = { zero: 0, calibrated, never: undefined }[method.tolerance];
  if (distance === undefined) return { verdict: "inconclusive", distance, tolerance, why };
  if (tolerance === undefined)
    return {
      verdict: "inconclusive",
      distance,
      tolerance,
      why: `${why}; how much is too much is not known: there is no calibration for this model and number format`,
    };
  return { verdict: distance <= tolerance ? "pass" : "fail", distance, tolerance, why };
}
