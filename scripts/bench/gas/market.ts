/** Gas of whole jobs in the market. */
import {
  type ContractTransactionResponse,
  id,
  MaxUint256,
  parseEther,
  type Signer,
  ZeroAddress,
  zeroPadValue,
} from "ethers";
import { network } from "hardhat";
import type { NetworkConnection } from "hardhat/types/network";

import { Kind, Outcome } from "../../../src/market/outcome.ts";
import { packResources } from "../../../src/market/resources.ts";
import {
  encodeReport,
  encodeTerms,
  encodeWork,
  type MarketDomain,
  maximumCostWei,
  quoteTypedData,
  taskId,
  taskTypedData,
  type Terms,
  type Work,
  workHash as workHashOf,
} from "../../../src/market/terms.ts";
import {
  type ITaskMarket,
  ITaskMarket__factory,
  MockERC20__factory,
  NamedArbiter__factory,
  ProviderRegistry__factory,
  TaskMarket__factory,
  TaskMarketExtension__factory,
} from "../../../types/index.ts";
import { difference, type Figure, NOTHING, plusTransaction, shareOf } from "./figure.ts";

/** What these figures must not exceed [gas]. */
export const MARKET_LIMITS = {
  job: 105_000,
  failure: 95_000,
  batchMarginal: 60_000,
  quoted: 130_000,
  dispute: 300_000,
  leaseDay: 1_100_000,
  leaseDayOf20: 500_000,
};

/** No byte of these is zero, so that calldata costs the same whenever this runs. */
const START_SECONDS = 0x77_77_77_77;
const BETWEEN_JOBS_SECONDS = 0x2_22_22;
const DURATION_SECONDS = 0x11_11;
const USED_SECONDS = 0x09_99;
const RATE_WEI = 0x04_62_d5_37_e7_ef_4en;
const COLLATERAL_WEI = 0x11_22_33_44_55_66_77n;
const CHALLENGE_SECONDS = 0x2_11;
const REFERENCE = "Qm123456789abcdefghijkmnopqrstuvwxyzABCDEFGHJK";
const BATCH = 50;
const LEASES = 20;
const HOUR_SECONDS = 3_600;
const HEARTBEAT_SECONDS = 0x10_11;
/** As long as a sealed ticket to an endpoint is. */
const TICKET = `0x${"a7".repeat(400)}`;
const RESOURCES = {
  gpuCount: 1,
  gpuClass: 3,
  vramMiB: 24_576,
  ramMiB: 65_536,
  cpuMilli: 8_000,
  diskMiB: 102_400,
};

interface Setting {
  /** Tasks are paid in an ERC-20. */
  token?: boolean;
  /** The owner pays from its balance in the market. */
  ledger?: boolean;
  /** The provider's hot key sends its transactions. */
  operator?: boolean;
}

/** One transaction of a job, so many seconds after the job's start. */
interface Step {
  readonly verb: string;
  readonly afterSeconds: number;
  readonly send: () => Promise<ContractTransactionResponse>;
}

type Scenario = (stage: Stage, job: number) => Step[];

/** Measures everything, each figure on a fresh chain. */
export async function measureMarket(): Promise<Record<string, Figure>> {
  const first = await measure({ scenario: batchOf(1), setting: { ledger: true } });
  const batch = await measure({ scenario: batchOf(BATCH), setting: { ledger: true } });
  return {
    job: await measure({ scenario: plain("submit", "deliver") }),
    failure: await measure({ scenario: plain("submit", "cancel") }),
    jobLedger: await measure({ scenario: plain("submit", "deliver"), setting: { ledger: true } }),
    jobErc20: await measure({ scenario: plain("submit", "deliver"), setting: { token: true } }),
    jobOperator: await measure({ scenario: plain("submit", "deliver"), setting: { operator: true } }),
    jobAccepted: await measure({ scenario: plain("submit", "accept", "deliver") }),
    // Both transactions of a batch, shared out; and what one job more adds to it.
    batchMarginal: shareOf(batch, BATCH),
    batchNext: shareOf(difference(batch, first), BATCH - 1),
    quoted: await measure({ scenario: quoted, rehearsed: true }),
    sponsored: await measure({ scenario: sponsored, rehearsed: true }),
    open: await measure({ scenario: open, rehearsed: true }),
    takeOver: await measure({ scenario: takeOver, rehearsed: true }),
    challenged: await measure({ scenario: challenged, rehearsed: true }),
    dispute: await measure({ scenario: disputed, rehearsed: true }),
    leaseDay: await measure({ scenario: leaseDay(1), rehearsed: true }),
    leaseDayOf20: shareOf(await measure({ scenario: leaseDay(LEASES), rehearsed: true }), LEASES),
  };
}

