import { getAddress, sha256, toUtf8Bytes, ZeroAddress } from "ethers";

import { formatAmount } from "../amount.ts";
import type { AttestationPolicy } from "../attestation.ts";
import type { Deployment } from "../deployment.ts";
import { NeuraError } from "../errors.ts";
import { checkJury, isBeforeJury } from "../jury/check.ts";
import { findKey } from "../keystore.ts";
import {
  type JsonObject,
  type Limits,
  MANIFEST_BOUNDS,
  type Needs,
  type ServiceSettings,
} from "../manifest.ts";
import type { Secret } from "../secret.ts";
import type { Price as StoragePrice } from "../storage/storage.ts";
import { verificationOf } from "../verify/known.ts";
import type { Verification } from "../verify/verification.ts";
import { refusalOf } from "./attested.ts";
import { asking, chainTime, type MarketContext, requireSigner } from "./context.ts";
import type { Limits as SpendingLimits } from "./limits.ts";
import { checkGas, valueToSend } from "./money.ts";
import { encodeOrder } from "./order.ts";
import { Kind } from "./outcome.ts";
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
import { IDLE_STOP_SECONDS } from "./runway.ts";
import { checkSpending } from "./spending.ts";
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
  /** How its result is verified: a part of the payload, so that all sides have the same. Default: as suits the application. */
  verification?: Verification | undefined;
  /** What the machine must have. Default: one core, 2 GiB of RAM, 1 GiB of disk. */
  resources?: Partial<Resources> | undefined;
  /** Account of the provider. Default: the best one. */
  provider?: string | undefined;
  /** Who may take it at the same terms where its provider does not do it; it can read the payload too. */
  backup?: string | undefined;
  /** Any eligible provider may take it, at a price that rises from `price.amountWei` to `price.maximumWei`. */
  open?: OpenRequest | undefined;
  /** Something to keep up, in place of a job. */
  lease?: LeaseRequest | undefined;
  /** How long its delivery can be disputed [s], and who decides then. Default: it is paid at once. */
  challenge?: { readonly periodSeconds: number; readonly arbiter: string } | undefined;
  /** Number of a registered model that is used: its royalty is a part of the price. */
  model?: number | undefined;
  /** Whether the provider's node is asked to take it, so that submitting and accepting are one transaction. */
  withQuote?: boolean | undefined;
  /** Whether it will only be signed, for somebody else to send. */
  signOnly?: boolean | undefined;
  /** Spending limits of its own, which can lower those of this machine's user. */
  spending?: Partial<SpendingLimits> | undefined;
  /** What the keys must show that it is encrypted to, the provider's and its backup's. Default: nothing. */
  attestation?: AttestationPolicy | undefined;
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

/** Who can read an open task's payload. */
export interface OpenRequest {
  /** Accounts whom it is encrypted to. Default: the three best ones. */
  readonly shortlist?: readonly string[] | undefined;
  /** It is encrypted to the owner alone, whose client publishes the key for whoever accepts. */
  readonly isSealed?: boolean | undefined;
}

export interface LeaseRequest {
  /** The longest silence that is paid for [s]. Default: 300. */
  readonly heartbeatSeconds?: number | undefined;
  /** How long its provider goes on after it said that it leaves [s]. Default: 3600. */
  readonly noticeSeconds?: number | undefined;
  /** Unused for so long, it is ended [s]. Default: 1800; 0: never. */
  readonly idleStopSeconds?: number | undefined;
  readonly service?: Partial<Omit<ServiceSettings, "idleStopSeconds">> | undefined;
}

/** An account and its key, 33 bytes as hex. */
export interface Reader {
  readonly account: string;
  readonly publicKey: string;
}

