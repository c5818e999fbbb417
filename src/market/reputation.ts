import { type Log, type Provider, ZeroAddress } from "ethers";

import { IProtocolFee__factory } from "../../types/factories/interfaces/IProtocolFee__factory.ts";
import { IEscrow__factory } from "../../types/factories/interfaces/IEscrow__factory.ts";
import { IProviderRegistry__factory } from "../../types/factories/interfaces/IProviderRegistry__factory.ts";
import { IProviderRewards__factory } from "../../types/factories/interfaces/IProviderRewards__factory.ts";
import type { FeesCollectedEvent } from "../../types/interfaces/IEscrow.ts";
import type { FeeScheduledEvent } from "../../types/interfaces/IProtocolFee.ts";
import type {
  MarketAuthorizedEvent,
  ProviderRegisteredEvent,
} from "../../types/interfaces/IProviderRegistry.ts";
import type {
  EpochClosedEvent,
  FeesRecordedEvent,
  FundedEvent,
  ProviderJoinedEvent,
  RewardClaimedEvent,
} from "../../types/interfaces/IProviderRewards.ts";
import { unlessAborted } from "../abort.ts";
import { readLogs } from "../chain/logs.ts";
import { isNeuraError } from "../errors.ts";
import type { MarketContext } from "./context.ts";
import { decodeTaskEvent, TASK_TOPICS, type TaskEvent } from "./events.ts";
import { isDecline, Outcome } from "./outcome.ts";
import { chargeWei, type Report, type Terms } from "./terms.ts";

/**
 * Every figure of a provider's reputation, and the rewards, once more from the chain's events: what was submitted,
 * delivered, given up and disputed, and what the contracts' rules make of it. No figure is taken from a counter.
 */

/** What is known of one provider's doing in this market. */
export interface ReputationFigures {
  /** Tasks that it was paid for, and the seconds that it sold. */
  completed: number;
  secondsSold: number;
  declined: number;
  abandoned: number;
  failed: number;
  /** Disputes that it lost or conceded. */
  disputed: number;
  /** The fees from its settlements, and how much of that has moved to the treasury [wei]. */
  feesWei: bigint;
  feesPaidWei: bigint;
}

/** One epoch of the rewards. */
export interface RewardEpoch {
  readonly epoch: number;
  feesWei: bigint;
  /** Of an epoch that is not closed yet, what it would be now [wei]. */
  budgetWei: bigint;
  paidWei: bigint;
  claimedFeesWei: bigint;
  readonly shares: Map<string, { feesWei: bigint; claimed: boolean }>;
}

/** How rewards are set up. */
export interface RewardSettings {
  readonly startedAtSeconds: number;
  readonly epochSeconds: number;
  readonly budgetWei: bigint;
  readonly capBps: bigint;
}

/** Where the chain says something else than its events. */
export interface Difference {
  readonly figure: string;
  readonly provider?: string;
  readonly epoch?: number;
  readonly chain: string;
  readonly recomputed: string;
}

/** One thing that happened, in the chain's order. */
export type Fact =
  | { readonly from: "market"; readonly event: TaskEvent; readonly atSeconds: number }
  | { readonly from: "fees"; readonly account: string; readonly amountWei: bigint }
  | {
      readonly from: "fee";
      readonly bps: bigint;
      readonly effectiveSeconds: number;
      readonly atSeconds: number;
    }
  | { readonly from: "registered"; readonly provider: string }
  | { readonly from: "authorized"; readonly market: string; readonly effectiveSeconds: number }
  | { readonly from: "rewards"; readonly event: RewardEvent; readonly atSeconds: number };

