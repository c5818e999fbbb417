import { emptyTask, task } from "hardhat/config";

import { JSON_FLAG, optional } from "./options.ts";
import { withOrder } from "./task.ts";

const ID = { name: "id", description: "The lease's id, as `lease start` prints it" } as const;

export const leaseTasks = [
  emptyTask("lease", "Something kept up for a time, paid by the second while it is up").build(),
  withOrder(
    task(
      ["lease", "start"],
      "Have an application kept up that answers requests, for example: lease start --duration 2h --max-rate 0.001ANKR",
    ),
  )
    .addOption(optional("rate", "Per second, for example 0.0005ANKR (default: what the provider asks)"))
    .addOption({
      name: "readyWithin",
      description: "How long it may take to come up, like 10m",
      defaultValue: "10m",
    })
    .addOption({
      name: "heartbeat",
      description: "The longest silence that is paid for, like 5m",
      defaultValue: "5m",
    })
    .addOption({
      name: "notice",
      description: "How long its provider goes on after it said that it leaves, like 1h",
      defaultValue: "1h",
    })
    .addOption({
      name: "idleStop",
      description: "Unused for so long, it ends; `off` lets it idle",
      defaultValue: "30m",
    })
    .addFlag(JSON_FLAG)
    .setAction(() => import("./lease/start.ts"))
    .build(),
  task(["lease", "status"], "Show where a lease stands, what it earned, and how long it goes on")
    .addPositionalArgument(ID)
    .addFlag(JSON_FLAG)
    .setAction(() => import("./lease/status.ts"))
    .build(),
  task(["lease", "ticket"], "Show how to reach a lease; the token opens it, so keep it to yourself")
    .addPositionalArgument(ID)
    .addFlag({ name: "showToken", description: "Print the token too" })
    .addFlag(JSON_FLAG)
    .setAction(() => import("./lease/ticket.ts"))
    .build(),
  task(["lease", "probe"], "Look whether a lease answers, seen from here (exit code 1 where it does not)")
    .addPositionalArgument(ID)
    .addFlag(JSON_FLAG)
    .setAction(() => import("./lease/probe.ts"))
    .build(),
  task(["lease", "topup"], "Buy more time of a lease, anybody's, for example: lease topup 0x… 2h")
    .addPositionalArgument(ID)
    .addPositionalArgument({ name: "time", description: "How much more, like 2h" })
    .addFlag(JSON_FLAG)
    .setAction(() => import("./lease/topup.ts"))
    .build(),
  task(["lease", "close"], "Leave a lease now; what it did not earn comes back when its books are closed")
    .addPositionalArgument(ID)
    .addFlag(JSON_FLAG)
    .setAction(() => import("./lease/close.ts"))
    .build(),
  task(["lease", "end"], "Close the books of a lease that is over or down, anybody's")
    .addPositionalArgument(ID)
    .addFlag(JSON_FLAG)
    .setAction(() => import("./lease/end.ts"))
    .build(),
  task(
    ["lease", "watch"],
    "Keep an eye on a lease: top it up, look whether it answers, close it when it does not, for example: lease watch 0x… --top-up-below 1h --top-up-to 4h --ceiling 10ANKR",
  )
    .addPositionalArgument(ID)
    .addOption(optional("topUpBelow", "Buy more when less than this is left, like 1h"))
    .addOption(optional("topUpTo", "… until so much is left, like 4h"))
    .addOption(optional("ceiling", "The most that is ever paid into it, for example 10ANKR"))
    .addOption({
      name: "downLimit",
      description: "Close it when it does not answer for so long; `off` leaves it",
      defaultValue: "5m",
    })
    .addOption({ name: "interval", description: "Between two looks", defaultValue: "30s" })
    .addFlag(JSON_FLAG)
    .setAction(() => import("./lease/watch.ts"))
    .build(),
];
