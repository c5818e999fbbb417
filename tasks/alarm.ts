import { emptyTask, task } from "hardhat/config";

import { JSON_FLAG, optional } from "./options.ts";

export const alarmTasks = [
  emptyTask("alarm", "What costs money when it is missed, pushed to commands and webhooks").build(),
  task(["alarm", "show"], "Show what becomes an alarm, where alarms go, and what has not arrived")
    .addFlag(JSON_FLAG)
    .setAction(() => import("./alarm/show.ts"))
    .build(),
  task(["alarm", "test"], "Send a test alarm to every command and webhook, and say what happened")
    .addFlag(JSON_FLAG)
    .setAction(() => import("./alarm/test.ts"))
    .build(),
  task(
    ["alarm", "watch"],
    "Watch over an account's tasks, stake, gas and limits, and send alarms, for example: alarm watch --account 0x…",
  )
    .addOption(optional("account", "Whose (default: the own account)"))
    .addOption({ name: "interval", description: "Between two looks", defaultValue: "15s" })
    .addFlag({ name: "once", description: "Look once, send what is due, and end: for a timer" })
    .addFlag(JSON_FLAG)
    .setAction(() => import("./alarm/watch.ts"))
    .build(),
];