/** What makes a task more than a plain job; all of it missing for one. */
export interface Features {
  readonly kind?: Kind;
  readonly heartbeatSeconds?: number;
  readonly noticeSeconds?: number;
  readonly stopsIdle?: boolean;
  readonly challengePeriodSeconds?: number;
  readonly arbiter?: string;
  readonly model?: number;
  readonly royaltyBps?: number;
  readonly isOpen?: boolean;
  readonly isSealed?: boolean;
  readonly backup?: string;
}

/** A task that is ready to be sent: nothing has moved, and everything that can be checked has been. */
export interface PreparedTask {
  readonly owner: string;
  /** Missing for an open task. */
  readonly provider?: ProviderReport & { readonly key: NonNullable<ProviderReport["key"]> };
  /** All that were considered, when none was named. */
  readonly considered: readonly ProviderReport[];
  /** Whom the payload is encrypted to, besides the owner; nobody where it is sealed. */
  readonly readers: readonly Reader[];
  /** Whom it is encrypted to on the owner's side. */
  readonly ownReaders: readonly Reader[];
  readonly features: Features;
  /** Checked once more right before it is encrypted. */
  readonly attestation?: AttestationPolicy | undefined;
  /** Where a quote is asked for, and the most that the task may cost then [wei]. */
  readonly quote?: { readonly url: string; readonly maximumWei: bigint; readonly mayRaise: boolean };
  readonly spending: Partial<SpendingLimits>;
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
const SHORTLIST = 3;
const DEFAULT_HEARTBEAT = 300;
const DEFAULT_NOTICE = 3600;
const DEFAULT_SERVICE = { maxRequestMiB: 16, timeoutSeconds: 120, concurrency: 4 };
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
    | "attestation"
    | "anyProvider"
    | "durationSeconds"
    | "price"
    | "maxRateWei"
    | "collateralWei"
    | "resources"
    | "lease"
  >,
  seed?: string,
): ProviderQuery {
  const { durationSeconds = DEFAULT_SECONDS, price, application, needs, attestation, anyProvider } = request;
  checkSeconds("The duration", durationSeconds);
  const highestWei = price && (price.maximumWei ?? price.amountWei);
  const offered =
    highestWei === undefined || price?.metered === true ? highestWei : highestWei / BigInt(durationSeconds);
  const limits = [request.maxRateWei, offered].filter((limit) => limit !== undefined);
  return {
    resources: resourcesOf(request),
    durationSeconds,
    collateralWei: request.collateralWei ?? 0n,
    application,
    needs,
    attestation,
    anyProvider,
    seed,
    isLease: request.lease !== undefined,
    ...(limits.length > 0 ? { maxRateWei: limits.reduce((a, b) => (a < b ? a : b)) } : {}),
  };
}

/**
 * Chooses the provider, looks at the payload's files, and checks keys, balances, limits, the storage's credit and that
 * the contract would take the task, before any byte or money moves.
 *
 * Errors: those of `preparePayload`, `provider.none`, `provider.unfit`, `provider.unknown`, `key.not-published`, `task.too-dear`,
 * `task.invalid-schedule`, `task.unfit-features`, `quote.unavailable`, `attestation.*`, `wallet.insufficient-funds`, `wallet.allowance`,
 * `wallet.delegation`, `storage.insufficient-credit`, `limit.*`, those of `checkJury`, and what the contract refuses.
 */
