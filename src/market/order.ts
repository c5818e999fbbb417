import { readFile, writeFile } from "node:fs/promises";
import { getAddress, Interface, isAddress, isHexString, verifyTypedData, ZeroAddress } from "ethers";

import type { IOrders } from "../../types/interfaces/ITaskMarket.ts";
import { unlessAborted } from "../abort.ts";
import { formatAmount } from "../amount.ts";
import { isNeuraError, messageOf, NeuraError } from "../errors.ts";
import { type Fields, parseFields } from "../fields.ts";
import { asking, chainTime, isRefusal, type MarketContext, requireSigner } from "./context.ts";
import { readHistory } from "./history.ts";
import { valueToSend } from "./money.ts";
import { Status, statusOf } from "./outcome.ts";
import type { Quote } from "./quotes.ts";
import { unpackResources } from "./resources.ts";
import { releaseSpending, reserveSpending } from "./spending.ts";
import {
  decodeTerms,
  encodeTerms,
  encodeWork,
  type MarketDomain,
  maximumCostWei,
  taskId,
  taskTypedData,
  type Terms,
  type Work,
  workHash,
} from "./terms.ts";
import { type Receipt, receiptOf } from "./transaction.ts";

/** A task that its owner agreed to beforehand: whoever has it can send it, once. The file is `neura/order/1`. */
export interface SignedOrder extends MarketDomain {
  readonly id: string;
  readonly terms: Terms;
  /** With its backup. */
  readonly work: Work;
  /** The owner's, over the task's EIP-712 digest, which is its id; missing where it is still to be signed. */
  readonly signature?: string;
}

/** A task that was sent by somebody, now or before. */
export interface SentOrder {
  readonly id: string;
  readonly terms: Terms;
  readonly work: Work;
  readonly costWei: bigint;
  /** Missing when it had been sent before: it was paid once. */
  readonly transaction?: Receipt;
}

const SCHEMA = "neura/order/1";
/** An ERC-1271 signature may be long. */
const MAX_SIGNATURE_BYTES = 8192;
const ERC1271 = new Interface(["function isValidSignature(bytes32,bytes) view returns (bytes4)"]);
const ERC1271_MAGIC = "0x1626ba7e";
const NO_QUOTE = { nonce: 0n, expiresAt: 0, signature: "0x" };

/** What the market's `order` takes. */
export function encodeOrder({
  terms,
  work,
  signature = "0x",
  isSponsored = false,
  quote,
}: Pick<SignedOrder, "terms" | "work" | "signature"> & {
  isSponsored?: boolean;
  quote?: Quote | undefined;
}): IOrders.OrderStruct {
  return {
    terms: encodeTerms(terms),
    work: encodeWork(work),
    backup: work.backup ?? ZeroAddress,
    sponsored: isSponsored,
    signature,
    quote:
      quote === undefined
        ? NO_QUOTE
        : { nonce: quote.nonce, expiresAt: quote.expiresAtSeconds, signature: quote.signature },
  };
}

// ---- Sign ----

/** An order that nobody has signed yet. */
export function unsignedOrder(
  { chainId, market }: MarketDomain,
  { terms, work }: Pick<SignedOrder, "terms" | "work">,
): SignedOrder {
  return { chainId, market, id: taskId({ chainId, market }, terms, work), terms, work };
}

/**
 * The order with its owner's signature: the given one, of a contract for example, or one that the signer makes now.
 * Errors: `order.wrong-signer`, `order.bad-signature`.
 */
export async function signOrder(
  context: MarketContext,
  order: SignedOrder,
  { signature }: { signature?: string | undefined } = {},
): Promise<SignedOrder> {
  const { owner } = order.terms;
  if (signature === undefined) {
    const signer = requireSigner(context);
    const account = await signer.getAddress();
    if (account !== owner) {
      throw new NeuraError("order.wrong-signer", `The order is ${owner}'s, and ${account} cannot sign it.`, {
        next: "Use the owner's key; of a contract, have it sign the order's id and add that with `order sign --signature`.",
        details: { id: order.id, owner },
      });
    }
    const { domain, types, value } = taskTypedData(order, order.terms, order.work);
    signature = await signer.signTypedData(domain, types, value);
  }
  const signed = { ...order, signature };
  await checkSignature(context, signed);
  return signed;
}

