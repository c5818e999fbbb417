import { readFile, rename } from "node:fs/promises";
import {
  errorDeploymentResultToExceptionMessage,
  HardhatArtifactResolver,
} from "@nomicfoundation/hardhat-ignition/helpers";
import { deploy as ignite, DeploymentResultType, listTransactions } from "@nomicfoundation/ignition-core";
import { type BaseContract, getAddress, keccak256, type Provider, type Signer, ZeroAddress } from "ethers";
import type { HardhatRuntimeEnvironment } from "hardhat/types/hre";

import Neura from "../../modules/Neura.ts";
import { formatAmount, parseAmount } from "../../src/amount.ts";
import { Erc20 } from "../../src/chain/erc20.ts";
import {
  type CurrencyInfo,
  type Deployment,
  deploymentPath,
  loadDeployment,
  verifyDeployment,
  writeDeployment,
} from "../../src/deployment.ts";
import { isNeuraError, NeuraError } from "../../src/errors.ts";
import {
  DeedCertificate__factory,
  IJury__factory,
  ITaskMarket__factory,
  Jury__factory,
  KeyRegistry__factory,
  ProviderRegistry__factory,
  ProviderRewards__factory,
  RevenueShareFactory__factory,
  RevenueShareToken__factory,
} from "../../types/index.ts";
import { parseAddress } from "../address.ts";
import { action, type Context } from "../context.ts";
import { fields } from "../output.ts";

/** Chains that live as long as their process: an earlier run's journal would only be in the way. */
const THROW_AWAY_CHAINS = [31337n, 1337n];
/** What the eleven transactions use, rounded up [gas]. */
export const DEPLOY_GAS = 24_000_000n;
const HOUR_SECONDS = 60 * 60;
const DAY_SECONDS = 24 * HOUR_SECONDS;

export interface DeployArguments {
  token: string | undefined;
  symbol: string;
  feeBps: number;
  treasury: string | undefined;
  admin: string | undefined;
  declineSeconds: number;
  keySeconds: number;
  takeOverSeconds: number;
  concessionSeconds: number;
  unbondingDays: number;
  rewardEpochHours: number;
  rewardBudget: string;
  rewardCapBps: number;
  jurySeat: string;
  juryFeeBps: number;
  juryMinimumFee: string;
  juryStepSeconds: number;
  jurySeasoningDays: number;
  fresh: boolean;
}

/** What the contracts were made with. */
interface Settings {
  currency: string;
  admin: string;
  treasury: string;
  feeBps: number;
  declineSeconds: number;
  keySeconds: number;
  takeOverSeconds: number;
  concessionSeconds: number;
  unbondingSeconds: number;
  rewardEpochSeconds: number;
  rewardBudgetWei: bigint;
  rewardCapBps: number;
  jurySeatWei: bigint;
  juryFeeBps: number;
  juryMinimumFeeWei: bigint;
  juryStepSeconds: number;
  jurySeasoningSeconds: number;
}

/** What the chain says. */
type Found = Settings & { readonly linked: boolean; readonly shareCodeHash: string };

/** Of the code of revenue shares. */
const SHARE_CODE_HASH = keccak256(RevenueShareToken__factory.bytecode);

export default action("neura/deploy/1", async (args: DeployArguments, context, hre) => {
  const { chainId, provider, environment, out } = context;
  const signer = await context.signer();
  const path = deploymentPath({ chainId, environment });
  const currency = await currencyOf(args, context);
  const settings: Settings = {
    currency: currency.address,
    admin: parseAddress(args.admin ?? signer.address, "admin"),
    treasury: parseAddress(args.treasury ?? signer.address, "treasury"),
    feeBps: args.feeBps,
    declineSeconds: args.declineSeconds,
    keySeconds: args.keySeconds,
    takeOverSeconds: args.takeOverSeconds,
    concessionSeconds: args.concessionSeconds,
    unbondingSeconds: args.unbondingDays * DAY_SECONDS,
    rewardEpochSeconds: args.rewardEpochHours * HOUR_SECONDS,
    rewardBudgetWei: parseAmount(args.rewardBudget, currency, "reward-budget"),
    rewardCapBps: args.rewardCapBps,
    jurySeatWei: parseAmount(args.jurySeat, currency, "jury-seat"),
    juryFeeBps: args.juryFeeBps,
    juryMinimumFeeWei: parseAmount(args.juryMinimumFee, currency, "jury-minimum-fee"),
    juryStepSeconds: args.juryStepSeconds,
    jurySeasoningSeconds: args.jurySeasoningDays * DAY_SECONDS,
  };
  const known = args.fresh ? undefined : await knownDeployment(context);
  if (known !== undefined) {
    const differences = differencesOf(settings, await readSettings(known, settings, context));
    if (differences.length > 0) {
      throw new NeuraError(
        "deploy.exists",
        `On chain ${chainId} there is a deployment already, with ${differences.join(", ")}.`,
        { next: `Deploy anew with --fresh, or use the one in ${path}.` },
      );
    }
    const deployment = await completed(known, { path, settings }, context);
    const sent = deployment !== known;
    if (!sent) out.note("The contracts are there already; nothing was sent.");
    return report({ deployment, settings, path, sent });
  }

  await assertFunds(context, signer.address, currency);
  const journal = THROW_AWAY_CHAINS.includes(chainId) ? undefined : path.replace(/(\.json)?$/, ".journal");
  if (journal !== undefined) await setAside(journal, args.fresh, context);
  const deployment = await out.step(
    "Deploying the registries, the market, its rewards and jury, what makes revenue shares and what draws deeds",
    () => deployAll({ hre, context, settings, currency, journal }),
  );
  await verifyDeployment(deployment, provider);
  const differences = differencesOf(settings, await readSettings(deployment, settings, context));
  if (differences.length > 0) {
    throw new NeuraError("deploy.unlike", `The chain shows another deployment: ${differences.join(", ")}.`, {
      next: "Deploy anew with --fresh.",
    });
  }
  await writeDeployment(path, deployment);
  return report({ deployment, settings, path, sent: true });
});

