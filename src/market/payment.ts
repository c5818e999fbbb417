import type { DeliveryFacts, DisputeFacts, ResolutionFacts } from "./events.ts";
import { Outcome } from "./outcome.ts";
import type { MarketRules } from "./rules.ts";
import { chargeWei, maximumCostWei, type Terms } from "./terms.ts";

/** What moved until a task had ended [wei]; what is 0 of the optional ones is left out. */
export interface Payment {
  /** What its provider sold it for, fee and royalty included. */
  readonly paidWei: bigint;
  readonly feeWei: bigint;
  /** Back to who paid for it. */
  readonly refundedWei: bigint;
  /** To the model's revenue address. */
  readonly royaltyWei?: bigint;
  /** Taken of its providers' collateral. */
  readonly slashedWei?: bigint;
  /** Of that, to the owner. */
  readonly compensationWei?: bigint;
  /** What the owner put up for a dispute, and what of it came back. */
  readonly bondWei?: bigint;
  readonly bondBackWei?: bigint;
}

/** All that decides about the money of an ended task. */
export interface Ending {
  readonly terms: Terms;
  readonly outcome: Outcome;
  readonly feeBps: number;
  /** What was agreed [wei, or wei/s]. */
  readonly priceWei: bigint;
  readonly delivery: DeliveryFacts | undefined;
  readonly dispute: DisputeFacts | undefined;
  readonly resolution: ResolutionFacts | undefined;
  /** Why its first provider was out of it, where a backup was named. */
  readonly passedOn: Outcome | undefined;
  /** Of a lease that was ready. */
  readonly lease: { readonly upSeconds: number; readonly extraSeconds: number } | undefined;
  /** What of it was paid before its end [wei]. */
  readonly drawsWei: readonly bigint[];
  readonly rules: MarketRules;
}

const BPS = 10_000n;

/** As the contracts settle, rounding included. */
export function paymentOf(ending: Ending): Payment {
  const { terms, feeBps, priceWei, lease, drawsWei, dispute, resolution } = ending;
  const paidWei = lease === undefined ? deliveredWei(ending) : priceWei * BigInt(lease.upSeconds);
  const fundedWei = maximumCostWei(terms) + priceWei * BigInt(lease?.extraSeconds ?? 0);
  // Fee and royalty are rounded down with each payment.
  const payments = [...drawsWei, paidWei - sumOf(drawsWei)];
  const shareWei = (bps: number): bigint => sumOf(payments.map((each) => (each * BigInt(bps)) / BPS));
  const slashes = [...slashOf(ending.passedOn, ending), ...slashOf(ending.outcome, ending)];
  const optional = {
    royaltyWei: shareWei(terms.conditions.royaltyBps ?? 0),
    slashedWei: sumOf(slashes.map(({ slashedWei }) => slashedWei)),
    compensationWei: sumOf(slashes.map(({ compensationWei }) => compensationWei)),
    bondWei: dispute?.bondWei ?? 0n,
    bondBackWei: resolution?.bondBackWei ?? 0n,
  };
  return {
    paidWei,
    feeWei: shareWei(feeBps),
    refundedWei: fundedWei - paidWei,
    ...Object.fromEntries(Object.entries(optional).filter(([, wei]) => wei !== 0n)),
  };
}

/** What an owner's client committed and does not get back: the price, and what it lost of a bond [wei]. */
export function spentWei({ paidWei, bondWei = 0n, bondBackWei = 0n }: Payment): bigint {
  return paidWei + bondWei - bondBackWei;
}

function deliveredWei({ terms, delivery, priceWei, resolution }: Ending): bigint {
  if (delivery === undefined) return 0n;
  const wei = chargeWei(terms, delivery, priceWei);
  return resolution === undefined ? wei : (wei * BigInt(resolution.providerBps)) / BPS;
}

interface Slash {
  readonly slashedWei: bigint;
  readonly compensationWei: bigint;
}

function slashOf(outcome: Outcome | undefined, ending: Ending): Slash[] {
  const { collateralWei } = ending.terms;
  const { bountyBps, abandonBps } = ending.rules;
  switch (outcome) {
    case Outcome.ProviderAbandoned:
    case Outcome.ProviderClosed: {
      const slashedWei = (collateralWei * abandonBps + BPS - 1n) / BPS;
      return [{ slashedWei, compensationWei: slashedWei }];
    }
    case Outcome.ProviderLate:
    case Outcome.ProviderNotReady:
    case Outcome.ProviderDown: {
      const bountyWei = (collateralWei * bountyBps) / BPS;
      return [{ slashedWei: collateralWei, compensationWei: collateralWei - bountyWei }];
    }
    case Outcome.Conceded:
    case Outcome.RuledForOwner:
    case Outcome.RuledInPart:
      return resolvedSlash(outcome, ending);
    default:
      return [];
  }
}

function resolvedSlash(outcome: Outcome, { dispute, resolution }: Ending): Slash[] {
  if (dispute === undefined || resolution === undefined) return [];
  const { slashedWei, providerBps } = resolution;
  if (outcome === Outcome.Conceded) return [{ slashedWei, compensationWei: slashedWei }];
  const { feeWei } = dispute;
  const lostFeeWei = feeWei - (feeWei * BigInt(providerBps)) / BPS;
  const feeByProviderWei = lostFeeWei < slashedWei ? lostFeeWei : slashedWei;
  return [{ slashedWei, compensationWei: (slashedWei - feeByProviderWei) / 2n }];
}

function sumOf(amounts: readonly bigint[]): bigint {
  return amounts.reduce((sum, each) => sum + each, 0n);
}
