import { emptyTask, task } from "hardhat/config";

import { JSON_FLAG, optional } from "./options.ts";

const FILE = {
  name: "file",
  description: "The order's file, as `task submit --sign-only` writes it",
} as const;

export const orderTasks = [
  emptyTask("order", "Tasks that their owners signed, for anybody to send").build(),
  task(["order", "show"], "Show what an order says, and whether it was sent")
    .addPositionalArgument(FILE)
    .addFlag(JSON_FLAG)
    .setAction(() => import("./order/show.ts"))
    .build(),
  task(["order", "sign"], "Sign an order, or add a contract's signature to it: order sign order.json")
    .addPositionalArgument(FILE)
    .addOption(
      optional("signature", "Of an owner that is a contract (ERC-1271), as hex, over the order's id"),
    )
    .addFlag(JSON_FLAG)
    .setAction(() => import("./order/sign.ts"))
    .build(),
  task(
    ["order", "submit"],
    "Send an order, which is paid once however often it is sent, for example: order submit order.json --sponsor",
  )
    .addPositionalArgument(FILE)
    .addFlag({ name: "sponsor", description: "Pay for it; what is not spent comes back to you" })
    .addFlag(JSON_FLAG)
    .setAction(() => import("./order/submit.ts"))
    .build(),
  task(["order", "revoke"], "Make an order of yours that was not sent impossible")
    .addPositionalArgument(FILE)
    .addFlag(JSON_FLAG)
    .setAction(() => import("./order/revoke.ts"))
    .build(),
];
