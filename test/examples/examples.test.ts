import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { hexlify, randomBytes } from "ethers";

import { alarmReceiver, watchWithWebhook } from "../../examples/alarms.ts";
import { taskWithBackup } from "../../examples/backup.ts";
import { batchOfTasks } from "../../examples/batch.ts";
import { settleEarly } from "../../examples/challenge.ts";
import { delegateToCi } from "../../examples/delegate.ts";
import { disputeWithArbiter } from "../../examples/dispute.ts";
import { useLease } from "../../examples/lease.ts";
import { holdDeeds, sellPart } from "../../examples/model-ownership.ts";
import { useModel } from "../../examples/model-royalty.ts";
import { openTask } from "../../examples/open-task.ts";
import { priceByCompass } from "../../examples/price-compass.ts";
import { collectRewards } from "../../examples/provider-rewards.ts";
import { submitWithQuote } from "../../examples/quote.ts";
import { payHolders, shareModel } from "../../examples/revenue-share.ts";
import { sealedTask } from "../../examples/sealed-task.ts";
import { signedOrder } from "../../examples/signed-order.ts";
import { outlastArbiter } from "../../examples/silent-arbiter.ts";
import { orderWithinLimits } from "../../examples/spending-limits.ts";
import { sponsoredTask } from "../../examples/sponsored-task.ts";
import { freePort } from "../../scripts/demo/processes.ts";
import { stopRuns } from "../../scripts/demo/stage.ts";
import { ProviderRewards__factory } from "../../src/contracts.ts";
import {
  type Alarm,
  createArbiter,
  type MarketClient,
  type MarketOptions,
  openMarket,
  Outcome,
  Secret,
  type TaskRequest,
  type TaskStatus,
} from "../../src/index.ts";
import { encodeTerms, workHash } from "../../src/market/terms.ts";
import { updateProvider } from "../../src/provider/registration.ts";
import { openProcessRunner } from "../../src/provider/runner/process-runner.ts";
import type { StoredKey } from "../../src/keystore.ts";
import {
  type Account,
  deliverResult,
  fileIn,
  MACHINE,
  RATE_WEI,
  STAKE_WEI,
  textOf,
} from "../src/market/support.ts";
import { Stage, textIn } from "../src/provider/support.ts";
import { Cleanup, errorOf } from "../src/storage/support.ts";

const SECONDS = 60;
const COST_WEI = RATE_WEI * BigInt(SECONDS);
const COLLATERAL_WEI = STAKE_WEI / 10n;
const DEPOSIT_WEI = 10n ** 18n;
const DAY = 86_400;

