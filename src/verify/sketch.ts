import { sha256 } from "@noble/hashes/sha2.js";

import { incomparable } from "./distances.ts";
import type { Measurement } from "./method.ts";
import { unreadable } from "./method.ts";

/**
 * About 200 bytes in place of a hidden state of megabytes. Signed random projections keep distances: of two states the
 * relative difference is seen within about a tenth of itself. Cannot be made without the state: whoever computed
 * another one does not know what this one's projections would have been.
 */
export interface Sketch {
  /** Length of the state. */
  readonly norm: number;
  /** 64 projections, each by the length of the state, in steps of 1/4096. */
  readonly projections: Int16Array;
  /** The likeliest tokens, at most 8, the likeliest first [nats]. */
  readonly top: readonly { readonly token: number; readonly logProb: number }[];
}

export const PROJECTIONS = 64;
export const TOP = 8;
const STEPS = 4096;
/** A likelihood that is farther off, or a list of another length, counts as this [nats]. */
const CAP = 1;
/** Likelihoods are of one place, the state may be of many: they scatter more, and count less. */
const LIKELIHOOD_SHARE = 0.25;
const HEAD_BYTES = 4 + 2 * PROJECTIONS;

/**
 * The sketch of a state. `seed` (32 bytes) fixes the projections: bit k % 256 of SHA-256(seed || uint32 of k / 256),
 * bytes and bits from the highest, k = 64 * element + projection; 1 is minus.
 */
export function sketchOf(
  state: ArrayLike<number>,
  { seed, logProbs = [] }: { seed: Uint8Array; logProbs?: ArrayLike<number> | undefined },
): Sketch {
  const sums = new Float64Array(PROJECTIONS);
  let [square, block] = [0, new Uint8Array(0)];
  const message = new Uint8Array(seed.length + 4);
  message.set(seed);
  for (let at = 0; at < state.length; at++) {
    const value = state[at] ?? 0;
    if (at % 4 === 0) {
      new DataView(message.buffer).setUint32(seed.length, at / 4);
      block = sha256(message);
    }
    square += value * value;
    for (let projection = 0; projection < PROJECTIONS; projection++) {
      const bit = (at % 4) * PROJECTIONS + projection;
      const isMinus = (((block[bit >> 3] ?? 0) >> (7 - (bit & 7))) & 1) === 1;
      sums[projection] = (sums[projection] ?? 0) + (isMinus ? -value : value);
    }
  }
  const norm = Math.sqrt(square);
  return {
    norm: Math.fround(norm),
    projections: Int16Array.from(sums, (sum) => toInt16(norm === 0 ? 0 : (sum / norm) * STEPS)),
    top: topOf(logProbs),
  };
}

/**
 * How far one state is from another, as their sketches say: the relative length of the difference, or a quarter of the
 * mean difference of the likelihoods where that is more.
 */
export function sketchDistance(one: Sketch, reference: Sketch): Measurement {
  if (!Number.isFinite(one.norm) || !Number.isFinite(reference.norm))
    return incomparable("a state is no number");
  let sum = 0;
  for (let at = 0; at < PROJECTIONS; at++)
    sum +=
      (((one.projections[at] ?? 0) * one.norm - (reference.projections[at] ?? 0) * reference.norm) / STEPS) **
      2;
  const off = Math.sqrt(sum / PROJECTIONS);
  const state = off === 0 ? 0 : reference.norm === 0 ? Infinity : off / reference.norm;
  const likelihood = topDifference(one, reference);
  return {
    distance: Math.max(state, LIKELIHOOD_SHARE * likelihood),
    why: `by the sketch the state is off by ${state.toPrecision(3)}, the likelihoods by ${likelihood.toPrecision(3)}`,
  };
}

/** float32 norm, int16 projections, then uint32 and float32 for each token; little-endian. */
export function encodeSketch({ norm, projections, top }: Sketch): Uint8Array {
  const bytes = new Uint8Array(HEAD_BYTES + 8 * top.length);
  const view = new DataView(bytes.buffer);
  view.setFloat32(0, norm, true);
  projections.forEach((value, at) => view.setInt16(4 + 2 * at, value, true));
  top.forEach(({ token, logProb }, at) => {
    view.setUint32(HEAD_BYTES + 8 * at, token, true);
    view.setFloat32(HEAD_BYTES + 8 * at + 4, logProb, true);
  });
  return bytes;
}

/** Error: `verify.unreadable`. */
export function decodeSketch(bytes: Uint8Array): Sketch {
  const count = (bytes.length - HEAD_BYTES) / 8;
  if (!Number.isInteger(count) || count < 0 || count > TOP)
    throw unreadable(`A sketch does not have ${bytes.length} bytes.`, "Write it with encodeSketch.");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    norm: view.getFloat32(0, true),
    projections: Int16Array.from({ length: PROJECTIONS }, (_, at) => view.getInt16(4 + 2 * at, true)),
    top: Array.from({ length: count }, (_, at) => ({
      token: view.getUint32(HEAD_BYTES + 8 * at, true),
      logProb: view.getFloat32(HEAD_BYTES + 8 * at + 4, true),
    })),
  };
}

function topDifference({ top: one }: Sketch, { top: other }: Sketch): number {
  if (one.length !== other.length) return CAP;
  return Math.max(meanDifference(one, other), meanDifference(other, one));
}

/** What is missing among the others is no likelier than the last of them: so far it is off at least. */
function meanDifference(one: Sketch["top"], other: Sketch["top"]): number {
  const found = new Map(other.map(({ token, logProb }) => [token, logProb]));
  const last = other.at(-1)?.logProb ?? 0;
  const sum = one.reduce((total, { token, logProb }) => {
    const known = found.get(token);
    const off = known === undefined ? Math.max(0, logProb - last) : Math.abs(known - logProb);
    return total + (off < CAP ? off : CAP);
  }, 0);
  return one.length === 0 ? 0 : sum / one.length;
}

function topOf(logProbs: ArrayLike<number>): Sketch["top"] {
  return Array.from({ length: logProbs.length }, (_, token) => ({
    token,
    logProb: Math.fround(logProbs[token] ?? 0),
  }))
    .sort((one, other) => other.logProb - one.logProb || one.token - other.token)
    .slice(0, TOP);
}

function toInt16(value: number): number {
  return Math.max(-32_768, Math.min(32_767, Math.round(value)));
}
