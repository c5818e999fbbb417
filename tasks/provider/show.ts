import { access, writeFile } from "node:fs/promises";

import { formatAmount } from "../../src/amount.ts";
import { loadAttestationPolicy } from "../../src/attestation/policy.ts";
import { readAttestation } from "../../src/market/attested.ts";
import { openMarket } from "../../src/market/context.ts";
import { type Entry, Journal, type Ledger } from "../../src/provider/journal.ts";
import { journalPath, nodeDirectory } from "../../src/provider/node.ts";
import { requireProvider } from "../../src/provider/registration.ts";
import { parseAddress } from "../address.ts";
import { action } from "../context.ts";
import { fields } from "../output.ts";
import { attestationText } from "./attested.ts";
import { shapeText } from "./shape.ts";

interface ShowArguments {
  account: string | undefined;
  csv: string | undefined;
  attested: string | undefined;
}

const COIN_DECIMALS = 18;

export default action("neura/provider-show/1", async (args: ShowArguments, context) => {
  const { chainId, provider, home, storage, allowLoopback, signal } = context;
  const deployment = await context.deployment();
  const { currency, contracts } = deployment;
  const named = args.account === undefined ? undefined : parseAddress(args.account, "account");
  const account = named ?? (await context.signer()).address;
  const record = await requireProvider({ deployment, provider }, account);

  const policy = args.attested === undefined ? undefined : await loadAttestationPolicy(args.attested);
  const market = openMarket({ runner: provider, deployment, storage, home, allowLoopback });
  const attestation = await readAttestation(market, account, { policy, signal });

  const path = journalPath(nodeDirectory(home, account));
  const entries = (await exists(path)) ? await readJournal() : undefined;
  if (args.csv !== undefined) await writeFile(args.csv, csvOf(entries?.rows ?? []));
  const amount = (wei: bigint): string => formatAmount(wei, currency);
  return {
    data: {
      ...record,
      attestation: attestation ?? null,
      currency,
      ...(entries ? { node: { ...entries.ledger, list: entries.rows } } : {}),
    },
    text: fields([
      ["Provider", record.account],
      ["Status", record.status],
      ["Operator", record.operator],
      ["Payout", record.payout],
      ["Offers", shapeText(record.shape)],
      ["Rate", `${amount(record.rateWei)} per second`],
      ["Slots", record.slots],
      ["Stake", `${amount(record.stakeWei)}, of it ${amount(record.lockedWei)} locked`],
      ["Unbonding", unbonding(record.unbondingWei, record.unbondsAtSeconds, amount)],
      ["To pay out", amount(record.balanceWei)],
      ["Attestation", attestationText(attestation)],
      ["Completed", `${record.completed} tasks, ${record.secondsSold} s`],
      [
        "Not completed",
        `${record.declined} declined, ${record.abandoned} abandoned, ${record.failed} failed`,
      ],
      ...(entries
        ? ([
            ["Earned here", amount(entries.ledger.earnedWei)],
            [
              "Gas spent here",
              formatAmount(entries.ledger.gasWei, { symbol: "coin", decimals: COIN_DECIMALS }),
            ],
            [
              "Tasks here",
              Object.entries(entries.ledger.tasks)
                .map((pair) => pair.join(" "))
                .join(", ") || "none",
            ],
          ] as const)
        : []),
    ]),
  };

  async function readJournal(): Promise<{ ledger: Ledger; rows: Row[] }> {
    const journal = await Journal.open(path, { chainId, market: contracts.TaskMarket });
    try {
      const rows = journal.list().map((entry) => rowOf(entry, journal.gasOf(entry.task.id)));
      return { ledger: journal.ledger(), rows };
    } finally {
      journal.close();
    }
  }
});

function unbonding(wei: bigint, atSeconds: number, amount: (wei: bigint) => string): string {
  return wei === 0n ? "nothing" : `${amount(wei)}, free from ${new Date(atSeconds * 1000).toISOString()}`;
}

/** One task of the earnings ledger. */
type Row = ReturnType<typeof rowOf>;

function rowOf({ task, step, facts, times }: Entry, gasWei: bigint) {
  return {
    id: task.id,
    owner: task.terms.owner,
    step,
    outcome: facts.outcome ?? "",
    earnedWei: facts.earnedWei ?? "0",
    gasWei: gasWei.toString(),
    seconds: facts.runSeconds ?? 0,
    foundAt: timeOf(times["found"]),
    doneAt: timeOf(times["done"]),
  };
}

function csvOf(rows: readonly Row[]): string {
  const names = "id,owner,step,outcome,earnedWei,gasWei,seconds,foundAt,doneAt";
  return `${[names, ...rows.map((row) => Object.values(row).join(","))].join("\n")}\n`;
}

function timeOf(milliseconds: number | undefined): string {
  return milliseconds === undefined ? "" : new Date(milliseconds).toISOString();
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
