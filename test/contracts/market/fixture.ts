import { network } from "hardhat";

/** The market with its registry on a fresh simulated chain, four parties with money, and short terms. */
export const PRICE_WEI = 10n ** 15n;
export const DURATION = 600n;
export const COST_WEI = PRICE_WEI * DURATION;
export const COLLATERAL_WEI = 7n * 10n ** 17n + 3n;
export const STAKE_WEI = 10n ** 18n;
export const FEE_BPS = 250n;
export const DECLINE_WINDOW = 120n;
export const DAY = 86_400n;

export const METERED = 1n << 192n;

export interface TaskOptions {
  owner?: string;
  provider?: string;
  price?: bigint;
  startBy?: bigint;
  completeBy?: bigint;
  duration?: bigint;
  collateral?: bigint;
  salt?: string;
}

/** Tokens that can be the currency, well-behaved and hostile. */
export type TokenName = "MockERC20" | "HookERC20" | "FeeERC20" | "OddERC20" | "BlocklistERC20" | "LyingERC20";

export interface MarketOptions {
  /** The token that is the currency; without it, it is the native coin. */
  token?: TokenName;
  feeBps?: bigint;
}

/** Deploys everything on a chain where gas is free, so that wallets change by payments alone. */
export async function deployMarket({ token, feeBps = FEE_BPS }: MarketOptions = {}) {
  const connection = await network.create({
    override: { gasPrice: 0n, initialBaseFeePerGas: 0n },
  });
  const { ethers, networkHelpers } = connection;
  const [admin, treasury, owner, provider, operator, payout, delegate, stranger] = await ethers.getSigners();
  if (!admin || !treasury || !owner || !provider || !operator || !payout || !delegate || !stranger)
    throw new Error("the simulated network has too few accounts");
  const erc20 =
    token === undefined
      ? undefined
      : await ethers.getContractAt("MockERC20", await (await ethers.deployContract(token)).getAddress());
  const currency = erc20 === undefined ? ethers.ZeroAddress : await erc20.getAddress();
  /** What has to be sent along with a call that takes `amountWei`. */
  const valueOf = (amountWei: bigint) => (erc20 === undefined ? amountWei : 0n);
  const registry = await ethers.deployContract("ProviderRegistry", [currency, 45n * DAY, admin.address]);
  const market = await ethers.deployContract("TaskMarket", [
    currency,
    await registry.getAddress(),
    DECLINE_WINDOW,
    admin.address,
    treasury.address,
    feeBps,
  ]);
  await registry.connect(admin).authorizeMarket(await market.getAddress());
  await registry.connect(provider).register(operator.address, payout.address, {
    shape: 0n,
    rateWei: 1n,
    slots: 1n,
    metadata: "",
  });
  if (erc20 !== undefined) {
    for (const party of [owner, provider, delegate, stranger]) {
      await erc20.mint(party.address, 1_000n * 10n ** 18n);
      await erc20.connect(party).approve(await market.getAddress(), 2n ** 256n - 1n);
      await erc20.connect(party).approve(await registry.getAddress(), 2n ** 256n - 1n);
    }
  }
  await registry.connect(provider).stake(STAKE_WEI, { value: valueOf(STAKE_WEI) });

  /** Terms and work of a task that starts within 100 s and is complete within 1,000 s from now. */
  const makeTask = async (options: TaskOptions = {}) => {
    const now = BigInt(await networkHelpers.time.latest());
    const startBy = options.startBy ?? now + 100n;
    const completeBy = options.completeBy ?? now + 1_000n;
    const terms = {
      owner: options.owner ?? owner.address,
      provider: options.provider ?? provider.address,
      price: options.price ?? PRICE_WEI | METERED,
      conditions: startBy | (completeBy << 40n) | ((options.duration ?? DURATION) << 80n) | (1n << 152n),
      assurance: options.collateral ?? 0n,
      salt: options.salt ?? ethers.id(`salt ${String(now)}`),
    };
    const work = { resources: 0n, payloadHash: ethers.id("payload"), payload: "ar://payload" };
    const workHash = await market.hashWork(work);
    return { terms, work, workHash, startBy, completeBy, id: await market.idOf(terms, workHash) };
  };

  const deliveryOf = (outcome: number, secondsUsed: bigint) => ({
    report: BigInt(outcome) | (secondsUsed << 8n),
    resultHash: ethers.id("result"),
    evidenceHash: ethers.id("evidence"),
    result: "ar://result",
  });

  return {
    connection,
    ethers,
    networkHelpers,
    registry,
    market,
    erc20,
    currency,
    valueOf,
    parties: { admin, treasury, owner, provider, operator, payout, delegate, stranger },
    makeTask,
    deliveryOf,
  };
}

export type Fixture = Awaited<ReturnType<typeof deployMarket>>;
export type Task = Awaited<ReturnType<Fixture["makeTask"]>>;
