import { createCipheriv, createECDH, hkdfSync, randomBytes } from "node:crypto";

import { secp256k1 } from "@noble/curves/secp256k1.js";
import { hexToBytes, numberToBytesBE } from "@noble/curves/utils.js";
import { expect } from "chai";
import { decrypt, encrypt } from "eciesjs";
import { Config } from "eciesjs/config";
import fc from "fast-check";

import { encodeHeader, type Header, type Recipient } from "../../../src/envelope/format.ts";
import {
  generateKeyPair,
  open,
  proveKnowledge,
  publicKeyOf,
  seal,
  unwrap,
  verifyKnowledge,
} from "../../../src/envelope/index.ts";
import { collect, concat, CONTEXT, pattern, refusal, sealed } from "./fixtures.ts";

const { ORDER } = secp256k1.Point.Fn;
const P = secp256k1.Point.Fp.ORDER;

function eciesConfig(): Config {
  const config = new Config();
  config.isEphemeralKeyCompressed = true;
  config.symmetricNonceLength = 12;
  return config;
}

function statement() {
  return {
    context: new Uint8Array(32).fill(1),
    keyCommit: new Uint8Array(32).fill(2),
    recipient: generateKeyPair().publicKey,
  };
}

/** The header with another entry for its only recipient. */
function withEntry(header: Header, change: (entry: Recipient) => Recipient): Header {
  return {
    compartments: header.compartments.map((each) => ({ ...each, recipients: each.recipients.map(change) })),
  };
}

describe("envelope: proof of knowledge", () => {
  it("holds for its statement and point, and for no other", () => {
    fc.assert(
      fc.property(
        fc.constantFrom("context", "keyCommit"),
        fc.nat(31),
        fc.integer({ min: 1, max: 255 }),
        (field, at, by) => {
          const { secretKey, publicKey } = generateKeyPair();
          const about = statement();
          const proof = proveKnowledge(about, secretKey.reveal());
          expect(verifyKnowledge(about, publicKey, proof)).to.be.true;

          const changed = about[field].slice();
          changed[at]! ^= by;
          expect(verifyKnowledge({ ...about, [field]: changed }, publicKey, proof)).to.be.false;
          expect(verifyKnowledge({ ...about, recipient: publicKey }, publicKey, proof)).to.be.false;
          expect(verifyKnowledge(about, about.recipient, proof)).to.be.false;
          for (const part of ["e", "s"] as const) {
            const wrong = proof[part].slice();
            wrong[at]! ^= by;
            expect(verifyKnowledge(about, publicKey, { ...proof, [part]: wrong })).to.be.false;
          }
        },
      ),
      { numRuns: 10 },
    );
  });

  it("accepts one encoding only", () => {
    const { secretKey, publicKey } = generateKeyPair();
    const about = statement();
    const { e, s } = proveKnowledge(about, secretKey.reveal());
    const bytes = (value: bigint) => numberToBytesBE(value, 32);
    for (const scalar of [bytes(0n), bytes(ORDER), bytes(2n ** 256n - 1n)]) {
      expect(verifyKnowledge(about, publicKey, { e: scalar, s })).to.be.false;
      expect(verifyKnowledge(about, publicKey, { e, s: scalar })).to.be.false;
    }
    const uncompressed = secp256k1.Point.fromBytes(publicKey).toBytes(false);
    const beyondField = concat(Uint8Array.of(2), numberToBytesBE(P + 1n, 32));
    const offCurve = concat(Uint8Array.of(2), numberToBytesBE(5n, 32));
    for (const point of [uncompressed, beyondField, offCurve, new Uint8Array(33), new Uint8Array()]) {
      expect(verifyKnowledge(about, point, { e, s })).to.be.false;
    }
  });

  it("accepts no proof that was made from the point alone: A = infinity", () => {
    // With s = e·r the commitment would be the point at infinity.
    const { secretKey, publicKey } = generateKeyPair();
    const { Fn } = secp256k1.Point;
    const e = new Uint8Array(32).fill(3);
    const s = Fn.toBytes(Fn.mul(Fn.fromBytes(e), Fn.fromBytes(secretKey.reveal())));
    expect(verifyKnowledge(statement(), publicKey, { e, s })).to.be.false;
  });

  it("N04_ an ephemeral point copied from another letter discloses nothing", async () => {
    const owner = generateKeyPair();
    const letter = await sealed({ body: pattern(100) }, { keys: owner });
    const copied = letter.header.compartments[0]!.recipients[0]!;

    // A dishonest provider answers the same owner with the point of somebody else's letter.
    const other = `0x${"0d".repeat(32)}`;
    const answer = seal({
      context: other,
      compartments: [{ kind: "body", recipients: [owner.publicKey], source: [pattern(100)] }],
    });
    const bytes = await collect(answer.stream);
    const bodies = bytes.subarray(encodeHeader(answer.header).length);
    const point = copied.wrap.subarray(0, 33);
    const forgeries: ((entry: Recipient) => Recipient)[] = [
      // The entry as it is, proof included.
      () => copied,
      // Its point in front of an own ciphertext, with its proof or the own one.
      (entry) => ({ ...copied, wrap: concat(point, entry.wrap.subarray(33)) }),
      (entry) => ({ ...entry, wrap: concat(point, entry.wrap.subarray(33)) }),
      // The point's negative, which has the same shared secret up to its sign.
      (entry) => ({
        ...copied,
        wrap: concat(Uint8Array.of(point[0]! ^ 1), point.subarray(1), entry.wrap.subarray(33)),
      }),
    ];
    for (const forge of forgeries) {
      const header = withEntry(answer.header, forge);
      await refusal("envelope.unproven", () =>
        collect(open([encodeHeader(header), bodies], { secretKey: owner.secretKey, context: other })),
      );
    }
    // The honest answer opens, so the refusals above are about the point.
    expect(await collect(open([bytes], { secretKey: owner.secretKey, context: other }))).to.deep.equal(
      pattern(100),
    );
  });
});

