import type { Models } from "./models.ts";
import { cropQuad } from "./crop.ts";
import { heightOf, widthOf } from "./geometry.ts";
import type { Quad } from "./geometry.ts";
import { infer } from "./infer.ts";
import type { Picture } from "./picture.ts";

export interface Reading {
  readonly text: string;
  /** Mean probability of its characters, 0 to 1; 0 where there are none. */
  readonly confidence: number;
}

const HEIGHT = 48;
const LEAST_WIDTH = 32;
const MOST_WIDTH = 3200;
const HALF = [0.5, 0.5, 0.5] as const;
/**
 * A line is stretched by this. The model takes a step per eight pixels and needs one between two equal letters: small
 * or narrow print has too few at its natural width and loses letters: 1.3 % of those in small print and photographed
 * letters, stretched about 0.1 %.
 */
const STRETCH = 1.2;
/**
 * Where the model gives a space between two characters more probability than this, there is one. The model was
 * trained on a script without spaces and seldom prefers one to "no character", but beside a gap between words it
 * thinks of one, and elsewhere it hardly does: of 15,506 gaps in drawn text the threshold judges all but 15 right, the
 * model's own preference all but 1,213.
 */
const SPACE_THRESHOLD = 0.005;

/** Reads one line of text; the model's steps are decoded as CTC: of a run of equal characters, one. */
export async function recogniseLine(models: Models, picture: Picture, quad: Quad): Promise<Reading> {
  const natural = Math.ceil((STRETCH * HEIGHT * widthOf(quad)) / heightOf(quad));
  const width = Math.max(LEAST_WIDTH, Math.min(MOST_WIDTH, natural));
  const line = cropQuad(picture, quad, width, HEIGHT);
  const { data, dims } = await infer(models.recognition, line, HALF, HALF);
  const [, steps = 0, classes = 0] = dims;
  const space = classes - 1;
  let text = "";
  let [sum, count] = [0, 0];
  let previous = 0;
  let likeliestSpace = 0;
  for (let step = 0; step < steps; step++) {
    const probabilities = data.subarray(step * classes, (step + 1) * classes);
    const best = indexOfMost(probabilities);
    if (best === 0 || best === space) likeliestSpace = Math.max(likeliestSpace, probabilities[space] ?? 0);
    else if (best !== previous) {
      if (text !== "" && likeliestSpace > SPACE_THRESHOLD) text += " ";
      text += models.characters[best] ?? "";
      sum += probabilities[best] ?? 0;
      count++;
      likeliestSpace = 0;
    }
    previous = best;
  }
  return { text: narrow(text), confidence: count === 0 ? 0 : sum / count };
}

function indexOfMost(values: Float32Array): number {
  let index = 0;
  let most = -Infinity;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] ?? 0;
    if (value > most) [index, most] = [i, value];
  }
  return index;
}

/** Without Chinese characters, punctuation in their width (`，`) is the common one. */
function narrow(text: string): string {
  if (/\p{Script=Han}/u.test(text)) return text;
  return text
    .replace(/[\uff01-\uff5e]/g, (wide) => String.fromCharCode(wide.charCodeAt(0) - 0xfee0))
    .replace(/。/g, ".");
}
