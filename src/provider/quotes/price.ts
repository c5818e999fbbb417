import { execFile } from "node:child_process";
import { promisify } from "node:util";

import { messageOf, NeuraError } from "../../errors.ts";
import { parseDecimal } from "../../market/usd.ts";
import { HttpClient } from "../../storage/http.ts";
import { printable } from "../../text.ts";
import type { PriceSource } from "./settings.ts";

/** What one coin of the market's currency costs. */
export interface CoinPrice {
  /** Decimal text. */
  readonly usdPerCoin: string;
  /** When that was so [Unix s], by the source's own time if it tells one. */
  readonly pricedAtSeconds: number;
}

/** A source is not asked more often [s]. */
const REFRESH_SECONDS = 30;
const COMMAND_MS = 10_000;
const MAX_OUTPUT_BYTES = 4096;
const MAX_DOCUMENT_BYTES = 64 * 1024;
const TIMEOUTS = { idleSeconds: 5, totalSeconds: 10 };
/** How far a source's clock may be ahead [s]. */
const MAX_AHEAD_SECONDS = 60;

/** The provider's source of the coin's price, asked as often as needed, and believed for as long as it is fresh. */
export class PriceFeed {
  readonly #source: PriceSource;
  readonly #maxAgeSeconds: number;
  readonly #now: () => number;
  readonly #http = new HttpClient();
  #last: { price: CoinPrice; askedAt: number } | undefined;
  #asking: Promise<CoinPrice> | undefined;

  /** @param options.now this machine's time [Unix s] */
  constructor({
    source,
    maxAgeSeconds,
    now = () => Math.floor(Date.now() / 1000),
  }: {
    source: PriceSource;
    maxAgeSeconds: number;
    now?: () => number;
  }) {
    this.#source = source;
    this.#maxAgeSeconds = maxAgeSeconds;
    this.#now = now;
  }

  /** Error: `price.unavailable`: there is no fresh one, and no other is taken in its place. */
  async read(): Promise<CoinPrice> {
    const last = this.#last;
    const isRecent = last !== undefined && this.#now() - last.askedAt < REFRESH_SECONDS;
    if (isRecent && this.#isFresh(last.price)) return last.price;
    try {
      return await (this.#asking ??= this.#ask().finally(() => (this.#asking = undefined)));
    } catch (error) {
      if (last !== undefined && this.#isFresh(last.price)) return last.price;
      throw new NeuraError(
        "price.unavailable",
        `There is no fresh price of the coin: ${printable(messageOf(error))}`,
        { next: "See to the source that `quotes.priceSource` of the policy names.", cause: error },
      );
    }
  }

  #isFresh({ pricedAtSeconds }: CoinPrice): boolean {
    return this.#now() - pricedAtSeconds <= this.#maxAgeSeconds;
  }

  async #ask(): Promise<CoinPrice> {
    const askedAt = this.#now();
    const { text, time = askedAt } = await this.#answer();
    if (parseDecimal(text) === undefined) throw new Error(`"${text.slice(0, 40)}" is no price above 0.`);
    const price = { usdPerCoin: text, pricedAtSeconds: time };
    if (!this.#isFresh(price)) throw new Error(`The newest one is of ${time}; it is ${askedAt}.`);
    if (time > askedAt + MAX_AHEAD_SECONDS) throw new Error(`It is dated ${time}; it is ${askedAt}.`);
    this.#last = { price, askedAt };
    return price;
  }

  async #answer(): Promise<{ text: string; time?: number }> {
    const source = this.#source;
    switch (source.kind) {
      case "fixed":
        return { text: source.usdPerCoin };
      case "command":
        return { text: await outputOf(source.command) };
      case "url": {
        const document = await this.#document(new URL(source.url));
        const time = source.time === undefined ? undefined : numberAt(document, source.time);
        return { text: textAt(document, source.price), ...(time === undefined ? {} : { time }) };
      }
    }
  }

  async #document(url: URL): Promise<unknown> {
    const answer = await this.#http.request(url, { timeouts: TIMEOUTS });
    const text = await answer.text(MAX_DOCUMENT_BYTES);
    if (answer.status !== 200) throw new Error(`${url.origin} answers ${answer.status}.`);
    return JSON.parse(text);
  }
}

/** Runs the program with nothing of this process's environment but its path: it has no business with the keys. */
async function outputOf([program = "", ...words]: readonly string[]): Promise<string> {
  const { PATH = "", HOME = "" } = process.env;
  const { stdout } = await promisify(execFile)(program, words, {
    timeout: COMMAND_MS,
    killSignal: "SIGKILL",
    maxBuffer: MAX_OUTPUT_BYTES,
    env: { PATH, HOME },
  });
  return stdout.trim();
}

function textAt(document: unknown, pointer: string): string {
  const value = valueAt(document, pointer);
  // A number's text is the shortest one that means it: what the document says, up to 15 figures.
  if (typeof value === "string" || typeof value === "number") return String(value).trim();
  throw new Error(`There is no price at ${pointer}.`);
}

function numberAt(document: unknown, pointer: string): number {
  const value = Number(valueAt(document, pointer));
  if (Number.isFinite(value)) return Math.floor(value);
  throw new Error(`There is no time at ${pointer}.`);
}

/** RFC 6901. */
function valueAt(document: unknown, pointer: string): unknown {
  let value = document;
  for (const part of pointer.split("/").slice(1)) {
    const name = part.replaceAll("~1", "/").replaceAll("~0", "~");
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined;
    value = Reflect.get(value, name);
  }
  return value;
}
