import { keccak256, solidityPacked } from "ethers";

import { formatAmount } from "../amount.ts";
import { unlessAborted } from "../abort.ts";
import { NeuraError } from "../errors.ts";
import type { IProviderRegistry } from "../../types/interfaces/IProviderRegistry.ts";
import { asking, type MarketContext } from "./context.ts";
import { gpuClassName, missesOf, type Resources, unpackResources } from "./resources.ts";

/** What a task asks of a provider. */
export interface ProviderQuery {
  readonly resources: Resources;
  /** What the task pays at most [wei/s]; default: any price. */
  readonly maxRateWei?: bigint | undefined;
  /** How long the task may take [s], for its cost. */
  readonly durationSeconds: number;
  /** What the provider has to put at stake [wei]. */
  readonly collateralWei: bigint;
  /** Where offers are equally good, each seed prefers another one, so that load spreads. Default: none. */
  readonly seed?: string | undefined;
}

/** One thing that a provider must have, with both numbers. */
export interface Requirement {
  readonly name: string;
  readonly needed: string | number | bigint;
  readonly offered: string | number | bigint;
  readonly met: boolean;
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
  /** Whether every requirement is met. */
  readonly eligible: boolean;
  /** 1 is the best; 0 for those that are not eligible. */
  readonly rank: number;
  /** Why it has this rank, or why it is excluded. */
  readonly reason: string;
}

const PAGE = 50n;
/** A task that was refused costs the owner less than one that was lost. */
const DECLINE_WEIGHT = 0.25;

/**
 * All providers: the eligible ones ranked, then the excluded ones, each with its reason.
 *
 * The rank is by the price, divided by the share of its tasks that a provider has not failed, so that one which
 * loses every second task counts as twice as dear. Nobody is ranked down for being new, and equals take turns.
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

/** One provider against the query. Error: `provider.unknown`. */
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
  const found = await report(context, query, await asking(registry.providerOf(account)));
  return found.eligible ? { ...found, rank: 1, reason: reasonOfRank(context, found) } : found;
}

async function report(
  { contracts, deployment }: MarketContext,
  { resources, maxRateWei, durationSeconds, collateralWei }: ProviderQuery,
  provider: IProviderRegistry.ProviderStructOutput,
): Promise<ProviderReport> {
  const { account, offer } = provider;
  const [{ key, epoch }, latestEpoch, record] = await Promise.all([
    contracts.keys.currentKey(account),
    contracts.keys.latestEpoch(account),
    contracts.market.recordOf(account),
  ]);
  const shape = unpackResources(offer.shape);
  const freeStakeWei = provider.stake - provider.locked - provider.unbonding;
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
      offered: epoch > 0n ? `epoch ${epoch}` : latestEpoch > 0n ? `revoked (epoch ${latestEpoch})` : "none",
      met: epoch > 0n,
    },
  ];
  const missed = requirements.filter(({ met }) => !met);
  return {
    account,
    shape,
    rateWei: offer.rateWei,
    costWei: offer.rateWei * BigInt(durationSeconds),
    slots: Number(offer.slots),
    freeStakeWei,
    metadata: offer.metadata,
    record: {
      completed: Number(record.completed),
      secondsSold: Number(record.secondsSold),
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

/** The share of its tasks that a provider has not failed; 1 for a new one. */
function reliability({ record }: ProviderReport): number {
  const lost = record.failed + record.abandoned + DECLINE_WEIGHT * record.declined;
  return (record.completed + 1) / (record.completed + 1 + lost);
}

function countedRate(report: ProviderReport): number {
  return Number(report.rateWei) / reliability(report);
}

function reasonOfRank({ deployment: { currency } }: MarketContext, report: ProviderReport): string {
  const { completed, failed, abandoned, declined } = report.record;
  const rate = `${formatAmount(report.rateWei, currency)}/s`;
  const done = completed + failed + abandoned + declined;
  if (done === 0) return `asks ${rate}; new, counted at its price`;
  const history = `${completed} done, ${failed} failed, ${abandoned} abandoned, ${declined} declined`;
  const factor = 1 / reliability(report);
  return `asks ${rate}; ${history}; counted at ${factor.toFixed(2)} times its price`;
}
