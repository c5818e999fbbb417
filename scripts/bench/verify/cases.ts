import { createHash } from "node:crypto";
import { deflateSync } from "node:zlib";

import type { CalibrationWork, Sample } from "../../../src/verify/calibration.ts";
import { encodeReport } from "../../../src/verify/methods/checker.ts";
import { encodeSketch, sketchOf } from "../../../src/verify/sketch.ts";
import { encodeTensors } from "../../../src/verify/tensors.ts";
import { parseVerification } from "../../../src/verify/verification.ts";
import { type Arithmetic, Dice, type Savings } from "./arithmetic.ts";
import { Denoiser, startState, STEPS } from "./denoiser.ts";
import { type Checkpoint, firstCheckpoint, train } from "./training.ts";
import { Transformer, VOCABULARY, WIDTH } from "./transformer.ts";

/** How much is measured. */
export interface Amount {
  /** Honest comparisons, the choosing ones included. */
  readonly samples: number;
  /** Of each fake. */
  readonly faked: number;
  /** Honest comparisons that choose the tolerance. */
  readonly choosing: number;
}

type Dtype = Arithmetic["dtype"];

/** In so many parts honest machines split their sums. */
const PARTS = [2, 4, 8, 16];
const CONDITIONS = ["sums in 1, 2, 4, 8 and 16 parts", "plain TypeScript, random weights"];
const PASSAGE = 8;
const DRAWN = 32;
const PROMPT = 6;

/** The tolerance by the largest honest distance: in fp32 the nearest fake is hundreds of times as far, in bf16 three. */
const MARGIN: Readonly<Record<Dtype, number>> = { fp32: 10, bf16: 2 };
/** By how much rounding once is off: 2^-24 and 2^-9. Nothing nearer is told apart. */
const ROUNDING: Readonly<Record<Dtype, number>> = { fp32: 2 ** -24, bf16: 2 ** -9 };

/** What a cheat saves; in bf16 those weights are what was promised. */
function savingsOf(dtype: Dtype): [string, Savings][] {
  const all: [string, Savings][] = [
    ["bf16 weights", { precision: "bf16" }],
    ["int8 weights", { precision: "int8" }],
    ["int4 weights", { precision: "int4" }],
    ["another fine-tune (1 % noise)", { noise: 0.01 }],
    ["smaller model (half pruned)", { pruned: 0.5 }],
    ["last layer dropped", { droppedLayers: 1 }],
  ];
  return all.filter(([name]) => dtype === "fp32" || name !== "bf16 weights");
}

/** The work of one calibration, from how it is done by whom. */
function workOf<T>(
  { samples, faked, choosing }: Amount,
  {
    honest,
    reference,
    cheats,
    skipped,
    sampleOf,
    ...rest
  }: Pick<CalibrationWork, "model" | "dtype" | "verification" | "least"> & {
    readonly margin?: number;
    readonly honest: (unit: number) => T;
    readonly reference: (unit: number) => T;
    readonly cheats: readonly (readonly [string, (unit: number) => T])[];
    readonly skipped: (unit: number) => T;
    readonly sampleOf: (made: T, reference: T, unit: number) => Sample;
  },
): CalibrationWork {
  const wanted = remembered(reference);
  const from = function* (count: number, made: (unit: number) => T): Generator<Sample> {
    for (let unit = 0; unit < count; unit++) yield sampleOf(made(unit), wanted(unit), unit);
  };
  const fakes: [string, (unit: number) => T][] = [
    ...cheats.map(([name, made]): [string, (unit: number) => T] => [name, made]),
    ["skipped", skipped],
    ["replay of the unit before", (unit) => honest(unit === 0 ? 1 : unit - 1)],
    ["another's result", (unit) => honest(unit + 7919)],
  ];
  return {
    ...rest,
    modelDigest: `0x${createHash("sha256").update(rest.model).digest("hex")}`,
    honest: from(samples, honest),
    fakes: fakes.map(([name, made]) => ({ name, samples: from(faked, made) })),
    choosing,
    conditions: CONDITIONS,
  };
}

