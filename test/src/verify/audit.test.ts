import { expect } from "chai";
import { keccak256, sha256 } from "ethers";
import fc from "fast-check";

import { isNeuraError } from "../../../src/errors.ts";
import {
  evidenceHash,
  type EvidenceFile,
  type EvidenceUnit,
  unitsRoot,
  ZERO_HASH,
} from "../../../src/market/evidence.ts";
import { Secret } from "../../../src/secret.ts";
import {
  type AuditedWork,
  auditDelivery,
  type AuditOptions,
  disputeWorth,
} from "../../../src/verify/audit.ts";
import { type Calibration, verificationBy } from "../../../src/verify/calibration.ts";
import { drawUnits } from "../../../src/verify/units.ts";
import { parseVerification } from "../../../src/verify/verification.ts";
import { bytesOf, tensor } from "./support.ts";

const MODEL = `0x${"0a".repeat(32)}`;
const SEED = `0x${"5e".repeat(32)}`;

function evidenceOf(units: readonly Partial<EvidenceUnit>[]): EvidenceFile {
  const full = units.map((unit) => ({
    inputHash: ZERO_HASH,
    outputHash: ZERO_HASH,
    stateHash: ZERO_HASH,
    sketchHash: ZERO_HASH,
    ...unit,
  }));
  const evidence = {
    inputRoot: MODEL,
    resultRoot: MODEL,
    unitsRoot: unitsRoot(full),
    unitCount: full.length,
    runHash: MODEL,
    drawCommit: keccak256(MODEL),
  };
  return { evidence, units: full };
}

/** Work whose unit i doubles i; `delivered` says what was handed over in its place. */
function doubling(
  count: number,
  {
    delivered = {},
    committed = delivered,
  }: { delivered?: Record<number, string | undefined>; committed?: Record<number, string | undefined> } = {},
): { evidence: EvidenceFile; work: AuditedWork; recomputed: number[] } {
  const recomputed: number[] = [];
  const right = (index: number): string => String(index * 2);
  const outputs = Array.from({ length: count }, (_, index) => committed[index] ?? right(index));
  const evidence = evidenceOf(
    outputs.map((output, index) => ({
      inputHash: sha256(bytesOf(String(index))),
      outputHash: sha256(bytesOf(output)),
    })),
  );
  const work: AuditedWork = {
    unitCount: count,
    modelDigest: MODEL,
    dtype: "int",
    delivered: (index) => {
      const output = index in delivered ? delivered[index] : right(index);
      const found =
        output === undefined ? undefined : { input: bytesOf(String(index)), output: bytesOf(output) };
      return Promise.resolve(found);
    },
    recompute: (index) => {
      recomputed.push(index);
      return Promise.resolve(bytesOf(right(index)));
    },
  };
  return { evidence, work, recomputed };
}

function optionsOf(
  { evidence, work }: { evidence: EvidenceFile; work: AuditedWork },
  more: Partial<AuditOptions> = {},
): AuditOptions {
  return {
    evidence,
    evidenceHash: evidenceHash(evidence.evidence),
    auditSeed: new Secret(SEED),
    verification: parseVerification({ method: "exact/1" }),
    work,
    ...more,
  };
}

