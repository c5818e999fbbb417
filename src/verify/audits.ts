import { join } from "node:path";

import { readJson, writeJson } from "../market/records.ts";
import type { AuditReport } from "./audit.ts";
import type { Verdict, Verification } from "./verification.ts";

/** What is kept of an audit. */
export interface KeptAudit {
  /** ISO 8601. */
  readonly at: string;
  /** Of the delivery, 32 bytes as hex with 0x. */
  readonly evidenceHash: string;
  readonly method: string;
  readonly calibration?: string;
  /** Those that were drawn, in that order; of how many. */
  readonly units: readonly number[];
  readonly of: number;
  /** How many of the drawn ones passed. */
  readonly passed: number;
  readonly verdict: Verdict;
  readonly firstFailing?: number;
}

const SCHEMA = "neura/audits/1";
/** Older ones go. */
const MOST_KEPT = 100;
const VERDICTS: readonly Verdict[] = ["pass", "fail", "inconclusive"];

/** What an audit found, in short. */
export function auditRecord(
  { units, of, verdict, findings, firstFailing }: AuditReport,
  {
    at,
    evidenceHash,
    verification: { method, calibration },
  }: { at: Date; evidenceHash: string; verification: Verification },
): KeptAudit {
  const passed = units.filter((unit) => {
    const found = findings.filter((each) => each.unit === unit);
    return found.length > 0 && found.every((each) => each.verdict === "pass");
  });
  return {
    ...{ at: at.toISOString(), evidenceHash, method },
    ...(calibration === undefined ? {} : { calibration }),
    ...{ units, of, passed: passed.length, verdict },
    ...(firstFailing === undefined ? {} : { firstFailing }),
  };
}

/** Keeps an audit, `<home>/tasks/<id>.audit.json`, beside those before it. */
export async function keepAudit(home: string, id: string, audit: KeptAudit): Promise<void> {
  const audits = [...(await keptAudits(home, id)), audit].slice(-MOST_KEPT);
  await writeJson(pathOf(home, id), { schema: SCHEMA, task: id, audits });
}

/** What audits of a task found, the oldest first. A file that cannot be read is as none. */
export async function keptAudits(home: string, id: string): Promise<KeptAudit[]> {
  const file = await readJson(pathOf(home, id)).catch(() => undefined);
  const listed: unknown = file?.["schema"] === SCHEMA ? file["audits"] : undefined;
  return Array.isArray(listed) ? listed.flatMap((each: unknown) => readAudit(each) ?? []) : [];
}

/**
 * The newest audit of this delivery that decided something, for a receipt: one that failed as well as one that passed. If only
 * those that passed were listed, none would mean anything.
 */
export function decidedAudit(audits: readonly KeptAudit[], evidenceHash: string): KeptAudit | undefined {
  return audits.findLast((each) => each.evidenceHash === evidenceHash && each.verdict !== "inconclusive");
}

function pathOf(home: string, id: string): string {
  return join(home, "tasks", `${id}.audit.json`);
}

function readAudit(value: unknown): KeptAudit | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const fields: Record<string, unknown> = { ...value };
  const { at, evidenceHash, method, calibration, units, of, passed, firstFailing } = fields;
  const verdict = VERDICTS.find((each) => each === fields["verdict"]);
  if (typeof at !== "string" || typeof evidenceHash !== "string" || typeof method !== "string")
    return undefined;
  if (!Array.isArray(units) || !units.every((each) => typeof each === "number")) return undefined;
  if (typeof of !== "number" || typeof passed !== "number" || verdict === undefined) return undefined;
  return {
    ...{ at, evidenceHash, method, units, of, passed, verdict },
    ...(typeof calibration === "string" ? { calibration } : {}),
    ...(typeof firstFailing === "number" ? { firstFailing } : {}),
  };
}
