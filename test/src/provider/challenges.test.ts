import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { ZeroHash } from "ethers";

import { Status } from "../../../src/market/outcome.ts";
import { encodeReport, encodeTerms, workHash } from "../../../src/market/terms.ts";
import { type Account, RATE_WEI, STAKE_WEI } from "../market/support.ts";
import { Cleanup } from "../storage/support.ts";
import { gasOf, Stage } from "./support.ts";

const PERIOD_SECONDS = 300;
const COLLATERAL_WEI = STAKE_WEI / 4n;
const FEE_WEI = (RATE_WEI * 250n) / 10_000n;

describe("ProviderNode and deliveries that can be challenged", function () {
  this.timeout(60_000);
  const cleanup = new Cleanup();
  let stage: Stage;
  let arbiter: Account;

  beforeEach(async () => {
    stage = await Stage.create(cleanup);
    arbiter = stage.world.others[4]!;
    stage.runner.script.seconds = 0.5;
  });
  afterEach(() => cleanup.run());

  /** A task that was delivered and not paid yet. */
  async function delivered({ unit }: { unit?: bigint } = {}) {
    const conditions = { challengePeriodSeconds: PERIOD_SECONDS };
    const terms = { collateralWei: COLLATERAL_WEI, arbiter: arbiter.address, conditions };
    const task = await stage.submitRaw({ terms });
    await stage.event("accepted", { task: task.id });
    await stage.passSeconds(3);
    await stage.event("delivered", { task: task.id });
    const market = stage.market();
    const [event] = await market.queryFilter(market.filters.TaskDelivered(task.id));
    const { report, resultHash, evidenceHash } = event!.args;
    const words = [
      encodeTerms(task.terms),
      workHash(task.work),
      { report, resultHash, evidenceHash },
    ] as const;
    expect(report).to.equal(encodeReport({ outcome: 1, secondsUsed: 1 }));
    if (unit !== undefined) {
      const { bondWei } = await market.bondOf(words[0]);
      await market.dispute(...words, unit, ZeroHash, bondWei, { value: bondWei });
    }
    return { ...task, words };
  }

  const statusOf = async (id: string) => Number((await stage.market().taskOf(id)).status);
  const changed = async (before: Awaited<ReturnType<Stage["balances"]>>) => {
    const after = await stage.balances();
    return {
      owner: after.owner - before.owner,
      provider: after.provider - before.provider,
      stake: after.stake - before.stake,
      locked: after.locked,
    };
  };

  it("stays at stake until the period is over, then settles itself, also after a restart", async () => {
    const stopped = await stage.start();
    const before = await stage.balances();
    const task = await delivered();
    expect(await changed(before)).to.include({ provider: 0n, locked: COLLATERAL_WEI });
    await stage.passSeconds(PERIOD_SECONDS - 20);
    await sleep(200);
    expect(await statusOf(task.id)).to.equal(Status.Delivered);
    // What may be asked for again is kept.
    expect(await readdir(join(stage.directory, "tasks", task.id))).to.include.members([
      "payload.envelope",
      "run-1",
    ]);
    await stopped.stop();
    await stage.start();
    await stage.passSeconds(30);
    const event = await stage.event("settled", { task: task.id });
    expect(event["earnedWei"]).to.equal(RATE_WEI - FEE_WEI);
    expect(await changed(before)).to.deep.equal({
      owner: task.costWei - RATE_WEI,
      provider: RATE_WEI - FEE_WEI,
      stake: 0n,
      locked: 0n,
    });
    expect((await stage.balances()).gas).to.equal(before.gas - gasOf(event));
    expect(await readdir(join(stage.directory, "tasks", task.id))).to.deep.equal(["result.envelope"]);
  });

  it("notices that its owner settles early", async () => {
    await stage.start();
    const task = await delivered();
    await stage.market().settle(...task.words);
    const event = await stage.event("settled", { task: task.id });
    expect(event["earnedWei"]).to.equal(RATE_WEI - FEE_WEI);
  });

  it("stands by work that comes out the same again, and is paid by the ruling", async () => {
    await stage.start();
    const before = await stage.balances();
    const task = await delivered({ unit: 0n });
    expect((await stage.event("rechecked", { task: task.id }))["isRight"]).to.be.true;
    await stage.passSeconds(241);
    await sleep(200);
    expect(await statusOf(task.id)).to.equal(Status.Disputed);
    await stage.market(arbiter).rule(...task.words, 10_000);
    const event = await stage.event("settled", { task: task.id });
    expect(event).to.include({ outcome: "RuledForProvider", earnedWei: RATE_WEI - FEE_WEI });
    const { provider, stake, locked } = await changed(before);
    expect(provider >= RATE_WEI - FEE_WEI).to.be.true;
    expect([stake, locked]).to.deep.equal([0n, 0n]);
  });

  it("concedes within the window where the work comes out otherwise", async () => {
    await stage.start();
    const before = await stage.balances();
    const task = await delivered();
    stage.runner.script.answer = 43;
    const market = stage.market();
    const { bondWei } = await market.bondOf(task.words[0]);
    await market.dispute(...task.words, 0, ZeroHash, bondWei, { value: bondWei });
    const event = await stage.event("ended", { task: task.id });
    expect(event["outcome"]).to.equal("Conceded");
    const slashed = COLLATERAL_WEI / 2n;
    expect(await changed(before)).to.deep.equal({
      owner: task.costWei + slashed + bondWei,
      provider: 0n,
      stake: -slashed,
      locked: 0n,
    });
  });

  it("N11_stopped in the middle of a dispute, it does not do the work a third time, and outlasts a silent arbiter", async () => {
    const stopped = await stage.start();
    const task = await delivered({ unit: 5n });
    await stage.event("rechecked", { task: task.id });
    await stopped.stop();
    const runs = stage.runner.started.length;
    await stage.start();
    await stage.passSeconds(30 * 24 * 3600 + 1);
    const event = await stage.event("settled", { task: task.id });
    expect(event).to.include({ outcome: "ArbiterSilent", earnedWei: RATE_WEI - FEE_WEI });
    expect(stage.runner.started).to.have.length(runs);
  });

  it("gives a task back whose collateral is not free any more when it is to be delivered", async () => {
    const accept = { afterSeconds: 30, always: false, fromWei: undefined, withCollateral: false };
    await stage.start({ policy: { accept } });
    stage.runner.script.seconds = 2;
    const terms = { collateralWei: STAKE_WEI, arbiter: arbiter.address };
    const task = await stage.submitRaw({
      terms: { ...terms, conditions: { challengePeriodSeconds: PERIOD_SECONDS } },
    });
    await stage.event("running", { task: task.id });
    const { ethers } = stage.world.connection;
    const { ProviderRegistry } = stage.world.deployment.contracts;
    const registry = await ethers.getContractAt("ProviderRegistry", ProviderRegistry);
    await registry.connect(stage.provider).unstake(1n);
    const event = await stage.event("declined", { task: task.id });
    expect(event["outcome"]).to.equal("RequirementsUnmet");
  });
});
