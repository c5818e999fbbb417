import { type Precision, reduceWeights, toBf16 } from "./weights.ts";

/** How numbers are computed: what honest machines differ in. */
export interface Arithmetic {
  /** Sums are split into so many parts, as threads and kernels do; each order rounds in its own way. */
  readonly parts: number;
  /** Format of weights and of what layers hand on; sums are fp32 in both. */
  readonly dtype: "fp32" | "bf16";
}

/** What cheats leave out. */
export interface Savings {
  /** Weights in fewer bits than promised. */
  readonly precision?: Precision | undefined;
  /** Noise on the weights, as a share of their size: another fine-tune of the same model. */
  readonly noise?: number | undefined;
  /** The last layers are left out. */
  readonly droppedLayers?: number | undefined;
  /** The share of the inner neurons that is pruned: a smaller model of the same shape. */
  readonly pruned?: number | undefined;
}

export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly weights: Float32Array;
}

/** Park and Miller's generator, as uniform numbers in (0, 1). */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = 1 + (Math.abs(Math.imul(seed + 1, 0x9e3779b1)) % 2_147_483_645);
    // Near seeds begin alike.
    for (let round = 0; round < 4; round++) this.uniform();
  }

  uniform(): number {
    this.#state = (this.#state * 48_271) % 2_147_483_647;
    return this.#state / 2_147_483_647;
  }

  below(end: number): number {
    return Math.floor(this.uniform() * end);
  }

  normal(): number {
    return Math.sqrt(-2 * Math.log(this.uniform())) * Math.cos(2 * Math.PI * this.uniform());
  }
}

/** Random weights of unit gain, some columns much larger, as trained networks have them. */
export function randomMatrix(rows: number, columns: number, dice: Dice): Matrix {
  const scale = Array.from(
    { length: columns },
    (_, column) => (column % 29 === 7 ? 4 : 1) / Math.sqrt(columns),
  );
  const weights = Float32Array.from(
    { length: rows * columns },
    (_, at) => dice.normal() * (scale[at % columns] ?? 0),
  );
  return { rows, columns, weights };
}

/** The same weights, cheaper. */
export function savedMatrix(matrix: Matrix, { precision, noise }: Savings, dice: Dice): Matrix {
  const weights = Float32Array.from(matrix.weights);
  if (precision !== undefined) reduceWeights(weights, matrix.columns, precision);
  if (noise !== undefined)
    for (let at = 0; at < weights.length; at++)
      weights[at] = (weights[at] ?? 0) * (1 + noise * dice.normal());
  return { ...matrix, weights };
}

/** matrix * vector, each sum in fp32 and in the parts of the arithmetic. */
export function times(
  { rows, columns, weights }: Matrix,
  vector: Float32Array,
  { parts, dtype }: Arithmetic,
): Float32Array {
  const result = new Float32Array(rows);
  const length = Math.ceil(columns / parts);
  for (let row = 0; row < rows; row++) {
    let total = 0;
    for (let from = 0; from < columns; from += length) {
      let sum = 0;
      const end = Math.min(columns, from + length);
      for (let at = from; at < end; at++)
        sum = Math.fround(sum + Math.fround((weights[row * columns + at] ?? 0) * (vector[at] ?? 0)));
      total = Math.fround(total + sum);
    }
    result[row] = total;
  }
  return dtype === "bf16" ? rounded(result) : result;
}

export function rounded(values: Float32Array): Float32Array {
  for (let at = 0; at < values.length; at++) values[at] = toBf16(values[at] ?? 0);
  return values;
}
