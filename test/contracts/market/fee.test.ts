import { expect } from "chai";

import { TaskMarket__factory } from "../../../types/index.ts";
import { expectMoves, expectRefusal, useMarket } from "./books.ts";
import { COST_WEI, DAY, DURATION, FEE_BPS, METERED, PRICE_WEI } from "./fixture.ts";
import type { Fixture } from "./fixture.ts";

const DELAY = 7n * DAY;
const CEILING = 1_000n;

/** Schedules a fee in a block whose time is returned. */
async function schedule({ market, parties }: Fixture, bps: bigint): Promise<bigint> {
  const response = await market.connect(parties.admin).scheduleFee(bps);
  const block = await response.getBlock();
  const effectiveAt = BigInt(block!.timestamp) + DELAY;
  await expect(response).to.emit(market, "FeeScheduled").withArgs(bps, effectiveAt);
  return effectiveAt;
}

/** A task that is open for two weeks, and the delivery of ten seconds of it. */
async function submitLong(fixture: Fixture, salt: string) {
  const { ethers, market, networkHelpers, parties, makeTask, deliveryOf } = fixture;
  const now = BigInt(await networkHelpers.time.latest());
  const task = await makeTask({
    startBy: now + 14n * DAY,
    completeBy: now + 15n * DAY,
    salt: ethers.id(salt),
  });
  await market.connect(parties.owner).submit(task.terms, task.work, { value: COST_WEI });
  const deliver = (used = 10n) =>
    market.connect(parties.provider).deliver(task.terms, task.workHash, deliveryOf(1, used));
  return { ...task, deliver };
}

/** The market as its admin may also know it. */
const ownableOf = async ({ market, parties }: Fixture) =>
  TaskMarket__factory.connect(await market.getAddress(), parties.admin);

const movesOf = (bps: bigint, used = 10n) => {
  const paid = used * PRICE_WEI;
  const fee = (paid * bps) / 10_000n;
  return {
    "ledger.provider": paid - fee,
    "ledger.owner": COST_WEI - paid,
    "fees.provider": fee,
    completed: 1n,
    secondsSold: used,
  };
};

