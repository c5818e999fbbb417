import type { ContractTransaction } from "ethers";

import { RevenueShareFactory__factory } from "../../types/factories/model/RevenueShareFactory__factory.ts";
import { RevenueShareToken__factory } from "../../types/factories/model/RevenueShareToken__factory.ts";
import type { RevenueShareFactory } from "../../types/model/RevenueShareFactory.ts";
import type { RevenueShareToken } from "../../types/model/RevenueShareToken.ts";
import { type Abortable, unlessAborted } from "../abort.ts";
import { told } from "../chain/errors.ts";
import { NeuraError } from "../errors.ts";
import type { ChainContext } from "../market/context.ts";
import { lastBlockAt } from "../market/history.ts";
import { type Receipt, receiptFrom, sendCall } from "../market/transaction.ts";
import { decodeShareEvent, type ShareEvent } from "./events.ts";

/** ERC-7641's own functions, in ERC-165. */
const IERC7641_ID = "0xed7b2e4e";

/** Whether a contract says that it is a revenue share (ERC-7641 by ERC-165); of anything else: no. */
export async function isRevenueShare(
  { provider }: Pick<ChainContext, "provider">,
  address: string,
): Promise<boolean> {
  return (await told(shareAt({ provider }, address).supportsInterface(IERC7641_ID))) ?? false;
}

/** Where shares are made and listed. Error: `share.no-factory`. */
export function factoryOf({ deployment, provider, signer }: ChainContext): RevenueShareFactory {
  const address = deployment.contracts.RevenueShareFactory;
  if (address === undefined) {
    throw new NeuraError(
      "share.no-factory",
      `The deployment on chain ${deployment.chainId} is of before there were revenue shares.`,
      { next: "Run `deploy` with its settings once more: that adds RevenueShareFactory and nothing else." },
    );
  }
  return RevenueShareFactory__factory.connect(address, signer ?? provider);
}

/** Whether the deployment's factory made a share: then it is known how it behaves. */
export async function isListed(context: ChainContext, address: string): Promise<boolean> {
  return context.deployment.contracts.RevenueShareFactory === undefined
    ? false
    : await factoryOf(context).isShare(address);
}

/** A block before everything that a share announced from a moment on [Unix s]. */
export async function blockBefore(
  context: ChainContext,
  address: string,
  { atSeconds, signal }: Abortable & { atSeconds: number },
): Promise<number> {
  const { provider, deployment } = context;
  const earliest = (await isListed(context, address)) ? deployment.block : 0;
  return await unlessAborted(lastBlockAt(provider, atSeconds - 1, earliest), signal);
}

/** The share at an address, for reading. */
export function shareAt({ provider }: Pick<ChainContext, "provider">, address: string): RevenueShareToken {
  return RevenueShareToken__factory.connect(address, provider);
}

/** The same, if it is one. Error: `share.unknown`. */
export async function requireShare(
  context: Pick<ChainContext, "provider">,
  address: string,
): Promise<RevenueShareToken> {
  if (await isRevenueShare(context, address)) return shareAt(context, address);
  throw new NeuraError("share.unknown", `At ${address} there is no revenue share (ERC-7641).`, {
    next: "Find those of an account with `share portfolio`, or choose another network with --network.",
  });
}

/** A transaction that was mined, and what the share announced in it. */
export interface ShareChange {
  readonly transaction: Receipt;
  readonly events: readonly ShareEvent[];
}

/** For a period that ends between the estimate and the block, and is closed by this call then [gas]. */
const CLOSING_GAS = 150_000n;

/** Sends a call of the signer's, and waits for it. Errors: `chain.failed`, refusals in words. */
export async function send(
  context: ChainContext,
  call: Promise<ContractTransaction>,
  { share, signal }: Abortable & { share: string },
): Promise<ShareChange> {
  const receipt = await sendCall(context, call, { spareGas: CLOSING_GAS, signal });
  return {
    transaction: receiptFrom(receipt),
    events: receipt.logs
      .filter(({ address }) => address === share)
      .flatMap((log) => decodeShareEvent(log) ?? []),
  };
}