/**
 * The gas of a job after another one of the same parties, and, where it is `rehearsed`, after one of its own kind: so
 * that no word is written for the first time that later jobs find written.
 */
async function measure({
  scenario,
  setting = {},
  rehearsed = false,
}: {
  scenario: Scenario;
  setting?: Setting;
  rehearsed?: boolean;
}): Promise<Figure> {
  const connection = await network.create();
  try {
    const stage = await openStage(connection, setting);
    const { networkHelpers } = connection;
    let figure = NOTHING;
    const scenarios = [plain("submit", "deliver"), ...(rehearsed ? [scenario] : []), scenario];
    for (const [index, each] of scenarios.entries()) {
      const job = index + 1;
      for (const { verb, afterSeconds, send } of each(stage, job)) {
        await networkHelpers.time.setNextBlockTimestamp(startOf(job) + afterSeconds);
        const transaction = await send();
        if (job < scenarios.length) await transaction.wait();
        else figure = await plusTransaction(figure, connection, verb, transaction);
      }
    }
    return figure;
  } finally {
    await connection.close();
  }
}

// ---- Stage ----

/** A market with its parties; each sends through its own side. */
interface Stage {
  readonly domain: MarketDomain;
  readonly owner: Signer & { address: string };
  readonly provider: Signer & { address: string };
  readonly backup: string;
  readonly arbiter: string;
  readonly ownerSide: ITaskMarket;
  readonly providerSide: ITaskMarket;
  readonly backupSide: ITaskMarket;
  readonly sponsorSide: ITaskMarket;
  /** What is sent along with a task that costs so much [wei]. */
  valueOf(terms: Terms): bigint;
  rule(job: Job): Promise<ContractTransactionResponse>;
}

async function openStage(
  { ethers }: NetworkConnection,
  { token = false, ledger = false, operator = false }: Setting,
): Promise<Stage> {
  const [admin, owner, provider, hotKey, treasury, backup, sponsor, judge] = await ethers.getSigners();
  if (!admin || !owner || !provider || !hotKey || !treasury || !backup || !sponsor || !judge)
    throw new Error("the chain has too few accounts");
  const erc20 = token ? await new MockERC20__factory(admin).deploy() : undefined;
  const currency = erc20 === undefined ? ZeroAddress : await erc20.getAddress();
  const registry = await new ProviderRegistry__factory(admin).deploy(currency, 45 * 86_400, admin);
  const settings = {
    currency,
    registry,
    models: ZeroAddress,
    ...{ declineWindow: 600, keyWindow: 600, takeOverWindow: 3_600, concessionWindow: 3_600 },
    ...{ admin, treasury, feeBps: 250 },
  };
  const extension = await new TaskMarketExtension__factory(admin).deploy(settings);
  const deployed = await new TaskMarket__factory(admin).deploy(settings, extension);
  const address = await deployed.getAddress();
  const market = ITaskMarket__factory.connect(address, admin);
  await registry.authorizeMarket(market);
  const namedArbiter = await new NamedArbiter__factory(admin).deploy(judge, 100, 1, 86_400);
  const offer = { shape: packResources(RESOURCES), rateWei: 1, slots: 100, metadata: "" };
  await registry.connect(provider).register(hotKey, provider, offer);
  await registry.connect(backup).register(backup, backup, offer);
  if (erc20 !== undefined) {
    await erc20.mint(owner, parseEther("1000"));
    await erc20.connect(owner).approve(market, MaxUint256);
  } else {
    const stakeWei = parseEther("10");
    await registry.connect(provider).stake(stakeWei, { value: stakeWei });
    await registry.connect(backup).stake(stakeWei, { value: stakeWei });
  }
  if (ledger) await market.connect(owner).deposit(parseEther("1000"), { value: parseEther("1000") });
  return {
    domain: { chainId: (await ethers.provider.getNetwork()).chainId, market: address },
    ...{ owner, provider, backup: backup.address, arbiter: await namedArbiter.getAddress() },
    ownerSide: market.connect(owner),
    providerSide: market.connect(operator ? hotKey : provider),
    backupSide: market.connect(backup),
    sponsorSide: market.connect(sponsor),
    valueOf: (terms) => (token || ledger ? 0n : maximumCostWei(terms)),
    rule: ({ terms, workHash, delivered }) =>
      namedArbiter.connect(judge).rule(address, encodeTerms(terms), workHash, delivered, 0),
  };
}

