import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { Abortable } from "../abort.ts";
import { isNeuraError, NeuraError } from "../errors.ts";
import type { Manifest } from "../manifest.ts";
import type { MarketContext } from "../market/context.ts";
import { type DisputePlan, planDispute } from "../market/dispute.ts";
import { Outcome, outcomeName } from "../market/outcome.ts";
import { loadRecord } from "../market/records.ts";
import { fetchResult, type TaskResult } from "../market/result.ts";
import { taskStatus, type TaskStatus } from "../market/status.ts";
import { auditDelivery, type AuditReport } from "../verify/audit.ts";
import { calibrationFor } from "../verify/calibration.ts";
import { BUILT_IN_CALIBRATIONS } from "../verify/known.ts";
import { judge, type Judgement, methodOf } from "../verify/verification.ts";
import { loadPlan, type Mirror } from "./mirror.ts";
import { openOwnPayload } from "./order.ts";
import {
  CALIBRATED_MODEL,
  isDivisible,
  localWork,
  type Outputs,
  outputsOf,
  partOf,
  verificationFor,
} from "./work.ts";

/** One of two deliveries of the same work. */
export type Side = "task" | "mirror";

/** A unit that the two deliveries do not agree about, done again here. */
export interface Ruling {
  /** Of the task. */
  readonly unit: number;
  readonly task: Judgement;
  readonly mirror: Judgement;
}

export interface MirrorComparison {
  readonly status: TaskStatus;
  readonly mirror: Mirror & { readonly status: TaskStatus };
  /** `disagree`: at least one of the two is wrong. */
  readonly verdict: "agree" | "disagree" | "inconclusive";
  /** Units of the task that were compared, and those of them that differ by more than honest work does, from 0. */
  readonly units: readonly number[];
  readonly differing: readonly number[];
  /** Of each delivery held against the other one; missing where one is wrong on its face. */
  readonly reports?: { readonly task: AuditReport; readonly mirror: AuditReport };
  /** Of those that could be done again here. */
  readonly rulings: readonly Ruling[];
  /** Who is wrong, as far as it is known, and its first unit that is, in its own counting. */
  readonly wrong: readonly { readonly side: Side; readonly unit: number }[];
  /** `commitment`: what was delivered contradicts itself. `here`: by doing units again on this machine. */
  readonly decidedBy?: "commitment" | "here" | undefined;
  /** What disputing a delivery that is wrong would take; missing where it cannot be disputed, now or at all. */
  readonly plans: Partial<Record<Side, DisputePlan>>;
  readonly why?: string | undefined;
}

export interface CompareOptions extends Abortable {
  /** A mirror's id. Default: the newest one. */
  readonly mirror?: string | undefined;
  /** So many of the units that differ are done again here, the first ones. Default: 2; 0: none. */
  readonly redo?: number | undefined;
  /** The most that is taken of payload and result each [bytes]. Default: 4 GiB. */
  readonly maxBytes?: number | undefined;
}

const DEFAULT_MAX_BYTES = 4 * 1024 ** 3;
const DEFAULT_REDO = 2;

/**
 * Opens a task's delivery and its mirror's and holds them against each other, unit by unit, with the method that the
 * manifest names. Where they disagree one of them is wrong, and units done again on this machine say which. Nothing is
 * sent.
 *
 * Errors: `mirror.none`, `task.not-delivered`, `verify.no-seed`, those of `fetchResult` and of the payload.
 */
