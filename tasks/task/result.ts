import { resolve } from "node:path";

import { formatAmount, type Unit } from "../../src/amount.ts";
import { isNeuraError, NeuraError } from "../../src/errors.ts";
import type { MarketClient } from "../../src/market/client.ts";
import type { TaskResult } from "../../src/market/result.ts";
import type { TaskAudit } from "../../src/verify/task.ts";
import { action, type Context } from "../context.ts";
import { EXIT, fields } from "../output.ts";
import { auditRows, failureRows, outlookText } from "./audits.ts";
import { openClient, parseWhole } from "./request.ts";
import { headline } from "./show.ts";

const MIB = 1024 * 1024;

interface ResultArguments {
  readonly id: string;
  readonly out: string | undefined;
  readonly maxSize: string | undefined;
  readonly checker: string | undefined;
  readonly noAudit: boolean;
  readonly dispute: boolean;
}

export default action("neura/task-result/1", async (given: ResultArguments, context) => {
  const { id, maxSize, noAudit, dispute } = given;
  const { out, signal, environment } = context;
  const isAudited = !noAudit && environment["NEURA_NO_AUDIT"] !== "1";
  if (dispute && !isAudited)
    throw new NeuraError("usage.dispute", "Only what an audit finds is disputed.", {
      next: "Leave --no-audit and NEURA_NO_AUDIT out, or use `task dispute`.",
    });
  const { client, deployment } = await openClient(context, { signing: dispute });
  const maxBytes = maxSize === undefined ? undefined : parseWhole(maxSize, "size") * MIB;
  const result = await out.step("Fetching and opening the result", () =>
    client.result(id, { directory: given.out ?? `result-${id.slice(2, 10)}`, maxBytes, signal }),
  );
  const { status, delivery, directory, files, checks, sound } = result;
  if (!sound) {
    out.note("WARNING: THE RESULT IS NOT WHAT THE PROVIDER COMMITTED TO. Keep it: it is your proof.");
  }
  for (const { name, verdict, reason } of checks) {
    if (verdict !== "match")
      out.note(`${verdict === "mismatch" ? "MISMATCH" : "Unchecked"} ${name}: ${reason}`);
  }
  const audited = sound && isAudited ? await audit(client, result, { given, maxBytes, context }) : undefined;
  const found = audited !== undefined && "verdict" in audited ? audited : undefined;
  if (found?.verdict === "fail") {
    out.note("WARNING: THE AUDIT FOUND WORK THAT IS NOT WHAT IT SHOULD BE.");
  }
  const disputed = dispute
    ? await openDispute(client, found, { context, currency: deployment.currency })
    : {};
  const { verdict, verification, report } = found ?? {};
  return {
    data: {
      id,
      directory,
      files,
      sound,
      checks,
      outcome: status.outcome,
      fault: status.fault,
      secondsUsed: delivery.secondsUsed,
      result: delivery.result,
      payment: status.payment,
      audit: found === undefined ? audited : { verdict, verification, report, dispute: found.dispute },
      ...disputed,
    },
    text: fields([
      ["Task", headline(status)],
      ["Folder", directory],
      ...files.map(({ path, sizeBytes }) => ["File", `${path}  ${sizeBytes} bytes`] as const),
      ["Checks", checks.map(({ name, verdict: each }) => `${name} ${each}`).join(", ")],
      ...(found === undefined ? [] : auditRows(found)),
      ...(audited !== undefined && "why" in audited ? [["Audited", `no: ${audited.why}`] as const] : []),
      ...(found?.verdict === "fail" && disputed.dispute === undefined
        ? failureRows(found, deployment.currency)
        : []),
      ...(disputed.dispute === undefined
        ? []
        : [
            [
              "Disputed",
              `from unit ${disputed.dispute.unit} on, by ${disputed.dispute.transaction}`,
            ] as const,
          ]),
    ]),
    exitCode: sound && verdict !== "fail" ? EXIT.done : EXIT.failed,
  };
});

/** Two units of what was fetched; what keeps it from being audited says nothing about the result. */
async function audit(
  client: MarketClient,
  result: TaskResult,
  { given, maxBytes, context }: { given: ResultArguments; maxBytes: number | undefined; context: Context },
): Promise<TaskAudit | { readonly why: string }> {
  const { out, signal } = context;
  const { checker } = given;
  try {
    return await out.step("Doing two units of the work again (--no-audit leaves that out)", () =>
      client.audit(given.id, {
        ...{ result, maxBytes, signal },
        checker: checker === undefined ? undefined : resolve(checker),
      }),
    );
  } catch (error) {
    signal.throwIfAborted();
    if (!isNeuraError(error)) throw error;
    return { why: error.message };
  }
}

/** Disputes what fails, where that is worth it; else says why not. */
async function openDispute(
  client: MarketClient,
  found: TaskAudit | undefined,
  { context, currency }: { context: Context; currency: Unit },
): Promise<{ dispute?: { unit: number; bondWei: bigint; transaction: string } }> {
  const { out, signal } = context;
  if (found?.verdict !== "fail" || found.report?.firstFailing === undefined) {
    out.note("Not disputed: the audit found no unit that is wrong.");
    return {};
  }
  const { status, dispute, report } = found;
  if (dispute === undefined) {
    out.note("Not disputed: its time is over, or it was ordered without --challenge.");
    return {};
  }
  if (!dispute.isWorth) {
    out.note(`Not disputed: a dispute ${outlookText(dispute, currency)}.`);
    return {};
  }
  const { bondWei } = dispute.plan;
  const unit = report.firstFailing ?? 0;
  const { transaction } = await out.step(
    `Disputing unit ${unit} with a bond of ${formatAmount(bondWei, currency)}`,
    () =>
      client.dispute(status.id, { unit: BigInt(unit), maximumBondWei: bondWei, revealSeed: true, signal }),
  );
  return { dispute: { unit, bondWei, transaction: transaction.hash } };
}