/** Error: `order.bad-signature` unless it is the owner's: an account's, or a contract's by ERC-1271. */
async function checkSignature({ provider }: MarketContext, order: SignedOrder): Promise<void> {
  const { id, terms, work, signature = "0x" } = order;
  const { domain, types, value } = taskTypedData(order, terms, work);
  try {
    if (verifyTypedData(domain, types, value, signature) === terms.owner) return;
  } catch {
    // No account's signature; a contract may take it.
  }
  const call = { to: terms.owner, data: ERC1271.encodeFunctionData("isValidSignature", [id, signature]) };
  const answer = await provider.call(call).catch(() => "0x");
  if (answer.slice(0, 10) === ERC1271_MAGIC && answer.length >= 66) return;
  throw new NeuraError("order.bad-signature", `The signature of order ${id} is not one of ${terms.owner}.`, {
    next: "Have the owner sign it again: nothing of the order may be changed afterwards.",
    details: { id, owner: terms.owner },
  });
}

// ---- Send ----

/**
 * Sends an order: paid from the owner's balance in the market, or, with `sponsor`, by the sender, who gets back what is
 * not spent. One that is on the chain already is not sent, and not paid, again.
 *
 * Errors: `order.unsigned`, `order.bad-signature`, `order.too-late`, `task.revoked`, `wallet.insufficient-funds`,
 * `wallet.allowance`, `limit.*`, what the contract refuses.
 */
export async function sendOrder(
  context: MarketContext,
  order: SignedOrder,
  { sponsor = false, signal }: { sponsor?: boolean | undefined; signal?: AbortSignal | undefined } = {},
): Promise<SentOrder> {
  const { contracts, provider, deployment, domain } = context;
  requireDomain(order, domain);
  const { id, terms, work } = order;
  const account = await requireSigner(context).getAddress();
  const costWei = maximumCostWei(terms);
  const sent = { id, terms, work, costWei };
  if (await wasSent(context, id)) return sent;
  const isOwner = account === terms.owner;
  if (!isOwner && order.signature === undefined) {
    throw new NeuraError("order.unsigned", `Nobody has signed order ${id}.`, {
      next: "Have its owner sign it with `order sign`.",
    });
  }
  if (order.signature !== undefined) await checkSignature(context, order);
  const now = await chainTime(provider);
  if (now > terms.conditions.startBySeconds) {
    throw new NeuraError(
      "order.too-late",
      `Order ${id} could be sent until ${new Date(terms.conditions.startBySeconds * 1000).toISOString()}.`,
      { next: "Have its owner sign a new one." },
    );
  }
  const pays = isOwner || sponsor;
  if (!pays) {
    const balanceWei = await contracts.market.balanceOf(terms.owner);
    if (balanceWei < costWei) {
      const [has, needed] = [balanceWei, costWei].map((each) => formatAmount(each, deployment.currency));
      throw new NeuraError(
        "wallet.insufficient-funds",
        `${terms.owner} has ${has} in the market, where ${needed} are needed.`,
        {
          next: "Let it deposit the rest, or pay for it yourself (--sponsor).",
          details: { balanceWei, costWei },
        },
      );
    }
  }
  const value = pays
    ? await valueToSend(context, { payer: account, neededWei: costWei, purpose: "the task" })
    : 0n;
  if (pays) await reserveSpending(context, { taskId: id, costWei });
  const words = encodeOrder({ ...order, isSponsored: sponsor && !isOwner });
  try {
    const response = await unlessAborted(asking(contracts.market.order(words, { value })), signal);
    return { ...sent, transaction: await receiptOf(response, signal) };
  } catch (error) {
    // Somebody was faster, with the same order.
    if (isNeuraError(error, "task.exists")) return sent;
    if (pays && isRefusal(error)) await releaseSpending(context, id);
    throw error;
  }
}

/** Whether the task is on the chain. Error: `task.revoked`. */
async function wasSent(context: MarketContext, id: string): Promise<boolean> {
  const { status, since } = await context.contracts.market.taskOf(id);
  if (statusOf(status) === Status.None) return false;
  // A revoked order looks like a cancelled task, but was never submitted.
  if (statusOf(status) === Status.Cancelled) await readHistory(context, id, { atSeconds: Number(since) });
  return true;
}

/**
 * Makes an order that was signed and not sent impossible. Only its owner can.
 * Errors: `order.wrong-signer`, what the contract refuses.
 */
export async function revokeOrder(
  context: MarketContext,
  order: SignedOrder,
  { signal }: { signal?: AbortSignal | undefined } = {},
): Promise<Receipt> {
  requireDomain(order, context.domain);
  requireSigner(context);
  const { market } = context.contracts;
  const response = await unlessAborted(
    asking(market.revokeOrder(encodeTerms(order.terms), workHash(order.work))),
    signal,
  );
  const receipt = await receiptOf(response, signal);
  await releaseSpending(context, order.id);
  return receipt;
}