async function deployAll({
  hre,
  context: { chainId, networkName, provider, signer },
  settings,
  currency,
  journal,
}: {
  hre: HardhatRuntimeEnvironment;
  context: Context;
  settings: Settings;
  currency: CurrencyInfo;
  journal: string | undefined;
}): Promise<Deployment> {
  const { address: deployer } = await signer();
  const connection = await hre.network.create(networkName);
  const artifactResolver = new HardhatArtifactResolver(hre.artifacts);
  const blockBefore = await provider.getBlockNumber();
  const result = await ignite({
    ignitionModule: Neura,
    artifactResolver,
    provider: connection.provider,
    ...(journal === undefined ? {} : { deploymentDir: journal }),
    deploymentParameters: {
      Neura: {
        currency: settings.currency,
        unbondingSeconds: settings.unbondingSeconds,
        declineWindowSeconds: settings.declineSeconds,
        keyWindowSeconds: settings.keySeconds,
        takeOverWindowSeconds: settings.takeOverSeconds,
        concessionWindowSeconds: settings.concessionSeconds,
        admin: settings.admin,
        treasury: settings.treasury,
        feeBps: settings.feeBps,
        epochSeconds: settings.rewardEpochSeconds,
        budgetWei: settings.rewardBudgetWei,
        capBps: settings.rewardCapBps,
        seatWei: settings.jurySeatWei,
        juryFeeBps: settings.juryFeeBps,
        juryMinimumFeeWei: settings.juryMinimumFeeWei,
        stepSeconds: settings.juryStepSeconds,
        seasoningSeconds: settings.jurySeasoningSeconds,
      },
    },
    accounts: [deployer],
    config: journal === undefined ? { requiredConfirmations: 1, blockPollingInterval: 50 } : {},
  });
  if (result.type !== DeploymentResultType.SUCCESSFUL_DEPLOYMENT) {
    throw new NeuraError("deploy.failed", errorDeploymentResultToExceptionMessage(result), {
      next: "Run the command again: it goes on where it stopped.",
    });
  }
  const addressOf = (name: string): string => getAddress(result.contracts[`Neura#${name}`]?.address ?? "");
  const contracts = {
    KeyRegistry: addressOf("KeyRegistry"),
    ProviderRegistry: addressOf("ProviderRegistry"),
    ModelRegistry: addressOf("ModelRegistry"),
    TaskMarket: addressOf("TaskMarket"),
    ProviderRewards: addressOf("ProviderRewards"),
    RevenueShareFactory: addressOf("RevenueShareFactory"),
    DeedCertificate: addressOf("DeedCertificate"),
    Jury: addressOf("Jury"),
  };
  if (settings.admin !== deployer) {
    const registry = ProviderRegistry__factory.connect(contracts.ProviderRegistry, await signer());
    if ((await registry.pendingOwner()) !== settings.admin) {
      await (await registry.transferOwnership(settings.admin)).wait();
    }
  }
  // A run that goes on where another one stopped finds the first block in the journal.
  const hashes =
    journal === undefined
      ? []
      : (await listTransactions(journal, artifactResolver)).map(({ txHash }) => txHash);
  const receipts = await Promise.all(hashes.map((hash) => provider.getTransactionReceipt(hash)));
  const block = Math.min(blockBefore, ...receipts.flatMap((receipt) => receipt?.blockNumber ?? []));
  return { schema: "neura/deployment/1", chainId: Number(chainId), block, contracts, currency };
}

