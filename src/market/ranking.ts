import { keccak256, solidityPacked } from "ethers";

import { formatAmount, type Unit } from "../amount.ts";
import type { ProviderReport } from "./providers.ts";
import type { Resources } from "./resources.ts";

export interface RankOptions {
  /** What the task needs. */
  readonly resources: Resources;
  readonly currency: Unit;
  /** Where offers are equally good, each seed prefers another one; without one, nothing is explored. */
  readonly seed?: string | undefined;
  /** How many orders, of all seeds, give a newcomer the first chance: 0 to 1. Default: 0.1. */
  readonly exploration?: number | undefined;
}

/** Free stake in place of a record: so many times what the task can cost, and one of the currency's unit. */
export const STAKE_FACTOR = 10n;
/** Own figures are held against a claim from so many tasks on, and count where they are so many times worse. */
export const LEAST_MEASURED = 3;
export const SLOWER_THAN_CLAIMED = 2;

/** A task that was refused costs the owner less than one that was lost. */
const DECLINE_WEIGHT = 0.25;
/** Tasks that everybody counts as having lost: little beside a record, much without one. */
const DOUBT = 0.25;
/** What having nothing at stake adds to the price, what a machine adds that stays unused, and what is not known. */
const STAKE_WEIGHT = 0.2;
const WASTE_WEIGHT = 0.1;
const UNKNOWN_WEIGHT = 0.1;
/** Added where every place of the machine is taken, in proportion where some are; once more where none is free. */
const LOAD_WEIGHT = 0.25;
const MAX_SLOWNESS = 10;
/** What adds less is counted, but not worth a word. */
const LEAST_TOLD = 1.005;
const EXPLORATION = 0.1;
/** A first chance may count so many times what the best one does, and no more. */
const EXPLORATION_PREMIUM = 1.5;

/** Why an offer counts as dearer than its price. */
interface Weight {
  readonly factor: number;
  readonly words: string;
}

/**
 * The eligible providers by rank, then the others, each with its reason. The same reports in another order give the
 * same ranks, and nobody comes out better by asking for more.
 *
 * The rank is by the price, times what speaks against the provider: what it lost, how little it has at stake, how much
 * of its machine would stay unused, how busy it is, what is not known of it, and how much slower it was for this owner
 * than it claims. One order in ten, by the seed, gives the best newcomer the first chance.
 */
export function rankProviders(reports: readonly ProviderReport[], options: RankOptions): ProviderReport[] {
  const { seed, exploration = EXPLORATION, currency } = options;
  const counted = reports
    .filter(({ eligible }) => eligible)
    .map((report) => {
      const weights = weightsOf(report, options.resources);
      const factor = weights.reduce((product, weight) => product * weight.factor, 1);
      return {
        report,
        weights,
        factor,
        rate: Number(report.rateWei) * factor,
        turn: draw(seed ?? "", report.account),
      };
    })
    .toSorted((one, other) => one.rate - other.rate || one.turn - other.turn);
  const [best] = counted;
  const newcomer = counted.find(({ report }) => isNewcomer(report, currency));
  const isExplored =
    best !== undefined &&
    newcomer !== undefined &&
    newcomer !== best &&
    seed !== undefined &&
    newcomer.rate <= best.rate * EXPLORATION_PREMIUM &&
    draw(seed, "first chance") < exploration;
  const ordered = isExplored ? [newcomer, ...counted.filter((each) => each !== newcomer)] : counted;
  const ranked = ordered.map(({ report, weights, factor }, index) => {
    const reason = reasonOf(report, { weights, factor, currency });
    const chance = `first chance for a newcomer, as ${percent(exploration)} of all orders give; `;
    return { ...report, rank: index + 1, reason: isExplored && index === 0 ? chance + reason : reason };
  });
  return [...ranked, ...reports.filter(({ eligible }) => !eligible)];
}

/** The free stake that stands for a record [wei]. */
export function standingStakeWei(costWei: bigint, { decimals }: Unit): bigint {
  const unitWei = 10n ** BigInt(decimals);
  return STAKE_FACTOR * costWei > unitWei ? STAKE_FACTOR * costWei : unitWei;
}

/** How many times longer its work took this owner than the provider claims, where that counts. */
export function slownessOf({ speed }: Pick<ProviderReport, "speed">): number | undefined {
  const { claimed, own } = speed;
  if (claimed === undefined || own === undefined || own.tasks < LEAST_MEASURED) return undefined;
  const times = own.secondsPerUnit / claimed.secondsPerUnit;
  return times > SLOWER_THAN_CLAIMED ? times : undefined;
}

// ---- Weights ----

