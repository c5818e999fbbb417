import { action } from "../context.ts";
import { formatDuration, parseDuration } from "../duration.ts";
import { openClient } from "../task/request.ts";
import { statusText } from "../task/show.ts";

export default action("neura/lease-topup/1", async ({ id, time }: { id: string; time: string }, context) => {
  const { out, signal } = context;
  const seconds = parseDuration(time, "time");
  const { client, deployment } = await openClient(context, { signing: true });
  const { status, transaction } = await out.step(`Buying ${formatDuration(seconds)} more`, () =>
    client.topUp(id, { seconds, signal }),
  );
  return { data: { ...status, seconds, transaction }, text: statusText(status, deployment.currency) };
});
