import type { TaskStatus } from "../../src/market/status.ts";
import { action } from "../context.ts";
import { EXIT } from "../output.ts";
import { openFollower } from "./request.ts";
import { detachable, headline, possible, statusText } from "./show.ts";

export default action("neura/task-watch/1", async ({ id }: { id: string }, context) => {
  const { out, signal } = context;
  const { client, deployment } = await openFollower(context, id);
  const publish = client.keyPublisher({ onReport: (line) => out.note(line), signal });
  const resume = {
    message: "Stopped watching; the task goes on.",
    next: `Watch it again with ./neura task watch ${id}`,
  };
  const last = await detachable(context, resume, async () => {
    let latest: TaskStatus | undefined;
    for await (const status of client.watch(id, { signal })) {
      latest = status;
      await publish(status);
      const steps = status.next.map((step) => possible(step, status.nowSeconds)).join("; ");
      out.note(
        `${new Date(status.nowSeconds * 1000).toISOString()}  ${headline(status)}${steps === "" ? "" : ` (${steps})`}`,
      );
    }
    if (latest === undefined) throw new Error("a watch without a status");
    return latest;
  });
  return {
    data: { ...last },
    text: statusText(last, deployment.currency),
    exitCode: last.delivery === undefined && last.lease === undefined ? EXIT.noResult : EXIT.done,
  };
});
