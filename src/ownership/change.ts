import type { TransactionRequest } from "ethers";

import type { Abortable } from "../abort.ts";
import type { ChainContext } from "../market/context.ts";
import { type Receipt, receiptFrom, sendCall } from "../market/transaction.ts";
import type { OwnershipName } from "./context.ts";
import { decodeOwnershipEvent, type OwnershipEvent } from "./events.ts";
import type { OwnershipStanding } from "./standing.ts";

/** A transaction that was mined, and what both contracts announced in it. */
export interface OwnershipChange {
  readonly transaction: Receipt;
  readonly events: readonly OwnershipEvent[];
}

/** Where an account stands after a change. */
export interface ChangedStanding {
  readonly ownership: OwnershipName;
  readonly standing: OwnershipStanding;
  readonly transaction: Receipt;
}

/** Sends a call of the signer's, and waits for it. Errors: `chain.failed`, refusals in words. */
export async function send(
  context: ChainContext,
  ownership: OwnershipName,
  call: Promise<TransactionRequest>,
  { signal }: Abortable,
): Promise<OwnershipChange> {
  const receipt = await sendCall(context, call, { signal });
  return {
    transaction: receiptFrom(receipt),
    events: receipt.logs.flatMap((log) => decodeOwnershipEvent(ownership, log) ?? []),
  };
}
