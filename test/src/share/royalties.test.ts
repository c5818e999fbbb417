import { expect } from "chai";
import { ZeroAddress } from "ethers";

import { openMarket } from "../../../src/market/context.ts";
import { claimRevenue, explainClaims } from "../../../src/share/claims.ts";
import { createShare } from "../../../src/share/create.ts";
import { recomputeShare } from "../../../src/share/recompute.ts";
import { collectRoyalties } from "../../../src/share/revenue.ts";
import { RevenueShareToken__factory } from "../../../types/index.ts";
import { createWorld, deliverResult, fileIn, RATE_WEI, type World } from "../market/support.ts";
import { Cleanup } from "../storage/support.ts";
import { DAY } from "./support.ts";

const ROYALTY_BPS = 700n;
const SECONDS = 41;

describe("royalties of a model that a revenue share owns", () => {
  const cleanup = new Cleanup();
  let world: World;
  before(async () => {
    world = await createWorld(cleanup);
  });
  after(() => cleanup.run());

  it("reach its holders in proportion, to the wei: task, settlement, collection, claims", async function () {
    this.timeout(60_000);
    const { connection, deployment, owner, others, client, market } = world;
    const { ethers, networkHelpers } = connection;
    const [account, author, first, second, stranger] = others;
    if (!account || !author || !first || !second || !stranger) throw new Error("no accounts");
    const contextOf = (runner: typeof author) =>
      openMarket({ runner, deployment, storage: () => world.storage, home: world.home });
    const provider = { account, key: await world.register(account) };

    // The author sells a quarter of what the model will earn.
    const { address } = await createShare(contextOf(author), {
      ...{ name: "Letter reader", symbol: "READ", periodSeconds: DAY },
      allocations: [
        { account: first.address, amountWei: 750n },
        { account: second.address, amountWei: 250n },
      ],
    });
    const models = await ethers.getContractAt("ModelRegistry", deployment.contracts.ModelRegistry, author);
    await models.register(`0x${"22".repeat(32)}`, "ar://weights", "MIT", ROYALTY_BPS, address);

    const file = await fileIn(cleanup.directory(), "letter.txt");
    await market.connect(owner).deposit(10n ** 17n, { value: 10n ** 17n });
    const request = {
      source: { files: [file] },
      application: "noop",
      durationSeconds: 60,
      provider: account.address,
      model: 1,
    };
    const before = await market.balanceOf(account.address);
    const task = await client.submit(request);
    await networkHelpers.time.increase(SECONDS);
    await deliverResult(world, task, provider, { secondsUsed: SECONDS });
    const { payment } = await client.status(task.id);
    const paidWei = BigInt(SECONDS) * RATE_WEI;
    const royaltyWei = (paidWei * ROYALTY_BPS) / 10_000n;
    expect(payment).to.deep.include({ paidWei, royaltyWei });
    expect(await market.balanceOf(address)).to.equal(royaltyWei);
    expect((await market.balanceOf(account.address)) - before).to.equal(
      paidWei - royaltyWei - (payment?.feeWei ?? 0n),
    );

    // Anybody moves it on, and pays the gas alone.
    const collected = await collectRoyalties(contextOf(stranger), address);
    expect(collected).to.deep.include({ token: deployment.currency, amountWei: royaltyWei, snapshot: 1 });
    expect(await market.balanceOf(address)).to.equal(0n);
    expect(await ethers.provider.getBalance(address)).to.equal(royaltyWei);

    const share = RevenueShareToken__factory.connect(address, author);
    await networkHelpers.time.increaseTo(collected.endsAtSeconds);
    const due = [(royaltyWei * 3n) / 4n, royaltyWei / 4n];
    const { lines } = await explainClaims(contextOf(first), address, first.address);
    expect(lines).to.have.length(1);
    expect(lines[0]).to.include({ revenueWei: royaltyWei, sharesWei: 750n, eligibleWei: 1_000n });
    const holders = [first.address, second.address];
    const wallets = await Promise.all(holders.map((each) => ethers.provider.getBalance(each)));
    const { claims } = await claimRevenue(contextOf(stranger), address, { accounts: holders });
    const paid = await Promise.all(holders.map((each) => ethers.provider.getBalance(each)));
    const gainedWei = paid.map((wei, index) => wei - (wallets[index] ?? 0n));
    expect(claims.map(({ amounts }) => amounts[0]?.amountWei)).to.deep.equal(gainedWei);
    // Each at most one unit less than its exact part; what that leaves can be redeemed by nobody but the last.
    for (const [index, wei] of gainedWei.entries()) {
      expect(
        (due[index] ?? 0n) - wei >= 0n && (due[index] ?? 0n) - wei <= 1n,
        `${wei} of ${due[index]}`,
      ).to.equal(true);
    }
    const leftWei = await ethers.provider.getBalance(address);
    expect(gainedWei.reduce((sum, wei) => sum + wei, leftWei)).to.equal(royaltyWei);
    const { held } = await share.fundsOf(ZeroAddress);
    expect(held).to.equal(leftWei).and.to.be.lessThan(3n);
    expect((await recomputeShare(contextOf(stranger), address)).differences).to.deep.equal([]);
  });
});
