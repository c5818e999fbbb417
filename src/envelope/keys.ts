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
import { type SharedPointProof, verifySharedPoint, type WrapStatement } from "./dleq.ts";
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
  const key = wrapKey(ephemeral.publicKey, secp256k1.getSharedSecret(secret, publicKey, false));
  const statement = { context: fromHex(context), keyCommit: fromHex(keyCommit), recipient: publicKey };
  return {
    publicKey,
    proof: proveKnowledge(statement, secret),
    wrap: concatBytes(ephemeral.publicKey, symEncrypt(WRAP_CONFIG, key, contentKey.reveal())),
  };
}

/** As `eciesjs.decrypt`, of the shared point. Throws whatever where the wrap cannot be opened. */
function openWrap(shared: Uint8Array, wrapped: Uint8Array): Secret<Uint8Array> {
  const key = wrapKey(wrapped.subarray(0, POINT_BYTES), shared);
  return new Secret(symDecrypt(WRAP_CONFIG, key, wrapped.subarray(POINT_BYTES)));
}

/** The key of a wrap: of its ephemeral point and the point that both sides share, both uncompressed. */
function wrapKey(ephemeral: Uint8Array, shared: Uint8Array): Uint8Array {
  const uncompressed = (point: Uint8Array): Uint8Array => secp256k1.Point.fromBytes(point).toBytes(false);
  return getSharedKey(uncompressed(ephemeral), uncompressed(shared));
}

/** What somebody shows of one compartment: see `opening.ts`. */
export interface Opening extends SharedPointProof {
  readonly kind: CompartmentKind;
  /** The key of whoever shows it, 33 bytes. */
  readonly recipient: Uint8Array;
}

/** How a reader comes to content keys: as a recipient, or because a recipient shows what the wraps hold. */
export type ReaderKey = { secretKey: Secret<Uint8Array> } | { openings: readonly Opening[] };

/** How a reader comes to one content key: as any reader, or because it kept the key. */
export type OpeningKey = ReaderKey | { contentKey: Secret<Uint8Array> };

/**
 * The content key of one compartment. The secret key is used only after the context, and the proof that the
 * author of the wrap knew its ephemeral scalar, have been checked; what comes out must be what the header commits to.
 *
 * Errors: `envelope.no-compartment`, `envelope.wrong-context`, `envelope.not-a-recipient`, `envelope.unproven`,
 * `envelope.key-mismatch`, `envelope.bad-key`; with an opening, `envelope.bad-opening`, and `envelope.bad-wrap` where the
 * wrap does not open at all.
 */
export function unwrap(
  header: Header,
  options: OpeningKey & { kind: CompartmentKind; context: string },
): Secret<Uint8Array> {
  const compartment = compartmentFor(header, options);
  const contentKey = contentKeyOf(compartment, options);
  if (contentKey === undefined || commitTo(contentKey) !== compartment.keyCommit) {
    throw new NeuraError(
      "envelope.key-mismatch",
      `The key for the ${compartment.kind} is not the one that the envelope commits to.`,
      { next: "Do not use it: its author gave out another key, or it was changed on its way." },
    );
  }
  return contentKey;
}

function contentKeyOf(compartment: Compartment, options: OpeningKey): Secret<Uint8Array> | undefined {
  if ("contentKey" in options) return options.contentKey;
  return "secretKey" in options
    ? unwrapFor(compartment, options.secretKey)
    : unwrapShown(compartment, options.openings);
}

/** The compartment of this kind. Error: `envelope.no-compartment`. */
export function compartmentOf(header: Header, kind: CompartmentKind): Compartment {
  const compartment = header.compartments.find((each) => each.kind === kind);
  if (compartment === undefined) {
    throw new NeuraError("envelope.no-compartment", `The envelope has no ${kind}.`);
  }
  return compartment;
}

/** The compartment of this kind and task. Errors: `envelope.no-compartment`, `envelope.wrong-context`. */
export function compartmentFor(
  header: Header,
  { kind, context }: { kind: CompartmentKind; context: string },
): Compartment {
  const compartment = compartmentOf(header, kind);
  if (compartment.context === context.toLowerCase()) return compartment;
  throw new NeuraError(
    "envelope.wrong-context",
    `The ${kind} was made for context ${compartment.context}, not for ${context}.`,
    { next: "Do not use it: it belongs to another task." },
  );
}

/**
 * The wrap for a key, whose author has shown that it made the ephemeral point, and what a proof about it is about.
 * Errors: `envelope.not-a-recipient`, `envelope.unproven`.
 */
export function provenWrap(
  { kind, context, keyCommit, recipients }: Compartment,
  recipient: Uint8Array,
): { statement: WrapStatement; wrap: Uint8Array } {
  const entry = recipients.find(({ publicKey }) => equalBytes(publicKey, recipient));
  if (entry === undefined) {
    throw new NeuraError("envelope.not-a-recipient", `The ${kind} is not encrypted to ${toHex(recipient)}.`, {
      next: "Use the key that it was encrypted to, perhaps one of an older epoch.",
    });
  }
  const { wrap, proof } = entry;
  const ephemeral = wrap.subarray(0, POINT_BYTES);
  const statement = { context: fromHex(context), keyCommit: fromHex(keyCommit), recipient, ephemeral };
  if (verifyKnowledge(statement, ephemeral, proof)) return { statement, wrap };
  throw new NeuraError(
    "envelope.unproven",
    `The author of the ${kind} has not shown that it made the ephemeral key of its wrap.`,
    {
      next: "Do not use it, and show nobody what it holds: the key may be copied from a letter of somebody else. That the proof is missing is plain to everybody, and its author's fault.",
    },
  );
}

function unwrapFor(compartment: Compartment, secretKey: Secret<Uint8Array>): Secret<Uint8Array> | undefined {
  const { statement, wrap } = provenWrap(compartment, publicKeyOf(secretKey));
  try {
    return openWrap(secp256k1.getSharedSecret(secretKey.reveal(), statement.ephemeral, false), wrap);
  } catch {
    // Which step failed stays unsaid.
    return undefined;
  }
}

/** No secret is involved any more, so that it can be said which step fails. */
function unwrapShown(compartment: Compartment, openings: readonly Opening[]): Secret<Uint8Array> {
  const { kind } = compartment;
  const opening = openings.find((each) => each.kind === kind);
  if (opening === undefined) {
    throw new NeuraError("envelope.bad-request", `Nothing is shown of the ${kind}.`);
  }
  const { statement, wrap } = provenWrap(compartment, opening.recipient);
  if (!verifySharedPoint(statement, opening)) throw badOpening(kind);
  try {
    return openWrap(opening.shared, wrap);
  } catch {
    throw new NeuraError(
      "envelope.bad-wrap",
      `The wrap for ${toHex(opening.recipient)} holds no key of the ${kind}.`,
      {
        next: "Do not use it: its author made it so, or it was changed on its way.",
      },
    );
  }
}

/** The error for what is shown of this compartment, and does not hold. */
export function badOpening(kind: CompartmentKind): NeuraError {
  return new NeuraError("envelope.bad-opening", `What is shown of the ${kind} does not open its wrap.`, {
    next: "Believe nothing that is said about it: it was made for another wrap, or made up.",
  });
}
