import { AbiCoder, keccak256 } from "ethers";

/**
 * The context of a payload's envelope, 32 bytes as hex: chain, market, owner and the salt of the terms, because
 * the task's id is known only after the upload.
 */
export function payloadContext(task: {
  chainId: bigint;
  market: string;
  owner: string;
  salt: string;
}): string {
  return hashOf(
    ["string", "uint256", "address", "address", "bytes32"],
    ["neura/payload/1", task.chainId, task.market, task.owner, task.salt],
  );
}

/** The context of a result's envelope, 32 bytes as hex: the task's id. */
export function resultContext(task: { taskId: string }): string {
  return hashOf(["string", "bytes32"], ["neura/result/1", task.taskId]);
}

function hashOf(types: string[], values: unknown[]): string {
  return keccak256(AbiCoder.defaultAbiCoder().encode(types, values));
}
