import type { CheckedTokens, DrawnTokens } from "../../../src/verify/methods/tokens.ts";
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

const LAYERS = 2;
export const WIDTH = 64;
const HEADS = 4;
const INNER = 192;
export const VOCABULARY = 256;

interface Layer {
  readonly query: Matrix;
  readonly key: Matrix;
  readonly value: Matrix;
  readonly out: Matrix;
  readonly up: Matrix;
  readonly down: Matrix;
}

interface Weights {
  readonly embedding: Matrix;
  readonly layers: readonly Layer[];
  readonly head: Matrix;
}

/** A small language model with random weights: 2 layers, 64 wide. What it says is nonsense, how it rounds is not. */
export class Transformer {
  readonly #weights: Weights;
  readonly #arithmetic: Arithmetic;

  constructor(arithmetic: Arithmetic, savings: Savings = {}) {
    this.#arithmetic = arithmetic;
    this.#weights = weightsOf(arithmetic, savings);
  }

  /** The last hidden states of all tokens, one after the other. */
  hidden(tokens: readonly number[]): Float32Array {
    const run = this.#start();
    const states = new Float32Array(tokens.length * WIDTH);
    tokens.forEach((token, at) => states.set(run(token), at * WIDTH));
    return states;
  }

  /** Log-probabilities of the next token [nats]. */
  logProbs(hidden: Float32Array): Float64Array {
    const logits = times(this.#weights.head, hidden, this.#arithmetic);
    const most = logits.reduce((largest, logit) => Math.max(largest, logit), -Infinity);
    let sum = 0;
    for (const logit of logits) sum += Math.exp(logit - most);
    return Float64Array.from(logits, (logit) => logit - most - Math.log(sum));
  }

  /** Draws `count` tokens after the prompt, by the seed. */
  draw(prompt: readonly number[], count: number, seed: number): DrawnTokens {
    const run = this.#start();
    const [tokens, logProbs]: [number[], number[]] = [[], []];
    let hidden: Float32Array = new Float32Array(WIDTH);
    for (const token of prompt) hidden = run(token);
    while (tokens.length < count) {
      const likely = this.logProbs(hidden);
      const token = indexOfMost(noised(likely, seed, tokens.length));
      tokens.push(token);
      logProbs.push(likely[token] ?? 0);
      hidden = run(token);
    }
    return { tokens, logProbs };
  }

  /** One pass over a prompt and the tokens that somebody says it drew after it. */
  check(prompt: readonly number[], claimed: readonly number[], seed: number): CheckedTokens {
    const states = this.hidden([...prompt, ...claimed]);
    const [tokens, logProbs, margins]: [number[], number[], number[]] = [[], [], []];
    for (const [at, token] of claimed.entries()) {
      const from = (prompt.length - 1 + at) * WIDTH;
      const likely = this.logProbs(states.subarray(from, from + WIDTH));
      const scores = noised(likely, seed, at);
      const best = indexOfMost(scores);
      tokens.push(best);
      logProbs.push(likely[token] ?? 0);
      margins.push((scores[best] ?? 0) - (scores[token] ?? 0));
    }
    return { tokens, logProbs, margins };
  }

  /** A function that takes one token after the other and gives its last hidden state. */
  #start(): (token: number) => Float32Array {
    const { embedding, layers } = this.#weights;
    const arithmetic = this.#arithmetic;
    const caches = layers.map(() => ({ keys: [] as Float32Array[], values: [] as Float32Array[] }));
    const multiply = (matrix: Matrix, vector: Float32Array): Float32Array =>
      times(matrix, vector, arithmetic);
    return (token) => {
      let state: Float32Array = embedding.weights.slice(token * WIDTH, (token + 1) * WIDTH);
      for (const [index, layer] of layers.entries()) {
        const cache = caches[index];
        if (cache === undefined) continue;
        const normal = normalised(state);
        cache.keys.push(multiply(layer.key, normal));
        cache.values.push(multiply(layer.value, normal));
        const seen = attend(multiply(layer.query, normal), cache, arithmetic);
        state = sumOf(state, multiply(layer.out, seen), arithmetic);
        const inner = multiply(layer.up, normalised(state)).map(
          (value) => value / (1 + Math.exp(-1.702 * value)),
        );
        state = sumOf(state, multiply(layer.down, inner), arithmetic);
      }
      return normalised(state);
    };
  }
}

