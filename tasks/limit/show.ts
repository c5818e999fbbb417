import { formatAmount } from "../../src/amount.ts";
import { limitsPath, SpendingLedger } from "../../src/market/limits.ts";
import { action } from "../context.ts";
import { fields } from "../output.ts";

export default action("neura/limit-show/1", async (_: object, { home, deployment: load, chainId }) => {
  const deployment = await load();
  const { currency } = deployment;
  const domain = { chainId, market: deployment.contracts.TaskMarket };
  const ledger = await SpendingLedger.open({ home, domain, currency });
  const { taskWei } = ledger.limits;
  const { hour, month } = ledger.usage(Math.floor(Date.now() / 1000));
  const unsettled = ledger.unsettled();
  ledger.close();
  const text = ({ usedWei, limitWei }: { usedWei: bigint; limitWei: bigint }) =>
    `${formatAmount(limitWei, currency)}, ${formatAmount(usedWei, currency)} of it committed`;
  return {
    data: { path: limitsPath(home), taskWei, hour, month, unsettled },
    text: fields([
      ["For one task", formatAmount(taskWei, currency)],
      ["Within an hour", text(hour)],
      ["Within 30 days", text(month)],
      ["Open tasks", unsettled.length],
    ]),
  };
});
