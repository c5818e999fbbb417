import { NeuraError } from "../src/errors.ts";

const SECONDS = { s: 1, m: 60, h: 3600, d: 86_400 } as const;

/** The seconds of a time as people write it: `90`, `90s`, `10m`, `2h`, `1d`. Error: `usage.duration`. */
export function parseDuration(text: string, name: string): number {
  const { amount, unit = "s" } = /^(?<amount>\d{1,9})(?<unit>[smhd])?$/.exec(text.trim())?.groups ?? {};
  if (amount !== undefined && isUnit(unit)) return Number(amount) * SECONDS[unit];
  throw new NeuraError("usage.duration", `The ${name} ${JSON.stringify(text)} is not a duration.`, {
    next: "Write it like 90s, 10m, 2h or 1d.",
  });
}

/** A duration as people read it: `2 h 5 min`, `45 s`. */
export function formatDuration(seconds: number): string {
  const parts = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor((seconds % 86_400) / 3600), "h"],
    [Math.floor((seconds % 3600) / 60), "min"],
    [seconds % 60, "s"],
  ] as const;
  const first = parts.findIndex(([amount]) => amount > 0);
  const shown = parts.slice(Math.max(first, 0)).slice(0, 2);
  return first < 0
    ? "0 s"
    : shown
        .filter(([amount]) => amount > 0)
        .map((part) => part.join(" "))
        .join(" ");
}

function isUnit(unit: string): unit is keyof typeof SECONDS {
  return Object.hasOwn(SECONDS, unit);
}
