import { emptyTask, task } from "hardhat/config";
import { ArgumentType } from "hardhat/types/arguments";

import { JSON_FLAG, optional } from "./options.ts";

export const marketTasks = [
  emptyTask("market", "What the market as a whole shows").build(),
  task(
    ["market", "price"],
    "Show what shapes settled for lately, and what found nobody, for example: market price --shape gpus=1,gpu=H100",
  )
    .addOption(
      optional("shape", "Only this shape, for example ram=8192,cpu=4 or gpus=1,gpu=H100 (default: all)"),
    )
    .addOption({
      name: "days",
      description: "How far back to look",
      type: ArgumentType.INT,
      defaultValue: 7,
    })
    .addFlag(JSON_FLAG)
    .setAction(() => import("./market/price.ts"))
    .build(),
];
