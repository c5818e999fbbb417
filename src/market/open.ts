import { getBytes, hexlify } from "ethers";

import { unlessAborted } from "../abort.ts";
import { encodeHeader, type Header, payloadContext, readHeader, rewrap } from "../envelope/index.ts";
import { messageOf, NeuraError } from "../errors.ts";
import { findReaderKey, type StoredKey } from "../keystore.ts";
import { type ClosedTask, requirePossible } from "./close.ts";
import { asking, type MarketContext, requireSigner } from "./context.ts";
import { taskStatus, type TaskStatus } from "./status.ts";
import { encodeTerms, workHash } from "./terms.ts";
import { receiptOf } from "./transaction.ts";

/** What the contract takes of a header [bytes]: enough for a payload with secrets. */
export const MAX_KEY_HEADER_BYTES = 1024;
/** A header with 256 recipients in each of its compartments is smaller. */
const MAX_PAYLOAD_BYTES = Number.MAX_SAFE_INTEGER;

/**
 * Publishes the key of a sealed task for whoever has accepted it: that provider can read it then, and its clock starts.
 * By the owner or its delegate, on a machine that has one of the keys that the payload is encrypted to.
 *
 * Errors: `task.not-possible`, `open.key-missing`, `key.not-published` of the provider, `open.header-too-large`, those of
 * the storage and of `taskStatus`, what the contract refuses.
 */
export async function publishPayloadKey(
  context: MarketContext,
  id: string,
  { signal }: { signal?: AbortSignal | undefined } = {},
): Promise<ClosedTask> {
  requireSigner(context);
  const before = await taskStatus(context, id, { signal });
  requirePossible(before, "publish-key");
  const { terms, work } = before;
  const header = encodeHeader(await headerForProvider(context, before, signal));
  if (header.length > MAX_KEY_HEADER_BYTES) {
    throw new NeuraError(
      "open.header-too-large",
      `The header has ${header.length} bytes, and the contract takes ${MAX_KEY_HEADER_BYTES}.`,
      { next: "Cancel the task, and submit it with fewer compartments." },
    );
  }
  const { market } = context.contracts;
  const sending = market.publishPayloadKey(encodeTerms(terms), workHash(work), hexlify(header));
  const transaction = await receiptOf(await unlessAborted(asking(sending), signal), signal);
  return { status: await taskStatus(context, id, { signal }), transaction };
}

/**
 * Publishes keys while somebody follows a task: to be called with each of its statuses, as `onStatus` of `waitForTask`.
 * What goes wrong is reported, and the next status tries again.
 */
export function keyPublisher(
  context: MarketContext,
  { onReport, signal }: { onReport: (line: string) => void; signal?: AbortSignal | undefined },
): (status: TaskStatus) => Promise<void> {
  return async ({ id, next, provider }) => {
    if (!next.some(({ action }) => action === "publish-key")) return;
    try {
      const { transaction } = await publishPayloadKey(context, id, { signal });
      onReport(`${provider ?? ""} accepted: its key is published (transaction ${transaction.hash}).`);
    } catch (error) {
      signal?.throwIfAborted();
      onReport(`The key could not be published: ${messageOf(error)}`);
    }
  };
}

/** The payload's header, with all of its compartments wrapped for the provider alone. */
async function headerForProvider(
  context: MarketContext,
  { terms, work, provider = "" }: TaskStatus,
  signal: AbortSignal | undefined,
): Promise<Header> {
  const { contracts, storage, domain } = context;
  const { key, epoch } = await asking(contracts.keys.currentKey(provider));
  if (epoch === 0n) {
    throw new NeuraError("key.not-published", `${provider} has no valid encryption key.`, {
      next: "Wait until it leaves the task, or cancel it.",
    });
  }
  const network = await storage({ reference: work.payload });
  const bytes = network.get(work.payload, { maxBytes: MAX_PAYLOAD_BYTES, ...(signal ? { signal } : {}) });
  const header = await readHeader(bytes, { signal });
  const { secretKey } = await openingKey(context, header, terms.owner);
  const { owner, salt } = terms;
  const envelope = payloadContext({ ...domain, owner, salt });
  const recipients = [getBytes(key.publicKey)];
  return {
    compartments: header.compartments.flatMap(({ kind }) =>
      rewrap(header, { kind, context: envelope, secretKey, recipients }).compartments.filter(
        (each) => each.kind === kind,
      ),
    ),
  };
}

async function openingKey(context: MarketContext, header: Header, owner: string): Promise<StoredKey> {
  const account = await requireSigner(context).getAddress();
  const key = await findReaderKey(context.home, header, [owner, account]);
  if (key !== undefined) return key;
  throw new NeuraError("open.key-missing", `No key that opens the payload is on this machine.`, {
    next: "Publish it on the machine that submitted the task, or restore the owner's key with `account key restore`.",
  });
}
