import { readFile } from "node:fs/promises";
import { join } from "node:path";

import type { Abortable } from "../abort.ts";
import type { Manifest } from "../manifest.ts";
import { type EvidenceFile, UNKNOWN_EVIDENCE } from "../market/evidence.ts";
import type { DeliveredUnit } from "../verify/audit.ts";
import { OCR_CALIBRATION, verificationOf } from "../verify/known.ts";
import { parseVerification, type Verification } from "../verify/verification.ts";
import { ONE_BY_INPUT, workOf } from "../verify/work.ts";

/** Whether unit i of the work is input i, so that a part of it is work of its own. */
export function isDivisible({ application }: Pick<Manifest, "application">): boolean {
  return ONE_BY_INPUT.includes(application);
}

/** The same manifest for some of its inputs, in their order. */
export function partOf(manifest: Manifest, units: readonly number[]): Manifest {
  return { ...manifest, inputs: units.flatMap((unit) => manifest.inputs[unit] ?? []) };
}

/** How deliveries of this work are compared: as its manifest says, else as suits its application. */
export function verificationFor({ verification, application }: Manifest): Verification {
  return verification ?? verificationOf(application) ?? parseVerification({ method: "exact/1" });
}

/** What calibrations are looked up by: a comparison has no model of its own, and takes the one that was agreed to. */
export const CALIBRATED_MODEL = { modelDigest: OCR_CALIBRATION.modelDigest, dtype: OCR_CALIBRATION.dtype };

// ---- What was delivered ----

export interface Outputs {
  /** Of a unit; nothing, where the result does not have it. */
  unit(index: number): Promise<DeliveredUnit | undefined>;
  /** Whether each unit's output is where this can find it: else a missing one means nothing. */
  readonly areAllKnown: boolean;
}

/** The units of a result that `fetchResult` wrote. */
export async function outputsOf(
  manifest: Manifest,
  {
    directory,
    payloadDirectory,
    evidence,
  }: { directory: string; payloadDirectory: string; evidence: EvidenceFile },
): Promise<Outputs> {
  const verification = verificationFor(manifest);
  const delivery = { manifest, evidence, verification, payloadDirectory, resultDirectory: directory };
  // It is only read: what it is held against is the other delivery, or an answer.
  const work = await workOf(delivery, { redo: { ...CALIBRATED_MODEL, recompute: notDone } });
  const unit = async (index: number): Promise<DeliveredUnit | undefined> => await work.delivered(index, {});
  let areAllKnown = true;
  for (const index of isDivisible(manifest) ? [] : evidence.units.keys())
    areAllKnown &&= (await unit(index)) !== undefined;
  return { areAllKnown, unit };
}

function notDone(): Promise<never> {
  return Promise.reject(new Error("it is only read"));
}

// ---- Done here ----

/** The work, done on this machine, unit by unit. */
export interface LocalWork {
  recompute(index: number, options: Abortable): Promise<Uint8Array>;
  release(): Promise<void>;
}

/** Nothing, where this machine cannot do the work. */
export async function localWork(
  manifest: Manifest,
  { payloadDirectory }: { payloadDirectory: string },
): Promise<LocalWork | undefined> {
  if (!isDivisible(manifest)) return undefined;
  const verification = verificationFor(manifest);
  // There is no result yet, or none that is looked at.
  const evidence = { evidence: UNKNOWN_EVIDENCE, units: [] };
  const delivery = { evidence, payloadDirectory, resultDirectory: payloadDirectory };
  const work = await workOf({ manifest, verification, ...delivery }, {});
  const output = new Uint8Array();
  return {
    async recompute(index, options) {
      const path = join(payloadDirectory, ...(manifest.inputs[index] ?? "").split("/"));
      return await work.recompute(index, { input: new Uint8Array(await readFile(path)), output }, options);
    },
    release: () => work.release(),
  };
}
