/**
 * What it brings to fake results, to judge lazily, to bribe, to accuse falsely: expected gains beside those of the same
 * party that is honest, by the money of `settle.ts`, which {@link crossCheck} holds against the real contracts to the wei.
 */
import { formatUnits, parseEther } from "ethers";

import { closeCourt, type Holder, openCourt, play, type Played } from "./court.ts";
import {
  appealBondOf,
  type Ballot,
  feeOf,
  fineOf,
  lostBondOf,
  type Money,
  RULES,
  settle,
  SILENT,
  type Trial,
  type Vote,
} from "./settle.ts";

/** A strategy's expected gain beside honesty's of the same party [ANKR a task, or a case]. */
export interface AuthenticityResult {
  readonly party: "provider" | "owner" | "juror";
  readonly strategy: string;
  readonly is: string;
  readonly honest: number;
  readonly payoff: number;
  readonly advantage: number;
  readonly beatsHonesty: boolean;
  /** Where it is known to: what it takes, or what prevents it. */
  readonly limit?: string;
}

export interface Authenticity {
  /** Amounts are in ANKR, the rest shares. */
  readonly parameters: Record<string, number>;
  readonly results: readonly AuthenticityResult[];
  /** Share of tasks that have to be audited, by method (r = 2, all faked, conceded) at no collateral, 1 and 2 prices. */
  readonly methods: readonly { method: string; detection: number; needed: readonly number[] }[];
  /** The same by collateral as multiples of the price, for d = 0.95. */
  readonly deterrence: {
    collateral: readonly number[];
    conceded: readonly number[];
    ruled: readonly number[];
  };
  /** From which share of the seats on a false accuser, or a faker that fights, breaks even, by collateral. */
  readonly badStake: readonly {
    collateral: number;
    owner: number;
    ownerUnanswered: number;
    provider: number;
  }[];
  /** Chance that a panel, and then both, are somebody's that holds this share of the seats. */
  readonly panels: readonly { share: number; first: number; second: number; both: number }[];
  /** Cases played on the contracts, and those of other money than worked out; always 0. */
  readonly played: number;
  readonly differences: readonly string[];
  readonly beaten: boolean;
}

const PRICE_WEI = parseEther("100");
const COLLATERAL = 2;
const UNITS = 1_000;
/** Of the price. */
const COST = 0.7;
const BPS = 10_000n;
/** What a provider keeps of its price. */
const KEPT = 1 - Number(RULES.protocolFeeBps) / 10_000;
/** Of the collateral that conceding costs. */
const CONCEDED = Number(RULES.concedeBps) / 10_000;
const PRICE = ankr(PRICE_WEI);
const EFFORT = (3 / UNITS) * COST * PRICE;
export const SHARES = [0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1];
export const LOOKS = [1, 2, 4, 30];

export const MIRRORED = [0.05, 0.1, 0.2, 0.5, 1];
export const COLLATERALS = [1, 2, 4, 9, 19, 40];

/**
 * How many fakes of how many were missed, by `./neura bench verify --deep`; detection is taken at the lower end of its 95 %
 * interval.
 */
const METHODS: readonly { method: string; missed: number; of: number }[] = [
  { method: "exact, checker", missed: 0, of: 200 },
  { method: "numeric", missed: 0, of: 200 },
  { method: "sketch", missed: 0, of: 100 },
  { method: "embedding", missed: 0, of: 200 },
  { method: "tokens", missed: 0, of: 60 },
  { method: "trajectory", missed: 0, of: 60 },
  { method: "checkpoint", missed: 0, of: 200 },
  { method: "text", missed: 2, of: 128 },
];
/** The largest means of a Poisson count with which 0, 1 and 2 are seen in one of twenty. */
const UPPER = [2.996, 4.744, 6.296];

const forOwner: Ballot = { work: "the work", bps: 0n };
const forProvider: Ballot = { work: "the work", bps: BPS };

// ---- All ----

/** How a faker's and a mirrored faker's rows are called, for tables of them. */
export function fakeName(share: number, looks: number): string {
  return `fake ${percent(share)}, r=${looks}`;
}

export function mirrorName(chance: number, collateral: number): string {
  return `fake n=1, p=${chance}, k=${collateral}`;
}

