import { requireKind } from "./kind.ts";
import { action } from "../context.ts";
import { openClient } from "../task/request.ts";
import { statusText } from "../task/show.ts";

export default action("neura/lease-status/1", async ({ id }: { id: string }, context) => {
  const { client, deployment } = await openClient(context);
  const status = requireKind(await client.status(id, { signal: context.signal }));
  return { data: { ...status }, text: statusText(status, deployment.currency) };
});