export type RewardEvent =
  | { readonly name: "Funded"; readonly amountWei: bigint }
  | { readonly name: "ProviderJoined"; readonly provider: string; readonly feesWei: bigint }
  | {
      readonly name: "FeesRecorded";
      readonly provider: string;
      readonly epoch: number;
      readonly feesWei: bigint;
    }
  | {
      readonly name: "EpochClosed";
      readonly epoch: number;
      readonly feesWei: bigint;
      readonly budgetWei: bigint;
    }
  | {
      readonly name: "RewardClaimed";
      readonly provider: string;
      readonly epoch: number;
      readonly amountWei: bigint;
    };

const BPS = 10_000n;
/** Below this share of what it charged, a provider has lost a dispute [bps]: `Disputes.sol`. */
const LOST_BPS = 5_000;

/** A task as far as its money and its provider go. */
interface Followed {
  readonly terms: Terms;
  readonly feeBps: bigint;
  provider: string;
  priceWei: bigint;
  /** Whether its provider accepted it: before that, a decline is on no record. */
  taken: boolean;
  report?: Report;
  drawnSeconds: number;
}

/** What facts in the chain's order make of everybody. */
export class Recomputation {
  readonly providers = new Map<string, ReputationFigures>();
  readonly epochs = new Map<number, RewardEpoch>();
  /** Fees that count already, baselines included [wei]. */
  readonly recorded = new Map<string, bigint>();
  /** What no closed epoch has [wei]. */
  potWei = 0n;
  /** Where the events contradict one another. */
  readonly differences: Difference[] = [];
  readonly #market: string;
  readonly #rewards: RewardSettings;
  readonly #tasks = new Map<string, Followed>();
  readonly #registered = new Set<string>();
  #effectiveSeconds = Infinity;
  #fee = { bps: 0n, nextBps: 0n, effectiveSeconds: 0 };
  #lastEpoch = 0;

  constructor({ market, rewards }: { market: string; rewards: RewardSettings }) {
    this.#market = market;
    this.#rewards = rewards;
  }

  take(fact: Fact): void {
    switch (fact.from) {
      case "market": {
        this.#task(fact.event, fact.atSeconds);
        return;
      }
      case "fees":
        this.figuresOf(fact.account).feesPaidWei += fact.amountWei;
        return;
      case "fee":
        this.#fee = {
          bps: this.#feeAt(fact.atSeconds),
          nextBps: fact.bps,
          effectiveSeconds: fact.effectiveSeconds,
        };
        return;
      case "registered":
        this.#registered.add(fact.provider);
        return;
      case "authorized":
        if (fact.market === this.#market) this.#effectiveSeconds = fact.effectiveSeconds;
        return;
      case "rewards": {
        this.#reward(fact.event, fact.atSeconds);
        return;
      }
    }
  }

  /** Those of a provider; zeros where nothing is known. */
  figuresOf(provider: string): ReputationFigures {
    const known = this.providers.get(provider);
    if (known !== undefined) return known;
    const figures = {
      ...{ completed: 0, secondsSold: 0, declined: 0, abandoned: 0, failed: 0, disputed: 0 },
      ...{ feesWei: 0n, feesPaidWei: 0n },
    };
    this.providers.set(provider, figures);
    return figures;
  }

