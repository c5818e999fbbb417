import { expect } from "chai";
import { Wallet } from "ethers";

import { TaskMarket__factory } from "../../../types/factories/market/TaskMarket__factory.ts";
import { MarketClient } from "../../../src/market/client.ts";
import { Outcome } from "../../../src/market/outcome.ts";
import type { ProviderQuery, ProviderReport } from "../../../src/market/providers.ts";
import { NO_RESOURCES, packResources } from "../../../src/market/resources.ts";
import { encodeTerms, workHash } from "../../../src/market/terms.ts";
import { Cleanup, errorOf } from "../storage/support.ts";
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
    expect(ranked[0]?.reason).to.equal("asks 0.000001 ANKR/s; no paid work yet, 1 ANKR of free stake");
  });

  it("counts what a provider lost, and nothing against a new one", async () => {
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
    await market.decline(encodeTerms(declined.terms), workHash(declined.work), Outcome.NoCapacity);
    const done = await submitTo(steady.address);
    const key = keys.get(steady.address);
    if (key === undefined) throw new Error("no key");
    await deliverResult(world, done, { account: steady, key });
    await world.register(fresh);

    const ranked = await find();
    expect(ranked.slice(0, 2).map(({ account }) => account)).to.have.members([steady.address, fresh.address]);
    expect(ranked[2]?.account).to.equal(walker.address);
    expect(ranked[2]?.reason).to.equal(
      "asks 0.000001 ANKR/s; 0 paid tasks (0 s), 0 failed, 0 abandoned, 1 declined; counted at 1.25 times its price",
    );
    expect(ranked.find(({ account }) => account === steady.address)?.record).to.deep.equal({
      completed: 1,
      secondsSold: 1,
      declined: 0,
      abandoned: 0,
      failed: 0,
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
      "asks 0.000001 ANKR/s; 1 paid tasks (1 s), 0 failed, 0 abandoned, 0 declined; counted at 1.00 times its price",
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
    expect(report?.requirements.filter(({ met }) => met === "unknown")).to.deep.equal([
      { name: "application", needed: "ocr", offered: "not known", met: "unknown" },
      { name: "driver", needed: "550.1", offered: "not known", met: "unknown" },
      { name: "bandwidthMbps", needed: 100, offered: "not known", met: "unknown" },
    ]);
  });

  it("says that an account is no provider", async () => {
    const error = await errorOf(world.client.checkProvider(world.owner.address, QUERY));
    expect(error.code).to.equal("provider.unknown");
  });
});
