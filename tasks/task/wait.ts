import { NeuraError } from "../../src/errors.ts";
import { MILESTONES } from "../../src/market/status.ts";
import { action } from "../context.ts";
import { parseDuration } from "../duration.ts";
import { openFollower } from "./request.ts";
import { detachable, statusText } from "./show.ts";

export default action(
  "neura/task-wait/1",
  async ({ id, for: wanted, timeout }: { id: string; for: string; timeout: string | undefined }, context) => {
    const milestone = MILESTONES.find((each) => each === wanted);
    if (milestone === undefined) {
      throw new NeuraError(
        "usage.milestone",
        `${JSON.stringify(wanted)} is nothing that can be waited for.`,
        {
          next: `Use --for with one of ${MILESTONES.join(", ")}.`,
        },
      );
    }
    const timeoutSeconds = timeout === undefined ? undefined : parseDuration(timeout, "timeout");
    const { client, deployment } = await openFollower(context, id);
    context.out.note(`Waiting until the task is ${milestone} … (Ctrl-C stops waiting, not the task)`);
    const resume = {
      message: "Stopped waiting; the task goes on.",
      next: `Wait again with ./neura task wait ${id}`,
    };
    const status = await detachable(context, resume, () =>
      client.wait(id, {
        for: milestone,
        timeoutSeconds,
        signal: context.signal,
        onStatus: client.keyPublisher({ onReport: (line) => context.out.note(line), signal: context.signal }),
      }),
    );
    return { data: { ...status }, text: statusText(status, deployment.currency) };
  },
);
