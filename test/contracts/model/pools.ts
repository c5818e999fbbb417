/** Markets of Uniswap V2, V3 and V4 for one token, each from its published bytecode. */
import { createRequire } from "node:module";
import { Contract, ContractFactory, type InterfaceAbi } from "ethers";
import type { NetworkConnection } from "hardhat/types/network";

import { type Market, openV3Market } from "../../../scripts/bench/gas/uniswap.ts";
import {
  IUniswapV2Factory__factory,
  IUniswapV2Pair__factory,
  type MockERC20,
  MockERC20__factory,
  PoolTrader__factory,
} from "../../../types/index.ts";

export type { Market };

/** Makes a pool at an even price, empty; the token may not exist yet. */
export type OpenMarket = (connection: NetworkConnection, token: MockERC20) => Promise<Market>;

/** By version. */
export const MARKETS: Readonly<Record<string, OpenMarket>> = {
  V2: openV2Market,
  V3: openV3Market,
  V4: openV4Market,
};

const require = createRequire(import.meta.url);
const COINS = 10n ** 30n;
const UNLIMITED = 2n ** 256n - 1n;
/** Square roots of the most extreme prices, with 96 bits after the point, between which prices are. */
const LOWEST_PRICE = 4_295_128_740n;
const HIGHEST_PRICE = 1461446703485210103287273052203988822378723970341n;

async function openV2Market({ ethers }: NetworkConnection, token: MockERC20): Promise<Market> {
  const [admin] = await ethers.getSigners();
  if (admin === undefined) throw new Error("the chain has no accounts");
  const artifact: unknown = require("@uniswap/v2-core/build/UniswapV2Factory.json");
  const deployed = await ContractFactory.fromSolidity(artifact, admin).deploy(admin.address);
  const factory = IUniswapV2Factory__factory.connect(await deployed.getAddress(), admin);
  const coin = await new MockERC20__factory(admin).deploy();
  await factory.createPair(token, coin);
  const address = await factory.getPair(token, coin);
  const pair = IUniswapV2Pair__factory.connect(address, admin);
  const trader = await new PoolTrader__factory(admin).deploy();
  return {
    pool: address,
    join: async (account) => {
      await coin.mint(account, COINS);
      await coin.connect(account).approve(trader, UNLIMITED);
      await token.connect(account).approve(trader, UNLIMITED);
    },
    fill: (account, amount) => trader.connect(account).addV2(pair, token, amount, coin, amount),
    buy: async (account, bought) => {
      const [tokens, coins] = [await token.balanceOf(address), await coin.balanceOf(address)];
      // With the pool's fee of 0.3 %, rounded up.
      const paid = (coins * bought * 1_000n) / ((tokens - bought) * 997n) + 1n;
      return await trader.connect(account).swapV2(pair, coin, paid, bought);
    },
    sell: async (account, paid) => {
      const [tokens, coins] = [await token.balanceOf(address), await coin.balanceOf(address)];
      const bought = (coins * paid * 997n) / (tokens * 1_000n + paid * 997n);
      return await trader.connect(account).swapV2(pair, token, paid, bought);
    },
  };
}

async function openV4Market({ ethers }: NetworkConnection, token: MockERC20): Promise<Market> {
  const [admin] = await ethers.getSigners();
  if (admin === undefined) throw new Error("the chain has no accounts");
  const manager = await deployV4("PoolManager", admin.address);
  const [swaps, liquidity] = [
    await deployV4("PoolSwapTest", await manager.getAddress()),
    await deployV4("PoolModifyLiquidityTest", await manager.getAddress()),
  ];
  const coin = await new MockERC20__factory(admin).deploy();
  const [a, b] = [await token.getAddress(), await coin.getAddress()];
  const coinFirst = BigInt(b) < BigInt(a);
  const [currency0, currency1] = coinFirst ? [b, a] : [a, b];
  const key = [currency0, currency1, 3_000, 60, ethers.ZeroAddress];
  await manager.getFunction("initialize")(key, 2n ** 96n);
  const lastTick = 887_220;
  const swap = (zeroForOne: boolean, amount: bigint): unknown[] => [
    key,
    [zeroForOne, amount, zeroForOne ? LOWEST_PRICE : HIGHEST_PRICE],
    [false, false],
    "0x",
  ];
  return {
    pool: await manager.getAddress(),
    join: async (account) => {
      await coin.mint(account, COINS);
      for (const spender of [swaps, liquidity]) {
        await coin.connect(account).approve(spender, UNLIMITED);
        await token.connect(account).approve(spender, UNLIMITED);
      }
    },
    fill: (account, amount) =>
      new Contract(liquidity, V4.modifyLiquidity, account).getFunction("modifyLiquidity")(
        key,
        [-lastTick, lastTick, amount, ethers.ZeroHash],
        "0x",
      ),
    buy: (account, amount) =>
      new Contract(swaps, V4.swap, account).getFunction("swap")(...swap(coinFirst, amount)),
    sell: (account, amount) =>
      new Contract(swaps, V4.swap, account).getFunction("swap")(...swap(!coinFirst, -amount)),
  };

  async function deployV4(name: string, argument: string): Promise<Contract> {
    const { abi, bytecode } = require(`@uniswap/v4-core/out/${name}.sol/${name}.json`) as {
      abi: InterfaceAbi;
      bytecode: { object: string };
    };
    const deployed = await new ContractFactory(abi, bytecode.object, admin).deploy(argument);
    return new Contract(await deployed.getAddress(), abi, admin);
  }
}

const KEY = "tuple(address currency0, address currency1, uint24 fee, int24 tickSpacing, address hooks) key";

/** What of Uniswap V4's routers is called. */
const V4 = {
  swap: [
    `function swap(${KEY}, tuple(bool zeroForOne, int256 amountSpecified, uint160 sqrtPriceLimitX96) params, tuple(bool takeClaims, bool settleUsingBurn) testSettings, bytes hookData) payable returns (int256)`,
  ],
  modifyLiquidity: [
    `function modifyLiquidity(${KEY}, tuple(int24 tickLower, int24 tickUpper, int256 liquidityDelta, bytes32 salt) params, bytes hookData) payable returns (int256)`,
  ],
};
