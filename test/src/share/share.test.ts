import { expect } from "chai";
import { keccak256, ZeroAddress } from "ethers";

import { createShare } from "../../../src/share/create.ts";
import { isRevenueShare } from "../../../src/share/context.ts";
import { readPortfolio } from "../../../src/share/portfolio.ts";
import { depositRevenue, modelRevenueOf } from "../../../src/share/revenue.ts";
import { mintShares } from "../../../src/share/rights.ts";
import { readShare } from "../../../src/share/show.ts";
import { RevenueShareToken__factory } from "../../../types/index.ts";
import { errorOf } from "../storage/support.ts";
import { at, COIN, DAY, openStage, type ShareStage, UNIT } from "./support.ts";

describe("revenue shares", () => {
  let stage: ShareStage;
  beforeEach(async () => {
    stage = await openStage();
  });
  afterEach(() => stage.connection.close());

  it("are made through the factory with all that is fixed, and shown", async () => {
    const { contextOf, maker, connection } = stage;
    const token = await stage.token(36);
    const tokenAddress = await token.getAddress();
    const [holder, minter, beneficiary, owner] = [0, 1, 2, 3].map((each) => at(stage, each).address);
    if (!holder || !minter || !beneficiary || !owner) throw new Error("too few accounts");
    const until = (await connection.networkHelpers.time.latest()) + 100 * DAY;
    const created = await createShare(contextOf(maker), {
      ...{ name: "Whale\u001b[31m One", symbol: "WHALE", periodSeconds: 7 * DAY, claimBps: 6_000 },
      allocations: [
        { account: holder, amountWei: 5n * UNIT },
        { account: tokenAddress, amountWei: UNIT },
      ],
      capWei: 10n * UNIT,
      minting: { minter, untilSeconds: until },
      ...{ beneficiary, owner, bridge: tokenAddress, tokens: [tokenAddress], excluded: [tokenAddress] },
    });
    expect(created.number).to.equal(0);
    expect(await isRevenueShare(contextOf(maker), created.address)).to.equal(true);
    const { nextSnapshotAtSeconds, nowSeconds, ...shown } = await readShare(
      contextOf(maker),
      created.address,
    );
    const nothing = { heldWei: 0n, pendingWei: 0n, redeemableWei: 0n, uncountedWei: 0n, inMarketWei: 0n };
    const tokens = [COIN, { address: tokenAddress, symbol: "MOCK", decimals: 36 }];
    expect(shown).to.deep.equal({
      ...{ address: created.address, name: "Whale?[31m One", symbol: "WHALE", decimals: 18, tokens },
      isListed: true,
      ...{ supplyWei: 6n * UNIT, eligibleWei: 5n * UNIT, redemptionSupplyWei: 10n * UNIT, awayWei: 0n },
      ...{ capWei: 10n * UNIT, minter, mintUntilSeconds: until, periodSeconds: 7 * DAY, claimBps: 6_000 },
      ...{ beneficiary, owner, bridge: tokenAddress, lastSnapshot: 0 },
      funds: tokens.map((each) => ({ token: each, ...nothing })),
    });
    expect(nextSnapshotAtSeconds % (7 * DAY), "on the grid").to.equal(0);
    expect(nextSnapshotAtSeconds - nowSeconds).to.be.within(1, 7 * DAY);

    // Minting, while it is possible.
    const minted = await mintShares(contextOf(at(stage, 1)), created.address, {
      account: holder,
      amountWei: 4n * UNIT,
    });
    expect(minted.position.balanceWei).to.equal(9n * UNIT);
    const more = mintShares(contextOf(at(stage, 1)), created.address, { account: holder, amountWei: 1n });
    expect((await errorOf(more)).code).to.equal("share.cap");
    await connection.networkHelpers.time.increaseTo(until + 1);
    const late = mintShares(contextOf(at(stage, 1)), created.address, { account: holder, amountWei: 1n });
    expect((await errorOf(late)).code).to.equal("share.minting-over");
    expect(await readShare(contextOf(maker), created.address)).to.deep.include({
      ...{ minter: undefined, mintUntilSeconds: undefined, redemptionSupplyWei: 10n * UNIT },
    });
  });

  it("take the market's currency by default, and nobody mints", async () => {
    const { contextOf, maker, deployment } = stage;
    const context = contextOf(maker);
    const token = await stage.token(6);
    const currency = { address: await token.getAddress(), symbol: "USD", decimals: 6 };
    const elsewhere = { ...context, deployment: { ...deployment, currency } };
    const allocations = [{ account: maker.address, amountWei: UNIT }];
    const settings = { name: "Plain", symbol: "PLN", periodSeconds: DAY, allocations };
    const { address, number } = await createShare(elsewhere, settings);
    const shown = await readShare(elsewhere, address);
    expect(number).to.equal(0);
    expect(shown.tokens).to.deep.equal([{ address: ZeroAddress, symbol: "coin", decimals: 18 }, currency]);
    expect(shown).to.include({
      claimBps: 10_000,
      capWei: UNIT,
      beneficiary: maker.address,
      owner: maker.address,
    });
    expect([shown.minter, shown.bridge]).to.deep.equal([undefined, undefined]);
  });

  it("are refused before anything is paid where a setting is wrong, or the factory is another", async () => {
    const { contextOf, maker, deployment, connection } = stage;
    const context = contextOf(maker);
    const good = {
      name: "A",
      symbol: "B",
      periodSeconds: DAY,
      allocations: [{ account: maker.address, amountWei: 5n }],
    };
    for (const [change, fault] of [
      [{ name: " " }, "no name"],
      [{ periodSeconds: DAY - 1 }, "from 1 to 366 days"],
      [{ periodSeconds: 367 * DAY }, "from 1 to 366 days"],
      [{ claimBps: 10_001 }, "10,000 bps"],
      [{ allocations: [] }, "2^90"],
      [{ capWei: 2n ** 90n, minting: { minter: maker.address, untilSeconds: 1 } }, "2^90"],
      [{ capWei: 4n }, "more is allocated"],
      [{ capWei: 6n }, "nobody may mint"],
      [{ tokens: [ZeroAddress] }, "revenue anyway"],
    ] as const) {
      const error = await errorOf(createShare(context, { ...good, ...change }));
      expect([error.code, error.message.includes(fault)], error.message).to.deep.equal([
        "share.setting",
        true,
      ]);
    }
    // What only the contract sees.
    const noToken = await errorOf(createShare(context, { ...good, tokens: [maker.address] }));
    expect(noToken.code).to.equal("share.setting");
    expect(noToken.details).to.include({ setting: "tokens" });

    const contracts = { ...deployment.contracts };
    delete contracts.RevenueShareFactory;
    const before = { ...context, deployment: { ...deployment, contracts } };
    for (const call of [createShare(before, good), readPortfolio(before, maker.address)]) {
      const error = await errorOf(call);
      expect(error.code).to.equal("share.no-factory");
      expect(error.next).to.contain("`deploy`");
    }
    const other = await connection.ethers.deployContract("RevenueShareFactory", [keccak256("0x01")]);
    const changed = { ...deployment.contracts, RevenueShareFactory: await other.getAddress() };
    const wrong = createShare({ ...context, deployment: { ...deployment, contracts: changed } }, good);
    expect((await errorOf(wrong)).code).to.equal("share.other-code");
    const reading = { ...context, signer: undefined };
    expect((await errorOf(createShare(reading, good))).code).to.equal("market.read-only");
  });

  it("are told from other tokens of the standard, and odd revenue tokens by their address", async () => {
    const { contextOf, maker, connection } = stage;
    const context = contextOf(maker);
    // Answers every question with 1, also whether it is an ERC-7641 token.
    const odd = connection.ethers.Wallet.createRandom().address;
    const setCode = async (code: string): Promise<void> => {
      await connection.provider.request({ method: "hardhat_setCode", params: [odd, code] });
    };
    await setCode("0x600160005260206000f3");
    expect(await isRevenueShare(context, odd)).to.equal(true);
    const error = await errorOf(readShare(context, odd));
    expect(error.code).to.equal("share.unknown");
    expect(error.message).to.contain("of another kind");
    expect(await modelRevenueOf(context, odd), "a model's revenue can go there").to.equal(undefined);

    const share = await stage.make([1], { tokens: [odd] });
    const shown = await readShare(context, await share.getAddress());
    const short = `${odd.slice(0, 6)}…${odd.slice(-4)}`;
    expect(shown.funds[1]).to.deep.include({
      token: { address: odd, symbol: short, decimals: 1 },
      uncountedWei: 1n,
    });
    // One that reverts.
    await setCode("0x60006000fd");
    const broken = await readShare(context, await share.getAddress());
    const token = { address: odd, symbol: `units of ${short}`, decimals: 0 };
    expect(broken.funds[1]).to.deep.include({ token, uncountedWei: 0n });
  });

  it("of an account are found page by page, and added up; others by their address", async () => {
    const { contextOf, maker, nextPeriod } = stage;
    const [holder, other] = [at(stage, 0), at(stage, 1)];
    const six = await stage.token(6);
    const tokens = [await six.getAddress()];
    const first = await stage.make([1, 1], { tokens });
    await stage.make([0, 1], { symbol: "NONE" });
    const sold = await stage.make([2, 2], { symbol: "SOLD", claimBps: 5_000 });
    const addresses = [await first.getAddress(), await sold.getAddress()];
    const context = contextOf(maker);
    await depositRevenue(context, addresses[0] ?? "", { amountWei: 100n });
    await depositRevenue(context, addresses[0] ?? "", { amountWei: 3_000_000n, token: tokens[0] });
    await depositRevenue(context, addresses[1] ?? "", { amountWei: 40n });
    await nextPeriod(first);
    // What it sold now does not take what it has earned until then.
    await sold.connect(holder).transfer(other, 2n * UNIT);

    // One that no factory knows, which can be anything that says so.
    const deployed = await new RevenueShareToken__factory(maker).deploy({
      ...{ name: "Unlisted", symbol: "UNL", periodSeconds: DAY, claimBps: 10_000, minter: ZeroAddress },
      ...{ mintUntil: 0, cap: UNIT, beneficiary: maker, owner: maker, bridge: ZeroAddress, tokens: [] },
      ...{ excluded: [], allocations: [{ account: holder, amount: UNIT }] },
    });
    const given = (await deployed.getAddress()).toLowerCase();

    for (const sharesPerCall of [1, 2, 50]) {
      const portfolio = await readPortfolio(context, holder.address, {
        shares: [given, ...addresses],
        sharesPerCall,
      });
      const [token] = portfolio.entries[0]?.share.tokens.slice(1) ?? [];
      expect(portfolio.entries.map(({ share, isListed }) => [share.symbol, isListed])).to.deep.equal([
        ["WHALE", true],
        ["SOLD", true],
        ["UNL", false],
      ]);
      expect(portfolio.claimable).to.deep.equal([
        { token: COIN, amountWei: 60n },
        { token, amountWei: 1_500_000n },
      ]);
      expect(portfolio.redeemable, "it has sold those").to.deep.equal([]);
      expect(portfolio.credit).to.deep.equal([]);
      expect(portfolio.entries[1]?.position).to.include({ balanceWei: 0n });
      expect(portfolio.entries[0]?.claims).to.equal(undefined);
    }
    const explained = await readPortfolio(context, holder.address, { explained: true });
    const lines = explained.entries.flatMap(({ claims }) => claims?.lines ?? []);
    expect(
      lines.map(({ snapshot, revenueWei, sharesWei, eligibleWei, amountWei }) => ({
        ...{ snapshot, revenueWei, sharesWei, eligibleWei, amountWei },
      })),
    ).to.deep.equal([
      { snapshot: 1, revenueWei: 100n, sharesWei: UNIT, eligibleWei: 2n * UNIT, amountWei: 50n },
      { snapshot: 1, revenueWei: 3_000_000n, sharesWei: UNIT, eligibleWei: 2n * UNIT, amountWei: 1_500_000n },
      { snapshot: 1, revenueWei: 40n, sharesWei: 2n * UNIT, eligibleWei: 4n * UNIT, amountWei: 10n },
    ]);
    const none = await errorOf(readPortfolio(context, holder.address, { shares: [maker.address] }));
    expect(none.code).to.equal("share.unknown");
    expect((await readPortfolio(context, stage.accounts[9]?.address ?? "")).entries).to.deep.equal([]);
  });
});
