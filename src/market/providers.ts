import { keccak256, solidityPacked } from "ethers";

import { formatAmount } from "../amount.ts";
import { unlessAborted } from "../abort.ts";
import { isOutage } from "../chain/errors.ts";
import type { CurrencyInfo } from "../deployment.ts";
import { isNeuraError, messageOf, NeuraError } from "../errors.ts";
import type { Needs } from "../manifest.ts";
import type { IProviderRegistry } from "../../types/interfaces/IProviderRegistry.ts";
import { asking, type MarketContext } from "./context.ts";
import { gpuClassName, missesOf, NO_RESOURCES, type Resources, unpackResources } from "./resources.ts";

/** What a task asks of a provider. */
export interface ProviderQuery {
  readonly resources: Resources;
  /** What the task pays at most [wei/s]; default: any price. */
  readonly maxRateWei?: bigint | undefined;
  /** How long the task may take [s], for its cost. */
  readonly durationSeconds: number;
  /** What the provider has to put at stake [wei]. */
  readonly collateralWei: bigint;
  /** Name of the application that does the work. */
  readonly application?: string | undefined;
  /** What the machine must have beyond its resources. */
  readonly needs?: Needs | undefined;
  /** Whether one will do that has neither sold work nor enough at stake. Default: no. */
  readonly anyProvider?: boolean | undefined;
  /** Where offers are equally good, each seed prefers another one, so that load spreads. Default: none. */
  readonly seed?: string | undefined;
}

/** One thing that a provider must have, with both numbers. */
export interface Requirement {
  readonly name: string;
  readonly needed: string | number | bigint;
  readonly offered: string | number | bigint;
  /** `unknown`: nothing on the chain says it; a provider that does not have it declines, at no cost. */
  readonly met: boolean | "unknown";
}

export interface ProviderReport {
  readonly account: string;
  readonly shape: Resources;
  /** [wei/s] */
  readonly rateWei: bigint;
  /** Most that this task costs at that rate [wei]. */
  readonly costWei: bigint;
  readonly slots: number;
  readonly freeStakeWei: bigint;
  readonly metadata: string;
  /** What happened to its tasks so far. */
  readonly record: {
    readonly completed: number;
    readonly secondsSold: number;
    readonly declined: number;
    readonly abandoned: number;
    readonly failed: number;
  };
  /** The key to encrypt to, with its epoch; missing when it has none, or only revoked ones. */
  readonly key?: { readonly epoch: number; readonly publicKey: string };
  readonly requirements: readonly Requirement[];
  /** Whether no requirement is missed. */
  readonly eligible: boolean;
  /** 1 is the best; 0 for those that are not eligible. */
  readonly rank: number;
  /** Why it has this rank, or why it is excluded. */
  readonly reason: string;
}

/** Free stake in place of a record: so many times what the task can cost, and one of the currency's unit. */
export const STAKE_FACTOR = 10n;

const PAGE = 50n;
/** A task that was refused costs the owner less than one that was lost. */
const DECLINE_WEIGHT = 0.25;

/**
 * All providers: the eligible ones ranked, then the excluded ones, each with its reason.
 *
 * The rank is by the price, divided by the share of its tasks that a provider has not failed, so that one which
 * loses every second task counts as twice as dear; only tasks that were paid count for it. A provider that has sold
 * nothing yet needs a free stake of {@link STAKE_FACTOR} times the task's cost, and of one unit of the currency at
 * least, unless the query takes any. Equals take turns.
 */
export async function findProviders(
  context: MarketContext,
  query: ProviderQuery,
  { signal }: { signal?: AbortSignal | undefined } = {},
): Promise<ProviderReport[]> {
  const reports: ProviderReport[] = [];
  for (let cursor = 0n; ;) {
    const { page, next } = await unlessAborted(
      asking(context.contracts.registry.providers(cursor, PAGE)),
      signal,
    );
    reports.push(
      ...(await unlessAborted(Promise.all(page.map((each) => report(context, query, each))), signal)),
    );
    if (next === 0n) break;
    cursor = next;
  }
  const order = (each: ProviderReport): string =>
    keccak256(solidityPacked(["string", "address"], [query.seed ?? "", each.account]));
  const ranked = reports
    .filter(({ eligible }) => eligible)
    .toSorted((a, b) => countedRate(a) - countedRate(b) || (order(a) < order(b) ? -1 : 1))
    .map((each, index) => ({ ...each, rank: index + 1, reason: reasonOfRank(context, each) }));
  return [...ranked, ...reports.filter(({ eligible }) => !eligible)];
}

