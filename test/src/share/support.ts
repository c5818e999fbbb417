import { network } from "hardhat";
import { keccak256, type Signer, ZeroAddress } from "ethers";

import type { Deployment } from "../../../src/deployment.ts";
import { type ChainContext, openChain } from "../../../src/market/context.ts";
import { createShare, type ShareSettings } from "../../../src/share/create.ts";
import {
  type MockERC20,
  MockERC20__factory,
  type RevenueShareToken,
  RevenueShareToken__factory,
} from "../../../types/index.ts";
import { deployTaskMarket } from "../../contracts/market/deploy.ts";

export const DAY = 86_400;
/** A power of two: where so many of it take part, no division of revenue leaves anything. */
export const UNIT = 2n ** 60n;
export const COIN = { address: ZeroAddress, symbol: "ANKR", decimals: 18 };

export type Account = Signer & { address: string };

/** Where shares are made, on a fresh chain where gas is free: wallets change by payments alone. */
export interface ShareStage {
  readonly connection: Awaited<ReturnType<typeof network.create>>;
  readonly deployment: Deployment;
  /** Makes the shares, and owns them. */
  readonly maker: Account;
  readonly accounts: readonly Account[];
  readonly contextOf: (account: Account) => ChainContext;
  /** A share with periods of a day, of which the accounts have so much [2^60 of the smallest unit]. */
  readonly make: (amounts: readonly number[], change?: Partial<ShareSettings>) => Promise<RevenueShareToken>;
  /** A token with so many decimals, of which the maker and the accounts have 1,000. */
  readonly token: (decimals: number) => Promise<MockERC20>;
  /** Goes to the first second of a share's next period. */
  readonly nextPeriod: (share: RevenueShareToken) => Promise<void>;
  readonly balanceOf: (account: { address: string } | string) => Promise<bigint>;
}

export async function openStage(): Promise<ShareStage> {
  const connection = await network.create({ override: { gasPrice: 0n, initialBaseFeePerGas: 0n } });
  const { ethers, networkHelpers } = connection;
  const [maker, ...accounts] = await ethers.getSigners();
  if (maker === undefined) throw new Error("no accounts");
  const registry = await ethers.deployContract("ProviderRegistry", [ZeroAddress, 45 * DAY, maker.address]);
  const { market } = await deployTaskMarket(ethers, { registry });
  const codeHash = keccak256(RevenueShareToken__factory.bytecode);
  const factory = await ethers.deployContract("RevenueShareFactory", [codeHash]);
  const deployment: Deployment = {
    schema: "neura/deployment/1",
    chainId: 31337,
    block: 0,
    contracts: {
      ...{ KeyRegistry: ZeroAddress, ModelRegistry: ZeroAddress, ProviderRewards: ZeroAddress },
      ProviderRegistry: await registry.getAddress(),
      TaskMarket: await market.getAddress(),
      RevenueShareFactory: await factory.getAddress(),
    },
    currency: COIN,
  };
  const contextOf = (runner: Account): ChainContext => openChain({ runner, deployment });
  return {
    connection,
    deployment,
    maker,
    accounts,
    contextOf,
    make: async (amounts, change = {}) => {
      const allocations = amounts.map((amount, index) => ({
        account: accounts[index]?.address ?? "",
        amountWei: BigInt(amount) * UNIT,
      }));
      const settings = { name: "Whale One", symbol: "WHALE", periodSeconds: DAY, allocations, ...change };
      const { address } = await createShare(contextOf(maker), settings);
      return RevenueShareToken__factory.connect(address, maker);
    },
    token: async (decimals) => {
      const deployed = await ethers.deployContract("DecimalsERC20", [decimals]);
      const token = MockERC20__factory.connect(await deployed.getAddress(), maker);
      for (const { address } of [maker, ...accounts.slice(0, 5)]) {
        await token.mint(address, 1_000n * 10n ** BigInt(decimals));
      }
      return token;
    },
    nextPeriod: async (share) => {
      await networkHelpers.time.increaseTo(await share.endOf((await share.lastSnapshot()) + 1n));
    },
    balanceOf: async (account) =>
      await ethers.provider.getBalance(typeof account === "string" ? account : account.address),
  };
}

/** The `number`-th account. */
export function at(stage: ShareStage, number: number): Account {
  const account = stage.accounts[number];
  if (account === undefined) throw new Error("too few accounts");
  return account;
}
