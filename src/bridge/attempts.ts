import { setTimeout as sleep } from "node:timers/promises";

import { type Abortable, unlessAborted } from "../abort.ts";
import { isNeuraError, messageOf } from "../errors.ts";
import type { NodeEvent } from "../provider/log.ts";

/** How often something is done again, and what ends that. */
export interface Rounds {
  /** The pause between two rounds [ms]. */
  readonly pollMs: number;
  readonly signal: AbortSignal;
}

/** Does something again and again, until the signal aborts. */
export async function rounds(
  { pollMs, signal }: Rounds,
  round: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  try {
    for (;;) {
      signal.throwIfAborted();
      await round(signal);
      await sleep(pollMs, undefined, { signal });
    }
  } catch (error) {
    const isOver: boolean = signal.aborted;
    if (!isOver) throw error;
  }
}

/** Work from one chain to another that is tried again and again: what goes wrong is said once, and kept until it goes well. */
export class Attempts {
  readonly #chains: { readonly from: number; readonly to: number };
  readonly #emit: (event: NodeEvent) => void;
  #trouble: string | undefined;

  constructor(chains: { from: number; to: number }, emit: (event: NodeEvent) => void) {
    this.#chains = chains;
    this.#emit = emit;
  }

  /** The code of what went wrong the last time. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** Tries once, and gives up waiting when the signal aborts: a node that never answers holds nobody up. */
  async attempt(work: () => Promise<void>, { signal }: Abortable): Promise<void> {
    try {
      await unlessAborted(work(), signal);
      if (this.#trouble !== undefined) this.#emit({ level: "info", event: "recovered", ...this.#chains });
      this.#trouble = undefined;
    } catch (error) {
      if (signal?.aborted === true) return;
      const code = isNeuraError(error) ? error.code : "unexpected";
      const message = messageOf(error);
      if (this.#trouble !== code)
        this.#emit({ level: "error", event: "trouble", ...this.#chains, code, message });
      this.#trouble = code;
    }
  }
}
