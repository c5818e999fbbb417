import type { Pursued } from "../../src/jury/owner.ts";
import { action } from "../context.ts";
import { parseDuration } from "../duration.ts";
import { openClient } from "../task/request.ts";
import { detachable, statusText } from "../task/show.ts";
import { juryRows } from "./show.ts";

export default action(
  "neura/jury-pursue/1",
  async ({ id, interval }: { id: string; interval: string | undefined }, context) => {
    const { out, signal } = context;
    const { client, deployment } = await openClient(context, { signing: true });
    const intervalMs = interval === undefined ? undefined : parseDuration(interval, "interval") * 1000;
    out.note("Doing what is due until the dispute has ended … (Ctrl-C stops this, not the dispute)");
    const resume = {
      message: "Stopped; the dispute goes on, and what is not handed over in time loses it.",
      next: `Go on with ./neura jury pursue ${id}`,
    };
    const onProgress = (progress: Pursued): void => out.note(lineOf(progress));
    const status = await detachable(context, resume, () =>
      client.pursue(id, { intervalMs, onProgress, signal }),
    );
    return { data: { ...status }, text: statusText(status, deployment.currency) };
  },
);

function lineOf(progress: Pursued): string {
  if (progress.did === "wait") {
    return juryRows(progress.found)
      .map(([label, value]) => `${label}: ${value}`)
      .join("; ");
  }
  const { did, of, transaction } = progress;
  return `Done: ${did}${of === undefined ? "" : ` of the ${of}`}, in ${transaction.hash}`;
}
