import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect } from "chai";
import { sha256 } from "ethers";

import { drawStrip } from "../../../scripts/bench/verify/ocr.ts";
import { type Manifest, parseManifest } from "../../../src/manifest.ts";
import { evidenceHash, type EvidenceFile, unitsRoot, ZERO_HASH } from "../../../src/market/evidence.ts";
import { ocr, readParameters } from "../../../src/provider/applications/ocr/application.ts";
import { encodePng } from "../../../src/provider/applications/ocr/picture.ts";
import { type OcrResult, type Page, readPictures } from "../../../src/provider/applications/ocr/run.ts";
import { Secret } from "../../../src/secret.ts";
import { auditDelivery, type AuditReport } from "../../../src/verify/audit.ts";
import { type Calibration, verificationBy } from "../../../src/verify/calibration.ts";
import { OCR_CALIBRATION, OCR_VERIFICATION, ocrWork } from "../../../src/verify/ocr.ts";
import { parseVerification } from "../../../src/verify/verification.ts";
import { bytesOf } from "./support.ts";

describe("verify: pages that were read", function () {
  this.timeout(120_000);
  let folder: string;
  let manifest: Manifest;
  let result: OcrResult;
  let inputHashes: string[];

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "neura-verify-ocr-test-"));
    await mkdir(join(folder, "payload", "input"), { recursive: true });
    await mkdir(join(folder, "output"));
    const inputs = ["input/1.png", "input/2.png"];
    inputHashes = [];
    for (const [index, input] of inputs.entries()) {
      const file = await encodePng(await drawStrip(5 + index));
      await writeFile(join(folder, "payload", input), file);
      inputHashes.push(sha256(file));
    }
    manifest = parseManifest({
      schema: "neura/manifest/1",
      application: ocr.name,
      inputs,
      parameters: {},
      limits: { seconds: 600, ramMiB: 2048, outputMiB: 64 },
    });
    const directories = {
      inputDirectory: join(folder, "payload", "input"),
      outputDirectory: join(folder, "output"),
    };
    const { signal } = new AbortController();
    const nothing = (): void => undefined;
    ({ result } = await readPictures(
      { manifest, ...directories, signal, log: nothing, progress: nothing },
      readParameters(manifest),
    ));
  });

  after(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  /** A folder as it is left by fetching a result with these pages. */
  async function deliver(pages: readonly Page[]): Promise<string> {
    const directory = await mkdtemp(join(folder, "result-"));
    await writeFile(join(directory, "result.json"), JSON.stringify({ ...result, pages }, undefined, 2));
    return directory;
  }

  /** Audits both pages of a delivery; what is committed to is what is delivered if nothing else is said. */
  async function audit(
    pages: readonly Page[],
    {
      committed = pages,
      calibrations = [OCR_CALIBRATION],
      count = 2,
    }: { committed?: readonly Page[]; calibrations?: Calibration[]; count?: number } = {},
  ): Promise<AuditReport> {
    const units = committed.map((page, index) => ({
      inputHash: inputHashes[index]!,
      outputHash: sha256(bytesOf(JSON.stringify(page))),
      stateHash: ZERO_HASH,
      sketchHash: ZERO_HASH,
    }));
    const [inputRoot, resultRoot, runHash, drawCommit] = [ZERO_HASH, ZERO_HASH, ZERO_HASH, ZERO_HASH];
    const evidence = {
      inputRoot,
      resultRoot,
      unitsRoot: unitsRoot(units),
      unitCount: units.length,
      runHash,
      drawCommit,
    };
    const file: EvidenceFile = { evidence, units };
    const payloadDirectory = join(folder, "payload");
    const work = await ocrWork({ manifest, payloadDirectory, resultDirectory: await deliver(pages) });
    try {
      return await auditDelivery({
        evidence: file,
        evidenceHash: evidenceHash(evidence),
        auditSeed: new Secret(`0x${"5e".repeat(32)}`),
        verification: verificationBy(OCR_CALIBRATION),
        calibrations,
        count,
        work,
      });
    } finally {
      await work.release();
    }
  }

  it("pass when they are read again", async () => {
    const report = await audit(result.pages);
    expect(report).to.include({ verdict: "pass", of: 2 });
    // On one machine they come out the same.
    expect(report.findings.map(({ distance }) => distance)).to.deep.equal([0, 0]);
  });

  it("fail with another page's text, and with a sureness that nobody computed", async () => {
    const [first, second] = result.pages;
    const sure = { ...first!, lines: first!.lines.map((line) => ({ ...line, confidence: 0.99 })) };
    const copied = { ...second!, text: first!.text };
    const report = await audit([sure, copied]);
    expect(report).to.include({ verdict: "fail", firstFailing: 0 });
    const whyOf = (page: number): string | undefined =>
      report.findings.find(({ unit }) => unit === page)?.why;
    expect(report.findings.map(({ verdict }) => verdict)).to.deep.equal(["fail", "fail"]);
    expect(whyOf(0)).to.include("the sureness differs");
    expect(whyOf(1)).to.include("characters differ");
  });

  it("fail where they are not what the delivery committed to, or fewer", async () => {
    const [first, second] = result.pages;
    const exchanged = await audit([second!, first!], { committed: result.pages });
    expect(exchanged).to.include({ verdict: "fail", firstFailing: 0 });
    expect(exchanged.findings.every(({ against }) => against === "committed")).to.be.true;
    expect(await audit([first!])).to.include({ verdict: "fail", firstFailing: 1 });
  });

  it("have a calibration for the method that is used, of a thousand deliveries and all kinds of fakes", () => {
    const { method, parameters } = OCR_CALIBRATION;
    expect(parseVerification({ method, parameters })).to.deep.equal(OCR_VERIFICATION);
    expect(OCR_CALIBRATION.honest.failed).to.equal(0);
    expect(OCR_CALIBRATION.honest.samples).to.be.at.least(2000);
    for (const { name, samples, missed } of OCR_CALIBRATION.fakes)
      expect(missed / samples, name).to.be.at.most(0.05);
  });

  it("decide nothing without a calibration of this model", async () => {
    const [first, second] = result.pages;
    const report = await audit([{ ...first!, text: "" }, second!], { calibrations: [], count: 1 });
    expect(report).to.include({ verdict: "inconclusive", firstFailing: undefined });
  });
});
