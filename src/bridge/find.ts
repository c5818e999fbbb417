import { getAddress, isHexString, type Log } from "ethers";

import { type Abortable, unlessAborted } from "../abort.ts";
import { told } from "../chain/errors.ts";
import { readLogs } from "../chain/logs.ts";
import { NeuraError } from "../errors.ts";
import { type Bridge, type End, isOfBridge, peerOf, routeFrom } from "./context.ts";
import { SIDES } from "./deployment.ts";
import {
  decodeMessages,
  decodeTransfer,
  type SentMessage,
  topicOf,
  type Transfer,
  transferKey,
} from "./message.ts";

/** A transfer as it was sent. */
export interface FoundTransfer extends Transfer {
  /** What it is known by at both ends. */
  readonly id: string;
  readonly source: End;
  readonly destination: End;
  readonly sent: SentMessage;
}

/**
 * The transfer that somebody names: by itself, by its message, or by the transaction that sent it, on whichever chain.
 * Errors: `bridge.unknown-transfer`, `usage.transfer`, `chain.unavailable`.
 */
export async function findTransfer(
  bridge: Bridge,
  reference: string,
  { signal }: Abortable = {},
): Promise<FoundTransfer> {
  if (!isHexString(reference, 32)) {
    throw new NeuraError(
      "usage.transfer",
      `${JSON.stringify(reference)} is neither a transfer nor a transaction.`,
      {
        next: "Give 0x and 64 hexadecimal digits, as `bridge send` printed them.",
      },
    );
  }
  for (const side of SIDES) {
    const source = bridge[side];
    // Some nodes refuse to tell of a transaction that is not mined.
    const receipt = await unlessAborted(told(source.provider.getTransactionReceipt(reference)), signal);
    const [first] = receipt == null ? [] : transfersIn(bridge, source, receipt.logs);
    if (first !== undefined) return first;
  }
  for (const side of SIDES) {
    const found = await searchLogs(bridge, bridge[side], reference, signal);
    if (found !== undefined) return found;
  }
  throw new NeuraError(
    "bridge.unknown-transfer",
    `Neither chain ${bridge.home.chainId} nor chain ${bridge.far.chainId} knows of a transfer ${reference}.`,
    {
      next: "Check the networks (--network and --peer); a transaction that is not mined yet is not known either.",
    },
  );
}

/** The transfers that a transaction's logs announce. */
function transfersIn(bridge: Bridge, source: End, logs: readonly Log[]): FoundTransfer[] {
  const messages = decodeMessages(routeFrom(bridge, source), logs);
  return messages.flatMap((sent) => transferIn(bridge, source, sent) ?? []);
}

/** The transfer in a message, if it is the bridge's. Error: `bridge.malformed`. */
export function transferIn(bridge: Bridge, source: End, sent: SentMessage): FoundTransfer | undefined {
  if (!isOfBridge(bridge, source, sent.message)) return undefined;
  const transfer = decodeTransfer(sent.message.payload);
  const id = transferKey(BigInt(source.chainId), source.bridge, transfer.number);
  return { ...transfer, id, source, destination: peerOf(bridge, source), sent };
}

async function searchLogs(
  bridge: Bridge,
  source: End,
  reference: string,
  signal: AbortSignal | undefined,
): Promise<FoundTransfer | undefined> {
  const topic = topicOf(source.contract.interface, "Sent");
  const message = topicOf(source.gatewayContract.interface, "MessageNumbered");
  const pages = readLogs({
    ...{
      provider: source.provider,
      address: [source.bridge, source.gateway],
      fromBlock: source.block,
      signal,
    },
    topics: [[topic, message], reference],
    direction: "backward",
  });
  for await (const { logs } of pages) {
    for (const log of logs) {
      const receipt = await unlessAborted(source.provider.getTransactionReceipt(log.transactionHash), signal);
      const found = transfersIn(bridge, source, receipt?.logs ?? []);
      const isMessage = getAddress(log.address) === source.gateway;
      const match = found.find(({ id, sent }) => (isMessage ? sent.id : id) === reference.toLowerCase());
      if (match !== undefined) return match;
    }
  }
  return undefined;
}
