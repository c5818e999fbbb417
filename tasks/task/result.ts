import { action } from "../context.ts";
import { EXIT, fields } from "../output.ts";
import { openClient, parseWhole } from "./request.ts";
import { headline } from "./show.ts";

const MIB = 1024 * 1024;

export default action(
  "neura/task-result/1",
  async (
    { id, out: named, maxSize }: { id: string; out: string | undefined; maxSize: string | undefined },
    context,
  ) => {
    const { out, signal } = context;
    const { client } = await openClient(context);
    const result = await out.step("Fetching and opening the result", () =>
      client.result(id, {
        directory: named ?? `result-${id.slice(2, 10)}`,
        maxBytes: maxSize === undefined ? undefined : parseWhole(maxSize, "size") * MIB,
        signal,
      }),
    );
    const { status, delivery, directory, files, checks, sound } = result;
    if (!sound) {
      out.note("WARNING: THE RESULT IS NOT WHAT THE PROVIDER COMMITTED TO. Keep it: it is your proof.");
    }
    for (const { name, verdict, reason } of checks) {
      if (verdict !== "match")
        out.note(`${verdict === "mismatch" ? "MISMATCH" : "Unchecked"} ${name}: ${reason}`);
    }
    return {
      data: {
        id,
        directory,
        files,
        sound,
        checks,
        outcome: status.outcome,
        fault: status.fault,
        secondsUsed: delivery.secondsUsed,
        result: delivery.result,
        payment: status.payment,
      },
      text: fields([
        ["Task", headline(status)],
        ["Folder", directory],
        ...files.map(({ path, sizeBytes }) => ["File", `${path}  ${sizeBytes} bytes`] as const),
        ["Checks", checks.map(({ name, verdict }) => `${name} ${verdict}`).join(", ")],
      ]),
      exitCode: sound ? EXIT.done : EXIT.failed,
    };
  },
);
