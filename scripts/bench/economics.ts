/**
 * `./neura bench economics [--json] [--seed neura] [--tasks 10000] [--providers 200] …`: what it brings to misbehave.
 * Owners and providers, most of them honest, others by the strategies of `economics/strategies.ts`, trade on the real
 * contracts, in this process, at simulated times. Owners choose by the client's own ranking. Each strategy's gain in
 * money (what it has at the end, less what it had, its work and its checks; gas, fees and slashed collateral included)
 * stands beside that of honest parties of the same market. Ends with 1 where one of them beats honesty.
 *
 * `--part results` leaves that out and works out what it brings to fake, to judge without work, to bribe and to accuse
 * (`economics/authenticity.ts`), by money that is held against the contracts; `--part market` leaves this out.
 */
import { realpathSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import Table from "cli-table3";
import { formatUnits } from "ethers";

import { recomputeReputation } from "../../src/market/reputation.ts";
import {
  type Authenticity,
  COLLATERALS,
  fakeName,
  LOOKS,
  MIRRORED,
  mirrorName,
  playAuthenticity,
  SHARES,
} from "./economics/authenticity.ts";
import { DEFAULTS, EconomicMarket, type Parameters, type Party } from "./economics/market.ts";
import { OWNERS, PROVIDERS } from "./economics/strategies.ts";

/** What one group of parties made of its strategy; amounts are in ANKR, means over its parties. */
export interface StrategyResult {
  readonly strategy: string;
  readonly is: string;
  readonly parties: number;
  readonly tasks: number;
  /** Money that came in beyond what went out, without gas and rewards; what was slashed is counted apart. */
  readonly received: number;
  readonly slashed: number;
  readonly rewards: number;
  /** Of an owner's good results. */
  readonly value: number;
  /** Work, or checks. */
  readonly cost: number;
  readonly gas: number;
  /** All of this together. */
  readonly payoff: number;
  readonly perTask: number;
  readonly perDay: number;
  /** By how much a day brings more than to honest parties of the same place, and the standard error of that. */
  readonly advantage: number;
  readonly error: number;
  readonly beatsHonesty: boolean;
}

export interface Economics {
  readonly schema: "neura/bench-economics/1";
  readonly parameters: Record<string, string | number>;
  readonly days: number;
  readonly transactions: number;
  readonly refused: number;
  /** What became of the tasks. */
  readonly counts: Record<string, number>;
  readonly providers: readonly StrategyResult[];
  readonly owners: readonly StrategyResult[];
  /** What arbiters earned. */
  readonly arbiters: Record<string, number>;
  /** What honest parties kept of their due, as a share: providers of their price, owners of what they put into escrow. */
  readonly kept: { readonly providers: number; readonly owners: number; readonly blindOwners: number };
  /** What a day brought honest providers that were aimed at, beyond what it brought others of like prices. */
  readonly victims: Record<string, number>;
  /** Where counters and rewards on the chain are not what its events say; always 0. */
  readonly differences: number;
  /** By how much the parties' money does not add up [wei]; always 0. */
  readonly missingWei: string;
  readonly beaten: boolean;
}

/** How many standard errors a strategy's gain has to be above that of honesty. */
const SIGMAS = 2;
/** So near to one another are providers of like prices. */
const ALIKE = 0.1;

/** Plays one market to its end. */
export async function playEconomics(
  given: Partial<Parameters> = {},
  onProgress: (line: string) => void = () => undefined,
): Promise<Economics> {
  const parameters = { ...DEFAULTS, ...given };
  const market = await EconomicMarket.create(parameters);
  try {
    const { chain, days } = market;
    await market.play((done) => {
      onProgress(`${done} of ${parameters.tasks} tasks, ${chain.transactions} transactions`);
    });
    const accounts = new Map<Party, Account>();
    let missingWei = 0n;
    for (const party of market.parties) {
      const gainWei = (await market.wealthOf(party)) - party.startWei;
      const gasWei = chain.gasPaidWei.get(party.address) ?? 0n;
      const isStaked = party.stakedWei > 0n;
      const slashedWei = isStaked ? party.stakedWei - (await market.stakeOf(party.address)) : 0n;
      accounts.set(party, { gainWei, gasWei, slashedWei });
      missingWei += gainWei + gasWei;
    }
    // A hot key's gas is its provider's.
    for (const key of market.others.filter(({ name }) => name.includes(" key "))) {
      const owner = market.providers.find(({ name }) => key.name.startsWith(`${name} key `));
      const [mine, its] = [owner && accounts.get(owner), accounts.get(key)];
      if (mine !== undefined && its !== undefined) {
        mine.gainWei += its.gainWei;
        mine.gasWei += its.gasWei;
      }
    }
    const providers = resultsOf(market.providers, { accounts, days, plays: PROVIDERS });
    const owners = resultsOf(market.owners, { accounts, days, plays: OWNERS });
    const gainOf = (name: string): number => {
      const party = market.others.find((each) => each.name === name);
      return ankr((party && accounts.get(party)?.gainWei) ?? 0n);
    };
    return {
      schema: "neura/bench-economics/1",
      parameters: { ...parameters, gasPriceWei: parameters.gasPriceWei.toString() },
      days,
      transactions: chain.transactions,
      refused: chain.failed,
      counts: Object.fromEntries([...market.counts].toSorted(([one], [other]) => (one < other ? -1 : 1))),
      ...{ providers, owners },
      arbiters: { named: gainOf("arbiter named"), silent: gainOf("arbiter silent") },
      kept: {
        providers: keptByProviders(market, accounts),
        owners: keptByOwners(market, accounts, "honest"),
        blindOwners: keptByOwners(market, accounts, "blind"),
      },
      victims: victimsOf(market, accounts),
      differences: (await recomputeReputation(await market.context())).differences.length,
      missingWei: missingWei.toString(),
      beaten: [...providers, ...owners].some(({ beatsHonesty }) => beatsHonesty),
    };
  } finally {
    await market.close();
  }
}

interface Account {
  /** Of wallet, balance and stake. */
  gainWei: bigint;
  gasWei: bigint;
  slashedWei: bigint;
}

function resultsOf(
  parties: readonly Party[],
  {
    accounts,
    days,
    plays,
  }: { accounts: ReadonlyMap<Party, Account>; days: number; plays: Readonly<Record<string, { is: string }>> },
): StrategyResult[] {
  const payoffOf = payoffIn(accounts);
  const honest = parties.filter(({ strategy }) => strategy === "honest");
  return Object.entries(plays).map(([strategy, { is }]): StrategyResult => {
    const members = parties.filter((party) => party.strategy === strategy);
    const mean = (pick: (party: Party, account: Account) => number): number =>
      meanOf(members.map((each) => pick(each, accountOf(accounts, each))));
    const payoff = mean(payoffOf);
    const tasks = mean((party) => party.tasks);
    const { advantage, error } = advantageOf(members, { honest, payoffOf, days });
    return {
      ...{ strategy, is, parties: members.length, tasks: round(tasks) },
      received: round(
        mean((party, { gainWei, gasWei, slashedWei }) =>
          ankr(gainWei + gasWei + slashedWei - party.rewardsWei),
        ),
      ),
      slashed: round(mean((_, { slashedWei }) => ankr(slashedWei))),
      rewards: round(mean((party) => ankr(party.rewardsWei))),
      value: round(mean((party) => ankr(party.valueWei))),
      cost: round(mean((party) => ankr(party.costWei))),
      gas: round(
        mean((_, { gasWei }) => ankr(gasWei)),
        4,
      ),
      payoff: round(payoff, 4),
      perTask: tasks === 0 ? 0 : round(payoff / tasks, 4),
      perDay: round(payoff / days, 4),
      ...{ advantage: round(advantage), error: round(error) },
      beatsHonesty: strategy !== "honest" && advantage > SIGMAS * error,
    };
  });
}

/**
 * What a strategy brings beyond honesty: each party is compared with the honest one of the same number, which was given
 * the same, or, where honest parties are more closely spaced, with those next to it.
 */
function advantageOf(
  members: readonly Party[],
  { honest, payoffOf, days }: { honest: readonly Party[]; payoffOf: (party: Party) => number; days: number },
): { advantage: number; error: number } {
  const isOwner = honest.some(({ valueWei }) => valueWei > 0n);
  const differences = members.map((member) => {
    const alike = honest.filter(({ number, spread }) =>
      isOwner ? number === member.number : Math.abs(spread - member.spread) <= ALIKE,
    );
    return (payoffOf(member) - meanOf((alike.length > 0 ? alike : honest).map(payoffOf))) / days;
  });
  // One party alone has no spread of its own; it is taken to be that of honest ones.
  const spread = members.length > 1 ? deviationOf(differences) : deviationOf(honest.map(payoffOf)) / days;
  return { advantage: meanOf(differences), error: spread / Math.sqrt(members.length) };
}

/** What somebody has at the end beyond what it had, its results' worth added, its work and checks taken off. */
function payoffIn(accounts: ReadonlyMap<Party, Account>): (party: Party) => number {
  return (party) => ankr(accountOf(accounts, party).gainWei + party.valueWei - party.costWei);
}

function victimsOf(market: EconomicMarket, accounts: ReadonlyMap<Party, Account>): Record<string, number> {
  const attackers = market.owners.filter(({ victim }) => victim !== undefined);
  const aimedAt = new Set(attackers.map(({ victim }) => victim));
  const honest = market.providers.filter((each) => each.strategy === "honest" && !aimedAt.has(each));
  const strategies = [...new Set(attackers.map(({ strategy }) => strategy))];
  return Object.fromEntries(
    strategies.map((strategy) => {
      const victims = attackers.flatMap(({ victim, ...each }) =>
        victim !== undefined && each.strategy === strategy ? [victim] : [],
      );
      const payoffOf = payoffIn(accounts);
      return [strategy, round(advantageOf(victims, { honest, payoffOf, days: market.days }).advantage)];
    }),
  );
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, each) => sum + each, 0) / values.length;
}

