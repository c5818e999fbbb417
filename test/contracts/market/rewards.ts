import type { ContractTransactionResponse } from "ethers";

import { createChain, DAY, OFFER } from "../registry/fixture.ts";
import type { Kind } from "../registry/fixture.ts";

/** Rewards for the fees of a market without tasks, on a simulated chain where gas is free. */
export const EPOCH = 7n * DAY;
export const BUDGET_WEI = 10n ** 20n;
export const CAP_BPS = 8_000n;
export const FUNDS_WEI = 10n ** 21n;

/** Deploys rewards with a registered and an unregistered provider, both recorded once. */
export async function deployRewards({
  kind = "native",
  tokenName = "MockERC20",
}: { kind?: Kind; tokenName?: string } = {}) {
  const { ethers, networkHelpers } = await createChain();
  const [admin, owner, provider, payout, other, funder, stranger] = await ethers.getSigners();
  if (!admin || !owner || !provider || !payout || !other || !funder || !stranger)
    throw new Error("the simulated network has too few accounts");
  const parties = { admin, owner, provider, payout, other, funder, stranger };
  const token = kind === "token" ? await ethers.deployContract(tokenName) : undefined;
  const tokenAddress = token === undefined ? undefined : await token.getAddress();
  const currency = tokenAddress ?? ethers.ZeroAddress;
  const registry = await ethers.deployContract("ProviderRegistry", [currency, 45n * DAY, admin.address]);
  const market = await ethers.deployContract("BareMarket", [await registry.getAddress()]);
  const marketAddress = await market.getAddress();
  const deployment = [marketAddress, EPOCH, BUDGET_WEI, CAP_BPS] as const;
  const rewards = await ethers.deployContract("ProviderRewards", [...deployment]);
  const address = await rewards.getAddress();
  const startedAt = await rewards.startedAt();
  const erc20 =
    tokenAddress === undefined ? undefined : await ethers.getContractAt("MockERC20", tokenAddress);
  for (const party of Object.values(parties)) {
    if (erc20 === undefined) await networkHelpers.setBalance(party.address, FUNDS_WEI);
    else {
      await erc20.mint(party.address, FUNDS_WEI);
      for (const spender of [address, marketAddress])
        await erc20.connect(party).approve(spender, 2n ** 256n - 1n);
    }
  }
  await registry.connect(provider).register(provider.address, payout.address, OFFER);
  await rewards.record([provider.address, other.address]);

  /** The value to send along with a call that takes `amountWei`. */
  const value = (amountWei: bigint) => ({ value: kind === "native" ? amountWei : 0n });
  const balanceOf = async (account: string): Promise<bigint> =>
    erc20 === undefined ? await ethers.provider.getBalance(account) : await erc20.balanceOf(account);
  /** What everybody has, rewards and market included. */
  const balances = async (): Promise<Record<string, bigint>> => {
    const accounts = { rewards: address, market: marketAddress };
    const all = [
      ...Object.entries(accounts),
      ...Object.entries(parties).map(([name, party]) => [name, party.address] as const),
    ];
    return Object.fromEntries(
      await Promise.all(all.map(async ([name, account]) => [name, await balanceOf(account)] as const)),
    );
  };

  const fund = async (amountWei: bigint): Promise<ContractTransactionResponse> =>
    await rewards.connect(funder).fund(amountWei, value(amountWei));
  /** The owner pays an account no more than the fee, which is due then. */
  const payFees = async (account: string, amountWei: bigint) => {
    await market.connect(owner).deposit(amountWei, value(amountWei));
    await market.settle(owner.address, account, amountWei, amountWei);
  };
  /** Goes to the first second of `epoch`; the next transaction is in the second after it. */
  const goTo = async (epoch: bigint) => {
    await networkHelpers.time.increaseTo(startedAt + epoch * EPOCH);
  };

  return {
    ...{ ethers, networkHelpers, registry, market, marketAddress, rewards, address, startedAt, token, erc20 },
    ...{ parties, deployment, value, balanceOf, balances, fund, payFees, goTo },
  };
}

export type Fixture = Awaited<ReturnType<typeof deployRewards>>;
