import { createHash, randomBytes } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hexlify } from "ethers";

import { parseManifest } from "../../../src/manifest.ts";
import {
  evidenceHash,
  type EvidenceFile,
  type EvidenceUnit,
  unitsRoot,
  ZERO_HASH,
} from "../../../src/market/evidence.ts";
import { ocr, readParameters } from "../../../src/provider/applications/ocr/application.ts";
import { encodePng } from "../../../src/provider/applications/ocr/picture.ts";
import { readPictures } from "../../../src/provider/applications/ocr/run.ts";
import { Secret } from "../../../src/secret.ts";
import { auditDelivery, type AuditReport } from "../../../src/verify/audit.ts";
import { type Calibration, verificationBy } from "../../../src/verify/calibration.ts";
import { ocrWork } from "../../../src/verify/ocr.ts";
import { drawStrip } from "./ocr.ts";

export interface AuditCost {
  readonly units: number;
  readonly of: number;
  /** The work, with loading the models [s]. */
  readonly taskSeconds: number;
  /** The audit, with loading the models [s]. */
  readonly auditSeconds: number;
  readonly share: number;
  readonly verdict: AuditReport["verdict"];
}

/** Reads pages as a provider does, audits two of them as an owner does, and compares the times. */
export async function measureAudit({
  pages,
  calibration,
  signal = new AbortController().signal,
}: {
  pages: number;
  calibration: Calibration;
  signal?: AbortSignal | undefined;
}): Promise<AuditCost> {
  const folder = await mkdtemp(join(tmpdir(), "neura-audit-"));
  try {
    const [payload, result] = [join(folder, "payload"), join(folder, "result")];
    await mkdir(join(payload, "input"), { recursive: true });
    await mkdir(join(result, "output"), { recursive: true });
    const inputs = Array.from({ length: pages }, (_, index) => `input/${index}.png`);
    for (const [index, input] of inputs.entries())
      await writeFile(join(payload, input), await encodePng(await drawStrip(index)));
    const limits = { seconds: 3600, ramMiB: 2048, outputMiB: 256 };
    const manifest = parseManifest({
      schema: "neura/manifest/1",
      application: ocr.name,
      inputs,
      parameters: {},
      limits,
    });
    const begun = performance.now();
    const summary = await readPictures(
      {
        manifest,
        inputDirectory: join(payload, "input"),
        outputDirectory: join(result, "output"),
        signal,
        log: () => undefined,
        progress: () => undefined,
      },
      readParameters(manifest),
    );
    const taskSeconds = (performance.now() - begun) / 1000;
    await writeFile(join(result, "result.json"), JSON.stringify(summary.result, undefined, 2));
    const evidence = evidenceOf(
      summary.units.map(({ inputHash, outputHash }) => ({
        inputHash: `0x${inputHash}`,
        outputHash: `0x${outputHash}`,
        stateHash: ZERO_HASH,
        sketchHash: ZERO_HASH,
      })),
    );
    const started = performance.now();
    const work = await ocrWork({ manifest, payloadDirectory: payload, resultDirectory: result });
    try {
      const report = await auditDelivery({
        evidence,
        evidenceHash: evidenceHash(evidence.evidence),
        auditSeed: new Secret(hexlify(randomBytes(32))),
        verification: verificationBy(calibration),
        calibrations: [calibration],
        work,
        signal,
      });
      const auditSeconds = (performance.now() - started) / 1000;
      const { units, of, verdict } = report;
      return {
        units: units.length,
        of,
        taskSeconds,
        auditSeconds,
        share: auditSeconds / taskSeconds,
        verdict,
      };
    } finally {
      await work.release();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Evidence of these units; what an audit does not look at is made up. */
function evidenceOf(units: readonly EvidenceUnit[]): EvidenceFile {
  const other = `0x${createHash("sha256").digest("hex")}`;
  const evidence = {
    inputRoot: other,
    resultRoot: other,
    unitsRoot: unitsRoot(units),
    unitCount: units.length,
    runHash: other,
    drawCommit: other,
  };
  return { evidence, units };
}
