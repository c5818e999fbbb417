import { messageOf, NeuraError } from "./errors.ts";

export interface FileFormat {
  /** What the file's `schema` must be: `neura/limits/1`. */
  readonly schema: string;
  /** What errors call the file. */
  readonly source: string;
  /** The code of the error. */
  readonly code: string;
  /** What to do about its faults. */
  readonly next: string;
  /** Then no error quotes it. */
  readonly hasSecrets?: boolean;
}

/** Reads a file of settings in JSON. Error: `code`, which names all faults at once. */
export function parseFields<T>(text: string, format: FileFormat, read: (file: Fields) => T): T {
  const { source, code, next } = format;
  const faults: string[] = [];
  const file = new Fields(parseJson(text, format), "", faults);
  file.is("schema", format.schema);
  const value = read(file);
  file.end();
  if (faults.length === 0) return value;
  throw new NeuraError(code, `${source} has ${faults.length} faults: ${faults.join("; ")}.`, { next });
}

function parseJson(text: string, { source, code, next, hasSecrets }: FileFormat): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (hasSecrets === true) throw new NeuraError(code, `${source} is not JSON.`, { next });
    throw new NeuraError(code, `${source} is not JSON: ${messageOf(error)}.`, { next, cause: error });
  }
}

/** The fields of one object; what is wrong with them is collected. */
export class Fields {
  readonly #values: Map<string, unknown>;
  readonly #absent = new Set<string>();
  readonly #where: string;
  readonly #faults: string[];

  constructor(value: unknown, where: string, faults: string[]) {
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    if (!isObject && value !== undefined) faults.push(`${where || "it"} is no object`);
    this.#values = new Map(isObject ? Object.entries(value) : []);
    this.#where = where;
    this.#faults = faults;
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  is(name: string, wanted: string): void {
    if (this.#take(name) !== wanted) this.#fault(name, `is not ${wanted}`);
  }

  /** A text that `read` takes; `what` is said of one that it does not, and of none where one is `required`. */
  text<T>(
    name: string,
    what: string,
    read: (text: string) => T | undefined,
    { required = false } = {},
  ): T | undefined {
    const value = this.#take(name);
    if (value === undefined && !required) return undefined;
    const taken = typeof value === "string" ? read(value) : undefined;
    if (taken === undefined) this.#fault(name, what);
    return taken;
  }

  truth(name: string): boolean | undefined {
    const value = this.#take(name);
    if (value === undefined || typeof value === "boolean") return value;
    this.#fault(name, "is neither true nor false");
    return undefined;
  }

  whole(name: string, { from = 0, to = Number.MAX_SAFE_INTEGER } = {}): number | undefined {
    const value = this.#take(name);
    const isWhole = typeof value === "number" && Number.isSafeInteger(value);
    if (value === undefined || (isWhole && value >= from && value <= to)) return value;
    this.#fault(name, `is no whole number from ${from}${to === Number.MAX_SAFE_INTEGER ? "" : ` to ${to}`}`);
    return undefined;
  }

  /** A number above 0 that need not be whole: a measurement. */
  measure(name: string): number | undefined {
    const value = this.#take(name);
    if (value === undefined || (typeof value === "number" && Number.isFinite(value) && value > 0))
      return value;
    this.#fault(name, "is no number above 0");
    return undefined;
  }

  /** A number that need not be whole. */
  number(name: string, { from = 0, to = Number.MAX_VALUE } = {}): number | undefined {
    const value = this.#take(name);
    if (value === undefined || (typeof value === "number" && value >= from && value <= to)) return value;
    this.#fault(name, `is no number from ${from}${to === Number.MAX_VALUE ? "" : ` to ${to}`}`);
    return undefined;
  }

  /** Amounts are text, since JSON's numbers are not exact. */
  amount(name: string): bigint | undefined {
    const value = this.#take(name);
    if (value === undefined) return undefined;
    if (typeof value === "string" && /^\d{1,30}$/.test(value)) return BigInt(value);
    this.#fault(name, 'is no amount in wei as text, such as "1000"');
    return undefined;
  }

  names(name: string, read: (text: string) => string | undefined): string[] | undefined {
    const value = this.#take(name);
    if (value === undefined) return undefined;
    if (!Array.isArray(value)) return this.#fault(name, "is no list");
    return value.flatMap((each: unknown) => {
      const text = typeof each === "string" ? read(each) : undefined;
      return text ?? this.#fault(name, `has ${JSON.stringify(each)}, which does not belong there`);
    });
  }

  object(name: string): Fields {
    return new Fields(this.#take(name), this.#path(name), this.#faults);
  }

  objects(name: string, { atMost = Infinity } = {}): Fields[] | undefined {
    const value = this.#take(name);
    if (value === undefined) return undefined;
    if (!Array.isArray(value)) return this.#fault(name, "is no list");
    if (value.length > atMost) return this.#fault(name, `has ${value.length} entries, more than ${atMost}`);
    return value.map(
      (each: unknown, index) => new Fields(each, `${this.#path(name)}[${index}]`, this.#faults),
    );
  }

  /** What was read of a field that must be there; `instead` where it is not, for what its faults make useless. */
  required<T>(name: string, read: T | undefined, instead: T): T {
    if (this.#absent.has(name)) this.#fault(name, "is missing");
    return read ?? instead;
  }

  /** Whatever has not been asked for is unknown. */
  end(): void {
    for (const name of this.#values.keys()) this.#fault(name, "is unknown");
  }

  /** Says what else is wrong with the object. */
  fault(what: string): void {
    this.#faults.push(`${this.#where || "it"} ${what}`);
  }

  #take(name: string): unknown {
    if (!this.#values.has(name)) this.#absent.add(name);
    const value = this.#values.get(name);
    this.#values.delete(name);
    return value;
  }

  #path(name: string): string {
    return this.#where === "" ? name : `${this.#where}.${name}`;
  }

  #fault(name: string, what: string): never[] {
    this.#faults.push(`${this.#path(name)} ${what}`);
    return [];
  }
}
