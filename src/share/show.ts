import { ZeroAddress } from "ethers";

import { Erc20 } from "../chain/erc20.ts";
import { type Abortable, unlessAborted } from "../abort.ts";
import { told } from "../chain/errors.ts";
import { asking, type ChainContext, chainTime, connectContracts } from "../market/context.ts";
import { isListed, shareAt } from "./context.ts";
import { nameOf, type RevenueToken, type ShareName } from "./tokens.ts";

/** What a share has of one revenue token [smallest unit]. */
export interface ShareFunds {
  readonly token: RevenueToken;
  /** All that is accounted for: of this period, to be claimed, redeemed and withdrawn. */
  readonly heldWei: bigint;
  /** Came in during the present period, and is divided when it is over. */
  readonly pendingWei: bigint;
  /** What burning all tokens would pay. */
  readonly redeemableWei: bigint;
  /** Has come without a call, and counts from the next one on; nothing where the token does not say. */
  readonly uncountedWei: bigint;
  /** Royalties in the deployment's market, until somebody collects them. */
  readonly inMarketWei: bigint;
}

/** Everything about a share that is nobody's own. */
export interface ShareView extends ShareName {
  /** Whether the deployment's factory made it: then it is known how it behaves. */
  readonly isListed: boolean;
  readonly supplyWei: bigint;
  /** Tokens that take part in revenue now. */
  readonly eligibleWei: bigint;
  /** Tokens that redeemable revenue is divided by. */
  readonly redemptionSupplyWei: bigint;
  /** Tokens that are away over the bridge. */
  readonly awayWei: bigint;
  readonly capWei: bigint;
  /** Missing where nobody may mint, or nobody may any more. */
  readonly minter: string | undefined;
  readonly mintUntilSeconds: number | undefined;
  readonly periodSeconds: number;
  /** Part of a period's revenue that is claimable [1/10,000]; the rest is redeemable. */
  readonly claimBps: number;
  readonly beneficiary: string;
  /** Whoever may exclude contracts that cannot claim; missing: nobody. */
  readonly owner: string | undefined;
  readonly bridge: string | undefined;
  /** The newest snapshot; 0: none. */
  readonly lastSnapshot: number;
  /** When the present period ends [Unix s]. */
  readonly nextSnapshotAtSeconds: number;
  readonly nowSeconds: number;
  readonly funds: readonly ShareFunds[];
}

/** Reads a share. Error: `share.unknown`. */
export async function readShare(
  context: ChainContext,
  address: string,
  { signal }: Abortable = {},
): Promise<ShareView> {
  return await unlessAborted(asking(readAll(context, address)), signal);
}

async function readAll(context: ChainContext, address: string): Promise<ShareView> {
  const { provider, deployment } = context;
  const name = await nameOf(context, address);
  const share = shareAt(context, address);
  const [supplyWei, eligibleWei, redemptionSupplyWei, awayWei, capWei, minter, mintUntil] = await Promise.all(
    [
      share.totalSupply(),
      share.eligibleSupply(),
      share.redemptionSupply(),
      share.away(),
      share.cap(),
      share.minter(),
      share.mintUntil(),
    ],
  );
  const [periodSeconds, claimBps, beneficiary, owner, bridge, last, nowSeconds] = await Promise.all([
    share.periodSeconds(),
    share.claimBps(),
    share.beneficiary(),
    share.owner(),
    share.bridge(),
    share.lastSnapshot(),
    chainTime(provider),
  ]);
  const canMint = minter !== ZeroAddress && mintUntil >= nowSeconds;
  const { market } = connectContracts(deployment, provider);
  const funds = name.tokens.map(async (token): Promise<ShareFunds> => {
    const { held, pending, redeemable } = await share.fundsOf(token.address);
    const hasWei = await balanceOf(context, token.address, address);
    const isCurrency = token.address === deployment.currency.address;
    return {
      ...{ token, heldWei: held, pendingWei: pending, redeemableWei: redeemable },
      uncountedWei: hasWei > held ? hasWei - held : 0n,
      inMarketWei: isCurrency ? await market.balanceOf(address) : 0n,
    };
  });
  return {
    ...name,
    isListed: await isListed(context, address),
    ...{ supplyWei, eligibleWei, redemptionSupplyWei, awayWei, capWei },
    minter: canMint ? minter : undefined,
    mintUntilSeconds: canMint ? Number(mintUntil) : undefined,
    periodSeconds: Number(periodSeconds),
    claimBps: Number(claimBps),
    beneficiary,
    owner: owner === ZeroAddress ? undefined : owner,
    bridge: bridge === ZeroAddress ? undefined : bridge,
    lastSnapshot: Number(last),
    nextSnapshotAtSeconds: Number(await share.endOf(last + 1n)),
    nowSeconds,
    funds: await Promise.all(funds),
  };
}

async function balanceOf({ provider }: ChainContext, token: string, account: string): Promise<bigint> {
  if (token === ZeroAddress) return await provider.getBalance(account);
  return (await told(new Erc20(token, provider).balanceOf(account))) ?? 0n;
}
