import { secp256k1 } from "@noble/curves/secp256k1.js";
import { bytesToNumberBE, numberToBytesBE } from "@noble/curves/utils.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { concatBytes, utf8ToBytes } from "@noble/hashes/utils.js";

const { Point } = secp256k1;
const { Fn } = Point;

/** What a proof is about. */
export interface KnowledgeStatement {
  /** 32 bytes: the task that the envelope belongs to. */
  context: Uint8Array;
  /** 32 bytes: the commitment of the compartment to its key. */
  keyCommit: Uint8Array;
  /** 33 bytes: the compressed key of the recipient. */
  recipient: Uint8Array;
}

/** A Schnorr proof of knowledge: challenge and response, 32 bytes big-endian each, below the group order. */
export interface KnowledgeProof {
  e: Uint8Array;
  s: Uint8Array;
}

/**
 * Proves that the author of a wrap knows the scalar r of its ephemeral point R = rG, for this statement only.
 *
 * The nonce is derived from r and the statement, so that no second random value can fail: r is used once.
 */
export function proveKnowledge(statement: KnowledgeStatement, ephemeral: Uint8Array): KnowledgeProof {
  const r = Fn.fromBytes(ephemeral);
  const point = secp256k1.getPublicKey(ephemeral, true);
  const k = scalar("neura/pok-nonce/1", ephemeral, ...fields(statement));
  const e = challenge(statement, point, Point.BASE.multiply(k).toBytes(true));
  return { e: numberToBytesBE(e, 32), s: numberToBytesBE(Fn.add(k, Fn.mul(e, r)), 32) };
}

/** Whether `proof` shows that the author knows the scalar of `point` (33 bytes) for this statement. */
export function verifyKnowledge(
  statement: KnowledgeStatement,
  point: Uint8Array,
  proof: KnowledgeProof,
): boolean {
  const e = bytesToNumberBE(proof.e);
  const s = bytesToNumberBE(proof.s);
  if (!Fn.isValidNot0(e) || !Fn.isValidNot0(s) || !isPublicKey(point)) return false;
  const commitment = Point.BASE.multiplyUnsafe(s).subtract(Point.fromBytes(point).multiplyUnsafe(e));
  return !commitment.is0() && challenge(statement, point, commitment.toBytes(true)) === e;
}

/** Whether `bytes` is a compressed point of secp256k1: 33 bytes, canonical, on the curve. */
export function isPublicKey(bytes: Uint8Array): boolean {
  return bytes.length === 33 && secp256k1.utils.isValidPublicKey(bytes, true);
}

function challenge(statement: KnowledgeStatement, point: Uint8Array, commitment: Uint8Array): bigint {
  return scalar("neura/pok/1", ...fields(statement), point, commitment);
}

function fields({ context, keyCommit, recipient }: KnowledgeStatement): Uint8Array[] {
  return [context, keyCommit, recipient];
}

function scalar(tag: string, ...parts: Uint8Array[]): bigint {
  return Fn.create(bytesToNumberBE(sha256(concatBytes(utf8ToBytes(tag), ...parts))));
}
