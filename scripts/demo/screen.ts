import Table from "cli-table3";

import type { NeuraError } from "../../src/errors.ts";
import { toJson } from "../../tasks/output.ts";

/** What the demo shows: to people on stdout, or on stderr beside one JSON object on stdout. */
export class Screen {
  readonly #json: boolean;
  readonly #out: NodeJS.WriteStream;
  #since: number | undefined;
  #hasResult = false;

  constructor({ json }: { json: boolean }) {
    this.#json = json;
    this.#out = json ? process.stderr : process.stdout;
  }

  line(text = ""): void {
    this.#out.write(`${text}\n`);
  }

  /** Shows a step while it is worked on, and how long it took. */
  async step<T>(title: string, work: () => Promise<T>): Promise<T> {
    this.next(title);
    const value = await work();
    this.#end();
    return value;
  }

  /** Ends the step that is shown and begins another one. */
  next(title: string): void {
    this.#end();
    this.#since = performance.now();
    this.line(title);
  }

  /** A line that belongs to the step. */
  say(text: string): void {
    this.line(`     ${text}`);
  }

  text(title: string, text: string): void {
    this.line();
    this.line(`${title}:`);
    this.line();
    for (const each of text.split("\n")) this.line(`    ${each}`);
    this.line();
  }

  table(head: string[], rows: string[][]): void {
    const table = new Table({ head, style: { head: [], border: [], compact: true } });
    table.push(...rows);
    this.line(table.toString());
  }

  result(data: Readonly<Record<string, unknown>>): void {
    if (!this.#json) return;
    this.#hasResult = true;
    process.stdout.write(`${toJson(data)}\n`);
  }

  /** Says what went wrong; as the JSON object too, where there is no other one yet. */
  fail(error: NeuraError, schema: string): void {
    if (!this.#hasResult) this.result({ schema, error });
    process.stderr.write(`\nError: ${error.message}\n${error.next === undefined ? "" : `${error.next}\n`}`);
  }

  #end(): void {
    if (this.#since === undefined) return;
    this.say(`${((performance.now() - this.#since) / 1000).toFixed(1)} s`);
    this.#since = undefined;
  }
}
