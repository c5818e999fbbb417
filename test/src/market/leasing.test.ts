import { expect } from "chai";
import { getBytes, hexlify } from "ethers";

import type { StoredKey } from "../../../src/keystore.ts";
import { AlarmFeed } from "../../../src/market/alarm-feed.ts";
import { Notifier } from "../../../src/market/alarms/notifier.ts";
import { openMarket } from "../../../src/market/context.ts";
import { connectLease } from "../../../src/market/lease.ts";
import type { LeaseReport } from "../../../src/market/leasing.ts";
import { Outcome } from "../../../src/market/outcome.ts";
import type { TaskRequest } from "../../../src/market/prepare.ts";
import type { TaskStatus } from "../../../src/market/status.ts";
import type { SubmittedTask } from "../../../src/market/submit.ts";
import { encodeTerms, workHash } from "../../../src/market/terms.ts";
import { createToken, sealTicket } from "../../../src/market/ticket.ts";
import type { ITaskMarket } from "../../../types/index.ts";
import { marketAt } from "../../contracts/market/deploy.ts";
import { Cleanup, errorOf, serve } from "../storage/support.ts";
import { type Account, createWorld, RATE_WEI, type World } from "./support.ts";

const SECONDS = 3_600;
const COST_WEI = RATE_WEI * BigInt(SECONDS);
const COLLATERAL_WEI = 10_000n;
const BEAT = 60;
const FEE = (wei: bigint): bigint => (wei * 250n) / 10_000n;
const steps = ({ next }: TaskStatus): string[] => next.map(({ who, action }) => `${who} ${action}`);

