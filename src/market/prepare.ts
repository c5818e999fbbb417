import { getAddress, sha256, toUtf8Bytes, ZeroAddress } from "ethers";

import { formatAmount, type Unit } from "../amount.ts";
import { Erc20 } from "../chain/erc20.ts";
import type { Deployment } from "../deployment.ts";
import { NeuraError } from "../errors.ts";
import { findKey } from "../keystore.ts";
import type { JsonObject, Limits, Needs } from "../manifest.ts";
import type { Secret } from "../secret.ts";
import type { Price as StoragePrice } from "../storage/storage.ts";
import { asking, chainTime, type MarketContext, requireSigner } from "./context.ts";
import { attemptOf, type Wanted } from "./outbox.ts";
import { type Payload, type PayloadSource, preparePayload } from "./payload.ts";
import {
  checkProvider,
  findProviders,
  FREE_PLACE,
  type ProviderQuery,
  type ProviderReport,
} from "./providers.ts";
import { NO_RESOURCES, type Resources } from "./resources.ts";
import {
  encodeTerms,
  encodeWork,
  MAX_TERM_SECONDS,
  maximumCostWei,
  type Price,
  type Terms,
  type Work,
} from "./terms.ts";

/** What an owner wants done. */
export interface TaskRequest {
  source: PayloadSource;
  /** Name of the built-in application: `ocr`. */
  application: string;
  parameters?: JsonObject | undefined;
  /** Of the run. Default: the duration, the RAM that is asked for, 64 MiB of output. */
  limits?: Partial<Limits> | undefined;
  needs?: Needs | undefined;
  /** What the machine must have. Default: one core, 2 GiB of RAM, 1 GiB of disk. */
  resources?: Partial<Resources> | undefined;
  /** Account of the provider. Default: the best one. */
  provider?: string | undefined;
  /** Whether the best one may be one that has neither sold work nor enough at stake. Default: no. */
  anyProvider?: boolean | undefined;
  /** Default: what the provider asks, by the second. */
  price?: Price | undefined;
  /** Providers that ask for more are out [wei/s]. */
  maxRateWei?: bigint | undefined;
  /** More than this is refused, whoever asks for it [wei]. */
  maxCostWei?: bigint | undefined;
  /** The most that is charged for [s]. Default: 600. */
  durationSeconds?: number | undefined;
  /** How long a provider has to accept [s]. Default: 600. */
  startWithinSeconds?: number | undefined;
  /** How long the whole may take [s]. Default: start and duration, and 600 more. */
  completeWithinSeconds?: number | undefined;
  /** What the provider puts at stake [wei]. Default: nothing. */
  collateralWei?: bigint | undefined;
  /** The result is readable for everybody. Default: only for the owner. */
  publicResult?: boolean | undefined;
  /** For the provider only, by name. */
  secrets?: Readonly<Record<string, Secret<string>>> | undefined;
  /** Whose balance pays, and whose key opens the result, when the signer is its delegate. Default: the signer. */
  owner?: string | undefined;
}

/** A task that is ready to be sent: nothing has moved, and everything that can be checked has been. */
export interface PreparedTask {
  readonly owner: string;
  readonly provider: ProviderReport & { readonly key: NonNullable<ProviderReport["key"]> };
  /** All that were considered, when none was named. */
  readonly considered: readonly ProviderReport[];
  readonly payload: Payload;
  readonly resources: Resources;
  readonly price: Price;
  readonly durationSeconds: number;
  readonly startWithinSeconds: number;
  readonly completeWithinSeconds: number;
  readonly collateralWei: bigint;
  /** The owner's key that the result is encrypted to; missing for a public result. */
  readonly ownerKey?: { readonly epoch: number; readonly publicKey: string };
  readonly secrets: Readonly<Record<string, Secret<string>>>;
  /** The most that it can cost, which is escrowed [wei]. */
  readonly costWei: bigint;
  /** Of that, sent along with the transaction; the rest comes from the owner's balance in the market [wei]. */
  readonly valueWei: bigint;
  /** What storing the payload costs, in the storage network's unit. */
  readonly storagePrice: StoragePrice;
  /** What is allowed, but worth knowing. */
  readonly warnings: readonly string[];
}

