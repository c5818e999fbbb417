import { id, Interface, ZeroAddress, ZeroHash } from "ethers";

import type { Deployment } from "../../../src/deployment.ts";
import { type MarketContext, openMarket } from "../../../src/market/context.ts";
import { Kind, Outcome } from "../../../src/market/outcome.ts";
import type { ProviderReport } from "../../../src/market/providers.ts";
import { rankProviders, standingStakeWei } from "../../../src/market/ranking.ts";
import { packResources, type Resources } from "../../../src/market/resources.ts";
import {
  encodeReport,
  encodeTerms,
  encodeWork,
  type MarketDomain,
  maximumCostWei,
  taskId,
  type Terms,
  type TermsWords,
  type Work,
  workHash as workHashOf,
  type WorkWords,
} from "../../../src/market/terms.ts";
import {
  ITaskMarket__factory,
  NamedArbiter__factory,
  ProviderRegistry__factory,
  ProviderRewards__factory,
  TaskMarket__factory,
  TaskMarketExtension__factory,
} from "../../../types/index.ts";
import type { IProviderRegistry } from "../../../types/interfaces/IProviderRegistry.ts";
import { random, type Sent, SimulatedChain } from "./chain.ts";
import { type OwnerPlay, OWNERS, type ProviderPlay, PROVIDERS } from "./strategies.ts";

/** What a simulation is run with. */
export interface Parameters {
  readonly seed: string;
  readonly tasks: number;
  readonly providers: number;
  readonly gasPriceWei: bigint;
  /** What honest work costs its provider, as a share of the usual price; faking costs nothing. */
  readonly costShare: number;
  /** What a good result is worth to its owner, as a share of its price. */
  readonly valueShare: number;
  /** How many of their results attentive owners check, and what a check costs, as a share of the price. */
  readonly auditShare: number;
  readonly auditCostShare: number;
  /** Collateral, as a multiple of the price. */
  readonly collateral: number;
}

export const DEFAULTS: Parameters = {
  seed: "neura",
  tasks: 10_000,
  providers: 200,
  gasPriceWei: 10n ** 10n,
  costShare: 0.7,
  valueShare: 1.3,
  auditShare: 0.6,
  auditCostShare: 0.02,
  collateral: 2,
};

/** One party, and what of its doing the chain does not know. */
export interface Party {
  readonly name: string;
  readonly strategy: string;
  readonly address: string;
  /** Its place in its group, and that from 0 to 1: parties of equal places are alike but for their strategy. */
  readonly number: number;
  readonly spread: number;
  /** What it had at the beginning, in its wallet, the market and the registry [wei]. */
  startWei: bigint;
  /** Tasks that it took or ordered. */
  tasks: number;
  /** What its work or its checks took it [wei]. */
  costWei: bigint;
  /** What the results that it got are worth to it [wei]. */
  valueWei: bigint;
  /** Of a provider, what its good work should have brought after the fee; of an owner, what it owes for good work. */
  dueWei: bigint;
  /** What an owner put into escrow [wei]. */
  escrowedWei: bigint;
  /** What it staked, and got from the rewards [wei]. */
  stakedWei: bigint;
  rewardsWei: bigint;
}

export interface ProviderParty extends Party {
  readonly play: ProviderPlay;
  readonly rateWei: bigint;
  readonly slots: number;
  busy: number;
  /** Leases that it keeps beating for. */
  readonly leases: Set<string>;
  readonly avoided: Set<Party>;
  /** Owners that left its leases before half of their time: the chain shows them to everybody. */
  readonly leftBy: Set<Party>;
  report: ProviderReport | undefined;
  rotations: number;
  /** Of the tasks that it orders from itself. */
  serial: number;
}

export interface OwnerParty extends Party {
  readonly play: OwnerPlay;
  /** By its own checks. */
  readonly distrusted: Set<Party>;
  /** Whom it named by itself, for what it orders without a challenge period. */
  partner: ProviderParty | undefined;
  victim: ProviderParty | undefined;
  serial: number;
}

/** A task on its way. */
interface Order {
  readonly owner: OwnerParty;
  readonly terms: Terms;
  readonly words: TermsWords;
  readonly work: WorkWords;
  readonly workHash: string;
  readonly id: string;
  /** What the work takes [s]. */
  readonly workSeconds: number;
  readonly isReadable: boolean;
}

/** Who can order: an owner, or a provider from itself. */
type Orderer = Party & { serial: number; readonly play?: OwnerPlay | ProviderPlay };

interface NewTask {
  readonly provider: string;
  readonly price: Terms["price"];
  readonly workSeconds: number;
  readonly durationSeconds: number;
  readonly isChallenged?: boolean;
  readonly isSealed?: boolean;
  readonly isLease?: boolean;
  readonly isReadable?: boolean;
  readonly collateralWei?: bigint;
  readonly startBySeconds?: number;
}

interface Delivered {
  readonly report: bigint;
  readonly resultHash: string;
  readonly evidenceHash: string;
}

const MINUTE = 60;
const HOUR = 3_600;
const DAY = 86_400;
const UNIT = 10n ** 18n;
const ANKR = { symbol: "ANKR", decimals: 18 };
/** The usual price, about that of a large GPU [wei/s]. */
const BASE_RATE_WEI = (5n * UNIT) / 100n;
const FEE_BPS = 250n;
const CHALLENGE_SECONDS = HOUR;
const KEY_WINDOW = 600;
const CONCESSION_WINDOW = HOUR;
const RULING_SECONDS = 6 * HOUR;
const HEARTBEAT_SECONDS = 4_000;
/** How often attentive owners try what they lease. */
const PROBE_SECONDS = 600;
/** From here on seconds that are billed beyond those that the work takes are disputed. */
const OVERBILLED = 1.2;
const STAKE_WEI = 30_000n * UNIT;
const DEPOSIT_WEI = 10_000_000n * UNIT;
const RESOURCES: Resources = {
  gpuCount: 1,
  gpuClass: 10,
  vramMiB: 81_559,
  ramMiB: 65_536,
  cpuMilli: 8_000,
  diskMiB: 102_400,
};
const MARKET = new Interface(ITaskMarket__factory.abi);
const REGISTRY = new Interface(ProviderRegistry__factory.abi);
const REWARDS = new Interface(ProviderRewards__factory.abi);
const ARBITER = new Interface(NamedArbiter__factory.abi);
const CHUNK = 50;

