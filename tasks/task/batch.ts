import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";

import { messageOf, NeuraError } from "../../src/errors.ts";
import type { BatchedCall } from "../../src/market/batch.ts";
import { readOrder } from "../../src/market/order.ts";
import { action } from "../context.ts";
import { EXIT, fields } from "../output.ts";
import { openClient } from "./request.ts";

const VERBS = ["settle", "expire", "fail", "cancel", "resolve", "close", "end", "draw"] as const;

export default action("neura/task-batch/1", async ({ file }: { file: string }, context) => {
  const { out, signal } = context;
  const calls = await readCalls(file);
  const { client } = await openClient(context, { signing: true });
  const { results, transaction } = await out.step(`Doing ${calls.length} things in one transaction`, () =>
    client.batch(calls, { signal }),
  );
  const failed = results.filter(({ done }) => !done);
  return {
    data: { results, transaction, done: results.length - failed.length },
    text: fields([
      ...results.map((each) => [each.do, `${each.id}  ${each.reason ?? "done"}`] as const),
      ["Transaction", transaction?.hash ?? "none: there was nothing left to send"],
    ]),
    exitCode: failed.length === 0 ? EXIT.done : EXIT.failed,
  };
});

/** Paths of orders are relative to the file. Error: `usage.batch`. */
async function readCalls(path: string): Promise<BatchedCall[]> {
  let list: unknown;
  try {
    list = JSON.parse(await readFile(path, "utf8"));
  } catch (error) {
    throw new NeuraError("usage.batch", `${path} cannot be read: ${messageOf(error)}.`);
  }
  if (!Array.isArray(list) || list.length === 0) throw unreadable(path, "it is no list with anything in it");
  return await Promise.all(
    list.map(async (each: unknown, index): Promise<BatchedCall> => {
      const call: Record<string, unknown> = typeof each === "object" && each !== null ? { ...each } : {};
      const { do: verb, id, order } = call;
      if (verb === "submit" && typeof order === "string")
        return { do: verb, order: await readOrder(resolve(dirname(path), order)) };
      const known = VERBS.find((name) => name === verb);
      if (known !== undefined && typeof id === "string") return { do: known, id };
      throw unreadable(path, `entry ${index} is ${JSON.stringify(each)}`);
    }),
  );
}

function unreadable(path: string, why: string): NeuraError {
  return new NeuraError("usage.batch", `${path} is no batch: ${why}.`, {
    next: `Write a list of {"do":"submit","order":"<file>"} and {"do":"${VERBS.join("|")}","id":"0x…"}.`,
  });
}
