import { getAddress, isAddress, isHexString, type Signer, verifyTypedData, ZeroAddress } from "ethers";

import { formatAmount } from "../amount.ts";
import { messageOf, NeuraError } from "../errors.ts";
import { Fields } from "../fields.ts";
import { publicUrl } from "../public-address.ts";
import { printable } from "../text.ts";
import { asking, chainTime, type MarketContext } from "./context.ts";
import { askServer } from "./metadata.ts";
import { isDecline, Outcome, type OutcomeName } from "./outcome.ts";
import { unpackResources } from "./resources.ts";
import {
  decodeTerms,
  encodeTerms,
  encodeWork,
  type MarketDomain,
  maximumCostWei,
  quoteTypedData,
  type Task,
  taskId,
  type TermsWords,
  type WorkWords,
} from "./terms.ts";
import { parseDecimal, rateWeiOf } from "./usd.ts";

/** A provider's promise to take one task: with it, submitting and accepting are one transaction. */
export interface Quote {
  /** The place that is promised: of all quotes with one nonce only the first on the chain is good. */
  readonly nonce: bigint;
  /** The last second at which it is good [Unix s]. */
  readonly expiresAtSeconds: number;
  /** Over the EIP-712 type `Quote` of the market, by the provider or its operator. */
  readonly signature: string;
}

/** How a price in USD became one in the market's currency. */
export interface UsdPrice {
  /** Decimal text, exact: [USD/h], and [USD] for one coin. */
  readonly usdPerHour: string;
  readonly usdPerCoin: string;
  /** When the coin's price was found out [Unix s]. */
  readonly pricedAtSeconds: number;
}

/** What a provider's node asks now. */
export interface QuotedPrice {
  /** [wei/s] */
  readonly rateWei: bigint;
  readonly usd?: UsdPrice | undefined;
}

export type ReceivedQuote = Quote & QuotedPrice;

/** Why a node does not take a task, with both numbers where there are any. */
export interface QuoteDecline {
  readonly reason: OutcomeName;
  readonly message: string;
  readonly needed?: string | undefined;
  readonly offered?: string | undefined;
  /** [Unix s] */
  readonly declinedAtSeconds: number;
}

/** What a node answers to a request, signed. */
export type QuoteAnswer = { readonly price?: QuotedPrice | undefined } & (
  { readonly quote: Quote } | { readonly decline: QuoteDecline; readonly signature: string }
);

export const REQUEST_SCHEMA = "neura/quote-request/1";
export const ANSWER_SCHEMA = "neura/quote/1";

const DECLINE_TYPES = {
  QuoteDecline: [
    { name: "task", type: "bytes32" },
    { name: "reason", type: "uint8" },
    { name: "message", type: "string" },
    { name: "declinedAt", type: "uint256" },
  ],
};

/** The provider's or its operator's signature of a quote for this task. */
export async function signQuote(
  market: MarketDomain,
  task: string,
  promise: Pick<Quote, "nonce" | "expiresAtSeconds">,
  signer: Signer,
): Promise<string> {
  const { domain, types, value } = quoteTypedData(market, { task, ...promise });
  return await signer.signTypedData(domain, types, value);
}

/** The provider's or its operator's signature of why it does not take this task. */
export async function signDecline(
  domain: MarketDomain,
  id: string,
  decline: QuoteDecline,
  signer: Signer,
): Promise<string> {
  return await signer.signTypedData(typedDomain(domain), DECLINE_TYPES, declineValue(id, decline));
}

