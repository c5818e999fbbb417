/** Reserves 20 tasks of 7 wei as fast as it can, and prints how many of them the limits let through. */
import { isNeuraError } from "../../../src/errors.ts";
import { SpendingLedger } from "../../../src/market/limits.ts";

const [home = "", name = ""] = process.argv.slice(2);
const ledger = await SpendingLedger.open({
  home,
  domain: { chainId: 267n, market: "0x1111111111111111111111111111111111111111" },
  currency: { symbol: "ANKR", decimals: 18 },
});
let reserved = 0;
for (let count = 0; count < 20; count++) {
  try {
    ledger.reserve({ taskId: `0x${name}${count}`, costWei: 7n, nowSeconds: 1_800_000_000 });
    reserved += 1;
  } catch (error) {
    if (!isNeuraError(error, "limit.hour")) throw error;
  }
}
ledger.close();
process.stdout.write(`${reserved}`);
