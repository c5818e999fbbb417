import { parseAmount } from "../../src/amount.ts";
import { requireAttesters } from "../../src/bridge/attestations.ts";
import { serveRelayer } from "../../src/bridge/serve.ts";
import { writeEvents } from "../../src/provider/log.ts";
import { action } from "../context.ts";
import { attestersOf, type BridgeArguments, openPair, processOf, requireWallet } from "./bridge.ts";

interface RelayArguments extends BridgeArguments {
  readonly attesters: string | undefined;
  readonly maxGasPrice: string;
  readonly maxCost: string;
  readonly minAmount: string;
  readonly listen: string;
  readonly directory: string | undefined;
  readonly poll: number;
  readonly stall: string;
  readonly logLevel: string;
  readonly json: boolean;
}

/** The coin that pays for gas. */
const COIN = { symbol: "coin", decimals: 18 };

export default action("neura/bridge-relay/1", async (args: RelayArguments, context, hre) => {
  const { out, environment } = context;
  const attesters = requireAttesters(attestersOf(args.attesters, environment));
  const { bridge, here } = await openPair(args, context, hre);
  const { level, ...settings } = processOf(args, context, "bridge-relayer");
  const wallet = await requireWallet(context);
  await serveRelayer({
    ...settings,
    ...{ bridge, attesters, signers: { home: wallet, far: wallet } },
    policy: {
      maxGasPriceWei: parseAmount(args.maxGasPrice, COIN, "max-gas-price"),
      maxCostWei: parseAmount(args.maxCost, COIN, "max-cost"),
      minAmountWei: parseAmount(args.minAmount, here.currency, "min-amount"),
    },
    onEvent: writeEvents((line) => out.log(line), { json: args.json, level }),
  });
  return { data: { account: wallet.address }, text: `Relayer ${wallet.address} has stopped.` };
});