export interface QuoteOptions {
  /** The most that the task may cost, whatever the node asks [wei]. */
  readonly maximumWei: bigint;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Asks the provider's node at `url` (`quoteUrl` of its document) to take this task at the price of its terms, and checks
 * its answer: who signed it, for which task, until when, and that the USD it names make the rate that it asks.
 *
 * Errors: `quote.declined` (with `reason`, `needed`, `offered` and the `rateWei` that the node asks), `quote.too-dear`,
 * `quote.expired`, `quote.wrong-signer`, `quote.invalid`, `quote.unavailable`, `url.not-public`.
 *
 * @example
 * const { nonce, expiresAtSeconds, signature } = await requestQuote(context, url, task, { maximumWei });
 */
export async function requestQuote(
  context: MarketContext,
  url: string,
  task: Pick<Task, "terms" | "work">,
  { maximumWei, signal }: QuoteOptions,
): Promise<ReceivedQuote> {
  const { terms, work } = task;
  const { currency } = context.deployment;
  const costWei = maximumCostWei(terms);
  if (costWei > maximumWei) {
    throw new NeuraError(
      "quote.too-dear",
      `The task can cost ${formatAmount(costWei, currency)}, more than ${formatAmount(maximumWei, currency)}.`,
      { next: "Allow more, or ask for less.", details: { costWei, maximumWei } },
    );
  }
  const id = taskId(context.domain, terms, work);
  const { status, text } = await ask(publicUrl(url, context), encodeQuoteRequest(task), signal);
  const answer = parseQuoteAnswer(text, id, status);
  checkUsd(answer.price, currency.decimals);
  const operator = await asking(context.contracts.registry.operatorOf(terms.provider));
  if ("decline" in answer) {
    const { decline, signature } = answer;
    const value = declineValue(id, decline);
    const signer = signerOf(() =>
      verifyTypedData(typedDomain(context.domain), DECLINE_TYPES, value, signature),
    );
    requireProvider(signer, terms.provider, operator);
    throw declined(decline, answer.price);
  }
  const { quote, price } = answer;
  const { nonce, expiresAtSeconds } = quote;
  const { domain, types, value } = quoteTypedData(context.domain, { task: id, nonce, expiresAtSeconds });
  const signer = signerOf(() => verifyTypedData(domain, types, value, quote.signature));
  requireProvider(signer, terms.provider, operator);
  const now = await chainTime(context.provider);
  if (quote.expiresAtSeconds <= now) {
    throw new NeuraError(
      "quote.expired",
      `The quote was good until ${quote.expiresAtSeconds}; it is ${now}.`,
      {
        next: "Ask again; if it stays so, the provider's clock or chain is behind.",
      },
    );
  }
  if (price === undefined) throw invalid("it names no price");
  return { ...quote, ...price };
}

// ---- The wire ----

/** The body of a request for a quote: the task's words, as the contract takes them. */
export function encodeQuoteRequest({ terms, work }: Pick<Task, "terms" | "work">): string {
  const { backup } = work;
  const words = { ...encodeWork(work), ...(backup === undefined ? {} : { backup }) };
  return toJson({ schema: REQUEST_SCHEMA, terms: encodeTerms(terms), work: words });
}

/** The task that a request is about. Errors: `quote.bad-request`, `terms.unsupported`, `resources.malformed`. */
export function parseQuoteRequest(text: string, domain: MarketDomain): Task {
  const faults: string[] = [];
  const file = new Fields(parseJson(text, badRequest), "", faults);
  file.is("schema", REQUEST_SCHEMA);
  const [terms, work] = [file.object("terms"), file.object("work")];
  const termsWords: TermsWords = {
    owner: addressOf(terms, "owner"),
    provider: addressOf(terms, "provider"),
    price: wordOf(terms, "price"),
    conditions: wordOf(terms, "conditions"),
    assurance: wordOf(terms, "assurance"),
    salt: hashOf(terms, "salt"),
  };
  const workWords: WorkWords = {
    resources: wordOf(work, "resources"),
    payloadHash: hashOf(work, "payloadHash"),
    payload: work.required("payload", work.text("payload", "is no reference", referenceIn), ""),
  };
  const backup = work.has("backup") ? addressOf(work, "backup") : undefined;
  for (const fields of [terms, work, file]) fields.end();
  if (faults.length > 0) throw badRequest(faults.slice(0, 8).join("; "));
  const task = {
    terms: decodeTerms(termsWords),
    work: {
      ...workWords,
      resources: unpackResources(workWords.resources),
      ...(backup === undefined ? {} : { backup }),
    },
  };
  return { id: taskId(domain, task.terms, task.work), ...task };
}

/** The body of an answer. */
export function encodeQuoteAnswer(id: string, { price, ...answer }: QuoteAnswer): string {
  const fields = { schema: ANSWER_SCHEMA, task: id };
  return toJson({
    ...fields,
    ...("quote" in answer ? { quote: answer.quote } : { ...answer }),
    ...(price === undefined ? {} : { price }),
  });
}

function parseQuoteAnswer(text: string, id: string, status: number): QuoteAnswer {
  const faults: string[] = [];
  const file = new Fields(
    parseJson(text, (what) => invalid(`the server answers ${status}, and ${what}`)),
    "",
    faults,
  );
  if (file.has("error")) throw refusedByServer(file.object("error"), status);
  file.is("schema", ANSWER_SCHEMA);
  file.is("task", id);
  const price = file.has("price") ? readPrice(file.object("price")) : undefined;
  const answer = file.has("quote")
    ? { quote: readQuote(file.object("quote")) }
    : { decline: readDecline(file.object("decline")), signature: signatureOf(file) };
  file.end();
  if (faults.length > 0) throw invalid(faults.slice(0, 8).join("; "));
  return { price, ...answer };
}

function readQuote(fields: Fields): Quote {
  const quote = {
    nonce: wordOf(fields, "nonce"),
    expiresAtSeconds: fields.required("expiresAtSeconds", fields.whole("expiresAtSeconds"), 0),
    signature: signatureOf(fields),
  };
  fields.end();
  return quote;
}

function readPrice(fields: Fields): QuotedPrice {
  const rateWei = fields.required("rateWei", fields.amount("rateWei"), 0n);
  const usd = fields.has("usd") ? readUsd(fields.object("usd")) : undefined;
  fields.end();
  return { rateWei, ...(usd === undefined ? {} : { usd }) };
}

function readUsd(fields: Fields): UsdPrice {
  const decimal = (name: string): string =>
    fields.required(
      name,
      fields.text(name, "is no decimal above 0", (text) => (parseDecimal(text) ? text : undefined)),
      "",
    );
  const usd = {
    usdPerHour: decimal("usdPerHour"),
    usdPerCoin: decimal("usdPerCoin"),
    pricedAtSeconds: fields.required("pricedAtSeconds", fields.whole("pricedAtSeconds"), 0),
  };
  fields.end();
  return usd;
}

function readDecline(fields: Fields): QuoteDecline {
  const line = (name: string): string | undefined =>
    fields.text(name, "is no text", (text) => printable(text));
  const reason = fields.text("reason", "is no reason for declining", reasonIn);
  const decline = {
    reason: fields.required("reason", reason, "NoCapacity" as const),
    // As it was signed; it is made fit for a message where it is shown.
    message: fields.required(
      "message",
      fields.text("message", "is no text", (text) => text.slice(0, 1000)),
      "",
    ),
    needed: line("needed"),
    offered: line("offered"),
    declinedAtSeconds: fields.required("declinedAtSeconds", fields.whole("declinedAtSeconds"), 0),
  };
  fields.end();
  return decline;
}

function reasonIn(text: string): OutcomeName | undefined {
  const name = Object.keys(Outcome).find((each): each is OutcomeName => each === text);
  return name !== undefined && isDecline(Outcome[name]) ? name : undefined;
}

function addressOf(fields: Fields, name: string): string {
  const read = (text: string): string | undefined => (isAddress(text) ? getAddress(text) : undefined);
  return fields.required(name, fields.text(name, "is no address", read), ZeroAddress);
}

/** A word of the contract as decimal text. */
function wordOf(fields: Fields, name: string): bigint {
  const read = (text: string): bigint | undefined => {
    const word = /^\d{1,78}$/.test(text) ? BigInt(text) : undefined;
    return word !== undefined && word < 2n ** 256n ? word : undefined;
  };
  return fields.required(name, fields.text(name, "is no word as decimal text", read), 0n);
}

function hashOf(fields: Fields, name: string): string {
  const read = (text: string): string | undefined => (isHexString(text, 32) ? text.toLowerCase() : undefined);
  return fields.required(name, fields.text(name, "is not 32 bytes as hex", read), `0x${"00".repeat(32)}`);
}

function signatureOf(fields: Fields): string {
  const read = (text: string): string | undefined => (isHexString(text, 65) ? text : undefined);
  return fields.required("signature", fields.text("signature", "is no signature", read), "");
}

function referenceIn(text: string): string | undefined {
  const size = Buffer.byteLength(text);
  return size >= 1 && size <= 256 ? text : undefined;
}

function parseJson(text: string, error: (what: string) => NeuraError): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw error("that is not JSON");
  }
}

