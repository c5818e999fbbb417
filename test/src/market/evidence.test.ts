import { createHmac, hkdfSync } from "node:crypto";

import { SimpleMerkleTree } from "@openzeppelin/merkle-tree";
import { expect } from "chai";
import { AbiCoder, concat, id, keccak256, sha256, toBeHex } from "ethers";
import fc from "fast-check";

import { isNeuraError } from "../../../src/errors.ts";
import {
  branchesOf,
  encodeEvidence,
  type Evidence,
  evidenceHash,
  type EvidenceUnit,
  LEAF_BYTES,
  parseEvidence,
  plaintextRoot,
  PUBLIC_SALT,
  rootOfBranch,
  treeSalt,
  unitLeaf,
  unitsRoot,
  ZERO_HASH,
} from "../../../src/market/evidence.ts";
import { Secret } from "../../../src/secret.ts";

const hash = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map((bytes) => `0x${Buffer.from(bytes).toString("hex")}`);
const unit: fc.Arbitrary<EvidenceUnit> = fc.record({
  inputHash: hash,
  outputHash: hash,
  stateHash: hash,
  sketchHash: hash,
});

/** The leaves as the format says, with nothing but `node:crypto` and ethers. */
function leavesOf(plaintext: Uint8Array, salt: Uint8Array): string[] {
  const count = Math.max(1, Math.ceil(plaintext.length / 65_536));
  return Array.from({ length: count }, (_, index) => {
    const number = toBeHex(index, 4);
    const chunk = plaintext.subarray(index * 65_536, (index + 1) * 65_536);
    const own = createHmac("sha256", salt)
      .update(Buffer.from(number.slice(2), "hex"))
      .digest();
    return keccak256(concat([number, own, sha256(chunk)]));
  });
}

function bytesOf(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (index * 7 + 3 * (index >> 8) + 5 * (index >> 16)) % 256);
}

