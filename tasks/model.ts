import { emptyTask, task } from "hardhat/config";

import { JSON_FLAG, optional } from "./options.ts";

const MODEL = { name: "model", description: "The model's number" } as const;

export const modelTasks = [
  emptyTask("model", "Models that tasks use and pay a royalty to").build(),
  task(
    ["model", "register"],
    "Register a model, for example: model register weights.safetensors --royalty-bps 500 --licence MIT",
  )
    .addPositionalArgument({ name: "weights", description: "File of the weights, or their SHA-256 as 0x…" })
    .addOption({ name: "royaltyBps", description: "Share of what a task pays [1/100 %]", defaultValue: "0" })
    .addOption(optional("uri", "Where the weights are, like ar://…"))
    .addOption(optional("licence", "SPDX id or URI of the licence"))
    .addOption(optional("revenue", "Whose balance gets the share (default: the own account's)"))
    .addFlag(JSON_FLAG)
    .setAction(() => import("./model/register.ts"))
    .build(),
  task(["model", "show"], "Show a model: who controls it, its share, its versions")
    .addPositionalArgument(MODEL)
    .addFlag(JSON_FLAG)
    .setAction(() => import("./model/show.ts"))
    .build(),
  task(["model", "version"], "Add a version to a model")
    .addPositionalArgument(MODEL)
    .addPositionalArgument({ name: "weights", description: "File of the weights, or their SHA-256 as 0x…" })
    .addOption(optional("uri", "Where the weights are, like ar://…"))
    .addFlag(JSON_FLAG)
    .setAction(() => import("./model/version.ts"))
    .build(),
  task(["model", "royalty"], "Change a model's share, for tasks from now on")
    .addPositionalArgument(MODEL)
    .addPositionalArgument({ name: "bps", description: "Share of what a task pays [1/100 %]" })
    .addFlag(JSON_FLAG)
    .setAction(() => import("./model/royalty.ts"))
    .build(),
  task(["model", "revenue"], "Change where a model's share goes, after a delay that everybody sees")
    .addPositionalArgument(MODEL)
    .addPositionalArgument({ name: "account", description: "Whose balance in the market gets it then" })
    .addFlag(JSON_FLAG)
    .setAction(() => import("./model/revenue.ts"))
    .build(),
  task(["model", "retire"], "Take a model out of new tasks, or back in with --undo")
    .addPositionalArgument(MODEL)
    .addFlag({ name: "undo", description: "Let it take part again" })
    .addFlag(JSON_FLAG)
    .setAction(() => import("./model/retire.ts"))
    .build(),
];