// ---- Jobs ----

/** A task, and what is delivered for it. */
interface Job {
  readonly terms: Terms;
  readonly work: Work;
  readonly workHash: string;
  readonly id: string;
  readonly delivered: { report: bigint; resultHash: string; evidenceHash: string };
}

interface Changes {
  readonly terms?: Partial<Omit<Terms, "price" | "conditions">>;
  readonly price?: Partial<Terms["price"]>;
  readonly conditions?: Partial<Terms["conditions"]>;
  readonly backup?: string;
  /** Which of several at the same time. */
  readonly index?: number;
}

function startOf(job: number): number {
  return START_SECONDS + job * BETWEEN_JOBS_SECONDS;
}

function jobOf(
  { domain, owner, provider }: Stage,
  number: number,
  { terms: money = {}, price = {}, conditions = {}, backup, index = 0 }: Changes = {},
): Job {
  const start = startOf(number);
  const job = index === 0 ? String(number) : `${number}.${index}`;
  const terms: Terms = {
    owner: owner.address,
    provider: provider.address,
    price: { amountWei: RATE_WEI, metered: true, ...price },
    conditions: {
      startBySeconds: start + DURATION_SECONDS,
      completeBySeconds: start + 3 * DURATION_SECONDS,
      durationSeconds: DURATION_SECONDS,
      keyEpoch: 1,
      ...conditions,
    },
    collateralWei: 0n,
    salt: id(`salt ${job}`),
    ...money,
  };
  const work: Work = {
    resources: RESOURCES,
    payloadHash: id(`payload ${job}`),
    payload: REFERENCE,
    ...(backup === undefined ? {} : { backup }),
  };
  const delivered = {
    report: encodeReport({ outcome: Outcome.Completed, secondsUsed: USED_SECONDS }),
    resultHash: id(`result ${job}`),
    evidenceHash: id(`evidence ${job}`),
  };
  return { terms, work, workHash: workHashOf(work), id: taskId(domain, terms, work), delivered };
}

/** The verbs of a job that are the same for all kinds. */
function verbsOf(stage: Stage, { terms, work, workHash, delivered }: Job) {
  const words = encodeTerms(terms);
  const delivery = { ...delivered, result: REFERENCE };
  const { ownerSide, providerSide, backupSide } = stage;
  return {
    submit: {
      verb: "submit",
      afterSeconds: 0,
      send: () => ownerSide.submit(words, encodeWork(work), { value: stage.valueOf(terms) }),
    },
    accept: { verb: "accept", afterSeconds: 0x11, send: () => providerSide.accept(words, workHash) },
    cancel: { verb: "cancel", afterSeconds: 0x11, send: () => ownerSide.cancel(words, workHash) },
    deliver: {
      verb: "deliver",
      afterSeconds: 0x1001,
      send: () => providerSide.deliver(words, workHash, delivery),
    },
    deliverByBackup: {
      verb: "deliver",
      afterSeconds: 0x2fff,
      send: () => backupSide.deliver(words, workHash, delivery),
    },
  };
}

