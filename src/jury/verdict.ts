import { writeFile } from "node:fs/promises";
import { join, posix } from "node:path";
import { toUtf8Bytes } from "ethers";

import type { Abortable } from "../abort.ts";
import type { Manifest } from "../manifest.ts";
import { type Evidence, type EvidenceFile, UNKNOWN_EVIDENCE } from "../market/evidence.ts";
import { Outcome } from "../market/outcome.ts";
import type { RunKind, RunOutcome } from "../provider/runner/runner.ts";
import { unitsOfRun } from "../provider/units.ts";
import { checkUnits, type Finding } from "../verify/audit.ts";
import { type Calibration, modelDigest } from "../verify/calibration.ts";
import { fingerprintOf } from "../verify/fingerprint.ts";
import { verificationOf } from "../verify/known.ts";
import { methodOf, parseVerification, type Verification } from "../verify/verification.ts";
import { ONE_BY_INPUT, workOf } from "../verify/work.ts";
import { panelUnits } from "./case.ts";
import type { Fault } from "./hand-over.ts";

/** What a panel does again, the same for all of it. */
export interface Redo {
  readonly verification: Verification;
  /** Whether the method is one that a panel decides by: see {@link redoOf}. */
  readonly isDecidable: boolean;
  /** What is run; of work that is divided by its inputs, those of the units alone. */
  readonly manifest: Manifest;
  /** Numbers of the units that are looked at, as the delivery counts them, in ascending order. */
  readonly units: readonly number[];
  /** Where they are in the run: unit `units[i]` is its unit `places[i]`. */
  readonly places: readonly number[];
  /** What of the whole work is run, from 0 to 1: so much of the time it takes, about. */
  readonly share: number;
}

/** What came out when it was done again. */
export interface Redone {
  readonly kind: RunKind;
  /** Of the units, in their order; nothing where the run has no such unit. Empty where it did not complete. */
  readonly outputs: readonly (Uint8Array | undefined)[];
  /** How many units the run has. */
  readonly unitCount: number;
  readonly seconds: number;
  readonly peakRssBytes: number;
  readonly modelDigest: string;
  readonly dtype: string;
}

/** What a juror's vote follows from. */
export interface Verdict {
  readonly providerBps: 0 | 10_000;
  /** What decided, as a sentence. */
  readonly why: string;
  readonly findings: readonly Finding[];
}

/**
 * What a panel does again of a payload. Work that is divided by its inputs is done of the units' inputs alone, anything else
 * as a whole. A method that goes on from what was delivered (`tokens`, `trajectory`, `checkpoint`, `checker`), or compares
 * nothing, decides nothing here: nothing is run, and the provider is paid.
 */
export function redoOf({
  manifest,
  seed,
  evidence,
  evidenceHash,
  named,
  outcome,
}: {
  manifest: Manifest;
  /** The panel's. */
  seed: string;
  /** As it was announced with the panel; nothing where nobody knew it then, and the payload says how many units there are. */
  evidence: Pick<Evidence, "unitCount"> | undefined;
  /** Of the delivery. */
  evidenceHash: string;
  /** The unit that the owner names. */
  named: bigint;
  /** What the delivery says of how the work ended. */
  outcome: Outcome;
}): Redo {
  const { application, inputs } = manifest;
  const verification =
    manifest.verification ?? verificationOf(application) ?? parseVerification({ method: "none/1" });
  const method = methodOf(verification);
  const isByInput = ONE_BY_INPUT.includes(application) && inputs.length > 0 && outcome === Outcome.Completed;
  const unitCount = evidence?.unitCount ?? (isByInput ? inputs.length : 1);
  const drawn = panelUnits({ seed, evidenceHash, unitCount, named }).toSorted((a, b) => a - b);
  const units = isByInput ? drawn.filter((unit) => unit < inputs.length) : drawn;
  const isApart = isByInput && (verification.method !== "exact/1" || hasOwnNames(inputs));
  return {
    verification,
    isDecidable: method.tolerance !== "never" && !method.isRechecked,
    manifest: isApart ? { ...manifest, inputs: units.map((unit) => inputs[unit] ?? "") } : manifest,
    units,
    places: isApart ? units.map((_, at) => at) : units,
    share: isApart ? units.length / inputs.length : 1,
  };
}

