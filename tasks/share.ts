import { emptyTask, task } from "hardhat/config";

import { JSON_FLAG, optional } from "./options.ts";

const SHARE = { name: "share", description: "The share's address" } as const;
const TOKEN = optional("token", "A revenue token, by symbol or address (default: the chain's coin)");

export const shareTasks = [
  emptyTask("share", "Shares of what a model earns (ERC-7641)").build(),
  task(
    ["share", "create"],
    'Make a share, for good, for example: share create "Letter reader" READ 1000 --allocate 0x…=250 --period 30d',
  )
    .addPositionalArgument({ name: "name", description: "What it is called" })
    .addPositionalArgument({ name: "symbol", description: "Its symbol" })
    .addPositionalArgument({ name: "supply", description: "How many tokens there are at the beginning" })
    .addOption(
      optional("allocate", "Who gets some of them, like 0x…=250,0x…=100 (default: all to the own account)"),
    )
    .addOption({
      name: "period",
      description: "How often revenue is divided, 1d to 366d",
      defaultValue: "30d",
    })
    .addOption({
      name: "claimBps",
      description: "Part of revenue that holders claim; the rest is for whoever burns tokens [1/100 %]",
      defaultValue: "10000",
    })
    .addOption(
      optional("tokens", "ERC-20 tokens that are revenue too, 0x…,0x… (default: the market's currency)"),
    )
    .addOption(optional("cap", "How many tokens there may ever be (default: the supply)"))
    .addOption(optional("minter", "Who may make what the cap leaves (default: nobody)"))
    .addOption(optional("mintFor", "For how long that is possible, like 365d"))
    .addOption(optional("beneficiary", "Gets what nobody has a part in (default: the own account)"))
    .addOption(optional("owner", "Who may exclude contracts that cannot claim (default: the own account)"))
    .addOption(optional("bridge", "The token bridge, ERC-7802 (default: none)"))
    .addOption(optional("exclude", "Contracts that take no part from the beginning on, 0x…,0x…"))
    .addFlag(JSON_FLAG)
    .setAction(() => import("./share/create.ts"))
    .build(),
  task(
    ["share", "show"],
    "Show a share: its settings, its money, when it divides revenue next, who may do what",
  )
    .addPositionalArgument(SHARE)
    .addFlag(JSON_FLAG)
    .setAction(() => import("./share/show.ts"))
    .build(),
  task(["share", "deposit"], "Pay revenue into a share, for example: share deposit 0x… 1.5ANKR")
    .addPositionalArgument(SHARE)
    .addPositionalArgument({ name: "amount", description: "How much, with its unit" })
    .addOption(TOKEN)
    .addFlag(JSON_FLAG)
    .setAction(() => import("./share/deposit.ts"))
    .build(),
  task(["share", "collect"], "Move royalties from the market into a share, as revenue of this period")
    .addPositionalArgument(SHARE)
    .addOption(optional("market", "Another market than the deployment's"))
    .addFlag(JSON_FLAG)
    .setAction(() => import("./share/collect.ts"))
    .build(),
  task(["share", "sync"], "Count what was sent to a share without a call, as revenue of this period")
    .addPositionalArgument(SHARE)
    .addOption(TOKEN)
    .addFlag(JSON_FLAG)
    .setAction(() => import("./share/sync.ts"))
    .build(),
  task(["share", "snapshot"], "Close the period before this one, where no deposit, claim or burn has yet")
    .addPositionalArgument(SHARE)
    .addFlag(JSON_FLAG)
    .setAction(() => import("./share/snapshot.ts"))
    .build(),
  task(["share", "claimable"], "Show what an account can claim of a share, snapshot by snapshot and in sum")
    .addPositionalArgument(SHARE)
    .addOption(optional("account", "Another account"))
    .addFlag(JSON_FLAG)
    .setAction(() => import("./share/claimable.ts"))
    .build(),
  task(["share", "claim"], "Claim revenue, for example: share claim 0x…, or share claim 0x… --snapshots 3,5")
    .addPositionalArgument(SHARE)
    .addOption(optional("snapshots", "Only these, like 3,5 (default: all)"))
    .addOption(optional("through", "Only those up to this one"))
    .addOption(optional("for", "All of these accounts, which are paid: 0x…,0x…"))
    .addFlag(JSON_FLAG)
    .setAction(() => import("./share/claim.ts"))
    .build(),
  task(
    ["share", "burn"],
    "Burn tokens for what they redeem, for example: share burn 0x… 10 --minimum 0.5ANKR",
  )
    .addPositionalArgument(SHARE)
    .addPositionalArgument({ name: "amount", description: "How many tokens, or `all`" })
    .addOption(optional("minimum", "Burn nothing if it pays less, like 0.5ANKR,2USDC"))
    .addFlag({ name: "dryRun", description: "Show what it would pay, and burn nothing" })
    .addFlag(JSON_FLAG)
    .setAction(() => import("./share/burn.ts"))
    .build(),
  task(["share", "holders"], "Show who holds a share and takes part, from its events")
    .addPositionalArgument(SHARE)
    .addFlag(JSON_FLAG)
    .setAction(() => import("./share/holders.ts"))
    .build(),
  task(
    ["share", "portfolio"],
    "Show all shares of an account, with what can be claimed and redeemed, for example: share portfolio --explain",
  )
    .addOption(optional("account", "Another account"))
    .addOption(optional("shares", "Shares that the deployment's factory does not list, 0x…,0x…"))
    .addFlag({ name: "explain", description: "Show how each sum comes about, snapshot by snapshot" })
    .addFlag(JSON_FLAG)
    .setAction(() => import("./share/portfolio.ts"))
    .build(),
  task(
    ["share", "exclude"],
    "Take the own tokens out of revenue, or, as a share's owner, those of a pool or locker",
  )
    .addPositionalArgument(SHARE)
    .addOption(optional("account", "A contract that cannot claim (default: the own account)"))
    .addFlag({ name: "undo", description: "Let them take part again" })
    .addFlag(JSON_FLAG)
    .setAction(() => import("./share/exclude.ts"))
    .build(),
  task(["share", "recipient"], "Have somebody else paid what the own account claims")
    .addPositionalArgument(SHARE)
    .addPositionalArgument({ name: "account", description: "Who is paid, or `own`" })
    .addFlag(JSON_FLAG)
    .setAction(() => import("./share/recipient.ts"))
    .build(),
  task(["share", "refuse"], "Let nobody else claim for the own account, or allow it again with --undo")
    .addPositionalArgument(SHARE)
    .addFlag({ name: "undo", description: "Let others claim for it" })
    .addFlag(JSON_FLAG)
    .setAction(() => import("./share/refuse.ts"))
    .build(),
  task(["share", "withdraw"], "Take out what could not be paid and was credited")
    .addPositionalArgument(SHARE)
    .addOption(optional("token", "Only of this revenue token, by symbol or address (default: all)"))
    .addOption(optional("to", "Where it goes (default: the own account)"))
    .addFlag(JSON_FLAG)
    .setAction(() => import("./share/withdraw.ts"))
    .build(),
  task(["share", "mint"], "Make more tokens, as far as the share's policy lets the own account")
    .addPositionalArgument(SHARE)
    .addPositionalArgument({ name: "account", description: "Who gets them" })
    .addPositionalArgument({ name: "amount", description: "How many" })
    .addFlag(JSON_FLAG)
    .setAction(() => import("./share/mint.ts"))
    .build(),
];
