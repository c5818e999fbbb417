import { concat, sha256, type Signer, toBeHex } from "ethers";

import { type IProvenArbiter } from "../src/contracts.ts";
import { type Evidence, type EvidenceUnit, unitsRoot, ZERO_HASH } from "../src/verify/index.ts";

/** The order of BN254's scalar field, in which `MatrixProductVerifier` computes. */
export const FIELD =
  21_888_242_871_839_275_222_246_405_745_257_275_088_548_364_400_416_034_343_698_204_186_575_808_495_617n;

/** Rows of a square matrix; each number is below {@link FIELD}. */
export type Matrix = readonly (readonly bigint[])[];

/** The work: one layer of a network, weights by inputs. */
export function layer(weights: Matrix, inputs: Matrix): Matrix {
  return weights.map((row) =>
    row.map((_, column) =>
      row.reduce((sum, weight, k) => (sum + weight * (inputs[k]?.[column] ?? 0n)) % FIELD, 0n),
    ),
  );
}

/** A matrix as the verifier reads it: row by row, 32 bytes for each number. */
export function encodeMatrix(matrix: Matrix): string {
  return concat(matrix.flatMap((row) => row.map((value) => toBeHex(value, 32))));
}

/**
 * The owner says which input it means, before it submits: no gas, and the signature goes with the payload, where the
 * provider checks it before it takes the task.
 */
export async function signInput(
  owner: Signer,
  arbiter: IProvenArbiter,
  { salt, weights, inputs }: { salt: string; weights: Matrix; inputs: Matrix },
): Promise<string> {
  const provider = owner.provider;
  if (provider === null) throw new Error("the owner's key is not connected to a chain");
  const { chainId } = await provider.getNetwork();
  return await owner.signTypedData(
    { name: "Neura ProvenArbiter", version: "1", chainId, verifyingContract: await arbiter.getAddress() },
    {
      Input: [
        { name: "salt", type: "bytes32" },
        { name: "inputHash", type: "bytes32" },
      ],
    },
    { salt, inputHash: sha256(concat([encodeMatrix(weights), encodeMatrix(inputs)])) },
  );
}

/**
 * The provider does the work and what shows that it did: of this proof system the three matrices themselves, which take
 * n² steps to check and n³ to make. The whole task is one unit.
 */
export function proveLayer(
  { weights, inputs }: { weights: Matrix; inputs: Matrix },
  { signature, drawCommit }: { signature: string; drawCommit: string },
): { output: string; evidence: Evidence; proven: IProvenArbiter.ProvenStruct } {
  const input = concat([encodeMatrix(weights), encodeMatrix(inputs)]);
  const output = encodeMatrix(layer(weights, inputs));
  const unit: EvidenceUnit = {
    inputHash: sha256(input),
    outputHash: sha256(output),
    stateHash: ZERO_HASH,
    sketchHash: ZERO_HASH,
  };
  const evidence = {
    inputRoot: unit.inputHash,
    resultRoot: unit.outputHash,
    unitsRoot: unitsRoot([unit]),
    unitCount: 1,
    runHash: ZERO_HASH,
    drawCommit,
  };
  const proof = concat([input, output]);
  return { output, evidence, proven: { evidence, unit: { index: 0, ...unit }, signature, proof } };
}