// ---- Passages: hidden states ----

/** Last hidden states of short passages, as `numeric/1` (whole, or as sketches) and as `embedding/1`. */
export function hiddenStates(
  amount: Amount,
  dtype: Dtype,
  as: "tensors" | "sketches" | "embedding",
): CalibrationWork {
  const { model, reference, honest, cheats } = passagesIn(dtype);
  const seed = new Uint8Array(32).fill(9);
  const output = (states: Float32Array): Uint8Array => {
    if (as === "tensors") return encodeTensors([["hidden", { shape: [PASSAGE, WIDTH], values: states }]]);
    if (as === "sketches") {
      const logProbs = model.logProbs(states.subarray((PASSAGE - 1) * WIDTH));
      return encodeSketch(sketchOf(states, { seed, logProbs }));
    }
    const mean = Float32Array.from({ length: WIDTH }, (_, at) => {
      let sum = 0;
      for (let from = at; from < states.length; from += WIDTH) sum += states[from] ?? 0;
      return sum / PASSAGE;
    });
    return encodeTensors([["embedding", { shape: [WIDTH], values: mean }]]);
  };
  const verification =
    as === "embedding" ? { method: "embedding/1" } : { method: "numeric/1", parameters: { of: as } };
  return workOf(amount, {
    model: "bench transformer, 2 layers, 64 wide",
    dtype,
    verification: parseVerification(verification),
    // One less the cosine is half of the square of what tensors are off by; sketches have steps of 1/4096.
    least: { tensors: ROUNDING[dtype], sketches: 1 / 4096, embedding: ROUNDING[dtype] ** 2 / 2 }[as],
    margin: as === "embedding" ? MARGIN[dtype] ** 2 : MARGIN[dtype],
    reference,
    honest,
    cheats,
    skipped: () => new Float32Array(PASSAGE * WIDTH),
    sampleOf: (made, wanted) => ({ unit: { output: output(made) }, reference: output(wanted) }),
  });
}

/** Who reads passages how; what was read is kept, since three methods look at it. */
const passagesIn = remembered((dtype: Dtype) => {
  const passage = (unit: number): number[] => {
    const dice = new Dice(unit);
    return Array.from({ length: PASSAGE }, () => dice.below(VOCABULARY));
  };
  const model = new Transformer({ parts: 1, dtype });
  const others = PARTS.map((parts) => new Transformer({ parts, dtype }));
  return {
    model,
    reference: remembered((unit: number) => model.hidden(passage(unit))),
    honest: remembered((unit: number) => (others[unit % others.length] ?? model).hidden(passage(unit))),
    cheats: savingsOf(dtype).map(([name, savings]) => {
      const cheap = new Transformer({ parts: 4, dtype }, savings);
      return [name, remembered((unit: number) => cheap.hidden(passage(unit)))] as const;
    }),
  };
});

/** A function that does each thing once. */
function remembered<K, V>(make: (key: K) => V): (key: K) => V {
  const made = new Map<K, V>();
  return (key) => {
    const value = made.get(key) ?? make(key);
    made.set(key, value);
    return value;
  };
}

// ---- Tokens ----

/** 32 tokens that are drawn with a seed after a prompt. */
export function drawnTokens(amount: Amount, dtype: Dtype): CalibrationWork {
  const prompt = (unit: number): number[] => {
    const dice = new Dice(unit + 40_000);
    return Array.from({ length: PROMPT }, () => dice.below(VOCABULARY));
  };
  const checking = new Transformer({ parts: 1, dtype });
  const others = PARTS.map((parts) => new Transformer({ parts, dtype }));
  const bytesOf = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
  return workOf(amount, {
    model: "bench transformer, 2 layers, 64 wide",
    dtype,
    verification: parseVerification({ method: "tokens/1" }),
    least: ROUNDING[dtype],
    margin: MARGIN[dtype],
    reference: () => ({ tokens: [], logProbs: [] }),
    honest: (unit) => (others[unit % others.length] ?? checking).draw(prompt(unit), DRAWN, unit),
    cheats: savingsOf(dtype).map(([name, savings]) => {
      const model = new Transformer({ parts: 4, dtype }, savings);
      return [name, (unit) => model.draw(prompt(unit), DRAWN, unit)];
    }),
    skipped: () => ({
      tokens: Array.from({ length: DRAWN }, () => 0),
      logProbs: Array.from({ length: DRAWN }, () => -1),
    }),
    sampleOf: (made, _, unit) => ({
      unit: { output: bytesOf(made) },
      reference: bytesOf(checking.check(prompt(unit), made.tokens, unit)),
    }),
  });
}

