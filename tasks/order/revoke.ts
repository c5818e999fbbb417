import { readOrder } from "../../src/market/order.ts";
import { action } from "../context.ts";
import { fields } from "../output.ts";
import { openClient } from "../task/request.ts";

export default action("neura/order-revoke/1", async ({ file }: { file: string }, context) => {
  const { out, signal } = context;
  const order = await readOrder(file);
  const { client } = await openClient(context, { signing: true });
  const transaction = await out.step("Revoking the order", () => client.revokeOrder(order, { signal }));
  return {
    data: { id: order.id, transaction },
    text: fields([
      ["Order", order.id],
      ["Revoked", "nobody can send it any more"],
      ["Transaction", transaction.hash],
    ]),
  };
});
