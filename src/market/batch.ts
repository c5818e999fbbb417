import { concat, type LogDescription } from "ethers";

import { unlessAborted } from "../abort.ts";
import { messageOf } from "../errors.ts";
import { type Closing, deliveredWords, requirePossible } from "./close.ts";
import { asking, explainRefusal, type MarketContext, requireSigner } from "./context.ts";
import { encodeOrder, type SignedOrder } from "./order.ts";
import { Outcome } from "./outcome.ts";
import { reserveSpending, settleEnded } from "./spending.ts";
import { taskStatus } from "./status.ts";
import { encodeTerms, maximumCostWei, workHash } from "./terms.ts";
import { type Receipt, receiptOf } from "./transaction.ts";

/** One call of a batch. Tasks are paid from balances in the market. */
export type BatchedCall =
  { readonly do: "submit"; readonly order: SignedOrder } | { readonly do: Closing; readonly id: string };

/** What became of one call. */
export interface BatchedResult {
  readonly id: string;
  readonly do: BatchedCall["do"];
  readonly done: boolean;
  /** Why not: beforehand, or as the contract refused it. */
  readonly reason?: string;
}

export interface BatchResult {
  readonly results: readonly BatchedResult[];
  /** Missing where nothing was left to send. */
  readonly transaction?: Receipt;
}

/** What a call may need where its own need cannot be found out: it depends on one before it [gas]. */
const UNKNOWN_GAS = 400_000n;
const BATCH_GAS = 60_000n;

/**
 * Sends several calls in one transaction: submits orders, settles, expires or ends tasks. One that is not possible, or that
 * the contract refuses, is passed over with its reason; the others happen.
 *
 * Errors: `limit.*`, and those of sending a transaction.
 */
export async function batchTasks(
  context: MarketContext,
  calls: readonly BatchedCall[],
  { signal }: { signal?: AbortSignal | undefined } = {},
): Promise<BatchResult> {
  const account = await requireSigner(context).getAddress();
  const results: BatchedResult[] = [];
  const sent: { index: number; data: string }[] = [];
  for (const [index, call] of calls.entries()) {
    const id = call.do === "submit" ? call.order.id : call.id;
    results.push({ id, do: call.do, done: false });
    try {
      sent.push({ index, data: await unlessAborted(encode(context, call), signal) });
    } catch (error) {
      signal?.throwIfAborted();
      results[index] = { id, do: call.do, done: false, reason: messageOf(error) };
    }
  }
  if (sent.length === 0) return { results };
  for (const { index } of sent) {
    const call = calls[index];
    if (call?.do !== "submit" || call.order.terms.owner !== account) continue;
    await reserveSpending(context, { taskId: call.order.id, costWei: maximumCostWei(call.order.terms) });
  }
  const { market } = context.contracts;
  const data = sent.map((each) => each.data);
  // A batch succeeds however little gas its calls get, so its need cannot be estimated as a whole.
  const gasLimit = await gasOf(context, account, data);
  const response = await unlessAborted(asking(market.batch(data, { gasLimit })), signal);
  const transaction = await receiptOf(response, signal);
  const receipt = await context.provider.getTransactionReceipt(transaction.hash);
  const skipped = new Map(
    (receipt?.logs ?? []).flatMap((log) => {
      const event: LogDescription | null = market.interface.parseLog(log);
      return event?.name === "CallSkipped" ? [skippedIn(event)] : [];
    }),
  );
  for (const [position, { index }] of sent.entries()) {
    const result = results[index];
    if (result === undefined) continue;
    const reason = skipped.get(position);
    results[index] = reason === undefined ? { ...result, done: true } : { ...result, reason };
  }
  await settleEnded(context, { signal });
  return { results, transaction };
}

async function encode(context: MarketContext, call: BatchedCall): Promise<string> {
  const { interface: abi } = context.contracts.market;
  if (call.do === "submit") {
    return abi.encodeFunctionData("order", [encodeOrder(call.order)]);
  }
  const status = await taskStatus(context, call.id);
  requirePossible(status, call.do);
  const task = [encodeTerms(status.terms), workHash(status.work)] as const;
  switch (call.do) {
    case "settle":
      return abi.encodeFunctionData("settle", [...task, deliveredWords(status)]);
    case "resolve":
      return abi.encodeFunctionData("resolve", [...task, deliveredWords(status)]);
    case "close":
      return abi.encodeFunctionData("close", [...task, Outcome.OwnerClosed]);
    case "end":
      return abi.encodeFunctionData("endLease", [...task]);
    case "cancel":
      return abi.encodeFunctionData("cancel", [...task]);
    case "expire":
      return abi.encodeFunctionData("expire", [...task]);
    case "fail":
      return abi.encodeFunctionData("fail", [...task]);
    case "draw":
      return abi.encodeFunctionData("draw", [...task]);
  }
}

async function gasOf(
  { provider, deployment }: MarketContext,
  from: string,
  calls: string[],
): Promise<bigint> {
  const to = deployment.contracts.TaskMarket;
  const each = await Promise.all(
    calls.map((data) => provider.estimateGas({ from, to, data }).catch(() => UNKNOWN_GAS)),
  );
  const gas = each.reduce((sum, one) => sum + one, BATCH_GAS + 16n * BigInt(concat(calls).length));
  // A sixty-fourth stays behind with each call.
  return (gas * 5n) / 4n;
}

function skippedIn({ args }: LogDescription): [position: number, reason: string] {
  const [index, data] = [Number(args["index"]), String(args["reason"])];
  return [index, data === "0x" ? "It ran out of gas." : messageOf(explainRefusal({ data }))];
}
