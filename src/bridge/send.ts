import { getAddress, isError, type Signer, ZeroAddress } from "ethers";

import { type Abortable, unlessAborted } from "../abort.ts";
import { formatAmount } from "../amount.ts";
import { Erc20 } from "../chain/erc20.ts";
import { NeuraError } from "../errors.ts";
import { type Receipt, receiptFrom, sendCall } from "../market/transaction.ts";
import { momentText } from "../text.ts";
import { quorumOf } from "./attestations.ts";
import { type Bridge, type End, peerOf } from "./context.ts";
import type { Side } from "./deployment.ts";
import { type EndState, payLimitOf, readEnd, secondsUntil, sendLimitOf } from "./limits.ts";
import { type Target, TARGETS } from "./message.ts";

export interface TransferRequest {
  /** Where it is sent from. */
  readonly from: Side;
  /** Whose ANKR it is. */
  readonly account: string;
  readonly to: string;
  /** What it takes, the fee included [wei]. */
  readonly amountWei: bigint;
  /** Default: it is paid to the account. */
  readonly target?: Target;
}

/** Something that keeps a transfer waiting on the other side. */
export interface TransferWarning {
  readonly code: string;
  readonly message: string;
}

/** What would become of a transfer, as both chains are now. */
export interface PreparedTransfer extends Required<TransferRequest> {
  readonly feeWei: bigint;
  /** [wei] */
  readonly arrivesWei: bigint;
  /** How long it waits over there before it is paid, at least, beside the time it is on its way [s]. */
  readonly waitsSeconds: number;
  readonly warnings: readonly TransferWarning[];
  /** What sending it costs beside the fee, an approval not counted [wei of the chain's coin]; unknown before an approval. */
  readonly gasWei: bigint | undefined;
}

export interface SentTransfer {
  readonly transfer: string;
  readonly message: string;
  readonly arrivesWei: bigint;
  readonly feeWei: bigint;
  readonly transaction: Receipt;
}

/** What the other side can lack, for a transfer to be sent all the same. */
export interface PrepareOptions extends Abortable {
  /** Sends although there is too little to pay with on the other side: it would be credited, and claimed later. */
  readonly acceptCredit?: boolean;
}

/**
 * Looks at both chains before anything is locked: whether it can be sent, and what would keep it waiting on the other side.
 *
 * Errors: `bridge.paused`, `bridge.recipient`, `bridge.below-minimum`, `bridge.too-much`, `bridge.send-limit`,
 * `bridge.not-outstanding`, `bridge.no-market`, `bridge.liquidity`, `wallet.insufficient-funds`.
 */
export async function prepareTransfer(
  bridge: Bridge,
  request: TransferRequest,
  { acceptCredit = false, signal }: PrepareOptions = {},
): Promise<PreparedTransfer> {
  const source = bridge[request.from];
  const destination = peerOf(bridge, source);
  const wanted = { target: "account" as const, ...request, to: getAddress(request.to) };
  const [here, there, quorum, balanceWei] = await unlessAborted(
    Promise.all([
      readEnd(source),
      readEnd(destination),
      quorumOf(destination),
      balanceOf(source, wanted.account),
    ]),
    signal,
  );
  const feeWei = here.settings.fee;
  const arrivesWei = wanted.amountWei - feeWei;
  const gasWei = await unlessAborted(gasOf(source, wanted), signal);
  const spareWei = source.currency.address === ZeroAddress ? (gasWei ?? 0n) : 0n;
  checkHere(source, here, { ...wanted, arrivesWei, balanceWei, spareWei });
  checkThere(source, destination, there, { ...wanted, arrivesWei, acceptCredit });
  const waits = warningsOf(destination, there, arrivesWei);
  const warnings = [
    ...waits.warnings,
    ...(quorum.isDistrusted
      ? [
          {
            code: "bridge.distrusted",
            message: `The attesters of chain ${destination.chainId} are distrusted: it waits until others are named.`,
          },
        ]
      : []),
  ];
  return { ...wanted, feeWei, arrivesWei, waitsSeconds: waits.waitsSeconds, warnings, gasWei };
}

/**
 * Sends what was prepared; where ANKR is a token, the bridge is allowed to take it first.
 * Errors: `bridge.other-account`, `market.read-only`, `chain.failed`, refusals in words.
 */
