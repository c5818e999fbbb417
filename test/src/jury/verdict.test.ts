import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import fc from "fast-check";
import { sha256, toUtf8Bytes } from "ethers";

import {
  fingerprintOfFault,
  fingerprintOfRedone,
  type Redone,
  redoOf,
  UNDECIDED,
  verdictOf,
} from "../../../src/jury/verdict.ts";
import type { Manifest } from "../../../src/manifest.ts";
import { UNKNOWN_EVIDENCE, unitsRoot, ZERO_HASH } from "../../../src/market/evidence.ts";
import { Outcome } from "../../../src/market/outcome.ts";
import { isNear } from "../../../src/verify/fingerprint.ts";
import { METHOD_NAMES, parseVerification } from "../../../src/verify/verification.ts";
import { Cleanup } from "../storage/support.ts";

const SEED = `0x${"07".repeat(32)}`;
const CHECKER = { program: `0x${"00".repeat(32)}` };
const LIMITS = { seconds: 100, ramMiB: 1000, outputMiB: 16 };
const DELIVERED = { seed: SEED, evidenceHash: SEED, outcome: Outcome.Completed as Outcome };

function manifestOf(
  inputs: number | readonly string[],
  { application = "noop", method = "exact/1" } = {},
): Manifest {
  const names =
    typeof inputs === "number" ? Array.from({ length: inputs }, (_, at) => `input/${at}.txt`) : inputs;
  const parameters = method === "checker/1" ? CHECKER : {};
  return {
    ...{ schema: "neura/manifest/1", application, inputs: names, parameters: {}, limits: LIMITS },
    verification: parseVerification({ method, parameters }),
  };
}

const redone = (change: Partial<Redone> = {}): Redone => ({
  ...{
    kind: "completed",
    outputs: [],
    unitCount: 2,
    seconds: 10,
    peakRssBytes: 0,
    modelDigest: "",
    dtype: "fp32",
  },
  ...change,
});

