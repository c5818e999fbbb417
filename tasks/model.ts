import { emptyTask, task } from "hardhat/config";

import { JSON_FLAG, optional } from "./options.ts";

const MODEL = { name: "model", description: "The model's number" } as const;
const OWNERSHIP = {
  name: "ownership",
  description: "The address of its token or of its deeds, or the number of a model that names it",
} as const;

export const modelTasks = [
  emptyTask("model", "Models that tasks use and pay a royalty to, and who owns them").build(),
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
  task(["model", "show"], "Show a model: who controls it, its share, its versions, its ownership")
    .addPositionalArgument({
      name: "model",
      description: "The model's number, or the address of an ownership",
    })
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
  task(
    ["model", "issue"],
    'Make a model\'s ownership, for good, for example: model issue "Letter reader" READ 10000 --allocate 0x…=2500 --licence MIT --model 1',
  )
    .addPositionalArgument({ name: "name", description: "The model's name" })
    .addPositionalArgument({ name: "symbol", description: "Symbol of the token" })
    .addPositionalArgument({ name: "units", description: "How many units there are at the beginning" })
    .addOption({
      name: "unit",
      description: "How many tokens one unit has, each with a deed",
      defaultValue: "1",
    })
    .addOption(optional("licence", "SPDX id or URI of the licence, which deeds show"))
    .addOption(
      optional(
        "allocate",
        "Who gets some of the units, like 0x…=2500,0x…=0.5 (default: all to the own account)",
      ),
    )
    .addOption(optional("capUnits", "How many units there may ever be (default: those of the beginning)"))
    .addOption(optional("minter", "Who may make what the cap leaves (default: nobody)"))
    .addOption(optional("mintUntil", "Until when, like 2027-12-31"))
    .addOption(
      optional("owner", "Who may exempt contracts and choose how deeds look (default: the own account)"),
    )
    .addOption(optional("model", "The number of an own model that is to name it, once and for all"))
    .addFlag({ name: "dryRun", description: "Say what it costs, and send nothing" })
    .addFlag(JSON_FLAG)
    .setAction(() => import("./model/issue.ts"))
    .build(),
  task(["model", "name"], "Have a model's entry name its ownership, once and for all")
    .addPositionalArgument(MODEL)
    .addPositionalArgument({ name: "ownership", description: "The address of its token or of its deeds" })
    .addFlag(JSON_FLAG)
    .setAction(() => import("./model/name.ts"))
    .build(),
  task(
    ["model", "deeds"],
    "Show an account's units and deeds, or draw a deed: model deeds 0x… --render 17 --out deed.svg",
  )
    .addPositionalArgument(OWNERSHIP)
    .addOption(optional("account", "Another account"))
    .addOption({ name: "offset", description: "List its deeds after so many", defaultValue: "0" })
    .addOption({ name: "limit", description: "List so many", defaultValue: "100" })
    .addOption(optional("render", "Write the picture of the deed with this number"))
    .addOption(optional("out", "The file, .svg or, with sharp installed, .png (default: deed-<number>.svg)"))
    .addFlag({ name: "force", description: "Replace a file that is there" })
    .addFlag(JSON_FLAG)
    .setAction(() => import("./model/deeds.ts"))
    .build(),
  task(
    ["model", "transfer"],
    "Transfer units, or a deed by its number: model transfer 0x… 0x… 2.5, or model transfer 0x… 0x… --deed 17",
  )
    .addPositionalArgument(OWNERSHIP)
    .addPositionalArgument({ name: "to", description: "Who gets them" })
    .addPositionalArgument(optional("amount", "How many units, like 2.5, or of its token, like 250READ"))
    .addOption(optional("deed", "The number of a deed, which takes its unit along"))
    .addFlag({ name: "dryRun", description: "Show what an amount would do to deeds, and send nothing" })
    .addFlag(JSON_FLAG)
    .setAction(() => import("./model/transfer.ts"))
    .build(),
  task(
    ["model", "exempt"],
    "Want no deeds with what is received, or, as the owner, let a pool get none: model exempt 0x… --account 0x…",
  )
    .addPositionalArgument(OWNERSHIP)
    .addOption(optional("account", "A contract that has not chosen itself (default: the own account)"))
    .addFlag({
      name: "giveUp",
      description: "Give the own deeds back too, up to 128 of them; the units stay",
    })
    .addFlag({ name: "undo", description: "Let deeds come again, and make those that are missing" })
    .addFlag(JSON_FLAG)
    .setAction(() => import("./model/exempt.ts"))
    .build(),
  task(["model", "why"], "Say why an account sees the deeds that it sees, and what brings the others")
    .addPositionalArgument(OWNERSHIP)
    .addOption(optional("account", "Another account"))
    .addFlag(JSON_FLAG)
    .setAction(() => import("./model/why.ts"))
    .build(),
  task(["model", "materialise"], "Make the deeds that own units have not got yet")
    .addPositionalArgument(OWNERSHIP)
    .addPositionalArgument(optional("count", "How many (default: all)"))
    .addFlag(JSON_FLAG)
    .setAction(() => import("./model/materialise.ts"))
    .build(),
  task(
    ["model", "release"],
    "Give own deeds back and keep the units, or free those that nobody owns any more",
  )
    .addPositionalArgument(OWNERSHIP)
    .addPositionalArgument(optional("count", "How many (default: all)"))
    .addOption(optional("uncovered", "Free those that this account had when it sold their units"))
    .addFlag(JSON_FLAG)
    .setAction(() => import("./model/release.ts"))
    .build(),
  task(["model", "mint"], "Make more units, as far as the ownership lets the own account")
    .addPositionalArgument(OWNERSHIP)
    .addPositionalArgument({ name: "to", description: "Who gets them" })
    .addPositionalArgument({ name: "amount", description: "How many units" })
    .addFlag(JSON_FLAG)
    .setAction(() => import("./model/mint.ts"))
    .build(),
  task(["model", "delegate"], "Give the votes of the own units to somebody")
    .addPositionalArgument(OWNERSHIP)
    .addPositionalArgument({ name: "delegatee", description: "An account, or `own` or `nobody`" })
    .addFlag(JSON_FLAG)
    .setAction(() => import("./model/delegate.ts"))
    .build(),
];
