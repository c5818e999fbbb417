/** How often a service that ended may be started again, and how soon. */
export interface RestartPolicy {
  /** At most so many times within the window. */
  readonly most: number;
  readonly windowSeconds: number;
  /** Before the first one; twice as long before each further one within the window [ms]. */
  readonly backoffMs: number;
  /** What lives but has shown nothing of that for so long has ended too [ms]. */
  readonly hangMs: number;
}

export const RESTARTS: RestartPolicy = { most: 5, windowSeconds: 600, backoffMs: 250, hangMs: 30_000 };

/** Counts restarts by their policy. */
export class Restarts {
  readonly #policy: RestartPolicy;
  #recent: number[] = [];

  constructor(policy: RestartPolicy) {
    this.#policy = policy;
  }

  /**
   * Takes one.
   *
   * @param now of a clock that never goes back [ms]
   * @returns how long to wait before it [ms]; undefined where there have been too many
   */
  take(now: number): number | undefined {
    const { most, windowSeconds, backoffMs } = this.#policy;
    this.#recent = this.#recent.filter((at) => now - at < windowSeconds * 1000);
    if (this.#recent.length >= most) return undefined;
    return backoffMs * 2 ** (this.#recent.push(now) - 1);
  }
}