/** Everything; `isQuick` plays a few cases only. */
export async function playAuthenticity({
  isQuick = false,
}: { isQuick?: boolean } = {}): Promise<Authenticity> {
  const { played, differences } = await crossCheck(isQuick);
  const results = [
    ...fakers(),
    ...mirrored(),
    ...tellers(),
    ...jurors(),
    ...bribers(),
    ...accusers(),
    ...fighters(),
    ...edges(),
    ...(isQuick ? [] : [await occupied(), await outnumbered()]),
  ];
  const badStake = [0, 1, 2, 4, 9, 19].map((collateral) => ({
    collateral,
    owner: round(
      breakEven((share) => accusation(share, collateral)),
      3,
    ),
    ownerUnanswered: round(
      breakEven((share) => accusation(share, collateral, { isAnswered: false })),
      3,
    ),
    provider: round(
      breakEven((share) => fight(share, collateral) - (KEPT - COST) * PRICE),
      3,
    ),
  }));
  const collateral = [0, 1, 2, 4, 9, 19];
  const needed = (taken: number): number[] =>
    collateral.map((k) => round(KEPT / 0.95 / (KEPT + taken * k), 3));
  return {
    parameters: {
      ...{ price: PRICE, collateral: COLLATERAL, cost: COST, units: UNITS, effort: EFFORT },
      ...{
        fee: ankr(feeOf(PRICE_WEI)),
        seat: ankr(RULES.seatWei),
        fine: ankr(fineOf(PRICE_WEI, 2n * PRICE_WEI)),
      },
    },
    results,
    methods: METHODS.map(({ method, ...counts }) => {
      const detection = detectionOf(counts);
      const seen = seenOf({ share: 1, looks: 2, detection });
      return {
        ...{ method, detection: round(detection, 3) },
        needed: [0, 1, 2].map((k) => round(KEPT / (seen * (KEPT + CONCEDED * k)), 3)),
      };
    }),
    deterrence: { collateral, conceded: needed(CONCEDED), ruled: needed(1) },
    badStake,
    panels: [0.01, 0.05, 0.1, 0.2, 0.3, 0.4].map((share) => {
      const [first, second] = [majority(3, share), majority(15, share)];
      return { share, first: round(first, 5), second: round(second, 7), both: round(first * second, 7) };
    }),
    ...{ played, differences },
    beaten:
      differences.length > 0 ||
      results.some(({ beatsHonesty, limit }) => beatsHonesty && limit === undefined),
  };
}

function result(
  row: Omit<AuthenticityResult, "advantage" | "beatsHonesty" | "limit">,
  limit?: string,
): AuthenticityResult {
  const advantage = row.payoff - row.honest;
  const [honest, payoff] = [round(row.honest, 3), round(row.payoff, 3)];
  const isLimit = limit === undefined ? {} : { limit };
  return {
    ...row,
    honest,
    payoff,
    advantage: round(advantage, 3),
    beatsHonesty: advantage > 1e-9,
    ...isLimit,
  };
}

// ---- Providers ----

function detectionOf({ missed, of }: { missed: number; of: number }): number {
  return 1 - (UPPER[missed] ?? missed) / of;
}

const WORST = Math.min(...METHODS.map(detectionOf));

/** That one of `looks` units of {@link UNITS} is faked and seen to be; units are drawn once each. */
function seenOf({ share, looks, detection }: { share: number; looks: number; detection: number }): number {
  const faked = Math.round(share * UNITS);
  // By how many faked units were drawn so far, the chance of it with none of them seen.
  let chances = [1];
  for (let drawn = 0; drawn < looks; drawn++) {
    const next = Array.from({ length: drawn + 2 }, () => 0);
    for (const [hits, chance] of chances.entries()) {
      const hit = Math.max(0, faked - hits) / (UNITS - drawn);
      next[hits + 1] = (next[hits + 1] ?? 0) + chance * hit * (1 - detection);
      next[hits] = (next[hits] ?? 0) + chance * (1 - hit);
    }
    chances = next;
  }
  return 1 - chances.reduce((sum, each) => sum + each, 0);
}

/** By how much faking brings more; the machine's time that it frees is taken to be sold again for honest work. */
function fakersAdvantage(share: number, seen: number, collateral: number): number {
  return PRICE * (KEPT * share - seen * (KEPT + CONCEDED * collateral));
}

const HONEST = PRICE * (KEPT - COST);

function fakers(): AuthenticityResult[] {
  const rows = LOOKS.flatMap((looks) =>
    SHARES.map((share) => {
      const seen = seenOf({ share, looks, detection: WORST });
      const payoff = HONEST + fakersAdvantage(share, seen, COLLATERAL);
      const is = `fakes ${percent(share)} of ${UNITS} units, ${looks} of which are looked at: seen with ${percent(seen)}`;
      return result({
        party: "provider",
        strategy: fakeName(share, looks),
        is,
        honest: HONEST,
        payoff,
      });
    }),
  );
  const bare = fakersAdvantage(1, seenOf({ share: 1, looks: 1, detection: WORST }), 0);
  return [
    ...rows,
    result(
      {
        party: "provider",
        strategy: "fake 100 %, r=1, k=0",
        is: "fakes all where there is no collateral",
        honest: HONEST,
        payoff: HONEST + bare,
      },
      `what a look misses is paid: a collateral of ${round((KEPT * (1 - WORST)) / (WORST * CONCEDED), 2)} P ends it`,
    ),
    result(
      {
        party: "provider",
        strategy: "fake, never looked at",
        is: "fakes all for an owner that never looks",
        honest: HONEST,
        payoff: HONEST + KEPT * PRICE,
      },
      `the price of each task; looks by others at ${percent(KEPT / (WORST * (KEPT + CONCEDED * COLLATERAL)))} of this provider's results end it`,
    ),
  ];
}

