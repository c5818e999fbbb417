import { getAddress } from "ethers";

import type { IRevenueShareFactory } from "../../types/interfaces/IRevenueShareFactory.ts";
import { type Abortable, unlessAborted } from "../abort.ts";
import { isOutage, unavailable } from "../chain/errors.ts";
import { asking, type ChainContext } from "../market/context.ts";
import { type ClaimReport, explainClaims, positionFrom, readPosition, type SharePosition } from "./claims.ts";
import { factoryOf, isListed } from "./context.ts";
import { nameOf, type RevenueAmount, type ShareName, totalsOf } from "./tokens.ts";

/** An account's part of one share. */
export interface PortfolioEntry {
  readonly share: ShareName;
  /** Whether the deployment's factory made it: then it is known how it behaves. */
  readonly isListed: boolean;
  readonly position: SharePosition;
  /** Snapshot by snapshot, where that was asked for. */
  readonly claims?: Pick<ClaimReport, "lines" | "sums">;
}

/** All of an account's shares, and what they add up to. */
export interface Portfolio {
  readonly account: string;
  readonly entries: readonly PortfolioEntry[];
  readonly claimable: readonly RevenueAmount[];
  readonly redeemable: readonly RevenueAmount[];
  readonly credit: readonly RevenueAmount[];
}

/** Shares that are looked at with one question; where the node has no gas for so many, with fewer. */
const SHARES_PER_CALL = 50;

/**
 * Everything that an account has in revenue shares, from views alone: those that the deployment's factory made, page by page, and
 * those that are given by address. With `explained`, each sum snapshot by snapshot, which reads events too.
 *
 * Errors: `share.unknown` for a given one; `share.no-factory` where none is given.
 */
export async function readPortfolio(
  context: ChainContext,
  account: string,
  {
    shares = [],
    explained = false,
    sharesPerCall = SHARES_PER_CALL,
    signal,
  }: Abortable & { shares?: readonly string[]; explained?: boolean; sharesPerCall?: number } = {},
): Promise<Portfolio> {
  const given = shares.map((each) => getAddress(each));
  const hasFactory = context.deployment.contracts.RevenueShareFactory !== undefined;
  const found =
    hasFactory || given.length === 0 ? await readPages(context, account, sharesPerCall, signal) : [];
  const listed = await unlessAborted(
    Promise.all(
      found.map(async ({ share: address, position }): Promise<PortfolioEntry> => {
        const share = await nameOf(context, address);
        return { share, isListed: true, position: positionFrom(share, account, position) };
      }),
    ),
    signal,
  );
  const others = await unlessAborted(
    Promise.all(
      [...new Set(given)]
        .filter((address) => !listed.some(({ share }) => share.address === address))
        .map(async (address): Promise<PortfolioEntry> => {
          const { share, position } = await readPosition(context, address, account);
          return { share, position, isListed: await isListed(context, address) };
        }),
    ),
    signal,
  );
  const entries: PortfolioEntry[] = [];
  for (const entry of [...listed, ...others]) {
    if (!explained || entry.position.claimable.length === 0) entries.push(entry);
    else {
      const { position, lines, sums } = await explainClaims(context, entry.share.address, account, {
        signal,
      });
      entries.push({ ...entry, position, claims: { lines, sums } });
    }
  }
  const sumOf = (amounts: "claimable" | "redeemable" | "credit"): RevenueAmount[] =>
    totalsOf(entries.flatMap(({ position }) => position[amounts]));
  return {
    account,
    entries,
    claimable: sumOf("claimable"),
    redeemable: sumOf("redeemable"),
    credit: sumOf("credit"),
  };
}

/** A page that the node has no gas for is asked for in halves. */
async function readPages(
  context: ChainContext,
  account: string,
  sharesPerCall: number,
  signal: AbortSignal | undefined,
): Promise<IRevenueShareFactory.EntryStructOutput[]> {
  const factory = factoryOf(context);
  const count = Number(await unlessAborted(asking(factory.count()), signal));
  const entries: IRevenueShareFactory.EntryStructOutput[] = [];
  let limit = sharesPerCall;
  for (let from = 0; from < count;) {
    try {
      entries.push(...(await unlessAborted(factory.positionsOf(account, from, limit), signal)));
      from += limit;
    } catch (error) {
      signal?.throwIfAborted();
      if (isOutage(error)) throw unavailable(error);
      if (limit === 1) throw error;
      limit = Math.ceil(limit / 2);
    }
  }
  return entries;
}