describe("ProtocolFee", () => {
  const use = useMarket();

  it("A14_a new fee begins with the second seven days later", async () => {
    const fixture = use();
    const { market, networkHelpers } = fixture;
    const effectiveAt = await schedule(fixture, CEILING);
    await networkHelpers.time.increaseTo(effectiveAt - 1n);
    expect(await market.feeBps()).to.equal(FEE_BPS);
    const last = await networkHelpers.takeSnapshot();
    await networkHelpers.time.increaseTo(effectiveAt);
    expect(await market.feeBps()).to.equal(CEILING);
    // A task of each of the two seconds pays the fee of its own.
    await last.restore();
    await networkHelpers.time.setNextBlockTimestamp(effectiveAt);
    const task = await submitLong(fixture, "first of the new");
    expect((await market.taskOf(task.id)).feeBps).to.equal(CEILING);
  });

  it("A40_a task keeps the fee of its submission while the fee changes", async () => {
    const fixture = use();
    const { market, networkHelpers } = fixture;
    const before = await submitLong(fixture, "before");
    const effectiveAt = await schedule(fixture, CEILING);
    const announced = await submitLong(fixture, "announced");
    await networkHelpers.time.increaseTo(effectiveAt);
    const after = await submitLong(fixture, "after");
    await networkHelpers.time.increase(10n);
    expect((await market.taskOf(before.id)).feeBps).to.equal(FEE_BPS);
    await expectMoves(fixture, () => before.deliver(), movesOf(FEE_BPS));
    await expectMoves(fixture, () => announced.deliver(), movesOf(FEE_BPS));
    await expectMoves(fixture, () => after.deliver(), movesOf(CEILING));
  });

  it("a task that is accepted later keeps its fee too", async () => {
    const fixture = use();
    const { market, networkHelpers, parties } = fixture;
    const task = await submitLong(fixture, "accepted later");
    await networkHelpers.time.increaseTo(await schedule(fixture, 0n));
    await market.connect(parties.provider).accept(task.terms, task.workHash);
    await networkHelpers.time.increase(10n);
    await expectMoves(fixture, () => task.deliver(), movesOf(FEE_BPS));
  });

  it("a change that waits is replaced, and the fee in force stays meanwhile", async () => {
    const fixture = use();
    const { market, networkHelpers } = fixture;
    const first = await schedule(fixture, 900n);
    await networkHelpers.time.increaseTo(first - 10n);
    const second = await schedule(fixture, 100n);
    await networkHelpers.time.increaseTo(first + 10n);
    expect(await market.feeBps()).to.equal(FEE_BPS);
    await networkHelpers.time.increaseTo(second);
    expect(await market.feeBps()).to.equal(100n);
    // The next change starts from there.
    const third = await schedule(fixture, 200n);
    await networkHelpers.time.increaseTo(third - 1n);
    expect(await market.feeBps()).to.equal(100n);
    await networkHelpers.time.increaseTo(third);
    expect(await market.feeBps()).to.equal(200n);
  });

  it("A12_A40_RevertWhen the fee is above its ceiling", async () => {
    const fixture = use();
    const { market, parties } = fixture;
    expect(await market.MAX_FEE_BPS()).to.equal(CEILING);
    expect(await market.FEE_DELAY()).to.equal(DELAY);
    for (const bps of [CEILING + 1n, 10_001n, 2n ** 16n, 2n ** 256n - 1n])
      await expectRefusal(
        fixture,
        () => market.connect(parties.admin).scheduleFee(bps),
        "ProtocolFee_AboveCeiling",
        [bps, CEILING],
      );
    expect(await market.feeBps()).to.equal(FEE_BPS);
  });

  it("A10_a fee of nothing leaves everything to the provider", async () => {
    const fixture = use();
    const { networkHelpers } = fixture;
    await networkHelpers.time.increaseTo(await schedule(fixture, 0n));
    const task = await submitLong(fixture, "free");
    await networkHelpers.time.increase(10n);
    await expectMoves(fixture, () => task.deliver(), movesOf(0n));
  });

  it("I17_a fee is rounded down, to nothing where it is less than a wei", async () => {
    const fixture = use();
    const { ethers, market, networkHelpers, parties, makeTask, deliveryOf } = fixture;
    // 250 bps of 39 wei are 0.975 wei, of 40 wei 1.
    for (const [price, fee] of [
      [39n, 0n],
      [40n, 1n],
      [79n, 1n],
      [1n, 0n],
    ] as const) {
      const task = await makeTask({ price, salt: ethers.id(String(price)) });
      await market.connect(parties.owner).submit(task.terms, task.work, { value: price });
      await networkHelpers.time.increase(1n);
      await expectMoves(
        fixture,
        () => market.connect(parties.provider).deliver(task.terms, task.workHash, deliveryOf(1, 0n)),
        { "ledger.provider": price - fee, "fees.provider": fee, completed: 1n },
      );
    }
  });

  it("a delivery that earns nothing costs nothing", async () => {
    const fixture = use();
    const { deliver } = await submitLong(fixture, "nothing used");
    await expectMoves(fixture, () => deliver(0n), movesOf(FEE_BPS, 0n));
  });

  it("a delivery of the whole duration leaves nothing to give back", async () => {
    const fixture = use();
    const { networkHelpers } = fixture;
    const { deliver } = await submitLong(fixture, "all used");
    await networkHelpers.time.increase(DURATION);
    await expectMoves(fixture, () => deliver(DURATION), movesOf(FEE_BPS, DURATION));
  });

  it("A39_A40_RevertWhen anybody but the admin changes fee or treasury", async () => {
    const fixture = use();
    const { market, parties } = fixture;
    const ownable = await ownableOf(fixture);
    for (const role of ["owner", "provider", "operator", "treasury", "stranger"] as const) {
      const party = parties[role];
      for (const act of [
        () => market.connect(party).scheduleFee(0n),
        () => market.connect(party).setTreasury(party.address),
        () => market.connect(party).transferOwnership(party.address),
        () => ownable.connect(party).renounceOwnership(),
        () => market.connect(party).acceptOwnership(),
      ])
        await expectRefusal(fixture, act, "OwnableUnauthorizedAccount", [party.address]);
    }
    expect(await market.feeBps()).to.equal(FEE_BPS);
    expect(await market.treasury()).to.equal(parties.treasury.address);
  });

  it("A40_RevertWhen the treasury is nobody", async () => {
    const fixture = use();
    const { ethers, market, parties } = fixture;
    await expectRefusal(
      fixture,
      () => market.connect(parties.admin).setTreasury(ethers.ZeroAddress),
      "ProtocolFee_ZeroTreasury",
    );
  });

  it("A40_the admin changes in two steps, and only then", async () => {
    const fixture = use();
    const { market, parties } = fixture;
    await market.connect(parties.admin).transferOwnership(parties.stranger.address);
    expect(await market.owner()).to.equal(parties.admin.address);
    expect(await (await ownableOf(fixture)).pendingOwner()).to.equal(parties.stranger.address);
    await expectRefusal(
      fixture,
      () => market.connect(parties.stranger).scheduleFee(0n),
      "OwnableUnauthorizedAccount",
      [parties.stranger.address],
    );
    await market.connect(parties.stranger).acceptOwnership();
    expect(await market.owner()).to.equal(parties.stranger.address);
    await expectRefusal(
      fixture,
      () => market.connect(parties.admin).scheduleFee(0n),
      "OwnableUnauthorizedAccount",
      [parties.admin.address],
    );
    await market.connect(parties.stranger).scheduleFee(0n);
  });

  it("A39_A40_without an admin everything else goes on, and a change that waits comes", async () => {
    const fixture = use();
    const { ethers, market, networkHelpers, parties } = fixture;
    const effectiveAt = await schedule(fixture, 100n);
    const task = await submitLong(fixture, "orphaned");
    await (await ownableOf(fixture)).renounceOwnership();
    expect(await market.owner()).to.equal(ethers.ZeroAddress);
    await expectRefusal(
      fixture,
      () => market.connect(parties.admin).scheduleFee(0n),
      "OwnableUnauthorizedAccount",
      [parties.admin.address],
    );
    await networkHelpers.time.increaseTo(effectiveAt);
    expect(await market.feeBps()).to.equal(100n);
    await expectMoves(fixture, () => task.deliver(), movesOf(FEE_BPS));
    await market.collectFees([parties.provider.address]);
    for (const role of ["owner", "provider", "treasury"] as const) {
      const amount = await market.balanceOf(parties[role].address);
      await expectMoves(fixture, () => market.connect(parties[role]).withdraw(amount), {
        [`wallet.${role}`]: amount,
        [`ledger.${role}`]: -amount,
        "wallet.market": -amount,
      });
    }
    expect(await ethers.provider.getBalance(await market.getAddress())).to.equal(0n);
  });

  it("prices per second and fixed ones pay the same fee on the same payment", async () => {
    const fixture = use();
    const { ethers, market, networkHelpers, parties, makeTask, deliveryOf } = fixture;
    for (const price of [PRICE_WEI | METERED, COST_WEI]) {
      const task = await makeTask({ price, salt: ethers.id(String(price)) });
      await market.connect(parties.owner).submit(task.terms, task.work, { value: COST_WEI });
      await networkHelpers.time.increase(30n);
      // Ended by the owner's own time limit: in proportion to the seconds.
      await expectMoves(
        fixture,
        () => market.connect(parties.provider).deliver(task.terms, task.workHash, deliveryOf(4, 30n)),
        movesOf(FEE_BPS, 30n),
      );
    }
  });
});