/** Tasks of one unit, of which a share is ordered twice. */
function mirrored(): AuthenticityResult[] {
  return MIRRORED.flatMap((chance) =>
    COLLATERALS.map((collateral) => {
      const seen = chance * WORST;
      const advantage = fakersAdvantage(1, seen, collateral);
      const need = (KEPT * (1 - seen)) / (seen * CONCEDED);
      const strategy = mirrorName(chance, collateral);
      const is = `fakes tasks of one unit, mirrored with ${percent(chance)}, collateral ${collateral} P`;
      const limit = `collateral from ${round(need, 1)} P on (${round(need * CONCEDED, 1)} P where it is ruled, not conceded)`;
      const row = { party: "provider", strategy, is, honest: HONEST, payoff: HONEST + advantage } as const;
      return advantage > 0 ? result(row, limit) : result(row);
    }),
  );
}

/**
 * What a provider sees that mirrors and canaries are told by (docs/mirror.md), with the chances of each for these and for
 * ordinary orders: guesses on the side of the provider. Files, prices, times, resources and envelopes do not differ.
 */
const FEATURES = [
  { name: "account is new", odd: 1, ordinary: 0.1 },
  { name: "funded by a known hand", odd: 0.1, ordinary: 0.02 },
  { name: "asked for no quote", odd: 1, ordinary: 0.8 },
  { name: "fetched metadata before", odd: 0.3, ordinary: 0.2 },
  { name: "picture looks made", odd: 0.2, ordinary: 0.02 },
] as const;

/** All that can be seen together, with its chance for both kinds of orders: what the best classifier knows. */
function sights(): { odd: number; ordinary: number }[] {
  return Array.from({ length: 2 ** FEATURES.length }, (_, bits) =>
    FEATURES.reduce(
      (chance, { odd, ordinary }, index) => {
        const isSeen = (bits >> index) % 2 === 1;
        return {
          odd: chance.odd * (isSeen ? odd : 1 - odd),
          ordinary: chance.ordinary * (isSeen ? ordinary : 1 - ordinary),
        };
      },
      { odd: 1, ordinary: 1 },
    ),
  );
}

/** Fakes where that is worth more, sight by sight, against canaries and mirrors that are `chance` of all orders. */
function bestResponse(chance: number, collateral: number): { advantage: number; faked: number } {
  let [advantage, faked] = [0, 0];
  for (const { odd, ordinary } of sights()) {
    const all = chance * odd + (1 - chance) * ordinary;
    if (all === 0) continue;
    const gain = fakersAdvantage(1, ((chance * odd) / all) * WORST, collateral);
    if (gain <= 0) continue;
    advantage += all * gain;
    faked += all;
  }
  return { advantage, faked };
}

function tellers(): AuthenticityResult[] {
  const chance = 0.5;
  const canaries = bestResponse(chance, COLLATERAL);
  const twins = fakersAdvantage(1, chance * WORST, 2 * COLLATERAL);
  return [
    result({
      party: "provider",
      ...{ strategy: "tell, audited owner", honest: HONEST },
      is: "tells canaries from orders by all features; owners look at two units of each result",
      payoff: HONEST + fakersAdvantage(1, seenOf({ share: 1, looks: 2, detection: WORST }), COLLATERAL),
    }),
    result({
      ...{
        party: "provider",
        strategy: "tell, mirror after",
        honest: HONEST,
        payoff: HONEST + twins,
      },
      is: "looks for the twin of an order (one unit, p = 0.5, k = 4) that is mirrored after its delivery: there is none yet",
    }),
    result(
      {
        ...{
          party: "provider",
          strategy: "tell, twin first",
          honest: HONEST,
          payoff: HONEST + 0.5 * KEPT * PRICE,
        },
        is: "delivers late, and does the work where an upload of equal length came (p = 0.5, owners look at nothing else)",
      },
      "whole mirrors within the delay are seen by who waits: mirror after the delivery (--mirror-delay past it, or --units)",
    ),
    result(
      {
        ...{
          party: "provider",
          strategy: "tell canaries only",
          honest: HONEST,
          payoff: HONEST + canaries.advantage,
        },
        is: `by the best classifier of ${FEATURES.length} features fakes ${percent(canaries.faked)} of its orders, half of which are canaries; owners look at nothing`,
      },
      "canaries come from new accounts: they guard new owners; who is known to order needs an audit or a mirror of its own",
    ),
  ];
}

