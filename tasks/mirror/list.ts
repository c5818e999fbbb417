import { listPlans } from "../../src/mirror/mirror.ts";
import { offlineAction } from "../context.ts";
import { table } from "../output.ts";

export default offlineAction("neura/mirror-list/1", async (_: object, { home }) => {
  const plans = (await listPlans(home)).filter(({ isWanted, mirrors }) => isWanted || mirrors.length > 0);
  const rows = plans.flatMap(({ task, mirrors, dueAtSeconds, problem }) =>
    mirrors.length === 0
      ? [[task, problem ?? `due ${new Date(dueAtSeconds * 1000).toISOString()}`, "", ""]]
      : mirrors.map(({ id, provider, units }) => [task, id, provider, units?.join(", ") ?? "all"]),
  );
  return {
    data: { mirrors: plans },
    text: rows.length === 0 ? "There are none." : table(["Task", "Mirror", "Provider", "Units"], rows),
  };
});
