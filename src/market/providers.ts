import { formatAmount } from "../amount.ts";
import type { AttestationPolicy } from "../attestation.ts";
import { unlessAborted } from "../abort.ts";
import { isOutage } from "../chain/errors.ts";
import type { CurrencyInfo } from "../deployment.ts";
import { isNeuraError, messageOf, NeuraError } from "../errors.ts";
import type { Needs } from "../manifest.ts";
import type { Capacity } from "../provider/metadata.ts";
import type { IProviderRegistry } from "../../types/interfaces/IProviderRegistry.ts";
import { type AttestationStanding, claimedStanding, judgeAttestation } from "./attested.ts";
import { readLeftLeases } from "./compass.ts";
import { asking, type MarketContext } from "./context.ts";
import { loadMeasurements, type MeasuredSpeed, type Measurement, speedIn } from "./measurements.ts";
import { ageOf, type Claims, MAX_CAPACITY_AGE_SECONDS, readClaims, secondsSince } from "./metadata.ts";
import { judgeNeeds } from "./needs.ts";
import { rankProviders, standingStakeWei } from "./ranking.ts";
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
  /** What its key must show: a provider that does not is out. Default: nothing. */
  readonly attestation?: AttestationPolicy | undefined;
  /** Whether it is a lease: then what other owners' leases came to counts. Default: no. */
  readonly isLease?: boolean | undefined;
  /** Whether one will do that has neither sold work nor enough at stake. Default: no. */
  readonly anyProvider?: boolean | undefined;
  /**
   * Where offers are equally good, each seed prefers another one, so that load spreads; and by it newcomers get their
   * first chance. Default: none, and then nobody gets one.
   */
  readonly seed?: string | undefined;
  /** The share of seeds that give a newcomer the first chance: 0 to 1. Default: 0.1. */
  readonly exploration?: number | undefined;
}

/** One thing that a provider must have, with both numbers. */
export interface Requirement {
  readonly name: string;
  readonly needed: string | number | bigint;
  readonly offered: string | number | bigint;
  /** `unknown`: nobody says it, or it may change in time; a provider that does not have it declines, at no cost. */
  readonly met: boolean | "unknown";
}

