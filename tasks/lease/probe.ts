import { connectLease } from "../../src/market/lease.ts";
import { action } from "../context.ts";
import { EXIT, fields } from "../output.ts";
import { openClient } from "../task/request.ts";

export default action("neura/lease-probe/1", async ({ id }: { id: string }, context) => {
  const { signal } = context;
  const { client } = await openClient(context);
  const lease = connectLease(await client.ticket(id, { signal }));
  try {
    const probe = await lease.probe({ signal });
    return {
      data: { id, ...probe },
      text: fields([
        ["Lease", id],
        ["Answers", probe.isUp ? "yes" : `no: ${probe.reason ?? ""}`],
        ...(probe.restarts === undefined ? [] : [["Started again", `${probe.restarts} times`] as const]),
      ]),
      exitCode: probe.isUp ? EXIT.done : EXIT.failed,
    };
  } finally {
    lease.close();
  }
});
