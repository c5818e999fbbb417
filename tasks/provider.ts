import { emptyTask, task } from "hardhat/config";
import { ArgumentType } from "hardhat/types/arguments";

import { JSON_FLAG, optional } from "./options.ts";

export const providerTasks = [
  emptyTask("provider", "Sell this machine's work").build(),
  task(
    ["provider", "register"],
    "Register the account as a provider, for example: provider register --rate 0.0001ANKR --stake 10ANKR",
  )
    .addOption(optional("shape", "The largest task, for example ram=8192,cpu=4 (default: this machine)"))
    .addOption({ name: "rate", description: "Lowest price per second", defaultValue: "0.0001" })
    .addOption({
      name: "slots",
      description: "Tasks at the same time",
      type: ArgumentType.INT,
      defaultValue: 1,
    })
    .addOption({ name: "metadata", description: "URI of a document that says more", defaultValue: "" })
    .addOption(optional("operator", "Account whose key the node uses (default: the own)"))
    .addOption(optional("payout", "Where earnings go (default: the own account)"))
    .addOption(optional("stake", "How much to stake as well"))
    .addFlag(JSON_FLAG)
    .setAction(() => import("./provider/register.ts"))
    .build(),
  task(
    ["provider", "list"],
    "List providers by rank for what a task needs, for example: provider list --shape ram=8192,cpu=2",
  )
    .addOption(
      optional("shape", "What the task needs, for example ram=8192,cpu=4,gpus=1,gpu=H100,vram=81559"),
    )
    .addOption(optional("maxRate", "Highest price per second"))
    .addOption({
      name: "duration",
      description: "How long the task may take [s]",
      type: ArgumentType.INT,
      defaultValue: 600,
    })
    .addOption(optional("collateral", "What the provider must have at stake for it"))
    .addOption(optional("application", "Which application is to run, for example ocr"))
    .addOption(optional("needs", "What else the machine must have, for example driver=550.1,region=eu"))
    .addOption(optional("attested", "Only with keys attested by a platform in this file, which you trust"))
    .addFlag(JSON_FLAG)
    .setAction(() => import("./provider/list.ts"))
    .build(),
  task(["provider", "show"], "Show a provider, and what its node on this machine earned")
    .addOption(optional("account", "Another account"))
    .addOption(optional("csv", "Write the node's tasks to this file as well"))
    .addOption(optional("attested", "Check its attestation by the platforms in this file, which you trust"))
    .addFlag(JSON_FLAG)
    .setAction(() => import("./provider/show.ts"))
    .build(),
  task(
    ["provider", "update"],
    "Change what the provider offers, for example: provider update --rate 0.0002ANKR --status paused",
  )
    .addOption(optional("shape", "The largest task, for example ram=8192,cpu=4 (the rest stays)"))
    .addOption(optional("rate", "Lowest price per second"))
    .addOption(optional("slots", "Tasks at the same time"))
    .addOption(optional("metadata", "URI of a document that says more"))
    .addOption(optional("operator", "Account whose key the node uses"))
    .addOption(optional("payout", "Where earnings go"))
    .addOption(optional("status", "`active`, or `paused`: takes no new tasks"))
    .addFlag(JSON_FLAG)
    .setAction(() => import("./provider/update.ts"))
    .build(),
  task(["provider", "stake"], "Add to the stake, or take it out, for example: provider stake 10ANKR")
    .addPositionalArgument({ name: "amount", description: "How much, with its unit", defaultValue: "0" })
    .addFlag({ name: "unstake", description: "Begin to take the amount out; it unbonds first" })
    .addFlag({ name: "keep", description: "Leave what is unbonding in the stake after all" })
    .addOption(optional("withdrawTo", "Send what has unbonded to this account"))
    .addFlag(JSON_FLAG)
    .setAction(() => import("./provider/stake.ts"))
    .build(),
  task(["provider", "payout"], "Send what the provider earned to its payout account")
    .addOption(optional("account", "The provider, when the own account is its operator"))
    .addFlag(JSON_FLAG)
    .setAction(() => import("./provider/payout.ts"))
    .build(),
  task(
    ["provider", "benchmark"],
    "Measure this machine: the node's own sandbox reads drawn pages, several times",
  )
    .addOption(optional("account", "The provider, when the own account is its operator"))
    .addOption({
      name: "runs",
      description: "Of which the median counts",
      type: ArgumentType.INT,
      defaultValue: 5,
    })
    .addOption({ name: "pages", description: "In each run", type: ArgumentType.INT, defaultValue: 4 })
    .addFlag(JSON_FLAG)
    .setAction(() => import("./provider/benchmark.ts"))
    .build(),
  task(
    ["provider", "metadata"],
    "Sign the document about the provider and its machine, and write it to a file",
  )
    .addOption(optional("account", "The provider, when the own account is its operator"))
    .addOption(optional("policy", "File with what is taken (default: policy.json in the node's folder)"))
    .addOption(optional("out", "Where it goes (default: metadata.json in the node's folder)"))
    .addOption(
      optional("attestation", "File with evidence of the key, which the documents carry from now on"),
    )
    .addFlag({ name: "store", description: "Store it on Arweave too, for an address that never changes" })
    .addFlag(JSON_FLAG)
    .setAction(() => import("./provider/metadata.ts"))
    .build(),
  task(
    ["provider", "run"],
    "Run the provider's node until it is interrupted; tasks are taken, run and delivered",
  )
    .addOption(optional("account", "The provider, when the own account is its operator"))
    .addOption(optional("policy", "File with what is taken (default: policy.json in the node's folder)"))
    .addOption({ name: "logLevel", description: "debug, info, warn or error", defaultValue: "info" })
    .addFlag({ name: "drain", description: "When interrupted, bring what was taken to its end first" })
    .addFlag(JSON_FLAG)
    .setAction(() => import("./provider/run.ts"))
    .build(),
];
