import { ZeroAddress } from "ethers";

import { IRevenueShareToken__factory } from "../../types/factories/interfaces/IRevenueShareToken__factory.ts";
import type { IRevenueShareToken } from "../../types/interfaces/IRevenueShareToken.ts";
import type { RevenueShareToken } from "../../types/model/RevenueShareToken.ts";
import { type Abortable, unlessAborted } from "../abort.ts";
import { formatAmount } from "../amount.ts";
import { NeuraError } from "../errors.ts";
import { asking, type ChainContext, requireSigner } from "../market/context.ts";
import { lastBlockAt } from "../market/history.ts";
import type { Receipt } from "../market/transaction.ts";
import { blockBefore, send, shareAt } from "./context.ts";
import { divide } from "./division.ts";
import { readShareEvents, type ShareEvent } from "./events.ts";
import {
  amountsOf,
  nameOf,
  type RevenueAmount,
  type RevenueToken,
  type ShareName,
  totalsOf,
} from "./tokens.ts";

/** Where an account stands in a share; zeros are left out of the lists of amounts. */
export interface SharePosition {
  readonly account: string;
  readonly balanceWei: bigint;
  /** Whether its tokens take no part. */
  readonly isExcluded: boolean;
  /** Whether it has said so, or the opposite, itself. */
  readonly hasSpoken: boolean;
  /** Whether only the account itself may claim. */
  readonly refusesClaimFor: boolean;
  /** Who is paid what it claims. */
  readonly recipient: string;
  /** Snapshots up to this one are claimed. */
  readonly claimedThrough: number;
  readonly claimable: readonly RevenueAmount[];
  /** What burning the whole balance would pay. */
  readonly redeemable: readonly RevenueAmount[];
  /** What could not be paid, and waits. */
  readonly credit: readonly RevenueAmount[];
}

/**
 * One snapshot's part of what an account can claim: `claimableWei × sharesWei / eligibleWei`, rounded down.
 */
export interface ClaimLine {
  readonly snapshot: number;
  readonly endedAtSeconds: number;
  readonly token: RevenueToken;
  /** Of the whole period [smallest unit]. */
  readonly revenueWei: bigint;
  /** Of that, what is divided among the tokens that took part; missing like these. */
  readonly claimableWei: bigint | undefined;
  /**
   * Tokens that took part at its end; missing while no call has closed the period and the node keeps no state of
   * that time.
   */
  readonly eligibleWei: bigint | undefined;
  /** The account's tokens of record. */
  readonly sharesWei: bigint;
  readonly amountWei: bigint;
}

/** The lines of one token, added up. */
export interface ClaimSum {
  readonly token: RevenueToken;
  readonly linesWei: bigint;
  /** What is rounded down for each line, and not for their sum. */
  readonly roundingWei: bigint;
  readonly totalWei: bigint;
}

/** What an account can claim, snapshot by snapshot. */
export interface ClaimReport {
  readonly share: ShareName;
  readonly position: SharePosition;
  /** The newest snapshot; 0: none. */
  readonly lastSnapshot: number;
  readonly lines: readonly ClaimLine[];
  readonly sums: readonly ClaimSum[];
}

/** So many questions at once. */
const AT_ONCE = 20;

/** Where an account stands. Error: `share.unknown`. */
export async function readPosition(
  context: ChainContext,
  address: string,
  account: string,
): Promise<{ share: ShareName; position: SharePosition }> {
  const share = await nameOf(context, address);
  const position = await asking(shareAt(context, address).positionOf(account));
  return { share, position: positionFrom(share, account, position) };
}

/** A position as the contract gives it. */
export function positionFrom(
  share: Pick<ShareName, "tokens">,
  account: string,
  position: IRevenueShareToken.PositionStructOutput,
): SharePosition {
  return {
    account,
    balanceWei: position.balance,
    isExcluded: position.excluded,
    hasSpoken: position.spoken,
    refusesClaimFor: position.refusesClaimFor,
    recipient: position.recipient,
    claimedThrough: Number(position.claimedThrough),
    claimable: amountsOf(share, position.claimable),
    redeemable: amountsOf(share, position.redeemable),
    credit: amountsOf(share, position.credit),
  };
}

/**
 * What an account can claim, and why: the amounts are the contract's own, the revenue and the tokens that took part are
 * from its events.
 *
 * Errors: `share.unknown`, those of `readLogs`.
 */
