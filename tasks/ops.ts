import { emptyTask, task } from "hardhat/config";
import { ArgumentType } from "hardhat/types/arguments";

import { JSON_FLAG, optional } from "./options.ts";

const PROVIDER = optional("provider", "The provider (default: the own account)");

export const opsTasks = [
  emptyTask("ops", "What keeps the market in order").build(),
  task(
    ["ops", "recompute"],
    "Recompute every reputation figure and all rewards from the chain's events, and compare them",
  )
    .addOption(optional("provider", "Only this provider (default: all)"))
    .addFlag(JSON_FLAG)
    .setAction(() => import("./ops/recompute.ts"))
    .build(),
  emptyTask(["ops", "rewards"], "What providers get in proportion to their fees").build(),
  task(["ops", "rewards", "show"], "Show a provider's rewards of the last epochs")
    .addOption(PROVIDER)
    .addFlag(JSON_FLAG)
    .setAction(() => import("./ops/show-rewards.ts"))
    .build(),
  task(
    ["ops", "rewards", "record"],
    "Count a provider's fees in the epoch of now; at first, let it take part",
  )
    .addOption(PROVIDER)
    .addFlag(JSON_FLAG)
    .setAction(() => import("./ops/record-fees.ts"))
    .build(),
  task(["ops", "rewards", "claim"], "Send a provider's rewards to its payout account")
    .addOption(PROVIDER)
    .addOption({
      name: "epoch",
      description: "Only of this epoch (default: of all that are over)",
      type: ArgumentType.STRING_WITHOUT_DEFAULT,
      defaultValue: undefined,
    })
    .addFlag(JSON_FLAG)
    .setAction(() => import("./ops/claim-rewards.ts"))
    .build(),
];
