import { type Abortable, unlessAborted } from "../abort.ts";
import { asking, type ChainContext, chainTime } from "../market/context.ts";
import { timesOf } from "../market/reputation.ts";
import { shareAt } from "./context.ts";
import { divide, earnedWei } from "./division.ts";
import type { ShareEvent } from "./events.ts";
import { allEventsOf, HolderBook } from "./holders.ts";
import { nameOf } from "./tokens.ts";

/**
 * Every figure of a share once more from its events: balances, shares of record, the division of each period, what was
 * claimed, credited and redeemed, and what that leaves to everybody. Of the contract only what was fixed at the beginning is asked.
 */

/** What a share was made with, as far as its figures depend on it. */
export interface ShareRules {
  readonly periodSeconds: number;
  /** When the period in which it was made began [Unix s]. */
  readonly startSeconds: number;
  readonly claimBps: number;
  readonly capWei: bigint;
  readonly mintUntilSeconds: number;
  /** Revenue tokens; the zero address, the chain's coin, first. */
  readonly tokens: readonly string[];
}

/** Where the chain says something else than its events. */
export interface ShareDifference {
  readonly figure: string;
  readonly account?: string;
  readonly token?: string;
  readonly snapshot?: number;
  readonly chain: string;
  readonly recomputed: string;
}

/** So much is held from a period on. */
interface Since {
  readonly period: number;
  sharesWei: bigint;
}

/** What is known of one revenue token. */
interface Pool {
  pendingWei: bigint;
  /** The period of what is pending. */
  period: number;
  redeemableWei: bigint;
  /** What holders can claim, all together. */
  unclaimedWei: bigint;
  /** What one token got of each snapshot [2^-106 of the smallest unit], by its id. */
  readonly steps: Map<number, bigint>;
}

interface Claims {
  through: number;
  /** Snapshots after that one which were claimed alone. */
  readonly alone: Set<number>;
}

/** A claim whose events are still coming: one for each token that it paid. */
interface OpenClaim {
  readonly key: string;
  readonly account: string;
  readonly expected: Map<string, bigint>;
}

/** After this period none ends any more. */
const LAST_PERIOD = 65_535;

/** What a share's events, in the chain's order, make of it. */
export class ShareRecomputation {
  readonly book = new HolderBook();
  readonly recipients = new Map<string, string>();
  readonly refusing = new Set<string>();
  /** Who has said itself whether it takes part. */
  readonly spoken = new Set<string>();
  /** By account and token. */
  readonly credits = new Map<string, Map<string, bigint>>();
  /** Where the events contradict the rules, or one another. */
  readonly differences: ShareDifference[] = [];
  awayWei = 0n;
  mintedWei = 0n;
  readonly #rules: ShareRules;
  readonly #pools = new Map<string, Pool>();
  readonly #records = new Map<string, Since[]>();
  readonly #eligible: Since[] = [{ period: 0, sharesWei: 0n }];
  readonly #claims = new Map<string, Claims>();
  #open: OpenClaim | undefined;

  constructor(rules: ShareRules) {
    this.#rules = rules;
    for (const token of rules.tokens) {
      const nothing = { pendingWei: 0n, period: 0, redeemableWei: 0n, unclaimedWei: 0n };
      this.#pools.set(token, { ...nothing, steps: new Map() });
    }
  }

