import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hexlify, ZeroAddress } from "ethers";

import type { Abortable } from "../abort.ts";
import { NeuraError } from "../errors.ts";
import { readKeys } from "../keystore.ts";
import type { MarketContext } from "../market/context.ts";
import { type DisputePlan, planDispute } from "../market/dispute.ts";
import { Outcome, outcomeName } from "../market/outcome.ts";
import { loadRecord, type TaskRecord } from "../market/records.ts";
import { fetchResult, readResult, type ResultCheck, type TaskResult } from "../market/result.ts";
import type { TaskStatus } from "../market/status.ts";
import { fetchPayload, type OpenedPayload, openPayload } from "../provider/payload.ts";
import { auditDelivery, type AuditReport } from "./audit.ts";
import { auditRecord, keepAudit } from "./audits.ts";
import type { Calibration } from "./calibration.ts";
import { BUILT_IN_CALIBRATIONS, verificationOf } from "./known.ts";
import { parseVerification, type Verdict, type Verification } from "./verification.ts";
import { workOf, type WorkOptions } from "./work.ts";

export { keptAudits } from "./audits.ts";

export interface AuditTaskOptions extends Abortable, WorkOptions {
  /** Units that are drawn. Default: 2. */
  readonly count?: number | undefined;
  /** What `fetchResult` gave, its folder as it wrote it; without it, the result is fetched. */
  readonly result?: TaskResult | undefined;
  /** Or such a folder of before, on the same machine. */
  readonly directory?: string | undefined;
  /** Those that are known besides the built-in ones. */
  readonly calibrations?: readonly Calibration[] | undefined;
  /** The most that is taken of payload and result each [bytes]. Default: 4 GiB. */
  readonly maxBytes?: number | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

export interface TaskAudit {
  readonly status: TaskStatus;
  /** What the delivery committed to, held against what was delivered. */
  readonly checks: readonly ResultCheck[];
  /** `fail` also where a check is a mismatch: then no unit has to be looked at. */
  readonly verdict: Verdict;
  /** What the manifest says, or what suits the application; missing where a check is a mismatch. */
  readonly verification?: Verification;
  /** Of the units; missing where a check is a mismatch. */
  readonly report?: AuditReport;
  /** Where it fails: what a dispute would take and bring; missing where it cannot be disputed, now or at all. */
  readonly dispute?: DisputeOutlook;
}

/** What a dispute takes and brings, and whether that is worth its gas. */
export interface DisputeOutlook {
  readonly plan: DisputePlan;
  /** Of sending it; 0 where the market's currency is not the chain's coin, and both cannot be compared [wei]. */
  readonly gasWei: bigint;
  /** Whether winning brings more than it takes. */
  readonly isWorth: boolean;
  /** Below this price of the delivery it does not [wei]. */
  readonly breakEvenPriceWei: bigint;
}

const DEFAULT_MAX_BYTES = 4 * 1024 ** 3;
/** Of all that an owner sends in a dispute, what it hands over to a jury included, rounded up [gas]: whether it is worth it. */
const DISPUTE_GAS = 200_000n;

/**
 * Re-checks a few units of a delivered task on this machine, drawn by the seed that the salt of its terms commits to, by the
 * method that its manifest names. For the owner, where the task was submitted: the seed is nowhere else. Nothing is sent; what
 * was found is kept, see {@link keptAudits}.
 *
 * Errors: `verify.no-seed`, `verify.no-work`, those of `fetchResult`, `readResult` and of the payload.
 */
export async function auditTask(
  context: MarketContext,
  id: string,
  options: AuditTaskOptions = {},
): Promise<TaskAudit> {
  const { maxBytes = DEFAULT_MAX_BYTES, signal = new AbortController().signal } = options;
  const record = await loadRecord(context.home, id);
  if (record === undefined) {
    throw new NeuraError("verify.no-seed", `The audit seed of task ${id} is not on this machine.`, {
      next: "Audit on the machine that submitted it: the seed decides which units are looked at.",
    });
  }
  const directory = await mkdtemp(join(tmpdir(), "neura-audit-"));
  try {
    const result = await resultOf(context, id, { ...options, scratch: directory, maxBytes, signal });
    const { status, checks, delivery, evidence } = result;
    if (!result.sound || evidence === undefined) {
      const verdict = result.sound ? "inconclusive" : "fail";
      return { status, checks, verdict, ...(await outlookIf(verdict, context, status, signal)) };
    }
    if (delivery.outcome !== Outcome.Completed) {
      throw noWork(id, `its work ended as ${outcomeName(delivery.outcome)}`);
    }
    if (status.terms.conditions.keyEpoch === 0) {
      throw noWork(id, "its result is public, and then its payload is encrypted to the provider alone");
    }
    const payloadDirectory = join(directory, "payload");
    const places = { directory, payloadDirectory, maxBytes, signal };
    const { manifest } = await open(context, status, record, places);
    // What was ordered before manifests said so.
    const verification =
      manifest.verification ??
      verificationOf(manifest.application) ??
      parseVerification({ method: "none/1" });
    const resultDirectory = result.directory;
    const delivered = { manifest, evidence, verification, payloadDirectory, resultDirectory };
    const work = await workOf(delivered, options);
    try {
      const { evidenceHash } = delivery;
      const report = await auditDelivery({
        ...{ evidence, evidenceHash, auditSeed: record.auditSeed, work, verification, signal },
        calibrations: [...BUILT_IN_CALIBRATIONS, ...(options.calibrations ?? [])],
        count: options.count,
        onProgress: options.onProgress,
      });
      await keepAudit(context.home, id, auditRecord(report, { at: new Date(), evidenceHash, verification }));
      const { verdict } = report;
      return {
        ...{ status, checks, verdict, verification, report },
        ...(await outlookIf(verdict, context, status, signal)),
      };
    } finally {
      await work.release();
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function resultOf(
  context: MarketContext,
  id: string,
  {
    result,
    directory,
    scratch,
    maxBytes,
    signal,
  }: AuditTaskOptions & { scratch: string; maxBytes: number; signal: AbortSignal },
): Promise<Omit<TaskResult, "files">> {
  if (result !== undefined) return result;
  if (directory !== undefined) return await readResult(context, id, { directory, signal });
  return await fetchResult(context, id, { directory: join(scratch, "result"), maxBytes, signal });
}

async function outlookIf(
  verdict: Verdict,
  context: MarketContext,
  status: TaskStatus,
  signal: AbortSignal,
): Promise<{ dispute?: DisputeOutlook }> {
  const dispute = verdict === "fail" ? await disputeOutlook(context, status, { signal }) : undefined;
  return dispute === undefined ? {} : { dispute };
}

/** What disputing a delivery takes and brings; nothing where it cannot be disputed, now or at all. Nothing is sent. */
export async function disputeOutlook(
  context: MarketContext,
  status: TaskStatus,
  { signal }: Abortable = {},
): Promise<DisputeOutlook | undefined> {
  if (!status.next.some(({ action }) => action === "dispute")) return undefined;
  const { provider, deployment } = context;
  const isNative = deployment.currency.address === ZeroAddress;
  const [plan, fees] = await Promise.all([
    planDispute(context, status.id, { signal }),
    isNative ? provider.getFeeData() : undefined,
  ]);
  const gasWei = DISPUTE_GAS * (fees?.gasPrice ?? 0n);
  // What of the gain is not the price itself: the owner's part of the collateral, less fees.
  const lowestWei = plan.priceWei - plan.gainWei + gasWei;
  return {
    ...{ plan, gasWei, isWorth: plan.gainWei > gasWei },
    breakEvenPriceWei: lowestWei > 0n ? lowestWei : 0n,
  };
}

/** The payload as it was sent: its owner can read it, too. */
async function open(
  context: MarketContext,
  { id, terms, work }: TaskStatus,
  { inputRoot }: TaskRecord,
  {
    directory,
    payloadDirectory,
    maxBytes,
    signal,
  }: { directory: string; payloadDirectory: string; maxBytes: number; signal: AbortSignal },
): Promise<OpenedPayload> {
  const path = join(directory, "payload.envelope");
  const storage = await context.storage({ reference: work.payload });
  const task = { id, terms, work };
  await fetchPayload(task, { storage, path, maxBytes, signal });
  const { keys } = await readKeys(context.home, terms.owner);
  const opened = await openPayload(task, {
    ...{ path, directory: payloadDirectory, domain: context.domain, maxBytes, signal },
    keys: keys.map((pair) => ({ publicKey: hexlify(pair.publicKey), isRevoked: false, pair })),
  });
  if (opened.inputRoot !== inputRoot) throw new Error("the payload is not the one that was submitted");
  return opened;
}

function noWork(id: string, why: string): NeuraError {
  return new NeuraError("verify.no-work", `Task ${id} cannot be audited: ${why}.`, {
    next: "Look at the result yourself; `task dispute` names the first unit that is wrong.",
  });
}
