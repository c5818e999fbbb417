import { randomInt } from "node:crypto";

import { NeuraError } from "../errors.ts";

/** A whole number from 0 up to, but never, `below`; each is as likely as any other. */
export type Draw = (below: number) => number;

/** Chances are multiples of 1 by this. */
export const COIN_SIDES = 1_000_000_000;

/**
 * Whether a coin says yes that does so with this probability, exact to a billionth. By default nobody can foresee it.
 * Error: `mirror.probability`.
 */
export function tossCoin(probability: number, draw: Draw = randomInt): boolean {
  if (!(probability >= 0 && probability <= 1)) {
    throw new NeuraError("mirror.probability", `${probability} is no probability.`, {
      next: "Give a number from 0 to 1: 0.1 mirrors one task in ten.",
    });
  }
  return draw(COIN_SIDES) < Math.round(probability * COIN_SIDES);
}

/** A delay from nothing up to, and with, `mostSeconds`, each as likely as any other [s]. */
export function drawDelay(mostSeconds: number, draw: Draw = randomInt): number {
  return draw(mostSeconds + 1);
}