// ---- Jurors ----

function trial(first: readonly Vote[], more: Partial<Trial> = {}): Trial {
  return { priceWei: PRICE_WEI, collateralWei: BigInt(COLLATERAL) * PRICE_WEI, first, ...more };
}

function many(count: number, vote: Vote): Vote[] {
  return Array.from({ length: count }, () => vote);
}

/** What the juror of the first place gets, the others being honest; a faker is before them. */
function jurorOf(vote: Vote): number {
  return ankr(settle(trial([vote, forOwner, forOwner])).first[0] ?? 0n);
}

function jurors(): AuthenticityResult[] {
  const honest = jurorOf(forOwner) - EFFORT;
  const made = { work: "made up", bps: 0n };
  const row = (strategy: string, is: string, payoff: number, limit?: string): AuthenticityResult =>
    result({ party: "juror", strategy, is, honest, payoff }, limit);
  const turned = settle(
    trial([forProvider, forProvider, forOwner], { second: many(15, forOwner), appellant: "owner" }),
  );
  const few = ankr(feeOf(PRICE_WEI)) / 3;
  return [
    row("random", "shows a random fingerprint and votes at random", jurorOf(made)),
    row("prior", "shows a random fingerprint and votes as nearly all juries do", jurorOf(made)),
    row(
      "copied commitment",
      "commits to what another committed to: bound to its seat, it opens for nobody else",
      jurorOf(SILENT),
    ),
    row("copied reveal", "waits for another's fingerprint: commitments came before", jurorOf(SILENT)),
    row("last", "reveals last and follows the majority, without work of its own", jurorOf(made)),
    row(
      "last, own work",
      "does the work, and copies the verdict instead of comparing",
      jurorOf(forOwner) - EFFORT,
    ),
    row("idle", "does nothing", jurorOf(SILENT)),
    row("wrong", "does the work, and votes against it", jurorOf(forProvider) - EFFORT),
    row(
      "turned",
      "votes against its work with another, and the appeal finds out",
      ankr(turned.first[0] ?? 0n) - EFFORT,
    ),
    row(
      "two agree, unanswered",
      "two of three share a made-up fingerprint and vote as juries do; nobody appeals since the verdict is right",
      ankr(settle(trial([made, made, forOwner])).first[0] ?? 0n),
      `saves ${round(EFFORT, 2)} of work each; whoever holds s of the seats has two of three with 3s² − 2s³ (10 %: 2.8 %); a juror fined by it can appeal, and costs them ${ankr(fineOf(PRICE_WEI, 2n * PRICE_WEI))} each`,
    ),
    row(
      "two agree, appealed",
      "the same, and the third appeals",
      ankr(
        settle(trial([made, made, forOwner], { second: many(15, forOwner), appellant: "owner" })).first[0] ??
          0n,
      ),
    ),
    row(
      "of the accused",
      "another account of the provider, which knows its fingerprint without work, in a case that its work wins",
      jurorOf(forOwner),
      `saves ${round(EFFORT, 2)}; its verdict is what honest ones say`,
    ),
    result(
      {
        ...{ party: "juror", strategy: "away, few units", honest: few - COST * PRICE, payoff: 0 },
        is: "holds no seat, since a task of one unit is all of its work for a third of a fee",
      },
      `the fee pays three units where a task has ${Math.ceil((3 * COST * PRICE) / few)} or more: below, jurors need tasks of their own price, or owners another arbiter`,
    ),
  ];
}