export async function sendTransfer(
  bridge: Bridge,
  { from, account, to, amountWei, target }: PreparedTransfer,
  { signer, signal }: Abortable & { signer: Signer },
): Promise<SentTransfer> {
  const source = bridge[from];
  const payer = await signer.getAddress();
  if (payer !== getAddress(account)) {
    throw new NeuraError("bridge.other-account", `It was prepared for ${account}, and ${payer} signs.`, {
      next: "Prepare it for the account that signs.",
    });
  }
  if (from === "home") {
    const token = new Erc20(source.currency.address, signer);
    await unlessAborted(token.allow(account, source.bridge, amountWei), signal);
  }
  const send = () => sendCall({ signer }, callOf(source, { to, amountWei, target }), { signal });
  const receipt = await send().catch(async (error: unknown) => {
    // Right after the approval some nodes still tell the nonce of before: then nothing was sent.
    if (!isError(error, "NONCE_EXPIRED")) throw error;
    return await send();
  });
  const [sent] = receipt.logs.flatMap((log) => {
    if (getAddress(log.address) !== source.bridge) return [];
    const event = source.contract.interface.parseLog(log);
    return event?.name === "Sent" ? [event.args] : [];
  });
  if (sent === undefined) throw new Error(`${receipt.hash} sent nothing`);
  return {
    transfer: String(sent["transfer"]),
    message: String(sent["sendId"]),
    arrivesWei: BigInt(String(sent["amount"])),
    feeWei: BigInt(String(sent["fee"])),
    transaction: receiptFrom(receipt),
  };
}

/** What an account has of ANKR at an end [wei]. */
export async function balanceOf({ currency, provider }: End, account: string): Promise<bigint> {
  return currency.address === ZeroAddress
    ? await provider.getBalance(account)
    : await new Erc20(currency.address, provider).balanceOf(account);
}

async function callOf(
  { contract, currency }: End,
  { to, amountWei, target }: Pick<PreparedTransfer, "to" | "amountWei" | "target">,
) {
  const value = currency.address === ZeroAddress ? amountWei : 0n;
  return await contract.send.populateTransaction(to, amountWei, TARGETS.indexOf(target), { value });
}

async function gasOf(source: End, wanted: Required<TransferRequest>): Promise<bigint | undefined> {
  const { provider } = source;
  const from = wanted.account;
  try {
    const [gas, { gasPrice }] = await Promise.all([
      provider.estimateGas({ ...(await callOf(source, wanted)), from }),
      provider.getFeeData(),
    ]);
    return gas * (gasPrice ?? 0n);
  } catch {
    // Before the token's approval.
    return undefined;
  }
}

function checkHere(
  source: End,
  { settings, books, canSendWei, pausedUntilSeconds, ...state }: EndState,
  wanted: Required<TransferRequest> & { arrivesWei: bigint; balanceWei: bigint; spareWei: bigint },
): void {
  const { arrivesWei, amountWei, balanceWei, spareWei, account } = wanted;
  const amount = (wei: bigint): string => formatAmount(wei, source.currency);
  if (pausedUntilSeconds !== undefined) {
    throw new NeuraError(
      "bridge.paused",
      `The bridge on chain ${source.chainId} is paused until ${momentText(pausedUntilSeconds)}.`,
      { next: "Wait until then.", details: { pausedUntilSeconds } },
    );
  }
  const minimumWei = settings.minimum > settings.fee ? settings.minimum : settings.fee + 1n;
  if (amountWei < minimumWei) {
    throw new NeuraError(
      "bridge.below-minimum",
      `${amount(amountWei)} is less than the least that can be sent, ${amount(minimumWei)}.`,
      { next: `Send at least ${amount(minimumWei)}.`, details: { minimumWei } },
    );
  }
  const neededWei = amountWei + spareWei;
  if (balanceWei < neededWei) {
    const why = spareWei === 0n ? "" : `, ${amount(spareWei)} of it for gas`;
    throw new NeuraError(
      "wallet.insufficient-funds",
      `${account} has ${amount(balanceWei)} on chain ${source.chainId}, where ${amount(neededWei)} are needed${why}.`,
      { next: `Send ${amount(neededWei - balanceWei)} to it, or send less.`, details: { balanceWei } },
    );
  }
  if (source.side === "far" && arrivesWei > books.outstanding) {
    throw new NeuraError(
      "bridge.not-outstanding",
      `Only ${amount(books.outstanding)} came to chain ${source.chainId} over the bridge and did not go back yet.`,
      { next: "Send less: only what came over the bridge goes back over it.", details: {} },
    );
  }
  if (arrivesWei > canSendWei) {
    const limit = sendLimitOf({ settings, books, canSendWei, pausedUntilSeconds, ...state });
    const seconds = secondsUntil(arrivesWei, limit);
    const isTooMuch = arrivesWei > limit.capacityWei || seconds === undefined;
    throw new NeuraError(
      isTooMuch ? "bridge.too-much" : "bridge.send-limit",
      isTooMuch
        ? `No more than ${amount(limit.capacityWei)} can be sent at once.`
        : `Now ${amount(canSendWei)} can be sent.`,
      {
        next: isTooMuch
          ? `Send it in parts of at most ${amount(limit.capacityWei)}.`
          : `Send less, or wait about ${seconds} s.`,
        details: { canSendWei, ...(isTooMuch ? {} : { waitSeconds: seconds }) },
      },
    );
  }
}