/** Every example, against the contracts, a node with the runner that providers use, and a storage gateway. */
describe("examples", function () {
  this.timeout(60_000);
  const cleanup = new Cleanup();
  let stage: Stage;
  /** A provider without a node: whatever it does, a test does. */
  let other: { account: Account; key: StoredKey };
  let friend: Account;
  let judge: Account;
  /** For whoever takes it, and for the provider with the node. */
  let anybody: TaskRequest;
  let request: TaskRequest;

  before(async () => {
    stage = await Stage.create(cleanup);
    cleanup.add(() => stopRuns(join(stage.directory, "tasks")));
    const listen = { host: "127.0.0.1", port: 0 };
    await stage.start({
      runner: await openProcessRunner(),
      applications: ["noop"],
      policy: {
        slots: 4,
        quotes: { listen, url: undefined, validSeconds: 60, usd: undefined },
        leases: {
          listen: { ...listen, port: await freePort() },
          tls: undefined,
          maxGasBps: 1_000,
          draw: { afterWei: undefined, afterSeconds: 3600 },
        },
      },
    });
    const { deployment, others, owner } = stage.world;
    const metadata = `${textIn(await stage.event("quoting"), "url")}/metadata`;
    const offer = { shape: MACHINE, rateWei: RATE_WEI, slots: 4, metadata };
    await updateProvider({ deployment, signer: stage.provider }, { offer });
    const [, rival, someone, arbiter] = others;
    if (rival === undefined || someone === undefined || arbiter === undefined) throw new Error("no accounts");
    other = { account: rival, key: await stage.world.register(rival) };
    [friend, judge] = [someone, arbiter];
    await stage.world.market.depositFor(owner.address, DEPOSIT_WEI, { value: DEPOSIT_WEI });
    const file = await fileIn(cleanup.directory(), "question.txt", "What is the answer?");
    anybody = { source: { files: [file] }, application: "noop", durationSeconds: SECONDS };
    request = { ...anybody, provider: stage.provider.address };
  });
  after(() => cleanup.run());
  beforeEach(() => void stage.events.splice(0));

  // ---- Who ----

  const optionsOf = (runner: Account, home = stage.world.home): MarketOptions => {
    const { deployment, storage } = stage.world;
    return { runner, deployment, storage: () => storage, home, allowLoopback: true };
  };
  const clientOf = (account: Account, home?: string): MarketClient =>
    stage.world.clientOf(account, { allowLoopback: true, ...(home === undefined ? {} : { home }) });
  /** Somebody who has none of the owner's files. */
  const stranger = (account = friend): MarketClient => clientOf(account, cleanup.directory());
  const owner = (): MarketClient => clientOf(stage.world.owner);
  const result = (): string => join(cleanup.directory(), "result");

  // ---- Money and time ----

  /** What came into these accounts' balances in the market meanwhile [wei]. */
  async function moved<T>(
    work: () => Promise<T>,
    accounts: readonly string[] = [stage.world.owner.address, stage.provider.address],
  ): Promise<{ done: T; wei: bigint[] }> {
    const balances = async () =>
      await Promise.all(accounts.map(async (each) => await stage.world.market.balanceOf(each)));
    const before = await balances();
    const done = await work();
    const after = await balances();
    return { done, wei: after.map((wei, index) => wei - (before[index] ?? 0n)) };
  }

  const feeOf = (wei: bigint): bigint => (wei * 250n) / 10_000n;

  /** What was paid for a job that a provider delivered, by the seconds that it took [wei]. */
  function paidFor({ status, delivery, payment, priceWei }: TaskStatus): bigint {
    expect([status, delivery?.outcome]).to.deep.equal(["Settled", Outcome.Completed]);
    const paidWei = priceWei * BigInt(delivery?.secondsUsed ?? 0);
    expect(payment?.paidWei).to.equal(paidWei);
    expect(paidWei > 0n).to.equal(true);
    return paidWei;
  }

  /** Does `work`, and lets the chain's time pass from its dispute on, by so much each time [s]. */
  async function outwaiting<T>(seconds: number, work: () => Promise<T>): Promise<T> {
    const { market } = stage.world;
    const before = await blockNumber();
    let isOver = false;
    const clock = async (): Promise<void> => {
      while (!isOver) {
        const disputes = await market.queryFilter(market.filters.TaskDisputed(), before + 1);
        if (disputes.length > 0) await stage.passSeconds(seconds);
        await sleep(100);
      }
    };
    const passing = clock();
    try {
      return await work();
    } finally {
      isOver = true;
      await passing;
    }
  }

  const blockNumber = async (): Promise<number> =>
    await stage.world.connection.ethers.provider.getBlockNumber();

  /** The task that `work` orders from the provider without a node. */
  async function ordered(before: number): Promise<TaskStatus> {
    const { market, client } = stage.world;
    for (;;) {
      for (const { args } of await market.queryFilter(market.filters.TaskSubmitted(), before + 1)) {
        const status = await client.status(args.id);
        if (status.terms.provider === other.account.address) return status;
      }
      await sleep(50);
    }
  }

  // ---- Ordering ----

  it("signed order: sent by somebody else, paid by its owner, once", async () => {
    const file = join(cleanup.directory(), "order.json");
    const { done, wei } = await moved(() =>
      signedOrder({ owner: owner(), sender: stranger(), request, file }),
    );
    const paidWei = paidFor(done);
    expect(wei).to.deep.equal([-paidWei, paidWei - feeOf(paidWei)]);
    expect(done.payer).to.equal(stage.world.owner.address);
  });

  it("sponsored task: paid by the sponsor, who gets back what is not spent", async () => {
    const directory = result();
    const accounts = [stage.world.owner, friend, stage.provider].map(({ address }) => address);
    const { done, wei } = await moved(
      () => sponsoredTask({ owner: owner(), sponsor: stranger(), request, directory }),
      accounts,
    );
    const paidWei = paidFor(done);
    // The sponsor sent all of it along.
    expect(wei).to.deep.equal([0n, COST_WEI - paidWei, paidWei - feeOf(paidWei)]);
    expect(await textOf(directory, "output", "question.txt")).to.equal("What is the answer?");
  });

  it("quote: submitted and accepted in one transaction", async () => {
    const { done, wei } = await moved(() => submitWithQuote({ owner: owner(), request }));
    const { task, accepted, delivered } = done;
    expect(task.quote?.rateWei).to.equal(RATE_WEI);
    expect(accepted.accepted?.transactionHash).to.equal(task.transaction?.hash);
    const paidWei = paidFor(delivered);
    expect(wei).to.deep.equal([-paidWei, paidWei - feeOf(paidWei)]);
  });

  it("open task: taken by one of the shortlist, at the price of that second", async () => {
    const shortlist = [stage.provider.address, other.account.address];
    const prices = { fromWei: RATE_WEI / 2n, toWei: 2n * RATE_WEI };
    const work = async () => {
      const task = openTask({ owner: owner(), request: anybody, shortlist, ...prices });
      await stage.event("fetched");
      // After a third of its 300 s the price is what the provider asks.
      await stage.passSeconds(120);
      return await task;
    };
    const { done, wei } = await moved(work);
    expect(done.provider).to.equal(stage.provider.address);
    expect(done.priceWei > RATE_WEI && done.priceWei < 2n * RATE_WEI, `${done.priceWei}`).to.equal(true);
    const paidWei = paidFor(done);
    expect(wei).to.deep.equal([-paidWei, paidWei - feeOf(paidWei)]);
  });

  it("sealed task: nobody can read it before the owner's program publishes the key", async () => {
    const lines: string[] = [];
    const prices = { fromWei: RATE_WEI, toWei: 2n * RATE_WEI };
    const onReport = (line: string): void => void lines.push(line);
    const { done, wei } = await moved(() =>
      sealedTask({ owner: owner(), request: anybody, ...prices, onReport }),
    );
    expect(lines).to.have.length(1);
    expect(lines[0]).to.contain(`${stage.provider.address} accepted`);
    const paidWei = paidFor(done);
    expect(wei).to.deep.equal([-paidWei, paidWei - feeOf(paidWei)]);
  });

  it("backup: takes the task that the first provider declines", async () => {
    const work = async () => {
      const before = await blockNumber();
      const backup = { provider: other.account.address, backup: stage.provider.address };
      const task = taskWithBackup({ owner: owner(), request, ...backup });
      const { terms, work: what } = await ordered(before);
      const market = stage.market(other.account);
      await market.decline(encodeTerms(terms), workHash(what), Outcome.NoCapacity);
      return await task;
    };
    const accounts = [stage.world.owner, stage.provider, other.account].map(({ address }) => address);
    const { done, wei } = await moved(work, accounts);
    expect(done.status.provider).to.equal(stage.provider.address);
    expect(done.seen.at(-1)).to.equal(`Settled: ${stage.provider.address}`);
    const paidWei = paidFor(done.status);
    expect(wei).to.deep.equal([-paidWei, paidWei - feeOf(paidWei), 0n]);
  });

  it("delegate: the CI orders from the owner's balance, and no more than its limit", async () => {
    const { deployment, owner: signer } = stage.world;
    const ci = stranger();
    const { done: id, wei } = await moved(
      async () =>
        await delegateToCi({
          deployment,
          signer,
          ci,
          ciAccount: friend.address,
          provider: stage.provider.address,
          limitWei: COST_WEI + 1n,
          expiresAtSeconds: (await stage.now()) + DAY,
          request,
        }),
    );
    const status = await ci.status(id);
    expect(status.terms.owner).to.equal(signer.address);
    const paidWei = paidFor(status);
    // It was deposited as much as the limit is.
    expect(wei).to.deep.equal([COST_WEI + 1n - paidWei, paidWei - feeOf(paidWei)]);
    const more = await errorOf(ci.prepare({ ...request, owner: signer.address }));
    expect(more.code).to.equal("wallet.delegation");
  });

  it("batch: 50 tasks in one transaction, one of which is there already", async () => {
    const client = owner();
    const named = { ...request, provider: other.account.address };
    const accounts = [stage.world.owner.address];
    const double = await client.sign(named);
    await stranger().sendOrder(double);
    const directory = cleanup.directory();
    const requests = await Promise.all(
      Array.from({ length: 49 }, async (_, index): Promise<TaskRequest> => {
        const file = await fileIn(directory, `${index}.txt`);
        return { ...named, source: { files: [file] } };
      }),
    );
    const { done, wei } = await moved(
      () => batchOfTasks({ owner: client, requests, orders: [double] }),
      accounts,
    );
    expect(done.results.map(({ done: isDone }) => isDone)).to.deep.equal([
      false,
      ...requests.map(() => true),
    ]);
    expect(done.results[0]?.reason).to.contain("TaskExists");
    expect(wei).to.deep.equal([-49n * COST_WEI]);
    const back = await moved(
      () => client.batch(done.results.map(({ id }) => ({ do: "cancel", id }))),
      accounts,
    );
    expect(back.wei).to.deep.equal([50n * COST_WEI]);
  });

  it("model: its author gets the royalty in the settlement", async () => {
    const weights = { hash: hexlify(randomBytes(32)), uri: "ar://weights" };
    const { deployment } = stage.world;
    const accounts = [stage.world.owner, stage.provider, judge].map(({ address }) => address);
    const { done, wei } = await moved(
      () => useModel({ deployment, author: judge, owner: owner(), request, weights }),
      accounts,
    );
    const paidWei = paidFor(done.status);
    const royaltyWei = paidWei / 20n;
    expect(done.status.payment?.royaltyWei).to.equal(royaltyWei);
    expect(wei).to.deep.equal([-paidWei, paidWei - feeOf(paidWei) - royaltyWei, royaltyWei]);
  });

  it("price compass: offers what was sold for lately", async () => {
    const { done, wei } = await moved(async () => {
      const compass = await priceByCompass({ owner: optionsOf(stage.world.owner), request });
      await owner().wait(compass.task.id, { for: "delivered", intervalMs: 100 });
      return compass;
    });
    const { shape, task } = done;
    expect(shape.sold.tasks).to.be.greaterThan(5);
    expect(shape.suggestedWei).to.equal(RATE_WEI);
    expect(task.terms.price).to.deep.equal({ amountWei: RATE_WEI, metered: true });
    const paidWei = paidFor(await owner().status(task.id));
    expect(wei).to.deep.equal([-paidWei, paidWei - feeOf(paidWei)]);
  });

  // ---- Keeping watch ----

  it("alarms: a signed webhook tells once that a task was delivered", async () => {
    const secret = new Secret("0123456789abcdef0123456789abcdef");
    const stop = new AbortController();
    const alarms: Alarm[] = [];
    const server = alarmReceiver(secret, (alarm) => {
      alarms.push(alarm);
      if (alarm.kind === "delivered") stop.abort();
    }).listen(0, "127.0.0.1");
    cleanup.add(() => server.close());
    await once(server, "listening");
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    const url = new URL(`http://127.0.0.1:${address.port}/`);
    const { deployment, owner: account } = stage.world;
    const challenge = { periodSeconds: DAY, arbiter: judge.address };
    const { id } = await owner().submit({ ...request, provider: other.account.address, challenge });
    const watch = watchWithWebhook({
      client: owner(),
      deployment,
      account: account.address,
      id,
      home: cleanup.directory(),
      webhook: { url, secret },
      signal: stop.signal,
    });
    const forged = await fetch(url, { method: "POST", body: "{}" });
    expect(forged.status).to.equal(401);
    await stage.passSeconds(2);
    await deliverResult(stage.world, await owner().status(id), other);
    await watch;
    expect(alarms.map(({ kind, task }) => [kind, task])).to.deep.equal([["delivered", id]]);
    expect(alarms[0]?.message).to.contain("It can be disputed until");
    await owner().close(id, "settle");
  });

  it("spending limits: refuse what is too much before anything is paid", async () => {
    const home = cleanup.directory();
    const { wei, done } = await moved(
      () =>
        orderWithinLimits({
          options: optionsOf(stage.world.owner, home),
          limits: { taskWei: COST_WEI, hourWei: (3n * COST_WEI) / 2n, monthWei: 10n * COST_WEI },
          requests: [{ ...request, durationSeconds: 2 * SECONDS }, request, request].map((each) => ({
            ...each,
            provider: other.account.address,
          })),
        }),
      [stage.world.owner.address],
    );
    expect(done.refused).to.deep.equal(["limit.task", "limit.hour"]);
    expect(done.sent.map(({ costWei }) => costWei)).to.deep.equal([COST_WEI]);
    expect(wei).to.deep.equal([-COST_WEI]);
    await owner().close(done.sent[0]?.id ?? "", "cancel");
  });

  // ---- Leases ----

  it("lease: used through its ticket, paid on by a friend, and paid for the seconds that it was up", async () => {
    const { provider } = stage;
    const accounts = [stage.world.owner, provider, friend].map(({ address }) => address);
    const client = stranger();
    const { done, wei } = await moved(
      () => useLease({ owner: owner(), friend: client, request, body: "hello" }),
      accounts,
    );
    const { answer, extended, status } = done;
    expect(answer).to.equal("hello");
    expect(extended.lease?.extraSeconds).to.equal(120);
    expect(extended.lease?.fundedWei).to.equal(RATE_WEI * BigInt(SECONDS + 120));
    expect(status).to.include({ status: "Settled", outcome: "OwnerClosed" });
    const paidWei = RATE_WEI * BigInt(status.lease?.upSeconds ?? 0);
    expect(status.payment?.paidWei).to.equal(paidWei);
    // What the friend sent along is the lease's, and so its owner's in the end.
    const extraWei = 120n * RATE_WEI;
    expect(wei).to.deep.equal([extraWei - paidWei, paidWei - feeOf(paidWei), 0n]);
  });

  // ---- Disputes ----

  it("challenge period: the owner looks at the result, and pays early", async () => {
    const directory = result();
    const { done, wei } = await moved(() =>
      settleEarly({
        owner: owner(),
        request: { ...request, collateralWei: COLLATERAL_WEI },
        arbiter: judge.address,
        directory,
      }),
    );
    const paidWei = paidFor(done);
    expect(wei).to.deep.equal([-paidWei, paidWei - feeOf(paidWei)]);
    expect(await textOf(directory, "output", "question.txt")).to.equal("What is the answer?");
    expect((await stage.balances()).locked).to.equal(0n);
  });

  it("dispute: the named arbiter rules, and is paid by who loses", async () => {
    const { stake } = await stage.balances();
    const judged = { ...optionsOf(judge, cleanup.directory()), account: judge.address };
    const { done, wei } = await moved(() =>
      outwaiting(60, () =>
        disputeWithArbiter({
          owner: owner(),
          judge: judged,
          request: { ...request, collateralWei: COLLATERAL_WEI },
          providerBps: 0,
        }),
      ),
    );
    const { plan, status, earnedWei } = done;
    expect(status).to.include({ status: "Resolved", outcome: "RuledForOwner" });
    expect(earnedWei).to.equal(plan.feeWei);
    // All is back, and half of the collateral that the fee has left.
    const halfWei = (COLLATERAL_WEI - plan.feeWei) / 2n;
    expect(wei).to.deep.equal([halfWei, 0n]);
    expect((await stage.balances()).stake).to.equal(stake - COLLATERAL_WEI);
  });

  it("silent arbiter: after its time anybody has the provider paid, and the bond is back", async () => {
    const { address } = await createArbiter(openMarket(optionsOf(judge)), {
      arbiter: judge.address,
      feeBps: 500,
      minimumFeeWei: 0n,
      rulingSeconds: DAY,
    });
    const accounts = [stage.world.owner, other.account, judge].map((each) => each.address);
    const work = async () => {
      const before = await blockNumber();
      const silent = outlastArbiter({
        owner: owner(),
        anybody: stranger(),
        request: { ...request, provider: other.account.address, collateralWei: COLLATERAL_WEI },
        arbiter: address,
      });
      const task = await ordered(before);
      await stage.passSeconds(5);
      await deliverResult(stage.world, task, other, { secondsUsed: 5 });
      return await silent;
    };
    const { done, wei } = await moved(() => outwaiting(DAY / 8, work), accounts);
    expect(done).to.include({ status: "Resolved", outcome: "ArbiterSilent" });
    const paidWei = 5n * RATE_WEI;
    expect(wei).to.deep.equal([-paidWei, paidWei - feeOf(paidWei), 0n]);
  });

  // ---- Providers ----

  it("provider rewards: funded, recorded and claimed night by night", async () => {
    const { deployment, connection } = stage.world;
    const { provider } = stage;
    const night = { deployment, signer: friend, provider: provider.address };
    expect(await collectRewards({ ...night, fundWei: COST_WEI })).to.deep.equal({ claimedWei: 0n });
    const { id } = await owner().submit(request);
    const paidWei = paidFor(await owner().wait(id, { for: "delivered", intervalMs: 100 }));
    expect(await collectRewards(night)).to.deep.equal({ claimedWei: 0n });
    const rewards = ProviderRewards__factory.connect(deployment.contracts.ProviderRewards, provider);
    const epoch = await rewards.currentEpoch();
    const { feesWei, rewardWei } = await rewards.rewardOf(provider.address, epoch);
    expect(feesWei).to.equal(feeOf(paidWei));
    await stage.passSeconds(DAY);
    const before = await connection.ethers.provider.getBalance(provider.address);
    expect(await collectRewards(night)).to.deep.equal({ claimedWei: rewardWei });
    expect(rewardWei).to.equal(feesWei);
    expect(await connection.ethers.provider.getBalance(provider.address)).to.equal(before + rewardWei);
    expect(await collectRewards(night)).to.deep.equal({ claimedWei: 0n });
  });

  // ---- Holders ----

  it("revenue share: a model's royalties reach its holders in proportion", async () => {
    const { deployment, connection } = stage.world;
    const investors = [{ account: other.account.address, amountWei: 25n * 10n ** 22n }];
    const weights = { hash: hexlify(randomBytes(32)), uri: "ar://weights" };
    const { share, model } = await shareModel({ deployment, author: judge, investors, weights });
    const { id } = await owner().submit({ ...request, model });
    const paidWei = paidFor(await owner().wait(id, { for: "delivered", intervalMs: 100 }));
    const royaltyWei = paidWei / 20n;
    expect(await stage.world.market.balanceOf(share)).to.equal(royaltyWei);

    const night = { deployment, signer: friend, share };
    expect(await payHolders(night), "collected, and divided when the day is over").to.deep.equal([]);
    expect(await stage.world.market.balanceOf(share)).to.equal(0n);
    await stage.passSeconds(DAY);
    const holders = [judge.address, other.account.address];
    const balances = async () =>
      await Promise.all(holders.map((each) => connection.ethers.provider.getBalance(each)));
    const before = await balances();
    const payments = await payHolders(night);
    expect(payments.map(({ account }) => account)).to.deep.equal(holders);
    const gained = (await balances()).map((wei, index) => wei - (before[index] ?? 0n));
    expect(payments.map(({ amounts }) => amounts[0]?.amountWei)).to.deep.equal(gained);
    // Three quarters and one, each less than 2 wei below.
    for (const [index, quarters] of [3n, 1n].entries()) {
      const lostWei = (royaltyWei * quarters) / 4n - (gained[index] ?? 0n);
      expect(lostWei >= 0n && lostWei < 2n, `${lostWei}`).to.equal(true);
    }
    expect(await payHolders(night)).to.deep.equal([]);
  });

  it("model ownership: a part is sold with its deeds, one is drawn, and votes follow the balance", async () => {
    const { deployment } = stage.world;
    const weights = { hash: hexlify(randomBytes(32)), uri: "ar://weights" };
    const amountWei = (10n ** 18n * 5n) / 2n;
    const { address: buyer } = friend;
    const sold = await sellPart({ deployment, author: judge, buyer, amountWei, weights });
    expect(sold.standing).to.include({ account: buyer, balanceWei: amountWei, deeds: 2, pending: 0 });
    expect(sold.deeds).to.have.length(2);
    const file = join(cleanup.directory(), "deed.svg");
    const held = await holdDeeds({ deployment, holder: friend, model: sold.model, file });
    expect(held).to.deep.equal({ reasons: ["has-deeds"], votesWei: amountWei, share: "0.01 %" });
    expect(await readFile(file, "utf8")).to.contain(`No. ${sold.deeds[0] ?? ""}<`);
    const other = holdDeeds({ deployment, holder: judge, model: sold.model, file });
    expect((await errorOf(other)).code, "it is there already").to.equal("deed.exists");
  });
});