function deviationOf(values: readonly number[]): number {
  const mean = meanOf(values);
  const squares = values.reduce((sum, each) => sum + (each - mean) ** 2, 0);
  return Math.sqrt(squares / Math.max(1, values.length - 1));
}

/** What they were paid, less what was taken of their collateral, by what their good work should have brought. */
function keptByProviders(market: EconomicMarket, accounts: ReadonlyMap<Party, Account>): number {
  const honest = market.providers.filter(({ strategy }) => strategy === "honest");
  const dueWei = honest.reduce((sum, each) => sum + each.dueWei, 0n);
  const gotWei = honest.reduce((sum, each) => {
    const { gainWei, gasWei } = accountOf(accounts, each);
    return sum + gainWei + gasWei - each.rewardsWei;
  }, 0n);
  return round(ankr(gotWei) / ankr(dueWei), 5);
}

/** What was neither lost nor taken, of all that they put into escrow. */
function keptByOwners(
  market: EconomicMarket,
  accounts: ReadonlyMap<Party, Account>,
  strategy: string,
): number {
  const owners = market.owners.filter((owner) => owner.strategy === strategy);
  const escrowedWei = owners.reduce((sum, each) => sum + each.escrowedWei, 0n);
  const lostWei = owners.reduce((sum, each) => {
    const { gainWei, gasWei } = accountOf(accounts, each);
    return sum - gainWei - gasWei - each.dueWei;
  }, 0n);
  return round(1 - ankr(lostWei) / ankr(escrowedWei), 5);
}