/** Else pictures are named by their place among all of them, and their bytes are of the whole. */
function hasOwnNames(inputs: readonly string[]): boolean {
  const names = inputs.map((input) => posix.basename(input, posix.extname(input)).toLowerCase());
  return new Set(names).size === names.length;
}

/** What a run left: reads its folder, and notes there what is not in a file yet. */
export async function readRedone(
  { manifest, places, verification }: Redo,
  run: RunOutcome,
  { directory, signal }: Abortable & { directory: string },
): Promise<Redone> {
  const { kind, summary, secondsWall: seconds, usage } = run;
  const measured = { kind, seconds, peakRssBytes: usage.peakRssBytes };
  if (summary === undefined) return { ...measured, outputs: [], unitCount: 0, modelDigest: "", dtype: "" };
  const made = { modelDigest: modelDigest(summary.model.files), dtype: summary.dtype };
  const result = JSON.stringify(summary.result, undefined, 2);
  const { units, from } = await unitsOfRun(run, { directory, signal });
  if (units.length === 0)
    return {
      ...measured,
      ...made,
      unitCount: 1,
      outputs: places.map((place) => (place === 0 ? toUtf8Bytes(result) : undefined)),
    };
  // As a result has them.
  await writeFile(join(directory, "result.json"), result);
  await writeFile(join(directory, "run.json"), JSON.stringify({ units: { from } }));
  const evidence = { evidence: { ...UNKNOWN_EVIDENCE, unitCount: units.length }, units };
  const folders = { payloadDirectory: directory, resultDirectory: directory };
  const work = await workOf(
    { manifest, evidence, verification, ...folders },
    { redo: { ...made, recompute: never } },
  );
  const outputs = await Promise.all(
    places.map(async (place) =>
      place < units.length ? (await work.delivered(place, {}))?.output : undefined,
    ),
  );
  return { ...measured, ...made, outputs, unitCount: units.length };
}

function never(): Promise<never> {
  return Promise.reject(new Error("it is only read"));
}

// ---- Fingerprint ----

/** The fingerprint of what was done again; of work that did not come to its end, of how it ended. */
export function fingerprintOfRedone(
  { verification, isDecidable, units }: Redo,
  { kind, outputs }: Redone,
  { seed }: { seed: string },
): bigint {
  if (!isDecidable) return fingerprintOfWord("undecidable", seed);
  if (kind !== "completed") return fingerprintOfWord(kind, seed);
  const made = units.flatMap((unit, at) => {
    const output = outputs[at];
    return output === undefined ? [] : [{ unit, output }];
  });
  if (made.length === 0) return fingerprintOfWord("nothing", seed);
  return fingerprintOf(
    verification,
    made.map(({ output }) => output),
    { seed, units: made.map(({ unit }) => unit) },
  );
}

/** Where nothing could be done, and everybody sees whose fault that is: of that. */
export function fingerprintOfFault({ of }: Pick<Fault, "of">, { seed }: { seed: string }): bigint {
  return fingerprintOfWord(`fault of the ${of}`, seed);
}

/** What the method of a panel cannot decide. */
export const UNDECIDED: Redone = {
  kind: "completed",
  outputs: [],
  unitCount: 0,
  seconds: 0,
  peakRssBytes: 0,
  modelDigest: "",
  dtype: "",
};

function fingerprintOfWord(word: string, seed: string): bigint {
  const exact = parseVerification({ method: "exact/1" });
  return fingerprintOf(exact, [toUtf8Bytes(word)], { seed, units: [0] });
}

// ---- Verdict ----