  /** The number of the epoch of a moment. */
  epochAt(seconds: number): number {
    return Math.floor((seconds - this.#rewards.startedAtSeconds) / this.#rewards.epochSeconds);
  }

  /** What is handed out for an epoch with these fees, if it ended now [wei]. */
  budgetFor(feesWei: bigint): bigint {
    const { budgetWei, capBps } = this.#rewards;
    return least(budgetWei, this.potWei, (feesWei * capBps) / BPS);
  }

  /** What a provider gets for an epoch [wei]. */
  rewardOf({ feesWei, budgetWei, shares }: RewardEpoch, provider: string): bigint {
    const share = shares.get(provider);
    return share === undefined ? 0n : (budgetWei * share.feesWei) / feesWei;
  }

  // ---- Tasks ----

  #task(event: TaskEvent, atSeconds: number): void {
    if (event.name === "TaskSubmitted") {
      const { terms } = event.task;
      this.#tasks.set(event.id, {
        ...{
          terms,
          provider: terms.provider,
          priceWei: terms.price.amountWei,
          taken: false,
          drawnSeconds: 0,
        },
        feeBps: this.#feeAt(atSeconds),
      });
      return;
    }
    const task = this.#tasks.get(event.id);
    // An order that was revoked was never submitted; a task that could not be read is looked for by nobody.
    if (task === undefined) return;
    const { terms } = task;
    switch (event.name) {
      case "TaskAccepted":
        task.taken = true;
        return;
      case "TaskAssigned":
        task.provider = event.provider;
        task.priceWei = event.priceWei;
        task.taken = true;
        return;
      case "TaskReopened":
        this.#fault(task, event.reason, atSeconds);
        task.provider = ZeroAddress;
        task.taken = false;
        return;
      case "TaskPassedOn":
        this.#fault(task, event.outcome, atSeconds);
        task.taken = false;
        return;
      case "TaskClosed":
        this.#fault(task, event.outcome, atSeconds);
        return;
      case "TaskDelivered":
        task.report = event.delivery;
        if ((terms.conditions.challengePeriodSeconds ?? 0) === 0) this.#sell(task, event.delivery);
        return;
      case "TaskSettled":
        if (task.report !== undefined) this.#sell(task, task.report);
        return;
      case "TaskResolved": {
        const { providerBps } = event.resolution;
        if (task.report !== undefined) this.#sell(task, task.report, BigInt(providerBps));
        if (providerBps < LOST_BPS && this.#counts(task.provider, atSeconds)) {
          this.figuresOf(task.provider).disputed++;
        }
        return;
      }
      case "LeaseDrawn":
        task.drawnSeconds += event.secondsUp;
        {
          this.#earn(task, { paidWei: event.paidWei, seconds: event.secondsUp, tasks: 0 });
          return;
        }
      case "LeaseEnded": {
        const seconds = event.upSeconds - task.drawnSeconds;
        // One that was down is paid for what it was up, and not completed.
        const tasks = event.outcome === Outcome.ProviderDown ? 0 : 1;
        this.#earn(task, { paidWei: task.priceWei * BigInt(seconds), seconds, tasks });
        this.#fault(task, event.outcome, atSeconds);
        return;
      }
      default:
    }
  }

  /** A delivery that was paid; of a dispute, the share that was due. */
  #sell(task: Followed, report: Report, dueBps = BPS): void {
    const paidWei = (chargeWei(task.terms, report, task.priceWei) * dueBps) / BPS;
    // A dispute after which nothing is due ends as if nothing had been delivered.
    if (paidWei === 0n && dueBps !== BPS) return;
    this.#earn(task, { paidWei, seconds: report.secondsUsed, tasks: 1 });
  }

  #earn(
    { provider, feeBps }: Followed,
    { paidWei, seconds, tasks }: { paidWei: bigint; seconds: number; tasks: number },
  ): void {
    const figures = this.figuresOf(provider);
    figures.completed += tasks;
    figures.secondsSold += seconds;
    figures.feesWei += (paidWei * feeBps) / BPS;
  }

  #fault({ provider, taken }: Followed, outcome: Outcome, atSeconds: number): void {
    if (!taken || !this.#counts(provider, atSeconds)) return;
    const figures = this.figuresOf(provider);
    if (isDecline(outcome)) figures.declined++;
    else if (outcome === Outcome.ProviderAbandoned || outcome === Outcome.ProviderClosed) figures.abandoned++;
    else if (
      outcome === Outcome.ProviderLate ||
      outcome === Outcome.ProviderNotReady ||
      outcome === Outcome.ProviderDown
    )
      figures.failed++;
  }

  /** What a market that may not lock says of a provider does not count, nor what is said of one that is not registered. */
  #counts(provider: string, atSeconds: number): boolean {
    return this.#registered.has(provider) && this.#effectiveSeconds <= atSeconds;
  }

  #feeAt(seconds: number): bigint {
    const { bps, nextBps, effectiveSeconds } = this.#fee;
    return seconds < effectiveSeconds ? bps : nextBps;
  }

  // ---- Rewards ----

  #reward(event: RewardEvent, atSeconds: number): void {
    const current = this.epochAt(atSeconds);
    switch (event.name) {
      case "Funded":
        this.#lastEpoch = current;
        this.potWei += event.amountWei;
        return;
      case "ProviderJoined": {
        const { provider, feesWei } = event;
        this.#lastEpoch = current;
        this.#compare("fees before joining", { provider }, feesWei, this.figuresOf(provider).feesWei);
        this.recorded.set(provider, this.figuresOf(provider).feesWei);
        return;
      }
      case "FeesRecorded": {
        const { provider } = event;
        this.#lastEpoch = current;
        const feesWei = this.figuresOf(provider).feesWei - (this.recorded.get(provider) ?? 0n);
        this.#compare("recorded fees", { provider, epoch: current }, event.feesWei, feesWei);
        this.#compare("epoch of recorded fees", { provider }, BigInt(event.epoch), BigInt(current));
        this.recorded.set(provider, this.figuresOf(provider).feesWei);
        const epoch = this.#epoch(current);
        epoch.feesWei += feesWei;
        const share = epoch.shares.get(provider) ?? { feesWei: 0n, claimed: false };
        epoch.shares.set(provider, { ...share, feesWei: share.feesWei + feesWei });
        return;
      }
      case "EpochClosed": {
        const epoch = this.#epoch(event.epoch);
        epoch.budgetWei = this.budgetFor(epoch.feesWei);
        this.potWei -= epoch.budgetWei;
        this.#lastEpoch = current;
        const where = { epoch: event.epoch };
        this.#compare("fees of a closed epoch", where, event.feesWei, epoch.feesWei);
        this.#compare("budget of a closed epoch", where, event.budgetWei, epoch.budgetWei);
        return;
      }
      case "RewardClaimed": {
        const { provider } = event;
        const epoch = this.#epoch(event.epoch);
        const rewardWei = this.rewardOf(epoch, provider);
        this.#compare("claimed reward", { provider, epoch: event.epoch }, event.amountWei, rewardWei);
        const share = epoch.shares.get(provider);
        if (share === undefined) return;
        share.claimed = true;
        epoch.claimedFeesWei += share.feesWei;
        epoch.paidWei += rewardWei;
        // What rounding has left goes back with the last claim.
        if (epoch.claimedFeesWei === epoch.feesWei) this.potWei += epoch.budgetWei - epoch.paidWei;
        return;
      }
    }
  }

  /** The epoch whose fees no call has closed yet. */
  get lastEpoch(): number {
    return this.#lastEpoch;
  }

  #epoch(number: number): RewardEpoch {
    const known = this.epochs.get(number);
    if (known !== undefined) return known;
    const epoch = {
      ...{ epoch: number, feesWei: 0n, budgetWei: 0n, paidWei: 0n, claimedFeesWei: 0n },
      shares: new Map<string, { feesWei: bigint; claimed: boolean }>(),
    };
    this.epochs.set(number, epoch);
    return epoch;
  }

  #compare(figure: string, where: { provider?: string; epoch?: number }, chain: bigint, own: bigint): void {
    if (chain !== own) this.differences.push({ figure, ...where, chain: `${chain}`, recomputed: `${own}` });
  }
}

