import { readdir } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";

import { Status } from "../../../src/market/outcome.ts";
import { encodeReport, encodeTerms, workHash } from "../../../src/market/terms.ts";
import { RATE_WEI, STAKE_WEI } from "../market/support.ts";
import { NeuraError } from "../../../src/errors.ts";
import { openArweave } from "../../../src/storage/arweave.ts";
import type { Storage } from "../../../src/storage/storage.ts";
import { Cleanup, testKey } from "../storage/support.ts";
import { gasOf, Stage, textIn, walletAt } from "./support.ts";

describe("ProviderNode: the life of a task", function () {
  this.timeout(60_000);
  const cleanup = new Cleanup();
  let stage: Stage;

  beforeEach(async () => {
    stage = await Stage.create(cleanup);
  });
  afterEach(() => cleanup.run());

  const count = (event: string): number => stage.events.filter((each) => each.event === event).length;

  it("delivers short work with one transaction, and pays what was used to the wei", async () => {
    await stage.start();
    stage.runner.script.seconds = 1.2;
    const before = await stage.balances();
    const nonce = await stage.nonce();
    const task = await stage.submitRaw({});
    await stage.passSeconds(5);
    const event = await stage.event("delivered", { task: task.id });
    expect(await stage.nonce()).to.equal(nonce + 1);
    expect(event["secondsUsed"]).to.equal(2);
    const paid = 2n * RATE_WEI;
    const fee = (paid * 250n) / 10_000n;
    expect(event["earnedWei"]).to.equal(paid - fee);
    expect(await stage.balances()).to.deep.equal({
      ...before,
      owner: before.owner + task.costWei - paid,
      provider: before.provider + paid - fee,
      fees: before.fees + fee,
      market: before.market + task.costWei,
      gas: before.gas - gasOf(event),
    });
  });

  it("charges no more seconds than the chain's clock allows", async () => {
    await stage.start();
    stage.runner.script.seconds = 0.3;
    // The measured 0.3 s count as one second; the chain may not have got so far.
    const task = await stage.submitRaw({});
    const event = await stage.event("delivered", { task: task.id });
    expect(event["secondsUsed"]).to.be.oneOf([0, 1]);
  });

  it("accepts work that takes longer while it runs, so that the owner cannot take it back any more", async () => {
    await stage.start({
      policy: { accept: { afterSeconds: 1, always: false, fromWei: undefined, withCollateral: true } },
    });
    stage.runner.script.seconds = 3;
    const task = await stage.submitRaw({});
    await stage.event("accepted", { task: task.id });
    expect(count("ran")).to.equal(0);
    const event = await stage.event("delivered", { task: task.id });
    expect(event["outcome"]).to.equal("Completed");
    expect(stage.runner.started).to.have.length(1);
  });

  it("accepts before it runs where the policy says so: for collateral, for a price, always", async () => {
    const accept = { afterSeconds: 30, always: false, fromWei: undefined, withCollateral: true };
    const node = await stage.start({ policy: { accept } });
    const before = await stage.balances();
    const task = await stage.submitRaw({ terms: { collateralWei: STAKE_WEI / 2n } });
    await stage.event("delivered", { task: task.id });
    expect(
      stage.events.filter(({ task: id }) => id === task.id).map(({ event }) => event),
    ).to.include.members(["accepted"]);
    expect((await stage.balances()).stake).to.equal(before.stake);
    expect((await stage.balances()).locked).to.equal(0n);
    await node.stop();

    const dear = await stage.start({ policy: { accept: { ...accept, fromWei: 100n * RATE_WEI } } });
    const cheap = await stage.submitRaw({});
    await stage.event("delivered", { task: cheap.id });
    const accepted = count("accepted");
    const costly = await stage.submitRaw({ terms: { conditions: { durationSeconds: 100 } } });
    await stage.event("accepted", { task: costly.id });
    expect(count("accepted")).to.equal(accepted + 1);
    await stage.event("delivered", { task: costly.id });
    await dear.stop();

    await stage.start({ policy: { accept: { ...accept, always: true } } });
    const any = await stage.submitRaw({});
    await stage.event("accepted", { task: any.id });
    await stage.event("delivered", { task: any.id });
  });

  it("ends the work when the owner takes the task back, and nobody pays", async () => {
    await stage.start();
    stage.runner.script.seconds = 30;
    const before = await stage.balances();
    const task = await stage.submitRaw({});
    await stage.event("running", { task: task.id });
    await stage.world.client.close(task.id, "cancel");
    const event = await stage.event("ended", { task: task.id });
    expect(event["outcome"]).to.equal("OwnerCancelled");
    expect(stage.runner.stopped).to.have.length(1);
    await stage.expectRefunded(task, "OwnerCancelled", before, { gasWei: 0n });
  });

  it("N10_tries work again once after a fault of its own, then gives it back at no cost", async () => {
    await stage.start({ policy: { failAfter: 9 } });
    stage.runner.script.kind = "infrastructure-fault";
    stage.runner.script.message = "The disk is gone.";
    const before = await stage.balances();
    const task = await stage.submitRaw({});
    const event = await stage.event("declined", { task: task.id });
    expect(stage.runner.started.map((path) => path.split("/").at(-1))).to.deep.equal(["run-1", "run-2"]);
    await stage.expectRefunded(task, "InfrastructureFault", before, {
      gasWei: gasOf(event),
    });
  });

  for (const [kind, outcome] of [
    ["owner-exit-code", "OwnerExitCode"],
    ["owner-out-of-memory", "OwnerOutOfMemory"],
    ["owner-time-limit", "OwnerTimeLimit"],
    ["owner-bad-input", "OwnerBadInput"],
  ] as const) {
    it(`delivers what ended by the owner's own doing as ${outcome}, with its log, for the seconds used`, async () => {
      await stage.start();
      stage.runner.script.kind = kind;
      stage.runner.script.seconds = 0.5;
      const task = await stage.submitRaw({});
      await stage.passSeconds(3);
      const event = await stage.event("delivered", { task: task.id });
      expect(event["outcome"]).to.equal(outcome);
      expect(event["secondsUsed"]).to.equal(1);
      const directory = `${cleanup.directory()}/result`;
      const result = await stage.world.client.result(task.id, { directory });
      expect(result.sound).to.be.true;
      expect(result.files.map(({ path }) => path)).to.include("logs/application.log");
    });
  }

  it("hands over a result in public when the terms ask for it", async () => {
    await stage.start();
    const { id } = await stage.submit({ publicResult: true });
    await stage.event("delivered", { task: id });
    const result = await stage.world.client.result(id, { directory: `${cleanup.directory()}/result` });
    expect(result.checks.map(({ verdict }) => verdict)).to.deep.equal(["match", "match", "match", "match"]);
  });

  it("runs as many tasks at a time as there are slots, the most urgent first", async () => {
    await stage.start({ policy: { slots: 1 } });
    stage.runner.script.seconds = 60;
    const now = (await stage.world.connection.ethers.provider.getBlock("latest"))!.timestamp;
    const times = (end: number) => ({
      conditions: { startBySeconds: now + 600, completeBySeconds: now + end },
    });
    const first = await stage.submitRaw({ terms: times(2000) });
    await stage.event("running", { task: first.id });
    const lazy = await stage.submitRaw({ terms: times(3000) });
    await stage.event("fetched", { task: lazy.id });
    const urgent = await stage.submitRaw({ terms: times(1000) });
    await stage.event("fetched", { task: urgent.id });
    expect(count("ran")).to.equal(0);
    stage.runner.script.seconds = 0;
    await stage.runner.finish(stage.runner.started[0]!);
    await stage.event("delivered", { task: lazy.id });
    const runs = stage.events.filter(({ event }) => event === "running").map(({ task }) => task);
    expect(runs).to.deep.equal([first.id, urgent.id, lazy.id]);
  });

  it("N14_declines what it could not begin in time because others are at work", async () => {
    await stage.start({ policy: { slots: 1, marginSeconds: 5 } });
    stage.runner.script.seconds = 20;
    const long = await stage.submitRaw({});
    await stage.event("running", { task: long.id });
    const before = await stage.balances();
    const task = await stage.submitRaw({});
    await stage.event("fetched", { task: task.id });
    await stage.passSeconds(597);
    const event = await stage.event("declined", { task: task.id });
    const after = await stage.balances();
    expect(event["outcome"]).to.equal("NoCapacity");
    expect(after.owner - before.owner).to.equal(task.costWei);
  });

  it("N14_gives up accepted work that cannot end in time, and frees the machine", async () => {
    const accept = { afterSeconds: 0, always: true, fromWei: undefined, withCollateral: true };
    await stage.start({ policy: { accept } });
    stage.runner.script.seconds = 50;
    const collateralWei = STAKE_WEI / 2n;
    const before = await stage.balances();
    const task = await stage.submitRaw({ terms: { collateralWei } });
    await stage.event("running", { task: task.id });
    const { completeBySeconds } = task.terms.conditions;
    const now = (await stage.world.connection.ethers.provider.getBlock("latest"))!.timestamp;
    await stage.passSeconds(completeBySeconds - now - 2);
    const event = await stage.event("ended", { task: task.id });
    expect(event["outcome"]).to.equal("ProviderAbandoned");
    expect(stage.runner.stopped).to.have.length(1);
    // Giving up costs a quarter of the collateral, which is the owner's.
    const slashed = collateralWei / 4n;
    expect(await stage.balances()).to.deep.equal({
      ...before,
      owner: before.owner + task.costWei + slashed,
      market: before.market + task.costWei + slashed,
      stake: before.stake - slashed,
      gas: before.gas - gasOf(event),
    });
  });

  it("N14_notices that it is too late: before accepting, the owner gets all back by expiry", async () => {
    await stage.start();
    stage.runner.script.seconds = 50;
    const before = await stage.balances();
    const task = await stage.submitRaw({});
    await stage.event("running", { task: task.id });
    await stage.passSeconds(700);
    const event = await stage.event("late", { task: task.id });
    expect(event["outcome"]).to.equal("NotAccepted");
    expect(stage.runner.stopped).to.have.length(1);
    await stage.world.client.close(task.id, "expire");
    await stage.expectRefunded(task, "NotAccepted", before, { gasWei: 0n });
  });

  it("N14_notices that it is too late: after accepting, the owner gets all back, and the collateral", async () => {
    const accept = { afterSeconds: 0, always: true, fromWei: undefined, withCollateral: true };
    await stage.start({ policy: { accept } });
    stage.runner.script.seconds = 50;
    const collateralWei = STAKE_WEI / 2n;
    const before = await stage.balances();
    const task = await stage.submitRaw({ terms: { collateralWei } });
    await stage.event("running", { task: task.id });
    await stage.passSeconds(1300);
    const late = await stage.event("late", { task: task.id });
    expect(late["outcome"]).to.equal("ProviderLate");
    // The owner itself calls, and gets the bounty as well.
    await stage.world.client.close(task.id, "fail");
    expect(await stage.balances()).to.deep.equal({
      ...before,
      owner: before.owner + task.costWei + collateralWei,
      market: before.market + task.costWei + collateralWei,
      stake: before.stake - collateralWei,
      gas: before.gas - gasOf(late),
    });
  });

  it("A16_a result counts from nobody else: a stranger's delivery is refused, the provider's comes through", async () => {
    const node = await stage.start();
    stage.runner.script.seconds = 1;
    const task = await stage.submitRaw({});
    await stage.event("running", { task: task.id });
    const { ethers } = stage.world.connection;
    const market = await ethers.getContractAt("TaskMarket", stage.world.deployment.contracts.TaskMarket);
    const stranger = stage.world.others[3]!;
    const theft = market.connect(stranger).deliver(encodeTerms(task.terms), workHash(task.work), {
      report: encodeReport({ outcome: 1, secondsUsed: 0 }),
      resultHash: `0x${"11".repeat(32)}`,
      evidenceHash: `0x${"11".repeat(32)}`,
      result: "ar://stolen",
    });
    await expect(theft)
      .to.be.revertedWithCustomError(market, "TaskMarket_NotProvider")
      .withArgs(task.id, stranger.address);
    await stage.event("delivered", { task: task.id });
    expect(Number((await market.taskOf(task.id)).status)).to.equal(Status.Settled);
    await node.stop();
  });

  it("the operator's key serves for the provider, and the earnings are the provider's", async () => {
    const { ethers } = stage.world.connection;
    const registry = await ethers.getContractAt(
      "ProviderRegistry",
      stage.world.deployment.contracts.ProviderRegistry,
    );
    const operator = stage.world.others[1]!;
    await registry.connect(stage.provider).setOperator(operator.address);
    await stage.start({ signer: walletAt(4), account: stage.provider.address });
    const nonce = await stage.nonce();
    stage.runner.script.seconds = 1;
    const task = await stage.submitRaw({});
    await stage.passSeconds(3);
    await stage.event("delivered", { task: task.id });
    expect(await stage.nonce()).to.equal(nonce);
    expect((await stage.balances()).provider > 0n).to.be.true;
  });

  it("drains: brings what it took to its end, and leaves the rest", async () => {
    const node = await stage.start();
    stage.runner.script.seconds = 1;
    const taken = await stage.submitRaw({});
    await stage.event("running", { task: taken.id });
    const stopping = node.stop({ drain: true });
    const left = await stage.submitRaw({});
    const ledger = await stopping;
    expect(ledger.tasks).to.deep.include({ Completed: 1 });
    expect(await statusOf(taken.id)).to.equal("Settled");
    expect(await statusOf(left.id)).to.equal("Funded");
  });

  it("N05_takes the blame when no gateway answers, and gives the task back", async () => {
    const storage = openArweave({ gateways: ["http://127.0.0.1:9"], key: await testKey() });
    await stage.start({ storage: () => storage, policy: { payloadWaitSeconds: 1 } });
    const before = await stage.balances();
    const task = await stage.submitRaw({});
    const event = await stage.event("declined", { task: task.id });
    await stage.expectRefunded(task, "InfrastructureFault", before, { gasWei: gasOf(event) });
    expect(textIn(await stage.event("waiting", { task: task.id }), "code")).to.equal("storage.unavailable");
  });

  it("N05_waits for a payload that its gateway does not have yet", async () => {
    let isLate = true;
    const { storage } = stage.world;
    const lagging: Storage = Object.create(storage, {
      get: {
        value: (uri: string, options: Parameters<Storage["get"]>[1]) => {
          if (isLate) throw new NeuraError("storage.not-found", "Not yet.");
          return storage.get(uri, options);
        },
      },
    }) as Storage;
    await stage.start({ storage: (reference) => (reference === undefined ? storage : lagging) });
    const task = await stage.submitRaw({});
    await stage.event("waiting", { task: task.id });
    isLate = false;
    await stage.event("delivered", { task: task.id });
  });

  it("N05_delivers nothing before its result can be read back, and goes to another gateway for that", async () => {
    const { storage } = stage.world;
    let readBacks = 0;
    const losing: Storage = Object.create(storage, {
      readBack: {
        value: async (...args: Parameters<Storage["readBack"]>) => {
          readBacks += 1;
          if (readBacks < 3) throw new NeuraError("storage.not-found", "It lost it.");
          return await storage.readBack(...args);
        },
      },
      put: { value: storage.put.bind(storage) },
      get: { value: storage.get.bind(storage) },
      status: { value: storage.status.bind(storage) },
    }) as Storage;
    await stage.start({ storage: () => losing });
    const nonce = await stage.nonce();
    const task = await stage.submitRaw({});
    await stage.event("waiting", { task: task.id });
    expect(await stage.nonce()).to.equal(nonce);
    await stage.event("delivered", { task: task.id });
    expect(readBacks).to.equal(3);
  });

  it("N13_says that it cannot pay for gas, and delivers when it can", async () => {
    const { networkHelpers } = stage.world.connection;
    stage.runner.script.seconds = 1;
    await stage.start();
    const task = await stage.submitRaw({});
    await stage.event("running", { task: task.id });
    await networkHelpers.setBalance(stage.provider.address, 1n);
    const waiting = await stage.event("waiting", { task: task.id });
    expect(textIn(waiting, "code")).to.equal("sender.insufficient-funds");
    expect(textIn(waiting, "message")).to.include(stage.provider.address);
    await networkHelpers.setBalance(stage.provider.address, 10n ** 18n);
    await stage.event("delivered", { task: task.id });
  });

  it("takes nothing new while it is paused in the registry", async () => {
    const { contracts } = stage.world.deployment;
    const registry = await stage.world.connection.ethers.getContractAt(
      "ProviderRegistry",
      contracts.ProviderRegistry,
    );
    await registry.connect(stage.provider).setStatus(2);
    await stage.start();
    const task = await stage.submitRaw({});
    expect((await stage.event("holding"))["reason"]).to.equal("paused in the registry");
    // It does not keep the owner's money: what can no longer be begun is given back.
    await stage.passSeconds(595);
    expect((await stage.event("declined", { task: task.id }))["outcome"]).to.equal("NoCapacity");
  });

  it("N18_takes nothing new while the disk is nearly full", async () => {
    await stage.start({ policy: { minFreeDiskMiB: 2 ** 40 } });
    const task = await stage.submitRaw({});
    const { reason } = await stage.event("holding");
    expect(reason).to.equal("the disk is nearly full");
    await sleep(300);
    expect(await statusOf(task.id)).to.equal("Funded");
    expect(stage.runner.started).to.deep.equal([]);
  });

  it("N18_takes nothing new after too many faults of its own", async () => {
    await stage.start({ policy: { failAfter: 2 } });
    stage.runner.script.kind = "infrastructure-fault";
    const task = await stage.submitRaw({});
    await stage.event("declined", { task: task.id });
    const next = await stage.submitRaw({});
    const { reason } = await stage.event("holding");
    expect(reason).to.include("faults of this machine in a row");
    await sleep(300);
    expect(await statusOf(next.id)).to.equal("Funded");
  });

  it("keeps nothing of a task but its result, and that for as long as the policy says", async () => {
    const node = await stage.start();
    const task = await stage.submitRaw({});
    await stage.event("delivered", { task: task.id });
    const folder = `${stage.directory}/tasks/${task.id}`;
    expect(await readdir(folder)).to.deep.equal(["result.envelope"]);
    await node.stop();
    const again = await stage.start({ policy: { keepSeconds: 0 } });
    await stage.event("stopped");
    await sleep(200);
    expect(await readdir(folder).catch(() => "gone")).to.equal("gone");
    await again.stop();
  });

  async function statusOf(id: string): Promise<string> {
    return (await stage.world.client.status(id)).status;
  }
});
