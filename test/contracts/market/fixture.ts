import { ZeroAddress } from "ethers";
import { network } from "hardhat";

import { deployTaskMarket, WINDOWS } from "./deploy.ts";

/** The market with its registry on a fresh simulated chain, four parties with money, and short terms. */
export const PRICE_WEI = 10n ** 15n;
export const DURATION = 600n;
export const COST_WEI = PRICE_WEI * DURATION;
export const COLLATERAL_WEI = 7n * 10n ** 17n + 3n;
export const STAKE_WEI = 10n ** 18n;
export const FEE_BPS = 250n;
export const DECLINE_WINDOW = WINDOWS.declineWindow;
export const DAY = 86_400n;

export const METERED = 1n << 192n;

/** What the fields of the packed words that stand for a feature are called; see `Tasks.sol`. */
export const Flag = { Sealed: 1n, IdleStop: 2n } as const;

export interface TaskOptions {
  owner?: string;
  /** The zero address: the task is open. */
  provider?: string;
  /** With {@link METERED} if it is per second. */
  price?: bigint;
  /** The price at `startBy` of an open task [wei]. */
  maximum?: bigint;
  startBy?: bigint;
  completeBy?: bigint;
  duration?: bigint;
  collateral?: bigint;
  salt?: string;
  /** Who may take the task over. */
  backup?: string;
  /** [s] */
  challengePeriod?: bigint;
  arbiter?: string;
  /** Of a lease, which this makes it [s]. */
  heartbeat?: bigint;
  /** [s] */
  notice?: bigint;
  flags?: bigint;
  model?: bigint;
  royaltyBps?: bigint;
  resources?: bigint;
}

/** Tokens that can be the currency, well-behaved and hostile. */
export type TokenName =
  | "MockERC20"
  | "PermittedERC20"
  | "PhantomERC20"
  | "HookERC20"
  | "FeeERC20"
  | "OddERC20"
  | "BlocklistERC20"
  | "LyingERC20";

export interface MarketOptions {
  chainId?: number;
  /** Blocks may have the time of the one before. */
  standing?: boolean;
  /** A registry of models. */
  models?: string;
  /** The token that is the currency; without it, it is the native coin. */
  token?: TokenName;
  feeBps?: bigint;
}

/** Deploys everything on a chain where gas is free, so that wallets change by payments alone. */
export async function deployMarket({
  token,
  feeBps = FEE_BPS,
  models = ZeroAddress,
  chainId = 31_337,
  standing = false,
}: MarketOptions = {}) {
  const connection = await network.create({
    override: { chainId, gasPrice: 0n, initialBaseFeePerGas: 0n, allowBlocksWithSameTimestamp: standing },
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
  const { market, extension } = await deployTaskMarket(ethers, {
    registry,
    currency,
    models,
    treasury,
    feeBps,
  });
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
      price:
        (options.price ?? PRICE_WEI | METERED) |
        ((options.maximum ?? 0n) << 96n) |
        ((options.heartbeat ?? 0n) << 200n) |
        ((options.notice ?? 0n) << 224n),
      conditions:
        startBy |
        (completeBy << 40n) |
        ((options.duration ?? DURATION) << 80n) |
        ((options.challengePeriod ?? 0n) << 112n) |
        ((options.heartbeat === undefined ? 0n : 1n) << 144n) |
        (1n << 152n) |
        ((options.model ?? 0n) << 184n) |
        ((options.royaltyBps ?? 0n) << 232n) |
        ((options.flags ?? 0n) << 248n),
      assurance: (options.collateral ?? 0n) | (BigInt(options.arbiter ?? ZeroAddress) << 96n),
      salt: options.salt ?? ethers.id(`salt ${String(now)}`),
    };
    const work = {
      resources: options.resources ?? 0n,
      payloadHash: ethers.id("payload"),
      payload: "ar://payload",
    };
    const backup = options.backup ?? ZeroAddress;
    const workHash = await market.hashWork(work, backup);
    return { terms, work, workHash, backup, startBy, completeBy, id: await market.idOf(terms, workHash) };
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
    extension,
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
