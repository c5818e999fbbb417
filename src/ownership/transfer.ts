import { ZeroAddress } from "ethers";

import { formatAmount } from "../amount.ts";
import { type Abortable, unlessAborted } from "../abort.ts";
import { isNeuraError, NeuraError } from "../errors.ts";
import { asking, type ChainContext, requireSigner } from "../market/context.ts";
import type { Receipt } from "../market/transaction.ts";
import { send } from "./change.ts";
import {
  baseOf,
  mirrorOf,
  type OwnershipName,
  type OwnershipReference,
  requireOwnership,
} from "./context.ts";
import type { OwnershipEvent } from "./events.ts";
import { type OwnershipStanding, standingOf } from "./standing.ts";

/** What a transfer by amount will do to deeds, as things stand. */
export interface TransferPlan {
  readonly ownership: OwnershipName;
  readonly amountWei: bigint;
  readonly from: OwnershipStanding;
  readonly to: OwnershipStanding;
  /** Deeds that go from hand to hand, the last that came first. */
  readonly handed: number;
  /** Deeds whose unit is broken up: they go into the queue of those that are given out again. */
  readonly retired: number;
  /** Deeds that are made for units which become whole. */
  readonly made: number;
  /** Whole units that the receiver gets without a deed: it is exempt, or it is more than one transfer makes. */
  readonly pending: number;
  /** Deeds of the giver's that lose their owner without a log yet: it is more than one transfer moves. */
  readonly uncovered: number;
}

/** What a transfer did. */
export interface TransferResult {
  readonly ownership: OwnershipName;
  readonly amountWei: bigint;
  readonly before: { readonly from: OwnershipStanding; readonly to: OwnershipStanding };
  readonly after: { readonly from: OwnershipStanding; readonly to: OwnershipStanding };
  /** Numbers of the deeds that went from hand to hand, into the queue, and were made. */
  readonly handed: readonly number[];
  readonly retired: readonly number[];
  readonly made: readonly number[];
  readonly transaction: Receipt;
}

/** What transferring `amountWei` of the signer's would do. Errors: those of {@link transferUnits}. */
export async function planTransfer(
  context: ChainContext,
  reference: OwnershipReference,
  { to, amountWei }: { to: string; amountWei: bigint },
): Promise<TransferPlan> {
  const self = await requireSigner(context).getAddress();
  const ownership = await requireOwnership(context, reference);
  requireReceiver(ownership, to);
  const base = baseOf(context, ownership);
  const [from, receiver, most, cap, minted, queued] = await asking(
    Promise.all([
      standingOf(context, ownership, self),
      standingOf(context, ownership, to),
      base.AUTO_DEEDS(),
      base.cap(),
      base.minted(),
      base.getERC721QueueLength(),
    ]),
  );
  if (amountWei <= 0n || from.balanceWei < amountWei) {
    const [has, wanted] = [from.balanceWei, amountWei].map((each) => formatAmount(each, ownership));
    throw new NeuraError(
      "ownership.insufficient",
      `${self} has ${has}, where ${wanted} are to be transferred.`,
      {
        next: "Name an amount above 0 and at most what there is.",
        details: { balanceWei: from.balanceWei, amountWei },
      },
    );
  }
  const plan = { ownership, amountWei, from, to: receiver };
  if (self === to) return { ...plan, handed: 0, retired: 0, made: 0, pending: 0, uncovered: from.uncovered };
  const unitsOf = (wei: bigint): number => Number(wei / ownership.unitWei);
  const limit = Number(most);
  const before = receiver.deeds + receiver.uncovered;
  const whole = unitsOf(receiver.balanceWei + amountWei);
  const gained = Math.max(0, whole - Math.max(before, receiver.wholeUnits));
  const wanted = receiver.isExempt ? 0 : gained;
  const lost = Math.max(0, from.deeds + from.uncovered - unitsOf(from.balanceWei - amountWei));
  const handed = Math.min(lost, wanted, limit);
  const retired = Math.min(lost - handed, limit - handed);
  const free = Number(queued) + retired + unitsOf(cap) - Number(minted);
  const made = Math.min(wanted - handed, limit - handed, free);
  return {
    ...plan,
    handed,
    retired,
    made,
    pending: gained - handed - made,
    uncovered: lost - handed - retired,
  };
}

/**
 * Transfers an amount of the signer's as the base does it (ERC-20): whole units take their deeds along, as far as one
 * transaction moves them, and broken ones give theirs up.
 *
 * Errors: `ownership.unknown`, `ownership.insufficient`, `ownership.receiver`, `market.read-only`.
 */
