import { action } from "../context.ts";
import { openClient } from "./request.ts";
import { statusText } from "./show.ts";

export default action("neura/task-status/1", async ({ id }: { id: string }, context) => {
  const { client, deployment } = await openClient(context);
  const status = await client.status(id, { signal: context.signal });
  return { data: { ...status }, text: statusText(status, deployment.currency) };
});
