import type { Signer, TransactionReceipt } from "ethers";

import { type Abortable, unlessAborted } from "../abort.ts";
import { NeuraError } from "../errors.ts";
import { asking } from "../market/context.ts";
import { type Receipt, receiptFrom, sendCall } from "../market/transaction.ts";
import { type Attestation, collectAttestations, isDelivered } from "./attestations.ts";
import { type Bridge, type End, routeFrom } from "./context.ts";
import type { FoundTransfer } from "./find.ts";
import type { Message } from "./message.ts";

/** What an end paid, credited or kept waiting in a transaction. */
export interface Payout {
  readonly paidWei: bigint;
  readonly creditedWei: bigint;
  readonly waitsWei: bigint;
  readonly transaction: Receipt;
}

type Sending = Abortable & { readonly signer: Signer };

/** Has all that the signer can claim at an end paid to an account. Errors: `bridge.nothing-claimable`, `chain.failed`. */
export async function claimCredit(
  end: End,
  { to, signer, signal }: Sending & { to: string },
): Promise<{ amountWei: bigint; transaction: Receipt }> {
  const contract = end.contract.connect(signer);
  const amountWei = await unlessAborted(asking(contract.claim.staticCall(to)), signal);
  const receipt = await sendCall({ signer }, contract.claim.populateTransaction(to), { signal });
  return { amountWei, transaction: receiptFrom(receipt) };
}

/** Has what waited paid, as far as the limit lets it pass. Anybody. Errors: refusals in words, `chain.failed`. */
export async function releaseTransfer(
  { id, destination }: Pick<FoundTransfer, "id" | "destination">,
  { signer, signal }: Sending,
): Promise<Payout> {
  const call = destination.contract.release.populateTransaction(id);
  return payoutOf(destination, await sendCall({ signer }, call, { signal }));
}

/**
 * Delivers a transfer with what attesters say of it. Anybody.
 * Errors: `bridge.already-delivered`, `bridge.too-few-attestations`, `bridge.distrusted`, refusals in words, `chain.failed`.
 */
export async function deliverTransfer(
  bridge: Bridge,
  { source, destination, sent }: FoundTransfer,
  { attesters, signer, signal }: Sending & { attesters: readonly string[] },
): Promise<Payout> {
  if (await unlessAborted(isDelivered(destination, sent.id), signal)) {
    throw new NeuraError("bridge.already-delivered", "It was delivered already.", {
      next: "See `bridge status`.",
    });
  }
  const route = routeFrom(bridge, source);
  const { attestations, needed, isEnough, quorum, troubles } = await unlessAborted(
    collectAttestations(destination, route, sent, { urls: attesters, signal }),
    signal,
  );
  if (quorum.isDistrusted) {
    const message = `The attesters of chain ${destination.chainId} are distrusted.`;
    throw new NeuraError("bridge.distrusted", message, {
      next: "Wait until the bridge's owner has named other attesters.",
    });
  }
  if (!isEnough) {
    throw new NeuraError(
      "bridge.too-few-attestations",
      `${attestations.length} of ${needed} attestations are there${troubles.length === 0 ? "" : `; ${troubles.join("; ")}`}.`,
      { next: "Wait until more attesters have signed, or name more of them with --attesters." },
    );
  }
  const call = deliveryOf(destination, sent.message, attestations);
  return payoutOf(destination, await sendCall({ signer }, call, { signal }));
}

/** The call that delivers a message with these attestations of one epoch. */
export async function deliveryOf(
  { gatewayContract }: Pick<End, "gatewayContract">,
  message: Message,
  attestations: readonly Attestation[],
) {
  const signatures = attestations.map(({ signature }) => signature);
  const epoch = attestations[0]?.epoch ?? 0n;
  return await gatewayContract.deliver.populateTransaction(message, epoch, signatures);
}

function payoutOf({ contract, bridge }: End, receipt: TransactionReceipt): Payout {
  const sums = { Paid: 0n, Credited: 0n, WaitBegan: 0n };
  for (const log of receipt.logs) {
    if (log.address !== bridge) continue;
    const event = contract.interface.parseLog(log);
    if (event?.name === "Paid" || event?.name === "Credited" || event?.name === "WaitBegan")
      sums[event.name] += BigInt(String(event.args["amount"]));
  }
  return {
    ...{ paidWei: sums.Paid, creditedWei: sums.Credited, waitsWei: sums.WaitBegan },
    transaction: receiptFrom(receipt),
  };
}
