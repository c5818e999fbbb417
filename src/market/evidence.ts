import {
  AbiCoder,
  type BytesLike,
  concat,
  decodeBase64,
  encodeBase64,
  hexlify,
  keccak256,
  solidityPackedKeccak256,
  TypedDataEncoder,
} from "ethers";
import { hkdf } from "@noble/hashes/hkdf.js";
import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { utf8ToBytes } from "@noble/hashes/utils.js";

import { type ByteSource, interruptible } from "../envelope/bytes.ts";
import { primitives } from "../envelope/primitives.node.ts";
import { isNeuraError, messageOf, NeuraError } from "../errors.ts";
import { Secret } from "../secret.ts";

/**
 * What a delivery commits to: one EIP-712 struct, whose hash is the delivery's `evidenceHash`. Roots are those of
 * OpenZeppelin's sorted-pair trees, so that `MerkleProof.sol` verifies a branch.
 */

/** Hashes are 32 bytes as hex with 0x. */
export interface Evidence {
  /** {@link plaintextRoot} of the payload's body, as the provider opened it. */
  readonly inputRoot: string;
  /** {@link plaintextRoot} of the result's tar archive. */
  readonly resultRoot: string;
  /** {@link unitsRoot} of the units. */
  readonly unitsRoot: string;
  readonly unitCount: number;
  /** SHA-256 of the file `run.json` of the result. */
  readonly runHash: string;
  /** keccak256 of 32 random bytes that the provider keeps: half of the seed of a jury. */
  readonly drawCommit: string;
}

/** One part of the work that can be re-checked alone. Hashes are 32 bytes as hex with 0x; zero where there is none. */
export interface EvidenceUnit {
  readonly inputHash: string;
  readonly outputHash: string;
  readonly stateHash: string;
  readonly sketchHash: string;
}

/** The file `evidence.json`: the evidence and all units, in order. */
export interface EvidenceFile {
  readonly evidence: Evidence;
  readonly units: readonly EvidenceUnit[];
  /** What the units' `sketchHash` are of; missing where no unit has one. */
  readonly sketches?: readonly (Uint8Array | undefined)[] | undefined;
}

export const ZERO_HASH = `0x${"00".repeat(32)}`;

/** In place of evidence that nobody knows. */
export const UNKNOWN_EVIDENCE: Evidence = {
  inputRoot: ZERO_HASH,
  resultRoot: ZERO_HASH,
  unitsRoot: ZERO_HASH,
  unitCount: 0,
  runHash: ZERO_HASH,
  drawCommit: ZERO_HASH,
};

/** Bytes of plaintext below one leaf. */
export const LEAF_BYTES = 64 * 1024;

const SCHEMA = "neura/evidence/1";

const EVIDENCE_TYPES = {
  Evidence: [
    { name: "inputRoot", type: "bytes32" },
    { name: "resultRoot", type: "bytes32" },
    { name: "unitsRoot", type: "bytes32" },
    { name: "unitCount", type: "uint256" },
    { name: "runHash", type: "bytes32" },
    { name: "drawCommit", type: "bytes32" },
  ],
};

/** The EIP-712 struct hash of the evidence, 32 bytes as hex: the delivery's `evidenceHash`. */
export function evidenceHash(evidence: Evidence): string {
  return TypedDataEncoder.hashStruct("Evidence", EVIDENCE_TYPES, evidence);
}

// ---- Plaintext ----

/** The salt of public plaintext, which hides nothing. */
export const PUBLIC_SALT = new Secret(new Uint8Array(32));

/** The salt of an envelope's body: whoever can open the body knows it, nobody else can guess a leaf. */
export function treeSalt(contentKey: Secret<Uint8Array>): Secret<Uint8Array> {
  return new Secret(hkdf(sha256, contentKey.reveal(), undefined, utf8ToBytes("neura/merkle/1"), 32));
}