const DEFAULT_RESOURCES: Resources = { ...NO_RESOURCES, ramMiB: 2048, cpuMilli: 1000, diskMiB: 1024 };
const DEFAULT_SECONDS = 600;
const DEFAULT_OUTPUT_MIB = 64;
/** An envelope is larger than its plaintext: 20 bytes for each 64 KiB, and a header. */
const ENVELOPE_HEAD = 4096;
/** A reference and hashes as long as real ones, to try the transaction with. */
const SAMPLE_WORK = { payloadHash: `0x${"ab".repeat(32)}`, payload: `ar://${"a".repeat(43)}` };
const SAMPLE_SALT = `0x${"cd".repeat(32)}`;

/** What a request asks of a provider. Error: `task.invalid-schedule`. */
export function queryOf(
  request: Pick<
    TaskRequest,
    | "application"
    | "needs"
    | "anyProvider"
    | "durationSeconds"
    | "price"
    | "maxRateWei"
    | "collateralWei"
    | "resources"
  >,
  seed?: string,
): ProviderQuery {
  const { durationSeconds = DEFAULT_SECONDS, price, application, needs, anyProvider } = request;
  checkSeconds("The duration", durationSeconds);
  const offered = price && (price.metered ? price.amountWei : price.amountWei / BigInt(durationSeconds));
  const limits = [request.maxRateWei, offered].filter((limit) => limit !== undefined);
  return {
    resources: resourcesOf(request),
    durationSeconds,
    collateralWei: request.collateralWei ?? 0n,
    application,
    needs,
    anyProvider,
    seed,
    ...(limits.length > 0 ? { maxRateWei: limits.reduce((a, b) => (a < b ? a : b)) } : {}),
  };
}

/**
 * Chooses the provider, looks at the payload's files, and checks keys, balances, the storage's credit and that the
 * contract would take the task, before any byte or money moves.
 *
 * Errors: those of `preparePayload`, `provider.none`, `provider.unfit`, `provider.unknown`, `key.not-published`, `task.too-dear`,
 * `task.invalid-schedule`, `wallet.insufficient-funds`, `wallet.allowance`, `wallet.delegation`,
 * `storage.insufficient-credit`, and what the contract refuses.
 */
export async function prepareTask(
  context: MarketContext,
  request: TaskRequest,
  { signal }: { signal?: AbortSignal | undefined } = {},
): Promise<PreparedTask> {
  const signer = requireSigner(context);
  const owner = getAddress(request.owner ?? (await signer.getAddress()));
  const query = queryOf(request);
  const { resources, durationSeconds, collateralWei } = query;
  const schedule = scheduleOf(request);
  const payload = await preparePayload({
    source: request.source,
    application: request.application,
    parameters: request.parameters,
    needs: request.needs,
    limits: {
      seconds: durationSeconds,
      ramMiB: resources.ramMiB || 1,
      outputMiB: DEFAULT_OUTPUT_MIB,
      ...request.limits,
    },
  });
  const seed = seedOf(owner, payload);
  const considered = await considerProviders(context, request, { ...query, seed }, signal);
  const ownerKey = request.publicResult === true ? undefined : await keyOfOwner(context, owner);
  const { provider, price } = await chooseProvider(context, considered, {
    ...{ request, owner, payload, resources, durationSeconds, ...schedule, collateralWei },
    ...(ownerKey === undefined ? {} : { ownerKey }),
    secrets: request.secrets ?? {},
  });
  const terms: Terms = {
    owner,
    provider: provider.account,
    price,
    conditions: {
      ...timesOf(schedule, await chainTime(context.provider)),
      durationSeconds,
      keyEpoch: ownerKey?.epoch ?? 0,
    },
    collateralWei,
    salt: SAMPLE_SALT,
  };
  const costWei = maximumCostWei(terms);
  if (request.maxCostWei !== undefined && costWei > request.maxCostWei) {
    throw tooDear(costWei, request.maxCostWei, context.deployment);
  }
  const sampleWork = { resources, ...SAMPLE_WORK };
  const valueWei = await checkMoney(context, { terms, work: sampleWork, costWei });
  const storagePrice = await checkStorage(context, payload, signal);
  return {
    owner,
    provider,
    considered,
    payload,
    resources,
    price,
    durationSeconds,
    ...schedule,
    collateralWei,
    ...(ownerKey === undefined ? {} : { ownerKey }),
    secrets: request.secrets ?? {},
    costWei,
    valueWei,
    storagePrice,
    warnings: [...unknownsOf(provider), ...(await warningsOf(context, owner, ownerKey))],
  };
}

