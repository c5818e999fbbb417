import { action } from "../context.ts";
import { close } from "./close.ts";

export default action("neura/task-settle/1", ({ id }: { id: string }, context) =>
  close(context, id, () => "settle"),
);