function requireDomain({ id, chainId, market }: SignedOrder, domain: MarketDomain): void {
  if (chainId === domain.chainId && getAddress(market) === getAddress(domain.market)) return;
  throw new NeuraError(
    "order.wrong-market",
    `Order ${id} is for the market ${market} on chain ${chainId}, not for ${domain.market} on chain ${domain.chainId}.`,
    { next: "Choose its network with --network." },
  );
}

// ---- Files ----

/** Writes an order for others; it holds no secret. An existing file is not replaced. Error: `order.exists`. */
export async function writeOrder(path: string, order: SignedOrder, { replace = false } = {}): Promise<void> {
  try {
    await writeFile(path, orderText(order), { flag: replace ? "w" : "wx" });
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
    throw new NeuraError("order.exists", `${path} exists, and was not touched.`, {
      next: "Name another file.",
    });
  }
}

/** Reads an order. Errors: `order.not-found`, `order.invalid`, `terms.unsupported`, `resources.malformed`. */
export async function readOrder(path: string): Promise<SignedOrder> {
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    throw new NeuraError("order.not-found", `${path} cannot be read: ${messageOf(cause)}.`, { cause });
  });
  return parseOrder(text, path);
}

export function orderText({ chainId, market, id, terms, work, signature }: SignedOrder): string {
  const order = {
    schema: SCHEMA,
    chainId: Number(chainId),
    market,
    id,
    terms: encodeTerms(terms),
    work: { ...encodeWork(work), ...(work.backup === undefined ? {} : { backup: work.backup }) },
    ...(signature === undefined ? {} : { signature }),
  };
  const asText = (_: string, each: unknown): unknown => (typeof each === "bigint" ? each.toString() : each);
  return `${JSON.stringify(order, asText, 2)}\n`;
}

/**
 * The order in a file's text; its id must be that of its terms and work. Whether the signature is the owner's, the
 * chain has to be asked: {@link sendOrder} does. Errors: `order.invalid`, `terms.unsupported`, `resources.malformed`.
 */
export function parseOrder(text: string, source = "the order"): SignedOrder {
  const next = "Ask its owner for the file as it was signed.";
  return parseFields(text, { schema: SCHEMA, source, code: "order.invalid", next }, (file) => {
    const [terms, work] = [file.object("terms"), file.object("work")];
    const words = {
      owner: addressIn(terms, "owner"),
      provider: addressIn(terms, "provider"),
      price: wordIn(terms, "price"),
      conditions: wordIn(terms, "conditions"),
      assurance: wordIn(terms, "assurance"),
      salt: hashIn(terms, "salt"),
    };
    const resources = wordIn(work, "resources");
    const payloadHash = hashIn(work, "payloadHash");
    const payload = work.text("payload", "is no reference of 1 to 256 bytes", (each) =>
      /^.{1,256}$/su.test(each) && Buffer.byteLength(each) <= 256 ? each : undefined,
    );
    const backup = work.has("backup") ? addressIn(work, "backup") : undefined;
    const signature = file.text("signature", "is no signature as hex", (each) =>
      isHexString(each) && each.length <= 2 + 2 * MAX_SIGNATURE_BYTES ? each : undefined,
    );
    const order = {
      chainId: BigInt(file.required("chainId", file.whole("chainId", { from: 1 }), 0)),
      market: addressIn(file, "market"),
      id: hashIn(file, "id"),
    };
    for (const fields of [terms, work]) fields.end();
    const body = {
      terms: decodeTerms(words),
      work: {
        resources: unpackResources(resources),
        payloadHash,
        payload: work.required("payload", payload, ""),
        ...(backup === undefined ? {} : { backup }),
      },
    };
    if (taskId(order, body.terms, body.work) !== order.id) file.fault("has an id that is not of its terms");
    return { ...order, ...body, ...(signature === undefined ? {} : { signature }) };
  });
}

function addressIn(fields: Fields, name: string): string {
  const read = (text: string): string | undefined => (isAddress(text) ? getAddress(text) : undefined);
  return fields.required(name, fields.text(name, "is no address", read), ZeroAddress);
}

/** A word of the contract as decimal text. */
function wordIn(fields: Fields, name: string): bigint {
  const read = (text: string): bigint | undefined => {
    const word = /^\d{1,78}$/.test(text) ? BigInt(text) : undefined;
    return word !== undefined && word < 2n ** 256n ? word : undefined;
  };
  return fields.required(name, fields.text(name, "is no word as decimal text", read), 0n);
}

function hashIn(fields: Fields, name: string): string {
  const read = (text: string): string | undefined => (isHexString(text, 32) ? text.toLowerCase() : undefined);
  return fields.required(name, fields.text(name, "is not 32 bytes as hex", read), `0x${"00".repeat(32)}`);
}