/** What is to be won by a bribe, and what two jurors of three lose, and eight of fifteen after them. */
function bribers(): AuthenticityResult[] {
  return [
    ...(["provider", "owner"] as const).flatMap((party) =>
      [0, COLLATERAL].map((collateral) => {
        const stakes = { collateralWei: BigInt(collateral) * PRICE_WEI };
        const [won, lost] = [
          settle(trial(many(3, party === "owner" ? forOwner : forProvider), stakes))[party],
          settle(trial(many(3, party === "owner" ? forProvider : forOwner), stakes))[party],
        ];
        const each = fineOf(PRICE_WEI, stakes.collateralWei) + feeOf(PRICE_WEI) / 3n;
        const toWin = ankr(won - lost);
        const row = {
          ...{ party, strategy: `bribe two, k=${collateral}`, honest: 0, payoff: toWin - 2 * ankr(each) },
          is: `pays two of three what they would lose (${2 * ankr(each)}) for what is there to win (${toWin}); no appeal`,
        };
        return toWin > 2 * ankr(each) ? result(row, "any appeal ends it") : result(row);
      }),
    ),
    ...(["provider", "owner"] as const).map((party) => {
      const each = ankr(fineOf(PRICE_WEI, 2n * PRICE_WEI) + feeOf(PRICE_WEI) / 3n);
      const sides = [forOwner, forProvider].map((vote) => settle(trial(many(3, vote)))[party]);
      const toWin = Math.abs(ankr((sides[0] ?? 0n) - (sides[1] ?? 0n)));
      const is = `buys two of three, and eight of fifteen when it is appealed (${10 * each}), for ${toWin}`;
      return result({ party, strategy: "bribe ten", is, honest: 0, payoff: toWin - 10 * each });
    }),
    atOnce(),
    result(
      {
        party: "provider",
        ...{ strategy: "p + epsilon", honest: 0 },
        is: "promises two jurors their loss if they lose: all believe it, none loses, nobody appeals",
        payoff: ankr(
          settle(trial(many(3, forProvider))).provider - settle(trial(many(3, forOwner))).provider,
        ),
      },
      `free if it works; it must hold ${2 * ankr(fineOf(PRICE_WEI, 2n * PRICE_WEI) + feeOf(PRICE_WEI) / 3n)} (1.05 P + C and two shares) ready, five times that once appealed, and find the jurors`,
    ),
  ];
}

/** A seat stands for all cases that it is drawn for at once, and cannot lose more than it is. */
function atOnce(): AuthenticityResult {
  const [seats, cases] = [100, 1_000];
  const won = settle(trial(many(3, forProvider))).provider - settle(trial(many(3, forOwner))).provider;
  const costs = 0.6 * seats * ankr(RULES.seatWei);
  return result(
    {
      ...{ strategy: "many cases at once", honest: 0, payoff: ankr(won) - costs / cases },
      party: "provider",
      is: `buys ${0.6 * seats} of ${seats} seats with all that they can lose, for ${cases} disputes of one day [a case]`,
    },
    `${costs} for the seats: from ${Math.ceil(costs / ankr(won))} lost disputes at once on; honest owners stop ordering long before`,
  );
}

// ---- Stake on the panel ----

/** That more than half of a panel is of a share of the seats. */
function majority(size: number, share: number): number {
  let [sum, ways] = [0, 1];
  for (let hits = 0; hits <= size; hits++) {
    if (hits > size / 2) sum += ways * share ** hits * (1 - share) ** (size - hits);
    ways = (ways * (size - hits)) / (hits + 1);
  }
  return sum;
}

interface AccusationOptions {
  /** The accused appeals. */
  readonly isAnswered?: boolean;
  /** A design in which the panels were known before the dispute. */
  readonly isForeseen?: boolean;
}

/** What accusing good work brings an owner that has this share of the seats, and votes wrong only where that wins. */
function accusation(
  share: number,
  collateral: number,
  { isAnswered = true, isForeseen = false }: AccusationOptions = {},
): number {
  const stakes = { collateralWei: BigInt(collateral) * PRICE_WEI };
  const appealed = isAnswered
    ? { second: [...many(8, forOwner), ...many(7, forProvider)], appellant: "provider" as const }
    : {};
  const won = settle(trial([forOwner, forOwner, forProvider], { ...stakes, ...appealed }));
  const lost = settle(trial(many(3, forProvider), stakes));
  const chance = majority(3, share) * (isAnswered ? majority(15, share) : 1);
  const mine = [...won.first, ...won.second]
    .filter((each) => each > 0n)
    .reduce((sum, each) => sum + each, 0n);
  const gain = ankr(won.owner + PRICE_WEI + mine);
  return chance * gain + (isForeseen ? 0 : (1 - chance) * ankr(lost.owner + PRICE_WEI));
}

/** Of a faker that was found out, knows both panels once the dispute is open, and fights, has the hash drawn, or concedes. */
function fight(share: number, collateral: number): number {
  const stakes = { collateralWei: BigInt(collateral) * PRICE_WEI };
  const second = [...many(8, forProvider), ...many(7, forOwner)];
  const ours = trial([forProvider, forProvider, forOwner], { ...stakes, second, appellant: "owner" });
  const won = ankr(settle(ours).provider);
  const again = ankr(settle({ ...ours, isWithheld: true }).provider);
  const lost = ankr(settle(trial(many(3, forOwner), { ...stakes, isWithheld: true })).provider);
  const chance = majority(3, share) * majority(15, share);
  const conceded = -CONCEDED * collateral * PRICE;
  return chance * won + (1 - chance) * Math.max(conceded, chance * again + (1 - chance) * lost);
}

