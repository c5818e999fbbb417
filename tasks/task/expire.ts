import { overdueAction } from "../../src/market/close.ts";
import { action } from "../context.ts";
import { close } from "./close.ts";

export default action("neura/task-expire/1", ({ id }: { id: string }, context) =>
  // Accepted and not delivered is another end than never accepted; whoever calls this need not know which.
  close(context, id, async (client) => overdueAction(await client.status(id)) ?? "expire"),
);