const OWNERS: Partial<Record<Outcome, RunKind>> = {
  [Outcome.OwnerExitCode]: "owner-exit-code",
  [Outcome.OwnerOutOfMemory]: "owner-out-of-memory",
  [Outcome.OwnerTimeLimit]: "owner-time-limit",
  [Outcome.OwnerBadInput]: "owner-bad-input",
};
/** Time and memory are not the same twice: so much less than the limit, and the limit was not what ended it. */
const WELL_BELOW = 0.5;
const MIB = 1024 * 1024;

/**
 * What follows from work that was done again and the delivery that was opened: nothing is due where one of the units fails or
 * contradicts what the delivery committed to, all of it otherwise, also where a comparison decides nothing. A pure function:
 * whoever has the same files finds the same.
 */
export async function verdictOf({
  redo,
  redone,
  outcome,
  evidence,
  payloadDirectory,
  resultDirectory,
  manifest,
  calibrations,
  signal,
}: Abortable & {
  redo: Redo;
  redone: Redone;
  /** What the delivery says of how the work ended. */
  outcome: Outcome;
  /** The delivery's, as the trace has it. */
  evidence: EvidenceFile;
  /** The whole payload, opened, and its manifest. */
  payloadDirectory: string;
  manifest: Manifest;
  /** The delivery's files. */
  resultDirectory: string;
  calibrations: readonly Calibration[];
}): Promise<Verdict> {
  const { verification, units, isDecidable } = redo;
  if (!isDecidable) return paid(`By ${verification.method} a panel decides nothing.`);
  const ended = endedAs(outcome, redone, manifest);
  if (ended !== undefined) return ended;
  const { modelDigest: model, dtype, outputs, unitCount } = redone;
  const missing = units.find((_, at) => (redo.places[at] ?? 0) >= unitCount);
  if (missing !== undefined) return unpaid(`Done again, it has ${unitCount} units, and no unit ${missing}.`);
  const folders = { payloadDirectory, resultDirectory };
  const work = await workOf(
    { manifest, evidence, verification, ...folders },
    {
      redo: {
        ...{ modelDigest: model, dtype },
        recompute: (unit) => {
          const output = outputs[units.indexOf(unit)];
          return output === undefined
            ? Promise.reject(new Error("there is no such unit"))
            : Promise.resolve(output);
        },
      },
    },
  );
  const findings = await checkUnits(units, { evidence, verification, work, calibrations, signal });
  const failing = findings.find(({ verdict }) => verdict === "fail");
  if (failing !== undefined)
    return { providerBps: 0, why: `Unit ${failing.unit}: ${failing.why}.`, findings };
  return { ...paid(`No unit of ${units.length} fails.`), findings };
}

/** What already follows from how the work ended. */
function endedAs(
  outcome: Outcome,
  { kind, seconds, peakRssBytes }: Redone,
  { limits }: Manifest,
): Verdict | undefined {
  const said = OWNERS[outcome];
  const isFickle = (each: RunKind | undefined): boolean =>
    each === "owner-time-limit" || each === "owner-out-of-memory";
  if (said === undefined) {
    if (kind === "completed") return undefined;
    return isFickle(kind) ? paid("Done again, it met a limit.") : unpaid(`Done again, it ends as ${kind}.`);
  }
  if (kind === said || isFickle(kind)) return paid(`Done again, it ends as ${kind}.`);
  if (!isFickle(said) || kind !== "completed")
    return unpaid(`Done again, it ends as ${kind}, not as ${said}.`);
  const part = said === "owner-time-limit" ? seconds / limits.seconds : peakRssBytes / (limits.ramMiB * MIB);
  return part <= WELL_BELOW
    ? unpaid(`Done again, it took ${(100 * part).toFixed(0)} % of the limit that is said to have ended it.`)
    : paid("Done again, it came near the limit that is said to have ended it.");
}

function paid(why: string): Verdict {
  return { providerBps: 10_000, why, findings: [] };
}

function unpaid(why: string): Verdict {
  return { providerBps: 0, why, findings: [] };
}
