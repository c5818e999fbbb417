/** A point of a picture [px], from its upper left corner; pixel (0, 0) covers 0 to 1. */
export type Point = readonly [x: number, y: number];

/** A rectangle in any position. Corners as the text in it is read: upper left, upper right, lower right, lower left. */
export type Quad = readonly [Point, Point, Point, Point];

export function distance(a: Point, b: Point): number {
  return Math.hypot(b[0] - a[0], b[1] - a[1]);
}

/** Length along the text. */
export function widthOf(quad: Quad): number {
  return distance(quad[0], quad[1]);
}

/** Length across the text. */
export function heightOf(quad: Quad): number {
  return distance(quad[0], quad[3]);
}

export function centreOf(quad: Quad): Point {
  return [(quad[0][0] + quad[2][0]) / 2, (quad[0][1] + quad[2][1]) / 2];
}

/** The same rectangle read from its other end. */
export function upsideDown([a, b, c, d]: Quad): Quad {
  return [c, d, a, b];
}

/** The corners of the convex hull, clockwise on the screen (A. M. Andrew's monotone chain). */
export function convexHull(points: readonly Point[]): Point[] {
  const sorted = [...points].sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const chain = (from: readonly Point[]): Point[] => {
    const hull: Point[] = [];
    for (const point of from) {
      for (;;) {
        const [a, b] = hull.slice(-2);
        if (!a || !b || (b[0] - a[0]) * (point[1] - a[1]) - (b[1] - a[1]) * (point[0] - a[0]) > 0) break;
        hull.pop();
      }
      hull.push(point);
    }
    return hull.slice(0, -1);
  };
  return [...chain(sorted), ...chain(sorted.reverse())];
}

/**
 * The rectangle of least area around the points, grown on each side by `grow` of its own size; one of its sides
 * lies on a side of the hull. Its first edge is the one closest to the picture's horizontal, from left to right.
 */
export function leastRectangle(
  points: readonly Point[],
  grow: (width: number, height: number) => number,
): Quad {
  const hull = convexHull(points);
  let best: { area: number; u: Point; bounds: readonly [number, number, number, number] } | undefined;
  hull.forEach((from, index) => {
    const to = hull[(index + 1) % hull.length] ?? from;
    // The side's direction, turned by quarters until it points to the right.
    const angle = Math.atan2(to[1] - from[1], to[0] - from[0]);
    const turned = angle - (Math.round(angle / (Math.PI / 2)) * Math.PI) / 2;
    const u: Point = [Math.cos(turned), Math.sin(turned)];
    const along = hull.map(([x, y]) => x * u[0] + y * u[1]);
    const across = hull.map(([x, y]) => y * u[0] - x * u[1]);
    const bounds = [
      Math.min(...along),
      Math.max(...along),
      Math.min(...across),
      Math.max(...across),
    ] as const;
    const area = (bounds[1] - bounds[0]) * (bounds[3] - bounds[2]);
    if (!best || area < best.area) best = { area, u, bounds };
  });
  if (!best) throw new RangeError("A rectangle needs points that are not all the same.");
  const { u, bounds } = best;
  const extra = grow(bounds[1] - bounds[0], bounds[3] - bounds[2]);
  const at = (along: number, across: number): Point => [
    along * u[0] - across * u[1],
    along * u[1] + across * u[0],
  ];
  const [left, right, top, bottom] = [
    bounds[0] - extra,
    bounds[1] + extra,
    bounds[2] - extra,
    bounds[3] + extra,
  ];
  return [at(left, top), at(right, top), at(right, bottom), at(left, bottom)];
}
