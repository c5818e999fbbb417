import { secp256k1 } from "@noble/curves/secp256k1.js";
import { Config } from "eciesjs/config";
import { getSharedKey, symDecrypt, symEncrypt } from "eciesjs/utils";
import { hkdf } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { concatBytes, randomBytes, utf8ToBytes } from "@noble/hashes/utils.js";

import { NeuraError } from "../errors.ts";
import { Secret } from "../secret.ts";
import {
  type Compartment,
  type CompartmentKind,
  encodeFixed,
  equalBytes,
  fromHex,
  type Header,
  KINDS,
  MAX_RECIPIENTS,
  type Recipient,
  toHex,
} from "./format.ts";
import { isPublicKey, proveKnowledge, verifyKnowledge } from "./proof.ts";

/** The ECIES of the wraps: AES-256-GCM with a 12-byte nonce, compressed ephemeral point, the rest by default. */
const WRAP_CONFIG = Object.assign(new Config(), { isEphemeralKeyCompressed: true, symmetricNonceLength: 12 });

/** Of a compressed point. */
const POINT_BYTES = 33;

export interface KeyPair {
  /** 32 bytes. Whoever loses it loses every envelope that was sealed for it. */
  secretKey: Secret<Uint8Array>;
  /** Compressed secp256k1 point, 33 bytes: what the key registry publishes. */
  publicKey: Uint8Array;
}

/** A new secp256k1 key pair to receive envelopes with. */
export function generateKeyPair(): KeyPair {
  const secretKey = secp256k1.utils.randomSecretKey();
  return { secretKey: new Secret(secretKey), publicKey: secp256k1.getPublicKey(secretKey, true) };
}

/** The compressed public key, 33 bytes, of a secret key. Error: `envelope.bad-key`. */
export function publicKeyOf(secretKey: Secret<Uint8Array>): Uint8Array {
  try {
    return secp256k1.getPublicKey(secretKey.reveal(), true);
  } catch {
    // The cause is left out: its message may hold the key.
    throw new NeuraError("envelope.bad-key", "This is not a secp256k1 secret key of 32 bytes.", {
      next: "Restore the key from its backup, or create one.",
    });
  }
}

/** A new content key, 32 bytes. */
export function generateContentKey(): Secret<Uint8Array> {
  return new Secret(randomBytes(32));
}

/** The commitment to a content key, as a header carries it. */
export function commitTo(contentKey: Secret<Uint8Array>): string {
  return toHex(sha256(concatBytes(utf8ToBytes("neura/commit/1"), contentKey.reveal())));
}

/** The key of one compartment's frames, bound to everything that is fixed in the header. */
export function streamKey(
  header: Header,
  kind: CompartmentKind,
  contentKey: Secret<Uint8Array>,
): Secret<Uint8Array> {
  const info = concatBytes(utf8ToBytes("neura/stream/1"), Uint8Array.of(KINDS.indexOf(kind)));
  return new Secret(hkdf(sha256, contentKey.reveal(), sha256(encodeFixed(header)), info, 32));
}

/**
 * Wraps the content key of a compartment for every recipient, each with the proof of knowledge, and puts the wraps
 * behind those that are `kept`: together what the compartment's recipients are to be.
 *
 * Errors: `envelope.bad-key`, `envelope.bad-request`.
 */
export function wrapForAll(
  compartment: Omit<Compartment, "recipients">,
  contentKey: Secret<Uint8Array>,
  publicKeys: readonly Uint8Array[],
  kept: readonly Recipient[] = [],
): Recipient[] {
  const bad = publicKeys.find((key) => !isPublicKey(key));
  if (bad !== undefined) {
    throw new NeuraError("envelope.bad-key", `${toHex(bad)} is not a compressed secp256k1 public key.`, {
      next: "Take the recipient's key from the key registry.",
    });
  }
  const all = [...kept.map(({ publicKey }) => publicKey), ...publicKeys];
  const distinct = new Set(all.map(toHex)).size;
  if (distinct < 1 || distinct !== all.length || distinct > MAX_RECIPIENTS) {
    throw new NeuraError(
      "envelope.bad-request",
      `The ${compartment.kind} would have ${all.length} recipients, ${distinct} of them distinct.`,
      { next: `Name 1 to ${MAX_RECIPIENTS} recipients, each once.` },
    );
  }
  return [...kept, ...publicKeys.map((publicKey) => wrap(compartment, contentKey, publicKey))];
}