function breakEven(gainOf: (share: number) => number): number {
  let [low, high] = [0, 1];
  for (let step = 0; step < 40; step++) {
    const middle = (low + high) / 2;
    if (gainOf(middle) > 0) high = middle;
    else low = middle;
  }
  return high;
}

const STAKES = [0.01, 0.05, 0.1, 0.2, 0.3, 0.4];

function accusers(): AuthenticityResult[] {
  const plain = ankr(settle(trial(many(3, forProvider))).owner + PRICE_WEI);
  const bound = round(100 * breakEven((share) => accusation(share, COLLATERAL)), 1);
  const bare = round(100 * breakEven((share) => accusation(share, COLLATERAL, { isAnswered: false })), 1);
  const row = (strategy: string, is: string, payoff: number, limit?: string): AuthenticityResult =>
    result({ party: "owner", strategy, is, honest: 0, payoff }, payoff > 0 ? limit : undefined);
  return [
    row("accuse", `disputes good work: fee and penalty (${ankr(lostBondOf(PRICE_WEI))})`, plain),
    row(
      "swap payload",
      "shows the jurors another task: its root is not the delivery's, they find for the provider",
      plain,
    ),
    row("swap key", "wraps another key: not the one that the envelope commits to; the same", plain),
    row(
      "hand over nothing",
      "lets the case lapse",
      ankr(settle(trial([], { isLapsed: true })).owner + PRICE_WEI),
    ),
    row(
      "appeal in vain",
      "accuses, and appeals the verdict",
      ankr(
        settle(trial(many(3, forProvider), { second: many(15, forProvider), appellant: "owner" })).owner +
          PRICE_WEI,
      ),
    ),
    ...STAKES.map((share) =>
      row(
        `accuse, ${percent(share)} of seats`,
        "votes for itself where both panels are its own; else honestly",
        accusation(share, COLLATERAL),
        `from ${bound} % of the seats on: one honest seat more, or a smaller collateral`,
      ),
    ),
    ...STAKES.map((share) =>
      row(
        `unanswered, ${percent(share)}`,
        "the same against a provider that does not appeal",
        accusation(share, COLLATERAL, { isAnswered: false }),
        `from ${bare} % of the seats on, against who sleeps: appealing costs ${ankr(appealBondOf(PRICE_WEI))}, and it comes back`,
      ),
    ),
    ...STAKES.map((share) =>
      row(
        `if foreseen, ${percent(share)}`,
        "a design without the provider's half of the seed: accuses only where both panels are its own",
        accusation(share, COLLATERAL, { isForeseen: true }),
        "not this design: here a dispute is opened before anybody knows a panel",
      ),
    ),
  ];
}

function fighters(): AuthenticityResult[] {
  const bound = round(100 * breakEven((share) => fight(share, COLLATERAL) - HONEST), 1);
  const withheld = settle(trial(many(3, forProvider), { isWithheld: true })).provider;
  const shown = settle(trial(many(3, forProvider))).provider;
  const vain = settle(
    trial(many(3, forOwner), { second: many(15, forOwner), appellant: "provider" }),
  ).provider;
  return [
    ...STAKES.map((share) => {
      const payoff = fight(share, COLLATERAL);
      const row = {
        party: "provider",
        ...{ strategy: `fake, ${percent(share)} of seats`, honest: HONEST, payoff },
        is: "fakes all, knows the panels when it is disputed: fights, keeps its half for another draw, or concedes",
      } as const;
      return payoff > HONEST ? result(row, `from ${bound} % of the seats on`) : result(row);
    }),
    result({
      party: "provider",
      ...{ strategy: "withhold, good work", honest: ankr(shown), payoff: ankr(withheld) },
      is: "keeps its half of the seed although its work is good: pays the jury's fee",
    }),
    result({
      ...{
        party: "provider",
        strategy: "appeal in vain",
        honest: -CONCEDED * COLLATERAL * PRICE,
        payoff: ankr(vain),
      },
      is: "faked, fights and appeals instead of conceding; the second panel is known, and honest",
    }),
  ];
}

// ---- Edges ----

