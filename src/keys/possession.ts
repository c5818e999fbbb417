import { dataSlice, hexlify, SigningKey, TypedDataEncoder } from "ethers";

import type { KeyPair } from "../envelope/index.ts";

const TYPES = {
  EncryptionKey: [
    { name: "account", type: "address" },
    { name: "epoch", type: "uint32" },
  ],
};

export interface Possession {
  /** Where the key is going to be published. */
  readonly chainId: bigint;
  readonly keyRegistry: string;
  readonly account: string;
  /** The number that the key is going to have: one more than the account's latest. */
  readonly epoch: bigint;
}

/**
 * What `KeyRegistry.publish` takes: the key's point, and its EIP-712 signature over account and epoch, which shows
 * that whoever publishes the key has it.
 */
export function provePossession(
  { secretKey }: KeyPair,
  { chainId, keyRegistry, account, epoch }: Possession,
): { x: string; y: string; proof: string } {
  const key = new SigningKey(hexlify(secretKey.reveal()));
  const domain = { name: "Neura KeyRegistry", version: "1", chainId, verifyingContract: keyRegistry };
  const digest = TypedDataEncoder.hash(domain, TYPES, { account, epoch });
  // The uncompressed point is 0x04, x, y.
  const { publicKey } = key;
  return {
    x: dataSlice(publicKey, 1, 33),
    y: dataSlice(publicKey, 33, 65),
    proof: key.sign(digest).serialized,
  };
}
