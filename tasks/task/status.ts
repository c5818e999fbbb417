import { action } from "../context.ts";
import { keptText, outlookText } from "./audits.ts";
import { juryOfTask, juryRows } from "../jury/show.ts";
import { openClient, openMarketOf } from "./request.ts";
import { statusText } from "./show.ts";

export default action("neura/task-status/1", async ({ id }: { id: string }, context) => {
  const { signal } = context;
  const { client, deployment } = await openClient(context);
  const status = await client.status(id, { signal });
  const jury = await juryOfTask(await openMarketOf(context), status, signal);
  const [audits, outlook] = await Promise.all([client.audits(id), client.disputeOutlook(status, { signal })]);
  return {
    data: { ...status, audits, disputeOutlook: outlook, jury },
    text: statusText(status, deployment.currency, [
      ...(jury === undefined ? [] : juryRows(jury)),
      ...audits.slice(-1).map((audit) => ["Audit", keptText(audit)] as const),
      ...(outlook === undefined ? [] : [["To dispute", outlookText(outlook, deployment.currency)] as const]),
    ]),
  };
});
