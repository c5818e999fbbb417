import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { getBytes, hexlify, randomBytes } from "ethers";

import { freePort } from "../../../scripts/demo/processes.ts";
import { stopRuns } from "../../../scripts/demo/stage.ts";
import { connectLease } from "../../../src/market/lease.ts";
import { Kind, Outcome, Status } from "../../../src/market/outcome.ts";
import { type Conditions, encodeTerms, workHash } from "../../../src/market/terms.ts";
import { openTicket } from "../../../src/market/ticket.ts";
import type { ProviderNode } from "../../../src/provider/node.ts";
import type { LeasePolicy } from "../../../src/provider/policy.ts";
import { openProcessRunner } from "../../../src/provider/runner/process-runner.ts";
import { RATE_WEI, STAKE_WEI } from "../market/support.ts";
import { Cleanup } from "../storage/support.ts";
import { killApplication, processesIn, until } from "./runner/support.ts";
import { type Balances, gasOf, payloadArchive, Stage, textIn } from "./support.ts";

const BEAT_SECONDS = 10;
const NOTICE_SECONDS = 20;
const COLLATERAL_WEI = STAKE_WEI / 4n;

describe("ProviderNode and leases", function () {
  this.timeout(60_000);
  const cleanup = new Cleanup();
  let stage: Stage;
  let port: number;

  beforeEach(async () => {
    stage = await Stage.create(cleanup);
    port = await freePort();
    cleanup.add(() => stopRuns(join(stage.directory, "tasks")));
  });
  afterEach(() => cleanup.run());

  async function start(change: Partial<LeasePolicy> = {}): Promise<ProviderNode> {
    const leases: LeasePolicy = {
      listen: { host: "127.0.0.1", port },
      tls: undefined,
      maxGasBps: 1_000,
      draw: { afterWei: undefined, afterSeconds: 3600 },
      ...change,
    };
    return await stage.start({
      runner: await openProcessRunner(),
      applications: ["noop"],
      policy: { leases },
    });
  }

  async function submitLease({
    parameters = {},
    idleStopSeconds = 0,
    conditions = {},
  }: { parameters?: object; idleStopSeconds?: number; conditions?: Partial<Conditions> } = {}) {
    const salt = hexlify(randomBytes(32));
    const service = { maxRequestMiB: 1, timeoutSeconds: 10, concurrency: 2, idleStopSeconds };
    const manifest = { application: "noop", inputs: [], parameters, service };
    const { bytes } = await stage.envelope(await payloadArchive({ manifest, files: {} }), { salt });
    const price = {
      amountWei: RATE_WEI,
      metered: true,
      heartbeatSeconds: BEAT_SECONDS,
      noticeSeconds: NOTICE_SECONDS,
    };
    return await stage.submitRaw({
      salt,
      bytes,
      terms: {
        price,
        collateralWei: COLLATERAL_WEI,
        conditions: { kind: Kind.Lease, durationSeconds: 600, ...conditions },
      },
    });
  }

  type Lease = Awaited<ReturnType<typeof submitLease>>;
  const wordsOf = ({ terms, work }: Lease) => [encodeTerms(terms), workHash(work)] as const;
  const runFolder = ({ id }: Lease): string => join(stage.directory, "tasks", id, "run-1");

  /** The chain's time goes on, and the node beats as often as it has to. */
  async function beats(lease: Lease, count: number): Promise<void> {
    for (let beat = 0; beat < count; beat++) {
      const { lastHeartbeat } = await stage.market().leaseOf(lease.id);
      await stage.passSeconds(BEAT_SECONDS * 0.8);
      await until(async () => (await stage.market().leaseOf(lease.id)).lastHeartbeat > lastHeartbeat);
    }
  }

  /** What the lease answers to its owner, by the ticket on the chain. */
  async function ask({ id }: Lease, body: string): Promise<string> {
    const market = stage.market();
    const [event] = await market.queryFilter(market.filters.LeaseReady(id));
    const { secretKey } = stage.world.ownerKey;
    const lease = connectLease(await openTicket(getBytes(event!.args.ticket), { taskId: id, secretKey }));
    try {
      return await (await lease.request("/", { body })).text();
    } finally {
      lease.close();
    }
  }

  /** It is paid for these seconds, and all the rest is the owner's again. */
  async function expectPaid(lease: Lease, before: Balances, upSeconds: bigint, slashed = 0n): Promise<void> {
    const paid = RATE_WEI * upSeconds;
    const fee = (paid * 250n) / 10_000n;
    const after = await stage.balances();
    expect(after.gas < before.gas).to.be.true;
    expect(after).to.deep.equal({
      gas: after.gas,
      owner: before.owner + lease.costWei - paid + slashed,
      provider: before.provider + paid - fee,
      fees: before.fees + fee,
      market: before.market + lease.costWei + slashed,
      stake: before.stake - slashed,
      locked: 0n,
    });
  }

  it("serves its owner, beats for it, and is paid by the second until the owner closes it", async () => {
    await start();
    const before = await stage.balances();
    const lease = await submitLease();
    await stage.event("up", { task: lease.id });
    expect(await ask(lease, "hello")).to.equal("hello");
    await beats(lease, 3);
    const { upSeconds: beaten } = await stage.market().leaseOf(lease.id);
    expect(beaten >= 24n && beaten < 40n, `${beaten}`).to.be.true;
    await stage.market().close(...wordsOf(lease), Outcome.OwnerClosed);
    const event = await stage.event("settled", { task: lease.id });
    const { upSeconds, readyAt, endsAt } = await stage.market().leaseOf(lease.id);
    expect(upSeconds).to.equal(endsAt - readyAt);
    expect(event).to.include({ outcome: "OwnerClosed", secondsUsed: Number(upSeconds) });
    await expectPaid(lease, before, upSeconds);
    expect(gasOf(event) > 0n).to.be.true;
    await until(() => processesIn(stage.directory).length === 0);
  });

  it("beats for two leases in one transaction, and draws what both have earned in one", async () => {
    const { ethers } = stage.world.connection;
    const { ProviderRegistry } = stage.world.deployment.contracts;
    const registry = await ethers.getContractAt("ProviderRegistry", ProviderRegistry);
    expect((await registry.providerOf(stage.provider.address)).offer.slots).to.equal(1n);
    const leases: LeasePolicy = {
      listen: { host: "127.0.0.1", port },
      tls: undefined,
      maxGasBps: 1_000,
      draw: { afterWei: 16n * RATE_WEI, afterSeconds: 3600 },
    };
    await stage.start({
      runner: await openProcessRunner(),
      applications: ["noop"],
      policy: { leases, slots: 2 },
    });
    const both = [await submitLease(), await submitLease()];
    for (const { id } of both) await stage.event("up", { task: id });
    const nonce = await stage.nonce();
    await stage.passSeconds(8);
    await stage.event("beat");
    expect(stage.events.find(({ event }) => event === "beat")).to.include({ leases: 2 });
    expect(await stage.nonce()).to.equal(nonce + 1);
    for (let beat = 0; beat < 2; beat++) await beats(both[0]!, 1);
    expect(await stage.event("drawn")).to.include({ leases: 2 });
    for (const { id } of both) {
      const { drawnSeconds } = await stage.market().leaseOf(id);
      expect(drawnSeconds >= 16n).to.be.true;
    }
    expect((await stage.balances()).provider > 0n).to.be.true;
  });

  it("N02_does not beat for time in which the service was down, and goes on when it is back", async () => {
    await start();
    const before = await stage.balances();
    const lease = await submitLease();
    await stage.event("up", { task: lease.id });
    await beats(lease, 1);
    const { upSeconds } = await stage.market().leaseOf(lease.id);
    await killApplication(runFolder(lease));
    await until(() =>
      stage.events.some(({ event }) => event === "service-restarted" || event === "service-down"),
    );
    await until(async () => (await ask(lease, "back?").catch(() => "")) === "back?");
    await stage.passSeconds(8);
    await sleep(500);
    expect((await stage.market().leaseOf(lease.id)).upSeconds).to.equal(upSeconds);
    const { lastHeartbeat } = await stage.market().leaseOf(lease.id);
    await stage.passSeconds(3);
    await until(async () => (await stage.market().leaseOf(lease.id)).lastHeartbeat > lastHeartbeat);
    // The silence is not paid for; from here on the meter runs again.
    expect((await stage.market().leaseOf(lease.id)).upSeconds).to.equal(upSeconds);
    await beats(lease, 1);
    const after = (await stage.market().leaseOf(lease.id)).upSeconds;
    expect(after >= upSeconds + 8n && after < upSeconds + 12n, `${upSeconds} ${after}`).to.be.true;
    await stage.market().close(...wordsOf(lease), Outcome.OwnerClosed);
    await stage.event("settled", { task: lease.id });
    const { upSeconds: paid, readyAt, endsAt } = await stage.market().leaseOf(lease.id);
    expect(paid <= endsAt - readyAt - 11n).to.be.true;
    await expectPaid(lease, before, paid);
  });

  it("N10_finds its services again after a restart: the same process, the same ticket, the meter runs on", async () => {
    const stopped = await start();
    const lease = await submitLease();
    await stage.event("up", { task: lease.id });
    await beats(lease, 1);
    const running = processesIn(runFolder(lease));
    await stopped.stop();
    const { upSeconds } = await stage.market().leaseOf(lease.id);
    expect(await ask(lease, "?").catch(() => "nobody")).to.equal("nobody");
    await start();
    await beats(lease, 1);
    expect(await ask(lease, "hello")).to.equal("hello");
    expect(processesIn(runFolder(lease))).to.deep.equal(running);
    const { upSeconds: after } = await stage.market().leaseOf(lease.id);
    expect(after >= upSeconds + 8n).to.be.true;
  });

  it("N06_ends services whose lease has ended while it was away", async () => {
    const stopped = await start();
    const lease = await submitLease();
    await stage.event("up", { task: lease.id });
    await stopped.stop();
    const owner = stage.market();
    await owner.close(...wordsOf(lease), Outcome.OwnerClosed);
    await stage.passSeconds(2 * BEAT_SECONDS);
    await owner.endLease(...wordsOf(lease));
    expect(processesIn(runFolder(lease))).not.to.deep.equal([]);
    await start();
    await until(async () => Number((await owner.taskOf(lease.id)).status) === Status.Settled);
    await until(() => processesIn(stage.directory).length === 0);
  });

  it("drains with its notice: beats until the end, pays for leaving, and is paid for the rest", async () => {
    const node = await start();
    const before = await stage.balances();
    const lease = await submitLease();
    await stage.event("up", { task: lease.id });
    const stopping = node.stop({ drain: true });
    await stage.event("leaving", { task: lease.id });
    await beats(lease, 1);
    expect(await ask(lease, "still there?")).to.equal("still there?");
    await beats(lease, 1);
    await stage.passSeconds(NOTICE_SECONDS - 16);
    const ledger = await stopping;
    expect(ledger.tasks).to.deep.equal({ ProviderClosed: 1 });
    const { upSeconds, readyAt, endsAt } = await stage.market().leaseOf(lease.id);
    expect(upSeconds).to.equal(endsAt - readyAt);
    await expectPaid(lease, before, upSeconds, COLLATERAL_WEI / 4n);
  });

  it("ends a lease that nobody uses, where its terms allow that", async () => {
    await start();
    const lease = await submitLease({ idleStopSeconds: 1, conditions: { stopsIdle: true } });
    const event = await stage.event("settled", { task: lease.id });
    expect(event["outcome"]).to.equal("OwnerIdle");
  });

  it("gives back at no cost what does not come up, and what it does not keep up at all", async () => {
    await start();
    const before = await stage.balances();
    const lease = await submitLease({ parameters: { seconds: -1 } });
    const event = await stage.event("declined", { task: lease.id });
    expect(textIn(event, "outcome")).to.equal("PayloadUnreadable");
    await stage.expectRefunded(lease, "PayloadUnreadable", before, { gasWei: gasOf(event) });
    const open = await submitLease({ conditions: { keyEpoch: 0 } });
    expect((await stage.event("declined", { task: open.id }))["outcome"]).to.equal("RequirementsUnmet");
  });

  it("loses its collateral for a long silence, and ends the lease itself when it is back", async () => {
    const stopped = await start();
    const before = await stage.balances();
    const lease = await submitLease();
    await stage.event("up", { task: lease.id });
    await beats(lease, 1);
    await stopped.stop();
    await stage.passSeconds(4 * BEAT_SECONDS);
    await start();
    const event = await stage.event("settled", { task: lease.id });
    expect(event["outcome"]).to.equal("ProviderDown");
    const after = await stage.balances();
    expect(after.stake).to.equal(before.stake - COLLATERAL_WEI);
    await until(() => processesIn(stage.directory).length === 0);
  });
});
