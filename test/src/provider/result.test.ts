import { mkdtemp, mkdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { expect } from "chai";
import { keccak256, sha256, toUtf8Bytes, ZeroAddress } from "ethers";

import { parseManifest } from "../../../src/manifest.ts";
import { extractArchive } from "../../../src/market/archive.ts";
import { type EvidenceFile, evidenceHash, parseEvidence, ZERO_HASH } from "../../../src/market/evidence.ts";
import { NO_RESOURCES } from "../../../src/market/resources.ts";
import { sealResult } from "../../../src/provider/result.ts";
import { auditDelivery, type AuditReport } from "../../../src/verify/audit.ts";
import { auditRecord, decidedAudit, keepAudit, keptAudits } from "../../../src/verify/audits.ts";
import { hashProgram } from "../../../src/verify/command.ts";
import { parseVerification, type Verification } from "../../../src/verify/verification.ts";
import { workOf, type WorkOptions } from "../../../src/verify/work.ts";
import { Secret } from "../../../src/secret.ts";

const LIMITS = { maxBytes: 1_000_000, maxFiles: 100 };
const hashOf = (text: string): string => sha256(toUtf8Bytes(text));

describe("provider: what a run's result is made of", () => {
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "neura-result-"));
    await put("input/a", "alpha");
    await put("input/b", "beta");
    await put("logs/run.log", "done\n");
  });
  afterEach(async () => await rm(folder, { recursive: true, force: true }));

  async function put(name: string, text: string): Promise<void> {
    const path = join(folder, ...name.split("/"));
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
  }

  const manifestWith = (verification?: Verification) =>
    parseManifest({
      schema: "neura/manifest/1",
      application: "container",
      inputs: ["input/a", "input/b"],
      parameters: {},
      limits: { seconds: 1, ramMiB: 1, outputMiB: 1 },
      ...(verification ? { verification } : {}),
    });

  /** Seals the folder as a public result, and opens it again below `delivered`. */
  async function deliver(
    verification?: Verification,
  ): Promise<{ evidence: EvidenceFile; run: Record<string, unknown>; files: string[]; hash: string }> {
    const terms = {
      ...{ owner: ZeroAddress, provider: ZeroAddress, collateralWei: 0n, salt: ZERO_HASH },
      price: { amountWei: 1n, metered: false },
      conditions: { startBySeconds: 1, completeBySeconds: 2, durationSeconds: 1, keyEpoch: 0 },
    };
    const path = join(folder, "sealed");
    const usage = { peakRssBytes: 1, cpuSeconds: 1 };
    const model = { package: "none", version: "0", files: [] };
    const { evidenceHash: hash } = await sealResult(
      {
        task: {
          id: ZERO_HASH,
          terms,
          work: { resources: NO_RESOURCES, payloadHash: ZERO_HASH, payload: "" },
        },
        manifest: manifestWith(verification),
        directory: folder,
        run: {
          ...{ kind: "completed", message: "", secondsWall: 1, phases: [], usage },
          logFiles: ["logs/run.log"],
          summary: {
            ...{ result: { schema: "x/1" }, units: [], model, runtime: {}, dtype: "fp32", seed: "7" },
            sampler: "top-p",
          },
        },
        outcome: "Completed",
        inputRoot: ZERO_HASH,
        ownerKey: undefined,
        drawNonce: ZERO_HASH,
        runner: { name: "test", isolation: [] },
        hardware: {
          shape: NO_RESOURCES,
          cpu: "x",
          architecture: "x64",
          gpus: [],
          machine: { driver: "550.1" },
        },
      },
      { path, signal: new AbortController().signal },
    );
    const directory = join(folder, "delivered");
    const outer = join(folder, "outer");
    for (const [source, into] of [
      [path, outer],
      [join(outer, "result.tar"), directory],
    ] as const) {
      await rm(into, { recursive: true, force: true });
      await mkdir(into);
      await extractArchive([await readFile(source)], { directory: into, limits: LIMITS });
    }
    const archived = await extractArchive([await readFile(join(outer, "result.tar"))], {
      directory: await mkdtemp(join(folder, "again-")),
      limits: LIMITS,
    });
    const evidence = parseEvidence(await readFile(join(outer, "evidence.json"), "utf8"));
    const run = JSON.parse(await readFile(join(directory, "run.json"), "utf8")) as Record<string, unknown>;
    return { evidence, run, hash, files: archived.map((each) => each.path) };
  }

  const UNITS = [
    { input: "input/a", output: "output/a", sketch: "output/sketches/a" },
    { input: "input/b", output: "output/b", state: "output/a" },
  ];
  async function divided(units: unknown = UNITS): Promise<void> {
    await put("output/a", "ALPHA");
    await put("output/b", "BETA");
    await put("output/sketches/a", "a sketch");
    await put("output/units.json", JSON.stringify({ schema: "neura/units/1", units }));
  }

  it("has the units that any run wrote down, hashed by the node", async () => {
    await divided();
    const { evidence, run, files, hash } = await deliver(parseVerification({ method: "exact/1" }));
    expect(evidenceHash(evidence.evidence)).to.equal(hash);
    const [a, b] = ["ALPHA", "BETA"].map(hashOf);
    expect(evidence.units).to.deep.equal([
      { inputHash: hashOf("alpha"), outputHash: a, stateHash: ZERO_HASH, sketchHash: hashOf("a sketch") },
      { inputHash: hashOf("beta"), outputHash: b, stateHash: a, sketchHash: ZERO_HASH },
    ]);
    expect(run["units"]).to.deep.equal({ count: 2, from: "units.json" });
    expect(run["verification"]).to.deep.equal({ method: "exact/1", parameters: {} });
    expect(run).to.deep.include({ seed: "7", sampler: "top-p", determinism: null });
    expect(run["machine"]).to.deep.include({ driver: "550.1", gpuClass: null, cudaCapability: null });
    // Whoever does a unit again has not seen its sketch; its owner has.
    expect(files).to.include.members(["output/a", "output/units.json"]).and.not.include("output/sketches/a");
    expect(evidence.sketches?.map((each) => each && Buffer.from(each).toString())).to.deep.equal([
      "a sketch",
      undefined,
    ]);
  });

  it("is one unit where nobody divides it", async () => {
    await put("output/a", "ALPHA");
    const { evidence, run } = await deliver();
    expect(evidence.units).to.have.length(1);
    expect(evidence).not.to.have.property("sketches");
    expect(run["units"]).to.deep.equal({ count: 1, from: "nobody" });
    expect(run["verification"]).to.equal(null);
  });

  const amiss: [name: string, units: unknown][] = [
    ["names no units", []],
    ["names a file that is not there", [{ input: "input/a", output: "output/none" }]],
    ["names a link", [{ input: "input/a", output: "output/link" }]],
    ["names a folder", [{ input: "input/a", output: "output/sketches" }]],
    ["leads out of the task", [{ input: "input/../../x", output: "output/a" }]],
  ];
  for (const [name, units] of amiss)
    it(`loses nothing but the division by a file that ${name}`, async () => {
      await divided(units);
      await symlink("/etc/hostname", join(folder, "output", "link"));
      const { evidence, run, files } = await deliver();
      expect(evidence.units).to.have.length(1);
      expect(run["units"]).to.include({ count: 1, from: "nobody" }).and.to.have.property("why");
      expect(files).to.include.members(["output/a", "output/b", "output/sketches/a"]);
    });

  // ---- Audits of it ----

  async function audit(verification: Verification, options: WorkOptions = {}): Promise<AuditReport> {
    const { evidence, hash } = await deliver(verification);
    const delivery = {
      ...{ manifest: manifestWith(verification), evidence, verification, payloadDirectory: folder },
      resultDirectory: join(folder, "delivered"),
    };
    const work = await workOf(delivery, options);
    const auditSeed = new Secret(keccak256("0x01"));
    return await auditDelivery({ evidence, evidenceHash: hash, auditSeed, verification, work });
  }

  it("is judged unit by unit by the owner's own program", async () => {
    await divided();
    const program = join(folder, "check.sh");
    await writeFile(program, '#!/bin/sh\ntr a-z A-Z <"$1/input" | cmp -s - "$1/output"\n', { mode: 0o755 });
    const verification = parseVerification({
      method: "checker/1",
      parameters: { program: await hashProgram(program) },
    });
    expect(await audit(verification, { checker: program })).to.include({ verdict: "pass", of: 2 });
    await put("output/b", "BETTA");
    expect(await audit(verification, { checker: program })).to.include({ verdict: "fail", firstFailing: 1 });

    // Another program was not agreed to, and none says nothing.
    await writeFile(program, "#!/bin/sh\nexit 1\n");
    const exchanged = await audit(verification, { checker: program });
    expect(exchanged.verdict).to.equal("inconclusive");
    expect((await audit(verification)).findings[0]?.why).to.contain("a program of yours that was not named");
  });

  it("is done again by whoever the caller names, else says what to do", async () => {
    await divided();
    const verification = parseVerification({ method: "exact/1" });
    const redo = {
      ...{ modelDigest: "", dtype: "fp32" },
      recompute: async (_: number, { input = new Uint8Array() }: { input?: Uint8Array | undefined }) =>
        await Promise.resolve(toUtf8Bytes(Buffer.from(input).toString().toUpperCase())),
    };
    expect(await audit(verification, { redo })).to.include({ verdict: "pass" });
    const alone = await audit(verification);
    expect(alone.verdict).to.equal("inconclusive");
    expect(alone.findings[0]?.why).to.contain("nothing here can do the work of container again");
  });

  it("fails by itself where a file is not the one of its unit, or is gone", async () => {
    await divided();
    const verification = parseVerification({ method: "none/1" });
    const { evidence, hash } = await deliver(verification);
    const resultDirectory = join(folder, "delivered");
    const delivery = {
      ...{ manifest: manifestWith(verification), evidence, verification, payloadDirectory: folder },
      resultDirectory,
    };
    const auditNow = async (): Promise<AuditReport> => {
      const work = await workOf(delivery, {});
      const auditSeed = new Secret(keccak256("0x01"));
      return await auditDelivery({ evidence, evidenceHash: hash, auditSeed, verification, work });
    };
    expect((await auditNow()).verdict).to.equal("inconclusive");
    await writeFile(join(resultDirectory, "output", "b"), "another");
    expect(await auditNow()).to.include({ verdict: "fail", firstFailing: 1 });
    await rm(join(resultDirectory, "output", "a"));
    expect(await auditNow()).to.include({ verdict: "fail", firstFailing: 0 });
  });

  it("is on record by what was drawn and found; what decided nothing is no assurance", async () => {
    const at = new Date(0);
    const verification = parseVerification({ method: "exact/1" });
    const finding = (unit: number, verdict: "pass" | "fail" | "inconclusive") => ({
      ...{ unit, verdict, against: "recomputed" as const, seconds: 0, why: "" },
      ...{ distance: undefined, tolerance: undefined },
    });
    const reports: AuditReport[] = [
      {
        ...{ units: [3, 1], of: 9, verdict: "fail", firstFailing: 1, worth: undefined },
        findings: [finding(3, "pass"), finding(1, "fail")],
      },
      {
        ...{ units: [3], of: 9, verdict: "inconclusive", firstFailing: undefined, worth: undefined },
        findings: [finding(3, "inconclusive")],
      },
    ];
    expect(await keptAudits(folder, "0x1")).to.deep.equal([]);
    for (const report of reports) {
      await keepAudit(folder, "0x1", auditRecord(report, { at, evidenceHash: ZERO_HASH, verification }));
    }
    const kept = await keptAudits(folder, "0x1");
    expect(kept.map(({ passed, verdict }) => [passed, verdict])).to.deep.equal([
      [1, "fail"],
      [0, "inconclusive"],
    ]);
    expect(decidedAudit(kept, ZERO_HASH)).to.deep.include({
      units: [3, 1],
      of: 9,
      passed: 1,
      method: "exact/1",
    });
    expect(decidedAudit(kept, hashOf("another delivery"))).to.equal(undefined);
  });
});
