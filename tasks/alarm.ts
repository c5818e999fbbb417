import { emptyTask, task } from "hardhat/config";

import { JSON_FLAG } from "./options.ts";

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
];
