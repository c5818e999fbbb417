import { Contract, ZeroAddress } from "ethers";
import type { AddressLike, BigNumberish, Signer } from "ethers";

import {
  ITaskMarket__factory,
  TaskMarket__factory,
  TaskMarketExtension__factory,
} from "../../../types/index.ts";
import type { ITaskMarket, TaskMarketExtension } from "../../../types/index.ts";

/** What a market is set up with; each window in seconds. */
export interface MarketSettings {
  registry: AddressLike;
  /** Default: the native coin. */
  currency?: AddressLike;
  /** Default: none. */
  models?: AddressLike;
  declineWindow?: BigNumberish;
  keyWindow?: BigNumberish;
  takeOverWindow?: BigNumberish;
  concessionWindow?: BigNumberish;
  /** Default: who deploys. */
  admin?: AddressLike;
  /** Default: the admin. */
  treasury?: AddressLike;
  feeBps?: BigNumberish;
}

export const WINDOWS = {
  declineWindow: 120n,
  keyWindow: 90n,
  takeOverWindow: 150n,
  concessionWindow: 240n,
} as const;

/** All that a market answers to, with the errors of the libraries that both halves use. */
const ABI = [
  ...ITaskMarket__factory.abi,
  ...[...TaskMarket__factory.abi, ...TaskMarketExtension__factory.abi].filter(({ type }) => type === "error"),
];

/** The market at `address`, as everybody talks to it. */
export function marketAt(address: string, runner: Signer): ITaskMarket {
  // As the generated factories do it.
  return new Contract(address, ABI, runner) as unknown as ITaskMarket;
}

/** Deploys a market: its extension, and the contract that runs it. The first of `signers` pays for that. */
export async function deployTaskMarket(
  signers: { getSigners(): Promise<Signer[]> },
  settings: MarketSettings,
): Promise<{ market: ITaskMarket; extension: TaskMarketExtension }> {
  const [deployer] = await signers.getSigners();
  if (deployer === undefined) throw new Error("there is no account to deploy with");
  const admin = settings.admin ?? deployer;
  const whole = {
    currency: ZeroAddress,
    models: ZeroAddress,
    ...WINDOWS,
    treasury: admin,
    feeBps: 250n,
    ...settings,
    admin,
  };
  const extension = await new TaskMarketExtension__factory(deployer).deploy(whole);
  await extension.waitForDeployment();
  const market = await new TaskMarket__factory(deployer).deploy(whole, extension);
  await market.waitForDeployment();
  return { market: marketAt(await market.getAddress(), deployer), extension };
}