export interface ProviderReport {
  readonly account: string;
  /** The account whose key its node uses. */
  readonly operator: string;
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
    /** Disputes that it lost. */
    readonly disputed: number;
    /** Owners that left its leases early, lately; only looked up for leases. */
    readonly left?: number | undefined;
  };
  /** What it says of itself, signed, or why that does not count. */
  readonly claims: Claims;
  /** Missing where it claims none and none was asked for. */
  readonly attestation?: AttestationStanding | undefined;
  /** Of what it says, what it could take now; missing when it is not known, or was measured too long ago. */
  readonly capacity?: Capacity | undefined;
  /** Seconds for each unit of the application: by its own benchmark, and in this owner's tasks. */
  readonly speed: {
    readonly claimed?: { readonly secondsPerUnit: number; readonly measuredAt: string } | undefined;
    readonly own?: MeasuredSpeed | undefined;
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

/** Name of the requirement that the provider has room at this moment. */
export const FREE_PLACE = "free place now";

const PAGE = 50n;
/** So many providers, the best ones by what the chain says, are asked about themselves, so many at once. */
const MAX_ASKED = 50;
const ASKED_AT_ONCE = 16;
/** How long that may take in all [ms]; of the others, nothing is known. */
const ASKING_MS = 10_000;

/**
 * All providers: the eligible ones ranked, then the excluded ones, each with its reason. See {@link rankProviders} for
 * what counts.
 *
 * A provider that has sold nothing yet needs a free stake of ten times the task's cost, and of one unit of the currency
 * at least, unless the query takes any. Eligible ones are asked for their documents, which decide what no contract
 * knows.
 */
export async function findProviders(
  context: MarketContext,
  query: ProviderQuery,
  { signal }: { signal?: AbortSignal | undefined } = {},
): Promise<ProviderReport[]> {
  const own = await loadMeasurements(context.home);
  const reports: ProviderReport[] = [];
  for (let cursor = 0n; ;) {
    const { page, next } = await unlessAborted(
      asking(context.contracts.registry.providers(cursor, PAGE)),
      signal,
    );
    reports.push(
      ...(await unlessAborted(Promise.all(page.map((each) => report(context, query, each, own))), signal)),
    );
    if (next === 0n) break;
    cursor = next;
  }
  const left = query.isLease === true ? await readLeftLeases(context, { signal }) : undefined;
  const known = reports.map((each) =>
    left === undefined ? each : { ...each, record: { ...each.record, left: left.get(each.account) } },
  );
  const options = { ...query, currency: context.deployment.currency };
  const ranked = rankProviders(known, { ...options, exploration: 0 });
  const asked = await askProviders(context, query, ranked, signal);
  return rankProviders(await attestProviders(context, query, asked, signal), options);
}

/** One provider against the query; whoever names it need not be told whether it is known. Error: `provider.unknown`. */
export async function checkProvider(
  context: MarketContext,
  query: ProviderQuery,
  account: string,
  { signal }: { signal?: AbortSignal | undefined } = {},
): Promise<ProviderReport> {
  const { registry } = context.contracts;
  if ((await registry.operatorOf(account)) === `0x${"00".repeat(20)}`) {
    throw new NeuraError("provider.unknown", `${account} is not registered as a provider.`, {
      next: "See who is with `provider list`.",
    });
  }
  const named = { ...query, anyProvider: true };
  const own = await loadMeasurements(context.home);
  const found = await report(context, named, await asking(registry.providerOf(account)), own);
  const asked = await askProviders(context, named, [found], signal);
  const attested = await attestProviders(context, named, asked, signal);
  const [ranked] = rankProviders(attested, {
    ...named,
    exploration: 0,
    currency: context.deployment.currency,
  });
  return ranked ?? found;
}

/** The best ones, with what they say of themselves; the others as they are. */
async function askProviders(
  context: MarketContext,
  query: ProviderQuery,
  ranked: readonly ProviderReport[],
  signal: AbortSignal | undefined,
): Promise<ProviderReport[]> {
  const timeout = AbortSignal.timeout(ASKING_MS);
  const limit = signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
  const queue = [...ranked.entries()].filter(([, { eligible }]) => eligible).slice(0, MAX_ASKED);
  const asked = [...ranked];
  const work = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined && !limit.aborted; next = queue.shift()) {
      const [index, each] = next;
      const { account, operator, metadata: uri } = each;
      const claims = await readClaims(context, { account, operator, uri }, { signal: limit }).catch(() => {
        signal?.throwIfAborted();
        return { reason: "there was no time left to ask for its document" };
      });
      asked[index] = withClaims(each, claims, query);
    }
  };
  await Promise.all(Array.from({ length: ASKED_AT_ONCE }, work));
  return asked;
}

/** Those that would be eligible, with what their evidence says of their keys, where that is asked for: without it they are out. */
async function attestProviders(
  context: MarketContext,
  { attestation: policy }: ProviderQuery,
  reports: readonly ProviderReport[],
  signal: AbortSignal | undefined,
): Promise<readonly ProviderReport[]> {
  if (policy === undefined) return reports;
  const needed = policy.platforms.map(({ platform }) => platform).join(" or ");
  return await Promise.all(
    reports.map(async (each) => {
      if (!each.eligible) return each;
      const { account, key, claims } = each;
      const attestation = await judgeAttestation(context, { account, key, claims, policy }, { signal });
      const met = attestation.state === "verified";
      const offered = attestation.state === "refused" ? attestation.reason.replace(/\.$/, "") : needed;
      const requirements = [...each.requirements, { name: "attestation", needed, offered, met }];
      return judged({ ...each, attestation, requirements });
    }),
  );
}

/** What can be said of a provider; one of whom something cannot be read is excluded, and spoils nobody else's chance. */
async function report(
  context: MarketContext,
  query: ProviderQuery,
  provider: IProviderRegistry.ProviderStructOutput,
  own: readonly Measurement[],
): Promise<ProviderReport> {
  try {
    return await readReport(context, query, provider, own);
  } catch (error) {
    if (isOutage(error) || isNeuraError(error, "chain.unavailable")) throw error;
    return unreadable(provider.account, error);
  }
}

async function readReport(
  { contracts, deployment }: MarketContext,
  { resources, maxRateWei, durationSeconds, collateralWei, ...query }: ProviderQuery,
  provider: IProviderRegistry.ProviderStructOutput,
  own: readonly Measurement[],
): Promise<ProviderReport> {
  const { account, offer, operator } = provider;
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
    ...claimedRequirements({ resources, ...query }, undefined),
  ];
  const { application } = query;
  return judged({
    account,
    operator,
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
      disputed: Number(provider.disputed),
    },
    claims: { reason: "it was not asked" },
    speed: application === undefined ? {} : { own: speedIn(own, account, application) },
    ...(epoch > 0n ? { key: { epoch: Number(epoch), publicKey: key.publicKey } } : {}),
    requirements,
    eligible: true,
    rank: 0,
    reason: "",
  });
}

