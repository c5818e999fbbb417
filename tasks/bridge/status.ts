import { formatAmount } from "../../src/amount.ts";
import { transferStatus } from "../../src/bridge/status.ts";
import { momentText } from "../../src/text.ts";
import { action } from "../context.ts";
import { fields } from "../output.ts";
import { attestersOf, type BridgeArguments, openPair } from "./bridge.ts";

interface StatusArguments extends BridgeArguments {
  readonly transfer: string;
  readonly attesters: string | undefined;
}

export default action("neura/bridge-status/1", async (args: StatusArguments, context, hre) => {
  const { bridge } = await openPair(args, context, hre);
  const attesters = attestersOf(args.attesters, context.environment);
  const status = await transferStatus(bridge, args.transfer, { attesters, signal: context.signal });
  const { transfer, phase, reason, next, atSeconds, leftWei, troubles } = status;
  const { id, from, to, amountWei, target, source, destination, sent } = transfer;
  const chains = { from: source.chainId, to: destination.chainId };
  const about = { id, chains, from, to, amountWei, target, message: sent.id, block: sent.block.number };
  return {
    data: { ...status, transfer: about },
    text: fields([
      ["Transfer", id],
      ["From", `${from} on chain ${source.chainId}`],
      ["To", `${to} on chain ${destination.chainId}${target === "market" ? ", into the market" : ""}`],
      ["Amount", formatAmount(amountWei, destination.currency)],
      ["Phase", phase],
      ["Why", reason],
      ...(leftWei > 0n ? [["To be paid", formatAmount(leftWei, destination.currency)] as const] : []),
      ...troubles.map((trouble) => ["No answer", trouble] as const),
      ...(atSeconds === undefined ? [] : [["Not before", momentText(atSeconds)] as const]),
      ["Next", next ?? (phase === "paid" || phase === "claimed" ? "nothing: it is done" : "wait")],
    ]),
  };
});
