/** What a dispute before the jury moves, worked out apart from the contracts, in whole wei. */

/** What a deployment fixes; the deploy task's defaults. */
export const RULES = {
  seatWei: 1_000n * 10n ** 18n,
  juryFeeBps: 600n,
  minimumFeeWei: 3n * 10n ** 16n,
  protocolFeeBps: 250n,
  penaltyBps: 500n,
  concedeBps: 5_000n,
} as const;

/** A ballot: whose fingerprint it shows (equal names are near each other), and what is due to the provider [bps]. */
export interface Ballot {
  readonly work: string;
  readonly bps: bigint;
}

export const SILENT = undefined;
export type Vote = Ballot | typeof SILENT;

/** How a case goes: panels of 3 and, after an appeal, of 15. */
export interface Trial {
  readonly priceWei: bigint;
  readonly collateralWei: bigint;
  readonly first: readonly Vote[];
  readonly second?: readonly Vote[];
  readonly appellant?: "owner" | "provider";
  /** The provider kept its half of the seed. */
  readonly isWithheld?: boolean;
  /** The owner did not hand the payload over: the provider wins. */
  readonly isLapsed?: boolean;
}

/** Gains of each party [wei], with what the provider is paid for its delivery, without anybody's work and gas. */
export interface Money {
  readonly owner: bigint;
  readonly provider: bigint;
  readonly first: readonly bigint[];
  readonly second: readonly bigint[];
  readonly treasury: bigint;
}

const BPS = 10_000n;
const FIRST = 3;
const SECOND = 15;

export function feeOf(priceWei: bigint): bigint {
  const fee = ceilDiv(priceWei * RULES.juryFeeBps, BPS);
  const atLeast = fee > RULES.minimumFeeWei ? fee : RULES.minimumFeeWei;
  return atLeast < priceWei ? atLeast : priceWei;
}

/** What a juror loses: half of what the dispute can move, rounded up to a ten-thousandth of a seat. */
export function fineOf(priceWei: bigint, collateralWei: bigint): bigint {
  const movedWei = priceWei + ceilDiv(priceWei * RULES.penaltyBps, BPS) + collateralWei;
  return (RULES.seatWei * ceilDiv(movedWei * BPS, 2n * RULES.seatWei)) / BPS;
}

export function appealBondOf(priceWei: bigint): bigint {
  return (feeOf(priceWei) / BigInt(FIRST)) * BigInt(SECOND);
}

/** What a false accusation costs its owner: the jury's fee and the accused's penalty. */
export function lostBondOf(priceWei: bigint): bigint {
  return feeOf(priceWei) + ceilDiv(priceWei * RULES.penaltyBps, BPS);
}

/** What the provider's share decides for both sides [wei]: the market's rule, with `due` [bps]. */
export function rule(priceWei: bigint, collateralWei: bigint, due: bigint) {
  const fee = feeOf(priceWei);
  const slashed = ceilDiv(collateralWei * (BPS - due), BPS);
  const asked = fee - (fee * due) / BPS;
  const feeByProvider = asked < slashed ? asked : slashed;
  const penalty = ((lostBondOf(priceWei) - fee) * due) / BPS;
  const compensation = (slashed - feeByProvider) / 2n;
  const paid = (priceWei * due) / BPS;
  const cut = (paid * RULES.protocolFeeBps) / BPS;
  return {
    owner: compensation - (fee - feeByProvider) - penalty - paid,
    provider: paid - cut + penalty - slashed,
    treasury: slashed - feeByProvider - compensation + cut,
  };
}

interface Tally {
  readonly isDecided: boolean;
  readonly bps: bigint;
  /** Whose fingerprint the median is, if anybody's. */
  readonly work: string | undefined;
}

/**
 * Fingerprints of other work differ in half of their bits, so the median is that of a strict majority of those shown, and
 * near to nobody's where there is none.
 */
function tally(votes: readonly Vote[], size: number): Tally {
  const shown = votes.filter((vote) => vote !== undefined);
  const work = shown.find(
    ({ work }) => 2 * shown.filter((each) => each.work === work).length > shown.length,
  )?.work;
  const near = shown.filter((each) => each.work === work).map(({ bps }) => bps);
  for (const isForProvider of [false, true]) {
    const side = near
      .filter((bps) => bps >= BPS / 2n === isForProvider)
      .toSorted((one, two) => Number(one - two));
    const middle = side[Math.floor((side.length - 1) / 2)];
    if (2 * side.length > size && middle !== undefined) return { isDecided: true, bps: middle, work };
  }
  return { isDecided: false, bps: 0n, work };
}

/** What a whole case moves. */
export function settle(trial: Trial): Money {
  const {
    priceWei,
    collateralWei,
    first,
    second = [],
    appellant,
    isWithheld = false,
    isLapsed = false,
  } = trial;
  const fee = feeOf(priceWei);
  const share = fee / BigInt(FIRST);
  const fine = fineOf(priceWei, collateralWei);
  const one = tally(first, FIRST);
  const two = tally(second, SECOND);
  const last = two.isDecided ? two : one;
  const isRuled = isLapsed || last.isDecided;
  let due = isLapsed ? BPS : last.bps;
  const isTurned = !one.isDecided || one.bps >= BPS / 2n !== due >= BPS / 2n;
  if (isWithheld && !isLapsed) {
    const price = (fee * BPS) / (priceWei + collateralWei);
    due = due > price ? due - price : 0n;
  }
  const gainOf = (vote: Vote): bigint => {
    // Who never got the payload is neither paid nor fined.
    if (isLapsed) return 0n;
    if (vote === undefined) return -fine;
    if (!last.isDecided) return 0n;
    return vote.work === last.work && vote.bps >= BPS / 2n === last.bps >= BPS / 2n ? share : -fine;
  };
  const [gains, others] = [first.map(gainOf), second.map(gainOf)];
  const sumOf = (pick: (gain: bigint) => boolean): bigint =>
    [...gains, ...others].filter(pick).reduce((sum, gain) => sum + gain, 0n);
  const [dues, fines] = [sumOf((gain) => gain > 0n), -sumOf((gain) => gain < 0n)];
  const covered = (isRuled ? fee : 0n) + fines;
  const bond = appellant === undefined ? 0n : appealBondOf(priceWei);
  const missing = dues > covered ? dues - covered : 0n;
  const taken = isRuled && !isTurned ? bond : missing < bond ? missing : bond;
  const cut = (priceWei * RULES.protocolFeeBps) / BPS;
  // A jury that does not rule leaves the provider paid, and the bond its owner's.
  const sides = isRuled
    ? rule(priceWei, collateralWei, due)
    : { owner: -priceWei, provider: priceWei - cut, treasury: cut };
  return {
    owner: sides.owner - (appellant === "owner" ? taken : 0n),
    provider: sides.provider - (appellant === "provider" ? taken : 0n),
    treasury: sides.treasury + covered + taken - dues,
    ...{ first: gains, second: others },
  };
}

function ceilDiv(value: bigint, by: bigint): bigint {
  return (value + by - 1n) / by;
}
