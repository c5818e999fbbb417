import { emptyTask, task } from "hardhat/config";

import { JSON_FLAG, optional } from "./options.ts";

const ID = { name: "id", description: "The disputed task" } as const;
const CLASS = {
  name: "class",
  description: "0 for work without a GPU, `any`, or a GPU such as h100",
  defaultValue: "0",
} as const;

export const juryTasks = [
  emptyTask("jury", "Providers that decide disputes by doing a few units of the work again").build(),
  task(["jury", "show"], "Show where a disputed task stands before the jury, and what each can do until when")
    .addPositionalArgument(ID)
    .addFlag(JSON_FLAG)
    .setAction(() => import("./jury/show.ts"))
    .build(),
  task(
    ["jury", "pursue"],
    "Do all that is due for a disputed task's owner until it has ended: keep it running; it goes on where it was",
  )
    .addPositionalArgument(ID)
    .addOption(optional("interval", "How often the chain is looked at, like 1m (default: 15s)"))
    .addFlag(JSON_FLAG)
    .setAction(() => import("./jury/pursue.ts"))
    .build(),
  task(["jury", "appeal"], "Have fifteen others decide, with a bond that comes back if they decide otherwise")
    .addPositionalArgument(ID)
    .addOption(optional("maxBond", "The most that is put up, for example 5ANKR (default: what it takes)"))
    .addFlag({ name: "dryRun", description: "Only show what it takes, and what it could bring" })
    .addFlag(JSON_FLAG)
    .setAction(() => import("./jury/appeal.ts"))
    .build(),
  task(["jury", "finish"], "Tell the market what was decided, anybody's; jurors are paid and fined")
    .addPositionalArgument(ID)
    .addFlag(JSON_FLAG)
    .setAction(async () => ({ default: (await import("./jury/move.ts")).finish }))
    .build(),
  task(["jury", "lapse"], "Rule for the provider where the owner did not do its part, anybody's")
    .addPositionalArgument(ID)
    .addFlag(JSON_FLAG)
    .setAction(async () => ({ default: (await import("./jury/move.ts")).lapse }))
    .build(),
  task(["jury", "seats"], "Show the seats of a class, and the jury's settings")
    .addOption(CLASS)
    .addFlag({ name: "own", description: "Only those of the own account, and what it has earned" })
    .addFlag(JSON_FLAG)
    .setAction(() => import("./jury/seats.ts"))
    .build(),
  task(
    ["jury", "join"],
    "Take seats with free stake, as a provider, for example: jury join --seats 2 --voter 0x… of the node's operator",
  )
    .addOption({ name: "seats", description: "How many", defaultValue: "1" })
    .addOption(CLASS)
    .addOption(optional("voter", "Who commits and reveals (default: the provider's operator)"))
    .addFlag(JSON_FLAG)
    .setAction(() => import("./jury/join.ts"))
    .build(),
  task(["jury", "leave"], "Leave all own seats of a class: they are in no panel of a later dispute")
    .addOption(CLASS)
    .addFlag(JSON_FLAG)
    .setAction(async () => ({ default: (await import("./jury/leave.ts")).leave }))
    .build(),
  task(["jury", "release"], "Make the stake of own seats free again that left long enough ago")
    .addOption(CLASS)
    .addFlag(JSON_FLAG)
    .setAction(async () => ({ default: (await import("./jury/leave.ts")).release }))
    .build(),
  task(["jury", "withdraw"], "Take out what an account has with the jury: fees, and bonds of appeals")
    .addOption(optional("to", "Where it goes (default: the own account)"))
    .addFlag(JSON_FLAG)
    .setAction(() => import("./jury/withdraw.ts"))
    .build(),
];
