import { isNear, medianOf } from "../verify/fingerprint.ts";
import type { Vote } from "./case.ts";

/** What a panel decides, so far. */
export interface Tally {
  /** Whether one side has more than half of the whole panel, of votes that count. */
  readonly isDecided: boolean;
  /** The median of that side [bps]; 0 where nothing is decided. */
  readonly providerBps: number;
  /** Votes whose fingerprint is near the median, and those that are not. */
  readonly counted: number;
  readonly strangers: number;
}

/** From this share on a vote is for the provider [bps]. */
export const HALF_BPS = 5_000;

/** Counts the votes of a panel of `size`, as the contract does. */
export function tallyOf(votes: readonly Pick<Vote, "fingerprint" | "providerBps">[], size: number): Tally {
  const middle = medianOf(votes.map(({ fingerprint }) => fingerprint));
  const near = votes.filter(({ fingerprint }) => isNear(fingerprint, middle));
  const counted = near.map(({ providerBps }) => providerBps).toSorted((a, b) => a - b);
  const strangers = votes.length - counted.length;
  const half = Math.floor(size / 2);
  const sides = [counted.filter((bps) => bps < HALF_BPS), counted.filter((bps) => bps >= HALF_BPS)];
  const winner = sides.find((side) => side.length > half);
  const providerBps = winner?.[Math.floor((winner.length - 1) / 2)] ?? 0;
  return { isDecided: winner !== undefined, providerBps, counted: counted.length, strangers };
}