function accountOf(accounts: ReadonlyMap<Party, Account>, party: Party): Account {
  const account = accounts.get(party);
  if (account === undefined) throw new Error(`${party.name} has no account`);
  return account;
}

function ankr(amountWei: bigint): number {
  return Number(formatUnits(amountWei));
}

function round(value: number, digits = 2): number {
  // Without a negative zero.
  return Number(value.toFixed(digits)) + 0;
}

// ---- Command ----

function tableOf({ providers, owners, counts, kept, arbiters, ...rest }: Economics): string {
  const columns = ["parties", "tasks", "received", "slashed", "rewards", "value", "cost", "gas"] as const;
  const head = ["", ...columns, "payoff", "a task", "a day", "advantage", "±", "beats honesty"];
  const sheet = (results: readonly StrategyResult[]): string => {
    const table = new Table({ head, style: { head: [], border: [], compact: true } });
    for (const result of results) {
      const { strategy, payoff, perTask, perDay, advantage, error, beatsHonesty } = result;
      const cells = columns.map((column) => result[column].toLocaleString("en"));
      const verdict = strategy === "honest" ? "" : beatsHonesty ? "YES" : "no";
      table.push([
        strategy,
        ...cells,
        ...[payoff, perTask, perDay, advantage, error].map((each) => each.toLocaleString("en")),
        verdict,
      ]);
    }
    return table.toString();
  };
  const meanings = [...providers, ...owners].map(({ strategy, is }) => `  ${strategy.padEnd(14)} ${is}`);
  const percent = (share: number): string => `${(share * 100).toFixed(3)} %`;
  return [
    `Providers, each on average in ${rest.days} days [ANKR]`,
    sheet(providers),
    "Owners",
    sheet(owners),
    ...[...new Set(meanings)],
    `Honest providers kept ${percent(kept.providers)} of their due, honest owners ${percent(kept.owners)} of what they put into escrow, owners that never look ${percent(kept.blindOwners)}.`,
    `An arbiter that rules earned ${arbiters["named"]} ANKR, one that is silent ${arbiters["silent"]}.`,
    Object.entries(counts)
      .map(([what, count]) => `${what} ${count}`)
      .join(", "),
    `Honest providers that were aimed at, beyond others: ${Object.entries(rest.victims)
      .map(([strategy, advantage]) => `${advantage} ANKR a day by ${strategy}`)
      .join(", ")}.`,
    `${rest.transactions} transactions, ${rest.refused} of them refused; ${rest.missingWei} wei missing; ` +
      `${rest.differences} differences between the chain and its events.`,
    rest.beaten ? "A strategy beats honesty." : "No strategy beats honesty.",
  ].join("\n");
}