export async function compareMirror(
  context: MarketContext,
  id: string,
  options: CompareOptions = {},
): Promise<MirrorComparison> {
  const {
    maxBytes = DEFAULT_MAX_BYTES,
    redo = DEFAULT_REDO,
    signal = new AbortController().signal,
  } = options;
  const mirrors = (await loadPlan(context.home, id))?.mirrors ?? [];
  const mirror = mirrors.findLast((each) => options.mirror === undefined || each.id === options.mirror);
  if (mirror === undefined) {
    throw new NeuraError("mirror.none", `This machine has no such mirror of task ${id}.`, {
      next: "Order one with `task mirror`.",
    });
  }
  const directory = await mkdtemp(join(tmpdir(), "neura-mirror-"));
  const at = (name: string): string => join(directory, name);
  try {
    const status = await taskStatus(context, id, { signal });
    const fetch = async (task: string, name: string): Promise<TaskResult> =>
      await fetchResult(context, task, { directory: at(name), maxBytes, signal });
    const [first, second] = [await fetch(id, "first"), await fetch(mirror.id, "second")];
    const start = {
      status: first.status,
      mirror: { ...mirror, status: second.status },
      ...{ units: [], differing: [], rulings: [] },
    };
    const onFace = [...faultOf("task", first), ...faultOf("mirror", second)];
    if (onFace.length > 0) return await concluded(context, start, { wrong: onFace, decidedBy: "commitment" });
    if (first.evidence === undefined || second.evidence === undefined)
      return { ...start, ...NOTHING, why: "one of the two commits to no units" };
    const ends = [first, second].map(({ delivery }) => delivery.outcome);
    if (ends.some((outcome) => outcome !== Outcome.Completed))
      return { ...start, ...NOTHING, why: `the work ended as ${ends.map(outcomeName).join(" and ")}` };

    const { manifest, directory: payloadDirectory } = await openOwnPayload(context, status, {
      ...{ directory, maxBytes, signal },
    });
    const [{ unitCount }, { unitCount: otherCount }] = [first.evidence.evidence, second.evidence.evidence];
    if (!isDivisible(manifest) && unitCount !== otherCount) {
      const why = `one has ${unitCount} units, the other ${otherCount}`;
      return { ...start, ...NOTHING, verdict: "disagree", why };
    }
    const length = isDivisible(manifest) ? manifest.inputs.length : unitCount;
    const units = mirror.units ?? Array.from({ length }, (_, i) => i);
    const compared = { context, manifest, payloadDirectory, units, signal };
    return await compare(compared, { first, second, start, redo });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/**
 * As {@link compareMirror}, with each mirror that is delivered, oldest first. Error, where none is: that of the newest.
 */
export async function compareMirrors(
  context: MarketContext,
  id: string,
  options: Omit<CompareOptions, "mirror"> = {},
): Promise<MirrorComparison[]> {
  const mirrors = (await loadPlan(context.home, id))?.mirrors ?? [];
  if (mirrors.length < 2) return [await compareMirror(context, id, options)];
  const comparisons: MirrorComparison[] = [];
  for (const [index, { id: mirror }] of mirrors.entries()) {
    try {
      comparisons.push(await compareMirror(context, id, { ...options, mirror }));
    } catch (error) {
      const isWaiting = isNeuraError(error, "task.not-delivered") || isNeuraError(error, "task.no-result");
      if (!isWaiting || (index === mirrors.length - 1 && comparisons.length === 0)) throw error;
    }
  }
  return comparisons;
}

const NOTHING = { verdict: "inconclusive", wrong: [], plans: {} } as const;

type Start = Pick<MirrorComparison, "status" | "mirror" | "units" | "differing" | "rulings" | "reports">;

interface Compared {
  readonly context: MarketContext;
  readonly manifest: Manifest;
  readonly payloadDirectory: string;
  /** Unit i of the mirror is unit `units[i]` of the task. */
  readonly units: readonly number[];
  readonly signal: AbortSignal;
}

async function compare(
  { context, manifest, payloadDirectory, units, signal }: Compared,
  { first, second, start, redo }: { first: TaskResult; second: TaskResult; start: Start; redo: number },
): Promise<MirrorComparison> {
  const part = partOf(manifest, units);
  const [one, other] = await Promise.all([
    outputsIn(first, { manifest, payloadDirectory }),
    outputsIn(second, {
      manifest: units.length === manifest.inputs.length ? manifest : part,
      payloadDirectory,
    }),
  ]);
  const verification = verificationFor(manifest);
  const { method } = verification;
  // A method that looks at a delivery by itself says nothing about two of them.
  if (!one.areAllKnown || !other.areAllKnown || methodOf(verification).isRechecked) {
    const hashes = (result: TaskResult): string[] =>
      (result.evidence?.units ?? []).map(({ outputHash }) => outputHash);
    const areSame = hashes(first).join() === hashes(second).join();
    const why = areSame
      ? "all units have the same hashes"
      : `units differ, and ${method} cannot hold them against each other`;
    return { ...start, ...NOTHING, units, verdict: areSame ? "agree" : "inconclusive", why };
  }
  const audit = async (
    result: TaskResult,
    sides: { own: Outputs; theirs: Outputs; count: number; indexOf: (unit: number) => number },
  ): Promise<AuditReport> => {
    const { evidence, delivery, status } = result;
    if (evidence === undefined) throw new Error("a delivery without evidence");
    const { own, theirs, count, indexOf } = sides;
    return await auditDelivery({
      ...{ evidence, evidenceHash: delivery.evidenceHash, verification, count, signal },
      calibrations: BUILT_IN_CALIBRATIONS,
      auditSeed: await seedOf(context, status.id),
      work: {
        ...CALIBRATED_MODEL,
        unitCount: result === first && isDivisible(manifest) ? manifest.inputs.length : units.length,
        delivered: async (index) => await own.unit(index),
        recompute: async (index) => {
          const unit = await theirs.unit(indexOf(index));
          if (unit === undefined) throw new Error("the other delivery does not have it");
          return unit.output;
        },
      },
    });
  };
  // By the task's own seed, so that a mirror of a part is held against the units that were drawn for it.
  const task = await audit(first, {
    ...{ own: one, theirs: other, count: units.length },
    indexOf: (unit) => units.indexOf(unit),
  });
  const mirror = await audit(second, {
    ...{ own: other, theirs: one, count: units.length },
    indexOf: (unit) => units[unit] ?? 0,
  });
  const reports = { task, mirror };
  const found = { ...start, units, reports };
  const broken = [...committedBy("task", task), ...committedBy("mirror", mirror)];
  if (broken.length > 0) return await concluded(context, found, { wrong: broken, decidedBy: "commitment" });
  const isFailing = ({ verdict }: { verdict: string }): boolean => verdict === "fail";
  const differing = [
    ...new Set([
      ...task.findings.filter(isFailing).map(({ unit }) => unit),
      ...mirror.findings.filter(isFailing).map(({ unit }) => units[unit] ?? 0),
    ]),
  ].toSorted((a, b) => a - b);
  if (differing.length === 0) {
    const isGood = task.verdict === "pass" && mirror.verdict === "pass";
    return { ...found, ...NOTHING, verdict: isGood ? "agree" : "inconclusive" };
  }

  // One of the two is wrong; this machine says which, if it can do the work.
  const rulings: Ruling[] = [];
  const work = redo === 0 ? undefined : await localWork(manifest, { payloadDirectory });
  try {
    const tolerance = BUILT_IN_CALIBRATIONS.map(
      (each) => calibrationFor([each], verification, each)?.tolerance,
    ).find((each) => each !== undefined);
    for (const unit of work === undefined ? [] : differing.slice(0, redo)) {
      const reference = await work?.recompute(unit, { signal });
      const [mine, theirs] = [await one.unit(unit), await other.unit(units.indexOf(unit))];
      if (reference === undefined || mine === undefined || theirs === undefined) continue;
      rulings.push({
        unit,
        task: judge(verification, { unit: mine, reference, tolerance }),
        mirror: judge(verification, { unit: theirs, reference, tolerance }),
      });
    }
  } finally {
    await work?.release();
  }
  const wrongIn = (side: Side): { side: Side; unit: number }[] => {
    const failing = rulings.find((ruling) => isFailing(ruling[side]))?.unit;
    if (failing === undefined) return [];
    return [{ side, unit: side === "task" ? failing : units.indexOf(failing) }];
  };
  const wrong = [...wrongIn("task"), ...wrongIn("mirror")];
  const result = { ...found, differing, rulings };
  return await concluded(context, result, { wrong, ...(wrong.length > 0 ? { decidedBy: "here" } : {}) });
}

async function outputsIn(
  { directory, evidence }: TaskResult,
  { manifest, payloadDirectory }: { manifest: Manifest; payloadDirectory: string },
): Promise<Outputs> {
  if (evidence === undefined) throw new Error("a delivery without evidence");
  return await outputsOf(manifest, { directory, payloadDirectory, evidence });
}

/** A result that is not what its own evidence says. */
function faultOf(side: Side, { sound }: TaskResult): { side: Side; unit: number }[] {
  return sound ? [] : [{ side, unit: 0 }];
}

/** A unit that is not what its own leaf says. */
function committedBy(side: Side, { findings }: AuditReport): { side: Side; unit: number }[] {
  const broken = findings.filter(({ against, verdict }) => against === "committed" && verdict === "fail");
  return broken.length === 0 ? [] : [{ side, unit: Math.min(...broken.map(({ unit }) => unit)) }];
}

async function concluded(
  context: MarketContext,
  found: Start,
  { wrong, decidedBy }: Pick<MirrorComparison, "wrong" | "decidedBy">,
): Promise<MirrorComparison> {
  const plans: Partial<Record<Side, DisputePlan>> = {};
  for (const { side } of wrong) {
    const { id, next } = side === "task" ? found.status : found.mirror.status;
    if (next.some(({ action }) => action === "dispute")) plans[side] = await planDispute(context, id);
  }
  return { ...found, verdict: "disagree", wrong, plans, ...(decidedBy === undefined ? {} : { decidedBy }) };
}

async function seedOf({ home }: MarketContext, id: string) {
  const record = await loadRecord(home, id);
  if (record !== undefined) return record.auditSeed;
  throw new NeuraError("verify.no-seed", `The audit seed of task ${id} is not on this machine.`, {
    next: "Compare on the machine that submitted it.",
  });
}