// ---- Reading the chain ----

/** What the events say, and where the contracts say something else. */
export interface ReputationReport {
  readonly block: number;
  /** Logs of the market that could not be read; anybody can have such announced. */
  readonly unreadable: number;
  readonly providers: readonly (ReputationFigures & { readonly provider: string })[];
  readonly epochs: readonly {
    readonly epoch: number;
    readonly feesWei: bigint;
    readonly budgetWei: bigint;
    readonly paidWei: bigint;
    readonly rewards: readonly {
      readonly provider: string;
      readonly feesWei: bigint;
      readonly rewardWei: bigint;
      readonly claimed: boolean;
    }[];
  }[];
  readonly potWei: bigint;
  readonly differences: readonly Difference[];
}

const REGISTRY = IProviderRegistry__factory.createInterface();
const REWARDS = IProviderRewards__factory.createInterface();
const FEE_TOPIC = IProtocolFee__factory.createInterface().getEvent("FeeScheduled").topicHash;
const COLLECTED_TOPIC = IEscrow__factory.createInterface().getEvent("FeesCollected").topicHash;
const FEE = IProtocolFee__factory.createInterface();
const ESCROW = IEscrow__factory.createInterface();
/** So many questions at once. */
const AT_ONCE = 20;

/**
 * Recomputes everything from the events of the market, the registry and the rewards since their deployment, and
 * compares it with what the contracts say at the newest block: all providers, or one.
 *
 * The registry's counters are compared where this market is its only one: another market's faults are not in its
 * events.
 *
 * Errors: `chain.unavailable`, `chain.logs-refused`.
 */