export async function explainClaims(
  context: ChainContext,
  address: string,
  account: string,
  { signal }: Abortable = {},
): Promise<ClaimReport> {
  const { provider } = context;
  const share = await nameOf(context, address);
  const contract = shareAt(context, address);
  const block = await unlessAborted(provider.getBlockNumber(), signal);
  const at = { blockTag: block };
  const [found, last] = await unlessAborted(
    asking(Promise.all([contract.positionOf(account, at), contract.lastSnapshot(at)])),
    signal,
  );
  const position = positionFrom(share, account, found);
  const divided =
    position.claimable.length === 0
      ? []
      : await divisionsOf(context, {
          address,
          share,
          after: position.claimedThrough,
          last: Number(last),
          block,
          signal,
        });
  const lines: ClaimLine[] = [];
  for (let from = 0; from < divided.length; from += AT_ONCE) {
    const some = divided.slice(from, from + AT_ONCE).map(async (each): Promise<ClaimLine> => {
      const { snapshot, token } = each;
      const [amountWei, sharesWei] = await Promise.all([
        claimableOf(contract, token, account, snapshot, at),
        contract.sharesOfRecord(account, snapshot, at),
      ]);
      return { ...each, sharesWei, amountWei };
    });
    lines.push(...(await unlessAborted(asking(Promise.all(some)), signal)));
  }
  const own = lines.filter(({ amountWei }) => amountWei !== 0n);
  const sums = position.claimable.map(({ token, amountWei: totalWei }): ClaimSum => {
    const linesWei = own
      .filter((line) => line.token.address === token.address)
      .reduce((sum, { amountWei }) => sum + amountWei, 0n);
    return { token, linesWei, roundingWei: totalWei - linesWei, totalWei };
  });
  return { share, position, lastSnapshot: Number(last), lines: own, sums };
}

/** What the snapshots after one divide, the oldest first. */
async function divisionsOf(
  context: ChainContext,
  {
    address,
    share,
    after,
    last,
    block,
    signal,
  }: Abortable & { address: string; share: ShareName; after: number; last: number; block: number },
): Promise<Omit<ClaimLine, "sharesWei" | "amountWei">[]> {
  const { provider } = context;
  const contract = shareAt(context, address);
  const [periodSeconds, startsAt, claimBps] = await unlessAborted(
    asking(Promise.all([contract.periodSeconds(), contract.endOf(after), contract.claimBps()])),
    signal,
  );
  const endOf = (snapshot: number): number => Number(startsAt) + (snapshot - after) * Number(periodSeconds);
  // The oldest of them is of the period that began with the snapshot before it.
  const earliest = await blockBefore(context, address, { atSeconds: Number(startsAt), signal });
  const names = ["SnapshotTaken", "RevenueReceived"] as const;
  const range = { fromBlock: earliest, toBlock: block, signal };
  const events = await readShareEvents(provider, { share: address, names, ...range });
  const divided: Omit<ClaimLine, "sharesWei" | "amountWei">[] = [];
  const pending = new Map<string, { snapshot: number; revenueWei: bigint }>();
  for (const { event } of events) {
    const token = "token" in event ? share.tokens.find((each) => each.address === event.token) : undefined;
    if (token === undefined) continue;
    if (event.name === "RevenueReceived") {
      const revenueWei = (pending.get(token.address)?.revenueWei ?? 0n) + event.amountWei;
      pending.set(token.address, { snapshot: event.period + 1, revenueWei });
    } else if (event.name === "SnapshotTaken") {
      pending.delete(token.address);
      const { snapshot, revenueWei, claimableWei, eligibleWei } = event;
      if (snapshot <= after) continue;
      const endedAtSeconds = endOf(snapshot);
      divided.push({ snapshot, endedAtSeconds, token, revenueWei, claimableWei, eligibleWei });
    }
  }
  // A period that is over, and that no call has closed yet.
  for (const token of share.tokens) {
    const open = pending.get(token.address);
    if (open === undefined || open.snapshot > last || open.snapshot <= after) continue;
    const endedAtSeconds = endOf(open.snapshot);
    const blockTag = await unlessAborted(lastBlockAt(provider, endedAtSeconds - 1, earliest), signal);
    const eligibleWei = await contract.eligibleSupply({ blockTag }).catch(() => undefined);
    const claimableWei =
      eligibleWei === undefined
        ? undefined
        : divide(open.revenueWei, eligibleWei, Number(claimBps)).claimableWei;
    divided.push({ ...open, endedAtSeconds, token, claimableWei, eligibleWei });
  }
  return divided;
}

// ---- Claiming ----

/** What a claim or a burn paid. */
export interface SharePayment {
  readonly account: string;
  readonly recipient: string;
  readonly amounts: readonly RevenueAmount[];
  /** Of that, what the recipient did not take: it waits for it as a credit. */
  readonly credited: readonly RevenueAmount[];
}

export interface ClaimRequest {
  /** Only these snapshots of the own account. Default: all. */
  readonly snapshots?: readonly number[] | undefined;
  /** Only those up to this one: for an account with more than a block has gas for. */
  readonly through?: number | undefined;
  /** All for these accounts, which are paid; those that refuse that are passed over. Default: for the own one. */
  readonly accounts?: readonly string[] | undefined;
}

export interface ClaimResult {
  readonly share: ShareName;
  readonly claims: readonly SharePayment[];
  /** Snapshots and accounts that could not be claimed. */
  readonly skipped: readonly {
    readonly account: string;
    readonly snapshot: number;
    readonly reason: string;
  }[];
  readonly transaction: Receipt;
}

/**
 * Claims revenue: everything, some snapshots, or everything of others.
 *
 * Errors: `share.unknown`, `share.nothing`, `share.no-snapshot`, `share.already-claimed`, `share.claim-refused`,
 * `market.read-only`.
 */
