import { ZeroAddress } from "ethers";

import { ModelDeeds__factory } from "../../types/factories/model/ModelDeeds__factory.ts";
import { ModelOwnership__factory } from "../../types/factories/model/ModelOwnership__factory.ts";
import type { ModelDeeds } from "../../types/model/ModelDeeds.ts";
import type { ModelOwnership } from "../../types/model/ModelOwnership.ts";
import type { Unit } from "../amount.ts";
import { told } from "../chain/errors.ts";
import { NeuraError } from "../errors.ts";
import { asking, type ChainContext, connectContracts } from "../market/context.ts";
import { printable } from "../text.ts";

/** The two contracts that a model's ownership is, and what it is called. */
export interface OwnershipName extends Unit {
  /** The base, an ERC-20: balances, votes, rights. Wallets show it as a token. */
  readonly address: string;
  /** The mirror, an ERC-721: deeds. Wallets show it as a collection of NFTs. */
  readonly mirror: string;
  readonly name: string;
  /** So many of the smallest unit have a deed. */
  readonly unitWei: bigint;
}

/** The address of either contract, or the number of a registered model that names one. */
export type OwnershipReference = string | number;

export interface FoundOwnership {
  readonly ownership: OwnershipName;
  /** What the reference was. */
  readonly given: "base" | "mirror" | "model";
}

/** What of a stranger's name is shown. */
const MAX_SYMBOL = 16;
const MAX_NAME = 64;

/** The base, for reading. */
export function baseOf(
  { provider }: Pick<ChainContext, "provider">,
  { address }: Pick<OwnershipName, "address">,
): ModelOwnership {
  return ModelOwnership__factory.connect(address, provider);
}

/** The mirror, for reading. */
export function mirrorOf(
  { provider }: Pick<ChainContext, "provider">,
  { mirror }: Pick<OwnershipName, "mirror">,
): ModelDeeds {
  return ModelDeeds__factory.connect(mirror, provider);
}

/**
 * Finds a model's ownership by either of its addresses or by its model.
 * Errors: `ownership.unknown`, `model.unknown`, `model.no-ownership`.
 */
export async function findOwnership(
  context: ChainContext,
  reference: OwnershipReference,
): Promise<FoundOwnership> {
  const address = typeof reference === "string" ? reference : await tokenOf(context, reference);
  const found = await ownershipAt(context, address);
  if (found !== undefined) return typeof reference === "string" ? found : { ...found, given: "model" };
  const where =
    typeof reference === "string" ? `At ${address}` : `At ${address}, which model ${reference} names,`;
  throw new NeuraError("ownership.unknown", `${where} there is no model ownership of \`model issue\`.`, {
    next: "Give the address of its token or of its deeds, or choose another network with --network.",
    details: { address },
  });
}

/** The same, where it does not matter how it was found. */
export async function requireOwnership(
  context: ChainContext,
  reference: OwnershipReference,
): Promise<OwnershipName> {
  return (await findOwnership(context, reference)).ownership;
}

/** The token that a model's entry names. Errors: `model.unknown`, `model.no-ownership`. */
async function tokenOf({ deployment, provider }: ChainContext, model: number): Promise<string> {
  const { ownership } = await asking(connectContracts(deployment, provider).models.modelOf(model));
  if (ownership !== ZeroAddress) return ownership;
  throw new NeuraError("model.no-ownership", `Model ${model} names no ownership token.`, {
    next: `Its controller makes one with \`model issue … --model ${model}\`, or names one with \`model name ${model} 0x…\`.`,
    details: { model },
  });
}

/** What is at an address, as either contract of a pair that names the other one; of anything else: nothing. */
export async function ownershipAt(
  context: Pick<ChainContext, "provider">,
  given: string,
): Promise<FoundOwnership | undefined> {
  const [mirror, base] = await Promise.all([
    told(baseOf(context, { address: given }).mirrorERC721()),
    told(mirrorOf(context, { mirror: given }).baseERC20()),
  ]);
  if (mirror !== undefined) {
    const ownership = await pairOf(context, { address: given, mirror });
    if (ownership !== undefined) return { ownership, given: "base" };
  }
  if (base === undefined) return undefined;
  const ownership = await pairOf(context, { address: base, mirror: given });
  return ownership === undefined ? undefined : { ownership, given: "mirror" };
}

/** A pair's name, if each contract names the other one and the base counts as a model's ownership does. */
async function pairOf(
  context: Pick<ChainContext, "provider">,
  pair: { address: string; mirror: string },
): Promise<OwnershipName | undefined> {
  const base = baseOf(context, pair);
  const [mirror, address, unitWei, name, symbol, decimals, standing] = await Promise.all([
    told(base.mirrorERC721()),
    told(mirrorOf(context, pair).baseERC20()),
    told(base.units()),
    told(base.name()),
    told(base.symbol()),
    told(base.decimals()),
    told(base.standingOf(ZeroAddress)),
  ]);
  if (mirror !== pair.mirror || address !== pair.address || standing === undefined) return undefined;
  if (unitWei === undefined || unitWei === 0n || name === undefined) return undefined;
  if (symbol === undefined || decimals === undefined) return undefined;
  return {
    ...pair,
    name: printable(name, MAX_NAME),
    symbol: printable(symbol, MAX_SYMBOL),
    decimals: Number(decimals),
    unitWei,
  };
}
