import { ZeroAddress, type Log } from "ethers";

import { unlessAborted } from "../abort.ts";
import { readLogs } from "../chain/logs.ts";
import { isNeuraError } from "../errors.ts";
import { chainTime, type MarketContext } from "./context.ts";
import { decodeTaskEvent, TASK_TOPICS, type TaskEvent } from "./events.ts";
import { lastBlockAt } from "./history.ts";
import { Outcome } from "./outcome.ts";
import { gpuClassName, type Resources } from "./resources.ts";
import { chargeWei, type Report, type Terms } from "./terms.ts";

/**
 * What a shape settled for lately, what to offer or ask, and what was asked for and found nobody: from the market's
 * events alone, the same for owners and providers.
 *
 * @remarks Whoever deals with itself under two names can pretend sales, at the price of the fee. Prices are weighed by
 * the seconds sold, so that many small ones move nothing, and each pair of parties counts for a quarter of all seconds
 * at most. Read the number of pairs beside each price.
 */

/** Seconds that were sold at a price. */
export interface Sale {
  readonly resources: Resources;
  readonly owner: string;
  readonly provider: string;
  /** What a second brought, before fee and royalty [wei/s]. */
  readonly rateWei: bigint;
  readonly seconds: number;
}

/** A task that nobody took. */
export interface UnmetTask {
  readonly resources: Resources;
  readonly owner: string;
  /** The most that was offered for a second [wei/s]. */
  readonly rateWei: bigint;
  readonly seconds: number;
}

/** Prices with the shares of seconds that cost no more than they [wei/s]. */
export interface Quantiles {
  readonly lowest: bigint;
  readonly quarter: bigint;
  readonly median: bigint;
  readonly threeQuarters: bigint;
  readonly highest: bigint;
}

/** How much of something there was, and at which prices. */
export interface Volume {
  readonly tasks: number;
  readonly seconds: number;
  /** Different owners with different providers; of what found nobody, different owners. */
  readonly pairs: number;
  readonly rates: Quantiles | undefined;
}

/** What is known of the price of one shape. */
export interface ShapePrice {
  /** In words, see {@link shapeBucket}. */
  readonly shape: string;
  readonly sold: Volume;
  readonly unmet: Volume;
  /** What to offer, or to ask; `undefined` where nothing was sold [wei/s]. */
  readonly suggestedWei: bigint | undefined;
  /** What an owner that wants to be served at once offers at most [wei/s]. */
  readonly maximumWei: bigint | undefined;
}

/** Outcomes of a task that nobody wanted, or had room for. */
const NOBODY: readonly Outcome[] = [
  Outcome.NotAccepted,
  Outcome.PriceTooLow,
  Outcome.NoCapacity,
  Outcome.RequirementsUnmet,
];
/** One pair of parties counts for one of so many seconds at most. */
const PAIR_SHARE = 4;
const MEDIAN = 0.5;
/** Where all demand finds nobody, the suggestion is this quantile; in between, in proportion. */
const SCARCE = 0.9;

// ---- Shapes ----

/**
 * The shapes that are compared with one another: the same GPUs, whatever else is needed beside them; without a named
 * GPU, the memory of each to the next power of two; without any, cores and memory to the next power of two.
 */
export function shapeBucket({ gpuCount, gpuClass, vramMiB, ramMiB, cpuMilli }: Resources): string {
  if (gpuCount > 0) {
    if (gpuClass > 0) return `${gpuCount} × ${gpuClassName(gpuClass)}`;
    return `${gpuCount} × any GPU with ${powerOfTwo(vramMiB / 1024)} GiB`;
  }
  return `${powerOfTwo(cpuMilli / 1000)} cores with ${powerOfTwo(ramMiB / 1024)} GiB`;
}

/** The least power of two that is not below `value`, 1 at least. */
function powerOfTwo(value: number): number {
  return 2 ** Math.max(0, Math.ceil(Math.log2(Math.max(value, 1))));
}

// ---- Prices ----

