/** A market of Uniswap V3, from its published bytecode. */
import { createRequire } from "node:module";
import { ContractFactory, type ContractTransactionResponse, type Signer } from "ethers";
import type { NetworkConnection } from "hardhat/types/network";

import {
  IUniswapV3Factory__factory,
  IUniswapV3Pool__factory,
  type MockERC20,
  MockERC20__factory,
  PoolTrader__factory,
} from "../../../types/index.ts";

type Account = Signer & { readonly address: string };

/** A pool of a token against a coin that anybody may mint. */
export interface Market {
  readonly pool: string;
  /** Whoever takes part gets coins, and lets the market take coins and tokens. */
  readonly join: (account: Account) => Promise<void>;
  /** Fills the pool with `amount` of the token and as many coins. */
  readonly fill: (account: Account, amount: bigint) => Promise<unknown>;
  readonly buy: (account: Account, amount: bigint) => Promise<ContractTransactionResponse>;
  readonly sell: (account: Account, amount: bigint) => Promise<ContractTransactionResponse>;
}

const require = createRequire(import.meta.url);
const FEE = 3_000;
/** The whole range of prices, in the pool's steps of 60. */
const LAST_TICK = 887_220;
/** One coin for one token. */
const EVEN_PRICE = 2n ** 96n;
const COINS = 10n ** 30n;

/** Makes the pool at an even price, empty. */
export async function openV3Market({ ethers }: NetworkConnection, token: MockERC20): Promise<Market> {
  const [admin] = await ethers.getSigners();
  if (admin === undefined) throw new Error("the chain has no accounts");
  const artifact: unknown = require("@uniswap/v3-core/artifacts/contracts/UniswapV3Factory.sol/UniswapV3Factory.json");
  const deployed = await ContractFactory.fromSolidity(artifact, admin).deploy();
  const factory = IUniswapV3Factory__factory.connect(await deployed.getAddress(), admin);
  const coin = await new MockERC20__factory(admin).deploy();
  const address = await factory.createPool.staticCall(token, coin, FEE);
  await factory.createPool(token, coin, FEE);
  const pool = IUniswapV3Pool__factory.connect(address, admin);
  await pool.initialize(EVEN_PRICE);
  const trader = await new PoolTrader__factory(admin).deploy();
  const coinFirst = (await pool.token0()) === (await coin.getAddress());
  return {
    pool: address,
    join: async (account) => {
      await coin.mint(account, COINS);
      await coin.connect(account).approve(trader, 2n ** 256n - 1n);
      await token.connect(account).approve(trader, 2n ** 256n - 1n);
    },
    fill: (account, amount) => trader.connect(account).addV3(pool, -LAST_TICK, LAST_TICK, amount),
    buy: (account, amount) => trader.connect(account).swapV3(pool, coinFirst, -amount),
    sell: (account, amount) => trader.connect(account).swapV3(pool, !coinFirst, amount),
  };
}
