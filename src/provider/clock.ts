import { NeuraError } from "../errors.ts";

const LOOK_MS = 250;

/**
 * The chain's time. Deadlines are the chain's, and this machine's clock may be wrong: between two blocks only the
 * time since the newer one came is added.
 */
export class ChainClock {
  #timestamp = 0;
  #seenAt = 0;

  /** A block with this time is the newest [Unix s]. */
  set(timestamp: number): void {
    if (timestamp === this.#timestamp) return;
    this.#timestamp = timestamp;
    this.#seenAt = performance.now();
  }

  /** [Unix s] */
  now(): number {
    return this.#timestamp + Math.floor((performance.now() - this.#seenAt) / 1000);
  }

  /** Does work whose signal aborts with `provider.late` when the chain's time has passed `seconds`. */
  async before<T>(
    seconds: number,
    signal: AbortSignal,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const late = new AbortController();
    const look = (): void => {
      if (this.now() > seconds) {
        late.abort(
          new NeuraError("provider.late", `It could not be done until ${seconds} of the chain's time.`),
        );
      }
    };
    look();
    signal.throwIfAborted();
    late.signal.throwIfAborted();
    const timer = setInterval(look, LOOK_MS);
    try {
      return await work(AbortSignal.any([signal, late.signal]));
    } catch (error) {
      // Whatever the work made of the abort, its reason tells more.
      signal.throwIfAborted();
      late.signal.throwIfAborted();
      throw error;
    } finally {
      clearInterval(timer);
    }
  }
}
