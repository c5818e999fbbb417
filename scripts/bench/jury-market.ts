/** A market with a jury and its seats, as the gas and the economics of disputes are measured on it. */
import { parseEther, type Signer, ZeroAddress } from "ethers";
import type { NetworkConnection } from "hardhat/types/network";

import { packResources } from "../../src/market/resources.ts";
import {
  ITaskMarket__factory,
  Jury__factory,
  ProviderRegistry__factory,
  TaskMarket__factory,
  TaskMarketExtension__factory,
} from "../../types/index.ts";

export const STEP_SECONDS = 3_600;
export const CONCESSION_SECONDS = 3_600;
/** What tasks need and machines have: no GPU, so that all seats are of one class. */
export const RESOURCES = {
  ...{ gpuCount: 0, gpuClass: 0, vramMiB: 0, ramMiB: 65_536, cpuMilli: 8_000, diskMiB: 102_400 },
};

/** Seats that one key votes for. */
export interface Bench {
  readonly voter: string;
  readonly seats: number;
}

export interface JuryRules {
  readonly seatWei: bigint;
  readonly juryFeeBps: bigint;
  readonly minimumFeeWei: bigint;
  readonly protocolFeeBps: bigint;
}

/** Deploys both, and registers the provider, with `stakeWei` at stake, and whoever votes; seats need no seasoning. */
export async function openJuryMarket(
  { ethers, networkHelpers }: NetworkConnection,
  {
    benches,
    rules,
    treasury,
    stakeWei,
  }: { benches: readonly Bench[]; rules: JuryRules; treasury: string; stakeWei: bigint },
) {
  const [admin, owner, provider] = await ethers.getSigners();
  if (!admin || !owner || !provider) throw new Error("the chain has too few accounts");
  const registry = await new ProviderRegistry__factory(admin).deploy(ZeroAddress, 45 * 86_400, admin);
  const settings = {
    ...{ currency: ZeroAddress, registry, models: ZeroAddress },
    ...{ declineWindow: 600, keyWindow: 600, takeOverWindow: 3_600, concessionWindow: CONCESSION_SECONDS },
    ...{ admin, treasury, feeBps: rules.protocolFeeBps },
  };
  const extension = await new TaskMarketExtension__factory(admin).deploy(settings);
  const address = await (await new TaskMarket__factory(admin).deploy(settings, extension)).getAddress();
  const market = ITaskMarket__factory.connect(address, admin);
  const { seatWei, juryFeeBps, minimumFeeWei } = rules;
  const jury = await new Jury__factory(admin).deploy(
    ...([address, seatWei, juryFeeBps, minimumFeeWei, STEP_SECONDS, 0] as const),
  );
  await registry.authorizeMarket(address);
  await registry.authorizeMarket(jury);
  const offer = { shape: packResources(RESOURCES), rateWei: 1, slots: 100, metadata: "" };
  const enter = async (signer: Signer, amountWei: bigint): Promise<void> => {
    await registry.connect(signer).register(signer, signer, offer);
    await registry.connect(signer).stake(amountWei, { value: amountWei });
  };
  for (const signer of [owner, provider]) {
    await networkHelpers.setBalance(await signer.getAddress(), parseEther("10000000"));
  }
  await enter(provider, stakeWei);
  /** By address, in small letters. */
  const jurors = new Map<string, Signer>();
  for (const { voter, seats } of benches) {
    await networkHelpers.impersonateAccount(voter);
    await networkHelpers.setBalance(voter, parseEther("1000000"));
    const signer = await ethers.getSigner(voter);
    await enter(signer, seatWei * BigInt(seats));
    await jury.connect(signer).takeSeats(0, seats, signer);
    jurors.set(voter.toLowerCase(), signer);
  }
  const domain = { chainId: (await ethers.provider.getNetwork()).chainId, market: address };
  return { admin, domain, owner, provider, registry, market, jury, jurors };
}
