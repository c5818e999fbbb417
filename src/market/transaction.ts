import type { TransactionReceipt, TransactionResponse } from "ethers";

import { unlessAborted } from "../abort.ts";
import { NeuraError } from "../errors.ts";
import { asking } from "./context.ts";

/** A transaction that was mined and succeeded. */
export interface Receipt {
  readonly hash: string;
  readonly block: number;
  readonly gasUsed: bigint;
}

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