describe("market: evidence", () => {
  const salt = new Secret(new Uint8Array(32).fill(5));

  it("has the branches that OpenZeppelin's tree has", () => {
    fc.assert(
      fc.property(fc.array(hash, { minLength: 1, maxLength: 40 }), fc.nat(), (leaves, at) => {
        const index = at % leaves.length;
        const tree = SimpleMerkleTree.of(leaves, { sortLeaves: false });
        const [branch] = branchesOf(leaves, [index]);
        expect(branch).to.deep.equal(tree.getProof(index));
        expect(rootOfBranch(leaves[index] ?? "", branch ?? [])).to.equal(tree.root);
      }),
    );
  });

  for (const length of [0, 1, LEAF_BYTES - 1, LEAF_BYTES, LEAF_BYTES + 1, 5 * LEAF_BYTES + 3]) {
    it(`has the root that OpenZeppelin's tree has over ${length} bytes`, async () => {
      const plaintext = bytesOf(length);
      const tree = SimpleMerkleTree.of(leavesOf(plaintext, salt.reveal()), { sortLeaves: false });
      expect(await plaintextRoot([plaintext], { salt })).to.equal(tree.root);
    });
  }

  it("has the same root however the bytes are cut", async () => {
    const plaintext = bytesOf(3 * LEAF_BYTES + 100);
    const expected = await plaintextRoot([plaintext], { salt });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: plaintext.length }), { maxLength: 20 }),
        async (cuts) => {
          const edges = [0, ...cuts.toSorted((a, b) => a - b), plaintext.length];
          const pieces = edges.slice(1).map((end, index) => plaintext.subarray(edges[index], end));
          expect(await plaintextRoot(pieces, { salt })).to.equal(expected);
        },
      ),
      { numRuns: 30 },
    );
  });

  it("lets one chunk be shown with a branch that MerkleProof.sol accepts", async () => {
    const plaintext = bytesOf(6 * LEAF_BYTES);
    const leaves = leavesOf(plaintext, salt.reveal());
    const tree = SimpleMerkleTree.of(leaves, { sortLeaves: false });
    const root = await plaintextRoot([plaintext], { salt });
    leaves.forEach((leaf, index) => {
      expect(SimpleMerkleTree.verify(root, leaf, tree.getProof(index))).to.equal(true);
    });
  });

  it("changes with every byte, with the order of chunks, and with the salt", async () => {
    const plaintext = bytesOf(2 * LEAF_BYTES);
    const swapped = Buffer.concat([plaintext.subarray(LEAF_BYTES), plaintext.subarray(0, LEAF_BYTES)]);
    const flipped = Uint8Array.from(plaintext, (byte, index) => (index === LEAF_BYTES ? byte ^ 1 : byte));
    const roots = await Promise.all([
      plaintextRoot([plaintext], { salt }),
      plaintextRoot([swapped], { salt }),
      plaintextRoot([flipped], { salt }),
      plaintextRoot([plaintext], { salt: PUBLIC_SALT }),
    ]);
    expect(new Set(roots).size).to.equal(4);
  });

  it("derives the salt from the content key as the format says", () => {
    const contentKey = new Uint8Array(32).fill(9);
    const expected = Buffer.from(hkdfSync("sha256", contentKey, new Uint8Array(), "neura/merkle/1", 32));
    expect(Buffer.from(treeSalt(new Secret(contentKey)).reveal())).to.deep.equal(expected);
    expect(PUBLIC_SALT.reveal()).to.deep.equal(new Uint8Array(32));
  });

  it("hashes evidence as EIP-712 says", () => {
    const evidence: Evidence = {
      inputRoot: id("a"),
      resultRoot: id("b"),
      unitsRoot: id("c"),
      unitCount: 3,
      runHash: id("d"),
      drawCommit: id("e"),
    };
    const type =
      "Evidence(bytes32 inputRoot,bytes32 resultRoot,bytes32 unitsRoot,uint256 unitCount,bytes32 runHash,bytes32 drawCommit)";
    const words = AbiCoder.defaultAbiCoder().encode(
      ["bytes32", "bytes32", "bytes32", "bytes32", "uint256", "bytes32", "bytes32"],
      [id(type), id("a"), id("b"), id("c"), 3, id("d"), id("e")],
    );
    expect(evidenceHash(evidence)).to.equal(keccak256(words));
  });

  it("has the root that OpenZeppelin's tree has over any units, and zero over none", () => {
    expect(unitsRoot([])).to.equal(ZERO_HASH);
    fc.assert(
      fc.property(fc.array(unit, { minLength: 1, maxLength: 40 }), (units) => {
        const leaves = units.map((each, index) => unitLeaf(index, each));
        expect(unitsRoot(units)).to.equal(SimpleMerkleTree.of(leaves, { sortLeaves: false }).root);
      }),
      { numRuns: 30 },
    );
  });

  it("reads back the file that it wrote, and refuses every other", () => {
    const units = [
      { inputHash: id("in"), outputHash: id("out"), stateHash: ZERO_HASH, sketchHash: ZERO_HASH },
    ];
    const evidence = {
      inputRoot: id("a"),
      resultRoot: id("b"),
      unitsRoot: unitsRoot(units),
      unitCount: 1,
      runHash: id("d"),
      drawCommit: id("e"),
    };
    const text = encodeEvidence({ evidence, units });
    expect(parseEvidence(text)).to.deep.equal({ evidence, units });
    const broken = [
      "",
      "null",
      "[]",
      "{",
      text.replace("evidence/1", "evidence/2"),
      text.replace('"unitCount":1', '"unitCount":2'),
      text.replace(id("in").slice(0, 20), `${id("in").slice(0, 18)}zz`),
      text.replace(id("in"), id("other")),
      text.replace(id("a"), "0x12"),
      JSON.stringify({ schema: "neura/evidence/1", evidence }),
    ];
    for (const each of broken) {
      expect(each).to.not.equal(text);
      try {
        parseEvidence(each);
        expect.fail(`read ${each}`);
      } catch (error) {
        expect(isNeuraError(error, "evidence.invalid"), each).to.equal(true);
      }
    }
  });
});
