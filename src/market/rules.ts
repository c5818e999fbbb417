import type { Contracts } from "./context.ts";

/** What a market's contract has fixed for all tasks: windows [s], shares [bps]. */
export interface MarketRules {
  readonly declineWindowSeconds: number;
  readonly keyWindowSeconds: number;
  readonly takeOverWindowSeconds: number;
  readonly concessionWindowSeconds: number;
  /** So many heartbeats of a lease may be missed. */
  readonly missedHeartbeats: number;
  /** Of slashed collateral, to whoever ended the task. */
  readonly bountyBps: bigint;
  /** Of the collateral, for giving a task up. */
  readonly abandonBps: bigint;
  /** Of what the task can cost: what an owner can lose of its bond to the provider. */
  readonly disputeBps: bigint;
}

const known = new WeakMap<Contracts, Promise<MarketRules>>();

/** The rules of this market, which never change: the chain is asked once. */
export async function rulesOf(contracts: Contracts): Promise<MarketRules> {
  let rules = known.get(contracts);
  if (rules === undefined) {
    rules = readRules(contracts);
    known.set(contracts, rules);
    rules.catch(() => known.delete(contracts));
  }
  return await rules;
}

async function readRules({ market }: Contracts): Promise<MarketRules> {
  const [decline, key, takeOver, concession, missed, bountyBps, abandonBps, disputeBps] = await Promise.all([
    market.declineWindow(),
    market.keyWindow(),
    market.takeOverWindow(),
    market.concessionWindow(),
    market.MISSED_HEARTBEATS(),
    market.BOUNTY_BPS(),
    market.ABANDON_BPS(),
    market.DISPUTE_BPS(),
  ]);
  return {
    declineWindowSeconds: Number(decline),
    keyWindowSeconds: Number(key),
    takeOverWindowSeconds: Number(takeOver),
    concessionWindowSeconds: Number(concession),
    missedHeartbeats: Number(missed),
    bountyBps,
    abandonBps,
    disputeBps,
  };
}
