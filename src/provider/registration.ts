import { type ContractTransactionResponse, type Provider, type Signer, ZeroAddress } from "ethers";

import { Erc20 } from "../chain/erc20.ts";
import type { Deployment } from "../deployment.ts";
import { NeuraError } from "../errors.ts";
import { asking, connectContracts } from "../market/context.ts";
import { packResources, type Resources, unpackResources } from "../market/resources.ts";

/** What a provider offers. */
export interface OfferRequest {
  /** The largest single task that fits on one of its machines. */
  readonly shape: Resources;
  /** Lowest price [wei/s]. */
  readonly rateWei: bigint;
  /** Tasks at the same time. */
  readonly slots: number;
  /** A URI, at most 256 bytes; empty for none. */
  readonly metadata: string;
}

/** All that the registry and the market have on a provider. Amounts in wei. */
export interface ProviderRecord extends OfferRequest {
  readonly account: string;
  readonly operator: string;
  readonly payout: string;
  readonly status: "active" | "paused";
  readonly registeredAtSeconds: number;
  readonly stakeWei: bigint;
  readonly lockedWei: bigint;
  readonly freeStakeWei: bigint;
  readonly unbondingWei: bigint;
  /** When what is unbonding can be taken out [Unix s]; 0 when nothing is. */
  readonly unbondsAtSeconds: number;
  /** Earned and not paid out. */
  readonly balanceWei: bigint;
  readonly completed: number;
  readonly secondsSold: number;
  readonly declined: number;
  readonly abandoned: number;
  readonly failed: number;
}

export interface Registrar {
  readonly deployment: Deployment;
  /** The provider's own account: its operator may do none of this. */
  readonly signer: Signer;
}

export interface Sent {
  readonly hash: string;
  readonly gasUsed: bigint;
}

const PAUSED = 2n;
const STATUS = { active: 1, paused: 2 } as const;

/** Everything about a provider; nothing when the account is not registered. */
export async function providerRecord(
  { deployment, provider }: { deployment: Deployment; provider: Provider },
  account: string,
): Promise<ProviderRecord | undefined> {
  const { registry, market } = connectContracts(deployment, provider);
  if ((await asking(registry.operatorOf(account))) === ZeroAddress) return undefined;
  const [found, free, balanceWei, { completed, secondsSold }] = await asking(
    Promise.all([
      registry.providerOf(account),
      registry.freeStakeOf(account),
      market.balanceOf(account),
      market.recordOf(account),
    ]),
  );
  const { offer } = found;
  return {
    account: found.account,
    operator: found.operator,
    payout: found.payout,
    status: found.status === PAUSED ? "paused" : "active",
    registeredAtSeconds: Number(found.registeredAt),
    shape: unpackResources(offer.shape),
    rateWei: offer.rateWei,
    slots: Number(offer.slots),
    metadata: offer.metadata,
    stakeWei: found.stake,
    lockedWei: found.locked,
    freeStakeWei: free,
    unbondingWei: found.unbonding,
    unbondsAtSeconds: Number(found.unbondsAt),
    balanceWei,
    completed: Number(completed),
    secondsSold: Number(secondsSold),
    declined: Number(found.declined),
    abandoned: Number(found.abandoned),
    failed: Number(found.failed),
  };
}

/** As {@link providerRecord}. Error: `provider.not-registered`. */
export async function requireProvider(
  place: { deployment: Deployment; provider: Provider },
  account: string,
): Promise<ProviderRecord> {
  const record = await providerRecord(place, account);
  if (record) return record;
  throw new NeuraError("provider.not-registered", `${account} is not registered as a provider.`, {
    next: "Register it with `provider register`, or see who is with `provider list`.",
  });
}

/** Registers the signer, once for all time. `operator` and `payout` may be the signer itself. */
export async function registerProvider(
  { deployment, signer }: Registrar,
  { operator, payout, offer }: { operator: string; payout: string; offer: OfferRequest },
): Promise<Sent> {
  const { registry } = connectContracts(deployment, signer);
  return await sent(registry.register(operator, payout, encodeOffer(offer)));
}

/** What is to be changed; what is left out stays. */
export interface ProviderChange {
  readonly offer?: OfferRequest | undefined;
  readonly operator?: string | undefined;
  readonly payout?: string | undefined;
  readonly status?: ProviderRecord["status"] | undefined;
}

/** One transaction for each kind of change. */
export async function updateProvider(
  { deployment, signer }: Registrar,
  change: ProviderChange,
): Promise<Sent[]> {
  const { registry } = connectContracts(deployment, signer);
  const done: Sent[] = [];
  if (change.offer) done.push(await sent(registry.updateOffer(encodeOffer(change.offer))));
  if (change.operator !== undefined) done.push(await sent(registry.setOperator(change.operator)));
  if (change.payout !== undefined) done.push(await sent(registry.setPayout(change.payout)));
  if (change.status) done.push(await sent(registry.setStatus(STATUS[change.status])));
  return done;
}

/** What to do with the stake. */
export type StakeMove =
  | { readonly kind: "add"; readonly amountWei: bigint }
  /** Begins to take it out; it can be withdrawn when it has unbonded. */
  | { readonly kind: "unstake"; readonly amountWei: bigint }
  | { readonly kind: "keep" }
  | { readonly kind: "withdraw"; readonly to: string };

/** Moves stake; for a token, the registry is allowed to take it first. */
export async function moveStake({ deployment, signer }: Registrar, move: StakeMove): Promise<Sent> {
  const { registry } = connectContracts(deployment, signer);
  switch (move.kind) {
    case "add": {
      const { currency, contracts } = deployment;
      if (currency.address === ZeroAddress) {
        return await sent(registry.stake(move.amountWei, { value: move.amountWei }));
      }
      const token = new Erc20(currency.address, signer);
      await token.allow(await signer.getAddress(), contracts.ProviderRegistry, move.amountWei);
      return await sent(registry.stake(move.amountWei));
    }
    case "unstake":
      return await sent(registry.unstake(move.amountWei));
    case "keep":
      return await sent(registry.cancelUnstake());
    case "withdraw":
      return await sent(registry.withdrawStake(move.to));
  }
}

/** Sends all that a provider has earned to its payout address. By the provider or its operator. */
export async function payOut({ deployment, signer }: Registrar, account: string): Promise<Sent> {
  const { market } = connectContracts(deployment, signer);
  return await sent(market.payout(account));
}

function encodeOffer({ shape, rateWei, slots, metadata }: OfferRequest): {
  shape: bigint;
  rateWei: bigint;
  slots: number;
  metadata: string;
} {
  return { shape: packResources(shape), rateWei, slots, metadata };
}

async function sent(call: Promise<ContractTransactionResponse>): Promise<Sent> {
  const receipt = await asking((await asking(call)).wait());
  if (receipt === null)
    throw new NeuraError("chain.unavailable", "The chain has no receipt of the transaction.");
  return { hash: receipt.hash, gasUsed: receipt.gasUsed };
}