/** The price of each shape that was sold or asked for, the most seconds first. Equal facts give equal prices. */
export function pricesOf(sales: readonly Sale[], unmet: readonly UnmetTask[] = []): ShapePrice[] {
  const shapes = new Set([...sales, ...unmet].map(({ resources }) => shapeBucket(resources)));
  return [...shapes]
    .map((shape) => {
      const isOf = ({ resources }: { resources: Resources }): boolean => shapeBucket(resources) === shape;
      return priceOf(shape, sales.filter(isOf), unmet.filter(isOf));
    })
    .toSorted(
      (one, other) =>
        other.sold.seconds + other.unmet.seconds - one.sold.seconds - one.unmet.seconds ||
        (one.shape < other.shape ? -1 : 1),
    );
}

function priceOf(shape: string, sales: readonly Sale[], unmet: readonly UnmetTask[]): ShapePrice {
  const bounded = boundPairs(sales);
  const wanted = unmet.map((task) => ({ ...task, weight: task.seconds }));
  const [sold, missed] = [secondsOf(sales), secondsOf(unmet)];
  // The scarcer it is, the nearer to what the highest paid.
  const share = MEDIAN + (SCARCE - MEDIAN) * (missed / Math.max(1, sold + missed));
  const suggestedWei = quantile(bounded, share);
  const high = quantile(bounded, SCARCE);
  return {
    shape,
    sold: volumeOf(sales, bounded, ({ owner, provider }) => `${owner} ${provider}`),
    unmet: volumeOf(unmet, wanted, ({ owner }) => owner),
    suggestedWei,
    maximumWei: high === undefined || suggestedWei === undefined || high > suggestedWei ? high : suggestedWei,
  };
}

function volumeOf<Each extends { readonly seconds: number }>(
  all: readonly Each[],
  weighed: readonly Weighed[],
  partiesOf: (each: Each) => string,
): Volume {
  return {
    tasks: all.length,
    seconds: secondsOf(all),
    pairs: new Set(all.map(partiesOf)).size,
    rates: quantilesOf(weighed),
  };
}

interface Weighed {
  readonly rateWei: bigint;
  readonly weight: number;
}

/** The sales with their seconds as weights, those of each pair scaled down to its share of what is counted then. */
function boundPairs(sales: readonly Sale[]): Weighed[] {
  const pairOf = ({ owner, provider }: Sale): string => `${owner} ${provider}`;
  const ofPair = new Map<string, number>();
  for (const sale of sales) ofPair.set(pairOf(sale), (ofPair.get(pairOf(sale)) ?? 0) + sale.seconds);
  const most = mostOfPair([...ofPair.values()]);
  return sales.map((sale) => ({
    rateWei: sale.rateWei,
    weight: sale.seconds * Math.min(1, most / (ofPair.get(pairOf(sale)) ?? most)),
  }));
}

/** The most that one pair may count, so that it is no more than its share of all that counts; of few pairs, all alike. */
function mostOfPair(seconds: readonly number[]): number {
  const descending = seconds.toSorted((one, other) => other - one);
  for (let cut = 0; cut < PAIR_SHARE; cut++) {
    const rest = descending.slice(cut);
    const most = rest.reduce((sum, each) => sum + each, 0) / (PAIR_SHARE - cut);
    if (rest[0] !== undefined && rest[0] <= most) return most;
  }
  return descending.at(-1) ?? 0;
}

function quantilesOf(weighed: readonly Weighed[]): Quantiles | undefined {
  const [lowest, quarter, median, threeQuarters, highest] = [0, 0.25, MEDIAN, 0.75, 1].map((share) =>
    quantile(weighed, share),
  );
  if (
    lowest === undefined ||
    quarter === undefined ||
    median === undefined ||
    threeQuarters === undefined ||
    highest === undefined
  )
    return undefined;
  return { lowest, quarter, median, threeQuarters, highest };
}