// ---- Steps ----

/** Single steps of a denoiser, each from where the honest ones before it led. */
export function denoisingSteps(amount: Amount, dtype: Dtype): CalibrationWork {
  const reference = new Denoiser({ parts: 1, dtype });
  const others = PARTS.map((parts) => new Denoiser({ parts, dtype }));
  const stateBefore = remembered((unit: number): Float32Array => {
    const step = unit % STEPS;
    return step === 0 ? startState(unit) : reference.next(stateBefore(unit - 1), step - 1);
  });
  const output = (state: Float32Array): Uint8Array =>
    encodeTensors([["state", { shape: [8, 8], values: state }]]);
  return workOf(amount, {
    model: "bench denoiser, 3 blocks, 64 wide",
    dtype,
    verification: parseVerification({ method: "trajectory/1" }),
    // Where nearly all steps round alike, those that choose may not show the few that do not.
    least: 2 * ROUNDING[dtype],
    margin: MARGIN[dtype],
    reference: (unit) => reference.next(stateBefore(unit), unit % STEPS),
    honest: (unit) => (others[unit % others.length] ?? reference).next(stateBefore(unit), unit % STEPS),
    cheats: savingsOf(dtype).map(([name, savings]) => {
      const model = new Denoiser({ parts: 4, dtype }, savings);
      return [name, (unit) => model.next(stateBefore(unit), unit % STEPS)];
    }),
    skipped: stateBefore,
    sampleOf: (made, wanted, unit) => ({
      unit: { state: output(stateBefore(unit)), output: output(made) },
      reference: output(wanted),
    }),
  });
}

/** Intervals of trainings, each from where the honest ones before it led. */
export function trainingIntervals(amount: Amount): CalibrationWork {
  const LENGTH = 20;
  const dtype = "fp32";
  const before = remembered((unit: number): Checkpoint => {
    if (unit % LENGTH === 0) return firstCheckpoint(unit);
    return train(before(unit - 1), unit - 1, { parts: 1, dtype });
  });
  const trained = (unit: number, options: Partial<Parameters<typeof train>[2]>): Checkpoint =>
    train(before(unit), unit, { parts: 4, dtype, ...options });
  const output = ({ first, second, loss }: Checkpoint): Uint8Array =>
    encodeTensors([
      ["first", { shape: [first.rows, first.columns], values: first.weights }],
      ["second", { shape: [second.rows, second.columns], values: second.weights }],
      ["loss", { shape: [], values: [loss] }],
    ]);
  return workOf(amount, {
    model: "bench training, 2 layers, 32 wide",
    dtype,
    verification: parseVerification({ method: "checkpoint/1" }),
    least: ROUNDING[dtype],
    margin: MARGIN[dtype],
    reference: (unit) => trained(unit, { parts: 1 }),
    honest: (unit) => trained(unit, { parts: PARTS[unit % PARTS.length] ?? 1 }),
    cheats: [
      ["bf16 arithmetic", (unit) => trained(unit, { dtype: "bf16" })],
      ["half of the updates", (unit) => trained(unit, { steps: 5 })],
      ["one update left out", (unit) => trained(unit, { steps: 9 })],
      ["half of each batch", (unit) => trained(unit, { batch: 4 })],
      ["other data", (unit) => trained(unit, { data: 1 })],
    ],
    skipped: before,
    sampleOf: (made, wanted, unit) => ({
      unit: { state: output(before(unit)), output: output(made) },
      reference: output(wanted),
    }),
  });
}

