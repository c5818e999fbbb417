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

/** Reads one line of text. */
export async function recogniseLine(models: Models, picture: Picture, quad: Quad): Promise<Reading> {
  const natural = Math.ceil((HEIGHT * widthOf(quad)) / heightOf(quad));
  const width = Math.max(LEAST_WIDTH, Math.min(MOST_WIDTH, natural));
  const line = cropQuad(picture, quad, width, HEIGHT);
  const { data, dims } = await infer(models.recognition, line, HALF, HALF);
  const [, steps = 0, classes = 0] = dims;
  let text = "";
  let sum = 0;
  let count = 0;
  let previous = 0;
  for (let step = 0; step < steps; step++) {
    let best = 0;
    for (let c = 1; c < classes; c++)
      if ((data[step * classes + c] ?? 0) > (data[step * classes + best] ?? 0)) best = c;
    if (best !== 0 && best !== previous) {
      text += models.characters[best] ?? "";
      sum += data[step * classes + best] ?? 0;
      count++;
    }
    previous = best;
  }
  return { text, confidence: count === 0 ? 0 : sum / count };
}