/** The lowest of the rates that `share` of the weight does not exceed; `undefined` without any. */
function quantile(weighed: readonly Weighed[], share: number): bigint | undefined {
  const ordered = weighed.toSorted((one, other) =>
    one.rateWei < other.rateWei ? -1 : one.rateWei > other.rateWei ? 1 : one.weight - other.weight,
  );
  const whole = ordered.reduce((sum, { weight }) => sum + weight, 0);
  let passed = 0;
  for (const { rateWei, weight } of ordered) {
    passed += weight;
    if (passed >= share * whole) return rateWei;
  }
  return ordered.at(-1)?.rateWei;
}

function secondsOf(all: readonly { readonly seconds: number }[]): number {
  return all.reduce((sum, { seconds }) => sum + seconds, 0);
}

// ---- Facts from events ----

interface Followed {
  readonly terms: Terms;
  readonly resources: Resources;
  provider: string;
  priceWei: bigint;
  report?: Report;
}

/** What the events of some time, in their order, say was sold, and what found nobody. */
export function factsOf(events: Iterable<TaskEvent>): { sales: Sale[]; unmet: UnmetTask[] } {
  const tasks = new Map<string, Followed>();
  const sales: Sale[] = [];
  const unmet: UnmetTask[] = [];
  const sell = ({ terms, resources, provider, priceWei }: Followed, report: Report, shareBps = 10_000) => {
    const { owner } = terms;
    const { secondsUsed } = report;
    const paidWei = (chargeWei(terms, report, priceWei) * BigInt(shareBps)) / 10_000n;
    // Who pays itself, and what took no time, say nothing about a price.
    if (owner === provider || secondsUsed === 0 || paidWei === 0n) return;
    sales.push({ resources, owner, provider, rateWei: paidWei / BigInt(secondsUsed), seconds: secondsUsed });
  };
  for (const event of events) {
    if (event.name === "TaskSubmitted") {
      const { terms, work } = event.task;
      tasks.set(event.id, {
        terms,
        resources: work.resources,
        provider: terms.provider,
        priceWei: terms.price.amountWei,
      });
      continue;
    }
    // Of a task that is older than the events, the terms are not known.
    const task = tasks.get(event.id);
    if (task === undefined) continue;
    switch (event.name) {
      case "TaskAssigned":
        task.provider = event.provider;
        task.priceWei = event.priceWei;
        break;
      case "TaskReopened":
        task.provider = ZeroAddress;
        break;
      case "TaskDelivered":
        task.report = event.delivery;
        if ((task.terms.conditions.challengePeriodSeconds ?? 0) === 0) sell(task, event.delivery);
        break;
      case "TaskSettled":
        if (task.report !== undefined) sell(task, task.report);
        break;
      case "TaskResolved":
        if (task.report !== undefined) sell(task, task.report, event.resolution.providerBps);
        break;
      case "LeaseEnded":
        sell(task, { outcome: Outcome.Completed, secondsUsed: event.upSeconds });
        break;
      case "TaskClosed":
        if (NOBODY.includes(event.outcome)) {
          const { terms, resources } = task;
          const { owner, conditions } = terms;
          unmet.push({ resources, owner, rateWei: offeredWei(terms), seconds: conditions.durationSeconds });
        }
        break;
      default:
    }
  }
  return { sales, unmet };
}

/** The most that the terms pay for a second [wei/s]. */
function offeredWei({ price, conditions }: Terms): bigint {
  const amountWei = price.maximumWei ?? price.amountWei;
  return price.metered ? amountWei : amountWei / BigInt(conditions.durationSeconds);
}

/**
 * Of each provider, how many owners ended its lease before half of the time that they had ordered. A heartbeat is the
 * provider's word, and whoever is not served leaves; so this is what the market knows of it. An owner counts that paid
 * another provider too: an account that was made to slander costs real work.
 */
