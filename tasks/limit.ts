import { emptyTask, task } from "hardhat/config";

import { JSON_FLAG, optional } from "./options.ts";

export const limitTasks = [
  emptyTask("limit", "The most that this machine commits to tasks").build(),
  task(["limit", "show"], "Show the limits, and how much of them is committed")
    .addFlag(JSON_FLAG)
    .setAction(() => import("./limit/show.ts"))
    .build(),
  task(["limit", "set"], "Set limits, for example: limit set --task 50ANKR --month 500ANKR")
    .addOption(optional("task", "The most for one task, its top-ups included"))
    .addOption(optional("hour", "The most within an hour"))
    .addOption(optional("month", "The most within 30 days"))
    .addFlag(JSON_FLAG)
    .setAction(() => import("./limit/set.ts"))
    .build(),
];
