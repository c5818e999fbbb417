import { computeAddress, type Signer, Signature, SigningKey, sha256, Wallet } from "ethers";

import { messageOf, NeuraError } from "../errors.ts";
import { malformed } from "./statement.ts";

/**
 * DSSE v1: a statement's bytes with signatures over them and their type. Signatures are ES256K (ECDSA over secp256k1
 * with SHA-256, 64 bytes r and s, as RFC 8812 has it) by the key of an account, which `keyid` names as in CAIP-10.
 */

export const PAYLOAD_TYPE = "application/vnd.in-toto+json";

export interface EnvelopeSignature {
  /** `eip155:<chain>:<account>`. */
  readonly keyid: string;
  /** Base64. */
  readonly sig: string;
}

/** The file of a receipt. A consumer of DSSE passes over fields that it does not know: `neura` is ours. */
export interface ReceiptEnvelope<Beside> {
  readonly payloadType: typeof PAYLOAD_TYPE;
  /** Base64. */
  readonly payload: string;
  readonly signatures: readonly EnvelopeSignature[];
  readonly neura: Beside;
}

/** The bytes that are signed: DSSE's pre-authentication encoding. */
export function preAuthEncoding(payload: Uint8Array): Uint8Array {
  const head = `DSSEv1 ${Buffer.byteLength(PAYLOAD_TYPE)} ${PAYLOAD_TYPE} ${payload.length} `;
  return Buffer.concat([Buffer.from(head), payload]);
}

/**
 * Signs a payload with an account's key. That takes the key itself: a node's or a wallet's account signs nothing but
 * its own messages. Error: `receipt.cannot-sign`.
 */
export function signPayload(
  payload: Uint8Array,
  { signer, chain }: { signer: Signer; chain: string },
): EnvelopeSignature {
  const key = "signingKey" in signer ? signer.signingKey : undefined;
  if (!(signer instanceof Wallet) || !(key instanceof SigningKey)) {
    throw new NeuraError("receipt.cannot-sign", "A receipt is signed with the account's key itself.", {
      next: "Set NEURA_PRIVATE_KEY, or leave the receipt unsigned: it is proven by the chain all the same.",
    });
  }
  const { r, s } = key.sign(sha256(preAuthEncoding(payload)));
  const sig = Buffer.concat([Buffer.from(r.slice(2), "hex"), Buffer.from(s.slice(2), "hex")]);
  return { keyid: `${chain}:${signer.address}`, sig: sig.toString("base64") };
}

/** Whether the key of the account that `keyid` names made this signature. */
export function isSignedBy(account: string, payload: Uint8Array, { sig }: EnvelopeSignature): boolean {
  const bytes = Buffer.from(sig, "base64");
  if (bytes.length !== 64 || bytes.toString("base64") !== sig) return false;
  const digest = sha256(preAuthEncoding(payload));
  const [r, s] = [`0x${bytes.toString("hex", 0, 32)}`, `0x${bytes.toString("hex", 32)}`];
  // An address is a hash of the key: both points that the signature can be of are tried.
  return ([0, 1] as const).some((yParity) => {
    try {
      const signature = Signature.from({ r, s, yParity });
      return computeAddress(SigningKey.recoverPublicKey(digest, signature)) === account;
    } catch {
      return false;
    }
  });
}

/** The text of the file. */
export function encodeEnvelope<Beside>(envelope: ReceiptEnvelope<Beside>): string {
  return `${JSON.stringify(envelope, undefined, 2)}\n`;
}

/** Reads the file; `neura` is whatever stands there. Error: `receipt.malformed`. */
export function parseEnvelope(text: string): ReceiptEnvelope<unknown> & { readonly bytes: Uint8Array } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw malformed(messageOf(error));
  }
  const fields = fieldsOf(value);
  const { payloadType, payload, signatures } = fields;
  if (payloadType !== PAYLOAD_TYPE) throw malformed(`its payload is not ${PAYLOAD_TYPE}`);
  if (typeof payload !== "string") throw malformed("it has no payload");
  const bytes = Buffer.from(payload, "base64");
  if (bytes.toString("base64") !== payload) throw malformed("its payload is not base64");
  if (!Array.isArray(signatures)) throw malformed("it has no list of signatures");
  return {
    payloadType,
    payload,
    bytes,
    signatures: signatures.map((each: unknown) => {
      const { keyid, sig } = fieldsOf(each);
      if (typeof sig !== "string") throw malformed("a signature is missing");
      return { keyid: typeof keyid === "string" ? keyid : "", sig };
    }),
    neura: fields["neura"],
  };
}

function fieldsOf(value: unknown): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw malformed("an object is missing");
  return { ...value };
}
