import { join } from "node:path";
import { expect } from "chai";
import { Wallet } from "ethers";

import { TaskMarket__factory } from "../../../types/factories/market/TaskMarket__factory.ts";
import { MarketClient } from "../../../src/market/client.ts";
import { Outcome } from "../../../src/market/outcome.ts";
import type { ProviderQuery, ProviderReport } from "../../../src/market/providers.ts";
import { NO_RESOURCES, packResources } from "../../../src/market/resources.ts";
import { encodeTerms, workHash } from "../../../src/market/terms.ts";
import { measuredSpeed, noteMeasurement } from "../../../src/market/measurements.ts";
import { type ProviderMetadata, signMetadata } from "../../../src/provider/metadata.ts";
import { documentOf } from "../provider/documents.ts";
import { Cleanup, errorOf, serve } from "../storage/support.ts";
import {
  type Account,
  createWorld,
  deliverResult,
  fileIn,
  MACHINE,
  RATE_WEI,
  type World,
} from "./support.ts";

const QUERY: ProviderQuery = { resources: NO_RESOURCES, durationSeconds: 60, collateralWei: 0n };

describe("market: choosing a provider", () => {
  const cleanup = new Cleanup();
  let world: World;
  let accounts: [Account, Account, Account];

  beforeEach(async () => {
    world = await createWorld(cleanup);
    const [one, two, three] = world.others;
    if (one === undefined || two === undefined || three === undefined) throw new Error("no accounts");
    accounts = [one, two, three];
  });
  after(() => cleanup.run());

  async function find(query: Partial<ProviderQuery> = {}): Promise<ProviderReport[]> {
    return await world.client.findProviders({ ...QUERY, ...query });
  }

  it("ranks by price, and says what the task would cost", async () => {
    const [one, two, three] = accounts;
    await world.register(one, { rateWei: 3n * RATE_WEI });
    await world.register(two, { rateWei: RATE_WEI });
    await world.register(three, { rateWei: 2n * RATE_WEI });
    const ranked = await find();
    expect(ranked.map(({ account, rank, costWei }) => [account, rank, costWei])).to.deep.equal([
      [two.address, 1, 60n * RATE_WEI],
      [three.address, 2, 120n * RATE_WEI],
      [one.address, 3, 180n * RATE_WEI],
    ]);
    expect(ranked[0]?.reason).to.equal(
      "asks 0.000001 ANKR/s; no paid work yet, 1 ANKR of free stake; " +
        "counted at 1.38 times its price (no record yet 1.25, 1 of its requirements not known 1.10)",
    );
  });

  it("counts what a provider lost, and a record for more than none", async () => {
    const [walker, steady, fresh] = accounts;
    const keys = new Map<string, Awaited<ReturnType<World["register"]>>>();
    for (const account of [walker, steady]) keys.set(account.address, await world.register(account));
    const { connection, deployment, client } = world;
    const file = await fileIn(cleanup.directory(), "a.png");
    const submitTo = async (provider: string) =>
      await client.submit({ source: { files: [file] }, application: "ocr", durationSeconds: 60, provider });
    const declined = await submitTo(walker.address);
    const market = await connection.ethers.getContractAt(
      "TaskMarket",
      deployment.contracts.TaskMarket,
      walker,
    );
    // What is declined before it was accepted is on no record.
    const words = [encodeTerms(declined.terms), workHash(declined.work)] as const;
    await market.accept(...words);
    await market.decline(...words, Outcome.NoCapacity);
    const done = await submitTo(steady.address);
    const key = keys.get(steady.address);
    if (key === undefined) throw new Error("no key");
    await deliverResult(world, done, { account: steady, key });
    await world.register(fresh);

    const ranked = await find();
    const order = [steady.address, fresh.address, walker.address];
    expect(ranked.map(({ account }) => account)).to.deep.equal(order);
    expect(ranked[2]?.reason).to.equal(
      "asks 0.000001 ANKR/s; 0 paid tasks (0 s), 0 failed, 0 abandoned, 1 declined; " +
        "counted at 1.65 times its price (record 1.50, 1 of its requirements not known 1.10)",
    );
    expect(ranked.find(({ account }) => account === steady.address)?.record).to.deep.equal({
      completed: 1,
      secondsSold: 1,
      declined: 0,
      abandoned: 0,
      failed: 0,
      disputed: 0,
    });
  });

  it("lets equal offers take turns: each comes first for some owners", async () => {
    for (const account of accounts) await world.register(account);
    const first = new Set<string | undefined>();
    for (let seed = 0; seed < 40; seed++) first.add((await find({ seed: String(seed) }))[0]?.account);
    expect(first.size).to.equal(3);
    expect((await find({ seed: "x" })).map(({ account }) => account)).to.deep.equal(
      (await find({ seed: "x" })).map(({ account }) => account),
    );
  });

  it("names both numbers of everything that excludes a provider", async () => {
    const [one] = accounts;
    await world.register(one, { stakeWei: 0n });
    const registry = await world.connection.ethers.getContractAt(
      "ProviderRegistry",
      world.deployment.contracts.ProviderRegistry,
      one,
    );
    await registry.setStatus(2);
    const resources = {
      gpuCount: 1,
      gpuClass: 10,
      vramMiB: 1,
      ramMiB: 9000,
      cpuMilli: 5000,
      diskMiB: 30_000,
    };
    const [report] = await find({ resources, maxRateWei: 1n, collateralWei: 5n });
    expect(report).to.include({ eligible: false, rank: 0 });
    const missed = report?.requirements
      .filter(({ met }) => !met)
      .map(({ name, needed, offered }) => [name, needed, offered]);
    expect(missed).to.deep.equal([
      ["status", "active", "paused"],
      ["gpuCount", 1, 0],
      ["gpuClass", "H100", "any"],
      ["vramMiB", 1, 0],
      ["ramMiB", 9000, MACHINE.ramMiB],
      ["cpuMilli", 5000, MACHINE.cpuMilli],
      ["diskMiB", 30_000, MACHINE.diskMiB],
      ["price per second", "at most 0.000000000000000001 ANKR", "0.000001 ANKR"],
      ["free stake", "0.000000000000000005 ANKR", "0 ANKR"],
      ["standing", "paid work, or 1 ANKR of free stake", "0 s of paid work, 0 ANKR"],
    ]);
    expect(report?.reason).to.contain("ramMiB: needs 9000, offers 8192");
  });

  it("sees every provider, over several pages", async () => {
    const { ethers, networkHelpers } = world.connection;
    const registry = await ethers.getContractAt(
      "ProviderRegistry",
      world.deployment.contracts.ProviderRegistry,
    );
    for (let index = 0; index < 53; index++) {
      const { address } = Wallet.createRandom();
      await networkHelpers.impersonateAccount(address);
      await networkHelpers.setBalance(address, 10n ** 18n);
      const offer = { shape: 0n, rateWei: 1n, slots: 1n, metadata: "" };
      await registry.connect(await ethers.getSigner(address)).register(address, address, offer);
    }
    const reports = await find();
    expect(new Set(reports.map(({ account }) => account)).size).to.equal(53);
    expect(
      reports.every(({ reason }) => reason.startsWith("encryption key: needs valid, offers none")),
    ).to.equal(true);
  });

  it("chooses nobody for being cheap who has nothing to lose, unless it is told to", async () => {
    const [stranger, known] = accounts;
    await world.register(stranger, { rateWei: 1n, stakeWei: 0n });
    await world.register(known);
    const ranked = await find();
    expect(ranked.map(({ account, rank }) => [account, rank])).to.deep.equal([
      [known.address, 1],
      [stranger.address, 0],
    ]);
    expect(ranked[1]?.reason).to.equal(
      "standing: needs paid work, or 1 ANKR of free stake, offers 0 s of paid work, 0 ANKR",
    );
    expect((await find({ anyProvider: true }))[0]?.account).to.equal(stranger.address);
    const named = await world.client.checkProvider(stranger.address, QUERY);
    expect(named).to.include({ eligible: true, rank: 1 });
  });

  it("asks for more stake where more is paid", async () => {
    const [one] = accounts;
    await world.register(one, { rateWei: 10n ** 15n, stakeWei: 10n ** 18n });
    expect((await find({ durationSeconds: 100 }))[0]).to.include({ eligible: true });
    expect((await find({ durationSeconds: 101 }))[0]?.reason).to.equal(
      "standing: needs paid work, or 1.01 ANKR of free stake, offers 0 s of paid work, 1 ANKR",
    );
  });

  it("counts as work only what was paid for", async () => {
    const [one] = accounts;
    const key = await world.register(one, { stakeWei: 0n });
    const file = await fileIn(cleanup.directory(), "a.png");
    for (const [secondsUsed, eligible] of [
      [0, false],
      [1, true],
    ] as const) {
      const task = await world.client.submit({
        source: { files: [file] },
        application: "ocr",
        durationSeconds: 60,
        provider: one.address,
      });
      await deliverResult(world, task, { account: one, key }, { secondsUsed });
      expect((await find())[0], `${secondsUsed} s`).to.include({ eligible });
    }
    expect((await find())[0]?.reason).to.equal(
      "asks 0.000001 ANKR/s; 1 paid tasks (1 s), 0 failed, 0 abandoned, 0 declined; counted at 1.48 times its price " +
        "(record 1.13, little at stake 1.20, 1 of its requirements not known 1.10)",
    );
  });

  it("excludes a provider whose entry cannot be read, and ranks the others", async () => {
    const [hostile, sound] = accounts;
    await world.register(sound);
    const registry = await world.connection.ethers.getContractAt(
      "ProviderRegistry",
      world.deployment.contracts.ProviderRegistry,
      hostile,
    );
    const metadata = "https://nowhere";
    const offer = { shape: packResources(MACHINE), rateWei: 1n, slots: 1n, metadata };
    const data = registry.interface.encodeFunctionData("register", [hostile.address, hostile.address, offer]);
    await hostile.sendTransaction({
      to: await registry.getAddress(),
      data: data.replace(Buffer.from(metadata).toString("hex"), "ff".repeat(metadata.length)),
    });
    await world.publish(hostile);
    const [best, excluded, ...more] = await find({ anyProvider: true });
    expect(more).to.deep.equal([]);
    expect(best).to.include({ account: sound.address, rank: 1 });
    expect(excluded).to.include({ account: hostile.address, eligible: false, rank: 0 });
    expect(excluded?.reason).to.contain("its entry cannot be read: ").and.to.have.length.at.most(250);
    expect(await world.client.checkProvider(hostile.address, QUERY)).to.include({ eligible: false });
  });

  it("does not take a node that fails for providers that cannot be read", async () => {
    await world.register(accounts[0]);
    const { provider } = world.connection.ethers;
    const recordOf = TaskMarket__factory.createInterface().getFunction("recordOf").selector;
    const busy = new Proxy(provider, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== "function") return value;
        if (name !== "call") return value.bind(target) as unknown;
        return (request: { data: string }) =>
          request.data.startsWith(recordOf)
            ? Promise.reject(new Error("connect ECONNREFUSED"))
            : target.call(request);
      },
    });
    const { deployment, storage, home } = world;
    const client = new MarketClient({ runner: busy, deployment, storage: () => storage, home });
    const error: unknown = await client.findProviders(QUERY).catch((thrown: unknown) => thrown);
    expect(error).to.have.property("message", "connect ECONNREFUSED");
  });

  it("shows what no contract knows as unknown, not as met", async () => {
    await world.register(accounts[0]);
    const [report] = await find({ application: "ocr", needs: { driver: "550.1", bandwidthMbps: 100 } });
    expect(report).to.include({ eligible: true });
    const offered = "not known: it names no document about itself";
    expect(report?.requirements.filter(({ met }) => met === "unknown")).to.deep.equal([
      { name: "application", needed: "ocr", offered, met: "unknown" },
      { name: "driver", needed: "550.1", offered, met: "unknown" },
      { name: "bandwidthMbps", needed: 100, offered, met: "unknown" },
      { name: "free place now", needed: 1, offered, met: "unknown" },
    ]);
  });

  it("N11_ goes on with whom it had chosen when an order was cut off, and pays nobody else", async () => {
    const [chosen, cheaper] = accounts;
    await world.register(chosen, { rateWei: 2n * RATE_WEI });
    const source = { files: [await fileIn(cleanup.directory(), "a.png")] };
    const request = { source, application: "ocr", durationSeconds: 60 };
    const crash = new AbortController();
    const onProgress = ({ phase }: { phase: string }): void => {
      if (phase === "confirming") crash.abort(new Error("killed"));
    };
    const options = { signal: crash.signal, onProgress };
    const error: unknown = await world.client.submit(request, options).catch((thrown: unknown) => thrown);
    expect(error).to.have.property("message", "killed");
    await world.register(cheaper);
    expect((await find())[0]?.account).to.equal(cheaper.address);
    expect((await world.client.submit(request)).terms.provider).to.equal(chosen.address);
    expect(await tasksOfOwner()).to.equal(1);
    // That one is on the chain: the next order is another one.
    expect((await world.client.submit(request)).terms.provider).to.equal(cheaper.address);
    expect(await tasksOfOwner()).to.equal(2);
  });

  async function tasksOfOwner(): Promise<number> {
    const { connection, deployment, owner } = world;
    const market = TaskMarket__factory.connect(deployment.contracts.TaskMarket, connection.ethers.provider);
    const logs = await market.queryFilter(market.filters.TaskSubmitted(undefined, owner.address), 0);
    return logs.length;
  }

  describe("that say something of themselves", () => {
    /** A client that asks servers on this machine, and a provider whose document one of them serves. */
    async function described(
      account: Account,
      change: Partial<ProviderMetadata> = {},
      { signer = account }: { signer?: Account } = {},
    ): Promise<void> {
      const { deployment } = world;
      const domain = { chainId: BigInt(deployment.chainId), registry: deployment.contracts.ProviderRegistry };
      const text = await signMetadata(documentOf(account.address, change), { domain, signer });
      const url = await serve(cleanup, (_, response) => response.end(text));
      await world.register(account, { metadata: `${url}/metadata` });
    }

    function local(): MarketClient {
      const { connection, deployment, storage, home } = world;
      const runner = connection.ethers.provider;
      return new MarketClient({ runner, deployment, storage: () => storage, home, allowLoopback: true });
    }

    const needs = { driver: "550.1", region: "eu", sharedMemoryMiB: 64 };

    it("meet requirements or miss them, with both numbers", async () => {
      const [able, unable, busy] = accounts;
      await described(able);
      await described(unable, { applications: [], machine: { driver: "535" } });
      const capacity = documentOf(busy.address).capacity;
      await described(busy, { capacity: { ...capacity, freeSlots: 0, shape: NO_RESOURCES } });
      const reports = await local().findProviders({
        ...QUERY,
        resources: MACHINE,
        application: "ocr",
        needs,
      });
      expect(reports.map(({ account, rank }) => [account, rank])).to.deep.equal([
        [able.address, 1],
        [busy.address, 2],
        [unable.address, 0],
      ]);
      const rows = reports.map(({ requirements }) =>
        requirements.slice(-5).map(({ name, needed, offered, met }) => [name, needed, offered, met]),
      );
      const ago = /, \d s ago$/;
      expect(rows[0]?.slice(0, 4)).to.deep.equal([
        ["application", "ocr", "noop 1.0.0, ocr 1.0.0", true],
        ["driver", "550.1", "550.54.15", true],
        ["region", "eu", "eu-west", true],
        ["sharedMemoryMiB", 64, "not stated", "unknown"],
      ]);
      expect(rows[0]?.[4]?.[2])
        .to.match(/^2 of 2/)
        .and.to.match(ago);
      expect(rows[0]?.[4]?.[3]).to.equal(true);
      expect(rows[1]?.[4]?.[2])
        .to.match(/^0 of 2/)
        .and.to.match(ago);
      expect(rows[1]?.[4]?.[3]).to.equal("unknown");
      expect(reports[1]?.reason).to.include("0 of 2 places free 1.50");
      expect(reports[2]?.reason).to.equal(
        "application: needs ocr, offers none; driver: needs 550.1, offers 535",
      );
    });

    it("are believed for ten minutes about what is free, and not where it is less than needed", async () => {
      const [old, small] = accounts;
      const measuredAt = new Date(Date.now() - 11 * 60_000).toISOString();
      await described(old, { capacity: { ...documentOf(old.address).capacity, measuredAt } });
      const { capacity } = documentOf(small.address);
      await described(small, { capacity: { ...capacity, shape: { ...capacity.shape, ramMiB: 1024 } } });
      const reports = await local().findProviders({ ...QUERY, resources: MACHINE });
      const offered = new Map(
        reports.map(({ account, requirements }) => [account, requirements.at(-1)?.offered] as const),
      );
      expect(offered.get(old.address)).to.equal("not known: it looked 11 min ago");
      expect(offered.get(small.address)).to.match(/^2 of 2, with ramMiB 1024 of 8192, /);
      expect(reports.every(({ eligible }) => eligible)).to.equal(true);
    });

    it("are not believed where another one signed, nor asked where that is not allowed", async () => {
      const [one, two] = accounts;
      await described(one, {}, { signer: two });
      const query = { ...QUERY, application: "ocr" };
      const [forged] = await local().findProviders(query);
      expect(forged?.claims.document).to.equal(undefined);
      expect(forged?.claims.reason).to.include(`signed by ${two.address}`);
      expect(forged?.requirements.find(({ name }) => name === "application")?.met).to.equal("unknown");
      const [unasked] = await world.client.findProviders(query);
      expect(unasked?.claims.reason).to.include("no address of a public server");
    });

    it("are held against what their work took this owner", async () => {
      const [fast, boastful] = accounts;
      await described(fast);
      await described(boastful);
      const { home } = world;
      for (let index = 0; index < 3; index++) {
        const task = `0x${index.toString().repeat(64)}`;
        const measured = { task, application: "ocr", seconds: 24, units: 3, atSeconds: index };
        await noteMeasurement(home, { ...measured, provider: boastful.address });
      }
      const reports = await local().findProviders({ ...QUERY, application: "ocr" });
      expect(reports.map(({ account }) => account)).to.deep.equal([fast.address, boastful.address]);
      expect(reports[0]?.reason).to.include("claims 2 s for each unit;");
      expect(reports[1]?.reason)
        .to.include("claims 2 s for each unit, took you 8 s in 3 tasks")
        .and.to.include("slower than it claims 4.00");
    });

    it("are measured by what their results took", async () => {
      const [one] = accounts;
      const key = await world.register(one);
      const file = await fileIn(cleanup.directory(), "a.png");
      const source = { files: [file, await fileIn(cleanup.directory(), "b.png")] };
      const task = await world.client.submit({
        source,
        application: "ocr",
        durationSeconds: 60,
        provider: one.address,
      });
      // What it says that it took, and what it charged, which is rounded up.
      const run = { schema: "neura/run/1", application: "ocr", seconds: 0.5 };
      const files = { "run.json": JSON.stringify(run), "result.json": "{}" };
      await world.connection.networkHelpers.time.increase(10);
      await deliverResult(world, task, { account: one, key }, { files, secondsUsed: 4 });
      await world.client.result(task.id, { directory: join(cleanup.directory(), "result") });
      expect(await measuredSpeed(world.home, one.address, "ocr")).to.deep.include({
        secondsPerUnit: 1.5,
        tasks: 1,
      });
    });
  });

  it("says that an account is no provider", async () => {
    const error = await errorOf(world.client.checkProvider(world.owner.address, QUERY));
    expect(error.code).to.equal("provider.unknown");
  });
});
