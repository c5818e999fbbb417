import { ZeroAddress } from "ethers";

import { type Abortable, unlessAborted } from "../abort.ts";
import { NeuraError } from "../errors.ts";
import { asking, type MarketContext, requireSigner } from "../market/context.ts";
import { type Receipt, receiptOf } from "../market/transaction.ts";
import { type JuryContext, juryOf } from "./case.ts";

/** A place of a provider that can be drawn. */
export interface Seat {
  readonly class: number;
  /** Counted from 0. */
  readonly seat: number;
  /** Whose stake it is; missing once that was given back. */
  readonly account?: string;
  readonly voter: string;
  /** [Unix s] */
  readonly sinceSeconds: number;
  readonly leftAtSeconds?: number;
  /** From when on its stake can be given back, where it left [Unix s]. */
  readonly releasableAtSeconds?: number;
  /** Of its stake: what it has lost [bps]. */
  readonly lostBps: number;
}

/** What the jury has fixed, and the seats of one class. Amounts in wei. */
export interface Seats {
  readonly jury: string;
  readonly class: number;
  readonly seatWei: bigint;
  readonly feeBps: number;
  readonly minimumFeeWei: bigint;
  /** The most that price and collateral may come to. */
  readonly capacityWei: bigint;
  readonly stepSeconds: number;
  readonly rulingSeconds: number;
  readonly seasoningSeconds: number;
  readonly seats: readonly Seat[];
  /** Of the account that was asked about; nothing without one. */
  readonly creditWei?: bigint;
}

/** Class of tasks that need a GPU, whichever it is. */
export const ANY_GPU = 65_535;

/** The seats of a class, or those of one account. Error: `jury.none`. */
export async function readSeats(
  { provider, deployment }: JuryContext,
  { class: ofClass, account, signal }: Abortable & { class: number; account?: string | undefined },
): Promise<Seats> {
  const jury = juryOf(deployment, provider);
  const reading = Promise.all([
    jury.seatWei(),
    jury.feeBps(),
    jury.minimumFeeWei(),
    jury.capacityWei(),
    jury.stepSeconds(),
    jury.rulingSeconds(),
    jury.seasoningSeconds(),
    jury.exitSeconds(),
    jury.seatCount(ofClass),
    account === undefined ? undefined : jury.creditOf(account),
  ]);
  const [seatWei, feeBps, minimumFeeWei, capacityWei, step, ruling, seasoning, exit, count, creditWei] =
    await unlessAborted(asking(reading), signal);
  const indices = Array.from({ length: Number(count) }, (_, index) => index);
  const words = await unlessAborted(
    asking(Promise.all(indices.map(async (index) => await jury.seatOf(ofClass, index)))),
    signal,
  );
  const seats = words.map(({ voter, since, leftAt, lostBps, account: holder }, seat) => ({
    ...{ class: ofClass, seat, voter, sinceSeconds: Number(since) },
    ...(holder === ZeroAddress ? {} : { account: holder }),
    ...(leftAt === 0n
      ? {}
      : { leftAtSeconds: Number(leftAt), releasableAtSeconds: Number(leftAt + exit) + 1 }),
    lostBps: Number(lostBps),
  }));
  return {
    jury: await jury.getAddress(),
    class: ofClass,
    ...{ seatWei, feeBps: Number(feeBps), minimumFeeWei, capacityWei },
    ...{ stepSeconds: Number(step), rulingSeconds: Number(ruling), seasoningSeconds: Number(seasoning) },
    seats: account === undefined ? seats : seats.filter((each) => each.account === account),
    ...(creditWei === undefined ? {} : { creditWei }),
  };
}

/**
 * Takes seats of a class with the signer's free stake; `voter` commits and reveals for them. Errors: `jury.none`, what the
 * contract refuses.
 */
export async function takeSeats(
  context: MarketContext,
  { class: ofClass, count, voter, signal }: Abortable & { class: number; count: number; voter: string },
): Promise<Receipt> {
  const jury = juryOf(context.deployment, requireSigner(context));
  const response = await unlessAborted(asking(jury.takeSeats(ofClass, count, voter)), signal);
  return await receiptOf(response, signal);
}

/**
 * Leaves all seats of the signer in a class that have not left yet: they are in no panel of a dispute that begins later.
 * Errors: `jury.no-seats`, what the contract refuses.
 */
export async function leaveSeats(
  context: MarketContext,
  { class: ofClass, signal }: Abortable & { class: number },
): Promise<{ readonly seats: readonly number[]; readonly transaction: Receipt }> {
  const jury = juryOf(context.deployment, requireSigner(context));
  const seats = await ownSeats(
    context,
    { class: ofClass, signal },
    ({ leftAtSeconds }) => leftAtSeconds === undefined,
  );
  const response = await unlessAborted(asking(jury.leaveSeats(ofClass, seats)), signal);
  return { seats, transaction: await receiptOf(response, signal) };
}

/**
 * Makes the stake of the signer's seats that left long enough ago free again. Errors: `jury.no-seats`, what the contract
 * refuses.
 */
export async function releaseSeats(
  context: MarketContext,
  { class: ofClass, signal }: Abortable & { class: number },
): Promise<{ readonly seats: readonly number[]; readonly transaction: Receipt }> {
  const jury = juryOf(context.deployment, requireSigner(context));
  const seats = await ownSeats(
    context,
    { class: ofClass, signal },
    ({ leftAtSeconds }) => leftAtSeconds !== undefined,
  );
  const response = await unlessAborted(asking(jury.releaseSeats(ofClass, seats)), signal);
  return { seats, transaction: await receiptOf(response, signal) };
}

/** Error: `jury.no-seats`. */
async function ownSeats(
  context: MarketContext,
  { class: ofClass, signal }: Abortable & { class: number },
  isWanted: (seat: Seat) => boolean,
): Promise<number[]> {
  const account = await requireSigner(context).getAddress();
  const { seats } = await readSeats(context, { class: ofClass, account, signal });
  const wanted = seats.filter(isWanted).map(({ seat }) => seat);
  if (wanted.length > 0) return wanted;
  throw new NeuraError("jury.no-seats", `${account} has no such seats in class ${ofClass}.`, {
    next: "See `jury seats --own` for those that it has, and name their class with --class.",
  });
}