function weightsOf({ dtype }: Arithmetic, savings: Savings): Weights {
  const dice = new Dice(7);
  const noise = new Dice(8);
  const made = (rows: number, columns: number): Matrix => {
    const matrix = randomMatrix(rows, columns, dice);
    if (dtype === "bf16") rounded(matrix.weights);
    const saved = savedMatrix(matrix, savings, noise);
    return dtype === "bf16" ? { ...saved, weights: rounded(saved.weights) } : saved;
  };
  const embedding = made(VOCABULARY, WIDTH);
  const layers = Array.from({ length: LAYERS }, (): Layer => {
    const [query, key, value, out] = [
      made(WIDTH, WIDTH),
      made(WIDTH, WIDTH),
      made(WIDTH, WIDTH),
      made(WIDTH, WIDTH),
    ];
    const [up, down] = [made(INNER, WIDTH), made(WIDTH, INNER)];
    // Neurons without a weight upwards hand nothing on.
    if (savings.pruned !== undefined) up.weights.fill(0, Math.round(INNER * (1 - savings.pruned)) * WIDTH);
    return { query, key, value, out, up, down };
  });
  const head = made(VOCABULARY, WIDTH);
  return { embedding, layers: layers.slice(0, LAYERS - (savings.droppedLayers ?? 0)), head };
}

function attend(
  query: Float32Array,
  { keys, values }: { keys: readonly Float32Array[]; values: readonly Float32Array[] },
  { dtype }: Arithmetic,
): Float32Array {
  const size = WIDTH / HEADS;
  const result = new Float32Array(WIDTH);
  for (let from = 0; from < WIDTH; from += size) {
    const scores = keys.map((key) => {
      let sum = 0;
      for (let at = from; at < from + size; at++)
        sum = Math.fround(sum + Math.fround((query[at] ?? 0) * (key[at] ?? 0)));
      return sum / Math.sqrt(size);
    });
    const most = Math.max(...scores);
    const shares = scores.map((score) => Math.fround(Math.exp(score - most)));
    const total = shares.reduce((sum, share) => sum + share, 0);
    for (let at = from; at < from + size; at++) {
      let sum = 0;
      shares.forEach(
        (share, index) =>
          (sum = Math.fround(sum + Math.fround((share / total) * (values[index]?.[at] ?? 0)))),
      );
      result[at] = sum;
    }
  }
  return dtype === "bf16" ? rounded(result) : result;
}

function normalised(state: Float32Array): Float32Array {
  let square = 0;
  for (const value of state) square += value * value;
  const scale = Math.sqrt(state.length / (square + 1e-6));
  return state.map((value) => value * scale);
}

function sumOf(one: Float32Array, other: Float32Array, { dtype }: Arithmetic): Float32Array {
  const sum = one.map((value, at) => value + (other[at] ?? 0));
  return dtype === "bf16" ? rounded(sum) : sum;
}

/** Gumbel noise: the largest sum is drawn with the probabilities given. */
function noised(logProbs: Float64Array, seed: number, at: number): Float64Array {
  const dice = new Dice(seed * 65_537 + at);
  return logProbs.map((logProb) => logProb - Math.log(-Math.log(dice.uniform())));
}

function indexOfMost(values: Float64Array): number {
  let best = 0;
  for (let at = 1; at < values.length; at++) if ((values[at] ?? 0) > (values[best] ?? 0)) best = at;
  return best;
}