/** A deployment of before with what has come since; recorded one by one, and itself where it lacks nothing. */
async function completed(
  known: Deployment,
  { path, settings }: { path: string; settings: Settings },
  { signer, out, provider }: Context,
): Promise<Deployment> {
  let deployment = known;
  const add = async (
    name: "RevenueShareFactory" | "DeedCertificate" | "Jury",
    title: string,
    deploy: (runner: Signer) => Promise<BaseContract>,
  ): Promise<void> => {
    if (deployment.contracts[name] !== undefined) return;
    const contract = await out.step(
      title,
      async () => await (await deploy(await signer())).waitForDeployment(),
    );
    deployment = {
      ...deployment,
      contracts: { ...deployment.contracts, [name]: await contract.getAddress() },
    };
    await writeDeployment(path, deployment);
  };
  await add("RevenueShareFactory", "Adding what makes revenue shares", (runner) =>
    new RevenueShareFactory__factory(runner).deploy(SHARE_CODE_HASH),
  );
  await add("DeedCertificate", "Adding what draws deeds", (runner) =>
    new DeedCertificate__factory(runner).deploy(),
  );
  await add("Jury", "Adding the jury", (runner) =>
    new Jury__factory(runner).deploy(
      known.contracts.TaskMarket,
      settings.jurySeatWei,
      settings.juryFeeBps,
      settings.juryMinimumFeeWei,
      settings.juryStepSeconds,
      settings.jurySeasoningSeconds,
    ),
  );
  const { Jury = "", ProviderRegistry } = deployment.contracts;
  const registry = ProviderRegistry__factory.connect(ProviderRegistry, provider);
  if ((await registry.marketEffectiveAt(Jury)) !== 0n) return deployment;
  const [runner, admin] = [await signer(), await registry.owner()];
  if (runner.address === admin) {
    await (await registry.connect(runner).authorizeMarket(Jury)).wait();
    out.note(
      "Seats of the jury can be taken once its authorisation is in force, after the unbonding period.",
    );
  } else {
    out.note(`Seats of the jury can be taken once ${admin} has authorised ${Jury} in ${ProviderRegistry}.`);
  }
  return deployment;
}

/** The recorded deployment if it is on this chain. */
async function knownDeployment(context: Context): Promise<Deployment | undefined> {
  try {
    return await loadDeployment({ provider: context.provider, environment: context.environment });
  } catch (error) {
    if (isNeuraError(error, "deployment.missing")) return undefined;
    if (!isNeuraError(error, "deployment.no-code")) throw error;
    context.out.note(
      "The recorded contracts are not on this chain, which was started anew: deploying again.",
    );
    return undefined;
  }
}

/** Moves a journal away that must not be gone on with: of a chain that was started anew, or at `--fresh`. */
async function setAside(journal: string, fresh: boolean, { provider, out }: Context): Promise<void> {
  const text = await readFile(`${journal}/deployed_addresses.json`, "utf8").catch(() => "{}");
  const addresses = text.match(/0x[0-9a-fA-F]{40}/g) ?? [];
  const codes = await Promise.all(addresses.map((address) => provider.getCode(address)));
  if (addresses.length === 0 || (!fresh && !codes.includes("0x"))) return;
  const aside = `${journal}.${new Date().toISOString().replaceAll(/[:.]/g, "-")}`;
  await rename(journal, aside);
  out.note(`The journal of the earlier deployment is now ${aside}`);
}

/** What a deployment was made with; as it is `wanted` of what it does not have yet. */
async function readSettings(
  { contracts }: Deployment,
  wanted: Settings,
  { provider }: Context,
): Promise<Found> {
  const registry = ProviderRegistry__factory.connect(contracts.ProviderRegistry, provider);
  const market = ITaskMarket__factory.connect(contracts.TaskMarket, provider);
  const rewards = ProviderRewards__factory.connect(contracts.ProviderRewards, provider);
  const keys = KeyRegistry__factory.connect(contracts.KeyRegistry, provider);
  const [currency, ofRegistry, unbonding, effectiveAt, of, models, ofRewards] = await Promise.all([
    market.currency(),
    registry.currency(),
    registry.unbondingPeriod(),
    registry.marketEffectiveAt(contracts.TaskMarket),
    market.registry(),
    market.models(),
    rewards.market(),
    keys.latestEpoch(ZeroAddress),
  ]);
  const [decline, key, takeOver, concession, admin, treasury, fee] = await Promise.all([
    market.declineWindow(),
    market.keyWindow(),
    market.takeOverWindow(),
    market.concessionWindow(),
    market.owner(),
    market.treasury(),
    market.feeBps(),
  ]);
  const [epochSeconds, budgetWei, capBps] = await Promise.all([
    rewards.epochSeconds(),
    rewards.budgetWei(),
    rewards.capBps(),
  ]);
  const { ofJury, ...jury } = await readJury(contracts.Jury, wanted, provider);
  return {
    currency,
    admin,
    treasury,
    feeBps: Number(fee),
    declineSeconds: Number(decline),
    keySeconds: Number(key),
    takeOverSeconds: Number(takeOver),
    concessionSeconds: Number(concession),
    unbondingSeconds: Number(unbonding),
    rewardEpochSeconds: Number(epochSeconds),
    rewardBudgetWei: budgetWei,
    rewardCapBps: Number(capBps),
    ...jury,
    shareCodeHash:
      contracts.RevenueShareFactory === undefined
        ? SHARE_CODE_HASH
        : await RevenueShareFactory__factory.connect(contracts.RevenueShareFactory, provider).codeHash(),
    linked:
      of === contracts.ProviderRegistry &&
      models === contracts.ModelRegistry &&
      ofRewards === contracts.TaskMarket &&
      (ofJury === undefined || ofJury === contracts.TaskMarket) &&
      ofRegistry === currency &&
      effectiveAt !== 0n,
  };
}

