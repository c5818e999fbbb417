import type { OpenAction } from "../../src/jury/owner.ts";
import { action } from "../context.ts";
import { openClient } from "../task/request.ts";
import { statusText } from "../task/show.ts";
import { juryRows } from "./show.ts";

const move = (verb: OpenAction, title: string) =>
  action(`neura/jury-${verb}/1`, async ({ id }: { id: string }, context) => {
    const { out, signal } = context;
    const { client, deployment } = await openClient(context, { signing: true });
    const { status, found, transaction } = await out.step(title, () => client.moveCase(id, verb, { signal }));
    return {
      data: { ...status, case: found, transaction },
      text: statusText(status, deployment.currency, juryRows(found)),
    };
  });

export const finish = move("finish", "Finishing the case");
export const lapse = move("lapse", "Letting the case lapse");
