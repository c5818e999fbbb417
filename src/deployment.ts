import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { getAddress, isAddress, type Provider, ZeroAddress } from "ethers";

import { messageOf, NeuraError } from "./errors.ts";
import type { Decimal } from "./market/usd.ts";

/** Names of the contracts that a deployment has. */
export const CONTRACTS = [
  "KeyRegistry",
  "ProviderRegistry",
  "ModelRegistry",
  "TaskMarket",
  "ProviderRewards",
  "RevenueShareFactory",
  "DeedCertificate",
  "Jury",
] as const;
export type ContractName = (typeof CONTRACTS)[number];

/** Those that deployments of before do not have. */
const LATER = ["RevenueShareFactory", "DeedCertificate", "Jury"] as const satisfies readonly ContractName[];
type LaterName = (typeof LATER)[number];

/** What tasks are paid in. */
export interface CurrencyInfo {
  /** The token; the zero address for the chain's native coin. */
  readonly address: string;
  readonly symbol: string;
  readonly decimals: number;
  /** What one unit costs in USD, where somebody wants to see amounts in both. Never in the file. */
  readonly usd?: Decimal | undefined;
}

/** What is deployed on one chain: the file `deployments/chain-<id>.json`. */
export interface Deployment {
  readonly schema: "neura/deployment/1";
  readonly chainId: number;
  /** A block at or before the first contract's; nothing of this deployment is in an earlier one. */
  readonly block: number;
  readonly contracts: Readonly<Record<Exclude<ContractName, LaterName>, string>> &
    Readonly<Partial<Record<LaterName, string>>>;
  readonly currency: CurrencyInfo;
}

export interface DeploymentPlace {
  chainId: bigint | number;
  /** Default: the directory of this package. */
  directory?: string | undefined;
  /** `NEURA_DEPLOYMENT` names another file. */
  environment?: Readonly<Record<string, string | undefined>> | undefined;
}

const SCHEMA = "neura/deployment/1";
const DIRECTORY = fileURLToPath(new URL("../deployments", import.meta.url));

/** The file of a chain's deployment. */
export function deploymentPath({
  chainId,
  directory = DIRECTORY,
  environment = {},
}: DeploymentPlace): string {
  const named = environment["NEURA_DEPLOYMENT"];
  return named === undefined || named === "" ? join(directory, `chain-${chainId}.json`) : named;
}

/**
 * Reads what is deployed on the chain behind `provider`, and checks that it is that chain and that all contracts
 * are there. Errors: `deployment.missing`, `deployment.invalid`, `deployment.wrong-chain`, `deployment.no-code`.
 */
export async function loadDeployment({
  provider,
  ...place
}: Omit<DeploymentPlace, "chainId"> & { provider: Provider }): Promise<Deployment> {
  const { chainId } = await provider.getNetwork();
  const path = deploymentPath({ ...place, chainId });
  const deployment = parseDeployment(await readText(path, chainId), path);
  await verifyDeployment(deployment, provider);
  return deployment;
}

/** Writes the file of a deployment, whole or not at all. */
export async function writeDeployment(path: string, deployment: Deployment): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const partial = `${path}.${process.pid}.partial`;
  await writeFile(partial, `${JSON.stringify(deployment, null, 2)}\n`);
  await rename(partial, path);
}

/** Reads the text of a deployment's file; `source` names it in errors. Error: `deployment.invalid`. */
export function parseDeployment(text: string, source = "the deployment"): Deployment {
  try {
    const file = fieldsOf(JSON.parse(text), "it");
    if (file["schema"] !== SCHEMA) throw new Error(`its schema is not ${SCHEMA}`);
    const contracts = fieldsOf(file["contracts"], "contracts");
    const currency = fieldsOf(file["currency"], "currency");
    const { symbol } = currency;
    if (typeof symbol !== "string" || symbol === "") throw new Error("currency.symbol is missing");
    return {
      schema: SCHEMA,
      chainId: wholeNumber(file["chainId"], "chainId"),
      block: wholeNumber(file["block"], "block"),
      contracts: {
        KeyRegistry: address(contracts["KeyRegistry"], "contracts.KeyRegistry"),
        ProviderRegistry: address(contracts["ProviderRegistry"], "contracts.ProviderRegistry"),
        ModelRegistry: address(contracts["ModelRegistry"], "contracts.ModelRegistry"),
        TaskMarket: address(contracts["TaskMarket"], "contracts.TaskMarket"),
        ProviderRewards: address(contracts["ProviderRewards"], "contracts.ProviderRewards"),
        ...laterContracts(contracts),
      },
      currency: {
        address: address(currency["address"], "currency.address"),
        symbol,
        decimals: wholeNumber(currency["decimals"], "currency.decimals"),
      },
    };
  } catch (error) {
    throw new NeuraError("deployment.invalid", `${source} cannot be read: ${messageOf(error)}.`, {
      next: "Deploy again, or restore the file.",
      cause: error,
    });
  }
}

/**
 * Checks that this is the deployment's chain and that all contracts are on it.
 * Errors: `deployment.wrong-chain`, `deployment.no-code`.
 */
export async function verifyDeployment(deployment: Deployment, provider: Provider): Promise<void> {
  const { chainId } = await provider.getNetwork();
  if (chainId !== BigInt(deployment.chainId)) {
    throw new NeuraError(
      "deployment.wrong-chain",
      `The deployment is for chain ${deployment.chainId}, but the network is chain ${chainId}.`,
      { next: "Choose the network with --network, or another file with NEURA_DEPLOYMENT." },
    );
  }
  const { currency, contracts } = deployment;
  const places: [string, string][] = Object.entries(contracts);
  if (currency.address !== ZeroAddress) places.push([`currency ${currency.symbol}`, currency.address]);
  const codes = await Promise.all(places.map(([, address]) => provider.getCode(address)));
  const missing = places.filter((_, index) => codes[index] === "0x");
  if (missing.length > 0) {
    throw new NeuraError(
      "deployment.no-code",
      `On chain ${chainId} there is no contract at ${missing.map((place) => place.join(" ")).join(", ")}.`,
      { next: "Deploy to this chain again: a local chain forgets its contracts when it is started anew." },
    );
  }
}

async function readText(path: string, chainId: bigint): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
    throw new NeuraError(
      "deployment.missing",
      `For chain ${chainId} no deployment is known: there is no ${path}.`,
      {
        next: "Deploy the contracts with the task `deploy`, or name the file of a deployment in NEURA_DEPLOYMENT.",
      },
    );
  }
}

function fieldsOf(value: unknown, where: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null) throw new Error(`${where} is no object`);
  return { ...value };
}

function wholeNumber(value: unknown, where: string): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) {
    throw new Error(`${where} is no whole number`);
  }
  return value;
}

function laterContracts(contracts: Record<string, unknown>): Partial<Record<LaterName, string>> {
  const found: Partial<Record<LaterName, string>> = {};
  for (const name of LATER) {
    if (contracts[name] !== undefined) found[name] = address(contracts[name], `contracts.${name}`);
  }
  return found;
}

function address(value: unknown, where: string): string {
  if (!isAddress(value)) throw new Error(`${where} is no address`);
  return getAddress(value);
}