function checkThere(
  source: End,
  destination: End,
  { books }: EndState,
  {
    to,
    target,
    arrivesWei,
    acceptCredit,
  }: Required<TransferRequest> & { arrivesWei: bigint; acceptCredit: boolean },
): void {
  if ([ZeroAddress, destination.bridge, destination.gateway, destination.currency.address].includes(to)) {
    throw new NeuraError(
      "bridge.recipient",
      `${to} is nobody who could have it on chain ${destination.chainId}.`,
      {
        next: "Name an account.",
      },
    );
  }
  if (target === "market" && destination.market === ZeroAddress) {
    throw new NeuraError(
      "bridge.no-market",
      `The bridge pays into no market on chain ${destination.chainId}.`,
      {
        next: "Send it to the account, and deposit it there with `wallet deposit`.",
      },
    );
  }
  const owedWei = destination.side === "far" ? books.waiting + books.claimable + books.fees : 0n;
  const freeWei = books.liquidity > owedWei ? books.liquidity - owedWei : 0n;
  if (destination.side === "home" && arrivesWei > books.outstanding) {
    throw new NeuraError(
      "bridge.not-outstanding",
      `Only ${formatAmount(books.outstanding, destination.currency)} are locked on chain ${destination.chainId}.`,
      { next: "Send nothing over this bridge, and tell its operators: see `bridge monitor`." },
    );
  }
  if (arrivesWei > freeWei && !acceptCredit) {
    throw new NeuraError(
      "bridge.liquidity",
      `On chain ${destination.chainId} there are ${formatAmount(freeWei, destination.currency)} to pay with: the transfer would be credited, and could be claimed only once there is more.`,
      {
        next: `Send at most ${formatAmount(freeWei, source.currency)} and the fee, or accept that with --accept-credit.`,
        details: { freeWei },
      },
    );
  }
}

function warningsOf(
  destination: End,
  there: EndState,
  arrivesWei: bigint,
): { waitsSeconds: number; warnings: TransferWarning[] } {
  const { settings, pausedUntilSeconds, nowSeconds } = there;
  const amount = (wei: bigint): string => formatAmount(wei, destination.currency);
  const warnings: TransferWarning[] = [];
  const pauseSeconds = pausedUntilSeconds === undefined ? 0 : pausedUntilSeconds - nowSeconds;
  if (pausedUntilSeconds !== undefined) {
    const message = `Chain ${destination.chainId} pays nothing out until ${momentText(pausedUntilSeconds)}: it is paused.`;
    warnings.push({ code: "bridge.paused", message });
  }
  const thresholdSeconds = arrivesWei > settings.threshold ? Number(settings.waitSeconds) : 0;
  if (thresholdSeconds > 0) {
    const message = `It waits ${thresholdSeconds} s where it arrives, and can be vetoed meanwhile: it is above ${amount(settings.threshold)}.`;
    warnings.push({ code: "bridge.threshold", message });
  }
  const limit = payLimitOf(there);
  const limitSeconds = secondsUntil(arrivesWei, limit);
  if (limitSeconds !== 0) {
    const message =
      limitSeconds === undefined
        ? `Chain ${destination.chainId} pays nothing out at present: its limit is zero.`
        : `It waits about ${limitSeconds} s more where it arrives: now ${amount(limit.availableWei)} can be paid out there.`;
    warnings.push({ code: "bridge.pay-limit", message });
  }
  if (arrivesWei > limit.capacityWei && limit.capacityWei > 0n) {
    const message = `It is paid in parts of ${amount(limit.capacityWei)} at most.`;
    warnings.push({ code: "bridge.parts", message });
  }
  return { waitsSeconds: Math.max(pauseSeconds, thresholdSeconds, limitSeconds ?? 0), warnings };
}