function toJson(value: unknown): string {
  return JSON.stringify(value, (_, each: unknown) => (typeof each === "bigint" ? each.toString() : each));
}

// ---- Checks ----

async function ask(
  url: URL,
  body: string,
  signal: AbortSignal | undefined,
): Promise<{ status: number; text: string }> {
  try {
    return await askServer(url, { body, signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw new NeuraError("quote.unavailable", `The provider gives no quote: ${messageOf(error)}`, {
      next: "Order without one: the provider accepts on the chain.",
      cause: error,
    });
  }
}

function checkUsd(price: QuotedPrice | undefined, decimals: number): void {
  if (price?.usd === undefined) return;
  const usdPerHour = parseDecimal(price.usd.usdPerHour);
  const usdPerCoin = parseDecimal(price.usd.usdPerCoin);
  if (usdPerHour === undefined || usdPerCoin === undefined) throw invalid("its price in USD is no decimal");
  const rateWei = rateWeiOf({ usdPerHour, usdPerCoin, decimals });
  if (rateWei !== price.rateWei)
    throw invalid(`its price in USD makes ${rateWei} wei per second, and it asks ${price.rateWei}`);
}

function signerOf(verify: () => string): string {
  try {
    return verify();
  } catch (error) {
    throw invalid(`its signature cannot be read: ${messageOf(error).slice(0, 80)}`);
  }
}

function requireProvider(signer: string, provider: string, operator: string): void {
  if (signer === getAddress(provider) || (operator !== ZeroAddress && signer === operator)) return;
  throw new NeuraError(
    "quote.wrong-signer",
    `The answer is signed by ${signer}, not by ${provider} or its operator ${operator}.`,
    { next: "Do not use it. Is the URL the provider's, and the node on this chain?" },
  );
}

function declineValue(id: string, { reason, message, declinedAtSeconds }: QuoteDecline) {
  return { task: id, reason: Outcome[reason], message, declinedAt: declinedAtSeconds };
}

function declined(
  { reason, message, needed, offered }: QuoteDecline,
  price: QuotedPrice | undefined,
): NeuraError {
  return new NeuraError("quote.declined", `The provider declines: ${reason}. ${printable(message)}`, {
    next:
      reason === "PriceTooLow" && price !== undefined
        ? `Offer ${price.rateWei} wei per second, or ask another provider.`
        : "Ask another provider, or later.",
    details: {
      reason,
      ...(needed === undefined ? {} : { needed }),
      ...(offered === undefined ? {} : { offered }),
      ...(price === undefined ? {} : { rateWei: price.rateWei }),
    },
  });
}

function refusedByServer(error: Fields, status: number): NeuraError {
  const code =
    error.text("code", "", (text) => (/^[a-z.-]{1,64}$/.test(text) ? text : undefined)) ?? "unknown";
  return new NeuraError("quote.unavailable", `The provider's server answers ${status}: ${code}.`, {
    next:
      status === 429 ? "Ask again in a minute." : "Order without a quote: the provider accepts on the chain.",
    details: { status, code },
  });
}

function badRequest(what: string): NeuraError {
  return new NeuraError("quote.bad-request", `The request cannot be read: ${printable(what)}.`);
}

function invalid(what: string): NeuraError {
  return new NeuraError("quote.invalid", `The provider's answer cannot be used: ${printable(what)}.`, {
    next: "Order without a quote: the provider accepts on the chain.",
  });
}

function typedDomain({ chainId, market }: MarketDomain) {
  return { name: "Neura TaskMarket", version: "1", chainId, verifyingContract: market };
}
