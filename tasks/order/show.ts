import { formatAmount } from "../../src/amount.ts";
import { isNeuraError } from "../../src/errors.ts";
import { orderText, readOrder } from "../../src/market/order.ts";
import { isOpen, maximumCostWei } from "../../src/market/terms.ts";
import { action } from "../context.ts";
import { fields } from "../output.ts";
import { openClient } from "../task/request.ts";

export default action("neura/order-show/1", async ({ file }: { file: string }, context) => {
  const order = await readOrder(file);
  const { client, deployment } = await openClient(context);
  const status = await client.status(order.id, { signal: context.signal }).catch((error: unknown) => {
    if (isNeuraError(error, "task.unknown")) return undefined;
    if (isNeuraError(error, "task.revoked")) return "revoked" as const;
    throw error;
  });
  const stands = status === undefined ? "not sent" : status === "revoked" ? status : status.status;
  const { terms, work, signature } = order;
  const costWei = maximumCostWei(terms);
  const content: unknown = JSON.parse(orderText(order));
  return {
    data: { order: content, isSigned: signature !== undefined, costWei, status: stands },
    text: fields([
      ["Order", order.id],
      ["Status", stands],
      ["Signed", signature === undefined ? "no" : "yes"],
      ["Owner", terms.owner],
      ["Provider", isOpen(terms) ? "any that is eligible" : terms.provider],
      ...(work.backup === undefined ? [] : [["Backup", work.backup] as const]),
      ["Costs", `at most ${formatAmount(costWei, deployment.currency)}`],
      ["Until", new Date(terms.conditions.startBySeconds * 1000).toISOString()],
    ]),
  };
});
