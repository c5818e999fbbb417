import { emptyTask, task } from "hardhat/config";
import { ArgumentType } from "hardhat/types/arguments";

import { JSON_FLAG, optional } from "./options.ts";

export const walletTasks = [
  emptyTask("wallet", "The account's money in the market").build(),
  task(["wallet", "balance"], "Show what the account has in the market and beside it")
    .addOption(optional("account", "Another account"))
    .addFlag(JSON_FLAG)
    .setAction(() => import("./wallet/balance.ts"))
    .build(),
  task(["wallet", "deposit"], "Put money into the market, for example: wallet deposit 1.5ANKR")
    .addPositionalArgument({ name: "amount", description: "How much, with its unit" })
    .addOption(optional("account", "Whose balance it goes to (default: the own)"))
    .addFlag({
      name: "permit",
      description: "Of a token that takes permits (ERC-2612): one transaction, without an approval",
    })
    .addFlag(JSON_FLAG)
    .setAction(() => import("./wallet/deposit.ts"))
    .build(),
  task(["wallet", "withdraw"], "Take money out of the market, for example: wallet withdraw all")
    .addPositionalArgument({ name: "amount", description: "How much, with its unit, or `all`" })
    .addOption(optional("to", "Where it goes (default: the own account)"))
    .addFlag(JSON_FLAG)
    .setAction(() => import("./wallet/withdraw.ts"))
    .build(),
  task(
    ["wallet", "delegate"],
    "Let another account spend from the balance, for example: wallet delegate 0x… --limit 10ANKR --days 30",
  )
    .addPositionalArgument({ name: "delegate", description: "The account that may spend" })
    .addOption({
      name: "limit",
      description: "How much at most; 0 takes the permission back",
      defaultValue: "0",
    })
    .addOption({
      name: "days",
      description: "For how long [days]",
      type: ArgumentType.INT,
      defaultValue: 30,
    })
    .addOption(optional("provider", "Only for tasks of this provider"))
    .addOption(optional("model", "Only for tasks with this registered model, by its number"))
    .addFlag(JSON_FLAG)
    .setAction(() => import("./wallet/delegate.ts"))
    .build(),
];
