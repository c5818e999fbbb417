import { emptyTask, task } from "hardhat/config";
import { ArgumentType } from "hardhat/types/arguments";

import { JSON_FLAG, optional } from "./options.ts";

const PEER = optional("peer", "The other chain: a network's name or a URL (default: NEURA_PEER_RPC_URL)");
const ATTESTERS = optional("attesters", "URLs of attesters, https://…,https://… (default: NEURA_ATTESTERS)");
const TRANSFER = {
  name: "transfer",
  description: "The transfer, its message, or the transaction that sent it",
} as const;
const FINALITY = [
  optional("finality", "When a block of this chain is final: `finalized`, or after so many blocks"),
  optional("peerFinality", "When a block of the other chain is final, as --finality"),
] as const;
const POLL = {
  name: "poll",
  description: "How often both chains are looked at [ms]",
  type: ArgumentType.INT,
  defaultValue: 2_000,
} as const;
const STALL = {
  name: "stall",
  description: "A node that shows no new block for so long counts as down; 0: never",
  defaultValue: "10m",
} as const;
const LEVEL = { name: "logLevel", description: "debug, info, warn or error", defaultValue: "info" } as const;
const DIRECTORY = (what: string) =>
  optional("directory", `Where its store is (default: ${what} in NEURA_HOME)`);