/** One provider against the query; whoever names it need not be told whether it is known. Error: `provider.unknown`. */
export async function checkProvider(
  context: MarketContext,
  query: ProviderQuery,
  account: string,
): Promise<ProviderReport> {
  const { registry } = context.contracts;
  if ((await registry.operatorOf(account)) === `0x${"00".repeat(20)}`) {
    throw new NeuraError("provider.unknown", `${account} is not registered as a provider.`, {
      next: "See who is with `provider list`.",
    });
  }
  const named = { ...query, anyProvider: true };
  const found = await report(context, named, await asking(registry.providerOf(account)));
  return found.eligible ? { ...found, rank: 1, reason: reasonOfRank(context, found) } : found;
}

/** What can be said of a provider; one of whom something cannot be read is excluded, and spoils nobody else's chance. */
async function report(
  context: MarketContext,
  query: ProviderQuery,
  provider: IProviderRegistry.ProviderStructOutput,
): Promise<ProviderReport> {
  try {
    return await readReport(context, query, provider);
  } catch (error) {
    if (isOutage(error) || isNeuraError(error, "chain.unavailable")) throw error;
    return unreadable(provider.account, error);
  }
}

async function readReport(
  { contracts, deployment }: MarketContext,
  { resources, maxRateWei, durationSeconds, collateralWei, ...query }: ProviderQuery,
  provider: IProviderRegistry.ProviderStructOutput,
): Promise<ProviderReport> {
  const { account, offer } = provider;
  const [{ key, epoch }, record] = await Promise.all([
    contracts.keys.currentKey(account),
    contracts.market.recordOf(account),
  ]);
  const revoked = epoch > 0n ? 0n : await contracts.keys.latestEpoch(account);
  const shape = unpackResources(offer.shape);
  const freeStakeWei = provider.stake - provider.locked - provider.unbonding;
  const costWei = offer.rateWei * BigInt(durationSeconds);
  const secondsSold = Number(record.secondsSold);
  const { currency } = deployment;
  const requirements: Requirement[] = [
    {
      name: "status",
      needed: "active",
      offered: provider.status === 1n ? "active" : "paused",
      met: provider.status === 1n,
    },
    ...resourceRequirements(resources, shape),
    {
      name: "price per second",
      needed: maxRateWei === undefined ? "any" : `at most ${formatAmount(maxRateWei, currency)}`,
      offered: formatAmount(offer.rateWei, currency),
      met: maxRateWei === undefined || offer.rateWei <= maxRateWei,
    },
    {
      name: "free stake",
      needed: formatAmount(collateralWei, currency),
      offered: formatAmount(freeStakeWei, currency),
      met: freeStakeWei >= collateralWei,
    },
    {
      name: "encryption key",
      needed: "valid",
      offered: epoch > 0n ? `epoch ${epoch}` : revoked > 0n ? `revoked (epoch ${revoked})` : "none",
      met: epoch > 0n,
    },
    ...(query.anyProvider === true ? [] : [standing({ secondsSold, freeStakeWei, costWei, currency })]),
    ...unknownRequirements(query),
  ];
  const missed = requirements.filter(({ met }) => met === false);
  return {
    account,
    shape,
    rateWei: offer.rateWei,
    costWei,
    slots: Number(offer.slots),
    freeStakeWei,
    metadata: offer.metadata,
    record: {
      completed: Number(record.completed),
      secondsSold,
      declined: Number(provider.declined),
      abandoned: Number(provider.abandoned),
      failed: Number(provider.failed),
    },
    ...(epoch > 0n ? { key: { epoch: Number(epoch), publicKey: key.publicKey } } : {}),
    requirements,
    eligible: missed.length === 0,
    rank: 0,
    reason: missed
      .map(({ name, needed, offered }) => `${name}: needs ${needed}, offers ${offered}`)
      .join("; "),
  };
}

