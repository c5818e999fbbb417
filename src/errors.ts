/**
 * The one error of the library: a stable code for programs, a short sentence for people, what to do next, and
 * the cause. The command line prints all of it; `--json` carries `toJSON()`.
 */
export class NeuraError extends Error {
  override readonly name = "NeuraError";
  /** Stable, dotted, lower case: `storage.not-found`, `envelope.tampered`. */
  readonly code: string;
  /** What the reader can do now, as an imperative sentence. */
  readonly next: string | undefined;
  /** Values that explain the message: amounts in wei, ids, addresses. Never a secret. */
  readonly details: Readonly<Record<string, string | number | boolean | bigint>>;

  constructor(
    code: string,
    message: string,
    options: {
      next?: string;
      cause?: unknown;
      details?: Record<string, string | number | boolean | bigint>;
    } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.next = options.next;
    this.details = options.details ?? {};
  }

  toJSON(): {
    code: string;
    message: string;
    next?: string;
    details: Record<string, string | number | boolean>;
  } {
    const details = Object.fromEntries(
      Object.entries(this.details).map(([key, value]) => [
        key,
        typeof value === "bigint" ? value.toString() : value,
      ]),
    );
    return { code: this.code, message: this.message, ...(this.next ? { next: this.next } : {}), details };
  }
}

/** Whether `error` is a {@link NeuraError}, optionally with this code. */
export function isNeuraError(error: unknown, code?: string): error is NeuraError {
  return error instanceof NeuraError && (code === undefined || error.code === code);
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