function authenticityTable({ results, ...rest }: Authenticity): string {
  const style = { head: [], border: [], compact: true };
  const numberOf = (value: number): string => value.toLocaleString("en", { maximumFractionDigits: 2 });
  const shareOf = (share: number): string => `${numberOf(100 * share)} %`;
  const advantageIn = (name: string): string => {
    const found = results.find(({ strategy }) => strategy === name);
    if (found === undefined) return "";
    return `${numberOf(found.advantage)}${found.beatsHonesty ? " *" : ""}`;
  };
  const faked = new Table({
    head: ["share faked", ...LOOKS.map((looks) => `${looks} units looked at`)],
    style,
  });
  for (const share of SHARES) {
    faked.push([shareOf(share), ...LOOKS.map((looks) => advantageIn(fakeName(share, looks)))]);
  }
  const mirrored = new Table({ head: ["mirrored", ...COLLATERALS.map((k) => `collateral ${k} P`)], style });
  for (const chance of MIRRORED) {
    mirrored.push([shareOf(chance), ...COLLATERALS.map((k) => advantageIn(mirrorName(chance, k)))]);
  }
  const inGrids = new Set([
    ...SHARES.flatMap((share) => LOOKS.map((looks) => fakeName(share, looks))),
    ...MIRRORED.flatMap((chance) => COLLATERALS.map((k) => mirrorName(chance, k))),
  ]);
  const others = results.filter(({ strategy }) => !inGrids.has(strategy));
  const sheet = new Table({
    head: ["", "strategy", "honest", "payoff", "advantage", "beats honesty"],
    style,
  });
  for (const { party, strategy, honest, payoff, advantage, beatsHonesty, limit } of others) {
    const verdict = beatsHonesty ? (limit === undefined ? "YES" : "limit") : "no";
    sheet.push([party, strategy, ...[honest, payoff, advantage].map(numberOf), verdict]);
  }
  const stakes = new Table({ head: ["collateral", "accuser", "accuser, nobody appeals", "faker"], style });
  for (const { collateral, owner, ownerUnanswered, provider } of rest.badStake) {
    stakes.push([`${collateral} P`, ...[owner, ownerUnanswered, provider].map(shareOf)]);
  }
  const limits = others.filter(({ limit }) => limit !== undefined);
  const isNew = (text: string | undefined, index: number, key: "is" | "limit", list: typeof others) =>
    text !== list[index - 1]?.[key];
  return [
    `A faker's advantage over honest work [ANKR a task of ${numberOf(rest.parameters["price"] ?? 0)}, collateral ${numberOf(rest.parameters["collateral"] ?? 0)} P, conceded]`,
    faked.toString(),
    "The same for tasks of one unit, faked, by how many are ordered twice (*: beats honesty, a limit)",
    mirrored.toString(),
    "Others [ANKR a task or case]",
    sheet.toString(),
    "Share of the seats from which on it pays",
    stakes.toString(),
    ...others
      .filter(({ is }, index) => isNew(is, index, "is", others))
      .map(({ strategy, is }) => `  ${strategy.padEnd(24)} ${is}`),
    "Limits, and what they take",
    ...limits
      .filter(({ limit }, index) => isNew(limit, index, "limit", limits))
      .map(({ strategy, limit }) => `  ${strategy.padEnd(24)} ${limit ?? ""}`),
    `${rest.played} cases on the contracts, ${rest.differences.length} of them with other money than worked out.`,
    ...rest.differences,
    rest.beaten
      ? "A strategy that is no known limit beats honesty."
      : "Nothing but the limits beats honesty.",
  ].join("\n");
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const number = (key: keyof Parameters) => ({ type: "string", default: String(DEFAULTS[key]) }) as const;
  const { values } = parseArgs({
    options: {
      json: { type: "boolean", default: false },
      part: { type: "string", default: "all" },
      seed: { type: "string", default: DEFAULTS.seed },
      tasks: number("tasks"),
      providers: number("providers"),
      "gas-price": { type: "string", default: String(DEFAULTS.gasPriceWei) },
      cost: number("costShare"),
      value: number("valueShare"),
      audit: number("auditShare"),
      "audit-cost": number("auditCostShare"),
      collateral: number("collateral"),
    },
  });
  let shown = 0;
  if (!["all", "market", "results"].includes(values.part)) throw new Error("--part all, market or results");
  const authenticity = values.part === "market" ? undefined : await playAuthenticity();
  const economics =
    values.part === "results"
      ? undefined
      : await playEconomics(
          {
            seed: values.seed,
            tasks: Number(values.tasks),
            providers: Number(values.providers),
            gasPriceWei: BigInt(values["gas-price"]),
            costShare: Number(values.cost),
            valueShare: Number(values.value),
            auditShare: Number(values.audit),
            auditCostShare: Number(values["audit-cost"]),
            collateral: Number(values.collateral),
          },
          (line) => {
            if (performance.now() - shown < 2_000) return;
            shown = performance.now();
            process.stderr.write(`${line}\n`);
          },
        );
  const schema = "neura/bench-economics/1";
  const tables = [
    ...(economics === undefined ? [] : [tableOf(economics)]),
    ...(authenticity === undefined ? [] : [authenticityTable(authenticity)]),
  ];
  const found = { schema, ...economics, ...(authenticity === undefined ? {} : { authenticity }) };
  console.log(values.json ? JSON.stringify(found, null, 2) : tables.join("\n\n"));
  process.exitCode = economics?.beaten === true || authenticity?.beaten === true ? 1 : 0;
}