export async function prepareTask(
  context: MarketContext,
  request: TaskRequest,
  { signal }: { signal?: AbortSignal | undefined } = {},
): Promise<PreparedTask> {
  const account = await requireSigner(context).getAddress();
  const owner = getAddress(request.owner ?? account);
  const query = queryOf(request);
  const { resources, durationSeconds, collateralWei } = query;
  const features = await featuresOf(context, request);
  const schedule = scheduleOf(request);
  const payload = await preparePayload({
    source: request.source,
    application: request.application,
    parameters: request.parameters,
    needs: request.needs,
    service: serviceOf(request.lease),
    verification:
      request.verification ?? (request.lease === undefined ? verificationOf(request.application) : undefined),
    limits: {
      // A lease may be topped up.
      seconds: request.lease === undefined ? durationSeconds : MANIFEST_BOUNDS.seconds,
      ramMiB: resources.ramMiB || 1,
      outputMiB: DEFAULT_OUTPUT_MIB,
      ...request.limits,
    },
  });
  const seed = seedOf(owner, payload);
  const considered = await considerProviders(context, request, { ...query, seed }, signal);
  const isPublic = request.publicResult === true && features.isSealed !== true;
  const key = isPublic ? undefined : await keyOfOwner(context, owner);
  const ownerKey = request.publicResult === true ? undefined : key;
  const fixed = {
    ...{ owner, payload, resources, durationSeconds, ...schedule, collateralWei, features },
    ...(ownerKey === undefined ? {} : { ownerKey }),
    secrets: request.secrets ?? {},
  };
  const chosen = await choose(context, considered, { request, query, fixed, signal });
  const { provider, price } = chosen;
  const wanted = { ...fixed, ...chosen, ownReaders: await ownReadersOf(context, owner, key, features) };
  const terms = termsOf(wanted, { now: await chainTime(context.provider), salt: SAMPLE_SALT });
  const costWei = maximumCostWei(terms);
  if (request.maxCostWei !== undefined && costWei > request.maxCostWei) {
    throw tooDear(costWei, request.maxCostWei, context.deployment);
  }
  const spending = request.spending ?? {};
  await checkSpending(context, { costWei, limits: spending });
  const work = { resources, ...SAMPLE_WORK, backup: features.backup };
  const { verification } = payload.manifest;
  const jury = isBeforeJury(context, features.arbiter)
    ? await checkJury(context, { terms, work, verification })
    : [];
  const valueWei = request.signOnly === true ? 0n : await checkMoney(context, { terms, work, costWei });
  const storagePrice = await checkStorage(context, payload, signal);
  return {
    ...wanted,
    considered,
    attestation: request.attestation,
    costWei,
    valueWei,
    storagePrice,
    spending,
    ...(request.withQuote === true ? { quote: quoteTermsOf(request, { provider, costWei }) } : {}),
    warnings: [
      ...(provider === undefined ? [] : unknownsOf(provider)),
      ...(await warningsOf(context, owner, ownerKey)),
      ...(await featureWarnings(context, request, { owner, costWei, price })),
      ...jury,
    ],
  };
}

/** The terms of a prepared task that is sent at `now` [Unix s]. */
export function termsOf(
  prepared: Pick<
    PreparedTask,
    "owner" | "provider" | "price" | "durationSeconds" | "ownerKey" | "collateralWei" | "features"
  > &
    Parameters<typeof timesOf>[0],
  { now, salt }: { now: number; salt: string },
): Terms {
  const { owner, provider, price, durationSeconds, ownerKey, collateralWei, features } = prepared;
  const { kind, heartbeatSeconds, noticeSeconds, arbiter, model, royaltyBps } = features;
  const { stopsIdle, challengePeriodSeconds, isSealed } = features;
  return {
    owner,
    provider: provider?.account ?? ZeroAddress,
    price: {
      ...price,
      ...(heartbeatSeconds === undefined ? {} : { heartbeatSeconds }),
      ...(noticeSeconds === undefined ? {} : { noticeSeconds }),
    },
    conditions: {
      ...timesOf(prepared, now),
      durationSeconds,
      keyEpoch: ownerKey?.epoch ?? 0,
      ...(kind === undefined ? {} : { kind }),
      ...(challengePeriodSeconds === undefined ? {} : { challengePeriodSeconds }),
      ...(model === undefined ? {} : { model }),
      ...(royaltyBps === undefined || royaltyBps === 0 ? {} : { royaltyBps }),
      ...(isSealed === true ? { isSealed } : {}),
      ...(stopsIdle === true ? { stopsIdle } : {}),
    },
    collateralWei,
    ...(arbiter === undefined ? {} : { arbiter }),
    salt,
  };
}