type JurySettings = Pick<
  Settings,
  "jurySeatWei" | "juryFeeBps" | "juryMinimumFeeWei" | "juryStepSeconds" | "jurySeasoningSeconds"
>;

async function readJury(
  address: string | undefined,
  { jurySeatWei, juryFeeBps, juryMinimumFeeWei, juryStepSeconds, jurySeasoningSeconds }: JurySettings,
  provider: Provider,
): Promise<JurySettings & { readonly ofJury?: string }> {
  if (address === undefined) {
    return { jurySeatWei, juryFeeBps, juryMinimumFeeWei, juryStepSeconds, jurySeasoningSeconds };
  }
  const jury = IJury__factory.connect(address, provider);
  const [ofJury, seat, fee, minimum, step, seasoning] = await Promise.all([
    jury.market(),
    jury.seatWei(),
    jury.feeBps(),
    jury.minimumFeeWei(),
    jury.stepSeconds(),
    jury.seasoningSeconds(),
  ]);
  return {
    ofJury,
    jurySeatWei: seat,
    juryFeeBps: Number(fee),
    juryMinimumFeeWei: minimum,
    juryStepSeconds: Number(step),
    jurySeasoningSeconds: Number(seasoning),
  };
}

function differencesOf(wanted: Settings, { linked, shareCodeHash, ...found }: Found): string[] {
  const names = Object.keys(wanted) as (keyof Settings)[];
  return [
    ...names
      .filter((name) => wanted[name] !== found[name])
      .map((name) => `${name} ${found[name]} instead of ${wanted[name]}`),
    ...(linked ? [] : ["contracts that do not know each other"]),
    ...(shareCodeHash === SHARE_CODE_HASH ? [] : ["revenue shares of another version"]),
  ];
}

async function currencyOf({ token, symbol }: DeployArguments, { provider }: Context): Promise<CurrencyInfo> {
  if (token === undefined) return { address: ZeroAddress, symbol, decimals: 18 };
  const address = parseAddress(token, "token");
  const erc20 = new Erc20(address, provider);
  try {
    return { address, symbol: await erc20.symbol(), decimals: await erc20.decimals() };
  } catch (cause) {
    throw new NeuraError(
      "deploy.no-token",
      `At ${address} there is no ERC-20 token with symbol and decimals.`,
      {
        next: "Correct --token, or choose its network with --network.",
        cause,
      },
    );
  }
}

async function assertFunds({ provider }: Context, address: string, { symbol }: CurrencyInfo): Promise<void> {
  const { maxFeePerGas, gasPrice } = await provider.getFeeData();
  const neededWei = DEPLOY_GAS * (maxFeePerGas ?? gasPrice ?? 0n);
  const balanceWei = await provider.getBalance(address);
  if (balanceWei >= neededWei) return;
  const coin = { symbol, decimals: 18 };
  throw new NeuraError(
    "wallet.insufficient-funds",
    `Deploying takes about ${formatAmount(neededWei, coin)} of gas; ${address} has ${formatAmount(balanceWei, coin)}.`,
    {
      next: `Send ${formatAmount(neededWei - balanceWei, coin)} to ${address} and run the command again.`,
      details: { neededWei, balanceWei, address },
    },
  );
}

function report({
  deployment,
  settings,
  path,
  sent,
}: {
  deployment: Deployment;
  settings: Settings;
  path: string;
  sent: boolean;
}) {
  const { contracts, block, currency, chainId } = deployment;
  return {
    data: { chainId, block, contracts, currency, settings, record: path, sent },
    text: fields([
      ...Object.entries(contracts),
      ["Block", block],
      ["Currency", currency.symbol],
      ["Fee", `${settings.feeBps} bps to ${settings.treasury}`],
      ["Record", path],
    ]),
  };
}
