import { isIP } from "node:net";

import type { Fields } from "../../fields.ts";
import { parseDecimal } from "../../market/usd.ts";
import { urlIn } from "../metadata.ts";

/** How a node gives quotes: the field `quotes` of its policy. */
export interface QuotePolicy {
  /** Where its server listens. */
  readonly listen: Listen;
  /** Where owners reach that server, if it is another address. */
  readonly url: string | undefined;
  /** How long a quote is good [s]. */
  readonly validSeconds: number;
  /** The price in USD; without it, the one in the market's currency. */
  readonly usd: UsdPolicy | undefined;
}

export interface Listen {
  readonly host: string;
  readonly port: number;
}

export interface UsdPolicy {
  /** Decimal text. */
  readonly usdPerHour: string;
  readonly source: PriceSource;
  /** A price of the coin that is older is none [s]. */
  readonly maxAgeSeconds: number;
}

/** Where the price of one coin in USD comes from: the provider's own choice, and never a default. */
export type PriceSource =
  /** A fixed one, as decimal text. */
  | { readonly kind: "fixed"; readonly usdPerCoin: string }
  /** A program and its arguments; its output is the price. */
  | { readonly kind: "command"; readonly command: readonly string[] }
  /** A JSON document; pointers are those of RFC 6901, `time` one to Unix seconds. */
  | {
      readonly kind: "url";
      readonly url: string;
      readonly price: string;
      readonly time: string | undefined;
    };

const DEFAULT_LISTEN: Listen = { host: "127.0.0.1", port: 4280 };
const VALID_SECONDS = 60;
const MAX_AGE_SECONDS = 300;

/** Addresses that name no machine. */
const ANYWHERE = new Set(["0.0.0.0", "::"]);

/** Where owners ask for quotes, as far as the settings say it; `port`: the one that the server got. */
export function quoteUrlOf({ url, listen }: QuotePolicy, port = listen.port): string | undefined {
  if (url !== undefined || port === 0 || ANYWHERE.has(listen.host)) return url;
  return `http://${isIP(listen.host) === 6 ? `[${listen.host}]` : listen.host}:${port}/quote`;
}

/** Reads the field `quotes` of a policy; what is wrong with it is noted in the fields' faults. */
export function readQuotePolicy(fields: Fields): QuotePolicy {
  const usdPerHour = fields.text("usdPerHour", "is no decimal above 0 as text", decimalIn);
  const source = fields.has("priceSource") ? readSource(fields.object("priceSource")) : undefined;
  if ((usdPerHour === undefined) !== (source === undefined))
    fields.fault("has one of usdPerHour and priceSource without the other");
  const policy = {
    listen: fields.text("listen", "is no address such as 127.0.0.1:4280", listenIn) ?? DEFAULT_LISTEN,
    url: fields.text("url", "is no URL", urlIn),
    validSeconds: fields.whole("validSeconds", { from: 5, to: 3600 }) ?? VALID_SECONDS,
    usd: usdPerHour === undefined || source === undefined ? undefined : { usdPerHour, ...source },
  };
  fields.end();
  return policy;
}

function readSource(fields: Fields): Omit<UsdPolicy, "usdPerHour"> | undefined {
  const fixed = fields.text("fixed", "is no decimal above 0 as text", decimalIn);
  const command = fields.names("command", (word) => word);
  const url = fields.text("url", "is no URL", urlIn);
  const price = fields.text("price", "is no JSON pointer such as /ankr/usd", pointerIn);
  const time = fields.text("time", "is no JSON pointer such as /ankr/time", pointerIn);
  const maxAgeSeconds = fields.whole("maxAgeSeconds", { from: 1 }) ?? MAX_AGE_SECONDS;
  fields.end();
  const sources: PriceSource[] = [];
  if (fixed !== undefined) sources.push({ kind: "fixed", usdPerCoin: fixed });
  if (command !== undefined && command.length > 0) sources.push({ kind: "command", command });
  if (url !== undefined && price !== undefined) sources.push({ kind: "url", url, price, time });
  const [source] = sources;
  if (source !== undefined && sources.length === 1) return { source, maxAgeSeconds };
  fields.fault("is not one of fixed, command, or url with price");
  return undefined;
}

function decimalIn(text: string): string | undefined {
  return parseDecimal(text) === undefined ? undefined : text.trim();
}

function pointerIn(text: string): string | undefined {
  return /^(\/([^~/]|~[01])*)+$/.test(text) ? text : undefined;
}

/** `127.0.0.1:4280`, `[::1]:4280`, `0.0.0.0:0`. */
export function listenIn(text: string): Listen | undefined {
  const { host, six, port } =
    /^(?:\[(?<six>[\da-f:.]+)\]|(?<host>[\d.]+)):(?<port>\d{1,5})$/i.exec(text)?.groups ?? {};
  const address = six ?? host ?? "";
  return isIP(address) !== 0 && Number(port) < 65_536 ? { host: address, port: Number(port) } : undefined;
}
