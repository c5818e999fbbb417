import { secp256k1 } from "@noble/curves/secp256k1.js";
import { bytesToNumberBE, numberToBytesBE } from "@noble/curves/utils.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { concatBytes, utf8ToBytes } from "@noble/hashes/utils.js";

import { isPublicKey, type KnowledgeStatement } from "./proof.ts";

const { Point } = secp256k1;
const { Fn, Fp } = Point;

type CurvePoint = InstanceType<typeof Point>;

/** What a shared point is shown for: one wrap. */
export interface WrapStatement extends KnowledgeStatement {
  /** 33 bytes: the ephemeral point R of the wrap. */
  ephemeral: Uint8Array;
}

/**
 * The point S = dR of a wrap, and a proof that its d is the one of the recipient's key P = dG: of equal discrete
 * logarithms (Chaum and Pedersen, 1992), made non-interactive by a hash over all of it.
 *
 * Whoever knows the key can make it. It says nothing about d beyond S, and S of this wrap opens no other, unless
 * that has the same R.
 */
export interface SharedPointProof {
  /** 33 bytes: S, compressed. */
  readonly shared: Uint8Array;
  /** Challenge and response, 32 bytes big-endian each, above 0 and below the group order. */
  readonly c: Uint8Array;
  readonly s: Uint8Array;
}

/**
 * Shows the shared point of a wrap: for {@link proveOpening} alone, which looks first who made its ephemeral point. The nonce
 * is derived from the key and the statement: the same statement has one proof, and no two statements have one nonce.
 */
export function proveSharedPoint(statement: WrapStatement, secretKey: Uint8Array): SharedPointProof {
  const d = Fn.fromBytes(secretKey);
  const ephemeral = Point.fromBytes(statement.ephemeral);
  const shared = ephemeral.multiply(d).toBytes(true);
  const k = scalar("neura/opening-nonce/1", secretKey, ...fields(statement, shared));
  const c = challenge(statement, shared, Point.BASE.multiply(k), ephemeral.multiply(k));
  return { shared, c: numberToBytesBE(c, 32), s: numberToBytesBE(Fn.add(k, Fn.mul(c, d)), 32) };
}

/** Whether `proof` shows the point that the holder of the recipient's key shares with the author of this wrap. */
export function verifySharedPoint(statement: WrapStatement, proof: SharedPointProof): boolean {
  return commitmentsOf(statement, proof) !== undefined;
}

/** A point for a contract; its y is even or odd. */
export interface CompressedWords {
  readonly x: bigint;
  readonly isOdd: boolean;
}

export interface PointWords {
  readonly x: bigint;
  readonly y: bigint;
}

/** The arguments of `OpeningProofs.verify` in contracts/libraries/OpeningProofs.sol. */
export interface OpeningWords {
  readonly statement: {
    readonly context: Uint8Array;
    readonly keyCommit: Uint8Array;
    readonly recipient: CompressedWords;
    readonly ephemeral: CompressedWords;
    readonly shared: CompressedWords;
  };
  readonly proof: {
    readonly c: bigint;
    readonly s: bigint;
    /** A = sG - cP */
    readonly a: PointWords;
    /** sR and cS, of which B is the difference. */
    readonly sR: PointWords;
    readonly cS: PointWords;
    /** Of the difference of their x, in the field. */
    readonly inverse: bigint;
  };
}

/** A proof as the chain takes it: with points that are cheap to check there. Nothing if the proof does not hold. */
export function wordsForChain(statement: WrapStatement, proof: SharedPointProof): OpeningWords | undefined {
  const found = commitmentsOf(statement, proof);
  if (found === undefined) return undefined;
  const [a, sR, cS] = [found.a, found.sR, found.cS].map((point) => point.toAffine());
  if (a === undefined || sR === undefined || cS === undefined) return undefined;
  const { context, keyCommit, recipient, ephemeral } = statement;
  return {
    statement: {
      context,
      keyCommit,
      recipient: wordsOf(recipient),
      ephemeral: wordsOf(ephemeral),
      shared: wordsOf(proof.shared),
    },
    proof: {
      c: bytesToNumberBE(proof.c),
      s: bytesToNumberBE(proof.s),
      a,
      sR,
      cS,
      inverse: Fp.inv(Fp.sub(sR.x, cS.x)),
    },
  };
}

/** What the proof was hashed over, if it was. */
function commitmentsOf(
  statement: WrapStatement,
  proof: SharedPointProof,
): Record<"a" | "sR" | "cS", CurvePoint> | undefined {
  const c = bytesToNumberBE(proof.c);
  const s = bytesToNumberBE(proof.s);
  if (!Fn.isValidNot0(c) || !Fn.isValidNot0(s)) return undefined;
  const points = [statement.recipient, statement.ephemeral, proof.shared];
  if (!points.every(isFactor)) return undefined;
  const [recipient, ephemeral, shared] = points.map((point) => Point.fromBytes(point));
  if (recipient === undefined || ephemeral === undefined || shared === undefined) return undefined;
  const a = Point.BASE.multiplyUnsafe(s).subtract(recipient.multiplyUnsafe(c));
  const sR = ephemeral.multiplyUnsafe(s);
  const cS = shared.multiplyUnsafe(c);
  // The chain has no formula for these; nobody can make a proof that comes to them.
  if (a.is0() || sR.toAffine().x === cS.toAffine().x) return undefined;
  return challenge(statement, proof.shared, a, sR.subtract(cS)) === c ? { a, sR, cS } : undefined;
}

/** A public key whose x is a scalar, too: on the chain it takes the place of one. All others are out of reach. */
function isFactor(point: Uint8Array): boolean {
  return isPublicKey(point) && Fn.isValidNot0(bytesToNumberBE(point.subarray(1)));
}

function wordsOf(point: Uint8Array): CompressedWords {
  return { x: bytesToNumberBE(point.subarray(1)), isOdd: point[0] === 3 };
}

function challenge(statement: WrapStatement, shared: Uint8Array, a: CurvePoint, b: CurvePoint): bigint {
  return scalar("neura/opening/1", ...fields(statement, shared), a.toBytes(true), b.toBytes(true));
}

function fields(
  { context, keyCommit, recipient, ephemeral }: WrapStatement,
  shared: Uint8Array,
): Uint8Array[] {
  return [context, keyCommit, recipient, ephemeral, shared];
}

function scalar(tag: string, ...parts: Uint8Array[]): bigint {
  return Fn.create(bytesToNumberBE(sha256(concatBytes(utf8ToBytes(tag), ...parts))));
}
