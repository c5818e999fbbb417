/** Gas of a transfer over the bridge: sent from home, and delivered where ANKR is the coin, in the steady state. */
import {
  AbiCoder,
  type BaseWallet,
  type ContractTransactionResponse,
  keccak256,
  parseEther,
  type Signer,
  toUtf8Bytes,
  Wallet,
} from "ethers";
import { network } from "hardhat";
import type { NetworkConnection } from "hardhat/types/network";

import {
  BridgedAnkrEscrow__factory,
  MockERC20__factory,
  NativeAnkrVault__factory,
  type QuorumGateway,
  QuorumGateway__factory,
} from "../../../types/index.ts";
import { type Figure, NOTHING, plusTransaction } from "./figure.ts";

/** What these figures must not exceed [gas]. */
export const BRIDGE_LIMITS = { bridgeSend: 110_000, bridgeDeliver: 150_000 };

const PEER_CHAIN = 0x11_11_11;
const PEER_GATEWAY = "0x1111111111111111111111111111111111111111";
const PEER_BRIDGE = "0x2222222222222222222222222222222222222222";
/** No byte of it is zero, so that calldata costs the same whenever this runs. */
const AMOUNT_WEI = 0x11_11_11_11_11_11_11n;
/** Two, of which both have to sign. */
const ATTESTERS = ["first", "second"]
  .map((name): BaseWallet => new Wallet(keccak256(toUtf8Bytes(name))))
  .toSorted((one, other) => Number(BigInt(one.address) - BigInt(other.address) > 0n) * 2 - 1);

type Account = Signer & { readonly address: string };

/** A gateway, and what the end of a bridge behind it is made with. */
interface End {
  readonly admin: Account;
  readonly receiver: Account;
  readonly gateway: QuorumGateway;
  readonly creation: Parameters<NativeAnkrVault__factory["deploy"]>[0];
}

/** Measures both, each on a fresh chain. */
export async function measureBridge(): Promise<Record<string, Figure>> {
  return { bridgeSend: await measure("send", send), bridgeDeliver: await measure("deliver", deliver) };
}

async function measure(
  verb: string,
  scenario: (connection: NetworkConnection) => Promise<ContractTransactionResponse>,
): Promise<Figure> {
  const connection = await network.create();
  try {
    return await plusTransaction(NOTHING, connection, verb, await scenario(connection));
  } finally {
    await connection.close();
  }
}

/** The second transfer of a sender. */
async function send(connection: NetworkConnection): Promise<ContractTransactionResponse> {
  const { admin, receiver, creation } = await openEnd(connection);
  const token = await new MockERC20__factory(admin).deploy();
  const escrow = await new BridgedAnkrEscrow__factory(admin).deploy(creation, token);
  await token.mint(admin, 1_000n * AMOUNT_WEI);
  await token.approve(escrow, 100n * AMOUNT_WEI);
  await escrow.send(receiver, AMOUNT_WEI, 0);
  return await escrow.send(receiver, AMOUNT_WEI, 0);
}

/** The second transfer to a receiver. */
async function deliver(connection: NetworkConnection): Promise<ContractTransactionResponse> {
  const { admin, receiver, gateway, creation } = await openEnd(connection);
  const vault = await new NativeAnkrVault__factory(admin).deploy(creation);
  await admin.sendTransaction({ to: vault, value: parseEther("1000") });
  const payload = (number: bigint): string =>
    AbiCoder.defaultAbiCoder().encode(
      ["uint256", "address", "address", "uint256", "uint8"],
      [number, admin.address, receiver.address, AMOUNT_WEI, 0],
    );
  const recipient = await vault.getAddress();
  await deliverTo(gateway, { nonce: 1n, recipient, payload: payload(1n) });
  return await deliverTo(gateway, { nonce: 2n, recipient, payload: payload(2n) });
}

async function deliverTo(
  gateway: QuorumGateway,
  sent: { nonce: bigint; recipient: string; payload: string },
): Promise<ContractTransactionResponse> {
  const { name, version, chainId, verifyingContract } = await gateway.eip712Domain();
  const message = {
    ...{ ...sent, sourceChain: PEER_CHAIN, sourceGateway: PEER_GATEWAY, sender: PEER_BRIDGE },
    ...{ destinationChain: chainId, destinationGateway: verifyingContract },
  };
  const types = {
    Attestation: [
      { name: "message", type: "bytes32" },
      { name: "epoch", type: "uint64" },
    ],
  };
  const attestation = { message: await gateway.idOf(message), epoch: 1 };
  const signatures = ATTESTERS.map((attester) =>
    attester.signTypedData({ name, version, chainId, verifyingContract }, types, attestation),
  );
  return await gateway.deliver(message, 1, await Promise.all(signatures));
}

async function openEnd({ ethers }: NetworkConnection): Promise<End> {
  const [admin, receiver] = await ethers.getSigners();
  if (!admin || !receiver) throw new Error("the chain has too few accounts");
  const attesters = ATTESTERS.map(({ address }) => address);
  const gateway = await new QuorumGateway__factory(admin).deploy(
    ...([PEER_CHAIN, PEER_GATEWAY, attesters, attesters.length, admin, admin] as const),
  );
  const most = parseEther("1000000");
  const settings = {
    ...{ minimum: 1, fee: 7, feeReceiver: admin, threshold: most, waitSeconds: 86_400 },
    ...{ sendCapacity: most, sendPeriod: 86_400, payCapacity: most, payPeriod: 86_400 },
  };
  const creation = {
    ...{ gateway, peerChain: PEER_CHAIN, peer: PEER_BRIDGE, market: ethers.ZeroAddress },
    ...{ owner: admin, guardian: admin, settings },
  };
  return { admin, receiver, gateway, creation };
}
