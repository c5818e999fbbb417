import type { TransactionReceipt, TransactionRequest, TransactionResponse } from "ethers";

import { type Abortable, unlessAborted } from "../abort.ts";
import { NeuraError } from "../errors.ts";
import { asking, type MarketContext, requireSigner } from "./context.ts";

/** A transaction that was mined and succeeded. */
export interface Receipt {
  readonly hash: string;
  readonly block: number;
  readonly gasUsed: bigint;
}

/** The most that one transaction may use (EIP-7825) [gas]. */
export const MAX_TRANSACTION_GAS = 2n ** 24n;

/** Waits until a transaction is mined. Error: `chain.failed`. */
export async function receiptOf(
  response: Pick<TransactionResponse, "wait">,
  signal: AbortSignal | undefined,
): Promise<Receipt> {
  return receiptFrom(requireReceipt(await unlessAborted(asking(response.wait()), signal)));
}

/** What is kept of a receipt. */
export function receiptFrom({ hash, blockNumber: block, gasUsed }: TransactionReceipt): Receipt {
  return { hash, block, gasUsed };
}

/** The receipt of a transaction that succeeded. Error: `chain.failed`, with what to do `next`. */
export function requireReceipt(
  receipt: TransactionReceipt | null,
  next = "See `task status`: somebody may have been faster.",
): TransactionReceipt {
  if (receipt?.status === 1) return receipt;
  throw new NeuraError("chain.failed", `The transaction ${receipt?.hash ?? ""} was mined, but failed.`, {
    next,
  });
}

/**
 * Sends a call of the signer's with a quarter more gas than it takes now (`gas`, which is asked for where it is not known),
 * and `spareGas` for what may come to it until then; waits until it is mined.
 *
 * Errors: `market.read-only`, `chain.failed`; refusals in words, before anything is sent.
 */
export async function sendCall(
  context: Pick<MarketContext, "signer">,
  call: Promise<TransactionRequest>,
  { gas, spareGas = 0n, signal }: Abortable & { gas?: bigint; spareGas?: bigint } = {},
): Promise<TransactionReceipt> {
  const signer = requireSigner(context);
  const transaction = await call;
  const estimate = gas ?? (await unlessAborted(asking(signer.estimateGas(transaction)), signal));
  const limit = (estimate * 5n) / 4n + spareGas;
  const gasLimit =
    limit > MAX_TRANSACTION_GAS && estimate <= MAX_TRANSACTION_GAS ? MAX_TRANSACTION_GAS : limit;
  const response = await asking(signer.sendTransaction({ ...transaction, gasLimit }));
  const mined = await unlessAborted(asking(response.wait()), signal);
  return requireReceipt(mined, "Run the command again: somebody may have been faster.");
}
