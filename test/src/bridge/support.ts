import { network } from "hardhat";
import {
  HDNodeWallet,
  JsonRpcProvider,
  Network,
  parseEther,
  type Provider,
  type Signer,
  Wallet,
} from "ethers";

import Neura from "../../../modules/Neura.ts";
import { deployPair, type PairSettings } from "../../../modules/bridge.ts";
import { type Bridge, type Finality, openBridge } from "../../../src/bridge/context.ts";
import { type BridgeDeployment, type Side, verifyBridge } from "../../../src/bridge/deployment.ts";
import {
  type ITaskMarket,
  ITaskMarket__factory,
  type MockERC20,
  MockERC20__factory,
} from "../../../types/index.ts";

export const DAY = 86_400;
export const ANKR = 10n ** 18n;
export const CHAINS = { home: 31338, far: 31339 } as const;
const MNEMONIC = "test test test test test test test test test test test junk";

/** An account of every chain of Hardhat's. */
export function walletAt(index: number, provider?: Provider): HDNodeWallet {
  const wallet = HDNodeWallet.fromPhrase(MNEMONIC, "", `m/44'/60'/0'/0/${index}`);
  return provider === undefined ? wallet : wallet.connect(provider);
}

/** Three attesters, of which all have to sign, in the order of the contract. */
export const ATTESTERS = [11, 12, 13]
  .map((index) => new Wallet(walletAt(index).privateKey))
  .toSorted((one, other) => (BigInt(one.address) < BigInt(other.address) ? -1 : 1));

/** Limits of 1,000 ANKR a day, a threshold of 100, a fee of a hundredth. */
export function settingsOf(change: Partial<PairSettings["settings"]> = {}): PairSettings["settings"] {
  return {
    ...{ minimum: ANKR / 10n, fee: ANKR / 100n, feeReceiver: walletAt(9).address },
    ...{ threshold: 100n * ANKR, waitSeconds: DAY },
    ...{ sendCapacity: 1_000n * ANKR, sendPeriod: DAY, payCapacity: 1_000n * ANKR, payPeriod: DAY },
    ...change,
  };
}

/** A pair on two chains, and ANKR at home. */
export interface Pair {
  readonly deployment: BridgeDeployment;
  readonly bridge: Bridge;
  readonly token: MockERC20;
}

/** Deploys a pair; its user is the account with number 1, which has 10,000 ANKR at home. */
export async function deployBridge(
  signers: Readonly<Record<Side, Signer>>,
  {
    change = {},
    finality = {},
    liquidityWei = 5_000n * ANKR,
    markets = () => Promise.resolve({}),
  }: {
    change?: Partial<PairSettings>;
    /** Deploys markets into which transfers can be paid; at home in this token. */
    markets?: (token: string) => Promise<PairSettings["markets"]>;
    finality?: Partial<Record<Side, Finality>>;
    liquidityWei?: bigint;
  } = {},
): Promise<Pair> {
  const { home, far } = signers;
  if (home.provider === null || far.provider === null) throw new Error("the signers are not connected");
  const token = await (await new MockERC20__factory(home).deploy()).waitForDeployment();
  await (await token.mint(walletAt(1).address, parseEther("10000"))).wait();
  const deployment = await deployPair(signers, {
    token: { address: await token.getAddress(), symbol: "ANKR", decimals: 18 },
    ...{
      kind: "native",
      markets: await markets(await token.getAddress()),
      attesters: ATTESTERS.map(({ address }) => address),
      threshold: 3,
    },
    ...{ guardian: walletAt(8).address, admin: walletAt(7).address, delaySeconds: 2 * DAY },
    settings: settingsOf(),
    ...change,
  });
  const providers = { home: home.provider, far: far.provider };
  await verifyBridge(deployment, providers);
  if (liquidityWei > 0n && change.kind !== "minted") {
    await (await far.sendTransaction({ to: deployment.far.bridge, value: liquidityWei })).wait();
  }
  return { deployment, bridge: openBridge({ deployment, providers, finality }), token };
}

/** Two chains of a test. */
export interface Chains {
  /** Asks the node itself, also for what only nodes for tests do. */
  request(side: Side, method: string, params?: readonly unknown[]): Promise<unknown>;
  signer(side: Side, index: number): Promise<Signer>;
  readonly deployer: Readonly<Record<Side, Signer>>;
  close(): Promise<unknown>;
}

/** Two chains in this process. */
export async function openChains() {
  const create = (side: Side) => network.create({ override: { chainId: CHAINS[side] } });
  const connections = { home: await create("home"), far: await create("far") };
  const signer = async (side: Side, index: number): Promise<Signer> => {
    const found = (await connections[side].ethers.getSigners())[index];
    if (found === undefined) throw new Error("no such account");
    return found;
  };
  return {
    connections,
    request: (side: Side, method: string, params: readonly unknown[] = []): Promise<unknown> =>
      connections[side].provider.request({ method, params: [...params] }),
    signer,
    deployer: { home: await signer("home", 0), far: await signer("far", 0) },
    close: async (): Promise<unknown> =>
      await Promise.all([connections.home.close(), connections.far.close()]),
  };
}

/** What a program uses to reach a chain at a URL. */
export function connect(url: string, chainId: number): JsonRpcProvider {
  const known = Network.from(chainId);
  return new JsonRpcProvider(url, known, { staticNetwork: known, cacheTimeout: -1, pollingInterval: 10 });
}

/** The market as `deploy` makes it, in a currency. */
export async function deployMarket(
  connection: Awaited<ReturnType<typeof network.create>>,
  currency: string,
): Promise<ITaskMarket> {
  const admin = walletAt(0).address;
  const { taskMarket } = await connection.ignition.deploy(Neura, {
    parameters: {
      Neura: {
        ...{ currency, admin, treasury: admin, feeBps: 250, unbondingSeconds: 45 * DAY },
        ...{ declineWindowSeconds: 120, keyWindowSeconds: 60, takeOverWindowSeconds: 60 },
        ...{ concessionWindowSeconds: 60, epochSeconds: 30 * DAY, budgetWei: ANKR, capBps: 10_000 },
        ...{ seatWei: ANKR, juryFeeBps: 600, juryMinimumFeeWei: 1n, stepSeconds: DAY, seasoningSeconds: DAY },
      },
    },
  });
  return ITaskMarket__factory.connect(await taskMarket.getAddress(), connection.ethers.provider);
}
