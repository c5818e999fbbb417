import { SimpleMerkleTree } from "@openzeppelin/merkle-tree";
import { expect } from "chai";
import { concat, keccak256, toBeHex } from "ethers";
import fc from "fast-check";

import { isNeuraError } from "../../../src/errors.ts";
import { unitLeaf, unitsRoot } from "../../../src/market/evidence.ts";
import { drawUnits, isAuditSeed, isUnitOf, jurySeed, unitProof } from "../../../src/verify/units.ts";
import { evidenceUnit, hash } from "./support.ts";

describe("verify: units", () => {
  describe("the draw", () => {
    it("takes distinct units that there are, the same for the same seeds", () => {
      const counts = fc.tuple(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 6 }));
      fc.assert(
        fc.property(hash, hash, counts, (auditSeed, evidenceHash, [unitCount, count]) => {
          const draw = { auditSeed, evidenceHash, unitCount, count };
          const units = drawUnits(draw);
          expect(units).to.have.length(Math.min(count, unitCount));
          expect(new Set(units).size).to.equal(units.length);
          expect(units.every((unit) => Number.isInteger(unit) && unit >= 0 && unit < unitCount)).to.be.true;
          expect(drawUnits(draw)).to.deep.equal(units);
          // More of them begin with the same ones.
          if (unitCount > 7) expect(drawUnits({ ...draw, count: 7 }).slice(0, count)).to.deep.equal(units);
        }),
        { numRuns: 50 },
      );
    });

    it("is by the words that a contract hashes, two if nothing is said", () => {
      const [auditSeed, evidenceHash] = [`0x${"11".repeat(32)}`, `0x${"22".repeat(32)}`];
      const at = (i: number): number =>
        Number(BigInt(keccak256(concat([auditSeed, evidenceHash, toBeHex(i, 32)]))) % 1000n);
      expect(drawUnits({ auditSeed, evidenceHash, unitCount: 1000 })).to.deep.equal([at(0), at(1)]);
    });

    it("draws all units alike", () => {
      const times = new Array<number>(10).fill(0);
      for (let seed = 0; seed < 500; seed++) {
        const draw = { auditSeed: toBeHex(seed, 32), evidenceHash: toBeHex(7, 32), unitCount: 10 };
        for (const unit of drawUnits(draw)) times[unit]!++;
      }
      // 100 each; chi square of 9 degrees of freedom, of which one in a million exceeds 46.
      const chiSquare = times.reduce((sum, count) => sum + (count - 100) ** 2 / 100, 0);
      expect(chiSquare).to.be.below(46);
    });

    it("refuses to draw none", () => {
      const draw = { auditSeed: toBeHex(1, 32), evidenceHash: toBeHex(2, 32), unitCount: 5 };
      for (const count of [0, -1, 1.5, NaN])
        expect(() => drawUnits({ ...draw, count })).to.satisfy((run: () => void) => {
          try {
            run();
          } catch (error) {
            return isNeuraError(error, "verify.count");
          }
          return false;
        });
      expect(drawUnits({ ...draw, unitCount: 0 }), "of none").to.deep.equal([]);
    });

    it("is committed to by the salt, and with the provider's nonce draws the jury", () => {
      const [seed, nonce] = [`0x${"ab".repeat(32)}`, `0x${"cd".repeat(32)}`];
      expect(isAuditSeed(seed, keccak256(seed))).to.be.true;
      expect(isAuditSeed(nonce, keccak256(seed))).to.be.false;
      expect(jurySeed(seed, nonce)).to.equal(keccak256(concat([seed, nonce])));
    });
  });

  describe("branches", () => {
    const units = fc.array(evidenceUnit, { minLength: 1, maxLength: 20 });

    it("are those of OpenZeppelin's tree, and lead to the root of the evidence", () => {
      fc.assert(
        fc.property(units, (all) => {
          const root = unitsRoot(all);
          const leaves = all.map((unit, index) => unitLeaf(index, unit));
          const tree = SimpleMerkleTree.of(leaves, { sortLeaves: false });
          for (const [index, unit] of all.entries()) {
            const proof = unitProof(all, index);
            expect(proof).to.deep.equal(tree.getProof(index));
            expect(isUnitOf(root, { index, unit, proof })).to.be.true;
          }
        }),
        { numRuns: 20 },
      );
    });

    it("do not lead there from another unit, another place, or a changed branch", () => {
      fc.assert(
        fc.property(
          fc.array(evidenceUnit, { minLength: 2, maxLength: 12 }),
          hash,
          fc.nat(),
          (all, other, pick) => {
            const root = unitsRoot(all);
            const index = pick % all.length;
            const unit = all[index]!;
            const proof = unitProof(all, index);
            expect(isUnitOf(root, { index: index + 1, unit, proof })).to.be.false;
            expect(isUnitOf(root, { index, unit: { ...unit, outputHash: other }, proof })).to.be.false;
            expect(isUnitOf(root, { index, unit, proof: [...proof, other] })).to.be.false;
            expect(isUnitOf(root, { index, unit, proof: proof.slice(1) })).to.be.false;
            expect(isUnitOf(root, { index, unit, proof: proof.with(0, other) })).to.be.false;
          },
        ),
        { numRuns: 30 },
      );
    });

    it("are of units that there are", () => {
      const [unit] = fc.sample(evidenceUnit, 1);
      for (const index of [-1, 1, 0.5, NaN])
        expect(() => unitProof([unit!], index))
          .to.throw()
          .with.property("code", "verify.no-unit");
      expect(unitProof([unit!], 0)).to.deep.equal([]);
    });
  });
});
