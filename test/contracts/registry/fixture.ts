import { network } from "hardhat";

/** The registry of providers on a fresh simulated chain without gas prices, so that balances tell money alone. */
export const DAY = 86_400n;
export const PERIOD = 45n * DAY;
export const FUNDS_WEI = 1_000n * 10n ** 18n;
export const NEVER = 2n ** 256n - 1n;

export const Status = { None: 0n, Active: 1n, Paused: 2n } as const;
export const Record = { None: 0n, Declined: 1n, Abandoned: 2n, Failed: 3n, Disputed: 4n } as const;
export const Moment = { Never: 0n, Before: 1n, After: 2n } as const;
export const Manner = { Accept: 0n, Reenter: 1n, Refuse: 2n, RefuseMegabyte: 3n, BurnGas: 4n } as const;

export const OFFER = {
  shape: 8n | (3n << 16n) | (81_920n << 32n) | (524_288n << 64n) | (96_000n << 96n) | (1_000_000n << 128n),
  rateWei: 10n ** 15n,
  slots: 4n,
  metadata: "https://provider.example/offer.json",
};

export type Kind = "native" | "token";
export const KINDS: readonly Kind[] = ["native", "token"];

/** A simulated chain on which gas costs nothing. */
export const createChain = () => network.create({ override: { initialBaseFeePerGas: 0n, gasPrice: 0n } });

/** Deploys a registry with one authorised market, and gives every party money. */
export async function deployRegistry({
  kind = "native",
  tokenName = "MockERC20",
}: { kind?: Kind; tokenName?: string } = {}) {
  const { ethers, networkHelpers } = await createChain();
  const [admin, provider, operator, payout, market, laterMarket, stranger] = await ethers.getSigners();
  if (!admin || !provider || !operator || !payout || !market || !laterMarket || !stranger)
    throw new Error("the simulated network has too few accounts");
  const parties = { admin, provider, operator, payout, market, laterMarket, stranger };
  const token = kind === "token" ? await ethers.deployContract(tokenName) : undefined;
  const tokenAddress = token === undefined ? undefined : await token.getAddress();
  const registry = await ethers.deployContract("ProviderRegistry", [
    tokenAddress ?? ethers.ZeroAddress,
    PERIOD,
    admin.address,
  ]);
  const address = await registry.getAddress();
  await registry.connect(admin).authorizeMarket(market.address);
  const erc20 =
    tokenAddress === undefined ? undefined : await ethers.getContractAt("MockERC20", tokenAddress);

  /** Sets what `account` has, and lets the registry take it. */
  const fund = async (account: string, amountWei: bigint) => {
    if (erc20 === undefined) {
      await networkHelpers.setBalance(account, amountWei);
      return;
    }
    await erc20.mint(account, amountWei);
    await networkHelpers.impersonateAccount(account);
    await erc20.connect(await ethers.getSigner(account)).approve(address, NEVER);
  };
  for (const party of Object.values(parties)) await fund(party.address, FUNDS_WEI);

  const balanceOf = async (account: string): Promise<bigint> =>
    erc20 === undefined ? await ethers.provider.getBalance(account) : await erc20.balanceOf(account);

  /** What everybody has, the registry included, in the order of `also` and then of the parties. */
  const balances = async (also: readonly string[] = []): Promise<bigint[]> => {
    const accounts = [...also, address, ...Object.values(parties).map((party) => party.address)];
    return await Promise.all(accounts.map(balanceOf));
  };

  /** The value to send along with a stake. */
  const value = (amountWei: bigint) => ({ value: kind === "native" ? amountWei : 0n });

  return {
    ethers,
    networkHelpers,
    registry,
    address,
    token,
    erc20,
    parties,
    fund,
    balanceOf,
    balances,
    value,
  };
}

export type Fixture = Awaited<ReturnType<typeof deployRegistry>>;

/** A provider as a plain object, to be compared field by field. */
export const plain = (provider: Awaited<ReturnType<Fixture["registry"]["providerOf"]>>) => {
  const { account, operator, payout, status, registeredAt, declined, abandoned, failed, disputed } = provider;
  const { assigned, stake, locked, unbonding, unbondsAt, offer } = provider;
  const { shape, rateWei, slots, metadata } = offer;
  return {
    ...{ account, operator, payout, status, registeredAt, declined, abandoned, failed, disputed },
    ...{ assigned, stake, locked, unbonding, unbondsAt, offer: { shape, rateWei, slots, metadata } },
  };
};
