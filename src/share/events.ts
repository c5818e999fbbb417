import type { Log, Provider } from "ethers";

import { IRevenueShareToken__factory } from "../../types/factories/interfaces/IRevenueShareToken__factory.ts";
import type {
  ClaimedEvent,
  ClaimForRefusedEvent,
  ClaimSkippedEvent,
  CreditedEvent,
  CreditWithdrawnEvent,
  CrosschainBurnEvent,
  CrosschainMintEvent,
  RecipientSetEvent,
  RedeemedEvent,
  RevenueReceivedEvent,
  SharingSetEvent,
  SnapshotTakenEvent,
  TransferEvent,
} from "../../types/interfaces/IRevenueShareToken.ts";
import { readLogs } from "../chain/logs.ts";

/** What a share announces; amounts in the smallest unit of their token, the zero address for the native coin. */
export type ShareEvent =
  | { readonly name: "Transfer"; readonly from: string; readonly to: string; readonly amountWei: bigint }
  | { readonly name: "CrosschainMint"; readonly account: string; readonly amountWei: bigint }
  | { readonly name: "CrosschainBurn"; readonly account: string; readonly amountWei: bigint }
  | {
      readonly name: "SharingSet";
      readonly account: string;
      readonly shares: boolean;
      /** Whether the account has said so itself. */
      readonly bySelf: boolean;
      readonly period: number;
    }
  | {
      readonly name: "RevenueReceived";
      readonly token: string;
      readonly from: string;
      readonly amountWei: bigint;
      readonly period: number;
    }
  | {
      readonly name: "SnapshotTaken";
      readonly snapshot: number;
      readonly token: string;
      readonly revenueWei: bigint;
      readonly claimableWei: bigint;
      readonly redeemableWei: bigint;
      readonly eligibleWei: bigint;
    }
  | {
      readonly name: "Claimed";
      readonly account: string;
      readonly token: string;
      readonly from: number;
      readonly through: number;
      readonly amountWei: bigint;
      readonly recipient: string;
    }
  | {
      readonly name: "Redeemed";
      readonly account: string;
      readonly token: string;
      readonly burnedWei: bigint;
      readonly amountWei: bigint;
    }
  | {
      readonly name: "Credited";
      readonly account: string;
      readonly token: string;
      readonly amountWei: bigint;
    }
  | {
      readonly name: "CreditWithdrawn";
      readonly account: string;
      readonly token: string;
      readonly amountWei: bigint;
      readonly to: string;
    }
  | { readonly name: "RecipientSet"; readonly account: string; readonly recipient: string }
  | { readonly name: "ClaimForRefused"; readonly account: string; readonly refused: boolean }
  | {
      readonly name: "ClaimSkipped";
      readonly account: string;
      readonly snapshot: number;
      /** The error, as the contract encodes it. */
      readonly reason: string;
    };

export type ShareEventName = ShareEvent["name"];

/** An event with its place in the chain. */
export interface PlacedEvent {
  readonly event: ShareEvent;
  readonly block: number;
  readonly transactionHash: string;
}

const INTERFACE = IRevenueShareToken__factory.createInterface();

/** Decodes a log of a share; of other events: nothing. */
export function decodeShareEvent({ topics, data }: Pick<Log, "topics" | "data">): ShareEvent | undefined {
  const parsed = INTERFACE.parseLog({ topics: [...topics], data });
  // The ABI that the types were generated from decodes the log.
  const args: unknown = parsed?.args.toObject();
  switch (parsed?.name) {
    case "Transfer": {
      const { from, to, value } = args as TransferEvent.OutputObject;
      return { name: "Transfer", from, to, amountWei: value };
    }
    case "CrosschainMint": {
      const { to, amount } = args as CrosschainMintEvent.OutputObject;
      return { name: "CrosschainMint", account: to, amountWei: amount };
    }
    case "CrosschainBurn": {
      const { from, amount } = args as CrosschainBurnEvent.OutputObject;
      return { name: "CrosschainBurn", account: from, amountWei: amount };
    }
    case "SharingSet": {
      const { account, shares, bySelf, period } = args as SharingSetEvent.OutputObject;
      return { name: "SharingSet", account, shares, bySelf, period: Number(period) };
    }
    case "RevenueReceived": {
      const { token, from, amount, period } = args as RevenueReceivedEvent.OutputObject;
      return { name: "RevenueReceived", token, from, amountWei: amount, period: Number(period) };
    }
    case "SnapshotTaken": {
      const { id, token, revenue, claimable, redeemable, eligibleSupply } =
        args as SnapshotTakenEvent.OutputObject;
      return {
        ...{ name: "SnapshotTaken", snapshot: Number(id), token, revenueWei: revenue },
        ...{ claimableWei: claimable, redeemableWei: redeemable, eligibleWei: eligibleSupply },
      };
    }
    case "Claimed": {
      const { account, token, fromId, throughId, amount, recipient } = args as ClaimedEvent.OutputObject;
      const range = { from: Number(fromId), through: Number(throughId) };
      return { name: "Claimed", account, token, ...range, amountWei: amount, recipient };
    }
    case "Redeemed": {
      const { account, token, burned, amount } = args as RedeemedEvent.OutputObject;
      return { name: "Redeemed", account, token, burnedWei: burned, amountWei: amount };
    }
    case "Credited": {
      const { account, token, amount } = args as CreditedEvent.OutputObject;
      return { name: "Credited", account, token, amountWei: amount };
    }
    case "CreditWithdrawn": {
      const { account, token, amount, to } = args as CreditWithdrawnEvent.OutputObject;
      return { name: "CreditWithdrawn", account, token, amountWei: amount, to };
    }
    case "RecipientSet": {
      const { account, recipient } = args as RecipientSetEvent.OutputObject;
      return { name: "RecipientSet", account, recipient };
    }
    case "ClaimForRefused": {
      const { account, refused } = args as ClaimForRefusedEvent.OutputObject;
      return { name: "ClaimForRefused", account, refused };
    }
    case "ClaimSkipped": {
      const { account, id, reason } = args as ClaimSkippedEvent.OutputObject;
      return { name: "ClaimSkipped", account, snapshot: Number(id), reason };
    }
    default:
      return undefined;
  }
}

/**
 * What a share announced in these blocks, in the chain's order, of the named events or of all.
 * Errors: `chain.unavailable`, `chain.logs-refused`.
 */
export async function readShareEvents(
  provider: Provider,
  {
    share,
    names,
    ...range
  }: {
    share: string;
    names?: readonly ShareEventName[];
    fromBlock: number;
    toBlock: number;
    signal?: AbortSignal | undefined;
  },
): Promise<PlacedEvent[]> {
  const topics = names === undefined ? [] : [names.map((name) => INTERFACE.getEvent(name).topicHash)];
  const found: PlacedEvent[] = [];
  for await (const { logs } of readLogs({ provider, address: share, topics, ...range })) {
    for (const log of logs) {
      const event = decodeShareEvent(log);
      if (event === undefined) continue;
      found.push({ event, block: log.blockNumber, transactionHash: log.transactionHash });
    }
  }
  return found;
}
