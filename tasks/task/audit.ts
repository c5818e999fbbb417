import { resolve } from "node:path";

import { NeuraError } from "../../src/errors.ts";
import { action } from "../context.ts";
import { EXIT, fields } from "../output.ts";
import { auditRows, failureRows } from "./audits.ts";
import { openClient, parseWhole } from "./request.ts";
import { headline } from "./show.ts";

interface AuditArguments {
  readonly id: string;
  readonly units: string;
  readonly result: string | undefined;
  readonly checker: string | undefined;
}

export default action("neura/task-audit/1", async (given: AuditArguments, context) => {
  const { id, result, checker } = given;
  const { out, signal } = context;
  const count = parseUnits(given.units);
  const { client, deployment } = await openClient(context);
  const audit = await out.step("Doing units of the work again", () =>
    client.audit(id, {
      ...{ count, signal },
      directory: result === undefined ? undefined : resolve(result),
      checker: checker === undefined ? undefined : resolve(checker),
    }),
  );
  const { status, verdict, verification, checks, report, dispute } = audit;
  if (verdict === "fail" && result !== undefined)
    out.note(`Whatever was changed in ${result} counts too: audit without --result before you dispute.`);
  return {
    data: { id, verdict, verification, checks, report, dispute },
    text: fields([
      ["Task", headline(status)],
      ...auditRows(audit),
      ...(verdict === "fail" ? failureRows(audit, deployment.currency) : []),
    ]),
    exitCode: verdict === "pass" ? EXIT.done : EXIT.failed,
  };
});

function parseUnits(text: string): number {
  const count = parseWhole(text, "number of units");
  if (count > 0) return count;
  throw new NeuraError("usage.number", "An audit of no unit finds nothing.", { next: "Draw one at least." });
}