function edges(): AuthenticityResult[] {
  const conceded = -CONCEDED * COLLATERAL * PRICE;
  const others = [SILENT, SILENT, SILENT];
  const hung = [{ work: "x", bps: BPS }, { work: "y", bps: BPS }, forOwner];
  const appealed = { second: many(15, forOwner), appellant: "owner" } as const;
  const large = { priceWei: parseEther("0.04"), collateralWei: parseEther("1900") };
  const lastOf = (of: Partial<Trial>): number =>
    ankr(settle(trial(many(3, forProvider), { ...large, ...of })).provider);
  const provider = (strategy: string, is: string, payoff: number, limit?: string): AuthenticityResult =>
    result({ party: "provider", strategy, is, honest: conceded, payoff }, limit);
  const tiny = { priceWei: parseEther("0.04"), collateralWei: parseEther("0.04") };
  const turned = settle(trial([forProvider, forProvider, forOwner], { ...tiny, ...appealed })).owner;
  const straight = settle(trial(many(3, forOwner), tiny)).owner;
  return [
    provider(
      "silent jury",
      "faked; all three sleep, and nobody appeals: the provider is paid",
      ankr(settle(trial(others)).provider),
      `the owner appeals for nothing (its ${ankr(appealBondOf(PRICE_WEI))} come back); each sleeper loses ${ankr(fineOf(PRICE_WEI, 2n * PRICE_WEI))}`,
    ),
    provider(
      "silent jury, appealed",
      "the same, and its owner appeals",
      ankr(settle(trial(others, appealed)).provider),
    ),
    provider(
      "hung jury",
      "faked; two bought jurors show fingerprints of nothing, and nobody is fined where nobody decides",
      ankr(settle(trial(hung)).provider),
      "needs two of three and then eight of fifteen, as a bought verdict does; the owner appeals for nothing",
    ),
    provider(
      "hung jury, appealed",
      "the same, and its owner appeals",
      ankr(settle(trial(hung, appealed)).provider),
    ),
    result(
      {
        ...{
          party: "provider",
          strategy: "withhold, C >> P",
          honest: lastOf({}),
          payoff: lastOf({ isWithheld: true }),
        },
        is: "keeps its half where price and collateral are 10,000 times the fee: silence costs nothing, and gains a draw that it does not know",
      },
      "another draw for free: keep the collateral below 600 P, better 20 P",
    ),
    result(
      {
        ...{ party: "owner", strategy: "tiny task, appeal", honest: ankr(straight), payoff: ankr(turned) },
        is: "wins on appeal where the fee is the smallest there is: fines do not pay fifteen, its bond does",
      },
      `right and yet pays ${round(ankr(straight - turned), 3)}: below ${round(ankr((RULES.minimumFeeWei * BPS) / RULES.juryFeeBps), 2)} the fee is ${ankr(RULES.minimumFeeWei)} whatever the price`,
    ),
  ];
}

/** A faker that binds all seats with cases against itself, and then has its real one drawn. */
async function occupied(): Promise<AuthenticityResult> {
  const court = await openCourt(holders(9, 1));
  try {
    const decoy: Trial = {
      priceWei: RULES.minimumFeeWei,
      collateralWei: (199n * RULES.seatWei) / 100n,
      first: [],
    };
    for (let number = 1; number <= 3; number++) await play(court, decoy, number, { isDrawnOnly: true });
    const { money, panels } = await play(court, trial([]), 9);
    if (panels.length > 0 && panels.some((panel) => panel.length > 0)) {
      return result({ ...OCCUPIED, payoff: -CONCEDED * COLLATERAL * PRICE });
    }
    return result(
      { ...OCCUPIED, payoff: ankr(money.provider) },
      `2/3 of the stake of all seats as collateral for hours (1/9 with appeals made beforehand), all of which comes back, and ${ankr(RULES.minimumFeeWei)} a case: order where seats are many, and name an arbiter instead for what is worth this`,
    );
  } finally {
    await closeCourt(court);
  }
}

const OCCUPIED = {
  party: "provider",
  ...{ strategy: "occupy the seats", honest: HONEST },
  is: "faked; binds all seats with disputes against itself (tiny price, collateral of two seats), so that nobody is drawn",
} as const;

/** Eight operators of ten seats and one voter each, and one with a voter for each of twelve seats, in one market. */
async function outnumbered(): Promise<AuthenticityResult> {
  const seats = 12;
  const court = await openCourt([...holders(8, 10), ...holders(seats, 1, "bad")]);
  const theirs = new Set(holders(seats, 1, "bad").map(({ name }) => name));
  try {
    const { bad } = await draws(court, theirs);
    const share = seats / (80 + seats);
    const payoff =
      bad * ankr(settle(trial(many(3, forProvider))).provider) - (1 - bad) * CONCEDED * COLLATERAL * PRICE;
    const row = {
      party: "provider",
      ...{ strategy: "many voters", honest: HONEST, payoff },
      is: `faked; has a voter for each of its seats (${percent(share)} of all) where eight honest operators have one each: eight of fifteen are its own in ${percent(bad)} of appeals`,
    } as const;
    return payoff > HONEST
      ? result(
          row,
          `${seats} seats (${ankr(RULES.seatWei) * seats}) as long as ten other voters or fewer hold seats, however many: panels are of different voters; hold seats with a voter each`,
        )
      : result(row);
  } finally {
    await closeCourt(court);
  }
}

