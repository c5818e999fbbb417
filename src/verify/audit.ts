import { sha256 } from "ethers";

import type { Abortable } from "../abort.ts";
import { messageOf, NeuraError } from "../errors.ts";
import { type EvidenceFile, evidenceHash, type EvidenceUnit, ZERO_HASH } from "../market/evidence.ts";
import type { Secret } from "../secret.ts";
import { type Calibration, calibrationFor, type CalibrationKey } from "./calibration.ts";
import type { UnitContent } from "./method.ts";
import { DEFAULT_UNITS, drawUnits } from "./units.ts";
import { judge, type Judgement, methodOf, type Verdict, type Verification } from "./verification.ts";

/** One unit as it was delivered. */
export interface DeliveredUnit extends UnitContent {
  /** The unit's part of the payload as it was sent, where it is there to be compared. */
  readonly input?: Uint8Array | undefined;
}

/** The work behind a delivery, for whoever re-checks it: what an application knows of its own units. */
export interface AuditedWork extends Pick<CalibrationKey, "modelDigest" | "dtype"> {
  /** How many units the payload makes. */
  readonly unitCount: number;
  /** What was delivered of a unit; nothing, where the result does not have it. */
  delivered(index: number, options: Abortable): Promise<DeliveredUnit | undefined>;
  /**
   * The reference of the task's method: the unit's work done again, from the payload alone or, where the method
   * re-checks, from the delivered state and output. What it throws says nothing about the delivery.
   */
  recompute(index: number, delivered: DeliveredUnit, options: Abortable): Promise<Uint8Array>;
}

