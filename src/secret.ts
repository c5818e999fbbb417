const REDACTED = "[secret]";

/**
 * A value that must not leave the process: printing, interpolating, serialising or inspecting it yields
 * `[secret]`. Only {@link Secret.reveal} gives the value, so every use is found by searching for that name.
 */
export class Secret<T> {
  readonly #value: T;

  constructor(value: T) {
    this.#value = value;
  }

  reveal(): T {
    return this.#value;
  }

  toString(): string {
    return REDACTED;
  }

  toJSON(): string {
    return REDACTED;
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return REDACTED;
  }
}
