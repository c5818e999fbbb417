import { ZeroAddress } from "ethers";

import { type Abortable, unlessAborted } from "../abort.ts";
import { asking, type ChainContext } from "../market/context.ts";
import { blockBefore, shareAt } from "./context.ts";
import { type PlacedEvent, readShareEvents, type ShareEvent, type ShareEventName } from "./events.ts";
import { nameOf, type ShareName } from "./tokens.ts";

/** An account with tokens of a share. */
export interface ShareHolder {
  readonly account: string;
  readonly balanceWei: bigint;
  /** Whether its tokens take no part in revenue. */
  readonly isExcluded: boolean;
}

/** All who hold a share, the largest balance first. */
export interface HoldersView {
  readonly share: ShareName;
  readonly block: number;
  readonly holders: readonly ShareHolder[];
  readonly supplyWei: bigint;
  /** Tokens that take part in revenue. */
  readonly eligibleWei: bigint;
}

/** Who holds a share and takes part, from its events alone. Errors: `share.unknown`, those of `readLogs`. */
export async function readHolders(
  context: ChainContext,
  address: string,
  { signal }: Abortable = {},
): Promise<HoldersView> {
  const share = await nameOf(context, address);
  const { block, events } = await allEventsOf(context, address, ["Transfer", "SharingSet"], signal);
  const book = new HolderBook();
  for (const { event } of events) book.take(event);
  const holders = [...book.balances]
    .filter(([, balanceWei]) => balanceWei !== 0n)
    .map(([account, balanceWei]) => ({ account, balanceWei, isExcluded: book.excluded.has(account) }))
    .toSorted((one, other) => (one.balanceWei < other.balanceWei ? 1 : -1));
  return { share, block, holders, supplyWei: book.supplyWei, eligibleWei: book.eligibleWei };
}

/** Balances, and who takes part, as events in the chain's order make them. */
export class HolderBook {
  readonly balances = new Map<string, bigint>();
  readonly excluded = new Set<string>();
  supplyWei = 0n;
  eligibleWei = 0n;

  take(event: ShareEvent): void {
    if (event.name === "Transfer") {
      this.#move(event.from, -event.amountWei);
      this.#move(event.to, event.amountWei);
    } else if (event.name === "SharingSet") {
      const balanceWei = this.balances.get(event.account) ?? 0n;
      if (event.shares === !this.excluded.has(event.account)) return;
      this.eligibleWei += event.shares ? balanceWei : -balanceWei;
      if (event.shares) this.excluded.delete(event.account);
      else this.excluded.add(event.account);
    }
  }

  /** Tokens with which an account takes part. */
  sharesOf(account: string): bigint {
    return this.excluded.has(account) ? 0n : (this.balances.get(account) ?? 0n);
  }

  #move(account: string, changeWei: bigint): void {
    if (account === ZeroAddress) {
      this.supplyWei -= changeWei;
      return;
    }
    this.balances.set(account, (this.balances.get(account) ?? 0n) + changeWei);
    if (!this.excluded.has(account)) this.eligibleWei += changeWei;
  }
}

/** What a share has announced since it was made. */
export async function allEventsOf(
  context: ChainContext,
  address: string,
  names: readonly ShareEventName[] | undefined,
  signal: AbortSignal | undefined,
): Promise<{ block: number; events: readonly PlacedEvent[] }> {
  const { provider } = context;
  const block = await unlessAborted(provider.getBlockNumber(), signal);
  // It was made during the period that ends with its first snapshot.
  const startSeconds = Number(await unlessAborted(asking(shareAt(context, address).endOf(0)), signal));
  const fromBlock = await blockBefore(context, address, { atSeconds: startSeconds, signal });
  const range = { fromBlock, toBlock: block, signal };
  const events = await readShareEvents(provider, {
    share: address,
    ...(names === undefined ? {} : { names }),
    ...range,
  });
  return { block, events };
}