/** As `eciesjs.encrypt`, which does not give away the ephemeral scalar that the proof is about. */
function wrap(
  { context, keyCommit }: Omit<Compartment, "recipients">,
  contentKey: Secret<Uint8Array>,
  publicKey: Uint8Array,
): Recipient {
  const ephemeral = generateKeyPair();
  const secret = ephemeral.secretKey.reveal();
  const key = sharedKey({ secret, publicKey, ephemeral: ephemeral.publicKey });
  const statement = { context: fromHex(context), keyCommit: fromHex(keyCommit), recipient: publicKey };
  return {
    publicKey,
    proof: proveKnowledge(statement, secret),
    wrap: concatBytes(ephemeral.publicKey, symEncrypt(WRAP_CONFIG, key, contentKey.reveal())),
  };
}

/** As `eciesjs.decrypt`. Throws whatever where the wrap cannot be opened. */
function openWrap(secretKey: Secret<Uint8Array>, wrapped: Uint8Array): Secret<Uint8Array> {
  const ephemeral = wrapped.subarray(0, POINT_BYTES);
  const key = sharedKey({ secret: secretKey.reveal(), publicKey: ephemeral, ephemeral });
  return new Secret(symDecrypt(WRAP_CONFIG, key, wrapped.subarray(POINT_BYTES)));
}

/**
 * The key of a wrap, of one side's secret and the other's public key. It is derived from the uncompressed points of
 * the ephemeral key and the shared secret; the classes of `eciesjs` multiply ten times on their way there.
 */
function sharedKey({
  secret,
  publicKey,
  ephemeral,
}: {
  secret: Uint8Array;
  publicKey: Uint8Array;
  ephemeral: Uint8Array;
}): Uint8Array {
  const sender = secp256k1.Point.fromBytes(ephemeral).toBytes(false);
  return getSharedKey(sender, secp256k1.getSharedSecret(secret, publicKey, false));
}

/** How a reader comes to a content key: as a recipient, or because it kept the key. */
export type OpeningKey = { secretKey: Secret<Uint8Array> } | { contentKey: Secret<Uint8Array> };

/**
 * The content key of one compartment. The secret key is used only after the context, and the proof that the
 * author of the wrap knew its ephemeral scalar, have been checked; what comes out must be what the header commits to.
 *
 * Errors: `envelope.no-compartment`, `envelope.wrong-context`, `envelope.not-a-recipient`, `envelope.unproven`,
 * `envelope.key-mismatch`, `envelope.bad-key`.
 */
export function unwrap(
  header: Header,
  options: OpeningKey & { kind: CompartmentKind; context: string },
): Secret<Uint8Array> {
  const compartment = compartmentOf(header, options.kind);
  if (compartment.context !== options.context.toLowerCase()) {
    throw new NeuraError(
      "envelope.wrong-context",
      `The ${compartment.kind} was made for context ${compartment.context}, not for ${options.context}.`,
      { next: "Do not use it: it belongs to another task." },
    );
  }
  const contentKey = "contentKey" in options ? options.contentKey : unwrapFor(compartment, options.secretKey);
  if (contentKey === undefined || commitTo(contentKey) !== compartment.keyCommit) {
    throw new NeuraError(
      "envelope.key-mismatch",
      `The key for the ${compartment.kind} is not the one that the envelope commits to.`,
      { next: "Do not use it: its author gave out another key, or it was changed on its way." },
    );
  }
  return contentKey;
}

/** The compartment of this kind. Error: `envelope.no-compartment`. */
export function compartmentOf(header: Header, kind: CompartmentKind): Compartment {
  const compartment = header.compartments.find((each) => each.kind === kind);
  if (compartment === undefined) {
    throw new NeuraError("envelope.no-compartment", `The envelope has no ${kind}.`);
  }
  return compartment;
}

function unwrapFor(
  { kind, context, keyCommit, recipients }: Compartment,
  secretKey: Secret<Uint8Array>,
): Secret<Uint8Array> | undefined {
  const own = publicKeyOf(secretKey);
  const entry = recipients.find(({ publicKey }) => equalBytes(publicKey, own));
  if (entry === undefined) {
    throw new NeuraError("envelope.not-a-recipient", `The ${kind} is not encrypted to ${toHex(own)}.`, {
      next: "Use the key that it was encrypted to, perhaps one of an older epoch.",
    });
  }
  const statement = { context: fromHex(context), keyCommit: fromHex(keyCommit), recipient: own };
  if (!verifyKnowledge(statement, entry.wrap.subarray(0, POINT_BYTES), entry.proof)) {
    throw new NeuraError(
      "envelope.unproven",
      `The author of the ${kind} has not shown that it made the ephemeral key of its wrap.`,
      { next: "Do not use it: the key may be copied from a letter of somebody else." },
    );
  }
  try {
    return openWrap(secretKey, entry.wrap);
  } catch {
    // Which step failed stays unsaid.
    return undefined;
  }
}
