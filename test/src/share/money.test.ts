import { expect } from "chai";
import { parseUnits, ZeroAddress } from "ethers";

import { burnShares, previewBurn } from "../../../src/share/burn.ts";
import { readPosition } from "../../../src/share/claims.ts";
import {
  checkModelRevenue,
  collectRoyalties,
  depositRevenue,
  modelRevenueOf,
  syncRevenue,
  takeSnapshot,
} from "../../../src/share/revenue.ts";
import { mintShares, setRecipient } from "../../../src/share/rights.ts";
import { readShare } from "../../../src/share/show.ts";
import { ITaskMarket__factory } from "../../../types/index.ts";
import { errorOf } from "../storage/support.ts";
import { at, COIN, DAY, openStage, type ShareStage, UNIT } from "./support.ts";

describe("revenue, and burning for it", () => {
  let stage: ShareStage;
  beforeEach(async () => {
    stage = await openStage();
  });
  afterEach(() => stage.connection.close());

  it("takes coins and tokens, with an approval where one is missing, and counts what came without a call", async () => {
    const { contextOf, maker, nextPeriod, deployment } = stage;
    const token = await stage.token(6);
    const tokenAddress = await token.getAddress();
    const share = await stage.make([1], { tokens: [tokenAddress] });
    const address = await share.getAddress();
    const payer = at(stage, 2);
    const context = contextOf(payer);

    const wallet = await stage.balanceOf(payer);
    const coins = await depositRevenue(context, address, { amountWei: 5n });
    expect(coins).to.deep.include({ token: COIN, amountWei: 5n, snapshot: 1 });
    expect(coins.endsAtSeconds).to.equal(Number(await share.endOf(1)));
    expect(await stage.balanceOf(payer)).to.equal(wallet - 5n);
    const sent = await payer.getNonce();
    const paid = await depositRevenue(context, address, {
      amountWei: parseUnits("3", 6),
      token: tokenAddress,
    });
    expect(paid.token).to.deep.equal({ address: tokenAddress, symbol: "MOCK", decimals: 6 });
    expect((await payer.getNonce()) - sent, "an approval and the deposit").to.equal(2);
    expect(await token.allowance(payer, address)).to.equal(0n);
    expect(await token.balanceOf(address)).to.equal(3_000_000n);
    await token.connect(payer).approve(address, 50n);
    await depositRevenue(context, address, { amountWei: 50n, token: tokenAddress });
    expect((await payer.getNonce()) - sent, "no second approval").to.equal(4);

    await token.transfer(address, 7n);
    await payer.sendTransaction({ to: address, value: 11n });
    const shown = await readShare(context, address);
    expect(shown.funds.map(({ pendingWei, uncountedWei }) => [pendingWei, uncountedWei])).to.deep.equal([
      [5n, 11n],
      [3_000_050n, 7n],
    ]);
    expect((await syncRevenue(context, address, { token: tokenAddress })).amountWei).to.equal(7n);
    expect((await syncRevenue(context, address, { token: tokenAddress })).amountWei, "once").to.equal(0n);

    const early = await takeSnapshot(context, address);
    expect([early.lastSnapshot, early.divided]).to.deep.equal([0, []]);
    await nextPeriod(share);
    const taken = await takeSnapshot(context, address);
    expect(taken.lastSnapshot).to.equal(1);
    expect(taken.divided).to.deep.equal([
      {
        ...{ snapshot: 1, token: COIN, revenueWei: 16n, claimableWei: 16n, redeemableWei: 0n },
        eligibleWei: UNIT,
      },
      {
        ...{
          snapshot: 1,
          token: paid.token,
          revenueWei: 3_000_057n,
          claimableWei: 3_000_057n,
          redeemableWei: 0n,
        },
        eligibleWei: UNIT,
      },
    ]);

    const unknown = await errorOf(depositRevenue(context, address, { amountWei: 1n, token: maker.address }));
    expect(unknown.code).to.equal("share.unknown-token");
    expect(unknown.next).to.contain(`MOCK (${tokenAddress})`);
    const poor = await errorOf(
      depositRevenue(context, address, { amountWei: parseUnits("1000", 6), token: tokenAddress }),
    );
    expect(poor.code).to.equal("wallet.insufficient-funds");
    expect(poor.message).to.contain("has 996.99995 MOCK, where 1000 MOCK are needed");
    const none = await errorOf(depositRevenue(context, payer.address, { amountWei: 1n }));
    expect(none.code).to.equal("share.unknown");
    expect((await errorOf(depositRevenue(context, maker.address, { amountWei: 1n }))).code).to.equal(
      "share.unknown",
    );
    const market = await errorOf(readShare(context, deployment.contracts.TaskMarket));
    expect(market.code, "a contract that is something else").to.equal("share.unknown");
  });

  it("collects what it has earned in a market", async () => {
    const { contextOf, maker, deployment } = stage;
    const share = await stage.make([1]);
    const address = await share.getAddress();
    const market = ITaskMarket__factory.connect(deployment.contracts.TaskMarket, maker);
    const context = contextOf(at(stage, 3));
    expect((await errorOf(collectRoyalties(context, address))).code).to.equal("share.nothing");
    await market.depositFor(address, 77n, { value: 77n });
    expect((await readShare(context, address)).funds[0]?.inMarketWei).to.equal(77n);
    const collected = await collectRoyalties(context, address);
    expect(collected).to.deep.include({ token: COIN, amountWei: 77n, snapshot: 1 });
    expect(await market.balanceOf(address)).to.equal(0n);
    expect(await stage.balanceOf(address)).to.equal(77n);

    // Where the market is paid in a token that the share does not take, royalties would stay there.
    const token = await stage.token(18);
    const currency = { address: await token.getAddress(), symbol: "MOCK", decimals: 18 };
    const elsewhere = { ...context, deployment: { ...deployment, currency } };
    expect(await modelRevenueOf(elsewhere, address)).to.deep.include({ isUsable: false });
    const lost = await errorOf(checkModelRevenue(elsewhere, address));
    expect(lost.code).to.equal("share.unknown-token");
    expect(lost.message).to.contain("WHALE takes no MOCK");
    await checkModelRevenue(context, address);
    await checkModelRevenue(elsewhere, maker.address);
    expect(await modelRevenueOf(context, address)).to.deep.include({ isUsable: true });
    expect(await modelRevenueOf(context, maker.address)).to.equal(undefined);
  });

  it("burns for at least what the preview says, whoever burns before", async () => {
    const { contextOf, maker, nextPeriod } = stage;
    const token = await stage.token(6);
    const tokenAddress = await token.getAddress();
    const share = await stage.make([3, 3, 1], { tokens: [tokenAddress], claimBps: 0 });
    const address = await share.getAddress();
    const [first, second] = [at(stage, 0), at(stage, 1)];
    await depositRevenue(contextOf(maker), address, { amountWei: 1_000n });
    await depositRevenue(contextOf(maker), address, { amountWei: 100n, token: tokenAddress });
    await nextPeriod(share);
    const seen = await previewBurn(contextOf(first), address, UNIT);
    expect(seen.amounts.map(({ amountWei }) => amountWei)).to.deep.equal([142n, 14n]);
    await burnShares(contextOf(second), address, { amountWei: 3n * UNIT });
    const now = await previewBurn(contextOf(first), address, UNIT);
    expect(now.amounts.map(({ amountWei }) => amountWei)).to.deep.equal([143n, 14n]);

    const minimum = [{ token: ZeroAddress, amountWei: 144n }];
    const low = await errorOf(burnShares(contextOf(first), address, { amountWei: UNIT, minimum }));
    expect(low.code).to.equal("share.minimum");
    expect(low.message).to.contain("0.000000000000000143 ANKR");
    const many = await errorOf(burnShares(contextOf(first), address, { amountWei: 4n * UNIT }));
    expect(many.code).to.equal("share.insufficient");
    const recipient = stage.connection.ethers.Wallet.createRandom().address;
    await setRecipient(contextOf(first), address, { recipient });
    const burned = await burnShares(contextOf(first), address, {
      amountWei: UNIT,
      minimum: [{ token: ZeroAddress, amountWei: 143n }],
    });
    expect(burned.payment).to.deep.equal({
      ...{ account: first.address, recipient, credited: [] },
      amounts: now.amounts,
    });
    expect(burned.balanceWei).to.equal(2n * UNIT);
    expect(await stage.balanceOf(recipient)).to.equal(143n);
    expect(await token.balanceOf(recipient)).to.equal(14n);
    expect(await share.totalSupply()).to.equal(3n * UNIT);
  });

  it("keeps claims of who burned, and mints within its policy alone", async () => {
    const { contextOf, maker, nextPeriod, connection } = stage;
    const now = await connection.networkHelpers.time.latest();
    const share = await stage.make([2, 2], {
      capWei: 6n * UNIT,
      minting: { minter: maker.address, untilSeconds: now + 3 * DAY },
      claimBps: 5_000,
    });
    const address = await share.getAddress();
    const [first, second] = [at(stage, 0), at(stage, 1)];
    await depositRevenue(contextOf(maker), address, { amountWei: 1_000n });
    await nextPeriod(share);
    const burned = await burnShares(contextOf(first), address, { amountWei: 2n * UNIT });
    expect(burned.payment.amounts, "a third: what may be minted counts").to.deep.equal([
      { token: COIN, amountWei: 166n },
    ]);
    const { position } = await readPosition(contextOf(first), address, first.address);
    expect(position).to.deep.include({ balanceWei: 0n, claimable: [{ token: COIN, amountWei: 250n }] });
    await burnShares(contextOf(second), address, { amountWei: UNIT });
    const minted = { account: second.address, amountWei: 3n * UNIT };
    expect((await errorOf(mintShares(contextOf(second), address, minted))).code).to.equal("share.not-minter");
    expect((await errorOf(mintShares(contextOf(maker), address, minted))).code).to.equal("share.cap");
  });
});
