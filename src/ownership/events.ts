import type { Log, Provider } from "ethers";

import { ModelDeeds__factory } from "../../types/factories/model/ModelDeeds__factory.ts";
import { ModelOwnership__factory } from "../../types/factories/model/ModelOwnership__factory.ts";
import type { TransferEvent as DeedTransferEvent } from "../../types/model/ModelDeeds.ts";
import type {
  DelegateChangedEvent,
  SkipNFTSetEvent,
  TransferEvent,
} from "../../types/model/ModelOwnership.ts";
import type { Abortable } from "../abort.ts";
import { readLogs } from "../chain/logs.ts";
import type { OwnershipName } from "./context.ts";

/** What the two contracts of a model's ownership announce about who has what. */
export type OwnershipEvent =
  /** Of the base; the zero address: made. */
  | { readonly name: "Transfer"; readonly from: string; readonly to: string; readonly amountWei: bigint }
  /** Of the mirror; the zero address: made, or given back. */
  | { readonly name: "DeedTransfer"; readonly from: string; readonly to: string; readonly id: number }
  /** What the account receives comes without deeds from now on, or with them. */
  | { readonly name: "SkipNFTSet"; readonly account: string; readonly isExempt: boolean }
  | {
      readonly name: "DelegateChanged";
      readonly account: string;
      readonly from: string;
      readonly to: string;
    };

/** An event with its place in the chain. */
export interface PlacedOwnershipEvent {
  readonly event: OwnershipEvent;
  readonly block: number;
  readonly transactionHash: string;
}

type Pair = Pick<OwnershipName, "address" | "mirror">;

const BASE = ModelOwnership__factory.createInterface();
const MIRROR = ModelDeeds__factory.createInterface();

/** Decodes a log of either contract; of other contracts and events: nothing. */
export function decodeOwnershipEvent(
  { address: base, mirror }: Pair,
  { address, topics, data }: Pick<Log, "address" | "topics" | "data">,
): OwnershipEvent | undefined {
  if (address === mirror) {
    const parsed = MIRROR.parseLog({ topics: [...topics], data });
    if (parsed?.name !== "Transfer") return undefined;
    // The ABI that the types were generated from decodes the log.
    const { from, to, tokenId } = parsed.args.toObject() as DeedTransferEvent.OutputObject;
    return { name: "DeedTransfer", from, to, id: Number(tokenId) };
  }
  if (address !== base) return undefined;
  const parsed = BASE.parseLog({ topics: [...topics], data });
  // As above.
  const args: unknown = parsed?.args.toObject();
  switch (parsed?.name) {
    case "Transfer": {
      const { from, to, value } = args as TransferEvent.OutputObject;
      return { name: "Transfer", from, to, amountWei: value };
    }
    case "SkipNFTSet": {
      const { owner, status } = args as SkipNFTSetEvent.OutputObject;
      return { name: "SkipNFTSet", account: owner, isExempt: status };
    }
    case "DelegateChanged": {
      const { delegator, fromDelegate, toDelegate } = args as DelegateChangedEvent.OutputObject;
      return { name: "DelegateChanged", account: delegator, from: fromDelegate, to: toDelegate };
    }
    default:
      return undefined;
  }
}

/**
 * What both contracts announced in these blocks, in the chain's order.
 * Errors: `chain.unavailable`, `chain.logs-refused`.
 */
export async function readOwnershipEvents(
  provider: Provider,
  { ownership, ...range }: Abortable & { ownership: Pair; fromBlock: number; toBlock: number },
): Promise<PlacedOwnershipEvent[]> {
  const address = [ownership.address, ownership.mirror];
  const found: PlacedOwnershipEvent[] = [];
  for await (const { logs } of readLogs({ provider, address, topics: [], ...range })) {
    for (const log of logs) {
      const event = decodeOwnershipEvent(ownership, log);
      if (event === undefined) continue;
      found.push({ event, block: log.blockNumber, transactionHash: log.transactionHash });
    }
  }
  return found;
}
