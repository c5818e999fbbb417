/**
 * `./neura bench verify [--deep] [--json] [--only text] [--calibrations FOLDER]`: what every method forgives, how often it
 * accuses honest work, how often it misses a fake, how near fingerprints of jurors are, and what an audit of two units
 * costs. Honest work differs in threads
 * and orders of summation; fakes are made as cheats make them. The pages are read by the real models of `ocr`; for the
 * other methods small networks with random weights stand in, which round as large ones do but are no measure of them.
 * Ends with 1 where an honest unit fails, or a method sees less than 95 % of one kind of fake.
 */
import { realpathSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { availableParallelism, cpus } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import Table from "cli-table3";

import {
  calibrate,
  type Calibration,
  calibrationText,
  type CalibrationWork,
} from "../../src/verify/calibration.ts";
import { FINGERPRINT_BITS, FINGERPRINT_SLACK } from "../../src/verify/fingerprint.ts";
import { type AuditCost, measureAudit } from "./verify/audit-cost.ts";
import { type Amount, cases } from "./verify/cases.ts";
import { type FingerprintFigures, withFingerprints } from "./verify/fingerprints.ts";
import { readForCalibration } from "./verify/ocr.ts";

export interface Figures {
  readonly schema: "neura/bench-verify/1";
  readonly machine: { readonly cpu: string; readonly cores: number; readonly node: string };
  readonly calibrations: Readonly<Record<string, Calibration>>;
  /** By the same names; what an owner's program decides has none. */
  readonly fingerprints: Readonly<Record<string, FingerprintFigures>>;
  readonly audit: AuditCost | undefined;
  /** Whether no honest unit failed and each kind of fake was seen often enough. */
  readonly isGood: boolean;
  readonly seconds: number;
}

interface Profile {
  readonly networks: Amount;
  readonly pages: { readonly units: number; readonly fakedUnits: number; readonly choosing: number };
  /** Pages of the task of which two are audited. */
  readonly auditedPages: number;
}

/** Of two units each: how many honest deliveries are tested. */
const DELIVERIES = 1000;
const LEAST_SEEN = 0.95;

const QUICK: Profile = {
  networks: { samples: 120, faked: 20, choosing: 60 },
  pages: { units: 8, fakedUnits: 8, choosing: 16 },
  auditedPages: 100,
};
const DEEP: Profile = {
  networks: { samples: 400 + 2 * DELIVERIES, faked: 200, choosing: 400 },
  // Five conditions each.
  pages: { units: 490, fakedUnits: 110, choosing: 400 },
  auditedPages: 100,
};

/** Measures the methods whose name begins with `only`, and with `text` the cost of an audit. */
export async function measure({
  profile,
  only = "",
  signal,
  onProgress = () => undefined,
}: {
  profile: Profile;
  only?: string | undefined;
  signal?: AbortSignal | undefined;
  onProgress?: ((line: string) => void) | undefined;
}): Promise<Figures> {
  const started = performance.now();
  const calibrations: Record<string, Calibration> = {};
  const fingerprints: Record<string, FingerprintFigures> = {};
  const measureOne = async (name: string, work: CalibrationWork): Promise<Calibration> => {
    const watched = withFingerprints(work);
    const calibration = await calibrate(watched.work);
    const figures = watched.figures();
    if (figures !== undefined) fingerprints[name] = figures;
    return (calibrations[name] = calibration);
  };
  for (const [name, workOf] of Object.entries(cases)) {
    if (!name.startsWith(only)) continue;
    signal?.throwIfAborted();
    onProgress(name);
    await measureOne(name, workOf(profile.networks));
  }
  let audit: AuditCost | undefined;
  if ("text".startsWith(only)) {
    const progress = (done: number): void => onProgress(`text: ${done} of ${profile.pages.units} strips`);
    const work = await readForCalibration({ ...profile.pages, signal, onProgress: progress });
    const calibration = await measureOne("text fp32", work);
    onProgress(`audit of ${profile.auditedPages} pages`);
    audit = await measureAudit({ pages: profile.auditedPages, calibration, signal });
  }
  return {
    schema: "neura/bench-verify/1",
    machine: { cpu: cpus()[0]?.model ?? "unknown", cores: availableParallelism(), node: process.version },
    calibrations,
    fingerprints,
    audit,
    isGood: Object.values(calibrations).every(isGood) && Object.values(fingerprints).every(isApart),
    seconds: (performance.now() - started) / 1000,
  };
}

function isGood({ honest, fakes }: Calibration): boolean {
  return honest.failed === 0 && fakes.every(({ samples, missed }) => missed <= samples * (1 - LEAST_SEEN));
}

/** Far from what is forgiven, on both sides of it. */
function isApart({ mostApart, leastApart }: FingerprintFigures): boolean {
  return mostApart < FINGERPRINT_SLACK / 2 && leastApart > FINGERPRINT_SLACK;
}

/** The measurements as tables for people. */
export function tableOf({ calibrations, fingerprints, audit, machine, isGood: allGood }: Figures): string {
  const table = new Table({
    head: ["method", "tolerance", "largest honest", "honest failed", "at most", "fake", "missed", "nearest"],
    colAligns: ["left", "right", "right", "right", "right", "left", "right", "right"],
    style: { head: [], border: [], compact: true },
  });
  const figure = (value: number | undefined): string => (value === undefined ? "-" : value.toPrecision(2));
  for (const [name, { tolerance, honest, fakes }] of Object.entries(calibrations))
    for (const [index, fake] of fakes.entries()) {
      const own =
        index > 0
          ? ["", "", "", "", ""]
          : [
              name,
              figure(tolerance),
              figure(honest.largest),
              `${honest.failed} of ${honest.samples}`,
              `${(honest.falseAlarmRate * 100).toPrecision(2)} %`,
            ];
      table.push([...own, fake.name, `${fake.missed} of ${fake.samples}`, figure(fake.smallest)]);
    }
  const near = new Table({
    head: ["fingerprints", "honest panels", "most bits apart", "other work", "fewest bits apart"],
    colAligns: ["left", "right", "right", "right", "right"],
    style: { head: [], border: [], compact: true },
  });
  for (const [name, { honest, mostApart, other, leastApart }] of Object.entries(fingerprints))
    near.push([name, honest, mostApart, other, leastApart]);
  return [
    table.toString(),
    near.toString(),
    `Of ${FINGERPRINT_BITS} bits ${FINGERPRINT_SLACK} may differ.`,
    ...(audit
      ? [
          `Auditing ${audit.units} of ${audit.of} pages took ${audit.auditSeconds.toFixed(1)} s of ${audit.taskSeconds.toFixed(1)} s: ${(audit.share * 100).toFixed(2)} %.`,
        ]
      : []),
    `${machine.cpu}, ${machine.cores} cores, Node ${machine.node}. ${allGood ? "All methods hold." : "A method does not hold."}`,
  ].join("\n");
}

/** The file of a calibration. */
export function fileNameOf(name: string): string {
  return `${name.replaceAll(" ", "-")}.json`;
}

/** The profiles by their names. */
export const profiles = { quick: QUICK, deep: DEEP } as const;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      json: { type: "boolean", default: false },
      deep: { type: "boolean", default: false },
      only: { type: "string", default: "" },
      calibrations: { type: "string" },
    },
  });
  const interruption = new AbortController();
  process.once("SIGINT", () => interruption.abort(new Error("Interrupted.")));
  const figures = await measure({
    profile: values.deep ? DEEP : QUICK,
    only: values.only,
    signal: interruption.signal,
    onProgress: (line) => process.stderr.write(`${line}\n`),
  });
  if (values.calibrations !== undefined) {
    await mkdir(values.calibrations, { recursive: true });
    for (const [name, calibration] of Object.entries(figures.calibrations))
      await writeFile(join(values.calibrations, fileNameOf(name)), `${calibrationText(calibration)}\n`);
  }
  console.log(values.json ? JSON.stringify(figures, undefined, 2) : tableOf(figures));
  process.exitCode = figures.isGood ? 0 : 1;
}

if (process.argv[1] && realpathSync(process.argv[1]) === import.meta.filename) await main();
