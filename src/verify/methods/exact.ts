import { defineMethod } from "../method.ts";

/** Whole numbers, or work on a processor that is pinned: the same bytes, or not. */
export const exact = defineMethod({
  description: "The bytes are the same.",
  tolerance: "zero",
  parameters: () => ({}),
  readUnit: ({ output }) => output,
  readReference: (reference) => reference,
  compare(unit, reference) {
    const length = Math.min(unit.length, reference.length);
    let same = 0;
    while (same < length && unit[same] === reference[same]) same++;
    if (same === unit.length && same === reference.length)
      return { distance: 0, why: `all ${same} bytes are the same` };
    const why =
      same < length
        ? `byte ${same} is ${unit[same] ?? 0}, not ${reference[same] ?? 0}`
        : `it has ${unit.length} bytes, not ${reference.length}`;
    return { distance: 1, why };
  },
});