export interface AuditOptions extends Abortable {
  readonly evidence: EvidenceFile;
  /** What the delivery's transaction says of it, 32 bytes as hex with 0x. */
  readonly evidenceHash: string;
  /** 32 bytes as hex with 0x: its hash is the salt of the terms. */
  readonly auditSeed: Secret<string>;
  readonly verification: Verification;
  readonly work: AuditedWork;
  /** Those that are known here; the one that the verification names is used. */
  readonly calibrations?: readonly Calibration[] | undefined;
  /** Units that are drawn. Default: 2. */
  readonly count?: number | undefined;
  /** What is at stake, to say whether a dispute is worth it. */
  readonly stakes?: Stakes | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** What was found of one unit. */
export interface Finding extends Judgement {
  readonly unit: number;
  /**
   * What it was held against: what the delivery itself `committed` to (no method and no tolerance is needed, and anybody
   * can check it), or work that was `recomputed`.
   */
  readonly against: "committed" | "recomputed";
  /** Of doing it again [s]. */
  readonly seconds: number;
}

export interface AuditReport {
  /** In the order in which they were drawn. */
  readonly units: readonly number[];
  readonly of: number;
  /** Of the drawn units, and before them of those that contradict what the delivery committed to. */
  readonly findings: readonly Finding[];
  /** `fail` where one finding fails, `pass` where all pass. */
  readonly verdict: Verdict;
  /** The lowest number of a unit that fails: what a dispute names. */
  readonly firstFailing: number | undefined;
  /** Where stakes were given. */
  readonly worth: DisputeWorth | undefined;
}

/**
 * Re-checks a few units of a delivery, drawn by what both sides had committed to before. What does not match the delivery's
 * own hashes fails by that alone; the rest is judged by the task's method. Nothing is sent.
 *
 * Errors: `verify.evidence-foreign`, for evidence that is not the delivery's; the signal's reason. Work that cannot be
 * done again makes the unit inconclusive.
 */
export async function auditDelivery(options: AuditOptions): Promise<AuditReport> {
  const { evidence, auditSeed, count = DEFAULT_UNITS, stakes } = options;
  const { unitCount } = evidence.evidence;
  if (evidenceHash(evidence.evidence) !== options.evidenceHash)
    throw new NeuraError("verify.evidence-foreign", "The evidence is not what the delivery committed to.", {
      next: "Keep the result: with the delivery's transaction it shows that evidence is missing or was exchanged.",
      details: { delivered: options.evidenceHash, found: evidenceHash(evidence.evidence) },
    });
  const draw = { auditSeed: auditSeed.reveal(), evidenceHash: options.evidenceHash, unitCount, count };
  const units = drawUnits(draw);
  const findings = await checkUnits(units, options);
  const failing = findings.filter(({ verdict }) => verdict === "fail").map(({ unit }) => unit);
  const isGood = findings.length > 0 && findings.every(({ verdict }) => verdict === "pass");
  return {
    units,
    of: unitCount,
    findings,
    verdict: failing.length > 0 ? "fail" : isGood ? "pass" : "inconclusive",
    firstFailing: failing.length > 0 ? Math.min(...failing) : undefined,
    worth: stakes === undefined ? undefined : disputeWorth(stakes),
  };
}

/**
 * Re-checks these units of a delivery: what contradicts the delivery's own hashes, then each unit in this order. What cannot
 * be done again makes the unit inconclusive. Error: the signal's reason.
 */
export async function checkUnits(
  units: readonly number[],
  options: Pick<
    AuditOptions,
    "evidence" | "verification" | "work" | "calibrations" | "onProgress" | "signal"
  >,
): Promise<Finding[]> {
  const { evidence, verification, work, onProgress, signal } = options;
  const { unitCount } = evidence.evidence;
  const findings: Finding[] = [...findBreaks(evidence.units, verification)];
  if (unitCount !== work.unitCount) {
    const unit = Math.min(unitCount, work.unitCount);
    findings.push(
      committed(unit, `the delivery has ${unitCount} units where the payload makes ${work.unitCount}`),
    );
  }
  const tolerance = calibrationFor(options.calibrations ?? [], verification, work)?.tolerance;
  let done = 0;
  for (const unit of units) {
    signal?.throwIfAborted();
    findings.push(await findingOf(unit, evidence.units[unit], { ...options, tolerance }));
    onProgress?.(++done, units.length);
  }
  return findings;
}

async function findingOf(
  unit: number,
  leaf: EvidenceUnit | undefined,
  {
    work,
    verification,
    tolerance,
    signal,
  }: Pick<AuditOptions, "work" | "verification" | "signal"> & { tolerance: number | undefined },
): Promise<Finding> {
  const delivered = await work.delivered(unit, { signal });
  if (leaf === undefined || delivered === undefined)
    return committed(unit, "the result does not have this unit");
  const { output, state, input } = delivered;
  if (sha256(output) !== leaf.outputHash)
    return committed(unit, `its output is not the one with the hash ${leaf.outputHash}`);
  if (state !== undefined && sha256(state) !== leaf.stateHash)
    return committed(unit, `its state is not the one with the hash ${leaf.stateHash}`);
  if (input !== undefined && sha256(input) !== leaf.inputHash)
    return committed(unit, `it is work on something else: its input has the hash ${leaf.inputHash}`);
  if (verification.method === "none/1") {
    const judgement = judge(verification, { unit: delivered, reference: output });
    return { unit, against: "recomputed", seconds: 0, ...judgement };
  }
  const started = performance.now();
  const secondsSince = (): number => (performance.now() - started) / 1000;
  try {
    const reference = await work.recompute(unit, delivered, { signal });
    const seconds = secondsSince();
    return {
      unit,
      against: "recomputed",
      seconds,
      ...judge(verification, { unit: delivered, reference, tolerance }),
    };
  } catch (error) {
    signal?.throwIfAborted();
    // A fault of this machine, or of the owner's own program: whatever it is, it is not the provider's.
    const why = `it could not be done again: ${messageOf(error)}`;
    return { unit, against: "recomputed", seconds: secondsSince(), ...UNKNOWN, why };
  }
}

const UNKNOWN = { verdict: "inconclusive", distance: undefined, tolerance: undefined } as const;

function committed(unit: number, why: string): Finding {
  return {
    unit,
    against: "committed",
    seconds: 0,
    verdict: "fail",
    distance: undefined,
    tolerance: undefined,
    why,
  };
}

/** Where a unit does not go on from where the one before it ended. Looks at all units: it costs nothing. */
function* findBreaks(units: readonly EvidenceUnit[], verification: Verification): Generator<Finding> {
  if (!methodOf(verification).isLinked) return;
  for (const [index, { stateHash }] of units.entries()) {
    const before = units[index - 1]?.outputHash;
    if (before !== undefined && stateHash !== before)
      yield committed(index, "it does not go on from the output of the unit before it");
    else if (stateHash === ZERO_HASH) yield committed(index, "it does not say what it goes on from");
  }
}

// ---- Worth of a dispute ----

/** Of a dispute that three jurors decide, all sides together [gas]. */
const JURY_GAS = 770_000n;

/** What a task moves, and what a dispute about it takes. */
export interface Stakes {
  /** What the delivery costs, and what its provider has locked [wei]. */
  readonly priceWei: bigint;
  readonly collateralWei: bigint;
  readonly unitCount: number;
  /** What gas costs [wei]. */
  readonly gasPriceWei: bigint;
  /** Gas of a dispute with all its votes. Default: 770,000, what a jury of three takes (`./neura bench gas`). */
  readonly gas?: bigint | undefined;
  /** Units that a jury does again. Default: 9, three jurors with three each; at most all of them three times. */
  readonly unitsRecomputed?: number | undefined;
}

export interface DisputeWorth {
  /** What a faker stands to lose: the price and the collateral [wei]. */
  readonly atStakeWei: bigint;
  /** What it takes to take it [wei]. */
  readonly costWei: bigint;
  readonly isWorth: boolean;
  /** The lowest price, with a collateral in the same proportion, at which a dispute is worth it; nothing: at none [wei]. */
  readonly breakEvenPriceWei: bigint | undefined;
}

/**
 * Whether the threat of a dispute is worth carrying out: P (1 + k) above its cost, where k is the collateral by the price
 * and each unit that a jury does again costs P by the number of units. Below that a dispute costs more than there is to
 * win, and a provider that fakes knows so.
 */
export function disputeWorth(stakes: Stakes): DisputeWorth {
  const { priceWei, collateralWei, unitCount, gasPriceWei, gas = JURY_GAS } = stakes;
  const jurors = 3;
  const recomputed = BigInt(Math.min(stakes.unitsRecomputed ?? 9, jurors * unitCount));
  const units = BigInt(unitCount);
  const gasWei = gas * gasPriceWei;
  const costWei = gasWei + ceilingOf(priceWei * recomputed, units);
  const atStakeWei = priceWei + collateralWei;
  // P (1 + k) n - P * recomputed > gas * n, of which the left side is P times this by P.
  const marginWei = atStakeWei * units - priceWei * recomputed;
  return {
    atStakeWei,
    costWei,
    isWorth: marginWei >= gasWei * units,
    breakEvenPriceWei:
      marginWei <= 0n || priceWei === 0n ? undefined : ceilingOf(gasWei * priceWei * units, marginWei),
  };
}

function ceilingOf(numerator: bigint, denominator: bigint): bigint {
  return (numerator + denominator - 1n) / denominator;
}
