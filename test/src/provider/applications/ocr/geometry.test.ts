import { expect } from "chai";
import fc from "fast-check";
import { cropQuad } from "../../../../../src/provider/applications/ocr/crop.ts";
import {
  centreOf,
  heightOf,
  leastRectangle,
  upsideDown,
  widthOf,
} from "../../../../../src/provider/applications/ocr/geometry.ts";
import type { Point, Quad } from "../../../../../src/provider/applications/ocr/geometry.ts";
import { rowsOf } from "../../../../../src/provider/applications/ocr/layout.ts";

const turn = ([x, y]: Point, degrees: number, about: Point = [0, 0]): Point => {
  const angle = (degrees * Math.PI) / 180;
  const [dx, dy] = [x - about[0], y - about[1]];
  return [
    about[0] + dx * Math.cos(angle) - dy * Math.sin(angle),
    about[1] + dx * Math.sin(angle) + dy * Math.cos(angle),
  ];
};

const box = (x: number, y: number, width: number, height: number): Quad => [
  [x, y],
  [x + width, y],
  [x + width, y + height],
  [x, y + height],
];

const turnBox = ([a, b, c, d]: Quad, degrees: number, about: Point): Quad => [
  turn(a, degrees, about),
  turn(b, degrees, about),
  turn(c, degrees, about),
  turn(d, degrees, about),
];

const coordinate = fc.integer({ min: -500, max: 500 });
const side = fc.integer({ min: 1, max: 300 });

describe("geometry of lines", () => {
  it("finds a rectangle again, turned up to 44 degrees, and grows it by the same on each side", () => {
    fc.assert(
      fc.property(
        coordinate,
        coordinate,
        side,
        side,
        fc.integer({ min: -44, max: 44 }),
        fc.integer({ min: 0, max: 9 }),
        (x, y, width, height, degrees, grow) => {
          const about: Point = [x, y];
          const inner = turnBox(box(x, y, width, height), degrees, about);
          const outer = turnBox(box(x - grow, y - grow, width + 2 * grow, height + 2 * grow), degrees, about);
          const found = leastRectangle([...inner, centreOf(inner)], (w, h) => {
            expect(Math.abs(w - width)).to.be.lessThan(1e-6);
            expect(Math.abs(h - height)).to.be.lessThan(1e-6);
            return grow;
          });
          found.forEach((corner, index) => {
            expect(Math.abs(corner[0] - outer[index]![0])).to.be.lessThan(1e-6);
            expect(Math.abs(corner[1] - outer[index]![1])).to.be.lessThan(1e-6);
          });
        },
      ),
    );
  });

  it("holds every point, clockwise from the upper left", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(coordinate, coordinate), { minLength: 3, maxLength: 40 }), (points) => {
        fc.pre(new Set(points.map(String)).size > 1);
        const [a, b, c, d] = leastRectangle(points, () => 0);
        for (const [from, to] of [
          [a, b],
          [b, c],
          [c, d],
          [d, a],
        ] as const)
          for (const point of points) {
            const side = (to[0] - from[0]) * (point[1] - from[1]) - (to[1] - from[1]) * (point[0] - from[0]);
            expect(side).to.be.at.least(-1e-5);
          }
        expect(b[0] - a[0], "the first edge points to the right").to.be.at.least(-1e-9);
      }),
    );
  });

  it("refuses points that are all the same", () => {
    expect(() => leastRectangle([], () => 0)).to.throw(RangeError);
  });

  it("orders lines by rows however the page is turned", () => {
    const page = [
      box(10, 10, 90, 20),
      box(200, 14, 60, 18),
      box(10, 50, 30, 20),
      box(60, 51, 90, 20),
      box(12, 90, 80, 20),
    ];
    fc.assert(
      fc.property(
        fc.integer({ min: -180, max: 180 }),
        fc.shuffledSubarray([0, 1, 2, 3, 4], { minLength: 5 }),
        (degrees, order) => {
          const lines = order.map((id) => ({ id, quad: turnBox(page[id]!, degrees, [130, 60]) }));
          expect(rowsOf(lines).map((row) => row.map(({ id }) => id))).to.deep.equal([[0, 1], [2, 3], [4]]);
        },
      ),
    );
    expect(rowsOf([])).to.deep.equal([]);
  });

  it("cuts out what is in the rectangle, upright", () => {
    // Left half red, right half blue, seen upside down: blue first.
    const rgb = Uint8Array.from({ length: 20 * 10 * 3 }, (_, i) => {
      const red = Math.floor(i / 3) % 20 < 10;
      return i % 3 === (red ? 0 : 2) ? 255 : 0;
    });
    const picture = { width: 20, height: 10, rgb };
    const quad = box(0, 0, 20, 10);
    expect(cropQuad(picture, quad, 20, 10)).to.deep.equal(picture);
    const pixel = ({ rgb }: { rgb: Uint8Array }, index: number) => [
      ...rgb.subarray(index * 3, index * 3 + 3),
    ];
    const small = cropQuad(picture, quad, 4, 2);
    expect([0, 3].map((index) => pixel(small, index))).to.deep.equal([
      [255, 0, 0],
      [0, 0, 255],
    ]);
    const turned = cropQuad(picture, upsideDown(quad), 4, 2);
    expect([0, 3].map((index) => pixel(turned, index))).to.deep.equal([
      [0, 0, 255],
      [255, 0, 0],
    ]);
    expect([widthOf(quad), heightOf(quad)]).to.deep.equal([20, 10]);
    // Beyond the border the border goes on.
    expect(pixel(cropQuad(picture, box(-8, -8, 4, 4), 1, 1), 0)).to.deep.equal([255, 0, 0]);
  });
});
