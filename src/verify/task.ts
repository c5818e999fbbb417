import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hexlify } from "ethers";

import type { Abortable } from "../abort.ts";
import { NeuraError } from "../errors.ts";
import { readKeys } from "../keystore.ts";
import type { MarketContext } from "../market/context.ts";
import { type DisputePlan, planDispute } from "../market/dispute.ts";
import { Outcome, outcomeName } from "../market/outcome.ts";
import { loadRecord, type TaskRecord } from "../market/records.ts";
import { fetchResult, type ResultCheck } from "../market/result.ts";
import type { TaskStatus } from "../market/status.ts";
import { fetchPayload, type OpenedPayload, openPayload } from "../provider/payload.ts";
import { auditDelivery, type AuditReport } from "./audit.ts";
import { verificationBy } from "./calibration.ts";
import { OCR_CALIBRATION, ocrWork } from "./ocr.ts";
import type { Verdict } from "./verification.ts";

export interface AuditTaskOptions extends Abortable {
  /** Units that are drawn. Default: 2. */
  readonly count?: number | undefined;
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
  /** Of the units; missing where a check is a mismatch. */
  readonly report?: AuditReport;
  /** What a dispute would take and bring; missing where the delivery cannot be disputed, now or at all. */
  readonly plan?: DisputePlan;
}

const DEFAULT_MAX_BYTES = 4 * 1024 ** 3;

/**
 * Re-checks a few units of a delivered task on this machine, drawn by the seed that the salt of its terms commits to. For the
 * owner, where the task was submitted: the seed is nowhere else. Nothing is sent, and nothing is kept.
 *
 * Errors: `verify.no-seed`, `verify.no-work`, those of `fetchResult` and of the payload.
 */
export async function auditTask(
  context: MarketContext,
  id: string,
  {
    count,
    maxBytes = DEFAULT_MAX_BYTES,
    onProgress,
    signal = new AbortController().signal,
  }: AuditTaskOptions,
): Promise<TaskAudit> {
  const record = await loadRecord(context.home, id);
  if (record === undefined) {
    throw new NeuraError("verify.no-seed", `The audit seed of task ${id} is not on this machine.`, {
      next: "Audit on the machine that submitted it: the seed decides which units are looked at.",
    });
  }
  const directory = await mkdtemp(join(tmpdir(), "neura-audit-"));
  try {
    const resultDirectory = join(directory, "result");
    const result = await fetchResult(context, id, { directory: resultDirectory, maxBytes, signal });
    const { status, checks, delivery, evidence } = result;
    const planned = await planOf(context, status, { signal });
    if (!result.sound || evidence === undefined) {
      return { status, checks, verdict: result.sound ? "inconclusive" : "fail", ...planned };
    }
    if (delivery.outcome !== Outcome.Completed) {
      throw noWork(id, `its work ended as ${outcomeName(delivery.outcome)}`);
    }
    if (status.terms.conditions.keyEpoch === 0) {
      throw noWork(id, "its result is public, and then its payload is encrypted to the provider alone");
    }
    const payloadDirectory = join(directory, "payload");
    const { manifest } = await open(context, status, record, {
      directory,
      payloadDirectory,
      maxBytes,
      signal,
    });
    if (manifest.application !== "ocr") {
      throw noWork(id, `nothing here can do the work of ${manifest.application} again`);
    }
    const work = await ocrWork({ manifest, payloadDirectory, resultDirectory });
    try {
      const report = await auditDelivery({
        ...{ evidence, evidenceHash: delivery.evidenceHash, auditSeed: record.auditSeed, work },
        ...{ verification: verificationBy(OCR_CALIBRATION), calibrations: [OCR_CALIBRATION] },
        ...{ count, onProgress, signal },
      });
      return { status, checks, verdict: report.verdict, report, ...planned };
    } finally {
      await work.release();
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function planOf(
  context: MarketContext,
  status: TaskStatus,
  { signal }: Abortable,
): Promise<{ plan?: DisputePlan }> {
  if (!status.next.some(({ action }) => action === "dispute")) return {};
  return { plan: await planDispute(context, status.id, { signal }) };
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