/** The report with the verdict that its requirements give. */
function judged(report: ProviderReport): ProviderReport {
  const missed = report.requirements.filter(({ met }) => met === false);
  return {
    ...report,
    eligible: missed.length === 0,
    rank: 0,
    reason: missed
      .map(({ name, needed, offered }) => `${name}: needs ${needed}, offers ${offered}`)
      .join("; "),
  };
}

/** The report with what the provider says of itself. */
function withClaims(report: ProviderReport, claims: Claims, query: ProviderQuery): ProviderReport {
  const { document } = claims;
  const claimed = claimedRequirements(query, claims);
  const names = new Set(claimed.map(({ name }) => name));
  const benchmark = document?.benchmarks.find(({ application }) => application === query.application);
  return judged({
    ...report,
    claims,
    attestation: claimedStanding(claims),
    capacity: document && isFresh(document.capacity) ? document.capacity : undefined,
    speed: {
      ...report.speed,
      claimed: benchmark && {
        secondsPerUnit: 1 / benchmark.unitsPerSecond,
        measuredAt: benchmark.measuredAt,
      },
    },
    requirements: [...report.requirements.filter(({ name }) => !names.has(name)), ...claimed],
  });
}

function isFresh({ measuredAt }: Capacity): boolean {
  return Math.abs(secondsSince(measuredAt, Date.now())) <= MAX_CAPACITY_AGE_SECONDS;
}

function unreadable(account: string, error: unknown): ProviderReport {
  // The first line: ethers repeats all of the bytes in the others.
  const [why = ""] = messageOf(error).split("\n", 1);
  return {
    account,
    operator: "",
    shape: NO_RESOURCES,
    rateWei: 0n,
    costWei: 0n,
    slots: 0,
    freeStakeWei: 0n,
    metadata: "",
    record: { completed: 0, secondsSold: 0, declined: 0, abandoned: 0, failed: 0, disputed: 0 },
    claims: { reason: "it was not asked" },
    speed: {},
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
  const leastWei = standingStakeWei(costWei, currency);
  return {
    name: "standing",
    needed: `paid work, or ${formatAmount(leastWei, currency)} of free stake`,
    offered: `${secondsSold} s of paid work, ${formatAmount(freeStakeWei, currency)}`,
    met: secondsSold > 0 || freeStakeWei >= leastWei,
  };
}

/** What no contract knows of a provider: by its document, where that counts. */
function claimedRequirements(
  { application, needs = {}, resources }: Pick<ProviderQuery, "application" | "needs" | "resources">,
  claims: Claims | undefined,
): Requirement[] {
  const { document } = claims ?? {};
  if (document === undefined) {
    const offered = claims === undefined ? "not known" : `not known: ${claims.reason}`;
    const asked: Record<string, string | number | undefined> = { application, ...needs, [FREE_PLACE]: 1 };
    return Object.entries(asked).flatMap(([name, needed]) =>
      needed === undefined ? [] : [{ name, needed, offered, met: "unknown" as const }],
    );
  }
  const runs = document.applications.map(({ name, version }) => `${name} ${version}`).join(", ");
  const isRun = document.applications.some(({ name }) => name === application);
  return [
    ...(application === undefined
      ? []
      : [{ name: "application", needed: application, offered: runs || "none", met: isRun }]),
    ...judgeNeeds(needs, document.machine),
    freePlace(resources, document.capacity),
  ];
}

/** A machine that is busy may be free in time, so this excludes nobody. */
function freePlace(need: Resources, capacity: Capacity): Requirement {
  const { slots, freeSlots, shape, measuredAt } = capacity;
  const [miss] = freeSlots === 0 ? [] : missesOf(need, shape);
  const places = `${freeSlots} of ${slots}`;
  const found =
    miss === undefined ? places : `${places}, with ${miss.field} ${miss.offered} of ${miss.needed}`;
  const age = ageOf(measuredAt, Date.now());
  return {
    name: FREE_PLACE,
    needed: 1,
    offered: isFresh(capacity) ? `${found}, ${age} ago` : `not known: it looked ${age} ago`,
    met: isFresh(capacity) && freeSlots > 0 && miss === undefined ? true : "unknown",
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
