import { getAddress, type Log, type Provider } from "ethers";

import { IAnkrBridge__factory } from "../../types/factories/interfaces/IAnkrBridge__factory.ts";
import { IQuorumGateway__factory } from "../../types/factories/interfaces/IQuorumGateway__factory.ts";
import type { IAnkrBridge } from "../../types/interfaces/IAnkrBridge.ts";
import type { IQuorumGateway } from "../../types/interfaces/IQuorumGateway.ts";
import type { Abortable } from "../abort.ts";
import { told, unavailable } from "../chain/errors.ts";
import { readLogs } from "../chain/logs.ts";
import { type BridgeDeployment, type EndRecord, otherSide, type Side, SIDES } from "./deployment.ts";
import { decodeMessages, type Message, type Route, type SentMessage, sentTopics } from "./message.ts";

/** When a block counts as final: as the node says, or when so many others have followed it. */
export type Finality = "finalized" | number;

/** One end of the bridge with what reads it. */
export interface End extends EndRecord {
  readonly side: Side;
  readonly provider: Provider;
  readonly finality: Finality;
  readonly contract: IAnkrBridge;
  readonly gatewayContract: IQuorumGateway;
}

/** Both ends. */
export interface Bridge {
  readonly home: End;
  readonly far: End;
}

export interface BridgeOptions {
  readonly deployment: BridgeDeployment;
  readonly providers: Readonly<Record<Side, Provider>>;
  /** Default: what the chain's node calls final. */
  readonly finality?: Readonly<Partial<Record<Side, Finality>>>;
}

/** A block, and when it was. */
export interface BlockTime {
  readonly number: number;
  readonly hash: string;
  /** [Unix s] */
  readonly timestamp: number;
}

export function openBridge({ deployment, providers, finality = {} }: BridgeOptions): Bridge {
  const end = (side: Side): End => ({
    ...deployment[side],
    side,
    provider: providers[side],
    finality: finality[side] ?? "finalized",
    contract: IAnkrBridge__factory.connect(deployment[side].bridge, providers[side]),
    gatewayContract: IQuorumGateway__factory.connect(deployment[side].gateway, providers[side]),
  });
  return { home: end("home"), far: end("far") };
}

/** The end on this chain, if one is. */
export function endOn(bridge: Bridge, chainId: bigint): End | undefined {
  return SIDES.map((side) => bridge[side]).find((end) => BigInt(end.chainId) === chainId);
}

export function peerOf(bridge: Bridge, { side }: Pick<End, "side">): End {
  return bridge[otherSide(side)];
}

/** How messages go from this end to the other. */
export function routeFrom(bridge: Bridge, source: End): Route {
  const destination = peerOf(bridge, source);
  return {
    sourceChain: BigInt(source.chainId),
    sourceGateway: source.gateway,
    destinationChain: BigInt(destination.chainId),
    destinationGateway: destination.gateway,
  };
}

/** Whether a message is of the bridge itself, and not of another who uses its gateways. */
export function isOfBridge(bridge: Bridge, source: End, { sender, recipient }: Message): boolean {
  return sender === getAddress(source.bridge) && recipient === getAddress(peerOf(bridge, source).bridge);
}

/**
 * The newest block, and the newest final one; nothing before there is one, which some nodes refuse to tell of.
 * Error: `chain.unavailable`.
 */
export async function headsOf({
  provider,
  finality,
}: Pick<End, "provider" | "finality">): Promise<{ head: BlockTime; final: BlockTime | undefined }> {
  try {
    const head = await blockAt(provider, "latest");
    if (head === undefined) throw new Error("it has no latest block");
    const tag = finality === "finalized" ? finality : head.number - finality;
    const final = typeof tag === "number" && tag < 0 ? undefined : await told(blockAt(provider, tag));
    return { head, final };
  } catch (error) {
    throw unavailable(error);
  }
}

/** A block of the chain, if it has it. */
export async function blockAt(
  provider: Provider,
  tag: number | "latest" | "finalized",
): Promise<BlockTime | undefined> {
  const block = await provider.getBlock(tag);
  if (block?.hash == null) return undefined;
  return { number: block.number, hash: block.hash, timestamp: block.timestamp };
}

/** The messages that an end's gateway sent in a range of blocks, page by page. Errors: those of `readLogs`, `bridge.malformed`. */
export async function* readMessages(
  route: Route,
  {
    provider,
    fromBlock,
    toBlock,
    signal,
  }: Abortable & { provider: Provider; fromBlock: number; toBlock: number },
): AsyncGenerator<{ toBlock: number; messages: SentMessage[]; logs: readonly Log[] }> {
  const query = {
    provider,
    address: route.sourceGateway,
    topics: [sentTopics()],
    fromBlock,
    toBlock,
    signal,
  };
  for await (const page of readLogs(query)) {
    yield { toBlock: page.toBlock, messages: decodeMessages(route, page.logs), logs: page.logs };
  }
}