  take(
    event: ShareEvent,
    { atSeconds, transactionHash }: { atSeconds: number; transactionHash: string },
  ): void {
    const period = this.periodAt(atSeconds);
    if (event.name !== "Claimed") this.#endClaim();
    switch (event.name) {
      case "Transfer": {
        const { from, to, amountWei } = event;
        if (from === to || amountWei === 0n) return;
        const supplyWei = this.book.supplyWei;
        this.book.take(event);
        if (this.book.supplyWei > supplyWei) this.mintedWei += amountWei;
        this.#record(from, period);
        this.#record(to, period);
        return;
      }
      case "CrosschainMint":
        // What comes back was minted before.
        this.mintedWei -= event.amountWei;
        this.awayWei -= event.amountWei;
        return;
      case "CrosschainBurn":
        this.awayWei += event.amountWei;
        return;
      case "SharingSet":
        this.#compare("period of sharing", { account: event.account }, BigInt(event.period), BigInt(period));
        this.book.take(event);
        if (event.bySelf) this.spoken.add(event.account);
        this.#record(event.account, period);
        return;
      case "RevenueReceived": {
        const { token, amountWei } = event;
        this.#compare("period of revenue", { token }, BigInt(event.period), BigInt(period));
        const pool = this.#pool(token);
        pool.pendingWei += amountWei;
        pool.period = period;
        return;
      }
      case "SnapshotTaken":
        this.#divide(event, atSeconds);
        return;
      case "Claimed":
        this.#claim(event, transactionHash);
        return;
      case "Redeemed": {
        const { token, account, burnedWei, amountWei } = event;
        const pool = this.#pool(token);
        // The tokens are gone already.
        const supplyWei = this.redemptionSupplyWei(atSeconds) + burnedWei;
        this.#compare(
          "redeemed",
          { token, account },
          amountWei,
          (pool.redeemableWei * burnedWei) / supplyWei,
        );
        pool.redeemableWei -= amountWei;
        return;
      }
      case "Credited": {
        const { account, token, amountWei } = event;
        const credits = this.credits.get(account) ?? new Map<string, bigint>();
        this.credits.set(account, credits.set(token, (credits.get(token) ?? 0n) + amountWei));
        return;
      }
      case "CreditWithdrawn": {
        const { account, token, amountWei } = event;
        this.#compare("credit", { account, token }, amountWei, this.creditWei(account, token));
        this.credits.get(account)?.delete(token);
        return;
      }
      case "RecipientSet":
        this.recipients.set(event.account, event.recipient);
        return;
      case "ClaimForRefused":
        if (event.refused) this.refusing.add(event.account);
        else this.refusing.delete(event.account);
        return;
      case "ClaimSkipped":
        return;
    }
  }

  /** Everybody who ever held, claimed, or said something. */
  get accounts(): string[] {
    const named = [this.book.balances, this.#claims, this.credits, this.recipients].flatMap((each) => [
      ...each.keys(),
    ]);
    return [...new Set([...named, ...this.refusing, ...this.book.excluded, ...this.spoken])];
  }

  /** Number of the period of a moment; the one in which the share was made has 0. */
  periodAt(seconds: number): number {
    const { startSeconds, periodSeconds } = this.#rules;
    return Math.min(Math.floor((seconds - startSeconds) / periodSeconds), LAST_PERIOD);
  }

  redemptionSupplyWei(atSeconds: number): bigint {
    const { capWei, mintUntilSeconds } = this.#rules;
    return this.book.supplyWei + this.awayWei + (atSeconds > mintUntilSeconds ? 0n : capWei - this.mintedWei);
  }

  /** What the contract says that it holds of a token, as if the last period had been closed by then. */
  fundsAt(token: string, atSeconds: number): { heldWei: bigint; pendingWei: bigint; redeemableWei: bigint } {
    const pool = this.#pool(token);
    const credited = [...this.credits.values()].reduce((sum, each) => sum + (each.get(token) ?? 0n), 0n);
    const heldWei = pool.pendingWei + pool.redeemableWei + pool.unclaimedWei + credited;
    const { pendingWei, redeemableWei } = pool;
    if (pendingWei === 0n || pool.period >= this.periodAt(atSeconds))
      return { heldWei, pendingWei, redeemableWei };
    const left = divide(pendingWei, this.eligibleAt(pool.period), this.#rules.claimBps).redeemableWei;
    const isRedeemed = this.redemptionSupplyWei(atSeconds) === 0n;
    return { heldWei, pendingWei: 0n, redeemableWei: isRedeemed ? 0n : redeemableWei + left };
  }

  /** Tokens that took part at the end of a period. */
  eligibleAt(period: number): bigint {
    return sharesAt(this.#eligible, period);
  }

  /** Tokens with which an account takes part in a snapshot. */
  sharesOfRecord(account: string, snapshot: number): bigint {
    return sharesAt(this.#records.get(account) ?? [], snapshot - 1);
  }

  isClaimed(account: string, snapshot: number): boolean {
    const { through, alone } = this.#claimsOf(account);
    return snapshot <= through || alone.has(snapshot);
  }

  claimedThrough(account: string): number {
    return this.#claimsOf(account).through;
  }

  creditWei(account: string, token: string): bigint {
    return this.credits.get(account)?.get(token) ?? 0n;
  }

  /** What an account could claim at a moment: everything, or of one snapshot. */
  claimableWei(
    account: string,
    token: string,
    { atSeconds, snapshot }: { atSeconds: number; snapshot?: number },
  ): bigint {
    const last = this.periodAt(atSeconds);
    if (snapshot === undefined)
      return this.#claimable(account, token, this.claimedThrough(account), last, atSeconds);
    if (snapshot < 1 || snapshot > last || this.isClaimed(account, snapshot)) return 0n;
    return this.#claimable(account, token, snapshot - 1, snapshot, atSeconds);
  }

  /** Ends what only the next event would end. */
  finish(): void {
    this.#endClaim();
  }

  #pool(token: string): Pool {
    const pool = this.#pools.get(token);
    if (pool === undefined) throw new Error(`${token} is no revenue token`);
    return pool;
  }

  #claimsOf(account: string): Claims {
    return this.#claims.get(account) ?? { through: 0, alone: new Set() };
  }

  #record(account: string, period: number): void {
    const records = this.#records.get(account) ?? [{ period: 0, sharesWei: 0n }];
    this.#records.set(account, records);
    noteSince(records, period, this.book.sharesOf(account));
    noteSince(this.#eligible, period, this.book.eligibleWei);
  }

  #divide(event: Extract<ShareEvent, { name: "SnapshotTaken" }>, atSeconds: number): void {
    const { snapshot, token } = event;
    const where = { token, snapshot };
    const pool = this.#pool(token);
    const eligibleWei = this.eligibleAt(snapshot - 1);
    const { step, claimableWei, redeemableWei } = divide(pool.pendingWei, eligibleWei, this.#rules.claimBps);
    const isRedeemed = this.redemptionSupplyWei(atSeconds) === 0n;
    this.#compare("snapshot", where, BigInt(snapshot), BigInt(pool.period + 1));
    this.#compare("revenue", where, event.revenueWei, pool.pendingWei);
    this.#compare("eligible supply", where, event.eligibleWei, eligibleWei);
    this.#compare("claimable revenue", where, event.claimableWei, claimableWei);
    this.#compare("redeemable revenue", where, event.redeemableWei, isRedeemed ? 0n : redeemableWei);
    pool.steps.set(snapshot, (pool.steps.get(snapshot) ?? 0n) + step);
    pool.pendingWei = 0n;
    pool.unclaimedWei += claimableWei;
    // What is the beneficiary's comes as a credit of its own.
    pool.redeemableWei = isRedeemed ? 0n : pool.redeemableWei + redeemableWei;
  }

  #claim(event: Extract<ShareEvent, { name: "Claimed" }>, transactionHash: string): void {
    const { account, token, from, through, amountWei } = event;
    const key = [transactionHash, account, from, through].join();
    if (this.#open?.key !== key) {
      this.#endClaim();
      const expected = new Map(
        // What a claim pays is of closed periods.
        this.#rules.tokens.map((each) => [each, this.#claimable(account, each, from - 1, through, 0)]),
      );
      this.#open = { key, account, expected };
      const claims = this.#claimsOf(account);
      if (from === claims.through + 1) claims.through = through;
      else claims.alone.add(through);
      this.#claims.set(account, claims);
    }
    this.#compare(
      "claim",
      { account, token, snapshot: through },
      amountWei,
      this.#open.expected.get(token) ?? 0n,
    );
    this.#open.expected.delete(token);
    this.#pool(token).unclaimedWei -= amountWei;
  }

  /** Of a token that a claim did not mention, it paid nothing. */
  #endClaim(): void {
    if (this.#open === undefined) return;
    const { account, expected } = this.#open;
    for (const [token, wei] of expected) this.#compare("claim", { account, token }, 0n, wei);
    this.#open = undefined;
  }

  /** Rounded down once for each stretch of periods with the same shares of record. */
  #claimable(account: string, token: string, after: number, through: number, atSeconds: number): bigint {
    const pool = this.#pool(token);
    const steps = new Map(pool.steps);
    if (pool.pendingWei !== 0n && pool.period < this.periodAt(atSeconds)) {
      const { step } = divide(pool.pendingWei, this.eligibleAt(pool.period), this.#rules.claimBps);
      steps.set(pool.period + 1, step);
    }
    const records = this.#records.get(account) ?? [];
    const { alone } = this.#claimsOf(account);
    const stretches = new Map<number, bigint>();
    let wei = 0n;
    for (const [snapshot, step] of steps) {
      if (snapshot <= after || snapshot > through) continue;
      const stretch = records.findLastIndex(({ period }) => period <= snapshot - 1);
      stretches.set(stretch, (stretches.get(stretch) ?? 0n) + step);
      if (alone.has(snapshot)) wei -= earnedWei(records[stretch]?.sharesWei ?? 0n, step);
    }
    for (const [stretch, sum] of stretches) wei += earnedWei(records[stretch]?.sharesWei ?? 0n, sum);
    return wei;
  }

  #compare(figure: string, where: Partial<ShareDifference>, chain: bigint, own: bigint): void {
    if (chain !== own) this.differences.push({ figure, ...where, chain: `${chain}`, recomputed: `${own}` });
  }
}

