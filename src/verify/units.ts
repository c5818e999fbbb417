import { AbiCoder, concat, keccak256 } from "ethers";

import { NeuraError } from "../errors.ts";
import { branchesOf, type EvidenceUnit, rootOfBranch, unitLeaf } from "../market/evidence.ts";

/** Units of an audit if nothing else is said. */
export const DEFAULT_UNITS = 2;

/** Which units are drawn, and by what. Hashes are 32 bytes as hex with 0x. */
export interface Draw {
  /** The owner's: `keccak256` of it is the salt of the terms. */
  readonly auditSeed: string;
  /** Of the delivery. */
  readonly evidenceHash: string;
  readonly unitCount: number;
  /** Default: 2. All, where there are no more. */
  readonly count?: number | undefined;
}

/**
 * The units that are audited, in the order in which they are drawn, none twice: draw i is
 * keccak256(auditSeed, evidenceHash, uint256 i) % unitCount. Fixed by what both sides committed to: the provider does
 * not know the seed when it delivers, the owner cannot choose afterwards. By the remainder of 256 bits no unit is likelier
 * than another by more than 1 in 2^200.
 */
export function drawUnits({ auditSeed, evidenceHash, unitCount, count = DEFAULT_UNITS }: Draw): number[] {
  if (!Number.isSafeInteger(count) || count < 1)
    throw new NeuraError("verify.count", `${count} units cannot be drawn.`, { next: "Draw one at least." });
  if (count >= unitCount) return Array.from({ length: unitCount }, (_, index) => index);
  const drawn = new Set<number>();
  for (let i = 0n; drawn.size < count; i++) {
    const types = ["bytes32", "bytes32", "uint256"];
    const hash = keccak256(AbiCoder.defaultAbiCoder().encode(types, [auditSeed, evidenceHash, i]));
    drawn.add(Number(BigInt(hash) % BigInt(unitCount)));
  }
  return [...drawn];
}

/** Whether the salt of the terms commits to this audit seed. */
export function isAuditSeed(auditSeed: string, salt: string): boolean {
  return keccak256(auditSeed) === salt;
}

/** What a jury is drawn with: neither side knew the other's half when it fixed its own. 32 bytes as hex. */
export function jurySeed(auditSeed: string, drawNonce: string): string {
  return keccak256(concat([auditSeed, drawNonce]));
}

// ---- Branches ----

/**
 * The branch from a unit to `unitsRoot`, its lowest sibling first: hashes of 32 bytes as hex, as `MerkleProof.sol` and
 * `SimpleMerkleTree` of @openzeppelin/merkle-tree take them. Error: `verify.no-unit`.
 */
export function unitProof(units: readonly EvidenceUnit[], index: number): string[] {
  if (!Number.isInteger(index) || index < 0 || index >= units.length)
    throw new NeuraError("verify.no-unit", `There is no unit ${index} of ${units.length}.`, {
      next: "Name one that there is; the first one is 0.",
    });
  const leaves = units.map((unit, at) => unitLeaf(at, unit));
  return branchesOf(leaves, [index])[0] ?? [];
}

/** Whether the branch leads from this unit, at this place, to the root. */
export function isUnitOf(
  unitsRoot: string,
  { index, unit, proof }: { index: number; unit: EvidenceUnit; proof: readonly string[] },
): boolean {
  return rootOfBranch(unitLeaf(index, unit), proof) === unitsRoot;
}
