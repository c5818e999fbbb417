import { centreOf, heightOf, widthOf } from "./geometry.ts";
import type { Quad } from "./geometry.ts";

/**
 * Lines in reading order: rows from the top, each from the left, "top" and "left" as most of the text has them, so
 * that a page may lie on its side or aslant. Lines beside each other are one row.
 */
export function rowsOf<Line extends { readonly quad: Quad }>(lines: readonly Line[]): Line[][] {
  // The direction of the text, long lines counting most.
  let [x, y] = [0, 0];
  for (const { quad } of lines) {
    x += (quad[1][0] - quad[0][0]) * widthOf(quad);
    y += (quad[1][1] - quad[0][1]) * widthOf(quad);
  }
  const length = Math.hypot(x, y) || 1;
  const [cos, sin] = [x / length, y / length];
  const placed = lines.map((line) => {
    const [cx, cy] = centreOf(line.quad);
    return { line, along: cx * cos + cy * sin, across: cy * cos - cx * sin, height: heightOf(line.quad) };
  });
  const rows: (typeof placed)[] = [];
  for (const item of placed.sort((a, b) => a.across - b.across)) {
    const beside = rows.find((row) => {
      const nearest = row.reduce((a, b) =>
        Math.abs(b.along - item.along) < Math.abs(a.along - item.along) ? b : a,
      );
      return Math.abs(nearest.across - item.across) < Math.min(nearest.height, item.height) / 2;
    });
    if (beside) beside.push(item);
    else rows.push([item]);
  }
  return rows.map((row) => row.sort((a, b) => a.along - b.along).map(({ line }) => line));
}
