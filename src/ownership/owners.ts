import { ZeroAddress } from "ethers";

import { type Abortable, unlessAborted } from "../abort.ts";
import { asking, type ChainContext, chainTime } from "../market/context.ts";
import { lastBlockAt } from "../market/history.ts";
import { baseOf, type OwnershipName, type OwnershipReference, requireOwnership } from "./context.ts";
import { type OwnershipEvent, readOwnershipEvents } from "./events.ts";

/** An account with units or deeds, as the logs tell. */
export interface ModelOwner {
  readonly account: string;
  readonly balanceWei: bigint;
  /** Deeds that went to it and have not left it, in the order in which they came. */
  readonly ids: readonly number[];
  /** Of these, so many that its balance does not cover: they have no owner, and wait for `model release --uncovered`. */
  readonly uncovered: number;
}

export interface OwnersView {
  readonly ownership: OwnershipName;
  readonly block: number;
  /** The largest balance first. */
  readonly owners: readonly ModelOwner[];
  readonly supplyWei: bigint;
}

/** Who has what of a model, from the logs of both contracts alone. Errors: `ownership.unknown`, those of `readLogs`. */
export async function readOwners(
  context: ChainContext,
  reference: OwnershipReference,
  { signal }: Abortable = {},
): Promise<OwnersView> {
  const { provider } = context;
  const ownership = await requireOwnership(context, reference);
  const block = await unlessAborted(provider.getBlockNumber(), signal);
  const madeAt = await unlessAborted(asking(firstMintOf(context, ownership)), signal);
  const fromBlock = await unlessAborted(lastBlockAt(provider, madeAt - 1, 0), signal);
  const range = { fromBlock, toBlock: block, signal };
  const events = await readOwnershipEvents(provider, { ownership, ...range });
  const book = new OwnerBook(ownership);
  for (const { event } of events) book.take(event);
  return { ownership, block, owners: book.owners(), supplyWei: book.supplyWei };
}

/**
 * When the first units were made [Unix s], or the chain's time where none were: the base keeps its supply's history, so
 * that no node has to keep its own.
 */
async function firstMintOf(
  context: Pick<ChainContext, "provider">,
  ownership: Pick<OwnershipName, "address">,
): Promise<number> {
  const base = baseOf(context, ownership);
  let first = 0;
  let last = await chainTime(context.provider);
  while (first < last) {
    const middle = Math.floor((first + last) / 2);
    if ((await base.getPastTotalSupply(middle)) > 0n) last = middle;
    else first = middle + 1;
  }
  return last;
}

/** Balances and deeds, as logs in the chain's order make them. */
export class OwnerBook {
  readonly balances = new Map<string, bigint>();
  readonly deeds = new Map<string, Set<number>>();
  supplyWei = 0n;
  readonly #unitWei: bigint;

  constructor({ unitWei }: Pick<OwnershipName, "unitWei">) {
    this.#unitWei = unitWei;
  }

  take(event: OwnershipEvent): void {
    if (event.name === "Transfer") {
      this.#move(event.from, -event.amountWei);
      this.#move(event.to, event.amountWei);
    } else if (event.name === "DeedTransfer") {
      this.deeds.get(event.from)?.delete(event.id);
      if (event.to === ZeroAddress) return;
      const held = this.deeds.get(event.to) ?? new Set();
      this.deeds.set(event.to, held.add(event.id));
    }
  }

  owners(): ModelOwner[] {
    return [...new Set([...this.balances.keys(), ...this.deeds.keys()])]
      .map((account): ModelOwner => {
        const balanceWei = this.balances.get(account) ?? 0n;
        const ids = [...(this.deeds.get(account) ?? [])];
        const covered = Number(balanceWei / this.#unitWei);
        return { account, balanceWei, ids, uncovered: Math.max(0, ids.length - covered) };
      })
      .filter(({ balanceWei, ids }) => balanceWei !== 0n || ids.length > 0)
      .toSorted((one, other) => (one.balanceWei < other.balanceWei ? 1 : -1));
  }

  #move(account: string, changeWei: bigint): void {
    if (account === ZeroAddress) this.supplyWei -= changeWei;
    else this.balances.set(account, (this.balances.get(account) ?? 0n) + changeWei);
  }
}
