import type { CalibrationWork, Sample } from "../../../src/verify/calibration.ts";
import { bitsApart, fingerprintOf } from "../../../src/verify/fingerprint.ts";

/** How fingerprints of jurors lie, of 240 bits, where 48 are forgiven. */
export interface FingerprintFigures {
  /** Panels' units, done by two who are honest: how often, and the most bits that differ. */
  readonly honest: number;
  readonly mostApart: number;
  /** The same keys with other units: how often, and the fewest bits that differ. */
  readonly other: number;
  readonly leastApart: number;
}

const SEED = `0x${"5e".repeat(32)}`;
/** A panel looks at so many units. */
const UNITS = 3;
const PANELS = 8;

/** The same work, and what its first samples say of fingerprints once they have been taken. */
export function withFingerprints(work: CalibrationWork): {
  readonly work: CalibrationWork;
  readonly figures: () => FingerprintFigures | undefined;
} {
  const [honest, others]: [number[], number[]] = [[], []];
  const earlier: { references: string[]; fingerprint: bigint }[] = [];
  const panel: Sample[] = [];
  const look = (samples: readonly Sample[]): void => {
    const states = samples.map(({ unit }) => unit.state);
    const options = { seed: SEED, units: samples.map((_, at) => at), states };
    const of = (made: readonly Uint8Array[]): bigint => fingerprintOf(work.verification, made, options);
    const fingerprint = of(samples.map(({ reference }) => reference));
    honest.push(bitsApart(fingerprint, of(samples.map(({ unit }) => comparable(unit.output)))));
    const references = samples.map(({ reference }) => Buffer.from(reference).toString());
    for (const each of earlier) {
      if (each.references.some((reference) => references.includes(reference))) continue;
      others.push(bitsApart(fingerprint, each.fingerprint));
    }
    earlier.push({ references, fingerprint });
  };
  async function* watched(): AsyncGenerator<Sample> {
    for await (const sample of work.honest) {
      if (honest.length < PANELS && panel.push(sample) === UNITS) look(panel.splice(0));
      yield sample;
    }
  }
  return {
    work: { ...work, honest: watched() },
    // What a program says is the same for all that it passes.
    figures: () =>
      work.verification.method === "checker/1" || honest.length === 0 || others.length === 0
        ? undefined
        : {
            ...{ honest: honest.length, mostApart: Math.max(...honest) },
            ...{ other: others.length, leastApart: Math.min(...others) },
          },
  };
}

/** Drawn tokens, as one who draws the same would find them when it checks them. */
function comparable(output: Uint8Array): Uint8Array {
  const text = new TextDecoder().decode(output);
  if (!text.startsWith('{"tokens":')) return output;
  const drawn = JSON.parse(text) as { tokens: number[] };
  return new TextEncoder().encode(JSON.stringify({ ...drawn, margins: drawn.tokens.map(() => 0) }));
}