/** The times of the terms, counted from `now` [Unix s]. */
export function timesOf(
  {
    startWithinSeconds,
    completeWithinSeconds,
  }: Pick<PreparedTask, "startWithinSeconds" | "completeWithinSeconds">,
  now: number,
): { startBySeconds: number; completeBySeconds: number } {
  return { startBySeconds: now + startWithinSeconds, completeBySeconds: now + completeWithinSeconds };
}

function resourcesOf({ resources }: Pick<TaskRequest, "resources">): Resources {
  return { ...DEFAULT_RESOURCES, ...resources };
}

function scheduleOf(request: TaskRequest): { startWithinSeconds: number; completeWithinSeconds: number } {
  const { durationSeconds = DEFAULT_SECONDS, startWithinSeconds = DEFAULT_SECONDS } = request;
  const { completeWithinSeconds = startWithinSeconds + durationSeconds + DEFAULT_SECONDS } = request;
  checkSeconds("The time to start", startWithinSeconds);
  checkSeconds("The time to complete", completeWithinSeconds);
  const least = startWithinSeconds + durationSeconds;
  if (completeWithinSeconds < least) {
    throw new NeuraError(
      "task.invalid-schedule",
      `Starting within ${startWithinSeconds} s, working for ${durationSeconds} s and being complete within ${completeWithinSeconds} s do not go together.`,
      { next: `Leave at least ${least} s for being complete.` },
    );
  }
  return { startWithinSeconds, completeWithinSeconds };
}

function checkSeconds(what: string, seconds: number): void {
  if (Number.isSafeInteger(seconds) && seconds >= 1 && seconds <= MAX_TERM_SECONDS) return;
  throw new NeuraError(
    "task.invalid-schedule",
    `${what} is ${seconds} s, where a whole number from 1 to ${MAX_TERM_SECONDS} belongs.`,
    { next: "Correct it." },
  );
}

// ---- Provider and keys ----

/** By which equals take turns and newcomers get a chance: another one for each order, the same when it is repeated. */
function seedOf(owner: string, { manifest, files }: Payload): string {
  return sha256(toUtf8Bytes(JSON.stringify({ owner, manifest, files })));
}

async function considerProviders(
  context: MarketContext,
  { provider: named }: TaskRequest,
  query: ProviderQuery,
  signal: AbortSignal | undefined,
): Promise<readonly ProviderReport[]> {
  return named === undefined
    ? await findProviders(context, query, { signal })
    : [await checkProvider(context, query, named, { signal })];
}

type Usable = PreparedTask["provider"];

/**
 * The best one, at its own price unless the request names one. A request that was cut off goes on with the provider
 * that it had chosen, whoever is the best now: it may have been paid already.
 */
async function chooseProvider(
  context: MarketContext,
  considered: readonly ProviderReport[],
  { request, ...wanted }: Omit<Wanted, "provider" | "price"> & { request: TaskRequest },
): Promise<Pick<PreparedTask, "provider" | "price">> {
  const choices = considered.flatMap((each) =>
    each.key === undefined
      ? []
      : [
          {
            provider: { ...each, key: each.key } satisfies Usable,
            price: request.price ?? { amountWei: each.rateWei, metered: true },
          },
        ],
  );
  for (const choice of choices) {
    const attempt = await attemptOf(context, { ...wanted, ...choice });
    if (attempt === "sent" || (attempt === "begun" && choice.provider.eligible)) return choice;
  }
  const [best] = choices;
  if (best?.provider.eligible === true) return best;
  throw nobody(considered, request);
}