describe("market: leases from the owner's side", () => {
  const cleanup = new Cleanup();
  let world: World;
  let provider: { account: Account; key: StoredKey };
  let stranger: Account;
  let lease: SubmittedTask;
  let isUp: boolean;
  let restore: () => Promise<void>;

  before(async () => {
    world = await createWorld(cleanup);
    const [first, second] = world.others;
    if (!first || !second) throw new Error("no account");
    provider = { account: first, key: await world.register(first) };
    stranger = second;
    lease = await world.client.submit(request());
    const snapshot = await world.connection.networkHelpers.takeSnapshot();
    restore = () => snapshot.restore();
  });
  after(() => cleanup.run());
  beforeEach(() => {
    isUp = true;
  });
  afterEach(() => restore());

  function request(more: Partial<TaskRequest> = {}): TaskRequest {
    return {
      source: { files: [] },
      application: "ocr",
      durationSeconds: SECONDS,
      collateralWei: COLLATERAL_WEI,
      lease: { heartbeatSeconds: BEAT, noticeSeconds: 600 },
      ...more,
    };
  }
  const marketOf = (account: Account): ITaskMarket =>
    marketAt(world.deployment.contracts.TaskMarket, account);
  const words = () => [encodeTerms(lease.terms), workHash(lease.work)] as const;
  const balance = async (account: string): Promise<bigint> => await world.market.balanceOf(account);
  const pass = async (seconds: number): Promise<void> => {
    await world.connection.networkHelpers.time.increase(seconds);
  };
  const status = async (): Promise<TaskStatus> => await world.client.status(lease.id);

  /** The provider's side: a server behind a ticket. */
  async function ready(): Promise<void> {
    const token = createToken();
    const url = await serve(cleanup, (incoming, answer) => {
      const knows = incoming.headers.authorization === `Bearer ${token.reveal()}`;
      answer.statusCode = knows ? (isUp ? 200 : 503) : 401;
      answer.end("{}");
    });
    const { bytes } = await sealTicket(
      { task: lease.id, url: `${url}/lease`, token, expiresAt: 2_000_000_000 },
      { publicKey: getBytes(world.ownerKey.publicKey) },
    );
    const market = marketOf(provider.account);
    await market.accept(...words());
    await market.ready(...words(), hexlify(bytes));
  }
  /** Beats so often, a little faster than it has to. */
  async function beat(times: number): Promise<void> {
    const market = marketOf(provider.account);
    for (let count = 0; count < times; count++) {
      await pass(BEAT - 10);
      await market.heartbeat([lease.id]);
    }
  }

  it("is a task that names its heartbeat, its notice, and that it may be stopped when idle", async () => {
    expect(lease.costWei).to.equal(COST_WEI);
    const { price, conditions } = lease.terms;
    expect(price).to.include({ metered: true, heartbeatSeconds: BEAT, noticeSeconds: 600 });
    expect(conditions).to.include({ kind: 1, stopsIdle: true });
    const prepared = await world.client.prepare(request());
    expect(prepared.payload.manifest.service).to.include({ idleStopSeconds: 1_800 });
    const idling = await world.client.prepare(request({ lease: { idleStopSeconds: 0 } }));
    expect(idling.features.stopsIdle).to.equal(undefined);
    expect(idling.payload.manifest.service).to.include({ idleStopSeconds: 0 });
    expect(await status()).to.include({ kind: "lease", status: "Funded" });
    expect(steps(await status())).to.deep.equal(["provider accept", "provider decline", "owner cancel"]);
    const fixed = request({ price: { amountWei: 5n, metered: false } });
    expect((await errorOf(world.client.prepare(fixed))).code).to.equal("task.unfit-features");
    expect((await errorOf(world.client.ticket(lease.id))).code).to.equal("lease.not-ready");
  });

  it("is reached by its ticket, meters what is up, is drawn, and pays the rest back when it is closed", async () => {
    await ready();
    const up = await world.client.wait(lease.id, { for: "ready" });
    expect(steps(up)).to.deep.equal(["provider heartbeat", "owner close", "provider close", "anyone top-up"]);
    expect(up.lease?.runway).to.include({ secondsLeft: SECONDS, endedBy: "time" });
    const ticket = await world.client.ticket(lease.id);
    const connected = connectLease(ticket);
    cleanup.add(() => connected.close());
    expect((await connected.probe()).isUp).to.equal(true);
    const elsewhere = world.clientOf(world.owner, { home: cleanup.directory() });
    expect((await errorOf(elsewhere.ticket(lease.id))).code).to.equal("lease.key-missing");

    await beat(3);
    const upSeconds = ({ lease: at }: TaskStatus): number =>
      (at?.lastHeartbeatSeconds ?? 0) - (at?.readyAtSeconds ?? 0);
    const metered = await status();
    const drawnSeconds = upSeconds(metered);
    expect(metered.lease).to.include({ upSeconds: drawnSeconds, drawnSeconds: 0 });
    await world.clientOf(stranger).close(lease.id, "draw");
    const drawnWei = RATE_WEI * BigInt(drawnSeconds);
    expect(await balance(provider.account.address)).to.equal(drawnWei - FEE(drawnWei));
    await beat(2);
    const again = await status();
    expect(again.lease).to.include({ upSeconds: upSeconds(again), drawnSeconds });
    expect(upSeconds(again)).to.be.greaterThan(drawnSeconds);
    expect((await errorOf(world.clientOf(stranger).close(lease.id, "close"))).code).to.equal(
      "task.not-owner",
    );
    await world.client.close(lease.id, "close");
    const closing = await status();
    expect(closing.lease).to.include({ closing: "OwnerClosed" });
    expect((await errorOf(world.client.close(lease.id, "close"))).code).to.equal("task.not-possible");
    await marketOf(provider.account).endLease(...words());
    const ended = await status();
    expect(ended).to.include({ status: "Settled", outcome: "OwnerClosed", fault: "None", ended: true });
    const paidWei = RATE_WEI * BigInt(ended.lease?.upSeconds ?? 0);
    expect(ended.payment).to.deep.equal({
      paidWei,
      feeWei: FEE(drawnWei) + FEE(paidWei - drawnWei),
      refundedWei: COST_WEI - paidWei,
    });
    expect(await balance(world.owner.address)).to.equal(COST_WEI - paidWei);
    expect(await balance(provider.account.address)).to.equal(
      paidWei - FEE(drawnWei) - FEE(paidWei - drawnWei),
    );
    expect(ended.phases.map(({ phase }) => phase)).to.deep.equal([
      "submitted",
      "accepted",
      "ready",
      "closing",
      "ended",
    ]);
  });

  it("is topped up by anybody, within the limits of who pays", async () => {
    await ready();
    const { status: after } = await world.client.topUp(lease.id, { seconds: 600 });
    expect(after.lease).to.include({ extraSeconds: 600, fundedWei: COST_WEI + 600n * RATE_WEI });
    expect(after.lease?.runway?.secondsLeft).to.be.greaterThan(SECONDS);
    const home = cleanup.directory();
    await world.clientOf(stranger, { home }).topUp(lease.id, { seconds: 60 });
    expect((await status()).lease?.extraSeconds).to.equal(660);
    const far = await errorOf(world.client.topUp(lease.id, { seconds: 31 * 86_400 }));
    expect(far.code).to.equal("lease.too-far-ahead");
  });

  it("is ended by anybody when its provider is silent, who loses its collateral and earns no more", async () => {
    await ready();
    await beat(1);
    await pass(BEAT + 5);
    const silent = await status();
    expect(silent.lease).to.include({ isDown: false });
    expect(silent.lease?.silentSinceSeconds).to.equal(silent.lease?.lastHeartbeatSeconds);
    await pass(2 * BEAT);
    const down = await status();
    expect(down.lease).to.include({ isDown: true });
    expect(steps(down)).to.deep.equal(["anyone end", "anyone draw"]);
    const { status: ended } = await world.clientOf(stranger).close(lease.id, "end");
    const paidWei = RATE_WEI * BigInt(down.lease?.upSeconds ?? 0);
    expect(paidWei > 0n).to.equal(true);
    expect(ended).to.include({ status: "Failed", outcome: "ProviderDown", fault: "Provider" });
    expect(ended.payment).to.deep.equal({
      paidWei,
      feeWei: FEE(paidWei),
      refundedWei: COST_WEI - paidWei,
      slashedWei: COLLATERAL_WEI,
      compensationWei: 9_500n,
    });
    expect(await balance(world.owner.address)).to.equal(COST_WEI - paidWei + 9_500n);
    expect(await balance(stranger.address)).to.equal(500n);
    expect(await balance(provider.account.address)).to.equal(paidWei - FEE(paidWei));
  });

  it("is left by its provider on notice, which compensates its owner", async () => {
    await ready();
    await marketOf(provider.account).close(...words(), Outcome.ProviderClosed);
    const closing = await status();
    expect(closing.lease).to.include({ closing: "ProviderClosed" });
    expect((closing.lease?.endsAtSeconds ?? 0) - closing.nowSeconds).to.equal(600);
    expect(steps(closing)).to.deep.equal(["provider heartbeat", "owner close"]);
    await beat(13);
    await marketOf(provider.account).endLease(...words());
    const ended = await status();
    expect(ended).to.include({ outcome: "ProviderClosed", fault: "Provider" });
    expect(ended.payment).to.include({ slashedWei: 2_500n, compensationWei: 2_500n });
    expect(await balance(world.owner.address)).to.equal((ended.payment?.refundedWei ?? 0n) + 2_500n);
  });

  it("fails where it is not ready in time", async () => {
    await marketOf(provider.account).accept(...words());
    const { completeBySeconds } = await status();
    expect(completeBySeconds).to.equal(lease.terms.conditions.completeBySeconds);
    await pass(1_300);
    expect(steps(await status())).to.deep.equal(["anyone fail"]);
    const { status: ended } = await world.clientOf(stranger).close(lease.id, "fail");
    expect(ended).to.include({ status: "Failed", outcome: "ProviderNotReady" });
    expect(ended.payment).to.include({ refundedWei: COST_WEI, compensationWei: 9_500n });
  });

  // ---- Watching ----

  async function watch(
    options: Parameters<World["client"]["watchLease"]>[1],
    until: (report: LeaseReport) => boolean | Promise<boolean>,
  ): Promise<LeaseReport[]> {
    const reports: LeaseReport[] = [];
    for await (const report of world.client.watchLease(lease.id, { intervalMs: 5, ...options })) {
      reports.push(report);
      if (await until(report)) break;
    }
    return reports;
  }

  it("is topped up by rule, and never beyond the ceiling", async () => {
    await ready();
    const rule = {
      belowSeconds: SECONDS + 250,
      toSeconds: SECONDS + 300,
      ceilingWei: COST_WEI + 200n * RATE_WEI,
    };
    const reports = await watch({ topUp: rule }, ({ event }) => event === "topped-up");
    const bought = reports.at(-1);
    expect(bought).to.deep.include({ event: "topped-up" });
    expect(reports.map(({ event }) => event)).to.deep.equal(["status", "probe", "ceiling", "topped-up"]);
    expect((await status()).lease).to.include({ extraSeconds: 200, fundedWei: COST_WEI + 200n * RATE_WEI });
    const again = await watch({ topUp: rule }, ({ event }) => event === "ceiling");
    expect(again.map(({ event }) => event)).to.include("ceiling");
    expect((await status()).lease?.extraSeconds).to.equal(200);
    const odd = { belowSeconds: 10, toSeconds: 5, ceilingWei: 1n };
    expect((await errorOf(watch({ topUp: odd }, () => true))).code).to.equal("usage.top-up-rule");
  });

  it("is closed when it does not answer for too long, and its books with it", async () => {
    await ready();
    isUp = false;
    const reports = await watch({ downLimitSeconds: 1 }, async (report) => {
      // Its provider beats on, and says nothing of it.
      if (report.event === "closed") await pass(BEAT + 2);
      return false;
    });
    const events = reports.map(({ event }) => event);
    expect(events.slice(0, 3)).to.deep.equal(["status", "probe", "closed"]);
    expect((await status()).outcome).to.equal("OwnerClosed");
    expect(await balance(world.owner.address)).to.equal(COST_WEI);
  });

  it("is no lease where it is a job", async () => {
    const job = await world.client.submit({
      ...request({ lease: undefined, durationSeconds: 60 }),
      source: { folder: "examples" },
    });
    expect((await errorOf(world.client.ticket(job.id))).code).to.equal("lease.not-a-lease");
    expect((await errorOf(world.client.wait(job.id, { for: "ready" }))).code).to.equal("task.not-a-lease");
  });

  // ---- Alarms ----

  it("raises the alarms of its owner and its provider once each, from the chain", async () => {
    const [home, providersHome] = [cleanup.directory(), cleanup.directory()];
    const { deployment, storage, owner } = world;
    const feedOf = (account: Account, at: string) =>
      new AlarmFeed(
        openMarket({ runner: account, deployment, storage: () => storage, home: at }),
        account.address,
      );
    const notifier = await Notifier.open({ home, sinks: [] });
    const providers = await Notifier.open({ home: providersHome, sinks: [] });
    cleanup.add(() => notifier.close());
    cleanup.add(() => providers.close());
    let [feed, providersFeed] = [feedOf(owner, home), feedOf(provider.account, providersHome)];
    const kinds = async (): Promise<string[]> =>
      notifier.observe(await feed.snapshot()).map(({ kind }) => kind);
    const providersKinds = async (): Promise<string[]> =>
      providers.observe(await providersFeed.snapshot()).map(({ kind }) => kind);

    expect(await kinds()).to.deep.equal([]);
    expect(await providersKinds()).to.deep.equal([]);
    await ready();
    expect(await kinds()).to.deep.equal(["accepted", "lease-ending"]);
    expect(await providersKinds()).to.deep.equal(["lease-ending", "stake-locked"]);
    expect(await kinds()).to.deep.equal([]);
    await pass(BEAT + 5);
    expect(await kinds()).to.deep.equal(["lease-down"]);
    // Another process goes on where the first one ended.
    feed = feedOf(owner, home);
    providersFeed = feedOf(provider.account, providersHome);
    await pass(3 * BEAT);
    await world.clientOf(stranger).close(lease.id, "end");
    expect(await kinds()).to.deep.equal(["failed"]);
    expect(await providersKinds()).to.deep.equal(["failed", "stake-slashed"]);
    expect(await kinds()).to.deep.equal([]);
    feed = feedOf(owner, home);
    expect(await kinds()).to.deep.equal([]);
    const { tasks, gas } = await feed.snapshot();
    expect(gas?.account).to.equal(owner.address);
    expect(tasks.length).to.be.lessThanOrEqual(1);
  });
});
