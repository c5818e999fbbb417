import { type Abortable, unlessAborted } from "../abort.ts";
import { readLogs } from "../chain/logs.ts";
import { lastBlockAt } from "../market/history.ts";
import { collectAttestations, isDelivered, quorumOf } from "./attestations.ts";
import { blockAt, type Bridge, headsOf, routeFrom } from "./context.ts";
import { type FoundTransfer, findTransfer } from "./find.ts";
import { payLimitOf, readEnd, secondsUntil } from "./limits.ts";
import { topicOf } from "./message.ts";

/** Where a transfer is, in the order in which it goes. */
export const TRANSFER_PHASES = [
  /** The block that it was sent in can still be replaced. */
  "not-final",
  /** Not enough attesters have signed, or it is not known whether they have. */
  "attesting",
  /** Anybody can deliver it. */
  "deliverable",
  /** Above the threshold: it waits. */
  "waiting",
  /** The limit lets nothing of it pass yet. */
  "over-limit",
  /** Anybody can have it paid. */
  "releasable",
  "vetoed",
  /** It could not be paid, and can be claimed. */
  "credited",
  /** What could not be paid was claimed. */
  "claimed",
  "paid",
] as const;
export type TransferPhase = (typeof TRANSFER_PHASES)[number];

export interface TransferStatus {
  readonly transfer: FoundTransfer;
  readonly phase: TransferPhase;
  /** Why it is not further. */
  readonly reason: string;
  /** The command that brings it on now, if one does. */
  readonly next: string | undefined;
  /** When that is worth trying, if not now [Unix s of the destination]. */
  readonly atSeconds: number | undefined;
  /** What is still to be paid [wei]. */
  readonly leftWei: bigint;
  readonly attestations: { readonly good: number; readonly needed: number } | undefined;
  readonly troubles: readonly string[];
}

export interface StatusOptions extends Abortable {
  /** URLs of attesters. */
  readonly attesters?: readonly string[];
}

type Progress = Omit<
  TransferStatus,
  "transfer" | "leftWei" | "attestations" | "troubles" | "atSeconds" | "next"
> &
  Partial<Pick<TransferStatus, "leftWei" | "attestations" | "troubles" | "atSeconds" | "next">>;

/** A destination's clock may be behind its source's by so much [s]. */
const SKEW_SECONDS = 3_600;

/** Where a transfer is, why it is not further, and what can be done. Errors: those of {@link findTransfer}. */
export async function transferStatus(
  bridge: Bridge,
  reference: string,
  { attesters = [], signal }: StatusOptions = {},
): Promise<TransferStatus> {
  const transfer = await findTransfer(bridge, reference, { signal });
  const { destination, sent } = transfer;
  const isThere = await unlessAborted(isDelivered(destination, sent.id), signal);
  const progress = isThere
    ? await unlessAborted(arrived(transfer, signal), signal)
    : await unlessAborted(onItsWay(bridge, transfer, attesters, signal), signal);
  return {
    ...{ transfer, leftWei: isThere ? 0n : transfer.amountWei },
    ...{ next: undefined, atSeconds: undefined, attestations: undefined, troubles: [] },
    ...progress,
  };
}

