import { task } from "hardhat/config";
import { ArgumentType } from "hardhat/types/arguments";

import { JSON_FLAG, optional } from "./options.ts";

export const deployTasks = [
  task(
    "deploy",
    "Put the contracts on a chain and record them in deployments/, for example: deploy --network neura --fee-bps 250",
  )
    .addOption(optional("token", "The ERC-20 that tasks are paid in (default: the chain's native coin)"))
    .addOption({ name: "symbol", description: "Symbol of the native coin", defaultValue: "ANKR" })
    .addOption({
      name: "feeBps",
      description: "The protocol's fee [bps]",
      type: ArgumentType.INT,
      defaultValue: 250,
    })
    .addOption(optional("treasury", "Account that the fees go to (default: the deployer)"))
    .addOption(
      optional("admin", "Who may schedule fees and authorise further markets (default: the deployer)"),
    )
    .addOption({
      name: "declineSeconds",
      description: "How long a task can be declined after it was accepted [s]",
      type: ArgumentType.INT,
      defaultValue: 600,
    })
    .addOption({
      name: "keySeconds",
      description: "How long the owner of a sealed task has to publish its key [s]",
      type: ArgumentType.INT,
      defaultValue: 1_800,
    })
    .addOption({
      name: "takeOverSeconds",
      description: "How long a backup has to take a task over [s]",
      type: ArgumentType.INT,
      defaultValue: 3_600,
    })
    .addOption({
      name: "concessionSeconds",
      description: "How long a provider has to concede a dispute [s]",
      type: ArgumentType.INT,
      defaultValue: 43_200,
    })
    .addOption({
      name: "rewardEpochHours",
      description: "How long an epoch of the providers' rewards lasts [hours]",
      type: ArgumentType.INT,
      defaultValue: 168,
    })
    .addOption({
      name: "rewardBudget",
      description: "The most that providers are rewarded with for an epoch",
      defaultValue: "10000",
    })
    .addOption({
      name: "rewardCapBps",
      description: "The most that rewards are of an epoch's fees [bps]",
      type: ArgumentType.INT,
      defaultValue: 5_000,
    })
    .addOption({
      name: "unbondingDays",
      description: "How long stake takes to leave [days], more than the 30 days of the longest task",
      type: ArgumentType.INT,
      defaultValue: 45,
    })
    .addOption({
      name: "jurySeat",
      description: "Stake of a juror's seat; price and collateral of a task may come to twice that",
      defaultValue: "1000",
    })
    .addOption({
      name: "juryFeeBps",
      description: "Fee of a jury of three, a share of what the task can cost [bps], at most 1500",
      type: ArgumentType.INT,
      defaultValue: 600,
    })
    .addOption({
      name: "juryMinimumFee",
      description: "The least fee of a jury of three",
      defaultValue: "0.03",
    })
    .addOption({
      name: "juryStepSeconds",
      description: "How long each step of a case before the jury takes at most [s]",
      type: ArgumentType.INT,
      defaultValue: 21_600,
    })
    .addOption({
      name: "jurySeasoningDays",
      description: "How much older than a task a juror's seat must be [days]; the longest task takes 30",
      type: ArgumentType.INT,
      defaultValue: 30,
    })
    .addFlag({
      name: "fresh",
      description: "Deploy anew where contracts of this project are already recorded",
    })
    .addFlag(JSON_FLAG)
    .setAction(() => import("./deploy/action.ts"))
    .build(),
];