describe("verify: audits", () => {
  it("re-checks the two units that the seed draws, and no other", async () => {
    const made = doubling(100);
    const progress: string[] = [];
    const report = await auditDelivery(
      optionsOf(made, { onProgress: (done, total) => progress.push(`${done}/${total}`) }),
    );
    const expected = drawUnits({
      auditSeed: SEED,
      evidenceHash: evidenceHash(made.evidence.evidence),
      unitCount: 100,
    });
    expect(report.units).to.deep.equal(expected);
    expect(made.recomputed).to.deep.equal(expected);
    expect(report).to.include({ verdict: "pass", firstFailing: undefined, of: 100, worth: undefined });
    expect(report.findings.map(({ unit, against, distance }) => [unit, against, distance])).to.deep.equal(
      expected.map((unit) => [unit, "recomputed", 0]),
    );
    expect(progress).to.deep.equal(["1/2", "2/2"]);
  });

  it("sees whatever was faked of the units that it draws, and names the first", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 30 }),
        fc.uniqueArray(fc.nat(29), { maxLength: 10 }),
        fc.integer({ min: 1, max: 8 }),
        async (count, faked, drawn) => {
          const delivered = Object.fromEntries(faked.map((unit) => [unit, "faked"]));
          const made = doubling(count, { delivered });
          const report = await auditDelivery(optionsOf(made, { count: drawn }));
          const seen = report.units.filter((unit) => faked.includes(unit));
          expect(report.units).to.have.length(Math.min(count, drawn));
          expect(report.verdict).to.equal(seen.length > 0 ? "fail" : "pass");
          expect(report.firstFailing).to.equal(seen.length > 0 ? Math.min(...seen) : undefined);
          expect(report.findings.filter(({ verdict }) => verdict === "fail")).to.have.length(seen.length);
        },
      ),
      { numRuns: 40 },
    );
  });

  it("fails what the delivery's own hashes contradict, whatever the method", async () => {
    const verification = parseVerification({ method: "none/1" });
    for (const [name, delivered] of [
      ["an output that was exchanged", { 0: "other" }],
      ["a unit that is not there", { 0: undefined }],
    ] as const) {
      const made = doubling(1, { delivered, committed: {} });
      const report = await auditDelivery(optionsOf(made, { verification }));
      expect(report, name).to.include({ verdict: "fail", firstFailing: 0 });
      expect(report.findings[0], name).to.include({ against: "committed" });
      expect(made.recomputed, name).to.deep.equal([]);
    }
    const foreign = doubling(1);
    const work: AuditedWork = {
      ...foreign.work,
      delivered: () => Promise.resolve({ input: bytesOf("another page"), output: bytesOf("0") }),
    };
    const report = await auditDelivery(optionsOf({ ...foreign, work }));
    expect(report.findings[0]?.why).to.include("work on something else");
  });

  it("counts the units that the payload makes", async () => {
    const short = doubling(5);
    const report = await auditDelivery(optionsOf({ ...short, work: { ...short.work, unitCount: 7 } }));
    expect(report).to.include({ verdict: "fail", firstFailing: 5 });
    expect(report.findings[0]?.why).to.equal("the delivery has 5 units where the payload makes 7");
    const none = await auditDelivery(optionsOf({ evidence: evidenceOf([]), work: short.work }));
    expect(none).to.include({ verdict: "fail", firstFailing: 0 });
  });

  it("judges evidence of this delivery only", async () => {
    const made = doubling(3);
    const error: unknown = await auditDelivery(optionsOf(made, { evidenceHash: ZERO_HASH })).catch(
      (thrown: unknown) => thrown,
    );
    expect(isNeuraError(error, "verify.evidence-foreign")).to.be.true;
  });

  it("holds nothing against the provider that could not be done again here", async () => {
    const made = doubling(2);
    const work: AuditedWork = { ...made.work, recompute: () => Promise.reject(new Error("out of memory")) };
    const report = await auditDelivery(optionsOf({ ...made, work }));
    expect(report).to.include({ verdict: "inconclusive", firstFailing: undefined });
    expect(report.findings[0]?.why).to.equal("it could not be done again: out of memory");
  });

  it("gives up with its signal", async () => {
    const reason = new Error("enough");
    const aborted = optionsOf(doubling(3), { signal: AbortSignal.abort(reason) });
    expect(await auditDelivery(aborted).catch((thrown: unknown) => thrown)).to.equal(reason);
    const controller = new AbortController();
    const made = doubling(3);
    const work: AuditedWork = {
      ...made.work,
      recompute: () => {
        controller.abort(reason);
        return Promise.reject(new Error("its process ended"));
      },
    };
    const during = auditDelivery(optionsOf({ ...made, work }, { signal: controller.signal }));
    expect(await during.catch((thrown: unknown) => thrown)).to.equal(reason);
  });

  describe("with a calibration", () => {
    const calibration: Calibration = {
      model: "test",
      modelDigest: MODEL,
      dtype: "fp32",
      method: "numeric/1",
      parameters: { of: "tensors" },
      tolerance: 0.01,
      honest: { samples: 1000, failed: 0, largest: 0.001, falseAlarmRate: 0.003 },
      fakes: [],
      conditions: [],
    };
    const output = tensor([1, 1.1]);
    const evidence = evidenceOf([{ outputHash: sha256(output) }]);
    const workFor = (reference: Uint8Array, dtype = "fp32"): AuditedWork => ({
      unitCount: 1,
      modelDigest: MODEL,
      dtype,
      delivered: () => Promise.resolve({ output }),
      recompute: () => Promise.resolve(reference),
    });
    const verdictOf = async (work: AuditedWork, more: Partial<AuditOptions>): Promise<string> =>
      (
        await auditDelivery(
          optionsOf({ evidence, work }, { verification: verificationBy(calibration), ...more }),
        )
      ).verdict;

    it("fails past the tolerance and passes within", async () => {
      const calibrations = [{ ...calibration, tolerance: 1 }, calibration];
      expect(await verdictOf(workFor(tensor([1, 1.101])), { calibrations })).to.equal("pass");
      expect(await verdictOf(workFor(tensor([1, 1.2])), { calibrations })).to.equal("fail");
    });

    it("decides nothing without the calibration that the task names, for this model and format", async () => {
      const far = tensor([1, 7]);
      expect(await verdictOf(workFor(far), {})).to.equal("inconclusive");
      expect(await verdictOf(workFor(far), { calibrations: [{ ...calibration, tolerance: 1 }] })).to.equal(
        "inconclusive",
      );
      expect(await verdictOf(workFor(far, "bf16"), { calibrations: [calibration] })).to.equal("inconclusive");
      const verification = parseVerification({ method: "numeric/1" });
      expect(await verdictOf(workFor(far), { calibrations: [calibration], verification })).to.equal(
        "inconclusive",
      );
    });
  });

  it("looks at every link of a chain of states", async () => {
    const states = [1, 2, 3, 4].map((value) => tensor([value, 1]));
    const hashes = states.map((state) => sha256(state));
    const chain = hashes.slice(1).map((outputHash, at) => ({ outputHash, stateHash: hashes[at]! }));
    const work: AuditedWork = {
      unitCount: 3,
      modelDigest: MODEL,
      dtype: "fp32",
      delivered: (index) => Promise.resolve({ state: states[index]!, output: states[index + 1]! }),
      recompute: (index) => Promise.resolve(states[index + 1]!),
    };
    const verification = parseVerification({ method: "trajectory/1" });
    const whole = await auditDelivery(optionsOf({ evidence: evidenceOf(chain), work }, { verification }));
    expect(whole.findings.map(({ against }) => against)).to.deep.equal(["recomputed", "recomputed"]);
    const broken = chain.with(2, { ...chain[2]!, stateHash: hashes[0]! });
    const report = await auditDelivery(optionsOf({ evidence: evidenceOf(broken), work }, { verification }));
    expect(report).to.include({ verdict: "fail", firstFailing: 2 });
    const stateless = chain.with(0, { ...chain[0]!, stateHash: ZERO_HASH });
    const without = await auditDelivery(
      optionsOf({ evidence: evidenceOf(stateless), work }, { verification }),
    );
    expect(without.findings[0]?.why).to.include("does not say what it goes on from");
  });

  describe("worth of a dispute", () => {
    const amount = fc.bigInt({ min: 0n, max: 10n ** 21n });

    it("is where the price is at least the break-even", () => {
      fc.assert(
        fc.property(
          amount,
          amount,
          fc.bigInt({ min: 0n, max: 10n ** 13n }),
          fc.integer({ min: 1, max: 1000 }),
          (priceWei, collateralWei, gasPriceWei, unitCount) => {
            const worth = disputeWorth({ priceWei, collateralWei, gasPriceWei, unitCount });
            expect(worth.atStakeWei).to.equal(priceWei + collateralWei);
            const { breakEvenPriceWei } = worth;
            if (priceWei > 0n)
              expect(worth.isWorth).to.equal(
                breakEvenPriceWei !== undefined && priceWei >= breakEvenPriceWei,
              );
            if (worth.isWorth) expect(worth.atStakeWei).to.be.at.least(worth.costWei - 1n);
          },
        ),
      );
    });

    it("has a price: 0.77 M gas, and nine units of those that there are", () => {
      const stakes = {
        priceWei: 10n ** 18n,
        collateralWei: 10n ** 18n,
        gasPriceWei: 10n ** 10n,
        unitCount: 100,
      };
      const worth = disputeWorth(stakes);
      expect(worth).to.deep.equal({
        atStakeWei: 2n * 10n ** 18n,
        costWei: 77n * 10n ** 14n + 9n * 10n ** 16n,
        isWorth: true,
        // 0.0077 / (2 - 0.09), rounded up.
        breakEvenPriceWei: 4_031_413_612_565_446n,
      });
      const at = { ...stakes, priceWei: worth.breakEvenPriceWei!, collateralWei: worth.breakEvenPriceWei! };
      expect(disputeWorth(at).isWorth).to.be.true;
      const below = { ...at, priceWei: at.priceWei - 1n, collateralWei: at.priceWei - 1n };
      expect(disputeWorth(below).isWorth).to.be.false;
    });

    it("is nowhere, where three jurors do a single unit again and there is no more to win", () => {
      const stakes = { priceWei: 100n, collateralWei: 200n, gasPriceWei: 1n, unitCount: 1 };
      expect(disputeWorth(stakes)).to.include({ isWorth: false, breakEvenPriceWei: undefined });
      expect(disputeWorth({ ...stakes, gas: 0n, collateralWei: 201n }).isWorth).to.be.true;
    });
  });
});
