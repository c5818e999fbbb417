import { sha256 } from "@noble/hashes/sha2.js";
import { getBytes } from "ethers";

import { lengthOf } from "./distances.ts";
import type { Essence } from "./method.ts";
import { methodOf, type Verification } from "./verification.ts";

/** Of so many bits: `Fingerprints.sol`. */
export const FINGERPRINT_BITS = 240;
/** Two fingerprints of the same work differ in no more bits. */
export const FINGERPRINT_SLACK = 48;

/** Features are folded into so many sums before they are projected. */
const SUMS = 1024;
/** A text's features: this many characters each. */
const GRAM = 4;
/** A bit is the parity of so many signs: what is somewhat alike becomes unlike, what is the same stays so. */
const SIGNS = { text: 1, vectors: 5 } as const;
const BLOCK = 32;
const DOMAIN = new TextEncoder().encode("neura/fingerprint/1");
const MASK = (1n << BigInt(FINGERPRINT_BITS)) - 1n;

/** What a juror has made of units that it did again. */
export interface FingerprintOptions {
  /** The jury's: 32 bytes as hex with 0x. Nobody knows it before there is a dispute. */
  readonly seed: string;
  /** Number of each reference's unit. */
  readonly units: readonly number[];
  /** What each went on from, where it was re-checked. */
  readonly states?: readonly (Uint8Array | undefined)[] | undefined;
}

/**
 * The fingerprint of units that were done again, by the method that compares them: 240 bits, near each other where the
 * work is, and half of them different where it is not. Of several units it is the sum without carry of each one's, keyed by
 * its number, so that leaving out any of them makes it random. Everybody gets the same for the same bytes.
 *
 * - Bytes (`exact`, `checker`, `none`, and what the method cannot read): of their hash.
 * - Vectors: signs of random projections (Charikar, STOC 2002), each vector by its length.
 * - Texts: the same of their runs of four characters.
 */
export function fingerprintOf(
  verification: Pick<Verification, "method" | "parameters">,
  references: readonly Uint8Array[],
  { seed, units, states = [] }: FingerprintOptions,
): bigint {
  const method = methodOf(verification);
  return references.reduce((sum, reference, at) => {
    const essence = method.essenceOf(reference, states[at], verification.parameters);
    return sum ^ bitsOf(essence, keyOf(seed, units[at] ?? 0));
  }, 0n);
}

/** How many bits of two fingerprints differ. */
export function bitsApart(one: bigint, other: bigint): number {
  let count = 0;
  for (let left = (one ^ other) & MASK; left !== 0n; left &= left - 1n) count++;
  return count;
}

/** Whether two fingerprints are of the same work, as the contract says. */
export function isNear(one: bigint, other: bigint): boolean {
  return bitsApart(one, other) <= FINGERPRINT_SLACK;
}

/** Bit by bit what more than half of them have, as the contract says. */
export function medianOf(fingerprints: readonly bigint[]): bigint {
  let middle = 0n;
  for (let bit = 0n; bit < FINGERPRINT_BITS; bit++) {
    const set = fingerprints.filter((each) => ((each >> bit) & 1n) === 1n).length;
    if (2 * set > fingerprints.length) middle |= 1n << bit;
  }
  return middle;
}

// ---- Bits ----

function bitsOf(essence: Essence, key: Uint8Array): bigint {
  if ("bytes" in essence) return numberOf(sha256(joined(key, essence.bytes)));
  const sums = new Float64Array(SUMS);
  if ("text" in essence) addGrams(essence.text, key, sums);
  else for (const [at, vector] of essence.vectors.entries()) addVector(vector, streamOf(key, at), sums);
  // Of nothing there is no direction.
  if (sums.every((sum) => sum === 0)) return numberOf(sha256(key));
  return projected(sums, streamOf(key, 0xffff_ffff), "text" in essence ? SIGNS.text : SIGNS.vectors);
}

/** The k-th time that a run of characters comes counts as another, so that frequent ones do not outweigh all others. */
function addGrams(text: string, key: Uint8Array, sums: Float64Array): void {
  const edge = "\0".repeat(GRAM - 1);
  const characters = Array.from(text === "" ? "" : `${edge}${text}${edge}`);
  const seen = new Map<string, number>();
  const encoder = new TextEncoder();
  for (let at = 0; at + GRAM <= characters.length; at++) {
    const gram = characters.slice(at, at + GRAM).join("");
    const count = seen.get(gram) ?? 0;
    seen.set(gram, count + 1);
    const hash = sha256(joined(key, encoder.encode(`${gram}${count}`)));
    add(1, hash[0] ?? 0, hash[1] ?? 0, sums);
  }
}

function addVector(
  vector: ArrayLike<number>,
  stream: (block: number) => Uint8Array,
  sums: Float64Array,
): void {
  const values = Float64Array.from(vector, (value) => (Number.isFinite(value) ? value : 0));
  const length = lengthOf(values);
  if (length === 0) return;
  let block: Uint8Array = new Uint8Array();
  for (let at = 0; at < values.length; at++) {
    const place = (2 * at) % BLOCK;
    if (place === 0) block = stream((2 * at) / BLOCK);
    add((values[at] ?? 0) / length, block[place] ?? 0, block[place + 1] ?? 0, sums);
  }
}

/** Ten bits say to which sum, one more with which sign. */
function add(value: number, high: number, low: number, sums: Float64Array): void {
  const sum = ((high & 3) << 8) | low;
  sums[sum] = (sums[sum] ?? 0) + (high >= 128 ? -value : value);
}

function projected(sums: Float64Array, stream: (block: number) => Uint8Array, signs: number): bigint {
  const blocks = SUMS / (8 * BLOCK);
  let bits = 0n;
  for (let bit = 0; bit < FINGERPRINT_BITS; bit++) {
    let isSet = false;
    for (let sign = 0; sign < signs; sign++) {
      let total = 0;
      for (let block = 0; block < blocks; block++) {
        const minus = stream((bit * signs + sign) * blocks + block);
        for (let at = 0; at < 8 * BLOCK; at++) {
          const value = sums[block * 8 * BLOCK + at] ?? 0;
          total += (((minus[at >> 3] ?? 0) >> (at & 7)) & 1) === 1 ? -value : value;
        }
      }
      if (total < 0) isSet = !isSet;
    }
    bits = (bits << 1n) | (isSet ? 1n : 0n);
  }
  return bits;
}

// ---- Randomness ----

function keyOf(seed: string, unit: number): Uint8Array {
  return sha256(joined(DOMAIN, getBytes(seed), wordOf(unit)));
}

/** Blocks of 32 random bytes each. */
function streamOf(key: Uint8Array, part: number): (block: number) => Uint8Array {
  return (block) => sha256(joined(key, wordOf(part), wordOf(block)));
}

function numberOf(hash: Uint8Array): bigint {
  return hash.slice(0, FINGERPRINT_BITS / 8).reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}

/** Eight bytes, the highest first. */
function wordOf(value: number): Uint8Array {
  const word = new Uint8Array(8);
  new DataView(word.buffer).setBigUint64(0, BigInt(value));
  return word;
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