/** A job of a named provider that settles at once, by these of its verbs. */
function plain(...verbs: ("submit" | "accept" | "cancel" | "deliver")[]): Scenario {
  return (stage, job) => verbs.map((verb) => verbsOf(stage, jobOf(stage, job))[verb]);
}

/** So many jobs of one owner and one provider, submitted in one transaction and delivered in another. */
function batchOf(jobs: number): Scenario {
  return (stage, number) => {
    const each = Array.from({ length: jobs }, (_, index) => jobOf(stage, number, { index: index + 1 }));
    const { ownerSide, providerSide } = stage;
    const submits = each.map(({ terms, work }) =>
      ownerSide.interface.encodeFunctionData("submit", [encodeTerms(terms), encodeWork(work)]),
    );
    const delivers = each.map(({ terms, workHash, delivered }) =>
      ownerSide.interface.encodeFunctionData("deliver", [
        encodeTerms(terms),
        workHash,
        { ...delivered, result: REFERENCE },
      ]),
    );
    return [
      { verb: "submit", afterSeconds: 0, send: () => ownerSide.batch(submits) },
      { verb: "deliver", afterSeconds: 0x1001, send: () => providerSide.batch(delivers) },
    ];
  };
}

const NO_QUOTE = { nonce: 0n, expiresAt: 0n, signature: "0x" };

/** Submitted and accepted in one, by the provider's quote. */
const quoted: Scenario = (stage, number) => {
  const job = jobOf(stage, number);
  const { terms, work } = job;
  const expiresAtSeconds = startOf(number) + DURATION_SECONDS;
  const order = async () => {
    const nonce = BigInt(number);
    const data = quoteTypedData(stage.domain, { task: job.id, nonce, expiresAtSeconds });
    const signature = await stage.provider.signTypedData(data.domain, data.types, data.value);
    const quote = { nonce, expiresAt: expiresAtSeconds, signature };
    return await stage.ownerSide.order(
      {
        ...{ terms: encodeTerms(terms), work: encodeWork(work), backup: ZeroAddress },
        ...{ sponsored: false, signature: "0x", quote },
      },
      { value: stage.valueOf(terms) },
    );
  };
  return [{ verb: "order", afterSeconds: 0, send: order }, verbsOf(stage, job).deliver];
};

/** Signed by the owner, sent and paid for by somebody else. */
const sponsored: Scenario = (stage, number) => {
  const job = jobOf(stage, number);
  const { terms, work } = job;
  const order = async () => {
    const data = taskTypedData(stage.domain, terms, work);
    const signature = await stage.owner.signTypedData(data.domain, data.types, data.value);
    return await stage.sponsorSide.order(
      {
        ...{ terms: encodeTerms(terms), work: encodeWork(work), backup: ZeroAddress },
        ...{ sponsored: true, signature, quote: NO_QUOTE },
      },
      { value: stage.valueOf(terms) },
    );
  };
  return [{ verb: "order", afterSeconds: 0, send: order }, verbsOf(stage, job).deliver];
};

/** For whoever takes it, at a price that rises. */
const open: Scenario = (stage, number) => {
  const job = jobOf(stage, number, {
    terms: { provider: ZeroAddress, collateralWei: COLLATERAL_WEI },
    price: { maximumWei: 2n * RATE_WEI },
  });
  const { submit, deliver } = verbsOf(stage, job);
  const acceptOpen = () =>
    stage.providerSide.acceptOpen(encodeTerms(job.terms), encodeWork(job.work), stage.provider.address);
  return [submit, { verb: "acceptOpen", afterSeconds: 0x11, send: acceptOpen }, deliver];
};