function nobody(considered: readonly ProviderReport[], { provider: named }: TaskRequest): NeuraError {
  const reasons = considered.map(({ account, reason }) => `\n  ${account}: ${reason}`).join("");
  const lacksStandingOnly = considered.some(({ requirements }) =>
    requirements.every(({ name, met }) => (met === false) === (name === "standing")),
  );
  return named === undefined
    ? new NeuraError(
        "provider.none",
        `None of ${considered.length} providers can take this task.${reasons}`,
        {
          next: lacksStandingOnly
            ? "Name a provider that you trust with your files (--provider), or take any (--any-provider)."
            : "Ask for less, offer more, or see each requirement with `task check`.",
        },
      )
    : new NeuraError("provider.unfit", `${named} cannot take this task: ${considered[0]?.reason ?? ""}.`, {
        next: "Choose another provider, or leave the choice out: `task check` shows who can.",
      });
}

async function keyOfOwner(
  { contracts }: MarketContext,
  owner: string,
): Promise<NonNullable<PreparedTask["ownerKey"]>> {
  const { key, epoch } = await contracts.keys.currentKey(owner);
  if (epoch > 0n) return { epoch: Number(epoch), publicKey: key.publicKey };
  throw new NeuraError(
    "key.not-published",
    `${owner} has no valid encryption key, so nobody could encrypt a result to it.`,
    {
      next: "Make one with `account key create` and publish it with `account key publish`, or ask for a public result.",
    },
  );
}

/** What was asked for by name, and is not known of the provider; what every task has is not repeated. */
function unknownsOf({ requirements }: ProviderReport): string[] {
  const common: readonly string[] = ["application", FREE_PLACE];
  const unknown = requirements.filter(({ name, met }) => met === "unknown" && !common.includes(name));
  if (unknown.length === 0) return [];
  const needs = unknown.map(({ name, needed }) => `${name} ${needed}`).join(", ");
  return [`It is not known whether the provider has ${needs}; if not, it declines and all money is back.`];
}

async function warningsOf(
  { home }: MarketContext,
  owner: string,
  ownerKey: PreparedTask["ownerKey"],
): Promise<string[]> {
  if (ownerKey === undefined) return ["The result will be public: anybody can read it."];
  if ((await findKey(home, owner, ownerKey.publicKey)) !== undefined) return [];
  return [`The result will be encrypted to key epoch ${ownerKey.epoch}, which is not on this machine.`];
}

// ---- Money ----

/** Checks that the task can be paid and would be taken. Gives what has to be sent along [wei]. */
async function checkMoney(
  context: MarketContext,
  { terms, work, costWei }: { terms: Terms; work: Work; costWei: bigint },
): Promise<bigint> {
  const { contracts, provider, deployment } = context;
  const signer = requireSigner(context);
  const account = await signer.getAddress();
  const isNative = deployment.currency.address === ZeroAddress;
  const [balanceWei, coinWei] = await Promise.all([
    contracts.market.balanceOf(terms.owner),
    provider.getBalance(account),
  ]);
  let valueWei = 0n;
  if (balanceWei < costWei) {
    if (account !== terms.owner) throw ledgerTooSmall(deployment, terms.owner, balanceWei, costWei);
    if (!isNative) await checkToken(context, account, costWei - balanceWei);
    // The whole from one side where that is possible: a balance that is left alone costs no gas.
    else valueWei = coinWei >= costWei ? costWei : costWei - balanceWei;
  }
  const coin = isNative ? deployment.currency : { symbol: "of the chain's coin", decimals: 18 };
  const short = (neededWei: bigint, purpose: string): NeuraError =>
    insufficient({ account, hasWei: coinWei, neededWei, unit: coin, purpose, deployment });
  if (coinWei < valueWei) throw short(valueWei, "the task");
  const gas = await asking(
    contracts.market.submit.estimateGas(encodeTerms(terms), encodeWork(work), { value: valueWei }),
  );
  const { maxFeePerGas, gasPrice } = await provider.getFeeData();
  const neededWei = valueWei + gas * (maxFeePerGas ?? gasPrice ?? 0n);
  if (coinWei < neededWei) throw short(neededWei, "the task and its gas");
  return valueWei;
}