export async function recomputeReputation(
  context: MarketContext,
  { provider: only, signal }: { provider?: string | undefined; signal?: AbortSignal | undefined } = {},
): Promise<ReputationReport> {
  const { provider, deployment, contracts } = context;
  const block = await unlessAborted(provider.getBlockNumber(), signal);
  const rewards = IProviderRewards__factory.connect(deployment.contracts.ProviderRewards, provider);
  const [startedAt, epochSeconds, budgetWei, capBps] = await unlessAborted(
    Promise.all([rewards.startedAt(), rewards.epochSeconds(), rewards.budgetWei(), rewards.capBps()]),
    signal,
  );
  const recomputation = new Recomputation({
    market: deployment.contracts.TaskMarket,
    rewards: {
      startedAtSeconds: Number(startedAt),
      epochSeconds: Number(epochSeconds),
      ...{ budgetWei, capBps },
    },
  });
  const { facts, unreadable } = await readFacts(context, block, signal);
  for (const fact of facts) recomputation.take(fact);

  const differences = [...recomputation.differences];
  const at = { blockTag: block };
  const compare = (figure: string, where: Partial<Difference>, chain: bigint, own: bigint): void => {
    if (chain === own) return;
    differences.push({ figure, ...where, chain: chain.toString(), recomputed: own.toString() });
  };
  const isOnlyMarket = (await contracts.registry.markets(at)).length === 1;
  const compareProvider = async (account: string): Promise<void> => {
    const own = recomputation.figuresOf(account);
    const where = { provider: account };
    const [record, due, paid, operator, recorded] = await Promise.all([
      contracts.market.recordOf(account, at),
      contracts.market.feesDue(account, at),
      contracts.market.feesPaidOf(account, at),
      contracts.registry.operatorOf(account, at),
      rewards.recordedOf(account, at),
    ]);
    compare("completed", where, record.completed, BigInt(own.completed));
    compare("secondsSold", where, record.secondsSold, BigInt(own.secondsSold));
    compare("fees", where, due + paid, own.feesWei);
    compare("fees paid", where, paid, own.feesPaidWei);
    compare(
      "fees counted by the rewards",
      where,
      recorded.feesWei,
      recomputation.recorded.get(account) ?? 0n,
    );
    if (operator === ZeroAddress || !isOnlyMarket) return;
    const counted = await contracts.registry.providerOf(account, at);
    for (const figure of ["declined", "abandoned", "failed", "disputed"] as const) {
      compare(figure, where, counted[figure], BigInt(own[figure]));
    }
  };
  const accounts = [...recomputation.providers.keys()].filter((each) => only === undefined || each === only);
  for (let from = 0; from < accounts.length; from += AT_ONCE) {
    const some = accounts.slice(from, from + AT_ONCE);
    await unlessAborted(Promise.all(some.map(compareProvider)), signal);
  }

  // What the contract has not closed yet it reckons as if it were; so does this.
  const open = recomputation.epochs.get(recomputation.lastEpoch);
  if (open !== undefined) open.budgetWei = recomputation.budgetFor(open.feesWei);
  const head = await unlessAborted(provider.getBlock(block), signal);
  const isOver = recomputation.epochAt(head?.timestamp ?? 0) > recomputation.lastEpoch;
  const potWei = recomputation.potWei - (isOver ? (open?.budgetWei ?? 0n) : 0n);
  for (const [number, epoch] of recomputation.epochs) {
    const where = { epoch: number };
    const said = await unlessAborted(rewards.epochOf(number, at), signal);
    compare("fees of an epoch", where, said.feesWei, epoch.feesWei);
    compare("budget of an epoch", where, said.budgetWei, epoch.budgetWei);
    compare("paid of an epoch", where, said.paidWei, epoch.paidWei);
    for (const [account, share] of epoch.shares) {
      if (only !== undefined && account !== only) continue;
      const reward = await unlessAborted(rewards.rewardOf(account, number, at), signal);
      const its = { provider: account, epoch: number };
      compare("fees in an epoch", its, reward.feesWei, share.feesWei);
      compare("reward", its, reward.rewardWei, recomputation.rewardOf(epoch, account));
      compare("claimed", its, BigInt(reward.claimed), BigInt(share.claimed));
    }
  }
  compare("pot", {}, await unlessAborted(rewards.pot(at), signal), potWei);
  return {
    ...{ block, unreadable, potWei, differences },
    providers: accounts.map((account) => ({ provider: account, ...recomputation.figuresOf(account) })),
    epochs: [...recomputation.epochs.values()].map((epoch) => ({
      ...{ epoch: epoch.epoch, feesWei: epoch.feesWei, budgetWei: epoch.budgetWei, paidWei: epoch.paidWei },
      rewards: [...epoch.shares]
        .filter(([account]) => only === undefined || account === only)
        .map(([account, { feesWei, claimed }]) => ({
          ...{ provider: account, feesWei, claimed, rewardWei: recomputation.rewardOf(epoch, account) },
        })),
    })),
  };
}

