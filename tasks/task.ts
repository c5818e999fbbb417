import { emptyTask, task } from "hardhat/config";
import type { NewTaskDefinitionBuilder } from "hardhat/types/tasks";

import { JSON_FLAG, optional } from "./options.ts";

const ID = { name: "id", description: "The task's id, as `task submit` prints it" } as const;

export const taskTasks = [
  emptyTask("task", "Work for providers, from its owner's side").build(),
  withNeeds(
    task(
      ["task", "check"],
      "Show per provider which requirement is met or missed, before money or data moves, for example: task check --gpus 1 --vram 24576",
    ),
  )
    .addFlag(JSON_FLAG)
    .setAction(() => import("./task/check.ts"))
    .build(),
  withOrder(
    task(
      ["task", "submit"],
      "Encrypt files or a folder for a provider, store them and pay, for example: task submit invoice.png --max-cost 2ANKR",
    ),
  )
    .addOption(
      optional("completeWithin", "How long all of it may take (default: start, duration and 10m more)"),
    )
    .addOption(
      optional(
        "challenge",
        "How long its delivery can be disputed before it is paid, like 1d (needs --arbiter; with --collateral it means something)",
      ),
    )
    .addOption(
      optional("arbiter", "Who decides about a dispute: `jury`, or an address; `arbiter create` makes one"),
    )
    .addOption(
      optional(
        "verification",
        "How its result is verified: a method such as exact/1, or a JSON file (default: as suits the application)",
      ),
    )
    .addOption(
      optional("checker", "A program of yours that decides, unit by unit: see `task audit --checker`"),
    )
    .addFlag({ name: "publicResult", description: "Let everybody read the result" })
    .addOption(
      optional("mirror", "How likely it is ordered again from a second provider, 0 to 1; see `mirror run`"),
    )
    .addOption(optional("mirrorMaxPrice", "The most that its mirror may cost (default: twice its own cost)"))
    .addOption(optional("mirrorDelay", "Until when its mirror is ordered, at a random time (default: 1h)"))
    .addFlag(JSON_FLAG)
    .setAction(() => import("./task/submit.ts"))
    .build(),
  task(
    ["task", "status"],
    "Show where a task stands, its times, its money, and what can be done next by whom",
  )
    .addPositionalArgument(ID)
    .addFlag(JSON_FLAG)
    .setAction(() => import("./task/status.ts"))
    .build(),
  task(["task", "watch"], "Show each change of a task until it ends; Ctrl-C stops watching, not the task")
    .addPositionalArgument(ID)
    .addFlag(JSON_FLAG)
    .setAction(() => import("./task/watch.ts"))
    .build(),
  task(["task", "wait"], "Wait for a task, for example: task wait 0x… --for accepted --timeout 10m")
    .addPositionalArgument(ID)
    .addOption({
      name: "for",
      description: "`accepted`, `ready` (leases), `delivered`, `settled`, or `ended` in any way",
      defaultValue: "delivered",
    })
    .addOption(optional("timeout", "How long to wait at most, like 10m (exit code 3 then)"))
    .addFlag(JSON_FLAG)
    .setAction(() => import("./task/wait.ts"))
    .build(),
  task(
    ["task", "result"],
    "Fetch, open and check a task's result, for example: task result 0x… --out invoice",
  )
    .addPositionalArgument(ID)
    .addOption(optional("out", "New folder for its files (default: result-<start of the id>)"))
    .addOption(optional("maxSize", "The most that is taken [MiB] (default: 4096)"))
    .addOption(optional("checker", "Your program that decides, where the task was ordered with it"))
    .addFlag({ name: "noAudit", description: "Do no units of the work again (NEURA_NO_AUDIT=1: never)" })
    .addFlag({ name: "dispute", description: "Dispute what the audit finds wrong, where that is worth it" })
    .addFlag(JSON_FLAG)
    .setAction(() => import("./task/result.ts"))
    .build(),
  task(
    ["task", "audit"],
    "Do a few units of a delivered task again on this machine, and compare, for example: task audit 0x… --units 2",
  )
    .addPositionalArgument(ID)
    .addOption(optional("result", "Folder that `task result` wrote (default: it is fetched)"))
    .addOption(optional("checker", "Your program that decides, where the task was ordered with it"))
    .addOption({
      name: "units",
      description: "How many are drawn, by the seed that the task's terms commit to",
      defaultValue: "2",
    })
    .addFlag(JSON_FLAG)
    .setAction(() => import("./task/audit.ts"))
    .build(),
  task(
    ["task", "mirror"],
    "Order a task again from another provider and account, or compare the two, for example: task mirror 0x… --units 2",
  )
    .addPositionalArgument(ID)
    .addOption(optional("provider", "Account of the second provider (default: the best other one)"))
    .addOption(optional("units", "Only so many, those that `task audit` would look at (default: all)"))
    .addOption(optional("maxPrice", "The most that it may cost (default: twice what the task can cost)"))
    .addFlag({ name: "compare", description: "Open both deliveries and compare them, and order nothing" })
    .addFlag(JSON_FLAG)
    .setAction(() => import("./task/mirror.ts"))
    .build(),
  task(
    ["task", "receipt"],
    "Write the receipt of a delivery, for others to verify, for example: task receipt 0x… --disclose output/page.txt",
  )
    .addPositionalArgument(ID)
    .addOption(optional("out", "New file (default: receipt-<start of the id>.json)"))
    .addFlag({ name: "sign", description: "Sign it with the account's key" })
    .addOption(
      optional(
        "disclose",
        "Files to show in it, separated by commas (`unit/3`: what unit 3 made); then no others are named",
      ),
    )
    .addFlag({ name: "withNeighbours", description: "Show also what lies in the same 64 KiB as those" })
    .addFlag(JSON_FLAG)
    .setAction(() => import("./task/receipt.ts"))
    .build(),
  task(
    ["task", "verify-receipt"],
    "Verify a receipt from anybody: by itself, by the hash of a block that you trust, and by the chain",
  )
    .addPositionalArgument({ name: "file", description: "What `task receipt` wrote" })
    .addOption(optional("blockHash", "Hash of a block that you trust, or several, separated by commas"))
    .addOption(optional("files", "Folder whose files are compared with those that it names"))
    .addFlag({ name: "offline", description: "Ask no node" })
    .addFlag(JSON_FLAG)
    .setAction(() => import("./task/verify-receipt.ts"))
    .build(),
  task(["task", "cancel"], "Take a task back that no provider has accepted; all its money returns")
    .addPositionalArgument(ID)
    .addFlag(JSON_FLAG)
    .setAction(() => import("./task/cancel.ts"))
    .build(),
  task(
    ["task", "expire"],
    "Do what is overdue for a task, anybody's: expire, fail, settle, resolve or end it, for example: task expire 0x…",
  )
    .addPositionalArgument(ID)
    .addFlag(JSON_FLAG)
    .setAction(() => import("./task/expire.ts"))
    .build(),
  task(["task", "settle"], "Pay a delivery that can still be disputed, or, anybody's, one that no longer can")
    .addPositionalArgument(ID)
    .addFlag(JSON_FLAG)
    .setAction(() => import("./task/settle.ts"))
    .build(),
  task(
    ["task", "dispute"],
    "Say that a delivery is wrong, with a bond, for example: task dispute 0x… --unit 3 --max-bond 1ANKR",
  )
    .addPositionalArgument(ID)
    .addOption({
      name: "unit",
      description: "The first unit of work that is wrong, from 0",
      defaultValue: "0",
    })
    .addOption(optional("maxBond", "The most that you put up, for example 1ANKR (default: what is asked)"))
    .addFlag({
      name: "revealSeed",
      description: "Make the audit seed public, to show that nobody chose the units afterwards",
    })
    .addFlag({ name: "dryRun", description: "Show what it takes and can bring, and send nothing" })
    .addFlag(JSON_FLAG)
    .setAction(() => import("./task/dispute.ts"))
    .build(),
  task(
    ["task", "opening"],
    "Show others what the result's envelope holds, without giving your key away, for example: task opening 0x… --out opening.json",
  )
    .addPositionalArgument(ID)
    .addFlag({ name: "payload", description: "Of the payload instead, as its provider" })
    .addOption(optional("out", "New file to hand over (default: opening-<start of the id>.json)"))
    .addFlag(JSON_FLAG)
    .setAction(() => import("./task/opening.ts"))
    .build(),
  task(
    ["task", "verify-opening"],
    "Open an envelope with such a file, anybody's, and see whose fault it is if it cannot be read, for example: task verify-opening 0x… opening.json",
  )
    .addPositionalArgument(ID)
    .addPositionalArgument({ name: "file", description: "What `task opening` or a provider's node wrote" })
    .addOption(optional("out", "New folder for what it holds (default: nothing is kept)"))
    .addFlag(JSON_FLAG)
    .setAction(() => import("./task/verify-opening.ts"))
    .build(),
  task(["task", "resolve"], "End a dispute whose arbiter stayed silent, anybody's; the provider is paid")
    .addPositionalArgument(ID)
    .addFlag(JSON_FLAG)
    .setAction(() => import("./task/resolve.ts"))
    .build(),
  task(["task", "key"], "Publish the key of a sealed task for whoever has accepted it")
    .addPositionalArgument(ID)
    .addFlag(JSON_FLAG)
    .setAction(() => import("./task/key.ts"))
    .build(),
  task(
    ["task", "batch"],
    'Do many things in one transaction, from a file of lines like {"do":"settle","id":"0x…"} or {"do":"submit","order":"order.json"}',
  )
    .addPositionalArgument({ name: "file", description: "JSON: a list of them" })
    .addFlag(JSON_FLAG)
    .setAction(() => import("./task/batch.ts"))
    .build(),
];

