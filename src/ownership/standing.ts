import { ZeroAddress } from "ethers";

import { type Abortable, unlessAborted } from "../abort.ts";
import { isOutage, unavailable } from "../chain/errors.ts";
import { isNeuraError } from "../errors.ts";
import { asking, type ChainContext, explainRefusal } from "../market/context.ts";
import { baseOf, type OwnershipName, type OwnershipReference, requireOwnership } from "./context.ts";

/** Where an account stands in a model's ownership. */
export interface OwnershipStanding {
  readonly account: string;
  readonly balanceWei: bigint;
  readonly wholeUnits: number;
  /** What is missing to one more whole unit. */
  readonly missingWei: bigint;
  /** How many deeds it owns. */
  readonly deeds: number;
  /** Their numbers, as far as they were asked for, in the order in which they go last. */
  readonly ids: readonly number[];
  /** Whole units without a deed, which `materialise` makes. */
  readonly pending: number;
  /** Deeds that it got and its balance covers no longer: they have no owner, and wait to be released. */
  readonly uncovered: number;
  /** Whether what it receives comes without deeds. */
  readonly isExempt: boolean;
  /** Who said so, or the opposite; by default contracts are exempt and people are not. */
  readonly saidBy: "itself" | "owner" | "default";
  /** Whether it has code that is no delegation (EIP-7702). */
  readonly isContract: boolean;
  /** Who has its votes; missing: nobody. */
  readonly delegate: string | undefined;
  /** Votes that it has: its own ones only where it delegated them to itself. */
  readonly votesWei: bigint;
}

/** Which of an account's deeds are listed. */
export interface DeedPage {
  readonly offset?: number | undefined;
  readonly limit?: number | undefined;
}

export const DEEDS_PER_PAGE = 100;

/** Where an account stands. Error: `ownership.unknown`. */
export async function readStanding(
  context: ChainContext,
  reference: OwnershipReference,
  account: string,
  { signal, ...page }: Abortable & DeedPage = {},
): Promise<{ ownership: OwnershipName; standing: OwnershipStanding }> {
  const ownership = await unlessAborted(requireOwnership(context, reference), signal);
  return { ownership, standing: await unlessAborted(standingOf(context, ownership, account, page), signal) };
}

/** The same of a known ownership. */
export async function standingOf(
  context: Pick<ChainContext, "provider">,
  ownership: OwnershipName,
  account: string,
  { offset = 0, limit = DEEDS_PER_PAGE }: DeedPage = {},
): Promise<OwnershipStanding> {
  const base = baseOf(context, ownership);
  const [found, ids, delegate, votesWei] = await asking(
    Promise.all([
      base.standingOf(account),
      base.deedsOf(account, offset, limit),
      base.delegates(account),
      base.getVotes(account),
    ]),
  );
  return {
    account,
    balanceWei: found.balance,
    wholeUnits: Number(found.wholeUnits),
    missingWei: ownership.unitWei - (found.balance % ownership.unitWei),
    deeds: Number(found.deeds),
    ids: ids.map(Number),
    pending: Number(found.wholeUnits - found.deeds),
    uncovered: Number(found.uncovered),
    isExempt: found.exempt,
    saidBy: !found.spoken
      ? "default"
      : found.isContract && (await mayOwnerSay(context, ownership, account))
        ? "owner"
        : "itself",
    isContract: found.isContract,
    delegate: delegate === ZeroAddress ? undefined : delegate,
    votesWei,
  };
}

/** Whether the owner could still say for a contract if it gets deeds: not once it has said so itself. */
async function mayOwnerSay(
  context: Pick<ChainContext, "provider">,
  ownership: OwnershipName,
  account: string,
): Promise<boolean> {
  const base = baseOf(context, ownership);
  try {
    await base.setExempt.staticCall(account, true, { from: await base.owner() });
    return true;
  } catch (error) {
    if (isOutage(error)) throw unavailable(error);
    if (isNeuraError(explainRefusal(error), "ownership.spoken")) return false;
    throw error;
  }
}
