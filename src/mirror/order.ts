import { randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { join } from "node:path";
import { hexlify } from "ethers";

import type { Abortable } from "../abort.ts";
import { readHeader } from "../envelope/index.ts";
import { isNeuraError, NeuraError } from "../errors.ts";
import { readKeys } from "../keystore.ts";
import type { MarketContext } from "../market/context.ts";
import { Kind, Status, statusOf } from "../market/outcome.ts";
import { prepareTask, queryOf, type TaskRequest } from "../market/prepare.ts";
import { checkProvider, findProviders, type ProviderReport } from "../market/providers.ts";
import { loadRecord, recordPath, type TaskRecord } from "../market/records.ts";
import type { TaskStatus } from "../market/status.ts";
import { submitTask, type SubmitOptions } from "../market/submit.ts";
import { isOpen, maximumCostWei } from "../market/terms.ts";
import { fetchPayload, type OpenedPayload, openPayload } from "../provider/payload.ts";
import { ensureKey, freeAccount, marketOf, type MirrorContext, namesIn, takeAccount } from "./accounts.ts";

/** What orders of one kind have in common, whoever places them. */
export type Shape = Pick<
  TaskRequest,
  | "resources"
  | "price"
  | "durationSeconds"
  | "startWithinSeconds"
  | "completeWithinSeconds"
  | "collateralWei"
  | "challenge"
  | "model"
>;

/** Times that people give are whole minutes; what is left of one when a task is mined is rounded up to it [s]. */
const MINUTE = 60;

/**
 * The shape of a task that is on the chain: as whoever ordered it had to ask. A price by the second is left to the
 * provider that does it, as ordinary orders leave it. Error: `mirror.unfit`, for what is no plain job.
 */
export function shapeOf({ terms, work, submitted, id }: TaskStatus): Shape {
  const { price, conditions, collateralWei, arbiter } = terms;
  const unfit =
    conditions.kind === Kind.Lease
      ? "a lease is kept up by one provider"
      : isOpen(terms)
        ? "an open task can be taken by anybody"
        : work.backup !== undefined
          ? "a backup could do it for its provider"
          : undefined;
  if (unfit !== undefined) throw unfitTask(id, unfit);
  const startWithinSeconds = Math.ceil((conditions.startBySeconds - submitted.atSeconds) / MINUTE) * MINUTE;
  return {
    resources: work.resources,
    ...(price.metered ? {} : { price: { amountWei: price.amountWei, metered: false } }),
    durationSeconds: conditions.durationSeconds,
    startWithinSeconds,
    completeWithinSeconds: startWithinSeconds + conditions.completeBySeconds - conditions.startBySeconds,
    collateralWei,
    ...(arbiter === undefined
      ? {}
      : { challenge: { periodSeconds: conditions.challengePeriodSeconds ?? 0, arbiter } }),
    model: conditions.model,
  };
}

/** Error: `mirror.unfit`. */
export function unfitTask(id: string, why: string): NeuraError {
  return new NeuraError("mirror.unfit", `Task ${id} cannot be mirrored: ${why}.`, {
    next: "Mirror plain jobs with an encrypted result and without secrets.",
  });
}

// ---- Providers ----

/**
 * The best eligible provider for a request that has nothing to do with any of `others`, or the named one.
 * Errors: `mirror.same-provider`, `mirror.no-provider`, those of `checkProvider`.
 */
export async function chooseOther(
  context: MarketContext,
  request: Omit<TaskRequest, "source">,
  { others, signal }: { others: readonly string[] } & Abortable,
): Promise<ProviderReport> {
  const query = { ...queryOf(request), seed: hexlify(randomBytes(32)) };
  const known = await Promise.all(others.map((account) => traitsOf(context, account)));
  const isOther = async (report: ProviderReport): Promise<boolean> => {
    const traits = await traitsOf(context, report.account, report);
    return !known.some((each) => [...each].some((trait) => traits.has(trait)));
  };
  const { provider: named } = request;
  if (named !== undefined) {
    const report = await checkProvider(context, query, named, { signal });
    if (await isOther(report)) return report;
    throw new NeuraError(
      "mirror.same-provider",
      `${named} shares an account or a server with a provider that has this task already.`,
      { next: "Name another one, or leave the choice out." },
    );
  }
  const reports = await findProviders(context, query, { signal });
  for (const report of reports) if (report.eligible && (await isOther(report))) return report;
  throw new NeuraError(
    "mirror.no-provider",
    `None of ${reports.length} providers can take it that has nothing to do with those that have it already.`,
    { next: "See who could with `task check`; nothing was ordered, and the task itself goes on." },
  );
}

/** By what one sees that two providers are one: their accounts, and the server that they name. */
async function traitsOf(
  { contracts }: MarketContext,
  account: string,
  report?: ProviderReport,
): Promise<Set<string>> {
  const { operator, payout, offer } = await contracts.registry.providerOf(account);
  const url = report?.claims.document?.quoteUrl;
  return new Set([
    ...[account, operator, payout].map((each) => each.toLowerCase()),
    ...hostOf(offer.metadata),
    ...(url === undefined ? [] : hostOf(url)),
  ]);
}

/** The server of a URL; nothing for other references, which name their content and nobody. */
function hostOf(url: string): string[] {
  return /^https?:/.test(url) && URL.canParse(url) ? [new URL(url).host] : [];
}

// ---- Payload ----

/**
 * The payload of an own task, opened below `directory`, as it was sent.
 * Errors: `mirror.unfit`, those of the storage and of the payload.
 */
export async function openOwnPayload(
  context: MarketContext,
  { id, terms, work }: TaskStatus,
  { directory, maxBytes, signal }: { directory: string; maxBytes: number; signal: AbortSignal },
): Promise<OpenedPayload & { directory: string }> {
  if (terms.conditions.keyEpoch === 0)
    throw unfitTask(id, "its result is public, and then its payload is encrypted to the provider alone");
  const path = join(directory, "payload.envelope");
  const task = { id, terms, work };
  const storage = await context.storage({ reference: work.payload });
  await fetchPayload(task, { storage, path, maxBytes, signal });
  const { compartments } = await readHeader(createReadStream(path), { signal });
  if (compartments.some(({ kind }) => kind === "secrets"))
    throw unfitTask(id, "it has secrets, which were meant for its provider alone");
  const { keys } = await readKeys(context.home, terms.owner);
  const opened = join(directory, "payload");
  const payload = await openPayload(task, {
    ...{ path, directory: opened, domain: context.domain, maxBytes, signal },
    keys: keys.map((pair) => ({ publicKey: hexlify(pair.publicKey), isRevoked: false, pair })),
  });
  return { ...payload, directory: opened };
}

// ---- Order ----

export interface Placed {
  readonly id: string;
  readonly account: string;
  readonly provider: string;
  readonly costWei: bigint;
}

export interface PlaceOptions extends SubmitOptions {
  /** What it is for: one order for each, also when this is called again after it was cut off. */
  readonly purpose: string;
  /** What the order will cost, as far as that is known before [wei]. */
  readonly costWei: bigint;
}

/**
 * Orders from an account of the pool, by the same code as any other order: its terms, payload and transaction have
 * nothing in them that others do not have. An account that could not order is free again.
 *
 * Errors: `mirror.no-account`, those of `prepareTask` and `submitTask`.
 */
export async function placeOrder(
  context: MirrorContext,
  request: TaskRequest,
  { purpose, costWei, ...options }: PlaceOptions,
): Promise<Placed> {
  const account = await takeAccount(context, { purpose, costWei });
  const market = marketOf(context, account);
  const earlier = await orderOf(market, account.address);
  if (earlier !== undefined) return placedOf(earlier);
  try {
    await ensureKey(market, account);
    const prepared = await prepareTask(market, request, options);
    const task = await submitTask(market, prepared, options);
    return placedOf(task);
  } catch (error) {
    // One that sent something, or may have, is not used for anything else.
    if ((await recordsOf(market, account.address)).length === 0)
      await freeAccount(context.home, account.address);
    throw error;
  }
}

function placedOf({ id, terms, costWei }: Pick<TaskRecord, "id" | "terms"> & { costWei: bigint }): Placed {
  return { id, account: terms.owner, provider: terms.provider, costWei };
}

/** What this account has ordered already: each has one order at most. */
async function orderOf(
  context: MarketContext,
  account: string,
): Promise<(TaskRecord & { costWei: bigint }) | undefined> {
  const { contracts, provider } = context;
  for (const record of await recordsOf(context, account)) {
    // It may still be on its way.
    if (record.transactionHash !== undefined)
      await (await provider.getTransaction(record.transactionHash))?.wait();
    const { status } = await contracts.market.taskOf(record.id);
    if (statusOf(status) === Status.None) continue;
    return { ...record, costWei: maximumCostWei(record.terms) };
  }
  return undefined;
}

async function recordsOf({ home }: MarketContext, account: string): Promise<TaskRecord[]> {
  const names = await namesIn(join(recordPath(home, "x"), ".."));
  const records = await Promise.all(
    names.map(async (name) => {
      try {
        return await loadRecord(home, name.slice(0, -".json".length));
      } catch (error) {
        if (isNeuraError(error, "task.record-invalid")) return undefined;
        throw error;
      }
    }),
  );
  return records.filter((each) => each !== undefined).filter(({ terms }) => terms.owner === account);
}