/** Not accepted in time, and taken by the backup. */
const takeOver: Scenario = (stage, number) => {
  const { backup } = stage;
  const job = jobOf(stage, number, { backup });
  const [terms, work] = [encodeTerms(job.terms), encodeWork(job.work)];
  const order = () =>
    stage.ownerSide.order(
      { terms, work, backup, sponsored: false, signature: "0x", quote: NO_QUOTE },
      { value: stage.valueOf(job.terms) },
    );
  return [
    { verb: "order", afterSeconds: 0, send: order },
    {
      verb: "takeOver",
      afterSeconds: DURATION_SECONDS + 0x11,
      send: () => stage.backupSide.takeOver(terms, work, backup),
    },
    verbsOf(stage, job).deliverByBackup,
  ];
};

function challengedJob(stage: Stage, number: number): Job {
  return jobOf(stage, number, {
    terms: { collateralWei: COLLATERAL_WEI, arbiter: stage.arbiter },
    conditions: { challengePeriodSeconds: CHALLENGE_SECONDS },
  });
}

/** With a challenge period that passes; the provider settles. */
const challenged: Scenario = (stage, number) => {
  const job = challengedJob(stage, number);
  const { submit, deliver } = verbsOf(stage, job);
  const settle = () => stage.providerSide.settle(encodeTerms(job.terms), job.workHash, job.delivered);
  return [
    submit,
    deliver,
    { verb: "settle", afterSeconds: deliver.afterSeconds + CHALLENGE_SECONDS + 1, send: settle },
  ];
};

/** Disputed, and ruled for the owner by a named arbiter. */
const disputed: Scenario = (stage, number) => {
  const job = challengedJob(stage, number);
  const { submit, deliver } = verbsOf(stage, job);
  const dispute = async () => {
    const terms = encodeTerms(job.terms);
    const { bondWei } = await stage.ownerSide.bondOf(terms);
    const seed = zeroPadValue("0x", 32);
    return await stage.ownerSide.dispute(terms, job.workHash, job.delivered, 0, seed, bondWei, {
      value: bondWei,
    });
  };
  return [
    submit,
    deliver,
    { verb: "dispute", afterSeconds: deliver.afterSeconds + 0x11, send: dispute },
    {
      verb: "rule",
      afterSeconds: deliver.afterSeconds + 0x11 + HOUR_SECONDS + 1,
      send: () => stage.rule(job),
    },
  ];
};

/** So many leases of a day, up at the same time, with one heartbeat for all of them each hour. */
function leaseDay(leases: number): Scenario {
  return (stage, number) => {
    const jobs = Array.from({ length: leases }, (_, index) =>
      jobOf(stage, number, {
        index: index + 1,
        price: { heartbeatSeconds: HEARTBEAT_SECONDS, noticeSeconds: HOUR_SECONDS },
        conditions: { kind: Kind.Lease, durationSeconds: 24 * HOUR_SECONDS },
      }),
    );
    const readySeconds = 0x1001;
    const { providerSide } = stage;
    const forEach = (verb: string, from: number, send: (job: Job) => Promise<ContractTransactionResponse>) =>
      jobs.map((job, index) => ({ verb, afterSeconds: from + index, send: () => send(job) }));
    const ids = jobs.map((job) => job.id);
    return [
      ...forEach("submit", 0, (job) => verbsOf(stage, job).submit.send()),
      ...forEach("accept", 0x101, (job) => verbsOf(stage, job).accept.send()),
      ...forEach("ready", readySeconds, ({ terms, workHash }) =>
        providerSide.ready(encodeTerms(terms), workHash, TICKET),
      ),
      ...Array.from({ length: 24 }, (_, hour) => ({
        verb: "heartbeats",
        afterSeconds: readySeconds + leases + (hour + 1) * HOUR_SECONDS,
        send: () => providerSide.heartbeat(ids),
      })),
      ...forEach("endLease", readySeconds + 24 * HOUR_SECONDS + 2 * leases, ({ terms, workHash }) =>
        providerSide.endLease(encodeTerms(terms), workHash),
      ),
    ];
  };
}
