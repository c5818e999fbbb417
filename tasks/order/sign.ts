import { readOrder, writeOrder } from "../../src/market/order.ts";
import { action } from "../context.ts";
import { fields } from "../output.ts";
import { openClient } from "../task/request.ts";

export default action(
  "neura/order-sign/1",
  async ({ file, signature }: { file: string; signature: string | undefined }, context) => {
    const order = await readOrder(file);
    const { client } = await openClient(context, { signing: true });
    const signed = await client.signOrder(order, { signature });
    await writeOrder(file, signed, { replace: true });
    return {
      data: { id: signed.id, path: file, signature: signed.signature },
      text: fields([
        ["Order", signed.id],
        ["Signed by", signed.terms.owner],
        ["Send", `./neura order submit ${file}`],
      ]),
    };
  },
);