export async function transferUnits(
  context: ChainContext,
  reference: OwnershipReference,
  { to, amountWei }: { to: string; amountWei: bigint },
  { signal }: Abortable = {},
): Promise<TransferResult> {
  const plan = await unlessAborted(planTransfer(context, reference, { to, amountWei }), signal);
  const { ownership } = plan;
  const call = baseOf(context, ownership).transfer.populateTransaction(to, amountWei);
  return await transfer(context, plan, call, { signal });
}

/**
 * Transfers one deed of the signer's by its number as the mirror does it (ERC-721); its unit goes along. A contract has
 * to accept it (`onERC721Received`).
 *
 * Errors: `ownership.unknown`, `ownership.receiver`, `deed.unknown`, `deed.not-owner`, `deed.refused`, `market.read-only`.
 */
export async function transferDeed(
  context: ChainContext,
  reference: OwnershipReference,
  { to, id }: { to: string; id: number },
  { signal }: Abortable = {},
): Promise<TransferResult> {
  const self = await requireSigner(context).getAddress();
  const ownership = await unlessAborted(requireOwnership(context, reference), signal);
  requireReceiver(ownership, to);
  const owner = await requireDeed(context, ownership, id);
  if (owner !== self) {
    throw new NeuraError("deed.not-owner", `Deed ${id} of ${ownership.symbol} belongs to ${owner}.`, {
      next: `Transfer one of your own: \`model deeds ${ownership.address}\` lists them.`,
      details: { id, owner, account: self },
    });
  }
  const [from, receiver] = await unlessAborted(
    Promise.all([self, to].map((each) => standingOf(context, ownership, each))),
    signal,
  );
  if (from === undefined || receiver === undefined) throw new Error("two accounts");
  const mirror = mirrorOf(context, ownership);
  // A delegation (EIP-7702) is code too, and need not know of deeds: an account that has one is a person's.
  const call = receiver.isContract
    ? mirror["safeTransferFrom(address,address,uint256)"].populateTransaction(self, to, id)
    : mirror.transferFrom.populateTransaction(self, to, id);
  const plan = { ownership, amountWei: ownership.unitWei, from, to: receiver };
  try {
    return await transfer(context, plan, call, { signal });
  } catch (cause) {
    if (!receiver.isContract || !isNeuraError(cause, "ownership.receiver")) throw cause;
    const unit = formatAmount(ownership.unitWei, ownership);
    throw new NeuraError("deed.refused", `The contract at ${to} does not accept deeds (onERC721Received).`, {
      next: `Transfer the unit by amount, \`model transfer ${ownership.address} ${to} 1\`: ${unit} reach it without a deed.`,
      cause,
      details: { id, to },
    });
  }
}

/** The owner of a deed. Error: `deed.unknown`. */
export async function requireDeed(
  context: Pick<ChainContext, "provider">,
  ownership: OwnershipName,
  id: number,
): Promise<string> {
  const owner = await asking(baseOf(context, ownership).deedOwnerOf(id));
  if (owner !== ZeroAddress) return owner;
  throw new NeuraError("deed.unknown", `Deed ${id} of ${ownership.symbol} has no owner now.`, {
    next: "It waits to be given out again, or was never made: `model deeds` lists those of an account.",
    details: { id },
  });
}

async function transfer(
  context: ChainContext,
  { ownership, amountWei, from, to }: Pick<TransferPlan, "ownership" | "amountWei" | "from" | "to">,
  call: Parameters<typeof send>[2],
  { signal }: Abortable,
): Promise<TransferResult> {
  const { events, transaction } = await send(context, ownership, call, { signal });
  const [fromAfter, toAfter] = await Promise.all(
    [from, to].map(({ account }) => standingOf(context, ownership, account)),
  );
  if (fromAfter === undefined || toAfter === undefined) throw new Error("two accounts");
  const idsOf = (kept: (event: Extract<OwnershipEvent, { name: "DeedTransfer" }>) => boolean): number[] =>
    events.flatMap((event) => (event.name === "DeedTransfer" && kept(event) ? [event.id] : []));
  return {
    ownership,
    amountWei,
    before: { from, to },
    after: { from: fromAfter, to: toAfter },
    handed: idsOf((event) => event.from !== ZeroAddress && event.to !== ZeroAddress),
    retired: idsOf((event) => event.to === ZeroAddress),
    made: idsOf((event) => event.from === ZeroAddress),
    transaction,
  };
}

/** Both contracts refuse what is sent to either of them. Error: `ownership.receiver`. */
function requireReceiver({ address, mirror, symbol }: OwnershipName, to: string): void {
  if (![ZeroAddress, address, mirror].includes(to)) return;
  const who = {
    [ZeroAddress]: "nobody's",
    [address]: `${symbol}'s token itself`,
    [mirror]: `${symbol}'s deeds`,
  };
  throw new NeuraError("ownership.receiver", `${to} is ${who[to] ?? ""}: nothing can be transferred to it.`, {
    next: "Name an account.",
    details: { to },
  });
}
