import { readFile } from "node:fs/promises";

import { type Fields, parseFields } from "../../fields.ts";
import { writeJson } from "../../market/records.ts";

/** One place that is promised to a task. */
interface Promised {
  readonly task: string;
  readonly nonce: bigint;
  /** The last second at which it is [Unix s]. */
  readonly untilSeconds: number;
}

interface State {
  readonly next: bigint;
  /** Of the places; while fewer are free, the first ones count. */
  readonly nonces: readonly bigint[];
  readonly promised: readonly Promised[];
}

const SCHEMA = "neura/quote-places/1";
/** Beyond these nobody is promised anything. */
const MAX_PROMISED = 10_000;

/**
 * The nonces of quotes. Each names one free place of the node, so a place can be promised to several owners: the first
 * on the chain has it, and the contract refuses the others. A nonce is replaced when it was used, and when the last
 * promise under it is over. What is promised is on disk first.
 */
export class Places {
  readonly #path: string;
  #state: State;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(path: string, state: State) {
    this.#path = path;
    this.#state = state;
  }

  /** Error: `quotes.invalid`. */
  static async open(path: string): Promise<Places> {
    const text = await readFile(path, "utf8").catch((error: unknown) => {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
      throw error;
    });
    const next = "Move the file away; quotes that are out may then be refused on the chain.";
    const format = { schema: SCHEMA, source: path, code: "quotes.invalid", next };
    return new Places(path, text === undefined ? emptyState() : parseFields(text, format, readState));
  }

  /**
   * The nonce under which a task is promised a place until `untilSeconds`, of `free` that there are now; nothing if
   * there is none. A task that is asked about again has the same one.
   */
  async promise(
    task: string,
    { free, nowSeconds, untilSeconds }: { free: number; nowSeconds: number; untilSeconds: number },
  ): Promise<bigint | undefined> {
    return await this.#change((state) => {
      const live = state.promised.filter((each) => each.untilSeconds >= nowSeconds);
      let { next } = state;
      const counts = new Map<bigint, number>();
      for (const { nonce } of live) counts.set(nonce, (counts.get(nonce) ?? 0) + 1);
      const wasPromised = new Set(state.promised.map(({ nonce }) => nonce));
      const nonces = state.nonces.filter((nonce) => counts.has(nonce) || !wasPromised.has(nonce));
      while (nonces.length < free) nonces.push(next++);
      const known = live.find((each) => each.task === task)?.nonce;
      const [least] = nonces
        .slice(0, free)
        .toSorted((one, other) => (counts.get(one) ?? 0) - (counts.get(other) ?? 0));
      const nonce = free > 0 && live.length < MAX_PROMISED ? (known ?? least) : undefined;
      const others = live.filter((each) => each.task !== task || nonce === undefined);
      const promised = nonce === undefined ? others : [...others, { task, nonce, untilSeconds }];
      return { state: { next, nonces, promised }, value: nonce };
    });
  }

  /** The task is on the chain: if it was promised a place, that is taken now. Says whether it was. */
  async take(task: string): Promise<boolean> {
    const found = this.#state.promised.find((each) => each.task === task);
    if (found === undefined) return false;
    return await this.#change((state) => ({
      state: {
        next: state.next,
        nonces: state.nonces.filter((nonce) => nonce !== found.nonce),
        promised: state.promised.filter(({ nonce }) => nonce !== found.nonce),
      },
      value: true,
    }));
  }

  /** One change at a time, on disk before it counts. */
  async #change<T>(step: (state: State) => { state: State; value: T }): Promise<T> {
    const change = this.#last.then(async () => {
      const { state, value } = step(this.#state);
      await writeJson(this.#path, { schema: SCHEMA, ...state });
      this.#state = state;
      return value;
    });
    this.#last = change.catch(() => undefined);
    return await change;
  }
}

function emptyState(): State {
  // Whatever this node signed before it lost its file is below.
  return { next: BigInt(Math.floor(Date.now() / 1000)) << 16n, nonces: [], promised: [] };
}

function readState(file: Fields): State {
  return {
    next: file.required("next", file.amount("next"), 0n),
    nonces: file.required("nonces", file.names("nonces", nonceIn), []).map((text) => BigInt(text)),
    promised: file.required("promised", file.objects("promised"), []).map((each) => ({
      task: each.required("task", each.text("task", "is no id", idIn), ""),
      nonce: each.required("nonce", each.amount("nonce"), 0n),
      untilSeconds: each.required("untilSeconds", each.whole("untilSeconds"), 0),
    })),
  };
}

function nonceIn(text: string): string | undefined {
  return /^\d{1,30}$/.test(text) ? text : undefined;
}

function idIn(text: string): string | undefined {
  return /^0x[0-9a-f]{64}$/.test(text) ? text : undefined;
}
