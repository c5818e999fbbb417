import { formatAmount } from "../../src/amount.ts";
import { readOrder } from "../../src/market/order.ts";
import { action } from "../context.ts";
import { fields } from "../output.ts";
import { openClient } from "../task/request.ts";

export default action(
  "neura/order-submit/1",
  async ({ file, sponsor }: { file: string; sponsor: boolean }, context) => {
    const { out, signal } = context;
    const order = await readOrder(file);
    const { client, deployment } = await openClient(context, { signing: true });
    const sent = await out.step("Sending the order", () => client.sendOrder(order, { sponsor, signal }));
    const { id, terms, work, costWei, transaction } = sent;
    return {
      data: { id, terms, work, costWei, sponsor, transaction },
      text: fields([
        ["Task", id],
        ["Owner", terms.owner],
        ["Escrowed", formatAmount(costWei, deployment.currency)],
        ["Paid by", sponsor ? "you" : "the owner's balance in the market"],
        ["Transaction", transaction?.hash ?? "sent earlier: it was paid once"],
        ["Follow", `./neura task watch ${id}`],
      ]),
    };
  },
);
