import { type Arithmetic, Dice, type Matrix, randomMatrix, rounded, times } from "./arithmetic.ts";

const INPUTS = 16;
const INNER = 32;
const OUTPUTS = 4;
const BATCH = 8;
const RATE = 0.05;
/** Updates between two checkpoints. */
export const INTERVAL = 10;

export interface Checkpoint {
  readonly first: Matrix;
  readonly second: Matrix;
  readonly loss: number;
}

export interface Interval extends Arithmetic {
  /** Default: all of them. */
  readonly steps?: number | undefined;
  /** Data of another task, or a part of the task's repeated. */
  readonly data?: number | undefined;
  readonly batch?: number | undefined;
}

export function firstCheckpoint(seed: number): Checkpoint {
  const dice = new Dice(seed + 31);
  return { first: randomMatrix(INNER, INPUTS, dice), second: randomMatrix(OUTPUTS, INNER, dice), loss: 0 };
}

/** One interval of gradient descent: a network of two layers learns what another one says. */
export function train(from: Checkpoint, interval: number, options: Interval): Checkpoint {
  const { steps = INTERVAL, data = 0, batch = BATCH } = options;
  const teacher = firstCheckpoint(-20 - data);
  let [first, second] = [from.first, from.second];
  let loss = 0;
  for (let step = 0; step < steps; step++) {
    const gradients = {
      first: new Float32Array(first.weights.length),
      second: new Float32Array(second.weights.length),
    };
    loss = 0;
    for (let index = 0; index < batch; index++) {
      const dice = new Dice((interval * INTERVAL + step) * BATCH + index + 1000 * data);
      const input = Float32Array.from({ length: INPUTS }, () => dice.normal());
      const wanted = forward(teacher, input, options).output;
      const { inner, output } = forward({ first, second }, input, options);
      const error = output.map((value, at) => value - (wanted[at] ?? 0));
      for (const value of error) loss = Math.fround(loss + value * value);
      for (let row = 0; row < OUTPUTS; row++)
        for (let at = 0; at < INNER; at++)
          add(gradients.second, row * INNER + at, (error[row] ?? 0) * (inner[at] ?? 0));
      const back = times(transposed(second), error, options);
      for (let row = 0; row < INNER; row++) {
        const slope = (back[row] ?? 0) * (1 - (inner[row] ?? 0) ** 2);
        for (let at = 0; at < INPUTS; at++) add(gradients.first, row * INPUTS + at, slope * (input[at] ?? 0));
      }
    }
    first = descended(first, gradients.first, batch, options);
    second = descended(second, gradients.second, batch, options);
  }
  return { first, second, loss: loss / batch };
}

function forward(
  { first, second }: Pick<Checkpoint, "first" | "second">,
  input: Float32Array,
  arithmetic: Arithmetic,
): { inner: Float32Array; output: Float32Array } {
  const inner = times(first, input, arithmetic).map((value) => Math.tanh(value));
  return { inner, output: times(second, inner, arithmetic) };
}

function descended(matrix: Matrix, gradient: Float32Array, batch: number, { dtype }: Arithmetic): Matrix {
  const weights = matrix.weights.map((weight, at) => weight - (RATE / batch) * (gradient[at] ?? 0));
  return { ...matrix, weights: dtype === "bf16" ? rounded(weights) : weights };
}

function transposed({ rows, columns, weights }: Matrix): Matrix {
  const turned = Float32Array.from({ length: weights.length }, (_, at) => {
    const [row, column] = [at % rows, Math.floor(at / rows)];
    return weights[row * columns + column] ?? 0;
  });
  return { rows: columns, columns: rows, weights: turned };
}

function add(values: Float32Array, at: number, value: number): void {
  values[at] = (values[at] ?? 0) + value;
}