describe("jury: verdicts", () => {
  const cleanup = new Cleanup();
  after(() => cleanup.run());

  it("has the same units done again by all of a panel: the inputs of those alone, where the work is divided by them", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 300 }), fc.nat(400), fc.boolean(), (count, named, isKnown) => {
        const evidence = isKnown ? { unitCount: count } : undefined;
        const redo = redoOf({ manifest: manifestOf(count), evidence, named: BigInt(named), ...DELIVERED });
        const wanted = named < count ? Math.min(count, 3) : Math.min(count, 2);
        expect(redo.units).to.have.length(wanted);
        if (named < count) expect(redo.units).to.include(named);
        expect(redo.units).to.deep.equal([...new Set(redo.units)].toSorted((a, b) => a - b));
        expect(redo.manifest.inputs).to.deep.equal(redo.units.map((unit) => `input/${unit}.txt`));
        expect(redo.places).to.deep.equal(redo.units.map((_, at) => at));
        expect(redo.share).to.equal(wanted / count);
      }),
    );
  });

  it("has the whole done again where a part would be another", () => {
    const names = ["input/a/1.png", "input/b/1.png", "input/c.png", "input/d.png"];
    const redo = (manifest: Manifest, change: Partial<Parameters<typeof redoOf>[0]> = {}) =>
      redoOf({ manifest, evidence: { unitCount: 4 }, named: 0n, ...DELIVERED, ...change });
    // Their pictures are named by their place among all.
    const clashing = redo(manifestOf(names, { application: "ocr" }));
    expect([clashing.manifest.inputs, clashing.places]).to.deep.equal([names, clashing.units]);
    expect(redo(manifestOf(names, { application: "ocr", method: "text/1" })).share).to.equal(0.75);
    expect(redo(manifestOf(names, { application: "other" })).share).to.equal(1);
    const failed = redo(manifestOf(names), { outcome: Outcome.OwnerBadInput, evidence: { unitCount: 1 } });
    expect([failed.units, failed.manifest.inputs]).to.deep.equal([[0], names]);
    // A provider that counts more than there are, or none.
    const many = redo(manifestOf(names), { evidence: { unitCount: 1_000_000 } });
    expect(many.units.every((unit) => unit < 4)).to.equal(true);
    expect(redo(manifestOf(names), { evidence: { unitCount: 0 } }).units).to.deep.equal([]);
  });

  it("decides nothing, and does nothing, by methods that go on from the delivery or compare nothing", async () => {
    const decidable = METHOD_NAMES.filter(
      (method) =>
        redoOf({ manifest: manifestOf(2, { method }), evidence: undefined, named: 0n, ...DELIVERED })
          .isDecidable,
    );
    expect(decidable).to.deep.equal(["exact/1", "numeric/1", "embedding/1", "text/1"]);
    const manifest = manifestOf(2, { method: "none/1" });
    const redo = redoOf({ manifest, evidence: undefined, named: 0n, ...DELIVERED });
    const verdict = await verdictOf({ ...(await delivery([])), redo, manifest, redone: UNDECIDED });
    expect(verdict.providerBps).to.equal(10_000);
  });

  it("has a fingerprint for everything that jurors can find, each far from the others", () => {
    const redo = redoOf({ manifest: manifestOf(2), evidence: undefined, named: 0n, ...DELIVERED });
    const undecided = redoOf({
      ...{ manifest: manifestOf(2, { method: "none/1" }), evidence: undefined, named: 0n, ...DELIVERED },
    });
    const outputs = [toUtf8Bytes("a"), toUtf8Bytes("b")];
    const all = [
      fingerprintOfRedone(redo, redone({ outputs }), { seed: SEED }),
      fingerprintOfRedone(redo, redone({ outputs: outputs.toReversed() }), { seed: SEED }),
      fingerprintOfRedone(redo, redone({ outputs: [outputs[0], undefined] }), { seed: SEED }),
      fingerprintOfRedone(redo, redone({ outputs: [undefined, undefined] }), { seed: SEED }),
      fingerprintOfRedone(redo, redone({ kind: "owner-bad-input" }), { seed: SEED }),
      fingerprintOfRedone(redo, redone({ kind: "owner-exit-code" }), { seed: SEED }),
      fingerprintOfRedone(undecided, UNDECIDED, { seed: SEED }),
      fingerprintOfFault({ of: "owner" }, { seed: SEED }),
      fingerprintOfFault({ of: "provider" }, { seed: SEED }),
      0n,
    ];
    for (const [at, one] of all.entries())
      for (const other of all.slice(at + 1)) expect(isNear(one, other)).to.equal(false);
  });

  /** A delivery of these files, each a unit. */
  async function delivery(contents: readonly string[]) {
    const resultDirectory = cleanup.directory();
    await mkdir(join(resultDirectory, "output"));
    const units = contents.map((content) => ({
      ...{ inputHash: sha256(toUtf8Bytes("x")), outputHash: sha256(toUtf8Bytes(content)) },
      ...{ stateHash: ZERO_HASH, sketchHash: ZERO_HASH },
    }));
    for (const [at, content] of contents.entries())
      await writeFile(join(resultDirectory, "output", `${at}.txt`), content);
    const payloadDirectory = cleanup.directory();
    await mkdir(join(payloadDirectory, "input"));
    for (const at of [0, 1]) await writeFile(join(payloadDirectory, "input", `${at}.txt`), "x");
    const root = contents.length === 0 ? ZERO_HASH : unitsRoot(units);
    const evidence = { evidence: { ...UNKNOWN_EVIDENCE, unitsRoot: root, unitCount: units.length }, units };
    return { resultDirectory, payloadDirectory, evidence, calibrations: [], outcome: Outcome.Completed };
  }

  it("is nothing where one unit fails, is missing, or there are fewer than the payload makes; else all", async () => {
    const manifest = manifestOf(2);
    const verdict = async (contents: readonly string[], outputs: Redone["outputs"]): Promise<string> => {
      const given = await delivery(contents);
      const redo = redoOf({ manifest, evidence: given.evidence.evidence, named: 0n, ...DELIVERED });
      const { providerBps, why } = await verdictOf({ ...given, redo, manifest, redone: redone({ outputs }) });
      return `${providerBps} ${why}`;
    };
    const [a, b] = [toUtf8Bytes("a"), toUtf8Bytes("b")];
    expect(await verdict(["a", "b"], [a, b])).to.equal("10000 No unit of 2 fails.");
    expect(await verdict(["a", "c"], [a, b])).to.match(/^0 Unit 1: byte 0 is/);
    expect(await verdict(["a"], [a])).to.equal(
      "0 Unit 1: the delivery has 1 units where the payload makes 2.",
    );
    // What a juror cannot make is not the provider's fault.
    expect(await verdict(["a", "b"], [a, undefined])).to.equal("10000 No unit of 2 fails.");
  });

  it("is nothing where the work, done again, does not have the unit", async () => {
    const manifest = manifestOf(2, { application: "other" });
    const given = await delivery(["a", "b"]);
    const redo = redoOf({ manifest, evidence: given.evidence.evidence, named: 0n, ...DELIVERED });
    const again = redone({ outputs: [toUtf8Bytes("a"), undefined], unitCount: 1 });
    const { providerBps, why } = await verdictOf({ ...given, redo, manifest, redone: again });
    expect([providerBps, why]).to.deep.equal([0, "Done again, it has 1 units, and no unit 1."]);
  });

  it("holds how the work ended against how it ends: limits are not the same twice, unless they are far", async () => {
    const manifest = manifestOf(2);
    const due = async (outcome: Outcome, again: Partial<Redone>): Promise<number> => {
      const redo = redoOf({ manifest, evidence: { unitCount: 1 }, named: 0n, ...DELIVERED, outcome });
      const given = { ...(await delivery([])), outcome, redo, manifest, redone: redone(again) };
      return (await verdictOf(given)).providerBps;
    };
    expect(await due(Outcome.OwnerBadInput, { kind: "owner-bad-input" })).to.equal(10_000);
    expect(await due(Outcome.OwnerBadInput, { kind: "completed" })).to.equal(0);
    expect(await due(Outcome.OwnerBadInput, { kind: "owner-time-limit" })).to.equal(10_000);
    expect(await due(Outcome.OwnerTimeLimit, { seconds: 10 })).to.equal(0);
    expect(await due(Outcome.OwnerTimeLimit, { seconds: 80 })).to.equal(10_000);
    expect(await due(Outcome.OwnerOutOfMemory, { peakRssBytes: 2 ** 20 })).to.equal(0);
    expect(await due(Outcome.OwnerOutOfMemory, { peakRssBytes: 900 * 2 ** 20 })).to.equal(10_000);
    expect(await due(Outcome.OwnerOutOfMemory, { kind: "owner-exit-code" })).to.equal(0);
    expect(await due(Outcome.Completed, { kind: "owner-bad-input" })).to.equal(0);
    expect(await due(Outcome.Completed, { kind: "owner-time-limit" })).to.equal(10_000);
  });
});