/**
 * The Merkle root of a plaintext in leaves of 64 KiB (no bytes at all: one empty leaf), as a stream: leaf i is
 * keccak256(uint32 i || HMAC-SHA256(salt, uint32 i) || SHA-256(chunk)), 32 bytes as hex.
 */
export async function plaintextRoot(
  source: ByteSource,
  { salt, signal }: { salt: Secret<Uint8Array>; signal?: AbortSignal | undefined },
): Promise<string> {
  const root = new PlaintextRoot(salt);
  for await (const bytes of interruptible(source, signal)) root.update(bytes);
  return root.digest();
}

/** {@link plaintextRoot} for whoever has the bytes passing by. */
export class PlaintextRoot {
  readonly #salt: Secret<Uint8Array>;
  readonly #leaves: string[] = [];
  #chunk = primitives.sha256();
  #filled = 0;

  constructor(salt: Secret<Uint8Array>) {
    this.#salt = salt;
  }

  update(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      if (this.#filled === LEAF_BYTES) this.#close();
      const part = bytes.subarray(at, at + LEAF_BYTES - this.#filled);
      this.#chunk.update(part);
      this.#filled += part.length;
      at += part.length;
    }
  }

  /** The root, 32 bytes as hex. Call it once, at the end. */
  digest(): string {
    this.#close();
    return rootOf(this.#leaves);
  }

  /** After {@link digest}: what the root is over, in order. */
  get leaves(): readonly string[] {
    return this.#leaves;
  }

  #close(): void {
    const index = this.#leaves.length;
    this.#leaves.push(plaintextLeaf(index, leafSalt(this.#salt, index), this.#chunk.digest()));
    this.#chunk = primitives.sha256();
    this.#filled = 0;
  }
}

/** keccak256(uint32 index || salt || SHA-256 of the chunk), 32 bytes as hex. */
export function plaintextLeaf(index: number, salt: BytesLike, chunkHash: BytesLike): string {
  return solidityPackedKeccak256(["uint32", "bytes32", "bytes32"], [index, salt, chunkHash]);
}

/** HMAC-SHA256(salt, uint32 index): shows one leaf, and tells nothing of the others. */
export function leafSalt(salt: Secret<Uint8Array>, index: number): Uint8Array {
  return hmac(sha256, salt.reveal(), uint32(index));
}

/** Passes `source` through and feeds `root` with it. */
export async function* tee(source: ByteSource, root: PlaintextRoot): AsyncGenerator<Uint8Array> {
  for await (const bytes of source) {
    root.update(bytes);
    yield bytes;
  }
}

function uint32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

// ---- Units ----

/** keccak256(abi.encode(index, inputHash, outputHash, stateHash, sketchHash)), 32 bytes as hex. */
export function unitLeaf(
  index: number,
  { inputHash, outputHash, stateHash, sketchHash }: EvidenceUnit,
): string {
  const types = ["uint256", "bytes32", "bytes32", "bytes32", "bytes32"];
  const values = [index, inputHash, outputHash, stateHash, sketchHash];
  return keccak256(AbiCoder.defaultAbiCoder().encode(types, values));
}

/** The Merkle root over the leaves of all units; zero for none. */
export function unitsRoot(units: readonly EvidenceUnit[]): string {
  return rootOf(units.map((unit, index) => unitLeaf(index, unit)));
}

/**
 * A complete binary tree whose nodes lie in one array, parents before children and the leaves reversed
 * at its end, as `SimpleMerkleTree` of @openzeppelin/merkle-tree lays them without sorting the leaves.
 */
function nodesOf(leaves: readonly string[]): string[] {
  const nodes = new Array<string>(Math.max(leaves.length - 1, 0)).concat(leaves.toReversed());
  for (let index = leaves.length - 2; index >= 0; index--)
    nodes[index] = parentOf(nodes[2 * index + 1] ?? "", nodes[2 * index + 2] ?? "");
  return nodes;
}

function rootOf(leaves: readonly string[]): string {
  return nodesOf(leaves)[0] ?? ZERO_HASH;
}

/** The branches from these leaves to the root, each its lowest sibling first, as `MerkleProof.sol` takes them. */
export function branchesOf(leaves: readonly string[], indices: readonly number[]): string[][] {
  const nodes = nodesOf(leaves);
  return indices.map((index) => {
    const branch: string[] = [];
    for (let at = nodes.length - 1 - index; at > 0; at = Math.floor((at - 1) / 2))
      branch.push(nodes[at % 2 === 0 ? at - 1 : at + 1] ?? "");
    return branch;
  });
}

/** Where a branch leads from a leaf. */
export function rootOfBranch(leaf: string, branch: readonly string[]): string {
  return branch.reduce(parentOf, leaf);
}

function parentOf(one: string, other: string): string {
  return keccak256(one < other ? concat([one, other]) : concat([other, one]));
}

// ---- File ----

/** The text of `evidence.json`. */
export function encodeEvidence({ evidence, units, sketches }: EvidenceFile): string {
  const texts = sketches?.map((sketch) => (sketch === undefined ? null : encodeBase64(sketch)));
  return JSON.stringify({ schema: SCHEMA, evidence, units, sketches: texts });
}

/**
 * Reads `evidence.json` and checks that its units are those of its root. Whether it is what the chain was told is
 * for the reader to check: {@link evidenceHash}. Error: `evidence.invalid`.
 */
export function parseEvidence(text: string): EvidenceFile {
  try {
    const file = fieldsOf(JSON.parse(text));
    if (file["schema"] !== SCHEMA) throw invalid(`its schema is not ${SCHEMA}`);
    const raw = fieldsOf(file["evidence"]);
    const count = raw["unitCount"];
    if (!Array.isArray(file["units"]) || count !== file["units"].length)
      throw invalid("its units are not counted");
    const evidence = {
      inputRoot: hashIn(raw, "inputRoot"),
      resultRoot: hashIn(raw, "resultRoot"),
      unitsRoot: hashIn(raw, "unitsRoot"),
      unitCount: file["units"].length,
      runHash: hashIn(raw, "runHash"),
      drawCommit: hashIn(raw, "drawCommit"),
    };
    const units = file["units"].map((each: unknown) => {
      const unit = fieldsOf(each);
      return {
        inputHash: hashIn(unit, "inputHash"),
        outputHash: hashIn(unit, "outputHash"),
        stateHash: hashIn(unit, "stateHash"),
        sketchHash: hashIn(unit, "sketchHash"),
      };
    });
    if (unitsRoot(units) !== evidence.unitsRoot) throw invalid("its units do not have its root");
    const sketches = file["sketches"];
    return sketches === undefined
      ? { evidence, units }
      : { evidence, units, sketches: sketchesIn(sketches, units) };
  } catch (error) {
    if (isNeuraError(error)) throw error;
    throw invalid(messageOf(error), error);
  }
}

function sketchesIn(value: unknown, units: readonly EvidenceUnit[]): (Uint8Array | undefined)[] {
  const listed: unknown[] = Array.isArray(value) ? value : [];
  return units.map(({ sketchHash }, index) => {
    const text = listed[index];
    const sketch = typeof text === "string" ? decodeBase64(text) : undefined;
    if ((sketch === undefined ? ZERO_HASH : hexlify(sha256(sketch))) !== sketchHash)
      throw invalid(`the sketch of unit ${index} does not have its hash`);
    return sketch;
  });
}

function fieldsOf(value: unknown): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw invalid("an object is missing");
  return { ...value };
}

function hashIn(fields: Record<string, unknown>, name: string): string {
  const value = fields[name];
  if (typeof value !== "string" || !/^0x[0-9a-f]{64}$/.test(value)) throw invalid(`${name} is no hash`);
  return value;
}

function invalid(reason: string, cause?: unknown): NeuraError {
  return new NeuraError("evidence.invalid", `The delivery's evidence cannot be read: ${reason}.`, {
    next: "Keep the delivery as it is: it shows that the provider did not hand over what it committed to.",
    ...(cause === undefined ? {} : { cause }),
  });
}
