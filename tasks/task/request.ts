import { parseAmount } from "../../src/amount.ts";
import type { Deployment } from "../../src/deployment.ts";
import { NeuraError } from "../../src/errors.ts";
import { type Needs, readNeeds } from "../../src/manifest.ts";
import { MarketClient } from "../../src/market/client.ts";
import type { TaskRequest } from "../../src/market/prepare.ts";
import { gpuClassOf, type Resources } from "../../src/market/resources.ts";
import { parseAddress } from "../address.ts";
import type { Context } from "../context.ts";
import { parseDuration } from "../duration.ts";

/** The options of `task check` and `task submit`, as Hardhat gives them. */
export interface NeedArguments {
  readonly application: string;
  readonly anyProvider: boolean;
  readonly provider: string | undefined;
  readonly price: string | undefined;
  readonly maxRate: string | undefined;
  readonly collateral: string | undefined;
  readonly duration: string;
  readonly gpus: string | undefined;
  readonly gpu: string | undefined;
  readonly vram: string | undefined;
  readonly ram: string | undefined;
  readonly cpu: string | undefined;
  readonly disk: string | undefined;
  readonly needs: string | undefined;
}

/** The market for this command; `signing`: with the account that pays, else for reading only. */
export async function openClient(
  context: Context,
  { signing = false }: { signing?: boolean } = {},
): Promise<{ client: MarketClient; deployment: Deployment }> {
  const { provider, storage, home, allowLoopback } = context;
  const deployment = await context.deployment();
  const runner = signing ? await context.signer() : provider;
  return { client: new MarketClient({ runner, deployment, storage, home, allowLoopback }), deployment };
}

/** The part of a request that the needs are. Errors: `usage.…`. */
export function parseNeeds(
  needs: NeedArguments,
  { currency }: Deployment,
): Pick<
  TaskRequest,
  | "application"
  | "provider"
  | "anyProvider"
  | "price"
  | "maxRateWei"
  | "collateralWei"
  | "resources"
  | "needs"
> & { durationSeconds: number } {
  const { application, provider, anyProvider, price, maxRate, collateral, duration } = needs;
  return {
    application,
    anyProvider,
    provider: provider === undefined ? undefined : parseAddress(provider, "provider"),
    price:
      price === undefined ? undefined : { amountWei: parseAmount(price, currency, "price"), metered: false },
    maxRateWei: maxRate === undefined ? undefined : parseAmount(maxRate, currency, "rate"),
    collateralWei: collateral === undefined ? undefined : parseAmount(collateral, currency, "collateral"),
    durationSeconds: parseDuration(duration, "duration"),
    resources: parseResources(needs),
    needs: parseMachineNeeds(needs.needs),
  };
}

const NUMBERS = ["bandwidthMbps", "sharedMemoryMiB"];

/** What `--needs` says, by the names that a manifest has for it. Errors: `usage.number`, `manifest.invalid`. */
export function parseMachineNeeds(text: string | undefined): Needs | undefined {
  if (text === undefined) return undefined;
  const pairs = text.split(",").map((part) => {
    const [name = "", value = ""] = part.split("=").map((each) => each.trim());
    return [name, NUMBERS.includes(name) ? parseWhole(value, name) : value] as const;
  });
  return readNeeds(Object.fromEntries(pairs));
}

function parseResources({ gpus, gpu, vram, ram, cpu, disk }: NeedArguments): Partial<Resources> {
  return {
    ...whole("gpuCount", gpus, "number of GPUs"),
    ...(gpu === undefined ? {} : { gpuClass: gpuClassOf(gpu) }),
    ...whole("vramMiB", vram, "memory of each GPU"),
    ...whole("ramMiB", ram, "memory"),
    ...(cpu === undefined ? {} : { cpuMilli: parseCores(cpu) }),
    ...whole("diskMiB", disk, "disk"),
  };
}

function whole(field: keyof Resources, text: string | undefined, name: string): Partial<Resources> {
  return text === undefined ? {} : { [field]: parseWhole(text, name) };
}

/** A whole number. Error: `usage.number`. */
export function parseWhole(text: string, name: string): number {
  if (/^\d{1,9}$/.test(text.trim())) return Number(text);
  throw new NeuraError("usage.number", `The ${name} ${JSON.stringify(text)} is not a whole number.`);
}

function parseCores(text: string): number {
  if (/^\d{1,5}(\.\d{1,3})?$/.test(text.trim())) return Math.round(Number(text) * 1000);
  throw new NeuraError(
    "usage.number",
    `The cores ${JSON.stringify(text)} are not a number with at most 3 decimals.`,
  );
}
