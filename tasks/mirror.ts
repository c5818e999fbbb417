import { emptyTask, task } from "hardhat/config";

import { JSON_FLAG, optional } from "./options.ts";

export const FUNDING = [
  optional("accounts", "Accounts to fund, separated by commas (default: those here that lack it)"),
] as const;

export const mirrorTasks = [
  emptyTask("mirror", "The same work from a second provider, without either of them knowing").build(),
  task(["mirror", "run"], "Order what `task submit --mirror` has decided and is due; for a timer")
    .addFlag(JSON_FLAG)
    .setAction(() => import("./mirror/run.ts"))
    .build(),
  task(["mirror", "list"], "List the mirrors that were ordered, and those that failed")
    .addFlag(JSON_FLAG)
    .setAction(() => import("./mirror/list.ts"))
    .build(),
  emptyTask(["mirror", "account"], "Accounts that order mirrors and canaries, one order each").build(),
  task(["mirror", "account", "create"], "Make accounts, for example: mirror account create --count 5")
    .addOption({ name: "count", description: "How many", defaultValue: "1" })
    .addFlag(JSON_FLAG)
    .setAction(() => import("./mirror/create.ts"))
    .build(),
  task(["mirror", "account", "list"], "List them, with what they have and whether they were used")
    .addFlag(JSON_FLAG)
    .setAction(() => import("./mirror/accounts.ts"))
    .build(),
  task(
    ["mirror", "account", "fund"],
    "Give each so much, and up to a quarter more, from the account's balance, for example: mirror account fund 2ANKR",
  )
    .addPositionalArgument({ name: "amount", description: "How much each, with its unit" })
    .addOption(FUNDING[0])
    .addFlag(JSON_FLAG)
    .setAction(() => import("./mirror/fund.ts"))
    .build(),
  task(
    ["mirror", "account", "sweep"],
    "Take what used ones have left in the market; shows everybody that they belong together",
  )
    .addOption(optional("to", "Where it goes (default: the own account)"))
    .addFlag(JSON_FLAG)
    .setAction(() => import("./mirror/sweep.ts"))
    .build(),
];
