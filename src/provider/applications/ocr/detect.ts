import type { InferenceSession } from "onnxruntime-node";
import { leastRectangle } from "./geometry.ts";
import type { Point, Quad } from "./geometry.ts";
import { infer } from "./infer.ts";
import { scalePicture } from "./picture.ts";
import type { Picture } from "./picture.ts";

/** A pixel more likely text than this belongs to a region. */
const PIXEL_THRESHOLD = 0.3;
/** A region is text when its pixels are, on average, more likely text than this. */
const REGION_THRESHOLD = 0.6;
/** The model marks text shrunk; a region grows by its area times this by its perimeter. Chosen by what is read best. */
const GROWTH = 1.8;
/** Smaller regions are specks [px of the scaled picture]. */
const LEAST_SIDE = 3;
/** The model halves a picture five times. */
const STRIDE = 32;

/**
 * Finds the lines of text in a picture, by "differentiable binarization" (Liao et al., arXiv 1911.08947): the model
 * gives each pixel's probability of being the core of a line, connected pixels are a region, and a region's least
 * rectangle, grown back, is a line.
 *
 * @param maxSide the picture's longer side is scaled down to this [px]
 */
export async function detectLines(
  model: InferenceSession,
  picture: Picture,
  maxSide: number,
): Promise<Quad[]> {
  const scale = Math.min(1, maxSide / Math.max(picture.width, picture.height));
  const round = (side: number): number => Math.max(STRIDE, Math.round((side * scale) / STRIDE) * STRIDE);
  const scaled = await scalePicture(picture, round(picture.width), round(picture.height));
  const { width, height } = scaled;
  // The mean and deviation of ImageNet's blue, green and red, with which the model was trained.
  const { data } = await infer(model, scaled, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
  const [scaleX, scaleY] = [picture.width / width, picture.height / height];
  return regions(data, width, height)
    .filter((region) => region.probability >= REGION_THRESHOLD)
    .flatMap(({ outline }) => {
      let least = 0;
      const quad = leastRectangle(outline, (w, h) => {
        least = Math.min(w, h);
        return (w * h * GROWTH) / (2 * (w + h));
      });
      if (least < LEAST_SIDE) return [];
      const [a, b, c, d] = quad;
      const back = ([x, y]: Point): Point => [x * scaleX, y * scaleY];
      return [[back(a), back(b), back(c), back(d)] as const];
    });
}

interface Region {
  /** Mean over its pixels. */
  readonly probability: number;
  /** Corners of its pixels, of which those of the convex hull are part. */
  readonly outline: readonly Point[];
}

/** Pixels over the threshold that touch, diagonally too; in the order of their first pixels. */
function regions(probabilities: Float32Array, width: number, height: number): Region[] {
  const found: Region[] = [];
  const seen = new Uint8Array(width * height);
  const isText = (index: number): boolean =>
    seen[index] === 0 && (probabilities[index] ?? 0) > PIXEL_THRESHOLD;
  for (let start = 0; start < seen.length; start++) {
    if (!isText(start)) continue;
    const ends = new Map<number, { left: number; right: number }>();
    let [sum, count] = [0, 0];
    const open = [start];
    seen[start] = 1;
    for (let index = open.pop(); index !== undefined; index = open.pop()) {
      const x = index % width;
      const y = (index - x) / width;
      sum += probabilities[index] ?? 0;
      count++;
      const row = ends.get(y);
      if (!row) ends.set(y, { left: x, right: x });
      else if (x < row.left) row.left = x;
      else if (x > row.right) row.right = x;
      for (let ny = Math.max(0, y - 1); ny <= Math.min(height - 1, y + 1); ny++)
        for (let nx = Math.max(0, x - 1); nx <= Math.min(width - 1, x + 1); nx++) {
          const next = ny * width + nx;
          if (!isText(next)) continue;
          seen[next] = 1;
          open.push(next);
        }
    }
    const outline = [...ends].flatMap(([y, { left, right }]): Point[] => [
      [left, y],
      [right + 1, y],
      [left, y + 1],
      [right + 1, y + 1],
    ]);
    found.push({ probability: sum / count, outline });
  }
  return found;
}
