import { listCanaries, tallyOf } from "../../src/mirror/canary.ts";
import { offlineAction } from "../context.ts";
import { table } from "../output.ts";
import { VERDICTS } from "./verdicts.ts";

export default offlineAction("neura/canary-list/1", async (_: object, { home }) => {
  const canaries = await listCanaries(home);
  const providers = tallyOf(canaries);
  if (canaries.length === 0) return { data: { canaries, providers }, text: "There are none." };
  const list = table(
    ["Canary", "Files", "Task", "Verdict"],
    canaries.map(({ name, inputs, order }) => [
      name,
      String(inputs.length),
      order?.id ?? "-",
      order === undefined ? "not sent" : VERDICTS[order.verdict ?? "open"],
    ]),
  );
  const tally = table(
    ["Provider", "Sent", "Passed", "Failed", "Undecided", "Open"],
    providers.map(({ provider, sent, passed, failed, undecided, open }) => [
      provider,
      ...[sent, passed, failed, undecided, open].map(String),
    ]),
    { right: ["Sent", "Passed", "Failed", "Undecided", "Open"] },
  );
  return { data: { canaries, providers }, text: providers.length === 0 ? list : `${list}\n\n${tally}` };
});
