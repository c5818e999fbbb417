import { network } from "hardhat";
import { Wallet, ZeroAddress } from "ethers";

import type { Deployment } from "../../../src/deployment.ts";
import { type ChainContext, openChain } from "../../../src/market/context.ts";
import type { OwnershipName } from "../../../src/ownership/context.ts";
import { issueOwnership, type OwnershipSettings } from "../../../src/ownership/create.ts";
import {
  type ModelDeeds,
  ModelDeeds__factory,
  type ModelOwnership,
  ModelOwnership__factory,
  type ModelRegistry,
  ModelRegistry__factory,
} from "../../../types/index.ts";
import type { Account } from "../market/support.ts";

export const UNIT = 10n ** 18n;
/** What a contract says that takes deeds (ERC-721), whatever it is asked. */
export const ACCEPTING = "0x63150b7a0260e01b60005260206000f3";
/** One that refuses whatever it is asked. */
export const REFUSING = "0x60006000fd";

/** A model's ownership as contracts, the base and the mirror. */
export interface Pair {
  readonly ownership: OwnershipName;
  readonly base: ModelOwnership;
  readonly mirror: ModelDeeds;
}

/** A fresh chain on which models' ownerships are made. */
export interface OwnershipStage {
  readonly connection: Awaited<ReturnType<typeof network.create>>;
  readonly deployment: Deployment;
  readonly models: ModelRegistry;
  /** Makes ownerships, and owns them. */
  readonly maker: Account;
  readonly at: (number: number) => Account;
  readonly contextOf: (account: Account) => ChainContext;
  /** One of which the accounts have so much [units of one token]. */
  readonly issue: (amounts: readonly number[], change?: Partial<OwnershipSettings>) => Promise<Pair>;
  /** An account with this code, for which the tests can sign. */
  readonly contract: (code: string) => Promise<Account>;
}

export async function openStage(): Promise<OwnershipStage> {
  const connection = await network.create();
  const { ethers, networkHelpers } = connection;
  const [maker, ...accounts] = await ethers.getSigners();
  if (maker === undefined) throw new Error("no accounts");
  const registry = await ethers.deployContract("ModelRegistry");
  const models = ModelRegistry__factory.connect(await registry.getAddress(), maker);
  const certificate = await ethers.deployContract("DeedCertificate");
  const none = { KeyRegistry: ZeroAddress, ProviderRegistry: ZeroAddress, TaskMarket: ZeroAddress };
  const deployment: Deployment = {
    schema: "neura/deployment/1",
    chainId: 31337,
    block: 0,
    contracts: {
      ...{ ...none, ProviderRewards: ZeroAddress, ModelRegistry: await models.getAddress() },
      DeedCertificate: await certificate.getAddress(),
    },
    currency: { address: ZeroAddress, symbol: "ANKR", decimals: 18 },
  };
  const at = (number: number): Account => {
    const account = accounts[number];
    if (account === undefined) throw new Error("too few accounts");
    return account;
  };
  const contextOf = (runner: Account): ChainContext => openChain({ runner, deployment });
  return {
    ...{ connection, deployment, models, maker, at, contextOf },
    issue: async (amounts, change = {}) => {
      const allocations = amounts.map((amount, index) => ({
        account: at(index).address,
        amountWei: (BigInt(Math.round(amount * 1000)) * UNIT) / 1000n,
      }));
      const settings = { name: "Letter reader", symbol: "READ", allocations, ...change };
      const { ownership } = await issueOwnership(contextOf(maker), settings);
      return {
        ownership,
        base: ModelOwnership__factory.connect(ownership.address, maker),
        mirror: ModelDeeds__factory.connect(ownership.mirror, maker),
      };
    },
    contract: async (code) => {
      const { address } = Wallet.createRandom();
      await networkHelpers.setCode(address, code);
      await networkHelpers.setBalance(address, 10n ** 20n);
      return await ethers.getImpersonatedSigner(address);
    },
  };
}
