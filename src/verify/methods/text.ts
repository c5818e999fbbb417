import { distance as editDistance } from "fastest-levenshtein";

import { messageOf } from "../../errors.ts";
import type { Fields } from "../../fields.ts";
import { defineMethod, type Measurement, unreadable } from "../method.ts";

interface Reading {
  readonly text: string;
  readonly confidences: readonly number[];
}

/** Longer texts that differ are not compared; they belong into several units. */
const MOST_CHARACTERS = 200_000;

/**
 * Texts: the character error rate (fewest characters to insert, delete or replace, by those of the longer text) after
 * Unicode normalisation. A cheaper model reads clean print as well as a better one, but is not as sure of it in the
 * same way: where `confidences` are compared too, the larger one of the error rate and their mean difference counts.
 */
export const text = defineMethod({
  description: "Texts, by the share of characters that differ, and how sure their reader was.",
  tolerance: "calibrated",
  parameters: (fields) => {
    const [text, confidences] = [pointer(fields, "text"), pointer(fields, "confidences")];
    return {
      form: fields.text("form", "is no Unicode form", readForm) ?? "NFKC",
      /** Runs of spaces and line ends count as one space. */
      foldSpaces: fields.truth("foldSpaces") ?? true,
      ...(text === undefined ? {} : { text }),
      ...(confidences === undefined ? {} : { confidences }),
    };
  },
  readUnit: ({ output }, parameters) => read(output, parameters),
  readReference: (reference, _, parameters) => read(reference, parameters),
  essence: ({ text: read }) => ({ text: read }),
  compare(unit, reference) {
    const characters = errorRate(unit.text, reference.text);
    const sureness = surenessDifference(unit.confidences, reference.confidences);
    return (characters.distance ?? Infinity) >= (sureness.distance ?? 0) ? characters : sureness;
  },
});

/** A JSON pointer (RFC 6901) into the output; without one, the output itself is the text. */
function pointer(fields: Fields, name: string): string | undefined {
  return fields.text(name, 'is no JSON pointer such as "/text"', (value) =>
    /^(\/([^~/]|~[01])*)+$/.test(value) && value.length <= 256 ? value : undefined,
  );
}

function readForm(form: string): "NFC" | "NFKC" | undefined {
  return form === "NFC" || form === "NFKC" ? form : undefined;
}

function read(
  output: Uint8Array,
  {
    form,
    foldSpaces,
    text,
    confidences,
  }: { form: string; foldSpaces: boolean; text?: string; confidences?: string },
): Reading {
  const whole = decoded(output);
  const document: unknown = text === undefined && confidences === undefined ? undefined : parsed(whole);
  const found = text === undefined ? whole : valuesAt(document, text)[0];
  if (typeof found !== "string")
    throw unreadable(`It has no text at ${text ?? ""}.`, "Deliver what the task says.");
  const normal = found.normalize(form);
  const sure = confidences === undefined ? [] : valuesAt(document, confidences);
  return {
    text: foldSpaces ? normal.replace(/\s+/gu, " ").trim() : normal,
    confidences: sure.map((value) => {
      if (typeof value === "number" && Number.isFinite(value)) return value;
      throw unreadable(`It has no number at ${confidences ?? ""}.`, "Deliver what the task says.");
    }),
  };
}

function decoded(output: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(output);
  } catch (error) {
    throw unreadable(`It is not UTF-8: ${messageOf(error)}.`, "Deliver text.");
  }
}

function parsed(output: string): unknown {
  try {
    return JSON.parse(output);
  } catch (error) {
    throw unreadable(`It is not JSON: ${messageOf(error)}.`, "Deliver what the task says.");
  }
}

/** What is at a JSON pointer, of which a part `*` stands for each entry of a list. */
function valuesAt(document: unknown, pointer: string): unknown[] {
  let values = [document];
  for (const part of pointer.split("/").slice(1)) {
    const name = part.replaceAll("~1", "/").replaceAll("~0", "~");
    values = values.flatMap((value): unknown[] => {
      if (Array.isArray(value) && name === "*") return value;
      if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return [];
      return [Object.entries(value).find(([field]) => field === name)?.[1]];
    });
  }
  return values;
}

function errorRate(unit: string, reference: string): Measurement {
  const longer = Math.max(unit.length, reference.length);
  if (unit === reference) return { distance: 0, why: `all ${longer} characters are the same` };
  const [one, other] = withoutCommonEnds(unit, reference);
  const least = Math.abs(one.length - other.length);
  const isLong = Math.max(one.length, other.length) > MOST_CHARACTERS;
  // Two texts of which one is twice as long need no more than their lengths.
  if (isLong && least * 2 < longer)
    return { distance: undefined, why: `more than ${MOST_CHARACTERS} characters are too many to compare` };
  const wrong = isLong ? least : editDistance(one, other);
  return { distance: wrong / longer, why: `${wrong} of ${longer} characters differ` };
}

function withoutCommonEnds(one: string, other: string): [string, string] {
  const shorter = Math.min(one.length, other.length);
  let from = 0;
  while (from < shorter && one[from] === other[from]) from++;
  let end = 0;
  while (end < shorter - from && one.at(-1 - end) === other.at(-1 - end)) end++;
  return [one.slice(from, one.length - end), other.slice(from, other.length - end)];
}

/** The mean difference; what only one of them has counts in full. */
function surenessDifference(unit: readonly number[], reference: readonly number[]): Measurement {
  const count = Math.max(unit.length, reference.length);
  if (count === 0) return { distance: 0, why: "there is nothing to be sure of" };
  let sum = 0;
  for (let at = 0; at < count; at++) {
    const [one, other] = [unit[at], reference[at]];
    sum += one === undefined || other === undefined ? 1 : Math.abs(one - other);
  }
  return {
    distance: sum / count,
    why: `of ${count} readings the sureness differs by ${(sum / count).toPrecision(3)}`,
  };
}
