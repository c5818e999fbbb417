import { emptyTask, task } from "hardhat/config";

import { FUNDING } from "./mirror.ts";
import { JSON_FLAG, optional } from "./options.ts";

const NAME = { name: "canary", description: "Its name, as `canary create` prints it" } as const;

export const canaryTasks = [
  emptyTask("canary", "Tasks whose answer is known, ordered like any other").build(),
  task(
    ["canary", "create"],
    "Make one from files or an own task: new pictures of the same pages, read here, for example: canary create scan.png",
  )
    .addVariadicArgument({ name: "paths", description: "Files", defaultValue: [] })
    .addOption(optional("from", "An own task whose files are taken"))
    .addOption(
      optional(
        "draw",
        "Draw a page of this kind, with other words each time: invoice, letter, table, receipt",
      ),
    )
    .addOption(optional("like", "A task whose times, price and resources it is ordered with"))
    .addOption({ name: "application", description: "What is to be done with the files", defaultValue: "ocr" })
    .addOption(optional("parameters", "What the application is told, as JSON"))
    .addOption(
      optional("expected", "The answer: a `result.json` of `ocr`, else a file per unit, separated by commas"),
    )
    .addOption({ name: "count", description: "How many different ones", defaultValue: "1" })
    .addFlag(JSON_FLAG)
    .setAction(() => import("./canary/create.ts"))
    .build(),
  task(["canary", "send"], "Order one from a mirror account, once, for example: canary send 5f0c2a19")
    .addPositionalArgument(NAME)
    .addOption(optional("provider", "Account of the provider (default: as an ordinary order would choose)"))
    .addFlag({
      name: "anyProvider",
      description: "Let the best one be one that has neither sold work nor much at stake",
    })
    .addOption(optional("maxCost", "The most that it may cost, for example 2ANKR"))
    .addFlag(JSON_FLAG)
    .setAction(() => import("./canary/send.ts"))
    .build(),
  task(["canary", "check"], "Open what was delivered and hold it against the answer")
    .addOption(optional("canary", "Only this one (default: all that were sent and are not decided)"))
    .addFlag(JSON_FLAG)
    .setAction(() => import("./canary/check.ts"))
    .build(),
  task(["canary", "list"], "List them, and what each provider made of its own")
    .addFlag(JSON_FLAG)
    .setAction(() => import("./canary/list.ts"))
    .build(),
  task(
    ["canary", "fund"],
    "As the treasury: collect the protocol's fees and give accounts so much each, for example: canary fund 2ANKR --accounts 0x…",
  )
    .addPositionalArgument({ name: "amount", description: "How much each, with its unit" })
    .addOption(FUNDING[0])
    .addFlag(JSON_FLAG)
    .setAction(() => import("./canary/fund.ts"))
    .build(),
];
