import { distance, heightOf } from "./geometry.ts";
import type { Point, Quad } from "./geometry.ts";
import type { Picture } from "./picture.ts";

type Colour = readonly [red: number, green: number, blue: number];

const SURE: Colour = [22, 101, 192];
const UNSURE: Colour = [205, 85, 12];
const WHITE: Colour = [255, 255, 255];

/** Strokes of the digits in a box one wide and two high. */
const DIGITS: readonly (readonly (readonly Point[])[])[] = [
  [
    [
      [0, 0],
      [1, 0],
      [1, 2],
      [0, 2],
      [0, 0],
    ],
  ],
  [
    [
      [0.1, 0.5],
      [0.6, 0],
      [0.6, 2],
    ],
  ],
  [
    [
      [0, 0],
      [1, 0],
      [1, 1],
      [0, 1],
      [0, 2],
      [1, 2],
    ],
  ],
  [
    [
      [0, 0],
      [1, 0],
      [1, 2],
      [0, 2],
    ],
    [
      [0.2, 1],
      [1, 1],
    ],
  ],
  [
    [
      [0, 0],
      [0, 1.2],
      [1, 1.2],
    ],
    [
      [0.8, 0.5],
      [0.8, 2],
    ],
  ],
  [
    [
      [1, 0],
      [0, 0],
      [0, 1],
      [1, 1],
      [1, 2],
      [0, 2],
    ],
  ],
  [
    [
      [1, 0],
      [0, 0],
      [0, 2],
      [1, 2],
      [1, 1],
      [0, 1],
    ],
  ],
  [
    [
      [0, 0],
      [1, 0],
      [0.4, 2],
    ],
  ],
  [
    [
      [0, 0],
      [1, 0],
      [1, 2],
      [0, 2],
      [0, 0],
    ],
    [
      [0, 1],
      [1, 1],
    ],
  ],
  [
    [
      [1, 1],
      [0, 1],
      [0, 0],
      [1, 0],
      [1, 2],
      [0, 2],
    ],
  ],
];

/**
 * Draws the boxes of lines and their numbers, counted from 1, into a copy of the picture; those the recognition is
 * not sure of in another colour. Fonts and vector graphics of the machine play no part.
 */
export function drawBoxes(
  picture: Picture,
  lines: readonly { readonly quad: Quad; readonly confidence: number }[],
): Picture {
  const drawn = { ...picture, rgb: Uint8Array.from(picture.rgb) };
  const unit = Math.max(1, Math.max(picture.width, picture.height) / 1000);
  lines.forEach(({ quad, confidence }, index) => {
    const colour = confidence < 0.85 ? UNSURE : SURE;
    const [a, b, c, d] = quad;
    for (const [from, to] of [
      [a, b],
      [b, c],
      [c, d],
      [d, a],
    ] as const)
      stroke(drawn, from, to, 1.6 * unit, colour);
    const middle: Point = [(a[0] + d[0]) / 2, (a[1] + d[1]) / 2];
    const away: Point = [(a[0] - b[0]) / (distance(a, b) || 1), (a[1] - b[1]) / (distance(a, b) || 1)];
    badge(drawn, middle, away, index + 1, Math.min(4.6 * unit, heightOf(quad) / 4), colour);
  });
  return drawn;
}

/** A number on a coloured ground, outside the box at the beginning of its line; `size` is half a digit's height. */
function badge(
  picture: Picture,
  middle: Point,
  away: Point,
  value: number,
  size: number,
  colour: Colour,
): void {
  const digits = Array.from(String(value), Number);
  const width = digits.length * size * 1.7 - size * 0.7;
  const height = size * 2;
  const [thick, pad] = [size * 0.36, size * 0.6];
  // The ground is a thick line with round ends.
  const [halfX, halfY] = [width / 2 + height / 2 + pad, height / 2 + pad];
  const within = (at: number, half: number, end: number): number => Math.max(half, Math.min(end - half, at));
  const reach = Math.abs(away[0]) * halfX + Math.abs(away[1]) * halfY;
  const x = within(middle[0] + away[0] * reach, halfX, picture.width) - width / 2;
  const y = within(middle[1] + away[1] * reach, halfY, picture.height);
  stroke(picture, [x, y], [x + width, y], halfY * 2, colour);
  drawDigits(picture, digits, { x, y: y - size, size, thick, colour: WHITE });
}

/** Draws digits into the picture, the first one's upper left corner at `x`, `y`; `size` is half their height [px]. */
export function drawDigits(
  picture: Picture,
  digits: readonly number[],
  { x, y, size, thick, colour }: { x: number; y: number; size: number; thick: number; colour: Colour },
): void {
  digits.forEach((digit, index) => {
    const at = ([dx, dy]: Point): Point => [x + (index * 1.7 + dx) * size, y + dy * size];
    for (const points of DIGITS[digit] ?? [])
      points.slice(1).forEach((to, i) => stroke(picture, at(points[i] ?? to), at(to), thick, colour));
  });
}

/** A straight line with round ends, its border softened over one pixel. */
function stroke(
  { rgb, width, height }: Picture,
  from: Point,
  to: Point,
  thickness: number,
  colour: Colour,
): void {
  const radius = thickness / 2;
  const low = (a: number, b: number): number => Math.max(0, Math.floor(Math.min(a, b) - radius - 1));
  const high = (a: number, b: number, end: number): number =>
    Math.min(end - 1, Math.ceil(Math.max(a, b) + radius + 1));
  const [dx, dy] = [to[0] - from[0], to[1] - from[1]];
  const square = dx * dx + dy * dy || 1;
  const [top, bottom] = [low(from[1], to[1]), high(from[1], to[1], height)];
  const [left, right] = [low(from[0], to[0]), high(from[0], to[0], width)];
  for (let y = top; y <= bottom; y++)
    for (let x = left; x <= right; x++) {
      const [px, py] = [x + 0.5 - from[0], y + 0.5 - from[1]];
      const along = Math.max(0, Math.min(1, (px * dx + py * dy) / square));
      const cover = Math.min(1, radius + 0.5 - Math.hypot(px - along * dx, py - along * dy));
      if (cover <= 0) continue;
      const at = (y * width + x) * 3;
      for (let channel = 0; channel < 3; channel++)
        rgb[at + channel] = Math.round(
          (rgb[at + channel] ?? 0) * (1 - cover) + (colour[channel] ?? 0) * cover,
        );
    }
}