export function leftLeases(events: readonly TaskEvent[]): Map<string, number> {
  const buyers = new Map<string, Set<string>>();
  for (const { owner, provider } of factsOf(events).sales) {
    buyers.set(owner, (buyers.get(owner) ?? new Set()).add(provider));
  }
  const tasks = new Map<string, { terms: Terms; provider: string }>();
  const left = new Map<string, Set<string>>();
  for (const event of events) {
    if (event.name === "TaskSubmitted") {
      const { terms } = event.task;
      tasks.set(event.id, { terms, provider: terms.provider });
      continue;
    }
    const task = tasks.get(event.id);
    if (task === undefined) continue;
    if (event.name === "TaskAssigned") task.provider = event.provider;
    if (event.name !== "LeaseEnded" || event.outcome !== Outcome.OwnerClosed) continue;
    const { terms, provider } = task;
    const others = new Set(buyers.get(terms.owner));
    others.delete(provider);
    if (2 * event.upSeconds >= terms.conditions.durationSeconds || others.size === 0) continue;
    left.set(provider, (left.get(provider) ?? new Set()).add(terms.owner));
  }
  return new Map([...left].map(([provider, owners]) => [provider, owners.size]));
}

// ---- Reading the chain ----

/** The prices of some time. */
export interface Compass {
  readonly fromSeconds: number;
  readonly toSeconds: number;
  readonly fromBlock: number;
  readonly toBlock: number;
  /** Events that could not be read; anybody can have such announced. */
  readonly unreadable: number;
  readonly shapes: readonly ShapePrice[];
}

/**
 * Reads the market's events of the last `seconds` (default: 7 days) by pages of 10,000 blocks, and says what they say
 * about prices. Tasks that were submitted before do not count.
 *
 * Errors: `chain.unavailable`, `chain.logs-refused`.
 */
export async function readCompass(context: MarketContext, options: Lately = {}): Promise<Compass> {
  const { events, ...range } = await readEvents(context, options);
  const { sales, unmet } = factsOf(events);
  return { ...range, shapes: pricesOf(sales, unmet) };
}

/**
 * What {@link leftLeases} says of the last `seconds` (default: 7 days); nothing where the node does not give old events.
 *
 * Error: `chain.unavailable`.
 */
export async function readLeftLeases(
  context: MarketContext,
  options: Lately = {},
): Promise<Map<string, number>> {
  try {
    return leftLeases((await readEvents(context, options)).events);
  } catch (error) {
    if (isNeuraError(error, "chain.logs-refused")) return new Map();
    throw error;
  }
}

interface Lately {
  readonly seconds?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

const WEEK_SECONDS = 7 * 86_400;
const { TaskSubmitted, TaskAssigned, TaskReopened, TaskDelivered } = TASK_TOPICS;
const { TaskSettled, TaskResolved, TaskClosed, LeaseEnded } = TASK_TOPICS;
const TOPICS = [
  ...[TaskSubmitted, TaskAssigned, TaskReopened, TaskDelivered],
  ...[TaskSettled, TaskResolved, TaskClosed, LeaseEnded],
];

async function readEvents(
  { provider, deployment }: MarketContext,
  { seconds = WEEK_SECONDS, signal }: Lately,
): Promise<Omit<Compass, "shapes"> & { events: TaskEvent[] }> {
  const toSeconds = await unlessAborted(chainTime(provider), signal);
  const fromSeconds = toSeconds - seconds;
  const fromBlock = await unlessAborted(lastBlockAt(provider, fromSeconds, deployment.block), signal);
  const address = deployment.contracts.TaskMarket;
  const events: TaskEvent[] = [];
  let [toBlock, unreadable] = [fromBlock, 0];
  for await (const page of readLogs({ provider, address, topics: [TOPICS], fromBlock, signal })) {
    toBlock = page.toBlock;
    for (const log of page.logs) {
      const event = readable(log);
      if (event === undefined) unreadable++;
      else events.push(event);
    }
  }
  return { fromSeconds, toSeconds, fromBlock, toBlock, unreadable, events };
}

function readable(log: Log): TaskEvent | undefined {
  try {
    return decodeTaskEvent(log);
  } catch (error) {
    if (isNeuraError(error)) return undefined;
    throw error;
  }
}
