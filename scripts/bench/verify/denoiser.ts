import {
  type Arithmetic,
  Dice,
  type Matrix,
  randomMatrix,
  rounded,
  savedMatrix,
  type Savings,
  times,
} from "./arithmetic.ts";

/** Numbers of a picture of 8 x 8. */
export const PIXELS = 64;
const INNER = 192;
const BLOCKS = 3;
/** Steps from noise to a picture. */
export const STEPS = 20;

/** A small denoiser with random weights, which takes a step of DDIM. */
export class Denoiser {
  readonly #blocks: readonly { readonly up: Matrix; readonly down: Matrix }[];
  readonly #arithmetic: Arithmetic;

  constructor(arithmetic: Arithmetic, savings: Savings = {}) {
    this.#arithmetic = arithmetic;
    const [dice, noise] = [new Dice(17), new Dice(18)];
    const made = (rows: number, columns: number): Matrix => {
      const matrix = savedMatrix(randomMatrix(rows, columns, dice), savings, noise);
      if (arithmetic.dtype === "bf16") rounded(matrix.weights);
      return matrix;
    };
    const blocks = Array.from({ length: BLOCKS }, () => {
      const [up, down] = [made(INNER, PIXELS + 2), made(PIXELS, INNER)];
      if (savings.pruned !== undefined)
        up.weights.fill(0, Math.round(INNER * (1 - savings.pruned)) * up.columns);
      return { up, down };
    });
    this.#blocks = blocks.slice(0, BLOCKS - (savings.droppedLayers ?? 0));
  }

  /** The state after step `step` of the state before it. */
  next(state: Float32Array, step: number): Float32Array {
    const [now, then] = [signalAt(step), signalAt(step + 1)];
    const noise = this.#noiseIn(state, step);
    return state.map((value, at) => {
      const picture = (value - Math.sqrt(1 - now) * (noise[at] ?? 0)) / Math.sqrt(now);
      return Math.sqrt(then) * picture + Math.sqrt(1 - then) * (noise[at] ?? 0);
    });
  }

  #noiseIn(state: Float32Array, step: number): Float32Array {
    let hidden = state;
    for (const { up, down } of this.#blocks) {
      const input = Float32Array.from([...hidden, Math.sin(step), Math.cos(step)]);
      const inner = times(up, input, this.#arithmetic).map((value) => Math.tanh(value));
      const change = times(down, inner, this.#arithmetic);
      hidden = hidden.map((value, at) => (value + (change[at] ?? 0)) / Math.SQRT2);
    }
    return hidden;
  }
}

/** The share of the picture in the state before this step. */
function signalAt(step: number): number {
  return Math.cos(((1 - step / STEPS) * 0.97 * Math.PI) / 2) ** 2;
}

export function startState(seed: number): Float32Array {
  const dice = new Dice(seed);
  return Float32Array.from({ length: PIXELS }, () => dice.normal());
}