type Draw = () => number;

/** The market with everybody in it. */
export class EconomicMarket {
  readonly chain: SimulatedChain;
  readonly parameters: Parameters;
  readonly providers: ProviderParty[] = [];
  readonly owners: OwnerParty[] = [];
  /** Treasury, arbiters, keeper, and who funds the rewards. */
  readonly others: Party[] = [];
  readonly counts = new Map<string, number>();
  readonly days: number;
  #market = "";
  #registry = "";
  #rewards = "";
  #arbiters: Record<"named" | "silent", string> = { named: "", silent: "" };
  #domain: MarketDomain = { chainId: 0n, market: "" };
  #startSeconds = 0;

  private constructor(chain: SimulatedChain, parameters: Parameters) {
    this.chain = chain;
    this.parameters = parameters;
    // As busy for few tasks as for many.
    this.days = (4 * parameters.tasks) / parameters.providers / 50;
  }

  static async create(parameters: Parameters): Promise<EconomicMarket> {
    const chain = await SimulatedChain.create({ gasPriceWei: parameters.gasPriceWei });
    const market = new EconomicMarket(chain, parameters);
    await market.#deploy();
    await market.#enter();
    return market;
  }

  async close(): Promise<void> {
    await this.chain.connection.close();
  }

  /** Plays all tasks to their end. */
  async play(onProgress: (done: number) => void = () => undefined): Promise<void> {
    await this.chain.start();
    this.#startSeconds = this.chain.nowSeconds;
    const actors: Promise<void>[] = [this.#join()];
    const endSeconds = this.#startSeconds + HOUR + this.days * DAY;
    let done = 0;
    const count = Math.ceil(this.parameters.tasks / this.owners.length);
    for (const owner of this.owners) {
      // Owners of equal numbers order alike, whatever their strategies: what differs is what came of those.
      const seed = `${this.parameters.seed} order ${owner.number}`;
      const draw = random(seed);
      for (let task = 0; task < count; task++) {
        const atSeconds = this.#startSeconds + HOUR + Math.floor(draw() * this.days * DAY);
        const own = random(`${seed} ${task}`);
        actors.push(
          this.#order(owner, atSeconds, own).then(() => {
            done++;
          }),
        );
      }
    }
    for (const provider of this.providers)
      if (provider.play.dealsWithItself) actors.push(this.#deal(provider));
    for (let epoch = 1; epoch <= Math.ceil(this.days) + 3; epoch++) actors.push(this.#reward(epoch));
    for (let hour = 0; hour < this.days * 24 + 1; hour++) actors.push(this.#refresh(hour));
    const failure = Promise.all(actors);
    let error: unknown;
    failure.catch((thrown: unknown) => (error ??= thrown));
    await this.chain.run(() => {
      if (error !== undefined) throw error as Error;
      onProgress(done);
    });
    await failure;
    if (this.chain.nowSeconds < endSeconds - DAY) throw new Error("the simulation ended before its time");
  }

  /** What a party has now: wallet, balance in the market, stake, and what is in the rewards of their contract [wei]. */
  async wealthOf({ address }: Party): Promise<bigint> {
    const [[balance], stake, wallet] = await Promise.all([
      this.chain.call<[bigint]>(MARKET, this.#market, "balanceOf", [address]),
      this.stakeOf(address),
      this.chain.balanceOf(address),
    ]);
    return balance + stake + wallet;
  }

  async stakeOf(address: string): Promise<bigint> {
    const [operator] = await this.chain.call<[string]>(REGISTRY, this.#registry, "operatorOf", [address]);
    if (operator === ZeroAddress) return 0n;
    const [{ stake }] = await this.chain.call<[IProviderRegistry.ProviderStructOutput]>(
      REGISTRY,
      this.#registry,
      "providerOf",
      [address],
    );
    return stake;
  }

  /** As clients see it. */
  async context(): Promise<MarketContext> {
    const { provider } = this.chain.connection.ethers;
    const { chainId } = await provider.getNetwork();
    const deployment: Deployment = {
      schema: "neura/deployment/1",
      chainId: Number(chainId),
      block: 0,
      contracts: {
        KeyRegistry: ZeroAddress,
        ModelRegistry: ZeroAddress,
        ProviderRegistry: this.#registry,
        TaskMarket: this.#market,
        ProviderRewards: this.#rewards,
      },
      currency: { address: ZeroAddress, ...ANKR },
    };
    const storage = (): never => {
      throw new Error("nothing is stored");
    };
    return openMarket({ runner: provider, deployment, storage, home: "" });
  }

  get parties(): Party[] {
    return [...this.providers, ...this.owners, ...this.others];
  }

  // ---- Set-up ----

  async #deploy(): Promise<void> {
    const { ethers } = this.chain.connection;
    const [admin] = await ethers.getSigners();
    if (admin === undefined) throw new Error("the chain has no accounts");
    const registry = await new ProviderRegistry__factory(admin).deploy(ZeroAddress, 45 * DAY, admin);
    const treasury = await this.#other("treasury");
    const settings = {
      ...{ currency: ZeroAddress, registry, models: ZeroAddress, admin, treasury, feeBps: FEE_BPS },
      ...{ declineWindow: 600, keyWindow: KEY_WINDOW, takeOverWindow: HOUR },
      concessionWindow: CONCESSION_WINDOW,
    };
    const extension = await new TaskMarketExtension__factory(admin).deploy(settings);
    const market = await new TaskMarket__factory(admin).deploy(settings, extension);
    await registry.authorizeMarket(market);
    const rewards = await new ProviderRewards__factory(admin).deploy(
      await market.getAddress(),
      DAY,
      1_000_000n * UNIT,
      8_000,
    );
    const judge = await this.#other("judge");
    for (const name of ["named", "silent"] as const) {
      const arbiter = await new NamedArbiter__factory(admin).deploy(judge, 100, 1, RULING_SECONDS);
      this.#arbiters[name] = await arbiter.getAddress();
      this.others.push(partyOf(`arbiter ${name}`, "arbiter", this.#arbiters[name]));
    }
    const potWei = 1_000_000n * UNIT;
    const sponsor = await this.#other("sponsor");
    await this.#other("keeper");
    this.#market = await market.getAddress();
    this.#registry = await registry.getAddress();
    this.#rewards = await rewards.getAddress();
    await this.#must(sponsor, this.#rewards, REWARDS.encodeFunctionData("fund", [potWei]), potWei);
    this.others.push(partyOf("rewards", "rewards", this.#rewards));
    this.#domain = { chainId: (await ethers.provider.getNetwork()).chainId, market: this.#market };
  }

  async #other(name: string): Promise<string> {
    const address = await this.chain.account(name, 2_000_000n * UNIT);
    this.others.push(partyOf(name, name, address));
    return address;
  }

  async #enter(): Promise<void> {
    for (const { strategy, play, number, spread } of groupsOf(PROVIDERS, this.parameters.providers)) {
      const name = `provider ${strategy} ${number}`;
      const address = await this.chain.account(name, 2_000_000n * UNIT);
      // The same rates in every group.
      const rateWei = (BASE_RATE_WEI * BigInt(Math.round(9_800 + 400 * spread))) / 10_000n;
      const slots = play.slots ?? 2;
      await this.#must(
        address,
        this.#registry,
        REGISTRY.encodeFunctionData("register", [
          address,
          address,
          { shape: packResources(RESOURCES), rateWei, slots, metadata: "" },
        ]),
      );
      await this.#must(address, this.#registry, REGISTRY.encodeFunctionData("stake", [STAKE_WEI]), STAKE_WEI);
      this.providers.push({
        ...partyOf(name, strategy, address, { number, spread }),
        ...{
          play,
          rateWei,
          slots,
          busy: 0,
          leases: new Set(),
          avoided: new Set(),
          leftBy: new Set(),
          report: undefined,
        },
        ...{ rotations: 0, serial: 0, stakedWei: STAKE_WEI },
      });
    }
    const owners = Math.max(Math.round(this.parameters.providers / 2), 20);
    for (const { strategy, play, number, spread } of groupsOf(OWNERS, owners)) {
      const name = `owner ${strategy} ${number}`;
      const address = await this.chain.account(name, 2n * DEPOSIT_WEI);
      const deposit = MARKET.encodeFunctionData("deposit", [DEPOSIT_WEI]);
      await this.#must(address, this.#market, deposit, DEPOSIT_WEI);
      this.owners.push({
        ...partyOf(name, strategy, address, { number, spread }),
        ...{ play, distrusted: new Set(), partner: undefined, victim: undefined, serial: 0 },
      });
    }
    const honest = this.providers.filter(({ strategy }) => strategy === "honest");
    for (const [index, owner] of this.owners.filter(({ play }) => play.hasVictim).entries()) {
      owner.victim = honest[(index * 7) % honest.length];
    }
    const partners = this.providers
      .filter(
        ({ play }) => play.fakes !== "always" && play.stalls !== true && play.dealsWithItself === undefined,
      )
      .toSorted((one, other) => one.spread - other.spread);
    for (const [index, owner] of this.owners.entries()) {
      owner.partner =
        partners[Math.floor(((index % partners.length) * partners.length) / this.owners.length)];
    }
    for (const party of this.parties) party.startWei = await this.wealthOf(party);
  }

  /** A transaction of the set-up, at no gas. */
  async #must(from: string, to: string, data: string, valueWei = 0n): Promise<void> {
    const value = `0x${valueWei.toString(16)}`;
    await this.chain.connection.provider.request({
      method: "eth_sendTransaction",
      params: [{ from, to, data, value, gas: "0x4c4b40", gasPrice: "0x3b9aca00" }],
    });
  }

  // ---- Rewards ----

  async #join(): Promise<void> {
    await this.#record();
  }

  async #record(): Promise<void> {
    const keeper = this.#named("keeper");
    for (let from = 0; from < this.providers.length; from += CHUNK) {
      const accounts = this.providers.slice(from, from + CHUNK).map(({ address }) => address);
      await this.#send(keeper, this.#rewards, REWARDS.encodeFunctionData("record", [accounts]));
    }
  }

  /** Near the end of an epoch fees are recorded; after it rewards are claimed, by anybody for everybody. */
  async #reward(epoch: number): Promise<void> {
    const [startedAt] = await this.chain.call<[bigint]>(REWARDS, this.#rewards, "startedAt", []);
    const endSeconds =
      Number(startedAt) + Math.ceil((this.#startSeconds - Number(startedAt)) / DAY + epoch) * DAY;
    await this.chain.at(endSeconds - HOUR);
    await this.#record();
    const [number] = await this.chain.call<[bigint]>(REWARDS, this.#rewards, "currentEpoch", []);
    await this.chain.at(endSeconds + MINUTE);
    const keeper = this.#named("keeper");
    await Promise.all(
      this.providers.map(async (provider) => {
        const [fees, reward] = await this.chain.call<[bigint, bigint, boolean]>(
          REWARDS,
          this.#rewards,
          "rewardOf",
          [provider.address, number],
        );
        if (fees === 0n) return;
        const claim = REWARDS.encodeFunctionData("claim", [provider.address, number]);
        const { ok } = await this.#send(keeper, this.#rewards, claim);
        if (ok) provider.rewardsWei += reward;
      }),
    );
  }

  // ---- Providers' deals with themselves ----

  /** A provider's tasks for itself: large ones for rewards, or many at no price for a record. */
  async #deal(provider: ProviderParty): Promise<void> {
    const { dealsWithItself } = provider.play;
    const forRewards = dealsWithItself === "rewards";
    const count = forRewards ? Math.ceil(this.parameters.tasks / this.parameters.providers) : 100;
    const deposit = MARKET.encodeFunctionData("deposit", [UNIT * 100_000n]);
    await this.#send(provider, this.#market, deposit, UNIT * 100_000n);
    for (let number = 0; number < count; number++) {
      const spacing = forRewards ? (this.days * DAY) / count : MINUTE;
      await this.chain.at(this.#startSeconds + 10 * MINUTE + Math.floor(number * spacing));
      const amountWei = forRewards ? 1_000n * UNIT : 1n;
      const order = this.#make(provider, {
        provider: provider.address,
        price: { amountWei, metered: false },
        workSeconds: 1,
        durationSeconds: MINUTE,
      });
      if (!(await this.#submit(provider, order)).ok) continue;
      await this.chain.at(this.chain.nowSeconds + 5);
      await this.#deliver(provider, order, { secondsUsed: 1 });
      if (forRewards) provider.tasks++;
      this.#count(forRewards ? "dealt for rewards" : "dealt for a record");
    }
  }

  // ---- Orders ----

  /** One task of an owner, from its choice to its end. */
  async #order(owner: OwnerParty, atSeconds: number, draw: Draw): Promise<void> {
    await this.chain.at(atSeconds);
    const { play } = owner;
    owner.tasks++;
    const kind = play.only ?? kindOf(draw());
    if (kind === "dust" || kind === "missing" || kind === "probe") {
      await this.#nuisance(owner, kind, draw);
      return;
    }
    if (kind === "open" || kind === "flood" || kind === "withheld" || kind === "unreadable") {
      await this.#open(owner, kind, draw);
      return;
    }
    if (kind === "lease") {
      await this.#lease(owner, draw);
      return;
    }
    await this.#job(owner, kind, draw);
  }

  /** A job of a provider that the owner chooses. */
  async #job(owner: OwnerParty, kind: "challenged" | "unchallenged", draw: Draw): Promise<void> {
    const durationSeconds = Math.round(600 + 3_000 * draw());
    const workSeconds = Math.round(durationSeconds * (0.6 + 0.4 * draw()));
    const metered = draw() < 0.5;
    const costWei = BASE_RATE_WEI * BigInt(durationSeconds);
    // The rule for jobs without a challenge period: only from whom the owner named itself, and never again from who
    // was found wanting.
    const { partner } = owner;
    const isChallenged = !(
      kind === "unchallenged" &&
      partner !== undefined &&
      partner.busy < partner.slots &&
      !owner.distrusted.has(partner)
    );
    const provider = isChallenged ? (owner.victim ?? this.#choose(owner, costWei)) : partner;
    if (provider === undefined) {
      this.#count("nobody was free");
      return;
    }
    const order = this.#orderOf(owner, {
      provider: provider.address,
      price: { amountWei: metered ? provider.rateWei : provider.rateWei * BigInt(workSeconds), metered },
      ...{ workSeconds, durationSeconds, isChallenged },
      collateralWei: this.#collateral(provider.rateWei * BigInt(workSeconds)),
    });
    provider.busy++;
    try {
      if (!(await this.#submit(owner, order)).ok) {
        this.#count("not submitted");
        return;
      }
      await this.chain.at(this.chain.nowSeconds + MINUTE);
      const accepted = await this.#sendMarket(provider, "accept", [order.words, order.workHash]);
      if (!accepted.ok) {
        await this.#notAccepted(order);
        return;
      }
      await this.#perform(provider, order, { priceWei: order.terms.price.amountWei, draw });
    } finally {
      provider.busy--;
    }
  }

  /** A task for whoever takes it. */
  async #open(
    owner: OwnerParty,
    kind: "open" | "flood" | "withheld" | "unreadable",
    draw: Draw,
  ): Promise<void> {
    const durationSeconds = Math.round(600 + 3_000 * draw());
    const workSeconds = Math.round(durationSeconds * (0.6 + 0.4 * draw()));
    const isSealed = kind === "withheld" || (kind === "open" && draw() < 0.5);
    const share = (parts: bigint): bigint => (BASE_RATE_WEI * parts) / 100n;
    const [amountWei, maximumWei] = kind === "flood" ? [1n, 1_000n] : [share(80n), share(120n)];
    const order = this.#orderOf(owner, {
      provider: ZeroAddress,
      price: { amountWei, maximumWei, metered: true },
      ...{ workSeconds, durationSeconds, isChallenged: true, isSealed },
      collateralWei: this.#collateral(BASE_RATE_WEI * BigInt(workSeconds)),
      isReadable: kind !== "unreadable",
      startBySeconds: this.chain.nowSeconds + 1_800,
    });
    const { ok, atSeconds } = await this.#submit(owner, order);
    if (!ok) {
      this.#count("not submitted");
      return;
    }
    const taker = this.#taker(owner, order, atSeconds, draw);
    if (taker === undefined) {
      await this.chain.at(order.terms.conditions.startBySeconds + 1);
      await this.#sendMarket(owner, "expire", [order.words, order.workHash]);
      this.#count("open, and nobody took it");
      return;
    }
    const { provider } = taker;
    provider.busy++;
    try {
      await this.chain.at(taker.atSeconds);
      const accepted = await this.#sendMarket(provider, "acceptOpen", [
        order.words,
        order.work,
        provider.address,
      ]);
      if (!accepted.ok) {
        await this.#notAccepted(order);
        return;
      }
      if (isSealed) {
        if (kind === "withheld") {
          await this.chain.at(accepted.atSeconds + KEY_WINDOW + 1);
          await this.#sendMarket(provider, "expire", [order.words, order.workHash]);
          provider.avoided.add(owner);
          this.#count("key withheld");
          return;
        }
        await this.chain.at(this.chain.nowSeconds + MINUTE);
        await this.#sendMarket(owner, "publishPayloadKey", [
          order.words,
          order.workHash,
          `0x${"11".repeat(200)}`,
        ]);
      }
      const priceWei =
        amountWei +
        ((maximumWei - amountWei) * BigInt(accepted.atSeconds - atSeconds)) /
          BigInt(order.terms.conditions.startBySeconds - atSeconds);
      await this.#perform(provider, order, { priceWei, draw });
    } finally {
      provider.busy--;
    }
  }

  /** Who takes an open task first: whoever is content with the lowest price; of those equally content, by chance. */
  #taker(
    owner: OwnerParty,
    { terms, isReadable }: Order,
    openedSeconds: number,
    draw: Draw,
  ): { provider: ProviderParty; atSeconds: number } | undefined {
    const { price, conditions, collateralWei } = terms;
    const { amountWei, maximumWei = amountWei } = price;
    const length = conditions.startBySeconds - openedSeconds;
    let best: { provider: ProviderParty; atSeconds: number; turn: number } | undefined;
    for (const provider of this.providers) {
      const { play, rateWei, report } = provider;
      const turn = draw();
      if (
        provider.busy >= provider.slots ||
        provider.avoided.has(owner) ||
        play.dealsWithItself === "rewards"
      )
        continue;
      if ((report?.freeStakeWei ?? 0n) < collateralWei) continue;
      // What costs no work is worth any price, but for the collateral.
      const isCareless =
        (play.fakes === "always" || play.stalls === true) && 2n * maximumWei >= BASE_RATE_WEI;
      // What cannot be read is left alone, also by who fakes: whatever is delivered for it is sure to be disputed.
      if (!isReadable) continue;
      const wantedWei = isCareless ? amountWei : play.snipes && maximumWei > rateWei ? maximumWei : rateWei;
      if (wantedWei > maximumWei) continue;
      const share =
        wantedWei <= amountWei ? 0 : Number(wantedWei - amountWei) / Number(maximumWei - amountWei);
      const atSeconds = Math.min(
        openedSeconds + MINUTE + Math.ceil(length * share),
        conditions.startBySeconds - 2,
      );
      if (
        best === undefined ||
        atSeconds < best.atSeconds ||
        (atSeconds === best.atSeconds && turn < best.turn)
      ) {
        best = { provider, atSeconds, turn };
      }
    }
    return best;
  }

  // ---- Work ----

  /** A provider's part of a job that it accepted, and what follows from it. */
  async #perform(
    provider: ProviderParty,
    order: Order,
    { priceWei, draw }: { priceWei: bigint; draw: Draw },
  ): Promise<void> {
    const { play } = provider;
    const { terms, owner, workSeconds } = order;
    const startedSeconds = this.chain.nowSeconds;
    const isNamed = terms.provider !== ZeroAddress;
    const { startBySeconds, completeBySeconds } = terms.conditions;
    const lastSecond = isNamed ? completeBySeconds : startedSeconds + completeBySeconds - startBySeconds;
    provider.tasks++;
    if (play.stalls) {
      await this.#fail(order, lastSecond);
      owner.distrusted.add(provider);
      this.#count("stalled");
      return;
    }
    const isChallenged = terms.conditions.challengePeriodSeconds !== undefined;
    const isGood = play.fakes !== "always" && !(play.fakes === "unchallenged" && !isChallenged);
    const billedSeconds = play.isLast ? terms.conditions.durationSeconds : workSeconds;
    await this.chain.at(play.isLast ? lastSecond : startedSeconds + workSeconds);
    const sender = play.rotates ? await this.#rotate(provider) : provider;
    const delivered = await this.#deliver(sender, order, { secondsUsed: billedSeconds });
    if (delivered === undefined) {
      await this.#fail(order, lastSecond);
      this.#count("not delivered");
      return;
    }
    this.#count(isGood ? "delivered" : "delivered rubbish");
    const fairWei = terms.price.metered ? priceWei * BigInt(workSeconds) : priceWei;
    if (isGood) {
      provider.costWei += this.#share(BASE_RATE_WEI * BigInt(workSeconds), this.parameters.costShare);
      provider.dueWei += fairWei - (fairWei * FEE_BPS) / 10_000n;
      owner.dueWei += fairWei;
      owner.valueWei += this.#share(fairWei, this.parameters.valueShare);
    }
    // The work is done: the place is free while the period runs.
    provider.busy--;
    try {
      const fairBps = !isGood
        ? 0
        : terms.price.metered
          ? Math.floor((10_000 * workSeconds) / billedSeconds)
          : 10_000;
      await this.#judge(provider, order, { delivered, isGood, fairBps, fairWei, isChallenged, draw });
    } finally {
      provider.busy++;
    }
  }

  /** Nobody took it in time: everything goes back. */
  async #notAccepted({ owner, terms, words, workHash }: Order): Promise<void> {
    await this.chain.at(terms.conditions.startBySeconds + 1);
    await this.#sendMarket(owner, "expire", [words, workHash]);
    this.#count("not accepted");
  }

  /** It was not delivered in time: anybody ends it, for a part of the collateral. */
  async #fail({ words, workHash }: Order, lastSecond: number): Promise<void> {
    await this.chain.at(lastSecond + 1);
    await this.#sendMarket(this.#named("keeper"), "fail", [words, workHash]);
  }

  /** What the owner makes of a delivery. */
  async #judge(
    provider: ProviderParty,
    order: Order,
    {
      delivered,
      isGood,
      fairBps,
      fairWei,
      isChallenged,
      draw,
    }: {
      delivered: Delivered & { atSeconds: number };
      isGood: boolean;
      fairBps: number;
      fairWei: bigint;
      isChallenged: boolean;
      draw: Draw;
    },
  ): Promise<void> {
    const { owner, words, workHash } = order;
    const { play } = owner;
    const looks = !play.isBlind && draw() < this.parameters.auditShare;
    if (looks) owner.costWei += this.#share(fairWei, this.parameters.auditCostShare);
    const isFound = looks && (!isGood || fairBps * OVERBILLED < 10_000);
    if (isFound) {
      owner.distrusted.add(provider);
      this.#count("found wanting");
    }
    if (!isChallenged) return;
    // Who grieves disputes everything; who accuses falsely, what it knows to be good.
    if (!isFound && !(play.accuses && (looks || play.hasVictim))) {
      await this.chain.at(delivered.atSeconds + CHALLENGE_SECONDS + 1);
      await this.#sendMarket(provider, "settle", [words, workHash, wordsOf(delivered)]);
      return;
    }
    await this.chain.at(delivered.atSeconds + 5 * MINUTE);
    const { ok, atSeconds } = await this.#sendMarket(owner, "dispute", [
      ...[words, workHash, wordsOf(delivered)],
      ...[0, ZeroHash, 2n ** 95n],
    ]);
    if (!ok) throw new Error("a dispute was refused");
    this.#count("disputed");
    if (!isGood && provider.play.concedes && !play.silentArbiter) {
      await this.chain.at(atSeconds + MINUTE);
      await this.#sendMarket(provider, "concede", [words, workHash, wordsOf(delivered)]);
      this.#count("conceded");
      return;
    }
    if (play.silentArbiter) {
      await this.chain.at(atSeconds + RULING_SECONDS + 1);
      await this.#sendMarket(provider, "resolve", [words, workHash, wordsOf(delivered)]);
      this.#count("arbiter silent");
      return;
    }
    await this.chain.at(atSeconds + CONCESSION_WINDOW + 1);
    const rule = ARBITER.encodeFunctionData("rule", [
      ...[this.#market, words, workHash],
      ...[wordsOf(delivered), isGood && fairBps * OVERBILLED >= 10_000 ? 10_000 : fairBps],
    ]);
    await this.#send(this.#named("judge"), this.#arbiters.named, rule);
    this.#count("ruled");
  }

  /** Another hot key from now on; the old one can do nothing more. */
  async #rotate(provider: ProviderParty): Promise<Party> {
    const name = `${provider.name} key ${++provider.rotations}`;
    const address = await this.chain.account(name, UNIT);
    const key = { ...partyOf(name, provider.strategy, address), startWei: UNIT };
    this.others.push(key);
    const data = REGISTRY.encodeFunctionData("setOperator", [address]);
    await this.#send(provider, this.#registry, data);
    return key;
  }

  // ---- Leases ----

  async #lease(owner: OwnerParty, draw: Draw): Promise<void> {
    const durationSeconds = HOUR * Math.round(3 + 3 * draw());
    const provider = this.#choose(owner, BASE_RATE_WEI * BigInt(durationSeconds), { isLease: true });
    if (provider === undefined) {
      this.#count("nobody was free");
      return;
    }
    const order = this.#orderOf(owner, {
      provider: provider.address,
      price: { amountWei: provider.rateWei, metered: true, heartbeatSeconds: HEARTBEAT_SECONDS },
      ...{ workSeconds: durationSeconds, durationSeconds, isLease: true },
      collateralWei: this.#collateral(provider.rateWei * BigInt(HOUR)),
    });
    provider.busy++;
    try {
      if (!(await this.#submit(owner, order)).ok) {
        this.#count("not submitted");
        return;
      }
      await this.chain.at(this.chain.nowSeconds + MINUTE);
      const call = [order.words, order.workHash];
      if (!(await this.#sendMarket(provider, "accept", call)).ok) {
        await this.#notAccepted(order);
        return;
      }
      provider.tasks++;
      if (provider.play.stalls) {
        await this.#fail(order, order.terms.conditions.completeBySeconds);
        owner.distrusted.add(provider);
        this.#count("stalled");
        return;
      }
      await this.chain.at(this.chain.nowSeconds + MINUTE);
      const ready = await this.#sendMarket(provider, "ready", [...call, `0x${"22".repeat(400)}`]);
      if (!ready.ok) {
        await this.#fail(order, order.terms.conditions.completeBySeconds);
        this.#count("not ready");
        return;
      }
      await this.#keepUp(provider, order, { readySeconds: ready.atSeconds, draw });
    } finally {
      provider.busy--;
    }
  }

  /** A lease that is up, or of which its provider says so. */
  async #keepUp(
    provider: ProviderParty,
    { id: task, owner, words, workHash, terms }: Order,
    { readySeconds, draw }: { readySeconds: number; draw: Draw },
  ): Promise<void> {
    const endsSeconds = readySeconds + terms.conditions.durationSeconds;
    // It serves for an hour, so that the first look finds nothing.
    const servedUntil = provider.play.fakesLeases ? readySeconds + HOUR : endsSeconds;
    provider.leases.add(task);
    if (provider.leases.size === 1) void this.#beat(provider);
    let until = endsSeconds;
    if (servedUntil < endsSeconds && !owner.play.isBlind) {
      until = Math.min(servedUntil + Math.ceil(PROBE_SECONDS * draw()), endsSeconds - 1);
      await this.chain.at(until);
      await this.#sendMarket(owner, "close", [words, workHash, Outcome.OwnerClosed]);
      owner.distrusted.add(provider);
      provider.leftBy.add(owner);
      this.#count("lease left");
    }
    await this.chain.at(until);
    await this.#sendMarket(provider, "endLease", [words, workHash]);
    provider.leases.delete(task);
    this.#count(provider.play.fakesLeases ? "lease without service" : "leased");
    const served = BigInt(servedUntil - readySeconds);
    const fairWei = provider.rateWei * served;
    provider.costWei += this.#share(BASE_RATE_WEI * served, this.parameters.costShare);
    provider.dueWei += fairWei - (fairWei * FEE_BPS) / 10_000n;
    owner.dueWei += fairWei;
    owner.valueWei += this.#share(fairWei, this.parameters.valueShare);
  }

  /** One heartbeat each hour for all leases of a provider, as long as it has any. */
  async #beat(provider: ProviderParty): Promise<void> {
    while (provider.leases.size > 0) {
      await this.chain.at(this.chain.nowSeconds + HOUR);
      if (provider.leases.size > 0) await this.#sendMarket(provider, "heartbeat", [[...provider.leases]]);
    }
  }

  // ---- Nuisances ----

  /** Tasks that nobody should take: at no price, without a payload, or taken back at once. */
  async #nuisance(owner: OwnerParty, kind: "dust" | "missing" | "probe", draw: Draw): Promise<void> {
    const provider = owner.victim ?? this.#choose(owner, BASE_RATE_WEI);
    if (provider === undefined) return;
    const durationSeconds = Math.round(600 + 3_000 * draw());
    const order = this.#orderOf(owner, {
      provider: provider.address,
      price: { amountWei: kind === "dust" ? 1n : provider.rateWei, metered: true },
      ...{ workSeconds: durationSeconds, durationSeconds, isReadable: kind !== "missing" },
    });
    if (!(await this.#submit(owner, order)).ok) {
      this.#count("not submitted");
      return;
    }
    const call = [order.words, order.workHash];
    if (kind === "missing") {
      await this.chain.at(this.chain.nowSeconds + MINUTE);
      await this.#sendMarket(provider, "decline", [...call, Outcome.PayloadMissing]);
    } else if (kind === "probe") {
      await this.chain.at(this.chain.nowSeconds + 5);
      await this.#sendMarket(owner, "cancel", call);
    } else {
      // Below its price, a node leaves it alone.
      await this.chain.at(order.terms.conditions.startBySeconds + 1);
      await this.#sendMarket(owner, "expire", call);
    }
    this.#count(kind);
  }

  // ---- Choice ----

  /** What the chain says of everybody, as owners' clients read it each hour. */
  async #refresh(hour: number): Promise<void> {
    await this.chain.at(this.#startSeconds + 30 * MINUTE + hour * HOUR);
    const reports = new Map<string, ProviderReport>();
    for (let cursor = 0n; ;) {
      const [page, next] = await this.chain.call<[IProviderRegistry.ProviderStructOutput[], bigint]>(
        REGISTRY,
        this.#registry,
        "providers",
        [cursor, CHUNK],
      );
      const records = await Promise.all(
        page.map(({ account }) =>
          this.chain.call<[bigint, bigint]>(MARKET, this.#market, "recordOf", [account]),
        ),
      );
      for (const [index, provider] of page.entries()) {
        reports.set(provider.account, reportOf(provider, records[index] ?? [0n, 0n]));
      }
      if (next === 0n) break;
      cursor = next;
    }
    for (const provider of this.providers) provider.report = reports.get(provider.address);
  }

  /** The best provider that is free, by the ranking of the client. */
  #choose(
    owner: OwnerParty,
    costWei: bigint,
    { isLease = false }: { isLease?: boolean } = {},
  ): ProviderParty | undefined {
    const collateralWei = this.#collateral(costWei);
    const free = this.providers.filter(
      (provider) =>
        provider.busy < provider.slots &&
        provider.play.dealsWithItself !== "rewards" &&
        !owner.distrusted.has(provider),
    );
    const reports = free.flatMap(({ report, slots, busy, leftBy }) => {
      if (report === undefined || report.freeStakeWei < collateralWei) return [];
      const hasStanding =
        report.record.secondsSold > 0 || report.freeStakeWei >= standingStakeWei(costWei, ANKR);
      if (!hasStanding) return [];
      const capacity = { slots, freeSlots: slots - busy, shape: RESOURCES, measuredAt: "" };
      const record = { ...report.record, ...(isLease ? { left: leftBy.size } : {}) };
      return [{ ...report, costWei, capacity, record }];
    });
    const seed = `${owner.address} ${++owner.serial}`;
    const [best] = rankProviders(reports, { resources: RESOURCES, currency: ANKR, seed });
    return free.find(({ address }) => address === best?.account);
  }

  // ---- Transactions ----

  #orderOf(owner: OwnerParty, task: NewTask): Order {
    return { ...this.#make(owner, task), owner };
  }

  #make(
    owner: Orderer,
    {
      provider,
      price,
      workSeconds,
      durationSeconds,
      isChallenged = false,
      isSealed = false,
      isLease = false,
      isReadable = true,
      collateralWei = 0n,
      startBySeconds = this.chain.nowSeconds + 600,
    }: NewTask,
  ): Omit<Order, "owner"> {
    const isSilent = owner.play !== undefined && "silentArbiter" in owner.play;
    const arbiter = isSilent ? this.#arbiters.silent : this.#arbiters.named;
    const number = ++owner.serial;
    const salt = id(`${owner.name} ${number}`);
    const terms: Terms = {
      ...{ owner: owner.address, provider, price, collateralWei, salt },
      conditions: {
        startBySeconds,
        completeBySeconds: startBySeconds + (isLease ? 600 : 2 * durationSeconds),
        durationSeconds,
        keyEpoch: 1,
        ...(isChallenged ? { challengePeriodSeconds: CHALLENGE_SECONDS } : {}),
        ...(isSealed ? { isSealed } : {}),
        ...(isLease ? { kind: Kind.Lease } : {}),
      },
      ...(isChallenged ? { arbiter } : {}),
    };
    const work: Work = {
      resources: RESOURCES,
      payloadHash: salt,
      payload: "ar://0123456789abcdefghijklmnopqrstuvwxyzABCDEFG",
    };
    return {
      ...{ terms, words: encodeTerms(terms), work: encodeWork(work), workHash: workHashOf(work) },
      ...{ id: taskId(this.#domain, terms, work), workSeconds, isReadable },
    };
  }

  async #submit(owner: Party, order: Omit<Order, "owner">): Promise<Sent> {
    const sent = await this.#sendMarket(owner, "submit", [order.words, order.work]);
    if (sent.ok) {
      owner.escrowedWei += maximumCostWei(order.terms);
      this.#count("submitted");
    }
    return sent;
  }

  async #deliver(
    sender: Party,
    { words, workHash, terms }: Omit<Order, "owner">,
    { secondsUsed }: { secondsUsed: number },
  ): Promise<(Delivered & { atSeconds: number }) | undefined> {
    const delivered = {
      report: encodeReport({ outcome: Outcome.Completed, secondsUsed }),
      resultHash: id(`result ${terms.salt}`),
      evidenceHash: id(`evidence ${terms.salt}`),
    };
    const delivery = { ...delivered, result: "ar://0123456789abcdefghijklmnopqrstuvwxyzABCDEFG" };
    const { ok, atSeconds } = await this.#sendMarket(sender, "deliver", [words, workHash, delivery]);
    return ok ? { ...delivered, atSeconds } : undefined;
  }

  async #sendMarket(from: Party, name: string, args: readonly unknown[]): Promise<Sent> {
    return await this.#send(from, this.#market, MARKET.encodeFunctionData(name, args));
  }

  async #send({ address }: Party, to: string, data: string, valueWei = 0n): Promise<Sent> {
    return await this.chain.send(address, to, data, valueWei);
  }

  #named(name: string): Party {
    const found = this.others.find((party) => party.name === name);
    if (found === undefined) throw new Error(`there is no ${name}`);
    return found;
  }

  #collateral(priceWei: bigint): bigint {
    return this.#share(priceWei, this.parameters.collateral);
  }

  #share(amountWei: bigint, share: number): bigint {
    return (amountWei * BigInt(Math.round(share * 10_000))) / 10_000n;
  }

  #count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }
}

