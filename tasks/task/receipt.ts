import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";

import { NeuraError } from "../../src/errors.ts";
import { createReceipt } from "../../src/receipt/create.ts";
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
  const receipt = await out.step("Fetching the result, and the chain's proofs", () =>
    createReceipt(market, id, { sign, disclose, withNeighbours, signal }),
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
