import { action } from "../context.ts";
import { openClient } from "./request.ts";
import { statusText } from "./show.ts";

export default action("neura/task-key/1", async ({ id }: { id: string }, context) => {
  const { out, signal } = context;
  const { client, deployment } = await openClient(context, { signing: true });
  const { status, transaction } = await out.step("Publishing the payload's key", () =>
    client.publishKey(id, { signal }),
  );
  return { data: { ...status, transaction }, text: statusText(status, deployment.currency) };
});