function sharesAt(records: readonly Since[], period: number): bigint {
  return records.findLast((each) => each.period <= period)?.sharesWei ?? 0n;
}

function noteSince(records: Since[], period: number, sharesWei: bigint): void {
  const last = records.at(-1);
  if (last?.period === period) last.sharesWei = sharesWei;
  else if (last?.sharesWei !== sharesWei) records.push({ period, sharesWei });
}

// ---- Reading the chain ----

/** What the events say, and where the contract says something else. */
export interface ShareReport {
  readonly block: number;
  readonly accounts: number;
  readonly events: number;
  readonly differences: readonly ShareDifference[];
}

/** So many questions at once. */
const AT_ONCE = 20;

/**
 * Recomputes a share from its events since it was made, and compares all figures with what its views say at the newest block.
 * Errors: `share.unknown`, those of `readLogs`.
 */
export async function recomputeShare(
  context: ChainContext,
  address: string,
  { signal }: Abortable = {},
): Promise<ShareReport & { readonly recomputation: ShareRecomputation }> {
  const { provider } = context;
  const { tokens } = await nameOf(context, address);
  const share = shareAt(context, address);
  const [periodSeconds, startSeconds, claimBps, capWei, mintUntil] = await unlessAborted(
    asking(
      Promise.all([share.periodSeconds(), share.endOf(0), share.claimBps(), share.cap(), share.mintUntil()]),
    ),
    signal,
  );
  const recomputation = new ShareRecomputation({
    periodSeconds: Number(periodSeconds),
    startSeconds: Number(startSeconds),
    claimBps: Number(claimBps),
    capWei,
    mintUntilSeconds: Number(mintUntil),
    tokens: tokens.map((token) => token.address),
  });
  const { block, events } = await allEventsOf(context, address, undefined, signal);
  const times = await timesOf(provider, [...events.map((each) => each.block), block], signal);
  for (const { event, block: number, transactionHash } of events) {
    recomputation.take(event, { atSeconds: times.get(number) ?? 0, transactionHash });
  }
  recomputation.finish();

  const at = { blockTag: block };
  const atSeconds = times.get(block) ?? (await chainTime(provider));
  const differences = [...recomputation.differences];
  const compare = (
    figure: string,
    where: Partial<ShareDifference>,
    chain: bigint | string | boolean,
    own: bigint | string | boolean,
  ): void => {
    if (chain !== own) differences.push({ figure, ...where, chain: String(chain), recomputed: String(own) });
  };
  const { book } = recomputation;
  const [supplyWei, eligibleWei, awayWei, redemptionSupplyWei] = await unlessAborted(
    asking(
      Promise.all([
        share.totalSupply(at),
        share.eligibleSupply(at),
        share.away(at),
        share.redemptionSupply(at),
      ]),
    ),
    signal,
  );
  compare("supply", {}, supplyWei, book.supplyWei);
  compare("eligible supply", {}, eligibleWei, book.eligibleWei);
  compare("away", {}, awayWei, recomputation.awayWei);
  compare("redemption supply", {}, redemptionSupplyWei, recomputation.redemptionSupplyWei(atSeconds));
  for (const { address: token } of tokens) {
    const { held, pending, redeemable } = await unlessAborted(asking(share.fundsOf(token, at)), signal);
    const own = recomputation.fundsAt(token, atSeconds);
    compare("held", { token }, held, own.heldWei);
    compare("pending", { token }, pending, own.pendingWei);
    compare("redeemable", { token }, redeemable, own.redeemableWei);
  }
  const compareAccount = async (account: string): Promise<void> => {
    const position = await asking(share.positionOf(account, at));
    const where = { account };
    const balanceWei = book.balances.get(account) ?? 0n;
    compare("balance", where, position.balance, balanceWei);
    compare("excluded", where, position.excluded, book.excluded.has(account));
    compare("spoken", where, position.spoken, recomputation.spoken.has(account));
    compare("refuses", where, position.refusesClaimFor, recomputation.refusing.has(account));
    compare("recipient", where, position.recipient, recomputation.recipients.get(account) ?? account);
    compare("claimed", where, position.claimedThrough, BigInt(recomputation.claimedThrough(account)));
    for (const [index, { address: token }] of tokens.entries()) {
      const its = { account, token };
      const claimableWei = recomputation.claimableWei(account, token, { atSeconds });
      const { redeemableWei } = recomputation.fundsAt(token, atSeconds);
      const supply = recomputation.redemptionSupplyWei(atSeconds);
      compare("claimable", its, position.claimable[index] ?? 0n, claimableWei);
      compare("credit", its, position.credit[index] ?? 0n, recomputation.creditWei(account, token));
      const partWei = supply === 0n ? 0n : (redeemableWei * balanceWei) / supply;
      compare("redeemable of an account", its, position.redeemable[index] ?? 0n, partWei);
    }
  };
  const { accounts } = recomputation;
  for (let from = 0; from < accounts.length; from += AT_ONCE) {
    await unlessAborted(Promise.all(accounts.slice(from, from + AT_ONCE).map(compareAccount)), signal);
  }
  return { block, accounts: accounts.length, events: events.length, differences, recomputation };
}
