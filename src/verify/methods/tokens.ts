import { messageOf } from "../../errors.ts";
import { incomparable } from "../distances.ts";
import { defineMethod, unreadable } from "../method.ts";

/** A unit: the tokens that were drawn, and how likely each one was to its model [nats, before temperature]. */
export interface DrawnTokens {
  readonly tokens: readonly number[];
  readonly logProbs: readonly number[];
}

/**
 * The reference: one pass over the unit's own tokens. What would have been drawn in each place with the same seed; by
 * how much it beat the unit's token, noise of the seed included, nothing where that one could not be drawn at all; how
 * likely the unit's token is.
 */
export interface CheckedTokens extends DrawnTokens {
  readonly margins: readonly (number | null)[];
}

/**
 * Seeded sampling: in each place by how much the unit's token lost against the one that the seed draws, and how far its
 * stated likelihood is from that of the reference, together at most `cap` [nats]; the mean counts. A wrong token where
 * two were nearly equal costs next to nothing, one that another model prefers a lot.
 */
export const tokens = defineMethod({
  description: "Tokens drawn with a seed, by the margins that they lost and their likelihoods.",
  tolerance: "calibrated",
  isRechecked: true,
  parameters: (fields) => ({ cap: fields.number("cap", { from: 0.001, to: 100 }) ?? 1 }),
  readUnit: ({ output }) => readTokens(parsed(output)),
  readReference: (reference) => {
    const document = parsed(reference);
    const checked = readTokens(document);
    const margins = listOf(document, "margins", (each) => each === null || isNumber(each, 0));
    if (margins.length !== checked.tokens.length) throw malformed("its lists have several lengths");
    return { ...checked, margins };
  },
  essence: ({ logProbs }) => {
    const mean = logProbs.reduce((sum, each) => sum + each, 0) / Math.max(1, logProbs.length);
    return { vectors: [logProbs.map((each) => each - mean)] };
  },
  compare(unit, reference, { cap }) {
    const count = reference.tokens.length;
    if (unit.tokens.length !== count)
      return incomparable(`it has ${unit.tokens.length} tokens, not the ${count} that were checked`);
    if (count === 0) return { distance: 0, why: "there is no token" };
    let sum = 0;
    let equal = 0;
    for (let at = 0; at < count; at++) {
      const isEqual = unit.tokens[at] === reference.tokens[at];
      if (isEqual) equal++;
      const margin = isEqual ? 0 : (reference.margins[at] ?? Infinity);
      const apart = Math.abs((unit.logProbs[at] ?? Infinity) - (reference.logProbs[at] ?? Infinity));
      sum += Math.min(cap, margin + apart);
    }
    return {
      distance: sum / count,
      why: `${equal} of ${count} tokens are those of the seed; margins and likelihoods are off by ${(sum / count).toPrecision(3)}`,
    };
  },
});

function parsed(bytes: Uint8Array): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    if (typeof value === "object" && value !== null) return { ...value };
  } catch (error) {
    throw malformed(messageOf(error));
  }
  throw malformed("it is no object");
}

function readTokens(document: Record<string, unknown>): DrawnTokens {
  const tokens = listOf(
    document,
    "tokens",
    (each): each is number => isNumber(each, 0) && Number.isSafeInteger(each),
  );
  const logProbs = listOf(document, "logProbs", (each): each is number => isNumber(each));
  if (tokens.length !== logProbs.length) throw malformed("its lists have several lengths");
  return { tokens, logProbs };
}

function listOf<T>(
  document: Record<string, unknown>,
  name: string,
  belongs: (each: unknown) => each is T,
): T[] {
  const list = document[name];
  if (Array.isArray(list) && list.every(belongs)) return list;
  throw malformed(`${name} is no list of such numbers`);
}

function isNumber(value: unknown, from = -Infinity): value is number {
  return typeof value === "number" && Number.isFinite(value) && value >= from;
}

function malformed(reason: string): Error {
  return unreadable(`These are no tokens: ${reason}.`, 'Write {"tokens":[…],"logProbs":[…]}.');
}
