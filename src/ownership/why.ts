import { formatAmount } from "../amount.ts";
import { type Abortable, unlessAborted } from "../abort.ts";
import { asking, type ChainContext } from "../market/context.ts";
import { baseOf, findOwnership, type OwnershipName, type OwnershipReference } from "./context.ts";
import { readOwners } from "./owners.ts";
import { type OwnershipStanding, standingOf } from "./standing.ts";

export type WhyCode =
  /** The address is the mirror's: units are counted at the base. */
  | "mirror-address"
  /** There is no whole unit, and a deed stands for one. */
  | "no-unit"
  /** The account has said that it wants none. */
  | "exempt-self"
  /** The owner has said so of a contract. */
  | "exempt-owner"
  /** It is a contract that has said nothing. */
  | "exempt-contract"
  /** More units than deeds: one transfer makes at most 128, and none while the account is exempt. */
  | "pending"
  /** All numbers are given out, some to accounts that have sold the units since. */
  | "ids-exhausted"
  /** Deeds that it had have lost their owner, while a wallet may still show them. */
  | "uncovered"
  /** Every whole unit has its deed: the wallet looks elsewhere. */
  | "has-deeds";

export interface WhyReason {
  readonly code: WhyCode;
  readonly message: string;
  /** What to do about it; missing: nothing has to be done. */
  readonly next: string | undefined;
}

/** A call that a contract has to make itself. */
export interface OwnCall {
  readonly to: string;
  readonly data: string;
}

/** Why an account sees the deeds that it sees. */
export interface WhyReport {
  readonly ownership: OwnershipName;
  readonly standing: OwnershipStanding;
  readonly reasons: readonly WhyReason[];
  /** Where it is a contract that gets no deeds: the call by which it gets them, these and later ones. */
  readonly ownCall: OwnCall | undefined;
}

/**
 * Why an account has the deeds that it has, and what brings the others: who bought and sees none finds the reason here.
 * Errors: `ownership.unknown`, those of `readLogs`.
 */
export async function explainDeeds(
  context: ChainContext,
  reference: OwnershipReference,
  account: string,
  { signal }: Abortable = {},
): Promise<WhyReport> {
  const { ownership, given } = await unlessAborted(findOwnership(context, reference), signal);
  const standing = await unlessAborted(standingOf(context, ownership, account), signal);
  const base = baseOf(context, ownership);
  const ownCall =
    standing.isContract && standing.isExempt
      ? { to: ownership.address, data: base.interface.encodeFunctionData("setSkipNFT", [false]) }
      : undefined;
  const reasons: WhyReason[] = [];
  if (given === "mirror") {
    reasons.push({
      code: "mirror-address",
      message: `${ownership.mirror} is where deeds are (ERC-721); units are counted at ${ownership.address} (ERC-20).`,
      next: undefined,
    });
  }
  if (standing.wholeUnits === 0) reasons.push(noUnit(ownership, standing));
  if (standing.isExempt) reasons.push(exempt(ownership, standing, ownCall));
  if (standing.pending > 0) {
    const isExhausted = await unlessAborted(exhausted(context, ownership), signal);
    reasons.push(
      isExhausted
        ? await idsExhausted(context, ownership, standing, { signal })
        : pending(ownership, standing),
    );
  }
  if (standing.uncovered > 0) reasons.push(uncovered(ownership, standing));
  if (standing.wholeUnits > 0 && standing.pending === 0) reasons.push(hasDeeds(ownership, standing));
  return { ownership, standing, reasons, ownCall };
}

function noUnit(ownership: OwnershipName, { account, balanceWei, missingWei }: OwnershipStanding): WhyReason {
  const unit = formatAmount(ownership.unitWei, ownership);
  return {
    code: "no-unit",
    message:
      balanceWei === 0n
        ? `${account} has no ${ownership.symbol}. A deed stands for ${unit}.`
        : `${account} has ${formatAmount(balanceWei, ownership)}, and a deed stands for ${unit}.`,
    next: `With ${formatAmount(missingWei, ownership)} more it gets its first deed.`,
  };
}