function weightsOf(report: ProviderReport, need: Resources): Weight[] {
  const { capacity, costWei, freeStakeWei, requirements } = report;
  const backed = Number((freeStakeWei * 1000n) / (STAKE_FACTOR * (costWei > 0n ? costWei : 1n))) / 1000;
  const used = capacity === undefined ? 0 : usedShare(capacity);
  const unknown = requirements.filter(({ met }) => met === "unknown").length;
  const slowness = Math.min(slownessOf(report) ?? 1, MAX_SLOWNESS);
  const weights = [
    { factor: 1 / reliability(report), words: isNew(report) ? "no record yet" : "record" },
    { factor: 1 + STAKE_WEIGHT * (1 - Math.min(1, backed)), words: "little at stake" },
    { factor: 1 + WASTE_WEIGHT * wasteOf(need, report.shape), words: "unused part of its machine" },
    {
      factor: 1 + LOAD_WEIGHT * (used + (used === 1 ? 1 : 0)),
      words: `${capacity?.freeSlots ?? 0} of ${capacity?.slots ?? 0} places free`,
    },
    { factor: 1 + UNKNOWN_WEIGHT * unknown, words: `${unknown} of its requirements not known` },
    { factor: slowness, words: "slower than it claims" },
  ];
  return weights.filter(({ factor }) => factor > 1);
}

function usedShare({ slots, freeSlots }: NonNullable<ProviderReport["capacity"]>): number {
  return slots === 0 ? 1 : 1 - freeSlots / slots;
}

/**
 * The mean share of what is offered that the task leaves unused: a small task belongs on a small machine. Where nothing
 * is asked for, nothing is wasted.
 */
function wasteOf(need: Resources, shape: Resources): number {
  if (Object.values(need).every((amount) => amount === 0)) return 0;
  const shares = (["gpuCount", "vramMiB", "ramMiB", "cpuMilli", "diskMiB"] as const)
    .filter((field) => shape[field] > 0)
    .map((field) => 1 - Math.min(1, need[field] / shape[field]));
  return shares.length === 0 ? 0 : shares.reduce((sum, share) => sum + share, 0) / shares.length;
}

/** Tasks that were paid: each has sold a second at least, and what cost nothing proves nothing. */
function paidTasks({ record }: ProviderReport): number {
  return Math.min(record.completed, record.secondsSold);
}

/** The share of its tasks that a provider has not failed, as far as its record is to be relied on. */
function reliability(report: ProviderReport): number {
  const { failed, abandoned, declined, disputed, left = 0 } = report.record;
  const lost = failed + abandoned + disputed + left + DECLINE_WEIGHT * declined + DOUBT;
  const done = paidTasks(report) + 1;
  return done / (done + lost);
}

/** Whether nothing is known of it, good or bad. */
function isNew(report: ProviderReport): boolean {
  const { failed, abandoned, declined, disputed, left = 0 } = report.record;
  return paidTasks(report) + failed + abandoned + declined + disputed + left === 0;
}

/** Whether it is new, and has enough at stake to be let try. */
function isNewcomer(report: ProviderReport, currency: Unit): boolean {
  return isNew(report) && report.freeStakeWei >= standingStakeWei(report.costWei, currency);
}

/** 0 to 1, evenly over the seeds, always the same for the same ones. */
function draw(seed: string, name: string): number {
  return Number(BigInt(keccak256(solidityPacked(["string", "string"], [seed, name]))) >> 208n) / 2 ** 48;
}

// ---- Words ----

function reasonOf(
  report: ProviderReport,
  { weights, factor, currency }: { weights: readonly Weight[]; factor: number; currency: Unit },
): string {
  const parts = [
    `asks ${formatAmount(report.rateWei, currency)}/s`,
    historyOf(report, currency),
    ...speedOf(report),
  ];
  const told = weights.filter((weight) => weight.factor >= LEAST_TOLD);
  if (told.length > 0) {
    const named = told.map((weight) => `${weight.words} ${weight.factor.toFixed(2)}`).join(", ");
    parts.push(`counted at ${factor.toFixed(2)} times its price (${named})`);
  }
  return parts.join("; ");
}

function historyOf(report: ProviderReport, currency: Unit): string {
  const { secondsSold, failed, abandoned, declined, disputed, left = 0 } = report.record;
  if (isNew(report)) return `no paid work yet, ${formatAmount(report.freeStakeWei, currency)} of free stake`;
  const losses = `${failed} failed, ${abandoned} abandoned, ${declined} declined`;
  return `${paidTasks(report)} paid tasks (${secondsSold} s), ${losses}${disputed > 0 ? `, ${disputed} disputes lost` : ""}${left > 0 ? `, ${left} owners left its leases early` : ""}`;
}

function speedOf(report: ProviderReport): string[] {
  const { claimed, own } = report.speed;
  const seconds = (value: number): string => `${Number(value.toPrecision(3))} s`;
  const claim = claimed && `claims ${seconds(claimed.secondsPerUnit)} for each unit`;
  const mine = own && `took you ${seconds(own.secondsPerUnit)} in ${own.tasks} tasks`;
  const parts = [claim, mine].filter((part) => part !== undefined);
  return parts.length === 0 ? [] : [parts.join(", ")];
}

function percent(share: number): string {
  return `${Number((share * 100).toPrecision(3))} %`;
}
