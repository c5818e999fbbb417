import { createCipheriv } from "node:crypto";

import { secp256k1 } from "@noble/curves/secp256k1.js";
import { bytesToNumberBE, numberToBytesBE } from "@noble/curves/utils.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { expect } from "chai";
import { encrypt, PrivateKey, PublicKey } from "eciesjs";
import { Config } from "eciesjs/config";
import fc from "fast-check";

import { type Compartment, encodeHeader, type Header, type Recipient } from "../../../src/envelope/format.ts";
import {
  generateKeyPair,
  type KeyPair,
  open,
  openEach,
  type Opening,
  openingWords,
  proveOpening,
  rewrap,
  seal,
} from "../../../src/envelope/index.ts";
import {
  proveSharedPoint,
  type SharedPointProof,
  verifySharedPoint,
  wordsForChain,
  type WrapStatement,
} from "../../../src/envelope/dleq.ts";
import { commitTo, generateContentKey, wrapForAll } from "../../../src/envelope/keys.ts";
import { collect, concat, CONTEXT, pattern, refusal, sealed } from "./fixtures.ts";

const { Point } = secp256k1;
const { Fn } = Point;
const BODY = { kind: "body", context: CONTEXT } as const;

/** A wrap's statement, and the key whose holder shows it. */
function wrapOf(change: Partial<WrapStatement> = {}): { statement: WrapStatement; keys: KeyPair } {
  const keys = generateKeyPair();
  const statement = {
    context: new Uint8Array(32).fill(1),
    keyCommit: new Uint8Array(32).fill(2),
    recipient: keys.publicKey,
    ephemeral: generateKeyPair().publicKey,
    ...change,
  };
  return { statement, keys };
}

function negated(point: Uint8Array): Uint8Array {
  return concat(Uint8Array.of(point[0]! ^ 1), point.subarray(1));
}

function bytes(value: bigint): Uint8Array {
  return numberToBytesBE(value, 32);
}

/** As the library's, for provers who do not do as they should. */
function challengeOf(statement: WrapStatement, shared: Uint8Array, a: Uint8Array, b: Uint8Array): bigint {
  const { context, keyCommit, recipient, ephemeral } = statement;
  const tag = new TextEncoder().encode("neura/opening/1");
  const hash = sha256(concat(tag, context, keyCommit, recipient, ephemeral, shared, a, b));
  return Fn.create(bytesToNumberBE(hash));
}

/** The header with its only compartment changed. */
function withBody({ compartments }: Header, change: (body: Compartment) => Compartment): Header {
  return { compartments: compartments.map(change) };
}

function withEntry(header: Header, change: (entry: Recipient) => Recipient): Header {
  return withBody(header, (body) => ({ ...body, recipients: body.recipients.map(change) }));
}

