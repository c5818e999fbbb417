import { ZeroAddress } from "ethers";

import { type Abortable, unlessAborted } from "../abort.ts";
import { asking, type ChainContext, chainTime } from "../market/context.ts";
import { printable } from "../text.ts";
import {
  baseOf,
  mirrorOf,
  type OwnershipName,
  type OwnershipReference,
  requireOwnership,
} from "./context.ts";

/** Everything about a model's ownership that is nobody's own. */
export interface OwnershipView extends OwnershipName {
  readonly licence: string;
  readonly supplyWei: bigint;
  readonly capWei: bigint;
  /** Whole units in it, and how many of these could be at most. */
  readonly wholeUnits: number;
  readonly maxUnits: number;
  /** Deeds that are made and not given back. */
  readonly deeds: number;
  /** Deeds that wait to be given out again, before new ones are made. */
  readonly queued: number;
  /** Missing where nobody may mint, or nobody may any more. */
  readonly minter: string | undefined;
  readonly mintUntilSeconds: number | undefined;
  /** Whoever may exempt contracts and choose how deeds look; missing: nobody. */
  readonly owner: string | undefined;
  /** Where deeds' pictures come from. */
  readonly metadata: string;
  /** Whether they come from the deployment's, which draws them on chain. */
  readonly isDrawn: boolean;
  /** What markets are asked to give of a deed's price (ERC-2981) [1/10,000], and to whom. */
  readonly royaltyBps: number;
  readonly royaltyReceiver: string | undefined;
}

/** What of a stranger's text is shown. */
const MAX_LICENCE = 128;
const BPS = 10_000;

/** Reads a model's ownership. Error: `ownership.unknown`. */
export async function readOwnership(
  context: ChainContext,
  reference: OwnershipReference,
  { signal }: Abortable = {},
): Promise<OwnershipView> {
  const ownership = await unlessAborted(requireOwnership(context, reference), signal);
  return await unlessAborted(asking(readAll(context, ownership)), signal);
}

async function readAll(context: ChainContext, ownership: OwnershipName): Promise<OwnershipView> {
  const base = baseOf(context, ownership);
  const mirror = mirrorOf(context, ownership);
  const [licence, supplyWei, capWei, minter, mintUntil, owner] = await Promise.all([
    base.licence(),
    base.totalSupply(),
    base.cap(),
    base.minter(),
    base.mintUntil(),
    base.owner(),
  ]);
  const [deeds, queued, metadata, [receiver, bps], nowSeconds] = await Promise.all([
    mirror.totalSupply(),
    base.getERC721QueueLength(),
    mirror.metadata(),
    mirror.royaltyInfo(1, BPS),
    chainTime(context.provider),
  ]);
  const canMint = minter !== ZeroAddress && mintUntil >= nowSeconds && supplyWei < capWei;
  return {
    ...ownership,
    licence: printable(licence, MAX_LICENCE),
    ...{ supplyWei, capWei },
    wholeUnits: Number(supplyWei / ownership.unitWei),
    maxUnits: Number(capWei / ownership.unitWei),
    deeds: Number(deeds),
    queued: Number(queued),
    minter: canMint ? minter : undefined,
    mintUntilSeconds: canMint ? Number(mintUntil) : undefined,
    owner: owner === ZeroAddress ? undefined : owner,
    metadata,
    isDrawn: metadata === context.deployment.contracts.DeedCertificate,
    royaltyBps: Number(bps),
    royaltyReceiver: bps === 0n ? undefined : receiver,
  };
}
