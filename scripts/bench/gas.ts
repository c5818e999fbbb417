/**
 * `./neura bench gas [--json] [--update]`: the gas of whole jobs, all sides together, in the steady state: a party's later
 * job, references of 46 bytes, protocol fee on, metered with an unused part going back. The plain figures are without
 * collateral, the others with it where their terms need it. Then the gas of single transactions of a revenue share, of a
 * model's ownership, of the bridge, of an opening proof, of evidence (what it adds to a delivery, and showing one unit of
 * 1,024), and of disputes that three or fifteen more jurors decide. Each figure stands next to the floor that it consists of.
 * `--update` writes `test/gas.json`, with which the tests compare.
 */
import { realpathSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import Table from "cli-table3";

import { BRIDGE_LIMITS, measureBridge } from "./gas/bridge.ts";
import { DEED_LIMITS, DEEDS_ELSEWHERE, measureDeeds } from "./gas/deeds.ts";
import type { Figure } from "./gas/figure.ts";
import { JURY_LIMITS, measureJuries } from "./gas/jury.ts";
import { MARKET_LIMITS, measureMarket } from "./gas/market.ts";
import { measureOpenings, OPENING_LIMITS } from "./gas/opening.ts";
import { measureShares, SHARE_LIMITS } from "./gas/shares.ts";

/** What these figures must not exceed [gas]. */
export const LIMITS: Readonly<Record<string, number>> = {
  ...MARKET_LIMITS,
  ...SHARE_LIMITS,
  ...DEED_LIMITS,
  ...BRIDGE_LIMITS,
  ...OPENING_LIMITS,
  ...JURY_LIMITS,
};

/** What the same costs in other implementations [gas]. */
const ELSEWHERE: Readonly<Record<string, { dn404: number }>> = DEEDS_ELSEWHERE;

export const SNAPSHOT = new URL("../../test/gas.json", import.meta.url);

/** Measures everything, each figure on a fresh chain. */
export async function measureGas(): Promise<Record<string, Figure>> {
  return {
    ...(await measureMarket()),
    ...(await measureShares()),
    ...(await measureDeeds()),
    ...(await measureBridge()),
    ...(await measureOpenings()),
    ...(await measureJuries()),
  };
}

function tableOf(figures: Record<string, Figure>): string {
  const columns = ["gas", "transactions", "calldata", "storage", "logs", "floor", "rest"] as const;
  const table = new Table({ head: ["", ...columns, "limit", "DN404"], style: { head: [], border: [] } });
  for (const [name, figure] of Object.entries(figures)) {
    const cells = columns.map((column) => figure[column].toLocaleString("en"));
    const others = [LIMITS[name], ELSEWHERE[name]?.dn404].map((gas) => gas?.toLocaleString("en") ?? "");
    table.push([name, ...cells, ...others]);
  }
  return table.toString();
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    options: { json: { type: "boolean", default: false }, update: { type: "boolean", default: false } },
  });
  const figures = await measureGas();
  if (values.update) await writeFile(SNAPSHOT, `${JSON.stringify(figures, null, 2)}\n`);
  const totals = Object.fromEntries(Object.entries(figures).map(([name, { gas }]) => [name, gas]));
  console.log(
    values.json
      ? JSON.stringify(
          { schema: "neura/bench-gas/1", ...totals, limits: LIMITS, elsewhere: ELSEWHERE, figures },
          null,
          2,
        )
      : tableOf(figures),
  );
}
