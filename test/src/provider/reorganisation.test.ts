import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import type { Provider } from "ethers";

import { Cleanup } from "../storage/support.ts";
import { Stage } from "./support.ts";

describe("ProviderNode on a chain that changes its mind", function () {
  this.timeout(60_000);
  const cleanup = new Cleanup();
  let stage: Stage;

  beforeEach(async () => {
    stage = await Stage.create(cleanup);
  });
  afterEach(() => cleanup.run());

  /** Takes back every block since the snapshot, and mines others in their place. */
  async function reorganise(snapshot: { restore: () => Promise<void> }, blocks: number): Promise<void> {
    const { networkHelpers } = stage.world.connection;
    await snapshot.restore();
    await networkHelpers.mine(blocks);
  }

  it("N07_drops a task whose submission vanished, and goes on with it when it comes back", async () => {
    const { networkHelpers, ethers } = stage.world.connection;
    stage.runner.script.seconds = 2;
    await stage.start();
    await networkHelpers.mine(1);
    await stage.event("started");
    await sleep(100);
    const snapshot = await networkHelpers.takeSnapshot();
    const task = await stage.submitRaw({});
    const { block } = await stage.event("found", { task: task.id });
    await stage.event("running", { task: task.id });
    const sent = await ethers.provider.getBlock(Number(block), true);
    const submission = sent!.prefetchedTransactions[0]!;

    await reorganise(snapshot, 3);
    await stage.event("reorganised");
    await stage.event("vanished", { task: task.id });
    expect(stage.events.filter(({ event }) => event === "delivered")).to.have.length(0);

    // The same transaction, mined again in another block.
    const { owner } = stage.world;
    await owner.sendTransaction({ to: submission.to, data: submission.data, value: submission.value });
    await stage.event("delivered", { task: task.id });
    expect(stage.runner.started).to.have.length(1);
  });

  it("N07_delivers again, with the same transaction, what a reorganisation took out", async () => {
    const { networkHelpers, ethers } = stage.world.connection;
    const node = await stage.start();
    const task = await stage.submitRaw({});
    await stage.event("found", { task: task.id });
    const snapshot = await networkHelpers.takeSnapshot();
    const first = await stage.event("delivered", { task: task.id });
    const market = await ethers.getContractAt("TaskMarket", stage.world.deployment.contracts.TaskMarket);
    const deliveries = async () => await market.queryFilter(market.filters.TaskDelivered(task.id));
    const [before] = await deliveries();
    // Only what the feed has read can be taken from it.
    while (!node.journal.checkpoints().some(({ number }) => number >= before!.blockNumber)) await sleep(10);
    stage.events.length = 0;

    await reorganise(snapshot, 3);
    expect(await deliveries()).to.have.length(0);
    await stage.event("reorganised");
    const again = await stage.event("delivered", { task: task.id });
    const [after] = await deliveries();
    expect(again["transaction"]).to.equal(first["transaction"]);
    expect(after!.args.resultHash).to.equal(before!.args.resultHash);
    expect(stage.runner.started).to.have.length(1);
  });

  it("N07_waits for as many blocks as the policy wants for a price", async () => {
    const { networkHelpers } = stage.world.connection;
    await stage.start({
      policy: {
        confirmations: [
          { fromWei: 0n, blocks: 0 },
          { fromWei: 10n ** 15n, blocks: 3 },
        ],
      },
    });
    const cheap = await stage.submitRaw({});
    await stage.event("delivered", { task: cheap.id });
    const dear = await stage.submitRaw({ terms: { price: { amountWei: 10n ** 15n, metered: false } } });
    await stage.event("found", { task: dear.id });
    await networkHelpers.mine(2);
    await sleep(200);
    expect(stage.events.some(({ event, task }) => event === "fetching" && task === dear.id)).to.be.false;
    await networkHelpers.mine(1);
    await stage.event("delivered", { task: dear.id });
  });

  it("N06_does nothing while two nodes of the chain tell it different things", async () => {
    const { ethers } = stage.world.connection;
    let isLying = true;
    // The second node answers every call as of a block before the task.
    const start = await ethers.provider.getBlockNumber();
    const witness = new Proxy(ethers.provider, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name);
        if (name === "call") {
          return (request: object) => target.call({ ...request, ...(isLying ? { blockTag: start } : {}) });
        }
        return typeof value === "function" ? (value.bind(target) as unknown) : value;
      },
    }) as unknown as Provider;
    await stage.start({ witnesses: [witness] });
    const task = await stage.submitRaw({});
    await stage.event("found", { task: task.id });
    await sleep(1_000);
    expect(stage.events.some(({ event }) => event === "fetching")).to.be.false;
    expect(stage.runner.started).to.deep.equal([]);
    isLying = false;
    await stage.event("delivered", { task: task.id });
  });

  it("says that the chain stands still while there is work, and when it moves again", async () => {
    await stage.start({ stallMs: 300 });
    stage.runner.script.seconds = 2;
    await stage.submitRaw({});
    await stage.event("stalled");
    await stage.event("moving");
  });

  it("goes on where it was after the chain's node was gone", async () => {
    const { ethers } = stage.world.connection;
    let isDown = false;
    const provider = new Proxy(ethers.provider, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name);
        if (typeof value !== "function") return value;
        return (...args: unknown[]): unknown => {
          if (isDown)
            return Promise.reject(Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" }));
          return Reflect.apply(value, target, args);
        };
      },
    }) as unknown as Provider;
    await stage.start({ provider });
    stage.runner.script.seconds = 1;
    const task = await stage.submitRaw({});
    await stage.event("running", { task: task.id });
    isDown = true;
    await stage.event("trouble");
    await sleep(1_500);
    isDown = false;
    await stage.event("recovered");
    await stage.event("delivered", { task: task.id });
    expect(stage.runner.started).to.have.length(1);
  });
});