function partyOf(
  name: string,
  strategy: string,
  address: string,
  { number, spread }: { number: number; spread: number } = { number: 0, spread: 0 },
): Party {
  return {
    ...{
      name,
      strategy,
      address,
      number,
      spread,
      startWei: 0n,
      tasks: 0,
      costWei: 0n,
      valueWei: 0n,
      dueWei: 0n,
    },
    ...{ escrowedWei: 0n, stakedWei: 0n, rewardsWei: 0n },
  };
}

/** What honest owners order. */
function kindOf(drawn: number): "challenged" | "unchallenged" | "open" | "lease" {
  if (drawn < 0.7) return "challenged";
  if (drawn < 0.8) return "unchallenged";
  return drawn < 0.92 ? "open" : "lease";
}

/** The members of all groups; `spread` goes evenly from 0 to 1 within each. */
function groupsOf<Play extends { readonly share: number }>(
  strategies: Readonly<Record<string, Play>>,
  total: number,
): { strategy: string; play: Play; number: number; spread: number }[] {
  const sizes = Object.entries(strategies).map(
    ([strategy, play]) => [strategy, play, Math.max(1, Math.round(play.share * total))] as const,
  );
  const others = sizes.reduce((sum, [strategy, , size]) => sum + (strategy === "honest" ? 0 : size), 0);
  return sizes.flatMap(([strategy, play, size]) => {
    const count = strategy === "honest" ? Math.max(1, total - others) : size;
    return Array.from({ length: count }, (_, number) => ({
      ...{ strategy, play, number },
      spread: count === 1 ? 0.5 : number / (count - 1),
    }));
  });
}

function reportOf(
  provider: IProviderRegistry.ProviderStructOutput,
  [completed, secondsSold]: readonly [bigint, bigint],
): ProviderReport {
  const { account, operator, offer } = provider;
  return {
    ...{
      account,
      operator,
      shape: RESOURCES,
      rateWei: offer.rateWei,
      costWei: 0n,
      slots: Number(offer.slots),
    },
    freeStakeWei: provider.stake - provider.locked - provider.unbonding,
    metadata: "",
    record: {
      completed: Number(completed),
      secondsSold: Number(secondsSold),
      declined: Number(provider.declined),
      abandoned: Number(provider.abandoned),
      failed: Number(provider.failed),
      disputed: Number(provider.disputed),
    },
    claims: { reason: "" },
    ...{ speed: {}, requirements: [], eligible: true, rank: 0, reason: "" },
  };
}

function wordsOf({ report, resultHash, evidenceHash }: Delivered): Delivered {
  return { report, resultHash, evidenceHash };
}