function unreadable(account: string, error: unknown): ProviderReport {
  // The first line: ethers repeats all of the bytes in the others.
  const [why = ""] = messageOf(error).split("\n", 1);
  return {
    account,
    shape: NO_RESOURCES,
    rateWei: 0n,
    costWei: 0n,
    slots: 0,
    freeStakeWei: 0n,
    metadata: "",
    record: { completed: 0, secondsSold: 0, declined: 0, abandoned: 0, failed: 0 },
    requirements: [{ name: "entry", needed: "readable", offered: "unreadable", met: false }],
    eligible: false,
    rank: 0,
    reason: `its entry cannot be read: ${why.slice(0, 200)}`,
  };
}

/** Whether it has something to lose: work that was paid for, or stake. */
function standing({
  secondsSold,
  freeStakeWei,
  costWei,
  currency,
}: {
  secondsSold: number;
  freeStakeWei: bigint;
  costWei: bigint;
  currency: CurrencyInfo;
}): Requirement {
  const unitWei = 10n ** BigInt(currency.decimals);
  const leastWei = STAKE_FACTOR * costWei > unitWei ? STAKE_FACTOR * costWei : unitWei;
  return {
    name: "standing",
    needed: `paid work, or ${formatAmount(leastWei, currency)} of free stake`,
    offered: `${secondsSold} s of paid work, ${formatAmount(freeStakeWei, currency)}`,
    met: secondsSold > 0 || freeStakeWei >= leastWei,
  };
}

/** What a provider is asked for, and no contract knows of it. */
function unknownRequirements({
  application,
  needs = {},
}: Pick<ProviderQuery, "application" | "needs">): Requirement[] {
  const asked: Record<string, string | number | undefined> = { application, ...needs };
  return Object.entries(asked).flatMap(([name, needed]) =>
    needed === undefined ? [] : [{ name, needed, offered: "not known", met: "unknown" as const }],
  );
}

function resourceRequirements(need: Resources, shape: Resources): Requirement[] {
  const missed = new Set(missesOf(need, shape).map(({ field }) => field));
  const show = (field: keyof Resources, value: number): string | number =>
    field === "gpuClass" ? gpuClassName(value) : value;
  return (["gpuCount", "gpuClass", "vramMiB", "ramMiB", "cpuMilli", "diskMiB"] as const)
    .filter((field) => need[field] !== 0)
    .map((field) => ({
      name: field,
      needed: show(field, need[field]),
      offered: show(field, shape[field]),
      met: !missed.has(field),
    }));
}

/** Tasks that were paid: each has sold a second at least, and what cost nothing proves nothing. */
function paidTasks({ record }: ProviderReport): number {
  return Math.min(record.completed, record.secondsSold);
}

/** The share of its tasks that a provider has not failed; 1 for a new one. */
function reliability(report: ProviderReport): number {
  const { failed, abandoned, declined } = report.record;
  const lost = failed + abandoned + DECLINE_WEIGHT * declined;
  const done = paidTasks(report) + 1;
  return done / (done + lost);
}

function countedRate(report: ProviderReport): number {
  return Number(report.rateWei) / reliability(report);
}

function reasonOfRank({ deployment: { currency } }: MarketContext, report: ProviderReport): string {
  const { secondsSold, failed, abandoned, declined } = report.record;
  const asks = `asks ${formatAmount(report.rateWei, currency)}/s`;
  const paid = paidTasks(report);
  if (paid + failed + abandoned + declined === 0) {
    return `${asks}; no paid work yet, ${formatAmount(report.freeStakeWei, currency)} of free stake`;
  }
  const history = `${paid} paid tasks (${secondsSold} s), ${failed} failed, ${abandoned} abandoned, ${declined} declined`;
  const factor = 1 / reliability(report);
  return `${asks}; ${history}; counted at ${factor.toFixed(2)} times its price`;
}