describe("envelope: wraps", () => {
  it("are what eciesjs opens", async () => {
    const { header, keys } = await sealed();
    const [compartment] = header.compartments;
    const { wrap } = compartment!.recipients[0]!;
    expect(wrap.length).to.equal(93);
    const contentKey = unwrap(header, { kind: "body", context: CONTEXT, secretKey: keys.secretKey });
    expect(decrypt(keys.secretKey.reveal(), wrap, eciesConfig())).to.deep.equal(contentKey.reveal());
  });

  it("have the size and shape of what eciesjs makes, which lacks only the proof", async () => {
    const { header, keys } = await sealed();
    const contentKey = unwrap(header, { kind: "body", context: CONTEXT, secretKey: keys.secretKey });
    const wrap = encrypt(keys.publicKey, contentKey.reveal(), eciesConfig());
    expect(wrap.length).to.equal(93);
    const foreign = withEntry(header, (entry) => ({ ...entry, wrap }));
    await refusal("envelope.unproven", () =>
      unwrap(foreign, { kind: "body", context: CONTEXT, secretKey: keys.secretKey }),
    );
  });

  it("open when another implementation made them and proves its scalar", async () => {
    const { header, keys } = await sealed();
    const contentKey = unwrap(header, { kind: "body", context: CONTEXT, secretKey: keys.secretKey });
    const foreign = withEntry(header, (entry) => {
      const ephemeral = createECDH("secp256k1");
      ephemeral.generateKeys();
      const shared = ephemeral.computeSecret(entry.publicKey);
      // Node gives x of the shared point, ECIES hashes the whole point: the proof's own curve completes it.
      const r = ephemeral.getPrivateKey().toString("hex").padStart(64, "0");
      const point = secp256k1.getSharedSecret(hexToBytes(r), entry.publicKey, false);
      expect(point.slice(1, 33)).to.deep.equal(new Uint8Array(shared));
      const key = hkdfSync("sha256", concat(ephemeral.getPublicKey(), point), "", "", 32);
      const nonce = randomBytes(12);
      const cipher = createCipheriv("aes-256-gcm", new Uint8Array(key), nonce);
      const encrypted = Buffer.concat([cipher.update(contentKey.reveal()), cipher.final()]);
      const about = {
        context: hexToBytes(CONTEXT.slice(2)),
        keyCommit: hexToBytes(header.compartments[0]!.keyCommit.slice(2)),
        recipient: entry.publicKey,
      };
      return {
        ...entry,
        proof: proveKnowledge(about, hexToBytes(r)),
        wrap: concat(ephemeral.getPublicKey(null, "compressed"), nonce, cipher.getAuthTag(), encrypted),
      };
    });
    const opened = unwrap(foreign, { kind: "body", context: CONTEXT, secretKey: keys.secretKey });
    expect(opened.reveal()).to.deep.equal(contentKey.reveal());
  });

  it("belong to compressed keys that match their secret", () => {
    const { secretKey, publicKey } = generateKeyPair();
    expect(publicKey.length).to.equal(33);
    expect(publicKeyOf(secretKey)).to.deep.equal(publicKey);
    expect(secp256k1.getPublicKey(secretKey.reveal(), true)).to.deep.equal(publicKey);
    expect(JSON.stringify({ secretKey })).to.equal('{"secretKey":"[secret]"}');
  });
});