// ---- Exact, checker ----

/** Packing of numbers, which gives the same bytes everywhere, as `exact/1`. */
export function packedNumbers(amount: Amount): CalibrationWork {
  const numbers = (unit: number): Buffer => {
    const dice = new Dice(unit);
    return Buffer.from(Array.from({ length: 400 }, () => dice.below(1000)).join(","));
  };
  const packed = (unit: number): Uint8Array => deflateSync(numbers(unit), { level: 9 });
  return workOf(amount, {
    model: "zlib, level 9",
    dtype: "int",
    verification: parseVerification({ method: "exact/1" }),
    least: 0,
    reference: packed,
    honest: packed,
    cheats: [
      ["cheaper (level 1)", (unit) => deflateSync(numbers(unit), { level: 1 })],
      ["one bit changed", (unit) => packed(unit).map((byte, at) => (at === unit % 50 ? byte ^ 1 : byte))],
    ],
    skipped: () => new Uint8Array(0),
    sampleOf: (made, wanted) => ({ unit: { output: made }, reference: wanted }),
  });
}

/** Square roots modulo a prime, which are dear to find and cheap to check, as `checker/1`. */
export function checkedRoots(amount: Amount): CalibrationWork {
  const PRIME = 1_000_003;
  const squareOf = (unit: number): number => {
    const root = 2 + new Dice(unit).below(PRIME - 3);
    return (root * root) % PRIME;
  };
  const rootOf = (unit: number): number => {
    // Of a prime that is 3 modulo 4.
    let [result, base] = [1n, BigInt(squareOf(unit))];
    for (let power = (PRIME + 1) / 4; power > 0; power = Math.floor(power / 2)) {
      if (power % 2 === 1) result = (result * base) % BigInt(PRIME);
      base = (base * base) % BigInt(PRIME);
    }
    return Number(result);
  };
  const program = (root: number, unit: number): Uint8Array => {
    const isRoot = Number((BigInt(root) * BigInt(root)) % BigInt(PRIME)) === squareOf(unit);
    return encodeReport({ exitCode: isRoot ? 0 : 1, message: "" });
  };
  return workOf(amount, {
    model: "an owner's program",
    dtype: "int",
    verification: parseVerification({ method: "checker/1", parameters: { program: `0x${"00".repeat(32)}` } }),
    least: 0,
    reference: () => 0,
    honest: (unit) => (unit % 2 === 0 ? rootOf(unit) : PRIME - rootOf(unit)),
    cheats: [["guessed", (unit) => new Dice(unit + 1e6).below(PRIME)]],
    skipped: () => 0,
    sampleOf: (made, _, unit) => ({
      unit: { output: new TextEncoder().encode(String(made)) },
      reference: program(made, unit),
    }),
  });
}

/** Every case that needs no model of its own, with what it is called. */
export const cases: Readonly<Record<string, (amount: Amount) => CalibrationWork>> = {
  exact: packedNumbers,
  checker: checkedRoots,
  "numeric fp32": (amount) => hiddenStates(amount, "fp32", "tensors"),
  "numeric bf16": (amount) => hiddenStates(amount, "bf16", "tensors"),
  "sketch fp32": (amount) => hiddenStates(amount, "fp32", "sketches"),
  "sketch bf16": (amount) => hiddenStates(amount, "bf16", "sketches"),
  "embedding fp32": (amount) => hiddenStates(amount, "fp32", "embedding"),
  "embedding bf16": (amount) => hiddenStates(amount, "bf16", "embedding"),
  "tokens fp32": (amount) => drawnTokens(amount, "fp32"),
  "tokens bf16": (amount) => drawnTokens(amount, "bf16"),
  "trajectory fp32": (amount) => denoisingSteps(amount, "fp32"),
  "trajectory bf16": (amount) => denoisingSteps(amount, "bf16"),
  "checkpoint fp32": trainingIntervals,
};