function tooDear(costWei: bigint, maxCostWei: bigint, { currency }: Deployment): NeuraError {
  const [cost, most] = [costWei, maxCostWei].map((each) => formatAmount(each, currency));
  return new NeuraError(
    "task.too-dear",
    `The task could cost ${cost}, more than the ${most} that were allowed.`,
    {
      next: "Allow more, or ask for a shorter duration.",
    },
  );
}

function ledgerTooSmall(
  { currency }: Deployment,
  owner: string,
  balanceWei: bigint,
  costWei: bigint,
): NeuraError {
  const [has, cost, missing] = [balanceWei, costWei, costWei - balanceWei].map((each) =>
    formatAmount(each, currency),
  );
  return new NeuraError(
    "wallet.insufficient-funds",
    `${owner} has ${has} in the market, where ${cost} are needed.`,
    {
      next: `It has to deposit ${missing}: a delegate pays from there only.`,
    },
  );
}

async function checkToken(
  { provider, deployment }: MarketContext,
  account: string,
  neededWei: bigint,
): Promise<void> {
  const { currency, contracts } = deployment;
  const token = new Erc20(currency.address, provider);
  const [hasWei, allowedWei] = await Promise.all([
    token.balanceOf(account),
    token.allowance(account, contracts.TaskMarket),
  ]);
  if (hasWei < neededWei) {
    throw insufficient({ account, hasWei, neededWei, unit: currency, purpose: "the task", deployment });
  }
  if (allowedWei < neededWei) {
    const [allowed, needed] = [allowedWei, neededWei].map((each) => formatAmount(each, currency));
    throw new NeuraError(
      "wallet.allowance",
      `The market may take ${allowed} from ${account}, where ${needed} are needed.`,
      {
        next: `Deposit ${needed} with \`wallet deposit\`, or approve ${contracts.TaskMarket} for that much.`,
      },
    );
  }
}

function insufficient({
  account,
  hasWei,
  neededWei,
  unit,
  purpose,
  deployment: { chainId },
}: {
  account: string;
  hasWei: bigint;
  neededWei: bigint;
  unit: Unit;
  purpose: string;
  deployment: Deployment;
}): NeuraError {
  const missingWei = neededWei - hasWei;
  const [has, needed, missing] = [hasWei, neededWei, missingWei].map((each) => formatAmount(each, unit));
  return new NeuraError(
    "wallet.insufficient-funds",
    `${account} has ${has}, where ${needed} are needed for ${purpose}: ${missing} are missing.`,
    {
      next: `Send ${missing} to ${account} on chain ${chainId}.`,
      details: { account, hasWei, neededWei, missingWei, chainId },
    },
  );
}

// ---- Storage ----

async function checkStorage(
  { storage }: MarketContext,
  payload: Payload,
  signal: AbortSignal | undefined,
): Promise<StoragePrice> {
  const network = await storage({ write: true });
  const price = await network.price(envelopeBytes(payload), signal === undefined ? {} : { signal });
  const { costAtomic, balanceAtomic, account, symbol, decimals } = price;
  if (balanceAtomic !== undefined && balanceAtomic < costAtomic) {
    const show = (amount: bigint): string => formatAmount(amount, { symbol, decimals });
    throw new NeuraError(
      "storage.insufficient-credit",
      `Storing the payload costs ${show(costAtomic)}, and the storage account ${account ?? ""} has ${show(balanceAtomic)}.`,
      { next: `Send ${show(costAtomic - balanceAtomic)} to the storage account ${account ?? ""}.` },
    );
  }
  return price;
}

function envelopeBytes({ sizeBytes }: Payload): number {
  return sizeBytes + 20 * (1 + Math.ceil(sizeBytes / 65_536)) + ENVELOPE_HEAD;
}
