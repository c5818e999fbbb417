import { overdueAction } from "../../src/market/close.ts";
import { action } from "../context.ts";
import { close } from "../task/close.ts";

export default action("neura/lease-end/1", ({ id }: { id: string }, context) =>
  // One that was never ready ends in another way; whoever calls this need not know which.
  close(context, id, async (client) => overdueAction(await client.status(id)) ?? "end"),
);