/** All facts until `block`, in the chain's order. */
async function readFacts(
  { provider, deployment }: MarketContext,
  block: number,
  signal: AbortSignal | undefined,
): Promise<{ facts: Fact[]; unreadable: number }> {
  const { TaskMarket, ProviderRegistry, ProviderRewards } = deployment.contracts;
  const logsOf = async (address: string, topics: string[]): Promise<Log[]> => {
    const logs: Log[] = [];
    const range = { fromBlock: deployment.block, toBlock: block };
    for await (const page of readLogs({ provider, address, topics: [topics], ...range, signal })) {
      logs.push(...page.logs);
    }
    return logs;
  };
  const topicsOf = (contract: { getEvent(name: string): { topicHash: string } | null }, names: string[]) =>
    names.flatMap((name) => contract.getEvent(name)?.topicHash ?? []);
  const all = (
    await Promise.all([
      logsOf(TaskMarket, [...Object.values(TASK_TOPICS), FEE_TOPIC, COLLECTED_TOPIC]),
      logsOf(ProviderRegistry, topicsOf(REGISTRY, ["ProviderRegistered", "MarketAuthorized"])),
      logsOf(
        ProviderRewards,
        topicsOf(REWARDS, ["Funded", "ProviderJoined", "FeesRecorded", "EpochClosed", "RewardClaimed"]),
      ),
    ])
  )
    .flat()
    .toSorted((one, other) => one.blockNumber - other.blockNumber || one.index - other.index);
  const times = await timesOf(
    provider,
    all.map(({ blockNumber }) => blockNumber),
    signal,
  );
  const facts: Fact[] = [];
  let unreadable = 0;
  for (const log of all) {
    const atSeconds = times.get(log.blockNumber) ?? 0;
    try {
      const fact = log.address === TaskMarket ? marketFact(log, atSeconds) : otherFact(log, atSeconds);
      if (fact !== undefined) facts.push(fact);
    } catch (error) {
      if (!isNeuraError(error)) throw error;
      unreadable++;
    }
  }
  return { facts, unreadable };
}