// ---- Features ----

async function featuresOf({ contracts }: MarketContext, request: TaskRequest): Promise<Features> {
  const { open, lease, challenge, model, backup, price, collateralWei = 0n, withQuote } = request;
  if (open !== undefined) {
    if (request.provider !== undefined || backup !== undefined || withQuote === true)
      throw unfit("An open task names no provider, no backup and has no quote", "Leave them out.");
    if (price?.maximumWei === undefined || price.maximumWei < price.amountWei)
      throw unfit(
        "An open task's price rises from one amount to another",
        "Give both, the second one no lower than the first (--price-from, --price-to).",
      );
    if (collateralWei === 0n)
      throw unfit(
        "An open task needs a collateral: taking many and doing none has to cost something",
        "Ask for one, a tenth of the price for example (--collateral).",
      );
    if (open.isSealed === true && open.shortlist !== undefined)
      throw unfit("A sealed task has no shortlist", "Choose one of both.");
    if (open.isSealed === true && request.attestation !== undefined)
      throw unfit(
        "A sealed task's key goes to whoever accepts it, attested or not",
        "Name a provider, or a shortlist of attested ones.",
      );
  } else if (price?.maximumWei !== undefined) {
    throw unfit("Only an open task's price rises", "Give one price.");
  }
  if (lease !== undefined && price?.metered === false)
    throw unfit("A lease is paid by the second", "Give its price per second, or the most of it.");
  if (lease !== undefined && challenge !== undefined)
    throw unfit("A lease has no challenge period", "Close it when it does not serve you: `lease close`.");
  return {
    ...(open === undefined ? {} : { isOpen: true, ...(open.isSealed === true ? { isSealed: true } : {}) }),
    ...(backup === undefined ? {} : { backup: getAddress(backup) }),
    ...(lease === undefined
      ? {}
      : {
          kind: Kind.Lease,
          heartbeatSeconds: lease.heartbeatSeconds ?? DEFAULT_HEARTBEAT,
          noticeSeconds: lease.noticeSeconds ?? DEFAULT_NOTICE,
          ...(lease.idleStopSeconds === 0 ? {} : { stopsIdle: true }),
        }),
    ...(challenge === undefined
      ? {}
      : { challengePeriodSeconds: challenge.periodSeconds, arbiter: getAddress(challenge.arbiter) }),
    ...(model === undefined
      ? {}
      : { model, royaltyBps: Number(await asking(contracts.models.royaltyOf(model))) }),
  };
}

function serviceOf(lease: LeaseRequest | undefined): ServiceSettings | undefined {
  if (lease === undefined) return undefined;
  return {
    ...DEFAULT_SERVICE,
    ...lease.service,
    idleStopSeconds: lease.idleStopSeconds ?? IDLE_STOP_SECONDS,
  };
}

/** Where the quote is asked for; the price may rise as far as the request allows. Error: `quote.unavailable`. */
function quoteTermsOf(
  { price, maxRateWei, maxCostWei, durationSeconds = DEFAULT_SECONDS }: TaskRequest,
  { provider, costWei }: { provider: Usable | undefined; costWei: bigint },
): NonNullable<PreparedTask["quote"]> {
  const url = provider?.claims.document?.quoteUrl;
  if (url === undefined) {
    throw new NeuraError(
      "quote.unavailable",
      `${provider?.account ?? "Nobody"} gives no quotes: ${(provider?.claims.reason ?? "the task is open").replace(/\.+$/, "")}.`,
      { next: "Order without one: the provider accepts on the chain." },
    );
  }
  const limits = [maxCostWei, maxRateWei && maxRateWei * BigInt(durationSeconds)].filter(
    (limit) => limit !== undefined,
  );
  const mayRaise = price === undefined && limits.length > 0;
  return { url, maximumWei: mayRaise ? limits.reduce((a, b) => (a < b ? a : b)) : costWei, mayRaise };
}