/** What a task and a lease have in common when they are ordered. */
export function withOrder(builder: NewTaskDefinitionBuilder) {
  return withNeeds(builder)
    .addVariadicArgument({ name: "paths", description: "Files, or one folder", defaultValue: [] })
    .addOption(
      optional("parameters", 'What the application is told, as JSON, for example \'{"languages":["en"]}\''),
    )
    .addOption(optional("maxCost", "The most that it may cost as a whole, for example 2ANKR"))
    .addOption({
      name: "startWithin",
      description: "How long a provider has to accept it, like 10m",
      defaultValue: "10m",
    })
    .addOption(
      optional("secrets", "Environment variables that the provider gets, and nobody else: NAME,OTHER"),
    )
    .addOption(
      optional(
        "attested",
        "Encrypt it only to keys attested by a platform in this file, which you trust (docs/verification.md)",
      ),
    )
    .addOption(optional("owner", "Whose balance pays, when the account is its delegate"))
    .addOption(optional("backup", "A provider that may take it over at the same terms; it can read it too"))
    .addOption(
      optional("model", "Number of a registered model that is used; its royalty is part of the price"),
    )
    .addFlag({ name: "open", description: "Let any eligible provider take it, at a rising price" })
    .addOption(optional("priceFrom", "Where an open task's price begins, for example 0.1ANKR"))
    .addOption(optional("priceTo", "Where it ends when the time to accept is over"))
    .addOption(
      optional("shortlist", "Accounts that can read, and so take, an open task (default: the three best)"),
    )
    .addFlag({
      name: "sealed",
      description: "Keep an open task unreadable until its key is published for whoever accepted it",
    })
    .addFlag({
      name: "quote",
      description: "Ask the provider's node first, so that submitting and accepting are one transaction",
    })
    .addOption(optional("signOnly", "Sign it into this file for somebody else to send, and send nothing"))
    .addFlag({ name: "dryRun", description: "Check and show everything, and send nothing" });
}

