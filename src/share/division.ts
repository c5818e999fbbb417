/** How revenue is divided, as `contracts/model/RevenueShareToken.sol` does it, rounding included. */

const BPS = 10_000n;
/** The index counts in 2^-106 of the smallest unit. */
const INDEX_BITS = 106n;

export interface Division {
  /** What one token of those that took part gets [2^-106 of the smallest unit]. */
  readonly step: bigint;
  readonly claimableWei: bigint;
  readonly redeemableWei: bigint;
}

/** What becomes of a period's revenue; what is left of it is the beneficiary's. */
export function divide(revenueWei: bigint, eligibleWei: bigint, claimBps: number): Division {
  const partWei = (revenueWei * BigInt(claimBps)) / BPS;
  const redeemableWei = revenueWei - partWei;
  if (eligibleWei === 0n) return { step: 0n, claimableWei: 0n, redeemableWei };
  return {
    step: ((partWei << INDEX_BITS) + eligibleWei - 1n) / eligibleWei,
    claimableWei: partWei,
    redeemableWei,
  };
}

/** What so many tokens get of steps of the index, rounded down [smallest unit]. */
export function earnedWei(sharesWei: bigint, steps: bigint): bigint {
  return (sharesWei * steps) >> INDEX_BITS;
}
