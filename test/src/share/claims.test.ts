import { expect } from "chai";
import { parseEther, parseUnits, ZeroAddress } from "ethers";

import { formatAmount } from "../../../src/amount.ts";
import { claimRevenue, explainClaims, readPosition } from "../../../src/share/claims.ts";
import { depositRevenue, takeSnapshot } from "../../../src/share/revenue.ts";
import { refuseClaimFor, setRecipient, setSharing, withdrawCredits } from "../../../src/share/rights.ts";
import { BlocklistERC20__factory } from "../../../types/index.ts";
import { errorOf } from "../storage/support.ts";
import { at, COIN, openStage, type ShareStage, UNIT } from "./support.ts";

describe("claims of revenue", () => {
  let stage: ShareStage;
  beforeEach(async () => {
    stage = await openStage();
  });
  afterEach(() => stage.connection.close());

  const fresh = () => stage.connection.ethers.Wallet.createRandom().address;

  it("divides each period in proportion, in every token, and explains the sum", async () => {
    const { contextOf, maker, nextPeriod } = stage;
    const [small, large] = [await stage.token(6), await stage.token(36)];
    const tokens = [await small.getAddress(), await large.getAddress()];
    const share = await stage.make([60, 30, 10], { tokens, claimBps: 9_000 });
    const address = await share.getAddress();
    const [first, second] = [at(stage, 0), at(stage, 1)];
    const deposit = async (amountWei: bigint, token = ZeroAddress) =>
      await depositRevenue(contextOf(maker), address, { amountWei, token });

    await deposit(parseEther("10"));
    await deposit(parseUnits("2.5", 6), tokens[0]);
    await deposit(7n, tokens[1]);
    await nextPeriod(share);
    // A period without revenue, and one at whose end the holders are others.
    await nextPeriod(share);
    const received = await deposit(parseEther("1"));
    expect(received.snapshot).to.equal(3);
    await share.connect(first).transfer(second, 60n * UNIT);
    await nextPeriod(share);

    const report = await explainClaims(contextOf(first), address, first.address);
    expect(report.position.claimedThrough).to.equal(0);
    expect(report.lastSnapshot).to.equal(3);
    const shares = { sharesWei: 60n * UNIT, eligibleWei: 100n * UNIT, snapshot: 1 };
    const endedAtSeconds = Number(await share.endOf(1));
    // 9/10 of the revenue, less what the division of the index leaves.
    const [coin, six, thirtySix] = report.share.tokens;
    expect(report.lines).to.have.length(3);
    for (const [index, line] of [
      {
        ...shares,
        endedAtSeconds,
        token: coin,
        revenueWei: parseEther("10"),
        amountWei: parseEther("5.4"),
      },
      { ...shares, endedAtSeconds, token: six, revenueWei: 2_500_000n, amountWei: 1_350_000n },
      { ...shares, endedAtSeconds, token: thirtySix, revenueWei: 7n, amountWei: 3n },
    ].entries()) {
      expect(report.lines[index]).to.deep.include(line);
    }
    for (const { amountWei, claimableWei = 0n, sharesWei, eligibleWei = 1n } of report.lines) {
      const exact = (claimableWei * sharesWei) / eligibleWei;
      expect(amountWei === exact || amountWei === exact - 1n || amountWei === exact + 1n).to.equal(true);
    }
    for (const { linesWei, roundingWei, totalWei } of report.sums) {
      expect(linesWei + roundingWei).to.equal(totalWei);
      expect(roundingWei >= 0n && roundingWei < 3n).to.equal(true);
    }
    expect(formatAmount(report.lines[1]?.amountWei ?? 0n, six ?? COIN)).to.equal("1.35 MOCK");
    expect(formatAmount(3n, thirtySix ?? COIN)).to.equal(`0.${"0".repeat(35)}3 MOCK`);

    // The last period is closed by nobody yet: the deposit and the state of that time say what it divides.
    const other = await explainClaims(contextOf(second), address, second.address);
    expect(other.lines.at(-1)).to.deep.include({
      ...{
        snapshot: 3,
        revenueWei: parseEther("1"),
        sharesWei: 90n * UNIT,
        eligibleWei: 100n * UNIT,
      },
      amountWei: parseEther("0.81"),
    });
    const before = other.lines;
    await takeSnapshot(contextOf(maker), address);
    expect((await explainClaims(contextOf(second), address, second.address)).lines).to.deep.equal(before);

    const wallet = await stage.balanceOf(second);
    const claimed = await claimRevenue(contextOf(second), address);
    expect(claimed.claims).to.have.length(1);
    const [claim] = claimed.claims;
    expect(claim?.amounts).to.deep.equal(other.position.claimable);
    expect(claim?.credited).to.deep.equal([]);
    expect((await stage.balanceOf(second)) - wallet).to.equal(other.sums[0]?.totalWei);
    expect((await small.balanceOf(second)) - parseUnits("1000", 6)).to.equal(other.sums[1]?.totalWei);
    expect((await large.balanceOf(second)) - parseUnits("1000", 36)).to.equal(other.sums[2]?.totalWei);
    expect((await explainClaims(contextOf(second), address, second.address)).lines).to.deep.equal([]);
  });

  it("claims one snapshot, some, those up to one, and says what cannot be claimed", async () => {
    const { contextOf, maker, nextPeriod } = stage;
    const share = await stage.make([3, 1]);
    const address = await share.getAddress();
    const [first, second] = [contextOf(at(stage, 0)), contextOf(at(stage, 1))];
    for (let period = 0; period < 5; period++) {
      await depositRevenue(contextOf(maker), address, { amountWei: 4_000n });
      await nextPeriod(share);
    }
    const paid = async (request: Parameters<typeof claimRevenue>[2]) => {
      const { claims, skipped } = await claimRevenue(first, address, request);
      return { wei: claims.flatMap(({ amounts }) => amounts.map((each) => each.amountWei)), skipped };
    };
    expect(await paid({ snapshots: [2] })).to.deep.equal({ wei: [3_000n], skipped: [] });
    const again = await errorOf(claimRevenue(first, address, { snapshots: [2] }));
    expect(again.code).to.equal("share.already-claimed");
    const early = await errorOf(claimRevenue(first, address, { snapshots: [6] }));
    expect(early.code).to.equal("share.no-snapshot");
    expect(early.details).to.include({ id: "6", last: "5" });
    const some = await paid({ snapshots: [1, 2, 9] });
    expect(some.wei).to.deep.equal([3_000n]);
    const account = at(stage, 0).address;
    expect(some.skipped).to.deep.equal([
      { account, snapshot: 2, reason: `RevenueShare_AlreadyClaimed(${account}, 2)` },
      { account, snapshot: 9, reason: "RevenueShare_NoSnapshot(9, 5)" },
    ]);
    expect(
      (await explainClaims(first, address, account)).lines.map(({ snapshot }) => snapshot),
    ).to.deep.equal([3, 4, 5]);
    expect(await paid({ through: 4 })).to.deep.equal({ wei: [6_000n], skipped: [] });
    expect(await paid({})).to.deep.equal({ wei: [3_000n], skipped: [] });
    const nothing = await errorOf(claimRevenue(first, address));
    expect(nothing.code).to.equal("share.nothing");
    expect(nothing.next).to.contain(new Date(Number(await share.endOf(6)) * 1000).toISOString());
    const done = await errorOf(claimRevenue(first, address, { snapshots: [3, 4] }));
    expect([done.code, done.message.includes("with snapshot 3, 4")]).to.deep.equal(["share.nothing", true]);
    const { claims } = await claimRevenue(second, address);
    expect(claims[0]?.amounts).to.deep.equal([{ token: COIN, amountWei: 5_000n }]);
  });

  it("claims for others, who are paid, unless they refuse it", async () => {
    const { contextOf, maker, nextPeriod } = stage;
    const share = await stage.make([2, 1, 1]);
    const address = await share.getAddress();
    const [first, second, third, stranger] = [0, 1, 2, 3].map((each) => at(stage, each));
    if (!first || !second || !third || !stranger) throw new Error("too few accounts");
    await depositRevenue(contextOf(maker), address, { amountWei: 400n });
    await nextPeriod(share);
    const recipient = fresh();
    const changed = await setRecipient(contextOf(second), address, { recipient });
    expect(changed.position.recipient).to.equal(recipient);
    expect(
      (await refuseClaimFor(contextOf(third), address, { refused: true })).position.refusesClaimFor,
    ).to.equal(true);
    const before = await stage.balanceOf(first);
    const accounts = [first, second, third].map((each) => each.address);
    const { claims, skipped } = await claimRevenue(contextOf(stranger), address, { accounts });
    expect(claims).to.deep.equal([
      {
        ...{ account: first.address, recipient: first.address, credited: [] },
        amounts: [{ token: COIN, amountWei: 200n }],
      },
      { account: second.address, recipient, credited: [], amounts: [{ token: COIN, amountWei: 100n }] },
    ]);
    expect(skipped.map(({ account }) => account)).to.deep.equal([third.address]);
    expect((await stage.balanceOf(first)) - before).to.equal(200n);
    expect(await stage.balanceOf(recipient)).to.equal(100n);
    const refused = await errorOf(claimRevenue(contextOf(stranger), address, { accounts: [third.address] }));
    expect(refused.code).to.equal("share.claim-refused");
    expect((await readPosition(contextOf(third), address, third.address)).position.claimable).to.deep.equal([
      { token: COIN, amountWei: 100n },
    ]);
    const itself = await errorOf(setRecipient(contextOf(second), address, { recipient: address }));
    expect(itself.code).to.equal("share.recipient");
    const back = await setRecipient(contextOf(second), address, { recipient: second.address });
    expect(back.position.recipient).to.equal(second.address);
  });

  it("credits what a recipient or its token does not take, and pays it later", async () => {
    const { contextOf, maker, nextPeriod, connection } = stage;
    const token = BlocklistERC20__factory.connect(
      await (await connection.ethers.deployContract("BlocklistERC20")).getAddress(),
      maker,
    );
    const share = await stage.make([1, 1], { tokens: [await token.getAddress()] });
    const address = await share.getAddress();
    const holder = at(stage, 0);
    await token.mint(maker, 1_000n);
    await depositRevenue(contextOf(maker), address, { amountWei: 600n, token: await token.getAddress() });
    await depositRevenue(contextOf(maker), address, { amountWei: 40n });
    await nextPeriod(share);
    await token.setBlocked(holder, true);
    const { share: name, claims } = await claimRevenue(contextOf(holder), address);
    const [, mock = COIN] = name.tokens;
    const credit = [{ token: mock, amountWei: 300n }];
    expect(claims[0]?.amounts).to.deep.equal([{ token: COIN, amountWei: 20n }, ...credit]);
    expect(claims[0]?.credited).to.deep.equal(credit);
    expect((await readPosition(contextOf(holder), address, holder.address)).position.credit).to.deep.equal(
      credit,
    );
    expect((await errorOf(withdrawCredits(contextOf(holder), address))).code).to.equal("share.token-refuses");
    const to = fresh();
    const { withdrawn, refused } = await withdrawCredits(contextOf(holder), address, { to });
    expect({ withdrawn, refused }).to.deep.equal({ withdrawn: credit, refused: [] });
    expect(await token.balanceOf(to)).to.equal(300n);
    expect((await errorOf(withdrawCredits(contextOf(holder), address))).code).to.equal("share.nothing");
  });

  it("gives the part of who takes none to the others", async () => {
    const { contextOf, maker, nextPeriod, connection } = stage;
    const share = await stage.make([2, 2, 1]);
    const address = await share.getAddress();
    const [first, second] = [at(stage, 0), at(stage, 1)];
    const pool = await connection.ethers.deployContract("MockERC20");
    await share.connect(at(stage, 2)).transfer(pool, UNIT);
    const excluded = { shares: false, account: await pool.getAddress() };
    expect((await errorOf(setSharing(contextOf(first), address, excluded))).code).to.equal("chain.not-owner");
    const person = { shares: false, account: first.address };
    expect((await errorOf(setSharing(contextOf(maker), address, person))).code).to.equal(
      "share.not-contract",
    );
    expect((await setSharing(contextOf(maker), address, excluded)).position.isExcluded).to.equal(true);
    await depositRevenue(contextOf(maker), address, { amountWei: 400n });
    await nextPeriod(share);
    const { lines } = await explainClaims(contextOf(second), address, second.address);
    expect(lines[0]).to.include({
      eligibleWei: 4n * UNIT,
      sharesWei: 2n * UNIT,
      amountWei: 200n,
    });

    const own = await setSharing(contextOf(first), address, { shares: false });
    expect(own.position).to.include({ isExcluded: true, hasSpoken: true });
    await depositRevenue(contextOf(maker), address, { amountWei: 10n });
    await nextPeriod(share);
    const both = await explainClaims(contextOf(second), address, second.address);
    expect(both.sums[0]?.totalWei).to.equal(210n);
    const { position } = await readPosition(contextOf(first), address, first.address);
    expect(position.claimable, "what it had before stays its own").to.deep.equal([
      { token: COIN, amountWei: 200n },
    ]);
  });
});
