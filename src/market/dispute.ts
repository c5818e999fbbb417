import { hexlify, ZeroHash } from "ethers";

import { NamedArbiter__factory } from "../../types/factories/market/NamedArbiter__factory.ts";
import { unlessAborted } from "../abort.ts";
import { formatAmount } from "../amount.ts";
import { NeuraError } from "../errors.ts";
import { isBeforeJury } from "../jury/check.ts";
import { type ClosedTask, deliveredWords, requirePossible } from "./close.ts";
import { asking, type MarketContext, requireSigner } from "./context.ts";
import { taskValueToSend } from "./prepare.ts";
import { loadRecord } from "./records.ts";
import { reserveSpending, settleSpending } from "./spending.ts";
import { taskStatus, type TaskStatus } from "./status.ts";
import { chargeWei, encodeTerms, maximumCostWei, workHash } from "./terms.ts";
import { type Receipt, receiptOf } from "./transaction.ts";

/** What a dispute takes, and what can come of it [wei]. */
export interface DisputePlan {
  readonly id: string;
  readonly arbiter: string;
  readonly bondWei: bigint;
  /** The arbiter's, a part of the bond; the loser pays it. */
  readonly feeWei: bigint;
  /** How long the arbiter has, from the dispute on [s]. */
  readonly rulingSeconds: number;
  /** What the delivery costs, which comes back if the arbiter rules for the owner. */
  readonly priceWei: bigint;
  /** What winning brings in all, and what losing costs. */
  readonly gainWei: bigint;
  readonly lossWei: bigint;
  /** Disputing a delivery that costs less brings nothing, even if it is won. */
  readonly breakEvenPriceWei: bigint;
  /** From this chance of winning on it is worth it, on average [%]; 100 where it never is. */
  readonly breakEvenPercent: number;
}

/**
 * What disputing a delivery would take now, and could bring. Nothing is sent.
 * Errors: `task.not-possible`, those of `taskStatus`.
 */
export async function planDispute(
  context: MarketContext,
  id: string,
  { signal }: { signal?: AbortSignal | undefined } = {},
): Promise<DisputePlan> {
  const status = await taskStatus(context, id, { signal });
  return await planOf(context, status);
}

async function planOf({ contracts }: MarketContext, status: TaskStatus): Promise<DisputePlan> {
  requirePossible(status, "dispute");
  const { id, terms, delivery, priceWei: agreedWei } = status;
  const { bondWei, feeWei, rulingSeconds } = await asking(contracts.market.bondOf(encodeTerms(terms)));
  const priceWei = delivery === undefined ? 0n : chargeWei(terms, delivery, agreedWei);
  const { collateralWei } = terms;
  // The provider's collateral pays the fee as far as it goes; of the rest the owner gets half.
  const feeByProviderWei = feeWei < collateralWei ? feeWei : collateralWei;
  const besidesWei = (collateralWei - feeByProviderWei) / 2n - (feeWei - feeByProviderWei);
  const gainWei = priceWei + besidesWei;
  const chance = gainWei <= 0n ? 100 : Number((bondWei * 10_000n) / (bondWei + gainWei)) / 100;
  return {
    id,
    arbiter: terms.arbiter ?? "",
    bondWei,
    feeWei,
    rulingSeconds: Number(rulingSeconds),
    priceWei,
    gainWei,
    lossWei: bondWei,
    breakEvenPriceWei: besidesWei < 0n ? -besidesWei : 0n,
    breakEvenPercent: chance,
  };
}

