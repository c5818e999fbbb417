import {
  AbiCoder,
  concat,
  dataLength,
  dataSlice,
  getAddress,
  type Interface,
  keccak256,
  type Log,
  toBeArray,
  type TypedDataDomain,
  TypedDataEncoder,
} from "ethers";

import { QuorumGateway__factory } from "../../types/factories/bridge/QuorumGateway__factory.ts";
import { NeuraError } from "../errors.ts";

/** What one chain's gateway says to the other's, as `IQuorumGateway.Message` has it. */
export interface Message {
  readonly sourceChain: bigint;
  readonly sourceGateway: string;
  readonly nonce: bigint;
  readonly sender: string;
  readonly destinationChain: bigint;
  readonly destinationGateway: string;
  readonly recipient: string;
  /** Hex with 0x. */
  readonly payload: string;
}

/** Where messages come from and go to. */
export type Route = Pick<
  Message,
  "sourceChain" | "sourceGateway" | "destinationChain" | "destinationGateway"
>;

/** A message with its id, and where it was sent. */
export interface SentMessage {
  readonly id: string;
  readonly message: Message;
  readonly block: { readonly number: number; readonly hash: string };
  readonly transactionHash: string;
}

/** What happens to a transfer where it arrives. */
export const TARGETS = ["account", "market"] as const;
export type Target = (typeof TARGETS)[number];

/** What one end of the bridge tells the other. */
export interface Transfer {
  readonly number: bigint;
  readonly from: string;
  readonly to: string;
  readonly amountWei: bigint;
  readonly target: Target;
}

const MESSAGE =
  "tuple(uint256 sourceChain, address sourceGateway, uint256 nonce, address sender, uint256 destinationChain, address destinationGateway, address recipient, bytes payload)";
const TRANSFER = ["uint256", "address", "address", "uint256", "uint8"];
const ATTESTATION = {
  Attestation: [
    { name: "message", type: "bytes32" },
    { name: "epoch", type: "uint64" },
  ],
};
/** `InteroperableAddress` of OpenZeppelin, version 1 of an EVM chain: then the chain's number, and 20 bytes (ERC-7930). */
const EVM_V1 = "0x00010000";

let known: Interface | undefined;
const gatewayInterface = (): Interface => (known ??= QuorumGateway__factory.createInterface());

/** The topics of what a gateway writes when a message is sent. */
export function sentTopics(): string[] {
  return ["MessageSent", "MessageNumbered"].map((name) => topicOf(gatewayInterface(), name));
}

export function topicOf(contract: Interface, name: string): string {
  const event = contract.getEvent(name);
  if (event === null) throw new Error(`there is no event ${name}`);
  return event.topicHash;
}

/** `IQuorumGateway.idOf`: the id of a message, on both chains. */
export function messageId(message: Message): string {
  return keccak256(AbiCoder.defaultAbiCoder().encode([MESSAGE], [message]));
}

/** What attesters sign: EIP-712 in the domain of the gateway that the message is for. */
export function attestationOf(
  { destinationChain, destinationGateway }: Pick<Route, "destinationChain" | "destinationGateway">,
  message: string,
  epoch: bigint,
): {
  domain: TypedDataDomain;
  types: typeof ATTESTATION;
  value: { message: string; epoch: bigint };
} {
  return {
    domain: {
      name: "Neura QuorumGateway",
      version: "1",
      chainId: destinationChain,
      verifyingContract: destinationGateway,
    },
    types: ATTESTATION,
    value: { message, epoch },
  };
}

/** `IQuorumGateway.digestOf` of the gateway that the message is for. */
export function attestationDigest(
  route: Pick<Route, "destinationChain" | "destinationGateway">,
  message: string,
  epoch: bigint,
): string {
  const { domain, types, value } = attestationOf(route, message, epoch);
  return TypedDataEncoder.hash(domain, types, value);
}

/** What a transfer is known by at both ends, by the chain and the end that it was sent from. */
export function transferKey(sourceChain: bigint, sourceBridge: string, number: bigint): string {
  const coder = AbiCoder.defaultAbiCoder();
  return keccak256(coder.encode(["uint256", "address", "uint256"], [sourceChain, sourceBridge, number]));
}

/** The transfer in a message of the bridge. Error: `bridge.malformed`. */
export function decodeTransfer(payload: string): Transfer {
  try {
    const [number, from, to, amountWei, target] = AbiCoder.defaultAbiCoder()
      .decode(TRANSFER, payload)
      .map(String);
    return {
      number: BigInt(number ?? ""),
      from: getAddress(from ?? ""),
      to: getAddress(to ?? ""),
      amountWei: BigInt(amountWei ?? ""),
      target: targetOf(Number(target)),
    };
  } catch (cause) {
    throw malformed("A message of the bridge holds no transfer", cause);
  }
}

/** The bytes that {@link decodeTransfer} reads. */
export function encodeTransfer({ number, from, to, amountWei, target }: Transfer): string {
  const values = [number, from, to, amountWei, TARGETS.indexOf(target)];
  return AbiCoder.defaultAbiCoder().encode(TRANSFER, values);
}

function targetOf(number: number): Target {
  const target = TARGETS[number];
  if (target === undefined) throw malformed(`There is no target ${number}`);
  return target;
}

/**
 * The messages in a gateway's logs, in the order of the chain. Each is checked against its id, which names the route.
 * Error: `bridge.malformed` for logs that are not whole or not of this gateway.
 */
export function decodeMessages(route: Route, logs: readonly Log[]): SentMessage[] {
  const numbers = new Map<string, bigint>();
  const found: SentMessage[] = [];
  for (const log of logs) {
    if (getAddress(log.address) !== getAddress(route.sourceGateway)) continue;
    const event = gatewayInterface().parseLog(log);
    if (event === null) continue;
    const id = String(event.args[0]);
    if (event.name === "MessageNumbered") numbers.set(id, BigInt(String(event.args[1])));
    if (event.name !== "MessageSent") continue;
    const nonce = numbers.get(id);
    if (nonce === undefined) throw malformed(`The message ${id} has no number`);
    const sender = accountIn(String(event.args[1]), route.sourceChain);
    const recipient = accountIn(String(event.args[2]), route.destinationChain);
    const message = { ...route, nonce, sender, recipient, payload: String(event.args[3]) };
    if (messageId(message) !== id) throw malformed(`The message ${id} is not the one that it says`);
    const { blockNumber: number, blockHash: hash, transactionHash } = log;
    found.push({ id, message, block: { number, hash }, transactionHash });
  }
  return found;
}

/** The account of an address that names its chain, which has to be this one. Error: `bridge.malformed`. */
function accountIn(text: string, chain: bigint): string {
  const number = toBeArray(chain);
  const head = concat([EVM_V1, new Uint8Array([number.length]), number, "0x14"]);
  const length = dataLength(head);
  if (dataLength(text) !== length + 20 || dataSlice(text, 0, length) !== head) {
    throw malformed(`${text} is no address on chain ${chain}`);
  }
  return getAddress(dataSlice(text, length));
}

function malformed(what: string, cause?: unknown): NeuraError {
  return new NeuraError("bridge.malformed", `${what}.`, {
    next: "Ask another endpoint of the chain: this one may not tell the truth.",
    ...(cause === undefined ? {} : { cause }),
  });
}
