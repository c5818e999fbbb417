import { createReceipt, type MarketContext, type ReceiptReport, verifyReceipt } from "../src/index.ts";

/**
 * An owner shows somebody `run.json` of a result, and nothing else of it. Whoever gets the receipt needs the hash of one
 * block and neither a node nor the owner's word: the proofs are in the file.
 */
export async function showRun({
  context,
  id,
  blockHash,
}: {
  /** The owner's. */
  context: MarketContext;
  id: string;
  /** Where the other side has it from: its own node, an explorer, a friend. */
  blockHash: (block: number) => Promise<string>;
}): Promise<ReceiptReport> {
  const receipt = await createReceipt(context, id, { disclose: ["run.json"] });

  // On the other side, with the file alone.
  const { settlement } = receipt.statement;
  const trusted = await blockHash(settlement.settled?.block ?? settlement.block);
  const report = await verifyReceipt(receipt.text, { blockHashes: [trusted], market: context.domain });
  if (!report.sound || report.backing !== "trusted-block") throw new Error(report.summary);
  return report;
}
