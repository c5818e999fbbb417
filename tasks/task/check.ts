import { formatAmount } from "../../src/amount.ts";
import { queryOf } from "../../src/market/prepare.ts";
import type { ProviderReport } from "../../src/market/providers.ts";
import { action } from "../context.ts";
import { EXIT, fields } from "../output.ts";
import { type NeedArguments, openClient, parseNeeds } from "./request.ts";

export default action("neura/task-check/1", async (needs: NeedArguments, context) => {
  const { client, deployment } = await openClient(context);
  const wanted = parseNeeds(needs, deployment);
  const query = queryOf(wanted);
  const providers =
    wanted.provider === undefined
      ? await client.findProviders(query, { signal: context.signal })
      : [await client.checkProvider(wanted.provider, query)];
  const eligible = providers.filter((each) => each.eligible);
  const summary = `${eligible.length} of ${providers.length} providers can take this task.`;
  const lines = providers.map((each) => show(each, formatAmount(each.costWei, deployment.currency)));
  return {
    data: { resources: query.resources, eligible: eligible.length, providers },
    text: [...lines, summary].join("\n\n"),
    exitCode: eligible.length > 0 ? EXIT.done : EXIT.failed,
  };
});

const MARKS = { true: "✔", false: "✘", unknown: "?" } as const;

function show({ account, rank, requirements, reason }: ProviderReport, cost: string): string {
  const title =
    rank > 0 ? `${rank}. ${account}: at most ${cost}; ${reason}` : `—  ${account}: cannot take it`;
  const rows = requirements.map(
    ({ name, needed, offered, met }) =>
      [`   ${MARKS[`${met}`]} ${name}`, `needs ${needed}, offers ${offered}`] as const,
  );
  return `${title}\n${fields(rows)}`;
}
