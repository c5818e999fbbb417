import { emptyTask, task } from "hardhat/config";
import { ArgumentType } from "hardhat/types/arguments";

import { JSON_FLAG } from "./options.ts";

export const accountTasks = [
  emptyTask("account", "The account's identity").build(),
  emptyTask(["account", "key"], "The keys that open what is encrypted to the account").build(),
  task(
    ["account", "key", "create"],
    "Make an encryption key in NEURA_HOME; keys that are there stay as they are",
  )
    .addFlag(JSON_FLAG)
    .setAction(() => import("./account/create.ts"))
    .build(),
  task(["account", "key", "show"], "List the account's keys, on this machine and on the chain")
    .addFlag(JSON_FLAG)
    .setAction(() => import("./account/show.ts"))
    .build(),
  task(
    ["account", "key", "publish"],
    "Publish the newest key, so that tasks and results can be encrypted to the account",
  )
    .addFlag(JSON_FLAG)
    .setAction(() => import("./account/publish.ts"))
    .build(),
  task(
    ["account", "key", "backup"],
    "Write all keys into one file, encrypted with a password (asked for, or NEURA_BACKUP_PASSWORD)",
  )
    .addPositionalArgument({ name: "file", description: "The file to write", type: ArgumentType.FILE })
    .addFlag(JSON_FLAG)
    .setAction(() => import("./account/backup.ts"))
    .build(),
  task(
    ["account", "key", "restore"],
    "Add the keys of a backup to those in NEURA_HOME; nothing is overwritten",
  )
    .addPositionalArgument({ name: "file", description: "The backup", type: ArgumentType.FILE })
    .addFlag(JSON_FLAG)
    .setAction(() => import("./account/restore.ts"))
    .build(),
];
