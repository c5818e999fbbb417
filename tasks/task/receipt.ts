import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";

import { NeuraError } from "../../src/errors.ts";
import type { MarketContext } from "../../src/market/context.ts";
import { taskStatus } from "../../src/market/status.ts";
import { createReceipt, type ReceiptOptions } from "../../src/receipt/create.ts";
import { decidedAudit, keptAudits } from "../../src/verify/audits.ts";
import { action } from "../context.ts";
import { fields } from "../output.ts";
import { openMarketOf } from "./request.ts";

interface ReceiptArguments {
  id: string;
  out: string | undefined;
  sign: boolean;
  disclose: string | undefined;
  withNeighbours: boolean;
}

export default action("neura/task-receipt/1", async (given: ReceiptArguments, context) => {
  const { id, sign, withNeighbours } = given;
  const { out, signal } = context;
  const path = resolve(given.out ?? `receipt-${id.slice(2, 10)}.json`);
  const market = await openMarketOf(context, { signing: sign });
  const disclose = given.disclose?.split(",").map((each) => each.trim());
  const audits = await auditsOf(market, id, signal);
  const receipt = await out.step("Fetching the result, and the chain's proofs", () =>
    createReceipt(market, id, { sign, disclose, withNeighbours, audits, signal }),
  );
  await writeNew(path, receipt.text);
  const { statement, signatures, proofs, unproven, disclosures } = receipt;
  if (unproven !== undefined) out.note(unproven);
  const { settlement } = statement;
  const blocks = [settlement.block, ...(settlement.settled ? [settlement.settled.block] : [])];
  return {
    data: {
      id,
      path,
      signedBy: signatures.map(({ keyid }) => keyid),
      isProven: proofs !== undefined,
      blocks: [...new Set(blocks)],
      files: statement.files.map(({ name }) => name),
      disclosed: disclosures.map((each) => each.path),
      assurance: settlement.assurance,
    },
    text: fields([
      ["Task", id],
      ["Receipt", path],
      ["Names", [...statement.files, ...statement.inputs].map(({ name }) => name).join(", ")],
      ...(disclosures.length === 0
        ? []
        : [["Shows", disclosures.map((each) => each.path).join(", ")] as const]),
      ["Signed", signatures.map(({ keyid }) => keyid).join(", ") || "no: the chain vouches for it"],
      ["Proofs", proofs === undefined ? "none: it takes a node to verify it" : `blocks ${blocks.join(", ")}`],
      ["Next", `./neura task verify-receipt ${path}`],
    ]),
  };
});

/** The owner's own audit of this delivery, whatever it found. */
async function auditsOf(
  market: MarketContext,
  id: string,
  signal: AbortSignal,
): Promise<NonNullable<ReceiptOptions["audits"]>> {
  const audits = await keptAudits(market.home, id);
  if (audits.length === 0) return [];
  const { delivery } = await taskStatus(market, id, { signal });
  const audit = decidedAudit(audits, delivery?.evidenceHash ?? "");
  if (audit === undefined) return [];
  const { units, of, passed } = audit;
  return [{ kind: "unit-audit", units: units.length, of, by: "owner", passed }];
}

async function writeNew(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text, { flag: "wx" });
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
    throw new NeuraError("receipt.exists", `${path} exists, and has not been touched.`, {
      next: "Name another file with --out.",
    });
  }
}
