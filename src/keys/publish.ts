import { hexlify, type Signer } from "ethers";

import type { Deployment } from "../deployment.ts";
import type { KeyPair } from "../envelope/index.ts";
import { NeuraError } from "../errors.ts";
import { asking, connectContracts } from "../market/context.ts";
import { provePossession } from "./possession.ts";

/** A key as the registry has it. */
export interface PublishedKey {
  readonly epoch: number;
  /** Compressed, 33 bytes as hex. */
  readonly publicKey: string;
  /** Unix seconds. */
  readonly publishedAt: number;
  readonly revoked: boolean;
}

/** All keys that `account` ever published, oldest first. */
export async function publishedKeys(
  deployment: Deployment,
  { signer, account }: { signer: Signer; account: string },
): Promise<PublishedKey[]> {
  const { keys } = connectContracts(deployment, signer);
  const latest = Number(await keys.latestEpoch(account));
  return await Promise.all(
    Array.from({ length: latest }, async (_, index) => {
      const epoch = index + 1;
      const { publicKey, publishedAt, revokedAt } = await keys.keyAt(account, epoch);
      return { epoch, publicKey, publishedAt: Number(publishedAt), revoked: revokedAt !== 0n };
    }),
  );
}

/**
 * Publishes a key as the signer's next epoch: from then on tasks are encrypted to it.
 * Error: `key.published`.
 */
export async function publishKey(
  deployment: Deployment,
  { signer, key }: { signer: Signer; key: KeyPair },
): Promise<{ epoch: number; hash: string; gasUsed: bigint }> {
  const account = await signer.getAddress();
  const known = await publishedKeys(deployment, { signer, account });
  const publicKey = hexlify(key.publicKey);
  const same = known.find((each) => each.publicKey === publicKey);
  if (same !== undefined) {
    throw new NeuraError(
      "key.published",
      `The key ${publicKey} is published already, as epoch ${same.epoch}.`,
      {
        next: "Create another one with `account key create` to replace it.",
      },
    );
  }
  const epoch = known.length + 1;
  const { x, y, proof } = provePossession(key, {
    chainId: BigInt(deployment.chainId),
    keyRegistry: deployment.contracts.KeyRegistry,
    account,
    epoch: BigInt(epoch),
  });
  const { keys } = connectContracts(deployment, signer);
  const receipt = await (await asking(keys.publish(x, y, proof))).wait();
  if (receipt === null)
    throw new NeuraError("chain.unavailable", "The chain has no receipt of the transaction.");
  return { epoch, hash: receipt.hash, gasUsed: receipt.gasUsed };
}
