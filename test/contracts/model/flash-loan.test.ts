import factoryArtifact from "@uniswap/v2-core/build/UniswapV2Factory.json" with { type: "json" };
import { expect } from "chai";
import { ContractFactory, parseEther, type Signer, ZeroAddress } from "ethers";
import { network } from "hardhat";

import {
  type FlashBorrower,
  FlashBorrower__factory,
  type IUniswapV2Pair,
  IUniswapV2Factory__factory,
  IUniswapV2Pair__factory,
  type MockERC20,
  MockERC20__factory,
  type RevenueShareToken,
  RevenueShareToken__factory,
} from "../../../types/index.ts";

const DAY = 86_400;
const SUPPLY = parseEther("1000");
const POOLED = parseEther("900");
const REVENUE_WEI = parseEther("7");

/** A share of whose tokens a Uniswap V2 pool has 900, a holder 90 and an attacker 10. */
interface Stage {
  readonly share: RevenueShareToken;
  readonly coin: MockERC20;
  readonly pair: IUniswapV2Pair;
  readonly holder: Signer & { address: string };
  readonly attacker: FlashBorrower;
  /** The first second of the period after the present one. */
  readonly nextPeriod: number;
}

describe("RevenueShareToken and borrowed tokens", () => {
  let connection: Awaited<ReturnType<typeof network.create>>;
  let stage: Stage;

  beforeEach(async () => {
    connection = await network.create();
    stage = await openStage(connection);
  });
  afterEach(() => connection.close());

  /** What the attacker does while it has nine tenths of all tokens. */
  async function calls(of: Stage): Promise<FlashBorrower.CallStruct[]> {
    const target = await of.share.getAddress();
    const { interface: share } = of.share;
    return [
      share.encodeFunctionData("snapshot"),
      share.encodeFunctionData("claimAll"),
      share.encodeFunctionData("sync", [ZeroAddress]),
      share.encodeFunctionData("setSharing", [false]),
      share.encodeFunctionData("setSharing", [true]),
      share.encodeFunctionData("claimFor", [of.holder.address]),
      share.encodeFunctionData("claimAll"),
    ].map((data) => ({ target, value: 0n, data }));
  }

  for (const [moment, afterSeconds] of [
    ["in the last second of a period", -1],
    ["in the first second of the next", 0],
    ["in the middle of the next", DAY / 2],
  ] as const) {
    it(`A30_a flash loan of 90 % of the supply earns nothing ${moment}`, async () => {
      const { share, pair, attacker, holder, nextPeriod } = stage;
      const { ethers, networkHelpers } = connection;
      const { provider } = ethers;
      // What 10 of the 100 tokens that take part earn without any loan.
      const dueWei = REVENUE_WEI / 10n;
      await share.deposit(ZeroAddress, REVENUE_WEI, { value: REVENUE_WEI });
      await networkHelpers.time.setNextBlockTimestamp(nextPeriod + afterSeconds);
      await attacker.borrow(pair, share, POOLED - 1n, await calls(stage));
      await networkHelpers.time.increaseTo(nextPeriod + 2 * DAY);
      await attacker.run([
        { target: await share.getAddress(), value: 0n, data: share.interface.encodeFunctionData("claimAll") },
      ]);
      await share.claimFor(holder);

      const earnedWei = await provider.getBalance(attacker);
      if (afterSeconds >= 0)
        expect(earnedWei, "what it had anyway, rounded down").to.be.closeTo(dueWei, 1n).at.most(dueWei);
      // The pool's fee is gone before the period's end, and with it a part of the attacker's own share.
      else expect(earnedWei, "less than it had").to.be.below(dueWei).above(0n);
      expect(await share.claimableRevenue(attacker, 1)).to.equal(0n);
      expect(await share.balanceOf(attacker), "the fee is gone").to.be.below(parseEther("7.3"));
      const holderWei = (await provider.getBalance(holder)) - parseEther("10000");
      expect(holderWei, "the holder")
        .to.be.closeTo(REVENUE_WEI - earnedWei, 2n)
        .at.least(REVENUE_WEI - dueWei - 1n);
    });
  }

  it("A30_what is burned of a loan cannot be given back", async () => {
    const { share, pair, attacker, nextPeriod } = stage;
    await share.deposit(ZeroAddress, REVENUE_WEI, { value: REVENUE_WEI });
    await connection.networkHelpers.time.setNextBlockTimestamp(nextPeriod);
    const burn = {
      target: await share.getAddress(),
      value: 0n,
      data: share.interface.encodeFunctionData("burn", [POOLED / 2n]),
    };
    await expect(attacker.borrow(pair, share, POOLED - 1n, [burn])).to.be.revertedWithCustomError(
      share,
      "ERC20InsufficientBalance",
    );
    expect(await connection.ethers.provider.getBalance(attacker)).to.equal(0n);
  });
});

async function openStage({
  ethers,
  networkHelpers,
}: Awaited<ReturnType<typeof network.create>>): Promise<Stage> {
  const [admin, holder] = await ethers.getSigners();
  if (admin === undefined || holder === undefined) throw new Error("the chain has too few accounts");
  const now = await networkHelpers.time.latest();
  const nextPeriod = (Math.floor(now / DAY) + 2) * DAY;
  await networkHelpers.time.increaseTo(nextPeriod - DAY + 1);
  const share = await new RevenueShareToken__factory(admin).deploy({
    ...{ name: "Revenue share", symbol: "SHARE", periodSeconds: DAY, claimBps: 10_000 },
    ...{ minter: ZeroAddress, mintUntil: 0, cap: SUPPLY, beneficiary: admin, owner: admin },
    ...{ bridge: ZeroAddress, tokens: [], excluded: [] },
    allocations: [{ account: admin.address, amount: SUPPLY }],
  });
  const coin = await new MockERC20__factory(admin).deploy();
  const deployed = await ContractFactory.fromSolidity(factoryArtifact, admin).deploy(admin.address);
  const factory = IUniswapV2Factory__factory.connect(await deployed.getAddress(), admin);
  await factory.createPair(share, coin);
  const pair = IUniswapV2Pair__factory.connect(await factory.getPair(share, coin), admin);
  await share.setExcluded(pair, true);
  await coin.mint(pair, POOLED);
  await share.transfer(pair, POOLED);
  await pair.mint(admin);
  const attacker = await new FlashBorrower__factory(admin).deploy();
  await share.transfer(attacker, parseEther("10"));
  await share.transfer(holder, parseEther("90"));
  return { share, coin, pair, holder, attacker, nextPeriod };
}