async function featureWarnings(
  { contracts, deployment: { currency } }: MarketContext,
  { signOnly, open, collateralWei = 0n, attestation, challenge }: TaskRequest,
  { owner, costWei, price }: { owner: string; costWei: bigint; price: Price },
): Promise<string[]> {
  const warnings: string[] = [];
  if (open?.isSealed === true) {
    warnings.push(
      "Whoever accepts waits for the key: leave `task wait` or `task watch` running, here or elsewhere.",
    );
  }
  if (attestation !== undefined && challenge !== undefined) {
    warnings.push("Whoever decides a dispute sees the payload too, attested or not.");
  }
  if (open !== undefined && collateralWei * 20n < (price.maximumWei ?? price.amountWei)) {
    warnings.push("The collateral is small for what can be paid: taking it and doing nothing costs little.");
  }
  if (signOnly === true) {
    const balanceWei = await contracts.market.balanceOf(owner);
    if (balanceWei < costWei) {
      const [has, needed] = [balanceWei, costWei].map((each) => formatAmount(each, currency));
      warnings.push(
        `${owner} has ${has} in the market of the ${needed} that are needed: deposit, or have a sponsor send it.`,
      );
    }
  }
  return warnings;
}

function unfit(what: string, next: string): NeuraError {
  return new NeuraError("task.unfit-features", `${what}.`, { next });
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
  const { durationSeconds = DEFAULT_SECONDS, startWithinSeconds = DEFAULT_SECONDS, lease } = request;
  // A lease has to be ready by then, not over.
  const workSeconds = lease === undefined ? durationSeconds : 0;
  const { completeWithinSeconds = startWithinSeconds + workSeconds + DEFAULT_SECONDS } = request;
  checkSeconds("The time to start", startWithinSeconds);
  checkSeconds("The time to complete", completeWithinSeconds);
  const least = startWithinSeconds + workSeconds;
  if (completeWithinSeconds < least) {
    throw new NeuraError(
      "task.invalid-schedule",
      `Starting within ${startWithinSeconds} s, working for ${workSeconds} s and being complete within ${completeWithinSeconds} s do not go together.`,
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
  { provider: named, open }: TaskRequest,
  query: ProviderQuery,
  signal: AbortSignal | undefined,
): Promise<readonly ProviderReport[]> {
  const { shortlist } = open ?? {};
  if (shortlist !== undefined) {
    return await Promise.all(shortlist.map((each) => checkProvider(context, query, each, { signal })));
  }
  return named === undefined
    ? await findProviders(context, query, { signal })
    : [await checkProvider(context, query, named, { signal })];
}

type Usable = NonNullable<PreparedTask["provider"]>;
type Choice = Pick<PreparedTask, "provider" | "price" | "readers">;

/** Who may read and do the task, and at which price. */
async function choose(
  context: MarketContext,
  considered: readonly ProviderReport[],
  {
    request,
    query,
    fixed,
    signal,
  }: {
    request: TaskRequest;
    query: ProviderQuery;
    fixed: Omit<Wanted, "provider" | "price" | "readers">;
    signal: AbortSignal | undefined;
  },
): Promise<Choice> {
  const { open, backup, price } = request;
  if (open === undefined) {
    const more = backup === undefined ? [] : [await backupReader(context, query, backup, signal)];
    return await chooseProvider(context, considered, { request, fixed, more });
  }
  if (price === undefined) throw new RangeError("an open task without a price");
  const able = considered.flatMap(({ account, key, eligible }) =>
    key !== undefined && eligible ? [{ account, publicKey: key.publicKey }] : [],
  );
  if (open.shortlist === undefined) {
    if (able.length === 0) throw nobody(considered, request);
    return { price, readers: open.isSealed === true ? [] : able.slice(0, SHORTLIST) };
  }
  const unable = considered.find((each) => !able.some(({ account }) => account === each.account));
  if (unable !== undefined) throw unfitProvider(unable.account, unable);
  return { price, readers: able };
}

async function backupReader(
  context: MarketContext,
  query: ProviderQuery,
  account: string,
  signal: AbortSignal | undefined,
): Promise<Reader> {
  const report = await checkProvider(context, query, account, { signal });
  if (report.key === undefined || !report.eligible) throw unfitProvider(account, report);
  return { account: report.account, publicKey: report.key.publicKey };
}

/**
 * The best one, at its own price unless the request names one. A request that was cut off goes on with the provider
 * that it had chosen, whoever is the best now: it may have been paid already.
 */
async function chooseProvider(
  context: MarketContext,
  considered: readonly ProviderReport[],
  {
    request,
    fixed,
    more,
  }: {
    request: TaskRequest;
    fixed: Omit<Wanted, "provider" | "price" | "readers">;
    more: readonly Reader[];
  },
): Promise<Choice> {
  const choices = considered.flatMap((each) => {
    const { account, key } = each;
    if (key === undefined || more.some((other) => other.account === account)) return [];
    return [
      {
        provider: { ...each, key } satisfies Usable,
        price: request.price ?? { amountWei: each.rateWei, metered: true },
        readers: [{ account, publicKey: key.publicKey }, ...more],
      },
    ];
  });
  for (const choice of choices) {
    const attempt = await attemptOf(context, { ...fixed, ...choice });
    if (attempt === "sent" || (attempt === "begun" && choice.provider.eligible)) return choice;
  }
  const [best] = choices;
  if (best?.provider.eligible === true) return best;
  throw nobody(considered, request);
}

/** Whom a payload is encrypted to on the owner's side; a delegate that sends a sealed task has to open it too. */
async function ownReadersOf(
  context: MarketContext,
  owner: string,
  key: PreparedTask["ownerKey"],
  { isSealed }: Features,
): Promise<Reader[]> {
  const own = key === undefined ? [] : [{ account: owner, publicKey: key.publicKey }];
  const account = await requireSigner(context).getAddress();
  if (isSealed !== true || account === owner) return own;
  const { key: delegated, epoch } = await context.contracts.keys.currentKey(account);
  return epoch > 0n ? [...own, { account, publicKey: delegated.publicKey }] : own;
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
    : unfitProvider(named, considered[0]);
}

function unfitProvider(account: string, report: ProviderReport | undefined): NeuraError {
  const refusal = refusalOf(report?.attestation);
  if (refusal !== undefined) return refusal;
  const reason = report?.reason === "" ? "it has no valid encryption key" : report?.reason;
  return new NeuraError("provider.unfit", `${account} cannot take this task: ${reason ?? ""}.`, {
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
  const { market } = context.contracts;
  const account = await requireSigner(context).getAddress();
  const valueWei = await taskValueToSend(context, terms, costWei);
  const gas = await asking(
    // Only an order names a backup.
    work.backup === undefined
      ? market.submit.estimateGas(encodeTerms(terms), encodeWork(work), { value: valueWei })
      : market.order.estimateGas(encodeOrder({ terms, work }), { value: valueWei }),
  );
  await checkGas(context, { account, gas, valueWei, purpose: "the task" });
  return valueWei;
}

/**
 * What the signer has to send along for its own task, or as its owner's delegate [wei].
 * Errors: `wallet.insufficient-funds`, `wallet.allowance`.
 */
export async function taskValueToSend(
  context: MarketContext,
  { owner }: Pick<Terms, "owner">,
  costWei: bigint,
  purpose = "the task",
): Promise<bigint> {
  const account = await requireSigner(context).getAddress();
  if (account === owner) {
    return await valueToSend(context, { payer: owner, neededWei: costWei, purpose });
  }
  const balanceWei = await context.contracts.market.balanceOf(owner);
  if (balanceWei < costWei) throw ledgerTooSmall(context.deployment, owner, balanceWei, costWei);
  return 0n;
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
