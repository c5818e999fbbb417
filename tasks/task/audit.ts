import { formatAmount, type Unit } from "../../src/amount.ts";
import type { TaskAudit } from "../../src/verify/task.ts";
import { action } from "../context.ts";
import { EXIT, fields } from "../output.ts";
import { openClient, parseWhole } from "./request.ts";
import { headline } from "./show.ts";

export default action("neura/task-audit/1", async ({ id, units }: { id: string; units: string }, context) => {
  const { out, signal } = context;
  const { client, deployment } = await openClient(context);
  const audit = await out.step("Doing units of the work again", () =>
    client.audit(id, { count: parseWhole(units, "number of units"), signal }),
  );
  const { verdict, checks, report, plan } = audit;
  return {
    data: { id, verdict, checks, report, plan },
    text: auditText(audit, deployment.currency),
    exitCode: verdict === "pass" ? EXIT.done : EXIT.failed,
  };
});

const VERDICTS = {
  pass: "as it was delivered",
  fail: "NOT WHAT IT SHOULD BE",
  inconclusive: "nothing can be said",
} as const;

function auditText({ status, checks, verdict, report, plan }: TaskAudit, currency: Unit): string {
  const mismatches = checks.filter((check) => check.verdict === "mismatch");
  const { units = [], of = 0, findings = [], firstFailing } = report ?? {};
  return fields([
    ["Task", headline(status)],
    ...mismatches.map(({ name, reason }) => ["MISMATCH", `${name}: ${reason}`] as const),
    ...(report === undefined ? [] : [["Units", `${units.join(", ")} of ${of}, counted from 0`] as const]),
    ...findings.map((each) => [`Unit ${each.unit}`, `${VERDICTS[each.verdict]}: ${each.why}`] as const),
    ["Verdict", VERDICTS[verdict]],
    ...(verdict === "fail" && plan !== undefined
      ? [
          [
            "Dispute",
            `it takes a bond of ${formatAmount(plan.bondWei, currency)}, winning brings ${formatAmount(plan.gainWei, currency)}: ` +
              `./neura task dispute ${status.id} --unit ${firstFailing ?? 0} --reveal-seed`,
          ] as const,
        ]
      : []),
    ...(verdict === "fail" && plan === undefined
      ? [["Dispute", "not possible: its time is over, or it was ordered without --challenge"] as const]
      : []),
  ]);
}
