import { unlessAborted, type Abortable } from "../abort.ts";
import { type ChainContext, requireSigner } from "../market/context.ts";
import { type ChangedStanding, send } from "./change.ts";
import { baseOf, type OwnershipName, type OwnershipReference, requireOwnership } from "./context.ts";
import { standingOf } from "./standing.ts";

/** What holders decide for themselves, and what the minter and the owner may do. */

/**
 * Whether what an account receives comes without deeds: the signer's own choice, or that of the ownership's owner for a
 * contract which has not said itself (where the owner takes that back, it is as if nothing was said). `giveUp`: the signer gives the deeds that it has back too, up to 128 of them.
 * Without exemption, up to 128 deeds that its units lack are made for it.
 *
 * Errors: `ownership.unknown`, `chain.not-owner`, `ownership.not-contract`, `ownership.spoken`, `market.read-only`.
 */
export async function setExempt(
  context: ChainContext,
  reference: OwnershipReference,
  {
    exempt,
    account: named,
    giveUp = false,
  }: { exempt: boolean; account?: string | undefined; giveUp?: boolean },
  options: Abortable = {},
): Promise<ChangedStanding> {
  const self = await requireSigner(context).getAddress();
  return await changed(context, reference, named ?? self, options, (base) =>
    named !== undefined && named !== self
      ? base.setExempt.populateTransaction(named, exempt)
      : giveUp
        ? base.setSelfERC721TransferExempt.populateTransaction(exempt)
        : base.setSkipNFT.populateTransaction(exempt),
  );
}

/**
 * Mints within the policy that was fixed at the beginning; the first 128 deeds come along.
 * Errors: `ownership.unknown`, `ownership.not-minter`, `ownership.minting-over`, `ownership.cap`, `ownership.receiver`.
 */
export async function mintUnits(
  context: ChainContext,
  reference: OwnershipReference,
  { to, amountWei }: { to: string; amountWei: bigint },
  options: Abortable = {},
): Promise<ChangedStanding> {
  return await changed(context, reference, to, options, (base) =>
    base.mint.populateTransaction(to, amountWei),
  );
}

/**
 * Gives the signer's votes to an account, which may be itself: all of its balance, now and later, with deeds or without.
 * The zero address takes them back. Error: `ownership.unknown`.
 */
export async function delegateVotes(
  context: ChainContext,
  reference: OwnershipReference,
  { delegatee }: { delegatee: string },
  options: Abortable = {},
): Promise<ChangedStanding> {
  const self = await requireSigner(context).getAddress();
  return await changed(context, reference, self, options, (base) =>
    base.delegate.populateTransaction(delegatee),
  );
}

async function changed(
  context: ChainContext,
  reference: OwnershipReference,
  account: string,
  { signal }: Abortable,
  callOf: (base: ReturnType<typeof baseOf>) => Parameters<typeof send>[2],
): Promise<ChangedStanding> {
  const ownership: OwnershipName = await unlessAborted(requireOwnership(context, reference), signal);
  const { transaction } = await send(context, ownership, callOf(baseOf(context, ownership)), { signal });
  return { ownership, standing: await standingOf(context, ownership, account), transaction };
}
