import { type Abortable, unlessAborted } from "../abort.ts";
import { NeuraError } from "../errors.ts";
import { type ChainContext, requireSigner } from "../market/context.ts";
import type { Receipt } from "../market/transaction.ts";
import { send } from "./change.ts";
import { baseOf, type OwnershipName, type OwnershipReference, requireOwnership } from "./context.ts";
import { type OwnershipStanding, standingOf } from "./standing.ts";

/** Deeds that were made or given back, and where the account stands after that. */
export interface DeedsMoved {
  readonly ownership: OwnershipName;
  readonly standing: OwnershipStanding;
  readonly ids: readonly number[];
  readonly transactions: readonly Receipt[];
}

/** So many in one transaction: they take some 7 million gas. */
export const DEEDS_PER_TRANSACTION = 1_000;

interface DeedsOptions extends Abortable {
  /** How many. Default: all. */
  readonly count?: number | undefined;
  readonly perTransaction?: number | undefined;
}

/**
 * Makes the deeds that whole units of the signer's have not got, in as many transactions as it takes. Fewer where all
 * ids are given out: then somebody's uncovered ones have to be released first.
 *
 * Errors: `ownership.unknown`, `ownership.nothing`, `market.read-only`.
 */
export async function materialiseDeeds(
  context: ChainContext,
  reference: OwnershipReference,
  options: DeedsOptions = {},
): Promise<DeedsMoved> {
  return await move(context, reference, options, {
    what: "whole unit without a deed",
    countOf: ({ pending }) => pending,
    callOf: (base, count) => base.materialise.populateTransaction(count),
  });
}

/** Gives deeds of the signer's back, the last that came first; it keeps the units. Errors: as {@link materialiseDeeds}. */
export async function releaseDeeds(
  context: ChainContext,
  reference: OwnershipReference,
  options: DeedsOptions = {},
): Promise<DeedsMoved> {
  return await move(context, reference, options, {
    what: "deed",
    countOf: ({ deeds, uncovered }) => deeds + uncovered,
    callOf: (base, count) => base.release.populateTransaction(count),
  });
}

/**
 * Puts deeds that an account's balance covers no longer where they are given out again, and logs that they left it.
 * Anybody may. Errors: as {@link materialiseDeeds}.
 */
export async function releaseUncovered(
  context: ChainContext,
  reference: OwnershipReference,
  { account, ...options }: DeedsOptions & { account: string },
): Promise<DeedsMoved> {
  return await move(context, reference, options, {
    what: "uncovered deed",
    account,
    countOf: ({ uncovered }) => uncovered,
    callOf: (base, count) => base.releaseUncovered.populateTransaction(account, count),
  });
}

async function move(
  context: ChainContext,
  reference: OwnershipReference,
  { count, perTransaction = DEEDS_PER_TRANSACTION, signal }: DeedsOptions,
  work: {
    what: string;
    account?: string;
    countOf: (standing: OwnershipStanding) => number;
    callOf: (base: ReturnType<typeof baseOf>, count: number) => Parameters<typeof send>[2];
  },
): Promise<DeedsMoved> {
  const account = work.account ?? (await requireSigner(context).getAddress());
  const ownership = await unlessAborted(requireOwnership(context, reference), signal);
  const base = baseOf(context, ownership);
  let left = Math.min(count ?? Infinity, work.countOf(await standingOf(context, ownership, account)));
  if (left <= 0) {
    throw new NeuraError("ownership.nothing", `${account} has no ${work.what} of ${ownership.symbol}.`, {
      next: `See where it stands with \`model why ${ownership.address} --account ${account}\`.`,
      details: { ownership: ownership.address, account },
    });
  }
  const ids: number[] = [];
  const transactions: Receipt[] = [];
  while (left > 0) {
    const part = Math.min(left, perTransaction);
    const { events, transaction } = await send(context, ownership, work.callOf(base, part), { signal });
    const moved = events.flatMap((event) => (event.name === "DeedTransfer" ? [event.id] : []));
    ids.push(...moved);
    transactions.push(transaction);
    if (moved.length < part) break;
    left -= part;
  }
  return { ownership, standing: await standingOf(context, ownership, account), ids, transactions };
}
