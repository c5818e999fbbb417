import type { MarketClient } from "../../src/market/client.ts";
import type { Closing } from "../../src/market/close.ts";
import type { Context } from "../context.ts";
import type { CommandResult } from "../output.ts";
import { openClient } from "./request.ts";
import { statusText } from "./show.ts";

/** Ends a task in the way that `choose` says. */
export async function close(
  context: Context,
  id: string,
  choose: (client: MarketClient) => Closing | Promise<Closing>,
): Promise<CommandResult> {
  const { out, signal } = context;
  const { client, deployment } = await openClient(context, { signing: true });
  const closing = await choose(client);
  const { status, transaction } = await out.step("Ending the task", () =>
    client.close(id, closing, { signal }),
  );
  return { data: { ...status, transaction }, text: statusText(status, deployment.currency) };
}
