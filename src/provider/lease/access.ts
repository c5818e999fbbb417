import { createHash, timingSafeEqual } from "node:crypto";
import { join } from "node:path";

import { type AccessTicket, createToken, sealTicket } from "../../market/ticket.ts";
import { StateFolder } from "../runner/state.ts";

/** Access to a lease as the provider keeps it: the token itself is nowhere but in the sealed ticket. */
export interface Access {
  /** SHA-256 of the token, hex. */
  readonly tokenHash: string;
  /** The ticket's envelope, for its owner. */
  readonly sealed: Uint8Array;
  /** The envelope's hash. */
  readonly hash: string;
}

interface Files {
  "access.json": {
    readonly version: 1;
    readonly url: string;
    readonly certificateSha256: string | null;
    readonly tokenHash: string;
    readonly sealed: string;
    readonly hash: string;
  };
}

/**
 * Makes the ticket of a lease, once: whoever asks again gets the same one, also after a crash, so that a ticket that
 * was published stays good. Another address, or another certificate, makes another one.
 *
 * @param directory the task's folder
 * @param options.publicKey the owner's, 33 bytes
 */
export async function issueAccess(
  directory: string,
  { publicKey, ...place }: Omit<AccessTicket, "token"> & { publicKey: Uint8Array },
): Promise<Access> {
  const state = new StateFolder<Files>(join(directory, "lease"));
  await state.make();
  const kept = await state.read("access.json");
  const { url, certificateSha256 = null } = place;
  if (kept?.url === url && kept.certificateSha256 === certificateSha256)
    return { tokenHash: kept.tokenHash, sealed: Buffer.from(kept.sealed, "base64"), hash: kept.hash };
  const token = createToken();
  const tokenHash = hashOf(token.reveal()).toString("hex");
  const { bytes, hash } = await sealTicket({ ...place, token }, { publicKey });
  const sealed = Buffer.from(bytes).toString("base64");
  await state.write(
    "access.json",
    { version: 1, url, certificateSha256, tokenHash, sealed, hash },
    { durable: true },
  );
  return { tokenHash, sealed: bytes, hash };
}

/** Whether a request's `Authorization` has the token with this hash; takes the same time whatever it has. */
export function isAuthorised(header: string | undefined, tokenHash: string): boolean {
  const [, token = ""] = /^Bearer +([\w-]+)$/i.exec(header ?? "") ?? [];
  return timingSafeEqual(hashOf(token), Buffer.from(tokenHash, "hex"));
}

function hashOf(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}
