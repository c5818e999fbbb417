import { type CanaryOrder, checkCanary, listCanaries } from "../../src/mirror/canary.ts";
import { action } from "../context.ts";
import { openMirrors } from "../mirror/open.ts";
import { EXIT, table } from "../output.ts";
import { VERDICTS } from "./verdicts.ts";

export default action("neura/canary-check/1", async ({ canary }: { canary: string | undefined }, context) => {
  const { mirrors } = await openMirrors(context);
  const all = await listCanaries(context.home);
  const waiting = all.filter(({ order }) => order !== undefined && order.verdict === undefined);
  const names = canary === undefined ? waiting.map(({ name }) => name) : [canary];
  const checked: ({ name: string } & CanaryOrder)[] = [];
  await context.out.step("Opening results", async () => {
    for (const name of names)
      checked.push({ name, ...(await checkCanary(mirrors, name, { signal: context.signal })) });
  });
  return {
    data: { checked },
    text:
      checked.length === 0
        ? "Nothing waits to be checked."
        : table(
            ["Canary", "Provider", "Verdict", "Why"],
            checked.map(({ name, provider, verdict, firstFailing, why }) => [
              name,
              provider,
              VERDICTS[verdict ?? "open"],
              `${firstFailing === undefined ? "" : `unit ${firstFailing}: `}${why ?? ""}`,
            ]),
          ),
    exitCode: checked.some(({ verdict }) => verdict === "fail") ? EXIT.failed : EXIT.done,
  };
});
