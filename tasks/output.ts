import { isNeuraError, messageOf, NeuraError } from "../src/errors.ts";
import { explainRefusal } from "../src/market/context.ts";

/** What scripts read from a command's exit code. */
export const EXIT = { done: 0, failed: 1, wrongUse: 2, timedOut: 3, noResult: 4, interrupted: 130 } as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** What a command found or did. */
export interface CommandResult {
  /** The fields of the JSON object, beside its schema. Whole numbers of any size are written as decimal strings. */
  readonly data: Readonly<Record<string, unknown>>;
  /** The same for people. */
  readonly text: string;
  /** Default: done. */
  readonly exitCode?: ExitCode;
}

/** How a command speaks: the result alone goes to stdout, everything else to stderr. */
export class Output {
  readonly json: boolean;
  readonly #stdout: (text: string) => void;
  readonly #stderr: (text: string) => void;

  constructor({
    json,
    stdout,
    stderr,
  }: {
    json: boolean;
    stdout: (text: string) => void;
    stderr: (text: string) => void;
  }) {
    this.json = json;
    this.#stdout = stdout;
    this.#stderr = stderr;
  }

  /** A line for people. */
  note(line: string): void {
    this.#stderr(`${line}\n`);
  }

  /** Lines that end as lines do. */
  log(lines: string): void {
    this.#stderr(lines);
  }

  /** Runs something that may be slow: says what it is, and afterwards how long it took if that was over a second. */
  async step<T>(title: string, work: () => Promise<T>): Promise<T> {
    this.note(`${title} …`);
    const start = performance.now();
    const value = await work();
    const seconds = (performance.now() - start) / 1000;
    if (seconds > 1) this.note(`  done in ${seconds.toFixed(1)} s`);
    return value;
  }

  result(schema: string, { data, text }: CommandResult): void {
    this.#stdout(`${this.json ? toJson({ schema, ...data }) : text}\n`);
  }

  error(schema: string, error: NeuraError): void {
    if (this.json) this.#stdout(`${toJson({ schema, error })}\n`);
    this.note(`Error: ${error.message}`);
    if (error.next !== undefined) this.note(error.next);
  }
}

/** Lines of `label  value`, aligned. */
export function fields(rows: readonly (readonly [label: string, value: string | number | bigint])[]): string {
  const width = Math.max(...rows.map(([label]) => label.length));
  return rows.map(([label, value]) => `${label.padEnd(width)}  ${value}`).join("\n");
}

/** Columns below their heads; those that `right` names are aligned there. */
export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  { right = [] }: { right?: readonly string[] } = {},
): string {
  const lines = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines
    .map((line) =>
      line
        .map((cell, column) => {
          const width = widths[column] ?? 0;
          return right.includes(head[column] ?? "") ? cell.padStart(width) : cell.padEnd(width);
        })
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** `value` as JSON, bigints as decimal strings. */
export function toJson(value: unknown): string {
  return JSON.stringify(value, (_, each: unknown) => (typeof each === "bigint" ? each.toString() : each), 2);
}

/** The exit code that belongs to an error. */
export function exitCodeOf({ code }: NeuraError): ExitCode {
  if (code.startsWith("usage.")) return EXIT.wrongUse;
  if (code === "interrupted") return EXIT.interrupted;
  if (code === "task.no-result") return EXIT.noResult;
  return /[.-](?:timeout|timed-out)$/.test(code) ? EXIT.timedOut : EXIT.failed;
}

/** Anything thrown, as the library's error. */
export function toNeuraError(thrown: unknown): NeuraError {
  const error = explainRefusal(thrown);
  if (isNeuraError(error)) return error;
  const { code, shortMessage, formattedMessage } = errorFields(error);
  if (code === "INSUFFICIENT_FUNDS") {
    return new NeuraError(
      "wallet.insufficient-funds",
      "The account cannot pay for this transaction and its gas.",
      {
        next: "See what it has with `wallet balance`, and send the chain's coin to it.",
        cause: error,
      },
    );
  }
  if (code === "NETWORK_ERROR" || code === "TIMEOUT" || code === "SERVER_ERROR") {
    return new NeuraError(
      "network.unreachable",
      `The network does not answer: ${shortMessage ?? messageOf(error)}.`,
      {
        next: "Check the connection and NEURA_RPC_URL, and run the command again.",
        cause: error,
      },
    );
  }
  return new NeuraError("unexpected", formattedMessage ?? shortMessage ?? messageOf(error), { cause: error });
}

interface ErrorFields {
  code?: string;
  shortMessage?: string;
  formattedMessage?: string;
}

function errorFields(error: unknown): ErrorFields {
  if (typeof error !== "object" || error === null) return {};
  const text = (name: string) => {
    const value: unknown = Reflect.get(error, name);
    return typeof value === "string" ? { [name]: value } : {};
  };
  return {
    ...text("code"),
    ...text("shortMessage"),
    ...text("formattedMessage"),
  };
}