function exempt(
  { address, symbol }: OwnershipName,
  { account, saidBy, isContract }: OwnershipStanding,
  ownCall: OwnCall | undefined,
): WhyReason {
  const call =
    ownCall === undefined
      ? ""
      : `have it call ${ownCall.to} with ${ownCall.data} (setSkipNFT(false)): that makes its deeds, and it gets them from then on.`;
  if (saidBy === "itself") {
    return {
      code: "exempt-self",
      message: `${account} has said that it wants no deeds of ${symbol}.`,
      next: isContract
        ? `To change that, ${call}`
        : `Change that with \`model exempt ${address} --undo\`: that makes up to 128 at once.`,
    };
  }
  if (saidBy === "owner") {
    return {
      code: "exempt-owner",
      message: `The owner of ${symbol} has said that the contract ${account} gets no deeds.`,
      next: `Whoever controls it can still choose for it: ${call}`,
    };
  }
  return {
    code: "exempt-contract",
    message: `${account} is a contract, and contracts get no deeds unless they ask for them; smart wallets are contracts.`,
    next: `If it is a wallet, ${call} Or transfer the units to an account without code.`,
  };
}

function pending({ address }: OwnershipName, { wholeUnits, deeds, ...rest }: OwnershipStanding): WhyReason {
  return {
    code: "pending",
    message: `Of ${wholeUnits} whole units ${deeds} have a deed, ${rest.pending} do not: one transfer makes at most 128, and none for an account that is exempt at that time.`,
    next: rest.isContract
      ? "It makes the others itself, by calling materialise(count) at the token."
      : `Make the others with \`model materialise ${address}\`.`,
  };
}

async function exhausted(
  context: Pick<ChainContext, "provider">,
  ownership: OwnershipName,
): Promise<boolean> {
  const base = baseOf(context, ownership);
  const [minted, queued, cap] = await asking(
    Promise.all([base.minted(), base.getERC721QueueLength(), base.cap()]),
  );
  return queued === 0n && minted === cap / ownership.unitWei;
}

async function idsExhausted(
  context: ChainContext,
  ownership: OwnershipName,
  { pending: wanted }: OwnershipStanding,
  { signal }: Abortable,
): Promise<WhyReason> {
  const { owners } = await readOwners(context, ownership.address, { signal });
  const holding = owners
    .filter(({ uncovered }) => uncovered > 0)
    .toSorted((one, other) => other.uncovered - one.uncovered);
  const who = holding.map((each) => `${each.account} (${each.uncovered})`).join(", ");
  const [most] = holding;
  return {
    code: "ids-exhausted",
    message: `${wanted} whole units have no deed, and all numbers are given out: some to accounts that have sold the units since, ${who}.`,
    next:
      most === undefined
        ? undefined
        : `Free them with \`model release ${ownership.address} --uncovered ${most.account}\`, which anybody may, and then \`model materialise ${ownership.address}\`.`,
  };
}

function uncovered({ address }: OwnershipName, { account, uncovered: count }: OwnershipStanding): WhyReason {
  return {
    code: "uncovered",
    message: `${count} deeds that ${account} had belong to nobody: it has transferred their units, more than one transfer takes deeds along for. Wallets that read logs alone may still show them.`,
    next: `Anybody makes the logs say so: \`model release ${address} --uncovered ${account}\`.`,
  };
}

function hasDeeds({ address, mirror, symbol }: OwnershipName, { deeds, ids }: OwnershipStanding): WhyReason {
  const shown = ids.slice(0, 10).join(", ");
  return {
    code: "has-deeds",
    message: `Each whole unit has its deed: ${deeds} of ${symbol}, number${deeds === 1 ? "" : "s"} ${shown}${deeds > 10 ? ", …" : ""}.`,
    next: `To see them in a wallet, add ${mirror} as a collection of NFTs (not ${address}, which is the token).`,
  };
}
