import type { InferenceSession } from "onnxruntime-node";
import { cropQuad } from "./crop.ts";
import { heightOf, upsideDown, widthOf } from "./geometry.ts";
import type { Quad } from "./geometry.ts";
import { infer } from "./infer.ts";
import type { Picture } from "./picture.ts";

/** So many of the longest lines decide for all. */
const VOTERS = 8;
const HEIGHT = 48;
const WIDTH = 192;
const HALF = [0.5, 0.5, 0.5] as const;
/** A box this much higher than wide has text that runs up or down. */
const UPRIGHT_RATIO = 1.5;

/**
 * Turns each rectangle so that its first edge runs along its text, as it is read. One page has one direction: short
 * lines (`16`, `96`) do not show which end is up, long ones do.
 */
export async function directLines(
  model: InferenceSession,
  picture: Picture,
  quads: readonly Quad[],
): Promise<Quad[]> {
  const upright = quads.filter((quad) => heightOf(quad) >= widthOf(quad) * UPRIGHT_RATIO);
  const level = quads.filter((quad) => !upright.includes(quad));
  // Text that runs downwards starts at the upper right corner.
  const downwards = upright.map(([a, b, c, d]): Quad => [b, c, d, a]);
  return [...(await withOneDirection(level)), ...(await withOneDirection(downwards))];

  async function withOneDirection(group: readonly Quad[]): Promise<Quad[]> {
    const voters = [...group].sort((a, b) => widthOf(b) - widthOf(a)).slice(0, VOTERS);
    let votes = 0;
    for (const quad of voters) votes += (await probabilityUpsideDown(quad)) > 0.5 ? 1 : -1;
    return group.map((quad) => (votes > 0 ? upsideDown(quad) : quad));
  }

  /** By the line's first part, in the model's own shape. */
  async function probabilityUpsideDown(quad: Quad): Promise<number> {
    const width = Math.max(1, Math.min(WIDTH, Math.ceil((HEIGHT * widthOf(quad)) / heightOf(quad))));
    const share = Math.min(1, (WIDTH * heightOf(quad)) / (HEIGHT * widthOf(quad)));
    const [a, b, c, d] = quad;
    const part: Quad = [
      a,
      [a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share],
      [d[0] + (c[0] - d[0]) * share, d[1] + (c[1] - d[1]) * share],
      d,
    ];
    const { data } = await infer(model, cropQuad(picture, part, width, HEIGHT), HALF, HALF);
    return data[1] ?? 0;
  }
}