export async function claimRevenue(
  context: ChainContext,
  address: string,
  { snapshots, through, accounts }: ClaimRequest = {},
  { signal }: Abortable = {},
): Promise<ClaimResult> {
  const self = await requireSigner(context).getAddress();
  const share = await nameOf(context, address);
  await requireClaimable(context, share, { accounts: accounts ?? [self], snapshots });
  const contract = shareAt(context, address);
  const [first = self, ...more] = accounts ?? [];
  const [snapshot = 0, ...others] = snapshots ?? [];
  const call =
    accounts !== undefined
      ? more.length === 0
        ? contract.claimFor.populateTransaction(first)
        : contract.claimForBatch.populateTransaction([...accounts])
      : snapshots !== undefined
        ? others.length === 0
          ? contract.claim.populateTransaction(snapshot)
          : contract.claimBatch.populateTransaction([...snapshots])
        : through !== undefined
          ? contract.claimThrough.populateTransaction(through)
          : contract.claimAll.populateTransaction();
  const { events, transaction } = await send(context, call, { share: address, signal });
  const skipped = events.flatMap((event) =>
    event.name === "ClaimSkipped"
      ? [{ account: event.account, snapshot: event.snapshot, reason: reasonOf(event.reason) }]
      : [],
  );
  return { share, claims: paymentsOf(share, events), skipped, transaction };
}

/** Claims with nothing to pay would cost gas alone. A single snapshot that is none is left to the contract's own error. */
async function requireClaimable(
  context: ChainContext,
  share: ShareName,
  { accounts, snapshots }: { accounts: readonly string[]; snapshots: readonly number[] | undefined },
): Promise<void> {
  const contract = shareAt(context, share.address);
  const last = Number(await asking(contract.lastSnapshot()));
  const [account = ""] = accounts;
  const [snapshot] = snapshots ?? [];
  if (snapshots?.length === 1 && snapshot !== undefined) {
    if (snapshot < 1 || snapshot > last || (await contract.isClaimed(account, snapshot))) return;
  }
  const amountsWei = await asking(
    Promise.all(
      snapshots === undefined
        ? accounts.map(async (each) => (await contract.positionOf(each)).claimable)
        : snapshots.flatMap((each) =>
            share.tokens.map(async (token) => [await claimableOf(contract, token, account, each)]),
          ),
    ),
  );
  if (amountsWei.flat().some((wei) => wei !== 0n)) return;
  const next = Number(await contract.endOf(last + 1));
  const what = snapshots === undefined ? "" : ` with snapshot ${snapshots.join(", ")}`;
  throw new NeuraError(
    "share.nothing",
    `${accounts.join(", ")} can claim nothing of ${share.symbol} now${what}.`,
    {
      next: `Revenue of this period can be claimed from ${new Date(next * 1000).toISOString()} on: see \`share claimable\`.`,
      details: { share: share.address, nextSnapshotAtSeconds: next },
    },
  );
}

/** What of one snapshot an account can claim in one token. */
async function claimableOf(
  contract: RevenueShareToken,
  { address: token }: RevenueToken,
  account: string,
  snapshot: number,
  at: { blockTag?: number } = {},
): Promise<bigint> {
  return token === ZeroAddress
    ? await contract.claimableRevenue(account, snapshot, at)
    : await contract.claimableERC20(account, snapshot, token, at);
}

/** What the claims and burns among these events paid. */
export function paymentsOf(share: ShareName, events: readonly ShareEvent[]): SharePayment[] {
  const payments = new Map<
    string,
    { recipient: string; amounts: RevenueAmount[]; credited: RevenueAmount[] }
  >();
  let newest: { amounts: RevenueAmount[]; credited: RevenueAmount[] } | undefined;
  for (const event of events) {
    if (event.name !== "Claimed" && event.name !== "Redeemed" && event.name !== "Credited") continue;
    const paid = share.tokens
      .filter(({ address }) => address === event.token)
      .map((token) => ({ token, amountWei: event.amountWei }));
    if (event.name === "Credited") {
      // Credits before the first payment are the beneficiary's, of a period that was closed.
      newest?.credited.push(...paid);
      continue;
    }
    const { account } = event;
    const recipient = event.name === "Claimed" ? event.recipient : account;
    const payment = payments.get(account) ?? { recipient, amounts: [], credited: [] };
    payments.set(account, payment);
    payment.amounts.push(...paid);
    newest = payment;
  }
  return [...payments].map(([account, { recipient, amounts, credited }]) => ({
    ...{ account, recipient },
    ...{ amounts: totalsOf(amounts), credited: totalsOf(credited) },
  }));
}

const ERRORS = IRevenueShareToken__factory.createInterface();

function reasonOf(data: string): string {
  const error = ERRORS.parseError(data);
  return error === null ? data : `${error.name}(${error.args.map(String).join(", ")})`;
}

/** Amounts as people read them: `1.5 ANKR and 20 USDC`. */
export function amountsText(amounts: readonly RevenueAmount[]): string {
  return amounts.length === 0
    ? "nothing"
    : amounts.map(({ token, amountWei }) => formatAmount(amountWei, token)).join(" and ");
}