/** What is asked of a provider, the same for checking and for submitting. */
export function withNeeds(builder: NewTaskDefinitionBuilder) {
  return builder
    .addOption({ name: "application", description: "What is to be done with the files", defaultValue: "ocr" })
    .addOption(optional("provider", "Account of the provider (default: the best one)"))
    .addFlag({
      name: "anyProvider",
      description: "Let the best one be one that has neither sold work nor much at stake",
    })
    .addOption(
      optional(
        "price",
        "For the whole task, for example 0.5ANKR (default: what the provider asks per second)",
      ),
    )
    .addOption(optional("maxRate", "The most that a provider may ask per second, for example 0.001ANKR"))
    .addOption(optional("collateral", "What the provider has to put at stake, for example 2ANKR"))
    .addOption({
      name: "duration",
      description: "The longest time that is paid for, like 10m",
      defaultValue: "10m",
    })
    .addOption(optional("gpus", "Number of GPUs"))
    .addOption(optional("gpu", "Model of GPU, for example H100"))
    .addOption(optional("vram", "Memory of each GPU [MiB]"))
    .addOption(optional("ram", "Memory [MiB] (default: 2048)"))
    .addOption(optional("cpu", "Cores, for example 0.5 (default: 1)"))
    .addOption(optional("disk", "Disk [MiB] (default: 1024)"))
    .addOption(
      optional(
        "needs",
        "What else the machine must have, for example driver=550.1,cudaCapability=8.0,region=eu",
      ),
    );
}