async function onItsWay(
  bridge: Bridge,
  { id, source, destination, sent }: FoundTransfer,
  urls: readonly string[],
  signal: AbortSignal | undefined,
): Promise<Progress> {
  const { head, final } = await headsOf(source);
  const finalTo = final?.number ?? 0;
  if (finalTo < sent.block.number) {
    const blocks = sent.block.number - finalTo;
    const reason = `Block ${sent.block.number} of chain ${source.chainId} is not final yet: ${blocks} to go (head ${head.number}, final ${finalTo}).`;
    return { phase: "not-final", reason };
  }
  const quorum = await quorumOf(destination);
  const { threshold, isDistrusted } = quorum;
  if (isDistrusted) {
    const reason = `The attesters of chain ${destination.chainId} are distrusted: it waits until the bridge's owner has named others.`;
    return { phase: "attesting", reason, attestations: { good: 0, needed: threshold } };
  }
  if (urls.length === 0) {
    const reason = `It is final; ${threshold} attestations are needed, and no attester is known to ask.`;
    return { phase: "attesting", reason, next: `bridge status ${id} --attesters https://…,https://…` };
  }
  const route = routeFrom(bridge, source);
  const found = await collectAttestations(destination, route, sent, { urls, quorum, signal });
  const { needed, troubles } = found;
  const good = found.attestations.length;
  const state = { attestations: { good, needed }, troubles };
  if (!found.isEnough) {
    const reason = `It is final, and waits for attestations: ${good} of ${needed}.`;
    return { phase: "attesting", reason, ...state };
  }
  const { pausedUntilSeconds } = await readEnd(destination);
  if (pausedUntilSeconds !== undefined) {
    const reason = `Enough attesters have signed (${good} of ${needed}), but chain ${destination.chainId} is paused.`;
    return { phase: "deliverable", reason, atSeconds: pausedUntilSeconds, ...state };
  }
  const reason = `Enough attesters have signed: ${good} of ${needed}. Anybody can deliver it.`;
  return { phase: "deliverable", reason, next: `bridge deliver ${id}`, ...state };
}

async function arrived(transfer: FoundTransfer, signal: AbortSignal | undefined): Promise<Progress> {
  const { id, destination, to } = transfer;
  const [waiting, state] = await Promise.all([destination.contract.waitingOf(id), readEnd(destination)]);
  const { nowSeconds, pausedUntilSeconds } = state;
  const leftWei = waiting.amount;
  if (leftWei > 0n) {
    if (waiting.vetoed) {
      const reason = "The bridge's guardian has vetoed it. Its owner, a timelock, can let it wait anew.";
      return { phase: "vetoed", reason, leftWei };
    }
    const from = Math.max(Number(waiting.from), pausedUntilSeconds ?? 0);
    if (from > nowSeconds) {
      const why = pausedUntilSeconds === from ? "the bridge is paused" : "it is above the threshold";
      const reason = `It has arrived, and ${why}: it can be paid in ${from - nowSeconds} s.`;
      return { phase: "waiting", reason, leftWei, atSeconds: from };
    }
    const limit = payLimitOf(state);
    if (limit.availableWei === 0n) {
      const seconds = secondsUntil(leftWei, limit);
      const reason =
        seconds === undefined
          ? "It has arrived, and the limit lets nothing pass at present."
          : `It has arrived, and is over the limit: all that can pass at once does in about ${seconds} s, parts before that.`;
      const at = seconds === undefined ? {} : { atSeconds: nowSeconds + seconds };
      return { phase: "over-limit", reason, leftWei, ...at };
    }
    const isWhole = limit.availableWei >= leftWei;
    const reason = `It has waited long enough; anybody can have ${isWhole ? "it" : "a part of it"} paid.`;
    return { phase: "releasable", reason, leftWei, next: `bridge release ${id}` };
  }
  if ((await eventsOf(transfer, "Credited", signal)) === 0)
    return { phase: "paid", reason: `It was paid to ${to}.` };
  const claimableWei = await destination.contract.claimableOf(to);
  if (claimableWei === 0n) return { phase: "claimed", reason: `It was credited to ${to}, who claimed it.` };
  const reason = `It could not be paid, and was credited: ${to} has ${claimableWei} wei to claim.`;
  return { phase: "credited", reason, next: `bridge claim`, leftWei: claimableWei };
}

/** How often its destination has written something of a transfer. */
async function eventsOf(
  { destination, source, id, sent }: FoundTransfer,
  name: string,
  signal: AbortSignal | undefined,
): Promise<number> {
  const began = await blockAt(source.provider, sent.block.number);
  const earliest = (began?.timestamp ?? 0) - SKEW_SECONDS;
  const fromBlock = await lastBlockAt(destination.provider, earliest, destination.block);
  const topics = [topicOf(destination.contract.interface, name), id];
  let count = 0;
  const { provider, bridge: address } = destination;
  for await (const { logs } of readLogs({ provider, address, topics, fromBlock, signal }))
    count += logs.length;
  return count;
}