describe("envelope: opening proof", () => {
  describe("of a wrap", () => {
    it("holds for its statement and point, and for no other", () => {
      fc.assert(
        fc.property(fc.nat(31), fc.integer({ min: 1, max: 255 }), (at, by) => {
          const { statement, keys } = wrapOf();
          const proof = proveSharedPoint(statement, keys.secretKey.reveal());
          expect(verifySharedPoint(statement, proof)).to.be.true;
          expect(verifySharedPoint({ ...statement }, { ...proof })).to.be.true;

          const flipped = (value: Uint8Array): Uint8Array =>
            value.map((byte, index) => (index === at ? byte ^ by : byte));
          const stranger = generateKeyPair().publicKey;
          for (const name of ["context", "keyCommit"] as const) {
            expect(verifySharedPoint({ ...statement, [name]: flipped(statement[name]) }, proof)).to.be.false;
          }
          for (const name of ["recipient", "ephemeral"] as const) {
            for (const point of [stranger, negated(statement[name]), proof.shared]) {
              expect(verifySharedPoint({ ...statement, [name]: point }, proof)).to.be.false;
            }
          }
          for (const shared of [stranger, negated(proof.shared), statement.ephemeral, statement.recipient]) {
            expect(verifySharedPoint(statement, { ...proof, shared })).to.be.false;
          }
          for (const name of ["c", "s"] as const) {
            expect(verifySharedPoint(statement, { ...proof, [name]: flipped(proof[name]) })).to.be.false;
          }
        }),
        { numRuns: 5 },
      );
    });

    it("shows what eciesjs derives the wrap's key from", () => {
      const { statement, keys } = wrapOf();
      const { shared } = proveSharedPoint(statement, keys.secretKey.reveal());
      const derived = new PrivateKey(keys.secretKey.reveal()).multiply(
        new PublicKey(statement.ephemeral),
        true,
      );
      expect(shared).to.deep.equal(new Uint8Array(derived));
    });

    it("accepts one encoding only, and points of the curve alone", () => {
      const { statement, keys } = wrapOf();
      const proof = proveSharedPoint(statement, keys.secretKey.reveal());
      const more = (value: Uint8Array): bigint => bytesToNumberBE(value) + Fn.ORDER;
      for (const name of ["c", "s"] as const) {
        const scalars = [0n, Fn.ORDER, 2n ** 256n - 1n].map(bytes);
        if (more(proof[name]) < 2n ** 256n) scalars.push(bytes(more(proof[name])));
        for (const scalar of scalars)
          expect(verifySharedPoint(statement, { ...proof, [name]: scalar })).to.be.false;
      }
      const uncompressed = (point: Uint8Array): Uint8Array => Point.fromBytes(point).toBytes(false);
      const beyondField = concat(Uint8Array.of(2), bytes(Point.Fp.ORDER + 1n));
      const offCurve = concat(Uint8Array.of(2), bytes(5n));
      const infinity = [new Uint8Array(33), Uint8Array.of(0), new Uint8Array()];
      for (const point of [beyondField, offCurve, ...infinity, uncompressed(proof.shared)]) {
        expect(verifySharedPoint(statement, { ...proof, shared: point })).to.be.false;
        expect(verifySharedPoint({ ...statement, recipient: point }, proof)).to.be.false;
        expect(verifySharedPoint({ ...statement, ephemeral: point }, proof)).to.be.false;
      }
    });

    it("takes no point whose x is no scalar: on the chain it could not stand for one", () => {
      // The smallest x of a point at or above the order.
      let x = Fn.ORDER;
      for (; ; x += 1n) {
        const candidate = concat(Uint8Array.of(2), bytes(x));
        if (secp256k1.utils.isValidPublicKey(candidate, true)) break;
      }
      const ephemeral = concat(Uint8Array.of(2), bytes(x));
      const { statement, keys } = wrapOf({ ephemeral });
      const proof = proveSharedPoint(statement, keys.secretKey.reveal());
      expect(verifySharedPoint(statement, proof)).to.be.false;
      expect(wordsForChain(statement, proof)).to.equal(undefined);
    });

    it("cannot be made for another point by whoever knows the key, nor by whoever does not", () => {
      fc.assert(
        fc.property(fc.constantFrom("key", "both", "simulated", "negated", "infinity"), (way) => {
          const { statement, keys } = wrapOf();
          const { ephemeral } = statement;
          const R = Point.fromBytes(ephemeral);
          const d = Fn.fromBytes(keys.secretKey.reveal());
          const other = Fn.fromBytes(secp256k1.utils.randomSecretKey());
          const k = Fn.fromBytes(secp256k1.utils.randomSecretKey());
          let shared = R.multiply(other).toBytes(true);
          let forged: SharedPointProof;
          if (way === "simulated") {
            // The response first, and the commitments that fit it: the hash does not.
            const c = Fn.fromBytes(secp256k1.utils.randomSecretKey());
            forged = { shared, c: bytes(c), s: bytes(k) };
          } else if (way === "infinity") {
            // Commitments to nothing: s = c d.
            shared = R.multiply(d).toBytes(true);
            const zero = new Uint8Array(33);
            const c = challengeOf(statement, shared, zero, zero);
            forged = { shared, c: bytes(c), s: bytes(Fn.mul(c, d)) };
          } else {
            const scalars = { key: d, both: other, negated: Fn.neg(d) } as const;
            if (way === "negated") shared = R.multiply(Fn.neg(d)).toBytes(true);
            const [a, b] = [Point.BASE, R].map((base) => base.multiply(k).toBytes(true));
            const c = challengeOf(statement, shared, a!, b!);
            forged = { shared, c: bytes(c), s: bytes(Fn.add(k, Fn.mul(c, scalars[way]))) };
          }
          expect(verifySharedPoint(statement, forged)).to.be.false;
        }),
        { numRuns: 10 },
      );
      // Made the same way for the right point, it holds: the refusals are about the point.
      const { statement, keys } = wrapOf();
      const R = Point.fromBytes(statement.ephemeral);
      const d = Fn.fromBytes(keys.secretKey.reveal());
      const shared = R.multiply(d).toBytes(true);
      const k = 7n;
      const [a, b] = [Point.BASE, R].map((base) => base.multiply(k).toBytes(true));
      const c = challengeOf(statement, shared, a!, b!);
      expect(
        verifySharedPoint(statement, { shared, c: bytes(c), s: bytes(Fn.add(k, Fn.mul(c, d))) }),
      ).to.equal(true);
    });

    it("has one nonce for each statement: two with one would give the key away", () => {
      const { statement, keys } = wrapOf();
      const d = Fn.fromBytes(keys.secretKey.reveal());
      const nonceOf = (about: WrapStatement): bigint => {
        const { c, s } = proveSharedPoint(about, keys.secretKey.reveal());
        return Fn.sub(Fn.fromBytes(s), Fn.mul(Fn.fromBytes(c), d));
      };
      const others = [
        { context: new Uint8Array(32).fill(3) },
        { keyCommit: new Uint8Array(32).fill(3) },
        { ephemeral: generateKeyPair().publicKey },
      ];
      const nonces = [statement, ...others.map((other) => ({ ...statement, ...other }))].map(nonceOf);
      expect(new Set(nonces).size).to.equal(nonces.length);
      expect(nonceOf(statement)).to.equal(nonces[0]);
    });
  });

  describe("of an envelope", () => {
    it("opens to everybody what its recipient reads, compartment by compartment", async () => {
      const plaintexts = { body: pattern(10_000), trace: pattern(300), secrets: pattern(20) };
      const { bytes: file, header, hash, keys } = await sealed(plaintexts);
      const { secretKey } = keys;
      const openings = (["body", "trace"] as const).map((kind) =>
        proveOpening(header, { kind, context: CONTEXT, secretKey }),
      );
      expect(await collect(open([file], { openings, context: CONTEXT, hash }))).to.deep.equal(
        plaintexts.body,
      );
      const seen: Uint8Array[] = [];
      const handle = async (plaintext: AsyncIterable<Uint8Array>) => void seen.push(await collect(plaintext));
      const handlers = { body: handle, trace: handle };
      const opened = await openEach([file], { openings, context: CONTEXT, hash, handlers });
      expect(seen).to.deep.equal([plaintexts.trace, plaintexts.body]);
      expect(opened.hash).to.equal(hash);

      // What is not shown stays closed, and one wrap's point opens no other.
      await refusal("envelope.bad-request", () =>
        collect(open([file], { openings, context: CONTEXT, hash, kind: "secrets" })),
      );
      const moved = openings.map((each): Opening => ({ ...each, kind: "secrets" }));
      await refusal("envelope.bad-opening", () =>
        collect(open([file], { openings: moved, context: CONTEXT, hash, kind: "secrets" })),
      );
    });

    it("fits no other envelope, though the same author and reader have it", async () => {
      const keys = generateKeyPair();
      const [one, other] = [
        await sealed({ body: pattern(100) }, { keys }),
        await sealed({ body: pattern(100) }, { keys }),
      ];
      const openings = [proveOpening(one.header, { ...BODY, secretKey: keys.secretKey })];
      await refusal("envelope.bad-opening", () =>
        collect(open([other.bytes], { openings, context: CONTEXT })),
      );
      await refusal("envelope.bad-opening", () => openingWords(other.header, openings[0]!, BODY));
      // Nor the same envelope wrapped anew.
      const header = rewrap(one.header, {
        ...BODY,
        secretKey: keys.secretKey,
        recipients: [keys.publicKey],
      });
      await refusal("envelope.bad-opening", () =>
        collect(open([one.bytes], { openings, header, context: CONTEXT })),
      );
      expect(await collect(open([one.bytes], { openings, context: CONTEXT }))).to.deep.equal(pattern(100));
    });

    it("N04_ shows nothing of a letter whose ephemeral point is copied from another", async () => {
      const owner = generateKeyPair();
      const letter = await sealed({ body: pattern(100) }, { keys: owner });
      const copied = letter.header.compartments[0]!.recipients[0]!;
      const other = `0x${"0d".repeat(32)}`;
      const answer = seal({
        context: other,
        compartments: [{ kind: "body", recipients: [owner.publicKey], source: [pattern(100)] }],
      });
      const point = copied.wrap.subarray(0, 33);
      const behind = (entry: Recipient, first: Uint8Array): Uint8Array =>
        concat(first, entry.wrap.subarray(33));
      const forgeries: ((entry: Recipient) => Recipient)[] = [
        () => copied,
        (entry) => ({ ...copied, wrap: behind(entry, point) }),
        (entry) => ({ ...entry, wrap: behind(entry, point) }),
        (entry) => ({ ...copied, wrap: behind(entry, negated(point)) }),
      ];
      const { secretKey } = owner;
      for (const forge of forgeries) {
        const header = withEntry(answer.header, forge);
        const error = await refusal("envelope.unproven", () =>
          proveOpening(header, { kind: "body", context: other, secretKey }),
        );
        expect(error.next).to.include("its author's fault");
      }
      expect(proveOpening(answer.header, { kind: "body", context: other, secretKey })).to.have.property("s");
    });

    it("shows nothing of a wrap that eciesjs made, which has no proof of its author", async () => {
      const { header, keys } = await sealed();
      const config = Object.assign(new Config(), {
        isEphemeralKeyCompressed: true,
        symmetricNonceLength: 12,
      });
      const wrap = encrypt(keys.publicKey, new Uint8Array(32), config);
      await refusal("envelope.unproven", () =>
        proveOpening(
          withEntry(header, (entry) => ({ ...entry, wrap })),
          { ...BODY, secretKey: keys.secretKey },
        ),
      );
    });

    it("is refused for another task, and for who is no recipient", async () => {
      const { header, keys } = await sealed();
      const { secretKey } = keys;
      const other = `0x${"0d".repeat(32)}`;
      await refusal("envelope.wrong-context", () =>
        proveOpening(header, { kind: "body", context: other, secretKey }),
      );
      await refusal("envelope.no-compartment", () =>
        proveOpening(header, { kind: "trace", context: CONTEXT, secretKey }),
      );
      await refusal("envelope.not-a-recipient", () =>
        proveOpening(header, { ...BODY, secretKey: generateKeyPair().secretKey }),
      );
    });
  });

  describe("says who is at fault", () => {
    /** What everybody sees who is shown what this header and these bodies hold. */
    async function finding(
      code: string,
      { header, bodies, keys, hash }: { header: Header; bodies: Uint8Array; keys: KeyPair; hash?: string },
    ): Promise<void> {
      const openings = [proveOpening(header, { ...BODY, secretKey: keys.secretKey })];
      const file = [encodeHeader(header), bodies];
      await refusal(code, () => collect(open(file, { openings, context: CONTEXT, hash })));
      // The recipient sees that it fails as well.
      const own = { secretKey: keys.secretKey, context: CONTEXT, hash };
      await refusal(code === "envelope.bad-wrap" ? "envelope.key-mismatch" : code, () =>
        collect(open(file, own)),
      );
    }

    it("a wrap that does not open", async () => {
      const letter = await sealed();
      const broken = withEntry(letter.header, (entry) => ({
        ...entry,
        wrap: entry.wrap.map((byte, index) => (index === 92 ? byte ^ 1 : byte)),
      }));
      await finding("envelope.bad-wrap", { ...letter, header: broken });
    });

    it("another key than the one that was committed to", async () => {
      const letter = await sealed();
      const swapped = withBody(letter.header, (body) => ({
        ...body,
        recipients: wrapForAll(body, generateContentKey(), [letter.keys.publicKey]),
      }));
      await finding("envelope.key-mismatch", { ...letter, header: swapped });
    });

    it("a body that does not open, is cut off, or has another hash", async () => {
      const letter = await sealed();
      const { bodies } = letter;
      const flipped = bodies.map((byte, index) => (index === 5000 ? byte ^ 1 : byte));
      await finding("envelope.tampered", { ...letter, bodies: flipped });
      await finding("envelope.truncated", { ...letter, bodies: bodies.subarray(0, -1) });
      await finding("envelope.wrong-hash", { ...letter, hash: `0x${"00".repeat(32)}` });
    });

    it("a ciphertext for two keys: the committed one alone opens it", async () => {
      // The wrap holds a key of the author's choice, under which the first frame would be another text.
      const letter = await sealed({ body: pattern(10) });
      const other = generateContentKey();
      expect(commitTo(other)).not.to.equal(letter.header.compartments[0]!.keyCommit);
      const cipher = createCipheriv("aes-256-gcm", other.reveal(), new Uint8Array(12));
      const bodies = letter.bodies.slice();
      bodies.set(concat(cipher.update(pattern(10)), cipher.final(), cipher.getAuthTag()), 4);
      const header = withBody(letter.header, (body) => ({
        ...body,
        recipients: wrapForAll(body, other, [letter.keys.publicKey]),
      }));
      const { keys } = letter;
      await finding("envelope.key-mismatch", { header, bodies, keys });
    });
  });
});
