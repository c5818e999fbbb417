import { formatAmount, type Unit } from "../../src/amount.ts";
import type { KeptAudit } from "../../src/verify/audits.ts";
import type { DisputeOutlook, TaskAudit } from "../../src/verify/task.ts";

type Row = readonly [label: string, value: string];

const VERDICTS = {
  pass: "as it was delivered",
  fail: "NOT WHAT IT SHOULD BE",
  inconclusive: "nothing can be said",
} as const;

/** What an audit found, unit by unit. */
export function auditRows({ checks, verdict, report, verification }: TaskAudit): Row[] {
  const mismatches = checks.filter((check) => check.verdict === "mismatch");
  const { units = [], of = 0, findings = [] } = report ?? {};
  const method = verification === undefined ? "" : `, by ${verification.method}`;
  return [
    ...mismatches.map(({ name, reason }) => ["MISMATCH", `${name}: ${reason}`] as const),
    ...(report === undefined
      ? []
      : [["Audited", `units ${units.join(", ")} of ${of}, counted from 0${method}`] as const]),
    ...findings.map((each) => [`Unit ${each.unit}`, `${VERDICTS[each.verdict]}: ${each.why}`] as const),
    ["Verdict", VERDICTS[verdict]],
  ];
}

/** What can be done about a delivery that fails. */
export function failureRows({ status, report, dispute }: TaskAudit, currency: Unit): Row[] {
  if (dispute === undefined)
    return [["Dispute", "not possible: its time is over, or it was ordered without --challenge"]];
  return [
    ["Dispute", outlookText(dispute, currency)],
    ["Next", `./neura task dispute ${status.id} --unit ${report?.firstFailing ?? 0} --reveal-seed`],
  ];
}

/** What a dispute takes and brings, in one line. */
export function outlookText({ plan, isWorth, breakEvenPriceWei }: DisputeOutlook, currency: Unit): string {
  const amount = (wei: bigint): string => formatAmount(wei, currency);
  const { bondWei, gainWei } = plan;
  const says = `takes a bond of ${amount(bondWei)}; winning brings ${amount(gainWei)}`;
  if (breakEvenPriceWei === 0n) return `${says}, at any price of the delivery`;
  return `${says}: ${isWorth ? "worth it" : "not worth it"}, as it is for deliveries of more than ${amount(breakEvenPriceWei)}`;
}

/** An audit that was kept, in one line. */
export function keptText({ at, units, of, passed, method, verdict }: KeptAudit): string {
  return `${at}: ${units.length} of ${of} units done again by ${method}, ${passed} passed: ${VERDICTS[verdict]}`;
}
