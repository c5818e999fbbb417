import type { Signer } from "ethers";

import { IProviderRewards__factory } from "../../types/factories/interfaces/IProviderRewards__factory.ts";
import type { IProviderRewards } from "../../types/interfaces/IProviderRewards.ts";
import { unlessAborted } from "../abort.ts";
import { NeuraError } from "../errors.ts";
import { asking, chainTime, type MarketContext, requireSigner } from "./context.ts";
import { type Receipt, receiptOf } from "./transaction.ts";

/** What providers get in proportion to their fees, as `contracts/interfaces/IProviderRewards.sol` describes it. */

/** A provider's part of one epoch. */
export interface EpochReward {
  readonly epoch: number;
  /** The last second of it [Unix s]. */
  readonly endsAtSeconds: number;
  readonly feesWei: bigint;
  /** Of an epoch that is not over, what it would be if it ended now [wei]. */
  readonly rewardWei: bigint;
  /** Of all providers [wei]. */
  readonly allFeesWei: bigint;
  readonly budgetWei: bigint;
  readonly claimed: boolean;
  readonly isOver: boolean;
}

export interface RewardsView {
  readonly potWei: bigint;
  readonly currentEpoch: number;
  readonly epochSeconds: number;
  /** Missing while the provider was never recorded: what it pays until then does not count. */
  readonly joinedAtSeconds: number | undefined;
  /** Fees from its settlements that no epoch counts yet [wei]. */
  readonly unrecordedWei: bigint;
  /** The newest first; those in which it paid fees. */
  readonly epochs: readonly EpochReward[];
}

interface Abortable {
  readonly signal?: AbortSignal | undefined;
}

/** How many epochs are looked at. */
const EPOCHS = 12;

/** What a provider gets, and has got, of the last twelve epochs. */
export async function showRewards(
  context: MarketContext,
  provider: string,
  { signal }: Abortable = {},
): Promise<RewardsView> {
  const { contracts } = context;
  const rewards = rewardsAt(context);
  const [potWei, current, length, startedAt, recorded, due, paid] = await unlessAborted(
    asking(
      Promise.all([
        ...([rewards.pot(), rewards.currentEpoch(), rewards.epochSeconds(), rewards.startedAt()] as const),
        rewards.recordedOf(provider),
        ...([contracts.market.feesDue(provider), contracts.market.feesPaidOf(provider)] as const),
      ]),
    ),
    signal,
  );
  const first = current >= EPOCHS ? Number(current) - EPOCHS + 1 : 0;
  const numbers = Array.from({ length: Number(current) - first + 1 }, (_, index) => Number(current) - index);
  const epochs = await unlessAborted(
    Promise.all(
      numbers.map(async (epoch): Promise<EpochReward> => {
        const [own, all] = await Promise.all([rewards.rewardOf(provider, epoch), rewards.epochOf(epoch)]);
        return {
          epoch,
          endsAtSeconds: Number(startedAt) + (epoch + 1) * Number(length) - 1,
          ...{ feesWei: own.feesWei, rewardWei: own.rewardWei, claimed: own.claimed },
          ...{ allFeesWei: all.feesWei, budgetWei: all.budgetWei },
          isOver: epoch < Number(current),
        };
      }),
    ),
    signal,
  );
  return {
    potWei,
    currentEpoch: Number(current),
    epochSeconds: Number(length),
    joinedAtSeconds: recorded.joinedAt === 0n ? undefined : Number(recorded.joinedAt),
    unrecordedWei: recorded.joinedAt === 0n ? 0n : due + paid - recorded.feesWei,
    epochs: epochs.filter(({ feesWei }) => feesWei > 0n),
  };
}

/** Counts the fees of these providers in the epoch of now; who is new takes part from now on. Anyone. */
export async function recordFees(
  context: MarketContext,
  providers: readonly string[],
  { signal }: Abortable = {},
): Promise<Receipt> {
  const rewards = rewardsAt(context, requireSigner(context));
  return await receiptOf(await asking(rewards.record([...providers])), signal);
}

/**
 * Sends a provider's rewards to its payout address: of one epoch, or of all of the last twelve that are over and not
 * claimed. Anyone. Error: `rewards.nothing`.
 */
export async function claimRewards(
  context: MarketContext,
  provider: string,
  { epoch, signal }: Abortable & { readonly epoch?: number | undefined } = {},
): Promise<{ claimed: readonly EpochReward[]; transactions: readonly Receipt[] }> {
  const { epochs } = await showRewards(context, provider, { signal });
  const claimed = epochs.filter(
    (each) => each.isOver && !each.claimed && (epoch === undefined || each.epoch === epoch),
  );
  if (claimed.length === 0) {
    throw new NeuraError("rewards.nothing", `Nothing is to be claimed for ${provider}.`, {
      next: "See `ops rewards show`: rewards can be claimed when their epoch is over.",
      details: { provider, atSeconds: await chainTime(context.provider) },
    });
  }
  const rewards = rewardsAt(context, requireSigner(context));
  const transactions: Receipt[] = [];
  for (const each of claimed) {
    transactions.push(await receiptOf(await asking(rewards.claim(provider, each.epoch)), signal));
  }
  return { claimed, transactions };
}

function rewardsAt({ deployment, provider }: MarketContext, signer?: Signer): IProviderRewards {
  return IProviderRewards__factory.connect(deployment.contracts.ProviderRewards, signer ?? provider);
}
