import { emptyTask, task } from "hardhat/config";

import { JSON_FLAG, optional } from "./options.ts";

const ADDRESS = { name: "address", description: "The arbiter's contract" } as const;

export const arbiterTasks = [
  emptyTask("arbiter", "Who decides about disputed deliveries").build(),
  task(
    ["arbiter", "create"],
    "Make an arbiter through which an account decides, for good, for example: arbiter create --fee-bps 200 --time 2d",
  )
    .addOption(optional("account", "Who decides (default: the own account)"))
    .addOption({
      name: "feeBps",
      description: "Its fee, a share of what the task can cost [1/100 %]",
      defaultValue: "200",
    })
    .addOption({ name: "minimumFee", description: "Its least fee, for example 1ANKR", defaultValue: "0" })
    .addOption({ name: "time", description: "How long it has to rule, like 2d", defaultValue: "2d" })
    .addFlag(JSON_FLAG)
    .setAction(() => import("./arbiter/create.ts"))
    .build(),
  task(["arbiter", "show"], "Show who decides, for how much, within which time, and what it has earned")
    .addPositionalArgument(ADDRESS)
    .addFlag(JSON_FLAG)
    .setAction(() => import("./arbiter/show.ts"))
    .build(),
  task(
    ["arbiter", "rule"],
    "Decide a dispute: so much of what the delivery costs is due, for example: arbiter rule 0x… 4000",
  )
    .addPositionalArgument({ name: "id", description: "The disputed task" })
    .addPositionalArgument({
      name: "providerBps",
      description: "The provider's share [1/100 %]: 0 is for the owner, 10000 for the provider",
    })
    .addFlag(JSON_FLAG)
    .setAction(() => import("./arbiter/rule.ts"))
    .build(),
  task(["arbiter", "withdraw"], "Take out what an arbiter has earned")
    .addPositionalArgument(ADDRESS)
    .addOption(optional("to", "Where it goes (default: the own account)"))
    .addFlag(JSON_FLAG)
    .setAction(() => import("./arbiter/withdraw.ts"))
    .build(),
];
