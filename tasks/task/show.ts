import { formatAmount, type Unit } from "../../src/amount.ts";
import { NeuraError } from "../../src/errors.ts";
import type { NextStep, TaskStatus } from "../../src/market/status.ts";
import { isOpen, maximumCostWei } from "../../src/market/terms.ts";
import type { Context } from "../context.ts";
import { formatDuration } from "../duration.ts";
import { fields } from "../output.ts";

/** A task's status for people, with what is known of it besides. */
export function statusText(status: TaskStatus, currency: Unit, besides: readonly Row[] = []): string {
  const { id, kind, terms, work, provider, payer, priceWei, delivery, submitted, accepted } = status;
  const { closed, nowSeconds, next, hasBackup, delivered } = status;
  const amount = (wei: bigint): string => formatAmount(wei, currency);
  const per = terms.price.metered ? " per second" : "";
  const { maximumWei } = terms.price;
  const rises =
    maximumWei === undefined || provider !== undefined ? "" : ` rising to ${amount(maximumWei)}${per}`;
  return fields([
    [kind === "job" ? "Task" : "Lease", id],
    ["Status", headline(status)],
    ["Owner", terms.owner],
    ...(payer === terms.owner ? [] : [["Sponsor", payer] as const]),
    ["Provider", provider ?? (isOpen(terms) ? "nobody yet: it is open" : terms.provider)],
    ...(work.backup === undefined
      ? []
      : [["Backup", `${work.backup}${hasBackup ? "" : ", no longer waiting"}`] as const]),
    ["Price", `${amount(priceWei)}${per}${rises}, at most ${amount(maximumCostWei(terms))}`],
    ["Submitted", date(submitted.atSeconds)],
    ...(accepted ? [["Accepted", date(accepted.atSeconds)] as const] : []),
    ...(delivered && delivered.atSeconds !== closed?.atSeconds
      ? [["Delivered", date(delivered.atSeconds)] as const]
      : []),
    ...leaseRows(status, currency),
    ...disputeRows(status, currency),
    ...besides,
    ...(closed ? [["Ended", date(closed.atSeconds)] as const] : []),
    ...(delivery ? [["Used", `${delivery.secondsUsed} s`] as const] : []),
    ...paymentRows(status, currency),
    ...next.map((step) => ["Possible", possible(step, nowSeconds)] as const),
    ...(delivery ? [["Next", `./neura task result ${id}`] as const] : []),
  ]);
}

type Row = readonly [label: string, value: string];

function leaseRows({ lease, closed }: TaskStatus, currency: Unit): Row[] {
  if (lease === undefined) return [];
  const { readyAtSeconds, endsAtSeconds, upSeconds, drawnSeconds, runway, closing, rateWei } = lease;
  const { lastHeartbeatSeconds, silentSinceSeconds, isDown, remainingWei } = lease;
  const drawn = formatAmount(rateWei * BigInt(drawnSeconds), currency);
  return [
    ["Ready", date(readyAtSeconds)],
    ["Up", `${formatDuration(upSeconds)}, of it ${formatDuration(drawnSeconds)} paid (${drawn})`],
    ...(closed
      ? []
      : [
          [
            "Heartbeat",
            `${date(lastHeartbeatSeconds)}${isDown ? ", down" : silentSinceSeconds ? ", silent" : ""}`,
          ] as const,
          ["Ends", `${date(endsAtSeconds)}${closing === "None" ? "" : `, ${closing}`}`] as const,
        ]),
    ...(runway
      ? [["Left", `${formatDuration(runway.secondsLeft)}, ${formatAmount(remainingWei, currency)}`] as const]
      : []),
  ];
}

function disputeRows({ challenge, dispute, delivered }: TaskStatus, currency: Unit): Row[] {
  if (challenge === undefined || delivered === undefined) return [];
  const { bondWei = 0n, feeWei = 0n, unit = 0n, rulingBySeconds = 0, resolution } = dispute ?? {};
  return [
    ["Challenge", `until ${date(challenge.endsAtSeconds)}, before ${challenge.arbiter}`],
    ...(dispute === undefined
      ? []
      : [
          [
            "Disputed",
            `from unit ${unit} on; bond ${formatAmount(bondWei, currency)}, of it ${formatAmount(feeWei, currency)} for the arbiter, who has until ${date(rulingBySeconds)}`,
          ] as const,
        ]),
    ...(resolution === undefined
      ? []
      : [["Ruling", `${resolution.providerBps / 100} % of the price for the provider`] as const]),
  ];
}

function paymentRows({ payment, payer, terms }: TaskStatus, currency: Unit): Row[] {
  if (payment === undefined) return [];
  const amount = (wei: bigint): string => formatAmount(wei, currency);
  const { paidWei, feeWei, refundedWei, royaltyWei, slashedWei, compensationWei = 0n } = payment;
  const { bondWei, bondBackWei = 0n } = payment;
  const royalty = royaltyWei === undefined ? "" : ` and royalty of ${amount(royaltyWei)}`;
  const whose = payer === terms.owner ? "owner's" : "sponsor's";
  return [
    ["Paid", `${amount(paidWei)}, fee of ${amount(feeWei)}${royalty} included`],
    ["Back", `${amount(refundedWei)}, in the ${whose} balance in the market`],
    ...(slashedWei === undefined
      ? []
      : [
          [
            "Slashed",
            `${amount(slashedWei)} of the provider's stake, of it ${amount(compensationWei)} for the owner`,
          ] as const,
        ]),
    ...(bondWei === undefined
      ? []
      : [["Bond", `${amount(bondBackWei)} of ${amount(bondWei)} came back to the owner`] as const]),
  ];
}

/** A status in one line: `Declined: PayloadMismatch, the owner's fault`. */
export function headline({ status, outcome, fault }: TaskStatus): string {
  if (outcome === "None") return status;
  return `${status}: ${outcome}${fault === "None" ? "" : `, the ${fault.toLowerCase()}'s fault`}`;
}

/** What can be done next, in one line. */
export function possible({ who, action, untilSeconds }: NextStep, nowSeconds: number): string {
  const by = who === "anyone" ? "anyone" : `the ${who}`;
  return untilSeconds === undefined
    ? `${action} by ${by}`
    : `${action} by ${by}, for another ${formatDuration(untilSeconds - nowSeconds)}`;
}

/** The error of a command that Ctrl-C ended while something goes on without it, in place of what was thrown. */
export async function detachable<T>(
  { signal }: Context,
  { message, next }: { message: string; next: string },
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new NeuraError("interrupted", message, { next, cause: error });
  }
}

function date(seconds: number): string {
  return new Date(seconds * 1000).toISOString();
}