export const bridgeTasks = [
  emptyTask("bridge", "ANKR from its home chain to another one, and back").build(),
  task(
    ["bridge", "deploy"],
    "Deploy a pair of ends: at home on this network, far away on --peer, and record it in deployments/",
  )
    .addPositionalArgument({ name: "token", description: "ANKR here, an ERC-20 token" })
    .addOption({ name: "attesters", description: "Accounts of the attesters, 0x…,0x…", defaultValue: "" })
    .addOption({
      name: "threshold",
      description: "How many attesters have to sign; 0: two thirds and one more",
      type: ArgumentType.INT,
      defaultValue: 0,
    })
    .addOption(optional("guardian", "Who can veto, pause and distrust (default: the deployer)"))
    .addOption(optional("admin", "Who proposes to the timelock that owns the pair (default: the deployer)"))
    .addOption({ name: "delay", description: "How long the timelock waits", defaultValue: "7d" })
    .addFlag({ name: "minted", description: "ANKR is no coin over there: the bridge makes a token" })
    .addOption(optional("market", "The market here, into which transfers can be paid"))
    .addOption(optional("peerMarket", "The market on the other chain, into which transfers can be paid"))
    .addOption({ name: "minimum", description: "The least that can be sent", defaultValue: "1" })
    .addOption({ name: "fee", description: "What a transfer costs", defaultValue: "0" })
    .addOption(optional("feeReceiver", "Who gets the fees (default: the deployer)"))
    .addOption({
      name: "waitAbove",
      description: "What arrives and is more than this waits first",
      defaultValue: "100000",
    })
    .addOption({
      name: "waitFor",
      description: "How long what is above --wait-above waits",
      defaultValue: "1d",
    })
    .addOption({
      name: "limit",
      description: "What can be sent, and paid out, in --limit-period; at least 1000",
      defaultValue: "1000000",
    })
    .addOption({ name: "limitPeriod", description: "The period of --limit", defaultValue: "1d" })
    .addOption(PEER)
    .addFlag({ name: "fresh", description: "Begin anew where a pair, or a part of one, is on record" })
    .addFlag(JSON_FLAG)
    .setAction(() => import("./bridge/deploy.ts"))
    .build(),
  task(["bridge", "send"], "Send ANKR to the other chain, for example: bridge send 50ANKR --peer neura")
    .addPositionalArgument({ name: "amount", description: "How much, the fee included" })
    .addOption(optional("to", "Who gets it there (default: the own account)"))
    .addFlag({ name: "market", description: "Make it a balance in the market over there" })
    .addFlag({
      name: "acceptCredit",
      description: "Send although there is too little to pay with over there",
    })
    .addFlag({ name: "dryRun", description: "Show what would become of it, and send nothing" })
    .addOption(PEER)
    .addFlag(JSON_FLAG)
    .setAction(() => import("./bridge/send.ts"))
    .build(),
  task(["bridge", "status"], "Show where a transfer is, why it is not further, and what brings it on")
    .addPositionalArgument(TRANSFER)
    .addOption(ATTESTERS)
    .addOption(PEER)
    .addOption(FINALITY[0])
    .addOption(FINALITY[1])
    .addFlag(JSON_FLAG)
    .setAction(() => import("./bridge/status.ts"))
    .build(),
  task(["bridge", "deliver"], "Deliver a transfer that enough attesters have signed for; anybody can")
    .addPositionalArgument(TRANSFER)
    .addOption(ATTESTERS)
    .addOption(PEER)
    .addFlag(JSON_FLAG)
    .setAction(() => import("./bridge/deliver.ts"))
    .build(),
  task(["bridge", "release"], "Have paid what waited where it arrived; anybody can")
    .addPositionalArgument(TRANSFER)
    .addOption(PEER)
    .addFlag(JSON_FLAG)
    .setAction(() => import("./bridge/release.ts"))
    .build(),
  task(
    ["bridge", "claim"],
    "Take out what could not be paid and was credited, on whichever of the two chains",
  )
    .addOption(optional("to", "Who gets it (default: the own account)"))
    .addOption(PEER)
    .addFlag(JSON_FLAG)
    .setAction(() => import("./bridge/claim.ts"))
    .build(),
  task(["bridge", "attest"], "Run an attester until it is interrupted: it signs what is final on both chains")
    .addOption(PEER)
    .addOption(optional("witness", "URL of a second, unlike node of this chain, which has to say the same"))
    .addOption(optional("peerWitness", "URL of a second, unlike node of the other chain"))
    .addOption(
      optional("signer", "URL of what holds the key and signs, as JSON-RPC (default: NEURA_SIGNER_URL)"),
    )
    .addOption(optional("account", "Which account of --signer signs (default: the one that is an attester)"))
    .addOption(FINALITY[0])
    .addOption(FINALITY[1])
    .addOption({
      name: "listen",
      description: "Where it serves what it signed",
      defaultValue: "127.0.0.1:4290",
    })
    .addOption(DIRECTORY("bridge-attester"))
    .addOption(POLL)
    .addOption(STALL)
    .addOption(LEVEL)
    .addFlag(JSON_FLAG)
    .setAction(() => import("./bridge/attest.ts"))
    .build(),
  task(["bridge", "relay"], "Run a relayer until it is interrupted: it delivers what attesters have signed")
    .addOption(ATTESTERS)
    .addOption(PEER)
    .addOption(FINALITY[0])
    .addOption(FINALITY[1])
    .addOption({
      name: "maxGasPrice",
      description: "Nothing is sent while gas costs more",
      defaultValue: "100gwei",
    })
    .addOption({
      name: "maxCost",
      description: "What costs more of the chain's coin is left to others",
      defaultValue: "0.1",
    })
    .addOption({ name: "minAmount", description: "Smaller transfers are left to others", defaultValue: "0" })
    .addOption({ name: "listen", description: "Where it serves its health", defaultValue: "127.0.0.1:4291" })
    .addOption(DIRECTORY("bridge-relayer"))
    .addOption(POLL)
    .addOption(STALL)
    .addOption(LEVEL)
    .addFlag(JSON_FLAG)
    .setAction(() => import("./bridge/relay.ts"))
    .build(),
  task(
    ["bridge", "monitor"],
    "Compare what is locked, on its way and circulating; ends with 1 where a rule does not hold",
  )
    .addOption(PEER)
    .addOption(FINALITY[0])
    .addOption(FINALITY[1])
    .addOption(optional("listen", "Go on until it is interrupted, and serve its numbers there"))
    .addOption({ ...POLL, defaultValue: 30_000 })
    .addFlag(JSON_FLAG)
    .setAction(() => import("./bridge/monitor.ts"))
    .build(),
];
