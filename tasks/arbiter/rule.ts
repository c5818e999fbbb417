import { NeuraError } from "../../src/errors.ts";
import { action } from "../context.ts";
import { openClient, parseWhole } from "../task/request.ts";
import { statusText } from "../task/show.ts";

export default action(
  "neura/arbiter-rule/1",
  async ({ id, providerBps: given }: { id: string; providerBps: string }, context) => {
    const { out, signal } = context;
    const providerBps = parseWhole(given, "share");
    if (providerBps > 10_000) {
      throw new NeuraError("usage.number", `The share ${given} is more than the whole, 10000.`);
    }
    const { client, deployment } = await openClient(context, { signing: true });
    const { status, transaction } = await out.step("Ruling", () => client.rule(id, { providerBps, signal }));
    return { data: { ...status, transaction }, text: statusText(status, deployment.currency) };
  },
);
