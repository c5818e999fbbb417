import { expect } from "chai";

import { OCR_CALIBRATION } from "../../../src/verify/known.ts";
import { checkJury } from "../../../src/jury/check.ts";
import { appealCase, moneyAt, type Pursued, withdrawFromJury } from "../../../src/jury/owner.ts";
import { leaveSeats, readSeats, releaseSeats, takeSeats } from "../../../src/jury/seats.ts";
import { verificationBy } from "../../../src/verify/calibration.ts";
import { parseVerification } from "../../../src/verify/verification.ts";
import { Cleanup, errorOf } from "../storage/support.ts";
import {
  COLLATERAL_WEI,
  CONCESSION,
  COST_WEI,
  createJuryWorld,
  type JuryWorld,
  SEAT_WEI,
  STEP,
} from "./support.ts";

describe("jury: what an owner does", function () {
  this.timeout(60_000);
  const cleanup = new Cleanup();
  let world: JuryWorld;
  let restore: () => Promise<void>;

  before(async () => {
    world = await createJuryWorld(cleanup, { jurors: 12 });
    const snapshot = await world.connection.networkHelpers.takeSnapshot();
    restore = () => snapshot.restore();
  });
  after(() => cleanup.run());
  afterEach(() => restore());

  const stakeOf = async (account: string): Promise<bigint> => {
    const { deployment, connection } = world;
    const registry = await connection.ethers.getContractAt(
      "ProviderRegistry",
      deployment.contracts.ProviderRegistry,
    );
    return (await registry.providerOf(account)).stake;
  };
  const balances = async (): Promise<{ owner: bigint; provider: bigint; stake: bigint }> => ({
    owner: await world.market.balanceOf(world.owner.address),
    provider: await world.market.balanceOf(world.provider.account.address),
    stake: await stakeOf(world.provider.account.address),
  });

  /** Until a pursuit has told of this, which it does without anybody's clock. */
  async function until(told: readonly string[], what: string): Promise<void> {
    for (let tries = 0; tries < 2_000 && !told.includes(what); tries++) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(told).to.include(what);
  }

  function pursuing(id: string, signal?: AbortSignal): { told: string[]; done: Promise<string> } {
    const told: string[] = [];
    const onProgress = (progress: Pursued): void => {
      if (progress.did === "wait") {
        told.push(`wait ${progress.found.stepName} ${progress.moves.map(({ action }) => action).join()}`);
      } else told.push(`${progress.did}${progress.did === "hand-over" ? ` ${progress.of ?? ""}` : ""}`);
    };
    const done = world.client
      .pursue(id, { intervalMs: 5, onProgress, signal })
      .then(({ outcome }) => outcome);
    done.catch(() => undefined);
    return { told, done };
  }

  it("pursues a case to its end, and goes on where it was stopped", async () => {
    const task = await world.disputed();
    const { id } = task;
    const before = await balances();
    const stop = new AbortController();
    const first = pursuing(id, stop.signal);
    await until(first.told, "wait None draw");
    await world.draw(task);
    await world.pass(CONCESSION + 1);
    await until(first.told, "hand-over payload");
    await until(first.told, "wait Committing commit");
    stop.abort();
    expect(await first.done.catch((error: unknown) => (error as Error).name)).to.equal("AbortError");

    await world.commit(id);
    const second = pursuing(id);
    await until(second.told, "wait Revealing reveal");
    // One of them is mute, and so is fined.
    await world.reveal(id, [0, 0]);
    await world.pass(2 * STEP + 1);
    expect(await second.done).to.equal("RuledForOwner");
    expect(second.told).to.deep.equal(["hand-over result", "wait Revealing reveal", "finish"]);

    const status = await world.client.status(id);
    const { found } = await world.look(id);
    const after = await balances();
    const money = moneyAt(status, found, 0);
    expect(after.owner - before.owner).to.equal(COST_WEI + found.dispute.bondWei + money.ownerWei);
    expect(after.provider).to.equal(before.provider);
    expect(after.stake - before.stake).to.equal(-COLLATERAL_WEI);
    // The two are paid a third of the fee each, and the third lost what the task could move.
    const [one, two, mute] = await world.panel(id);
    if (one === undefined || two === undefined || mute === undefined) throw new Error("no panel");
    const shareWei = found.dispute.feeWei / 3n;
    for (const { account } of [one, two]) {
      expect(await world.jury.creditOf(account.address)).to.equal(shareWei);
      expect(await stakeOf(account.address)).to.equal(2n * SEAT_WEI);
    }
    const seat = world.jurors.indexOf(mute);
    const { lostBps } = await world.jury.seatOf(0n, seat);
    expect(lostBps > 0n).to.equal(true);
    expect(2n * SEAT_WEI - (await stakeOf(mute.account.address))).to.equal((SEAT_WEI * lostBps) / 10_000n);
    const { amountWei } = await withdrawFromJury(world.contextOf(one.account), {
      to: task.task.terms.provider,
    });
    expect(amountWei).to.equal(shareWei);
    expect(await world.jury.creditOf(one.account.address)).to.equal(0n);
    const again = withdrawFromJury(world.contextOf(one.account), { to: one.account.address });
    expect((await errorOf(again)).code).to.equal("jury.nothing");
  });

  it("summons and draws the jury itself where the provider keeps its half, which pays for that", async () => {
    const { id } = await world.disputed();
    const before = await balances();
    await world.pass(CONCESSION + STEP + 1);
    const { told, done } = pursuing(id);
    await until(told, "wait Summoned ");
    await world.connection.networkHelpers.mine(6);
    await until(told, "wait Committing commit");
    expect(told).to.include.members(["summon", "draw", "hand-over payload"]);
    await world.commit(id);
    await until(told, "wait Revealing reveal");
    await world.reveal(id, [10_000, 10_000, 10_000]);
    await world.pass(2 * STEP + 1);
    // Right, but it kept everybody waiting.
    expect(await done).to.equal("RuledInPart");
    const { found } = await world.look(id);
    const after = await balances();
    const { feeWei, bondWei } = found.dispute;
    const silenceBps = (feeWei * 10_000n) / (COST_WEI + COLLATERAL_WEI);
    const money = moneyAt(await world.client.status(id), found, Number(10_000n - silenceBps));
    expect(found.ended?.providerBps).to.equal(Number(10_000n - silenceBps));
    expect(after.owner - before.owner).to.equal(COST_WEI + bondWei + money.ownerWei);
    expect(after.stake - before.stake < 0n).to.equal(true);
  });

  it("has the dispute resolved where the jury is silent, so that the bond comes back", async () => {
    const task = await world.disputed();
    const { id } = task;
    const { owner } = await balances();
    await world.draw(task);
    await world.pass(CONCESSION + 1);
    const { told, done } = pursuing(id);
    await until(told, "wait Committing commit");
    // Nobody commits.
    const { found } = await world.look(id);
    await world.connection.networkHelpers.time.increaseTo(found.dispute.rulingBySeconds + 1);
    expect(await done).to.equal("ArbiterSilent");
    expect(told.filter((each) => !each.startsWith("wait"))).to.deep.equal([
      "hand-over payload",
      "finish",
      "resolve",
    ]);
    expect((await world.market.balanceOf(world.owner.address)) - owner).to.equal(found.dispute.bondWei);
  });

  it("appeals with a bond that comes back when fifteen others decide otherwise", async () => {
    const task = await world.disputed();
    const { id } = task;
    const { client, context } = world;
    await world.draw(task);
    await world.pass(CONCESSION + 1);
    const { told, done } = pursuing(id);
    await until(told, "wait Committing commit");
    const [wrong] = await world.panel(id);
    await world.commit(id);
    await until(told, "wait Revealing reveal");
    await world.reveal(id, [10_000, 10_000, 10_000]);
    await world.pass(STEP + 1);
    const plan = await client.planAppeal(id);
    expect(plan.first).to.deep.include({ isDecided: true, providerBps: 10_000 });
    expect(plan.ownerGainWei > 0n && plan.providerGainWei < 0n).to.equal(true);
    expect(plan.providerBreakEvenPercent).to.equal(100);
    const { bondWei } = plan;
    expect((await errorOf(client.appeal(id, { maximumBondWei: bondWei - 1n }))).code).to.equal(
      "jury.bond-too-high",
    );
    const coin = async (): Promise<bigint> =>
      await world.connection.ethers.provider.getBalance(world.owner.address);
    const before = await coin();
    const { transaction, found } = await appealCase(context, id, { maximumBondWei: bondWei });
    const receipt = await world.connection.ethers.provider.getTransactionReceipt(transaction.hash);
    expect(before - (await coin())).to.equal(bondWei + (receipt?.fee ?? 0n));
    expect(found.appeal).to.deep.equal({ appellant: world.owner.address, bondWei });
    expect(found.panels).to.have.length(2);

    await until(told, "hand-over payload");
    for (let tries = 0; (await world.look(id)).found.stepName === "Drawn" && tries < 500; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await world.commit(id);
    for (let tries = 0; (await world.look(id)).found.stepName === "Committing" && tries < 500; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const second = await world.panel(id);
    expect(second.length >= 8).to.equal(true);
    await world.reveal(
      id,
      second.map(() => 0),
    );
    await world.pass(STEP + 1);
    expect(await done).to.equal("RuledForOwner");
    // Those of the first panel lost, and the appellant has its bond again.
    expect(await world.jury.creditOf(world.owner.address)).to.equal(bondWei);
    expect((await stakeOf(wrong?.account.address ?? "")) < 2n * SEAT_WEI).to.equal(true);
    const { amountWei } = await withdrawFromJury(context, { to: world.owner.address });
    expect(amountWei).to.equal(bondWei);
  });

  it("refuses an order that no jury could decide about, and says what is scarce", async () => {
    const { context } = world;
    const { terms, work } = (await world.disputed()).task;
    const verification = verificationBy(OCR_CALIBRATION);
    const codeOf = async (change: Partial<typeof terms>, method = verification): Promise<string> =>
      (await errorOf(checkJury(context, { terms: { ...terms, ...change }, work, verification: method })))
        .code;
    expect(await checkJury(context, { terms, work, verification })).to.have.length(1);
    expect(await codeOf({ collateralWei: 2n * SEAT_WEI })).to.equal("jury.too-dear");
    expect(await codeOf({ conditions: { ...terms.conditions, keyEpoch: 0 } })).to.equal("jury.public");
    expect(await codeOf({ conditions: { ...terms.conditions, startBySeconds: 1 } })).to.equal("jury.too-few");
    for (const method of ["none/1", "tokens/1"]) {
      expect(await codeOf({}, parseVerification({ method }))).to.equal("jury.no-method");
    }
    const { resources } = work;
    const onGpu = { ...work, resources: { ...resources, gpuCount: 1, gpuClass: 7, vramMiB: 1 } };
    expect((await errorOf(checkJury(context, { terms, work: onGpu, verification }))).code).to.equal(
      "jury.too-few",
    );
  });

  it("takes seats, leaves them, and gives their stake back", async () => {
    const [juror] = world.jurors;
    if (juror === undefined) throw new Error("no juror");
    const context = world.contextOf(juror.account, juror.home);
    await takeSeats(context, { class: 0, count: 1, voter: world.owner.address });
    const own = await readSeats(context, { class: 0, account: juror.account.address });
    expect(own).to.include({ seatWei: SEAT_WEI, feeBps: 600, stepSeconds: STEP, creditWei: 0n });
    expect(own.seats.map(({ seat, voter }) => [seat, voter])).to.deep.equal([
      [0, juror.account.address],
      [12, world.owner.address],
    ]);
    expect((await readSeats(context, { class: 0 })).seats).to.have.length(13);
    expect((await leaveSeats(context, { class: 0 })).seats).to.deep.equal([0, 12]);
    expect((await errorOf(leaveSeats(context, { class: 0 }))).code).to.equal("jury.no-seats");
    expect((await errorOf(releaseSeats(context, { class: 0 }))).code).to.equal("jury.seat-bound");
    const [left] = (await readSeats(context, { class: 0, account: juror.account.address })).seats;
    await world.connection.networkHelpers.time.increaseTo(left?.releasableAtSeconds ?? 0);
    expect((await releaseSeats(context, { class: 0 })).seats).to.deep.equal([0, 12]);
    const { deployment, connection } = world;
    const registry = await connection.ethers.getContractAt(
      "ProviderRegistry",
      deployment.contracts.ProviderRegistry,
    );
    expect(await registry.freeStakeOf(juror.account.address)).to.equal(2n * SEAT_WEI);
    expect(
      (await errorOf(takeSeats(context, { class: 3, count: 1, voter: juror.account.address }))).code,
    ).to.equal("jury.wrong-class");
  });
});
