import { stat } from "node:fs/promises";

import { parseAmount } from "../../src/amount.ts";
import { loadAttestationPolicy } from "../../src/attestation/policy.ts";
import type { Deployment } from "../../src/deployment.ts";
import { messageOf, NeuraError } from "../../src/errors.ts";
import { type JsonObject, type Needs, readNeeds } from "../../src/manifest.ts";
import { MarketClient } from "../../src/market/client.ts";
import { type MarketContext, openMarket } from "../../src/market/context.ts";
import type { TaskRequest } from "../../src/market/prepare.ts";
import { gpuClassOf, type Resources } from "../../src/market/resources.ts";
import { Secret } from "../../src/secret.ts";
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

/** What `task submit` and `lease start` have in common, as Hardhat gives it. */
export interface OrderArguments extends NeedArguments {
  readonly paths: readonly string[];
  readonly parameters: string | undefined;
  readonly maxCost: string | undefined;
  readonly startWithin: string;
  readonly secrets: string | undefined;
  readonly attested: string | undefined;
  readonly owner: string | undefined;
  readonly backup: string | undefined;
  readonly model: string | undefined;
  readonly open: boolean;
  readonly priceFrom: string | undefined;
  readonly priceTo: string | undefined;
  readonly shortlist: string | undefined;
  readonly sealed: boolean;
  readonly quote: boolean;
  readonly signOnly: string | undefined;
  readonly dryRun: boolean;
}

/** As {@link openClient}, for what the client has no method for. */
export async function openMarketOf(
  context: Context,
  { signing = false }: { signing?: boolean } = {},
): Promise<MarketContext> {
  const { provider, storage, home, allowLoopback } = context;
  const deployment = await context.deployment();
  const runner = signing ? await context.signer() : provider;
  return openMarket({ runner, deployment, storage, home, allowLoopback });
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

/** The market for somebody who follows a task: with the account where its key may have to be published. */
export async function openFollower(
  context: Context,
  id: string,
): Promise<{ client: MarketClient; deployment: Deployment }> {
  const reading = await openClient(context);
  const { terms, ended } = await reading.client.status(id, { signal: context.signal });
  return terms.conditions.isSealed === true && !ended
    ? await openClient(context, { signing: true })
    : reading;
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

/** The part of a request that all orders have. Errors: `usage.…`. */
export async function parseOrderRequest(
  given: OrderArguments,
  deployment: Deployment,
  context: Context,
): Promise<TaskRequest> {
  const { currency } = deployment;
  const { parameters, maxCost, owner, backup, model, quote, signOnly } = given;
  const needs = parseNeeds(given, deployment);
  return {
    ...needs,
    ...parseOpen(given, deployment),
    source: await sourceOf(given.paths),
    parameters: parameters === undefined ? undefined : parseParameters(parameters),
    maxCostWei: maxCost === undefined ? undefined : parseAmount(maxCost, currency, "cost"),
    startWithinSeconds: parseDuration(given.startWithin, "time to start"),
    secrets: secretsFrom(given.secrets, context),
    attestation: given.attested === undefined ? undefined : await loadAttestationPolicy(given.attested),
    owner: owner === undefined ? undefined : parseAddress(owner, "owner"),
    backup: backup === undefined ? undefined : parseAddress(backup, "backup"),
    model: model === undefined ? undefined : parseWhole(model, "model"),
    withQuote: quote,
    signOnly: signOnly !== undefined,
  };
}

function parseOpen(
  { open, priceFrom, priceTo, price, shortlist, sealed }: OrderArguments,
  { currency }: Deployment,
): Pick<TaskRequest, "open" | "price"> {
  if (!open) {
    if (priceFrom === undefined && priceTo === undefined && shortlist === undefined && !sealed) return {};
    throw new NeuraError(
      "usage.open",
      "--price-from, --price-to, --shortlist and --sealed are for open tasks.",
      { next: "Add --open, or leave them out." },
    );
  }
  if (priceFrom === undefined || priceTo === undefined || price !== undefined) {
    throw new NeuraError("usage.open", "An open task's price rises from one amount to another.", {
      next: "Give --price-from and --price-to, and no --price.",
    });
  }
  return {
    open: {
      isSealed: sealed,
      shortlist: shortlist?.split(",").map((each) => parseAddress(each.trim(), "shortlist")),
    },
    price: {
      amountWei: parseAmount(priceFrom, currency, "price"),
      maximumWei: parseAmount(priceTo, currency, "price"),
      metered: false,
    },
  };
}

async function sourceOf(paths: readonly string[]): Promise<TaskRequest["source"]> {
  const [first] = paths;
  if (first === undefined || paths.length > 1) return { files: paths };
  const found = await stat(first).catch(() => undefined);
  return found?.isDirectory() === true ? { folder: first } : { files: paths };
}

function parseParameters(text: string): JsonObject {
  try {
    const value: unknown = JSON.parse(text);
    // The manifest checks what is in it.
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return { ...value };
    throw new Error("it is no object");
  } catch (error) {
    throw new NeuraError(
      "usage.parameters",
      `The parameters ${text} are not a JSON object: ${messageOf(error)}.`,
      {
        next: `Write them like '{"name": "value"}', in single quotes for the shell.`,
      },
    );
  }
}

/** The values of the named environment variables: names stand in the command, values never. */
function secretsFrom(names: string | undefined, { environment }: Context): Record<string, Secret<string>> {
  const listed = (names ?? "").split(",").filter((name) => name !== "");
  return Object.fromEntries(
    listed.map((name) => {
      const value = environment[name];
      if (value !== undefined) return [name, new Secret(value)];
      throw new NeuraError("usage.secret", `The environment has no variable ${name}.`, {
        next: `Set it before the command: export ${name}=…`,
      });
    }),
  );
}
