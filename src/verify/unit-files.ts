import { parseFields } from "../fields.ts";
import { pathFault } from "../manifest.ts";

/** The files of one unit, as paths of the task: below `input/` of its payload, below `output/` of its result. */
export interface UnitFiles {
  /** What it was made of: a file that was sent, or what another unit made. */
  readonly input: string;
  readonly output: string;
  /** What it went on from, where it is re-checked and not done again. */
  readonly state?: string | undefined;
  /** Goes to the owner apart from the result, so that nobody who does the unit again has seen it. */
  readonly sketch?: string | undefined;
}

/** Where an application may say what the units of its work are. */
export const UNITS_FILE = "output/units.json";

/** Bounds of that file; what is beyond them is refused, never cut. */
export const UNITS_BOUNDS = {
  bytes: 32 * 1024 * 1024,
  units: 100_000,
  /** Of one sketch, and of all of them. */
  sketchBytes: 64 * 1024,
  sketchesBytes: 64 * 1024 * 1024,
} as const;

/** Reads `units.json`. Error: `units.invalid`. */
export function parseUnitFiles(text: string): UnitFiles[] {
  const format = {
    schema: "neura/units/1",
    source: "units.json",
    code: "units.invalid",
    next: "docs/applications.md describes it.",
  };
  return parseFields(text, format, (file) => {
    const listed = file.objects("units", { atMost: UNITS_BOUNDS.units });
    const units = file.required("units", listed, []).map((unit): UnitFiles => {
      const path = (name: string, folders: readonly string[]): string | undefined =>
        unit.text(name, `is no path below ${folders.join("/ or ")}/`, (value) =>
          pathFault(value, folders) === undefined && value !== UNITS_FILE ? value : undefined,
        );
      const input = unit.required("input", path("input", ["input", "output"]), "");
      const output = unit.required("output", path("output", ["output"]), "");
      const state = path("state", ["input", "output"]);
      const sketch = path("sketch", ["output"]);
      unit.end();
      return {
        input,
        output,
        ...(state === undefined ? {} : { state }),
        ...(sketch === undefined ? {} : { sketch }),
      };
    });
    if (units.length === 0) file.fault("has no unit");
    const used = new Set(units.flatMap(({ input, output, state = "" }) => [input, output, state]));
    if (units.some(({ sketch }) => sketch !== undefined && used.has(sketch)))
      file.fault("has a sketch that is something else, too: sketches are no part of the result");
    return units;
  });
}
