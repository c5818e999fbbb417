import { action } from "../context.ts";
import { close } from "../task/close.ts";

export default action("neura/lease-close/1", ({ id }: { id: string }, context) =>
  close(context, id, () => "close"),
);
