import { formatAmount, parseAmount } from "../../src/amount.ts";
import { type PreparedTransfer, prepareTransfer, sendTransfer } from "../../src/bridge/send.ts";
import { parseAddress } from "../address.ts";
import { action } from "../context.ts";
import { formatDuration } from "../duration.ts";
import { fields } from "../output.ts";
import { type BridgeArguments, openPair } from "./bridge.ts";

interface SendArguments extends BridgeArguments {
  readonly amount: string;
  readonly to: string | undefined;
  readonly market: boolean;
  readonly acceptCredit: boolean;
  readonly dryRun: boolean;
}

export default action("neura/bridge-send/1", async (args: SendArguments, context, hre) => {
  const { out, signal } = context;
  const { bridge, here, there, signerOn } = await openPair(args, context, hre);
  const signer = await signerOn(here);
  const account = await signer.getAddress();
  const request = {
    ...{ from: here.side, account, to: args.to === undefined ? account : parseAddress(args.to, "to") },
    amountWei: parseAmount(args.amount, here.currency),
    target: args.market ? ("market" as const) : ("account" as const),
  };
  const prepared = await prepareTransfer(bridge, request, { acceptCredit: args.acceptCredit, signal });
  for (const { message } of prepared.warnings) out.note(`Note: ${message}`);
  const rows = rowsOf(prepared, here.currency, there.chainId);
  if (args.dryRun) return { data: { prepared }, text: fields(rows) };
  const sent = await out.step(`Sending ${formatAmount(request.amountWei, here.currency)}`, () =>
    sendTransfer(bridge, prepared, { signer, signal }),
  );
  return {
    data: { prepared, ...sent },
    text: fields([
      ...rows,
      ["Transfer", sent.transfer],
      ["Transaction", sent.transaction.hash],
      ["Next", `bridge status ${sent.transfer}`],
    ]),
  };
});

function rowsOf(
  prepared: PreparedTransfer,
  currency: Parameters<typeof formatAmount>[1],
  chainId: number,
): [string, string][] {
  const { to, target, feeWei, arrivesWei, waitsSeconds } = prepared;
  return [
    ["To", `${to}${target === "market" ? ", its balance in the market" : ""} on chain ${chainId}`],
    ["Arrives", formatAmount(arrivesWei, currency)],
    ["Fee", formatAmount(feeWei, currency)],
    ["Waits there", waitsSeconds === 0 ? "not at all" : `about ${formatDuration(waitsSeconds)}`],
  ];
}