/** The times of these blocks [Unix s]. */
export async function timesOf(
  provider: Provider,
  blocks: readonly number[],
  signal: AbortSignal | undefined,
): Promise<Map<number, number>> {
  const numbers = [...new Set(blocks)];
  const times = new Map<number, number>();
  for (let from = 0; from < numbers.length; from += AT_ONCE) {
    const some = numbers.slice(from, from + AT_ONCE);
    const found = await unlessAborted(Promise.all(some.map((each) => provider.getBlock(each))), signal);
    for (const each of found) if (each !== null) times.set(each.number, each.timestamp);
  }
  return times;
}

// The ABIs that the types were generated from decode the logs.

function marketFact(log: Log, atSeconds: number): Fact | undefined {
  const { topics, data } = log;
  if (topics[0] === FEE_TOPIC) {
    const args = FEE.decodeEventLog("FeeScheduled", data, topics).toObject();
    const { bps, effectiveAt } = args as FeeScheduledEvent.OutputObject;
    return { from: "fee", bps, effectiveSeconds: Number(effectiveAt), atSeconds };
  }
  if (topics[0] === COLLECTED_TOPIC) {
    const args = ESCROW.decodeEventLog("FeesCollected", data, topics).toObject();
    const { account, amount } = args as FeesCollectedEvent.OutputObject;
    return { from: "fees", account, amountWei: amount };
  }
  const event = decodeTaskEvent(log);
  return event && { from: "market", event, atSeconds };
}

function otherFact(log: Log, atSeconds: number): Fact | undefined {
  const { topics, data } = log;
  const registered = REGISTRY.parseLog({ topics: [...topics], data });
  if (registered?.name === "ProviderRegistered") {
    const { provider } = registered.args.toObject() as ProviderRegisteredEvent.OutputObject;
    return { from: "registered", provider };
  }
  if (registered?.name === "MarketAuthorized") {
    const { market, effectiveAt } = registered.args.toObject() as MarketAuthorizedEvent.OutputObject;
    return { from: "authorized", market, effectiveSeconds: Number(effectiveAt) };
  }
  const event = rewardEvent(log);
  return event && { from: "rewards", event, atSeconds };
}

function rewardEvent({ topics, data }: Log): RewardEvent | undefined {
  const parsed = REWARDS.parseLog({ topics: [...topics], data });
  const args: unknown = parsed?.args.toObject();
  switch (parsed?.name) {
    case "Funded": {
      const { amount } = args as FundedEvent.OutputObject;
      return { name: "Funded", amountWei: amount };
    }
    case "ProviderJoined": {
      const { provider, feesWei } = args as ProviderJoinedEvent.OutputObject;
      return { name: "ProviderJoined", provider, feesWei };
    }
    case "FeesRecorded": {
      const { provider, epoch, feesWei } = args as FeesRecordedEvent.OutputObject;
      return { name: "FeesRecorded", provider, epoch: Number(epoch), feesWei };
    }
    case "EpochClosed": {
      const { epoch, feesWei, budgetWei } = args as EpochClosedEvent.OutputObject;
      return { name: "EpochClosed", epoch: Number(epoch), feesWei, budgetWei };
    }
    case "RewardClaimed": {
      const { provider, epoch, amount } = args as RewardClaimedEvent.OutputObject;
      return { name: "RewardClaimed", provider, epoch: Number(epoch), amountWei: amount };
    }
    default:
      return undefined;
  }
}

function least(...amounts: readonly [bigint, ...bigint[]]): bigint {
  return amounts.reduce((low, each) => (each < low ? each : low));
}