export interface DisputeOptions {
  /** The first unit of work that is wrong, from 0. */
  readonly unit: bigint;
  /** The most that is put up [wei]. Default: what the plan says. */
  readonly maximumBondWei?: bigint | undefined;
  /**
   * Whether the audit seed is made public, which shows that nobody chose the units afterwards. Default: only before the
   * jury, which nobody can draw without it.
   */
  readonly revealSeed?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Disputes a delivery, for the owner or its delegate: from here on its provider can concede, and then the arbiter decides.
 *
 * Errors: `task.not-possible`, `dispute.bond-too-high`, `dispute.no-seed`, `wallet.*`, `limit.*`, those of `taskStatus`,
 * what the contract refuses.
 */
export async function disputeTask(
  context: MarketContext,
  id: string,
  { unit, maximumBondWei, revealSeed, signal }: DisputeOptions,
): Promise<ClosedTask & { readonly plan: DisputePlan }> {
  const before = await taskStatus(context, id, { signal });
  const plan = await planOf(context, before);
  const { currency } = context.deployment;
  const { bondWei } = plan;
  if (maximumBondWei !== undefined && bondWei > maximumBondWei) {
    const [bond, most] = [bondWei, maximumBondWei].map((each) => formatAmount(each, currency));
    throw new NeuraError(
      "dispute.bond-too-high",
      `The bond is ${bond}, more than the ${most} that were allowed.`,
      {
        next: "Allow more with --max-bond, or leave it: without a dispute the delivery is paid.",
        details: { bondWei, maximumBondWei },
      },
    );
  }
  const { terms, work } = before;
  const isShown = revealSeed === true || isBeforeJury(context, terms.arbiter);
  const seed = isShown ? await seedOf(context, id) : ZeroHash;
  const value = await taskValueToSend(context, terms, bondWei, "the bond");
  await reserveSpending(context, { taskId: id, costWei: maximumCostWei(terms) + bondWei });
  const sending = context.contracts.market.dispute(
    encodeTerms(terms),
    workHash(work),
    deliveredWords(before),
    unit,
    seed,
    maximumBondWei ?? bondWei,
    { value },
  );
  const transaction = await receiptOf(await unlessAborted(asking(sending), signal), signal);
  return { status: await taskStatus(context, id, { signal }), transaction, plan };
}

async function seedOf({ home }: MarketContext, id: string): Promise<string> {
  const record = await loadRecord(home, id);
  if (record !== undefined) return hexlify(record.auditSeed.reveal());
  throw new NeuraError("dispute.no-seed", `The audit seed of task ${id} is not on this machine.`, {
    next: "Dispute on the machine that submitted the task, or, unless it is before the jury, without revealing it.",
  });
}

// ---- Arbiters ----

/** One named arbiter: a contract through which an account decides. */
export interface ArbiterTerms {
  /** Who decides, for good. */
  readonly arbiter: string;
  /** A share of what the task can cost [bps], but at least so much [wei]. */
  readonly feeBps: number;
  readonly minimumFeeWei: bigint;
  /** How long it has to rule [s]. */
  readonly rulingSeconds: number;
}

/** Deploys an arbiter; owners name its address. */
export async function createArbiter(
  context: MarketContext,
  { arbiter, feeBps, minimumFeeWei, rulingSeconds }: ArbiterTerms,
): Promise<{ address: string; transaction: Receipt }> {
  const factory = new NamedArbiter__factory(requireSigner(context));
  const contract = await asking(factory.deploy(arbiter, feeBps, minimumFeeWei, rulingSeconds));
  const response = contract.deploymentTransaction();
  if (response === null) throw new Error("a deployment without a transaction");
  return { address: await contract.getAddress(), transaction: await receiptOf(response, undefined) };
}

/** What an arbiter asks, and what it has earned in this market [wei]. Error: `arbiter.unknown`. */
export async function readArbiter(
  { provider, contracts }: MarketContext,
  address: string,
): Promise<ArbiterTerms & { address: string; earnedWei: bigint }> {
  const contract = NamedArbiter__factory.connect(address, provider);
  try {
    const [arbiter, feeBps, minimumFeeWei, rulingSeconds, earnedWei] = await Promise.all([
      contract.arbiter(),
      contract.feeBps(),
      contract.minimumFeeWei(),
      contract.rulingSeconds(),
      contracts.market.balanceOf(address),
    ]);
    return {
      address,
      arbiter,
      feeBps: Number(feeBps),
      minimumFeeWei,
      rulingSeconds: Number(rulingSeconds),
      earnedWei,
    };
  } catch (cause) {
    throw new NeuraError("arbiter.unknown", `${address} is no named arbiter on this chain.`, {
      next: "Make one with `arbiter create`, or ask what it is: other arbiters are possible.",
      cause,
    });
  }
}

/**
 * Ends a dispute: `providerBps` [bps] of what the delivery costs is due. By the account of the task's named arbiter, or by
 * the arbiter itself where it is an account.
 *
 * Errors: `task.not-possible`, `dispute.not-arbiter`, those of `taskStatus`, what the contract refuses.
 */
export async function ruleTask(
  context: MarketContext,
  id: string,
  { providerBps, signal }: { providerBps: number; signal?: AbortSignal | undefined },
): Promise<ClosedTask> {
  const signer = requireSigner(context);
  const before = await taskStatus(context, id, { signal });
  requirePossible(before, "rule");
  const { terms, work } = before;
  const { market } = context.contracts;
  const call = [encodeTerms(terms), workHash(work), deliveredWords(before), providerBps] as const;
  const { arbiter = "" } = terms;
  const isItself = (await signer.getAddress()) === arbiter;
  const sending = isItself
    ? market.rule(...call)
    : NamedArbiter__factory.connect(arbiter, signer).rule(await market.getAddress(), ...call);
  const transaction = await receiptOf(await unlessAborted(asking(sending), signal), signal);
  const status = await taskStatus(context, id, { signal });
  await settleSpending(context, status);
  return { status, transaction };
}

/** Sends what a named arbiter earned in this market to `to`; by its account. */
export async function withdrawArbiter(
  context: MarketContext,
  address: string,
  { to }: { to: string },
): Promise<{ amountWei: bigint; transaction: Receipt }> {
  const contract = NamedArbiter__factory.connect(address, requireSigner(context));
  const market = context.deployment.contracts.TaskMarket;
  const amountWei = await context.contracts.market.balanceOf(address);
  const response = await asking(contract.withdraw(market, to));
  return { amountWei, transaction: await receiptOf(response, undefined) };
}
