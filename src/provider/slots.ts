/** A number of places for work; of those that wait, the one with the earliest deadline comes first. */
export class Slots {
  #free: number;
  readonly #waiting: { deadline: number; enter: () => void }[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  /** Waits for a place; what it resolves to gives the place back. Rejects with the signal's reason. */
  async acquire(deadline: number, signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    if (this.#free <= 0) {
      await new Promise<void>((resolve, reject) => {
        const place = { deadline, enter: resolve };
        this.#waiting.push(place);
        const leave = (): void => {
          const index = this.#waiting.indexOf(place);
          if (index < 0) return;
          this.#waiting.splice(index, 1);
          const reason: unknown = signal.reason;
          reject(reason instanceof Error ? reason : new Error(String(reason)));
        };
        signal.addEventListener("abort", leave, { once: true });
      });
    }
    return this.take();
  }

  /** Takes a place if one is free and nobody waits for it. */
  tryTake(): (() => void) | undefined {
    return this.#free > 0 && this.#waiting.length === 0 ? this.take() : undefined;
  }

  /** Takes a place though there may be none: for work that is going on already. */
  take(): () => void {
    this.#free -= 1;
    let isTaken = true;
    return () => {
      if (!isTaken) return;
      isTaken = false;
      this.#free += 1;
      if (this.#free <= 0) return;
      this.#waiting.sort((one, other) => one.deadline - other.deadline);
      this.#waiting.shift()?.enter();
    };
  }
}
