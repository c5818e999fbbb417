import { type MarketClient, readOrder, type TaskRequest, type TaskStatus, writeOrder } from "../src/index.ts";

/**
 * An owner signs, and somebody else sends: a server that pays the gas, or that waits for a good moment. The task is
 * paid from the owner's balance in the market, once, however often it is sent.
 */
export async function signedOrder({
  owner,
  sender,
  request,
  file,
}: {
  owner: MarketClient;
  sender: MarketClient;
  request: TaskRequest;
  /** Where the order is written to; it holds no secret, so it can travel by mail. */
  file: string;
}): Promise<TaskStatus> {
  const order = await owner.sign(request);
  await writeOrder(file, order);

  // On the sender's machine, at any time until the order's `startBy`.
  const received = await readOrder(file);
  const sent = await sender.sendOrder(received);
  const again = await sender.sendOrder(received);
  if (again.transaction !== undefined) throw new Error("it was paid twice");

  return await owner.wait(sent.id, { for: "delivered", intervalMs: 200 });
}