async function draws(
  court: Awaited<ReturnType<typeof openCourt>>,
  theirs: ReadonlySet<string>,
): Promise<{ bad: number }> {
  const cases = 4;
  let bad = 0;
  for (let number = 1; number <= cases; number++) {
    const { panels } = await play(
      court,
      trial(many(3, forOwner), { second: many(15, forOwner), appellant: "provider" }),
      number,
    );
    const second = panels[1] ?? [];
    if (second.filter((voter) => theirs.has(court.names.get(voter) ?? "")).length >= 8) bad++;
  }
  return { bad: bad / cases };
}

function holders(count: number, seats: number, name = "juror"): Holder[] {
  return Array.from({ length: count }, (_, index) => ({ name: `${name} ${index}`, seats }));
}

// ---- Against the contracts ----

const [x, y]: Ballot[] = [
  { work: "x", bps: BPS },
  { work: "y", bps: BPS },
];

const TRIALS: Readonly<Record<string, Trial>> = {
  conviction: trial(many(3, forOwner)),
  "false accusation": trial(many(3, forProvider)),
  "random fingerprint": trial([forOwner, forOwner, x]),
  "two bought, appealed": trial([forOwner, forProvider, forProvider], {
    second: many(15, forOwner),
    appellant: "owner",
  }),
  "withheld, wins": trial(many(3, forProvider), { isWithheld: true }),
  "in part": trial([{ work: "the work", bps: 4_000n }, forOwner, forProvider], {
    priceWei: 12_345_678_901_234_567_891n,
  }),
  idle: trial([forOwner, SILENT, forOwner]),
  "two agree": trial([forOwner, x, x]),
  "ten bought": trial([forOwner, forProvider, forProvider], {
    second: [...many(8, forProvider), ...many(7, forOwner)],
    appellant: "owner",
  }),
  silent: trial(many(3, SILENT)),
  hung: trial([forOwner, x, y]),
  "hung, appealed": trial([forOwner, x, SILENT], { second: many(15, forOwner), appellant: "owner" }),
  "appeal in vain": trial(many(3, forOwner), { second: many(15, forOwner), appellant: "provider" }),
  "withheld, loses": trial(many(3, forOwner), { isWithheld: true }),
  lapsed: trial(many(3, SILENT), { isLapsed: true }),
  "no collateral": trial(many(3, forOwner), { collateralWei: 0n }),
  "tiny, appealed": trial([forOwner, forProvider, forProvider], {
    ...{ priceWei: parseEther("0.04"), collateralWei: parseEther("0.333"), second: many(15, forOwner) },
    appellant: "owner",
  }),
  "silence for nothing": trial(many(3, forProvider), {
    ...{ priceWei: parseEther("0.04"), collateralWei: parseEther("1900"), isWithheld: true },
  }),
};
const QUICK = 4;

/** Plays cases on the contracts and says which ones moved other money than {@link settle} says. */
async function crossCheck(isQuick: boolean): Promise<{ played: number; differences: string[] }> {
  const trials = Object.entries(TRIALS).slice(0, isQuick ? QUICK : undefined);
  const court = await openCourt(isQuick ? holders(8, 4) : holders(24, 12));
  const differences: string[] = [];
  try {
    for (const [index, [name, each]] of trials.entries()) {
      const { money, panels } = await play(court, each, index + 1);
      const expected = settle(each);
      const sides = ({ owner, provider, treasury }: Money): string => [owner, provider, treasury].join(" ");
      const [actual, due] = [gainsOf(money, panels), gainsOf(expected, panels, true)];
      if (sides(money) !== sides(expected) || actual !== due) {
        differences.push(`${name}: ${sides(money)} | ${actual}, not ${sides(expected)} | ${due}`);
      }
    }
  } finally {
    await closeCourt(court);
  }
  return { played: trials.length, differences };
}

/** What each voter has of a case; `isByPlace`: of its places together. */
function gainsOf(money: Money, panels: Played["panels"], isByPlace = false): string {
  const gains = new Map<string, bigint>();
  for (const [round, panel] of panels.entries()) {
    for (const [position, voter] of panel.entries()) {
      const gain = (round === 0 ? money.first : money.second)[position] ?? 0n;
      gains.set(voter, isByPlace ? (gains.get(voter) ?? 0n) + gain : gain);
    }
  }
  return [...gains.values()].join(" ");
}

function ankr(amountWei: bigint): number {
  return Number(formatUnits(amountWei));
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits)) + 0;
}

function percent(share: number): string {
  return `${round(100 * share, 2)} %`;
}
