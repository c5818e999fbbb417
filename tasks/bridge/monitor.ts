import { formatAmount } from "../../src/amount.ts";
import type { End } from "../../src/bridge/context.ts";
import { type BridgeSupply, supplyMetrics, SupplyMonitor } from "../../src/bridge/monitor.ts";
import { rounds } from "../../src/bridge/attempts.ts";
import { startServer } from "../../src/bridge/server.ts";
import { messageOf } from "../../src/errors.ts";
import { action } from "../context.ts";
import { EXIT, fields } from "../output.ts";
import { type BridgeArguments, listenOf, openPair, pollOf } from "./bridge.ts";

interface MonitorArguments extends BridgeArguments {
  readonly listen: string | undefined;
  readonly poll: number;
}

export default action("neura/bridge-monitor/1", async (args: MonitorArguments, context, hre) => {
  const { out, signal } = context;
  const pollMs = pollOf(args.poll);
  const { bridge } = await openPair(args, context, hre);
  const monitor = new SupplyMonitor(bridge);
  let supply = await monitor.look({ signal });
  if (args.listen !== undefined) {
    let trouble: string | undefined;
    const server = await startServer({
      listen: listenOf(args.listen),
      health: () => ({
        isWell: trouble === undefined && supply.breaches.length === 0,
        body: { ...supply, trouble },
      }),
      metrics: () => supplyMetrics(supply),
    });
    out.note(`Listening at ${server.url}`);
    await rounds({ pollMs, signal }, async () => {
      try {
        supply = await monitor.look({ signal });
        trouble = undefined;
        for (const { message } of supply.breaches) out.note(`BREACH ${message}`);
      } catch (error) {
        signal.throwIfAborted();
        trouble = messageOf(error);
        out.note(`Trouble: ${trouble}`);
      }
    });
    await server.close();
  }
  return {
    data: { ...supply },
    text: textOf(supply, bridge.home),
    exitCode: supply.breaches.length === 0 ? EXIT.done : EXIT.failed,
  };
});

function textOf(supply: BridgeSupply, { currency }: End): string {
  const { home, far, lockedWei, circulatingWei, inFlightWei, breaches, warnings } = supply;
  const amount = (wei: bigint): string => formatAmount(wei, currency);
  return fields([
    ["Home", `chain ${home.chainId}, block ${home.block}`],
    ["Far", `chain ${far.chainId}, block ${far.block}`],
    ["Locked", amount(lockedWei)],
    ["Circulating", amount(circulatingWei)],
    ["On its way", `${amount(inFlightWei.home)} there, ${amount(inFlightWei.far)} back`],
    ["Waiting", `${amount(far.waitingWei)} there, ${amount(home.waitingWei)} at home`],
    ["Claimable", `${amount(far.claimableWei)} there, ${amount(home.claimableWei)} at home`],
    ["To pay with", far.liquidityWei === undefined ? "as much as is needed" : amount(far.liquidityWei)],
    ...warnings.map(({ message }) => ["Warning", message] as const),
    ...(breaches.length === 0
      ? [["Rules", "all hold"] as const]
      : breaches.map(({ code, message }) => ["BREACH", `${code}: ${message}`] as const)),
  ]);
}
