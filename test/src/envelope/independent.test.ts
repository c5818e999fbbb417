/**
 * Reads the committed envelope by the description in docs/envelope.md, with nothing but node:crypto and eciesjs:
 * no line of the library takes part.
 */
import { createDecipheriv, createHash, hkdfSync } from "node:crypto";
import { readFileSync } from "node:fs";

import { expect } from "chai";
import { decrypt, PrivateKey, PublicKey } from "eciesjs";
import { Config } from "eciesjs/config";

interface Vectors {
  context: string;
  keys: Record<"owner" | "provider" | "juror", { secretKey: string; publicKey: string }>;
  secrets: { plaintext: string; contentKey: string; keyCommit: string; streamKey: string };
  body: { plaintextBytes: number; contentKey: string; keyCommit: string; streamKey: string };
  hash: string;
  envelope: string;
  headerForJuror: string;
  proof: Record<"context" | "keyCommit" | "recipient" | "r" | "point" | "e" | "s", string>;
  opening: Record<"recipient" | "ephemeral" | "shared" | "c" | "s", string>;
}
const vectors = JSON.parse(readFileSync(new URL("vectors.json", import.meta.url), "utf8")) as Vectors;

const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
const FIELD = 2n ** 256n - 2n ** 32n - 977n;

const sha256 = (...parts: (Uint8Array | string)[]) => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest();
};
const integer = (bytes: Uint8Array) => BigInt(`0x${Buffer.from(bytes).toString("hex") || "0"}`);

const config = new Config();
config.isEphemeralKeyCompressed = true;
config.symmetricNonceLength = 12;

interface Entry {
  publicKey: Buffer;
  e: Buffer;
  s: Buffer;
  wrap: Buffer;
}
interface Part {
  kind: number;
  chunk: number;
  context: Buffer;
  keyCommit: Buffer;
  entries: Entry[];
}

/** Steps 1 to 3 of "How to read one": the header. */
function readHeader(file: Buffer): { parts: Part[]; fixed: Buffer; bodies: Buffer } {
  let at = 0;
  const take = (length: number) => file.subarray(at, (at += length));
  expect(take(10).toString("latin1")).to.equal("NEURA-ENV\x01");
  const count = take(1).readUInt8();
  const parts = Array.from({ length: count }, () => ({
    kind: take(1).readUInt8(),
    chunk: 2 ** take(1).readUInt8(),
    context: take(32),
    keyCommit: take(32),
    entries: [] as Entry[],
  }));
  const fixed = file.subarray(0, at);
  const end = take(4).readUInt32BE() + at;
  for (const part of parts) {
    const entries = take(2).readUInt16BE();
    for (let index = 0; index < entries; index++) {
      part.entries.push({ publicKey: take(33), e: take(32), s: take(32), wrap: take(93) });
    }
  }
  expect(at).to.equal(end);
  return { parts, fixed, bodies: file.subarray(end) };
}

function affine(point: Uint8Array): { x: bigint; y: bigint } {
  const bytes = new PublicKey(point).toBytes(false);
  return { x: integer(bytes.subarray(1, 33)), y: integer(bytes.subarray(33)) };
}

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  for (; exponent > 0n; exponent >>= 1n, base = (base * base) % FIELD) {
    if (exponent & 1n) result = (result * base) % FIELD;
  }
  return result;
}

const modulo = (value: bigint) => ((value % FIELD) + FIELD) % FIELD;

/** A - B for two points with different x, compressed. */
function subtract(a: Uint8Array, b: Uint8Array): Buffer {
  const [p, q] = [affine(a), affine(b)];
  const slope = modulo((p.y + q.y) * power(modulo(p.x - q.x), FIELD - 2n));
  const x = modulo(slope * slope - p.x - q.x);
  const y = modulo(slope * (p.x - x) - p.y);
  return Buffer.from((y & 1n ? "03" : "02") + x.toString(16).padStart(64, "0"), "hex");
}

/** Step 5: A = sG - eR, and e is the hash. */
function isProven(about: { context: Uint8Array; keyCommit: Uint8Array }, entry: Entry): boolean {
  const point = entry.wrap.subarray(0, 33);
  const sG = new PrivateKey(entry.s).publicKey.toBytes(true);
  const eR = new PrivateKey(entry.e).multiply(new PublicKey(point), true);
  const { context, keyCommit } = about;
  const hash = sha256("neura/pok/1", context, keyCommit, entry.publicKey, point, subtract(sG, eR));
  return integer(hash) % ORDER === integer(entry.e);
}

/** "Opening proof": whether S is the point of this wrap. */
function isShown(part: Part, entry: Entry, { shared, c, s }: Record<"shared" | "c" | "s", Buffer>): boolean {
  const ephemeral = entry.wrap.subarray(0, 33);
  const times = (scalar: Buffer, point: Uint8Array) =>
    new PrivateKey(scalar).multiply(new PublicKey(point), true);
  const a = subtract(new PrivateKey(s).publicKey.toBytes(true), times(c, entry.publicKey));
  const b = subtract(times(s, ephemeral), times(c, shared));
  const statement = [part.context, part.keyCommit, entry.publicKey, ephemeral, shared];
  return integer(sha256("neura/opening/1", ...statement, a, b)) % ORDER === integer(c);
}

/** The key in a wrap, by the point that both sides share. */
function unwrapWith(shared: Uint8Array, wrap: Buffer): Buffer {
  const points = [wrap.subarray(0, 33), shared].map((point) => new PublicKey(point).toBytes(false));
  const key = Buffer.from(hkdfSync("sha256", Buffer.concat(points), "", "", 32));
  const decipher = createDecipheriv("aes-256-gcm", key, wrap.subarray(33, 45));
  decipher.setAuthTag(wrap.subarray(45, 61));
  return Buffer.concat([decipher.update(wrap.subarray(61)), decipher.final()]);
}

/** Steps 4 to 6: the content key of one compartment. */
function contentKeyOf(part: Part, secretKey: Buffer): Buffer {
  const own = new PrivateKey(secretKey).publicKey.toBytes(true);
  const entry = part.entries.find(({ publicKey }) => publicKey.equals(own));
  if (!entry) throw new Error("not a recipient");
  expect(part.context.toString("hex")).to.equal(vectors.context);
  expect(isProven(part, entry)).to.equal(true);
  const contentKey = Buffer.from(decrypt(secretKey, entry.wrap, config));
  expect(sha256("neura/commit/1", contentKey)).to.deep.equal(part.keyCommit);
  return contentKey;
}

function streamKeyOf(fixed: Buffer, part: Part, contentKey: Buffer): Buffer {
  const info = Buffer.concat([Buffer.from("neura/stream/1"), Buffer.from([part.kind])]);
  return Buffer.from(hkdfSync("sha256", contentKey, sha256(fixed), info, 32));
}

/** Step 7: the frames of all compartments, in order; only those with a key are decrypted. */
function readBodies(parts: Part[], bodies: Buffer, keys: Map<number, Buffer>): Map<number, Buffer> {
  const plaintexts = new Map<number, Buffer>();
  let at = 0;
  const take = (length: number) => bodies.subarray(at, (at += length));
  for (const { kind, chunk } of parts) {
    const pieces = [];
    for (let index = 0, last = false; !last; index++) {
      const head = take(4).readUInt32BE();
      last = head >= 2 ** 31;
      const length = head % 2 ** 31;
      expect(last ? length <= chunk : length === chunk).to.equal(true);
      const ciphertext = take(length);
      const tag = take(16);
      const key = keys.get(kind);
      if (!key) continue;
      const nonce = Buffer.alloc(12);
      nonce.writeUInt32BE(index, 7);
      nonce.writeUInt8(last ? 1 : 0, 11);
      const decipher = createDecipheriv("aes-256-gcm", key, nonce).setAuthTag(tag);
      pieces.push(decipher.update(ciphertext), decipher.final());
    }
    plaintexts.set(kind, Buffer.concat(pieces));
  }
  expect(at).to.equal(bodies.length);
  return plaintexts;
}

describe("envelope: read by its description alone", () => {
  const file = Buffer.from(vectors.envelope, "base64");
  const { parts, fixed, bodies } = readHeader(file);
  const body = parts.find(({ kind }) => kind === 0)!;
  const secrets = parts.find(({ kind }) => kind === 1)!;
  const secretKeyOf = (name: keyof Vectors["keys"]) => Buffer.from(vectors.keys[name].secretKey, "hex");
  const plainBody = Buffer.from(
    Array.from({ length: vectors.body.plaintextBytes }, (_, index) => index % 251),
  );

  it("the provider opens body and secrets", () => {
    const keys = new Map<number, Buffer>();
    for (const [part, expected] of [
      [body, vectors.body],
      [secrets, vectors.secrets],
    ] as const) {
      const contentKey = contentKeyOf(part, secretKeyOf("provider"));
      const streamKey = streamKeyOf(fixed, part, contentKey);
      expect(contentKey.toString("hex")).to.equal(expected.contentKey);
      expect(part.keyCommit.toString("hex")).to.equal(expected.keyCommit);
      expect(streamKey.toString("hex")).to.equal(expected.streamKey);
      keys.set(part.kind, streamKey);
    }
    const plaintexts = readBodies(parts, bodies, keys);
    expect(plaintexts.get(0)).to.deep.equal(plainBody);
    expect(plaintexts.get(1)!.toString("hex")).to.equal(vectors.secrets.plaintext);
  });

  it("the owner opens the body and not the secrets", () => {
    const key = streamKeyOf(fixed, body, contentKeyOf(body, secretKeyOf("owner")));
    expect(readBodies(parts, bodies, new Map([[0, key]])).get(0)).to.deep.equal(plainBody);
    expect(() => contentKeyOf(secrets, secretKeyOf("owner"))).to.throw("not a recipient");
  });

  it("anybody opens the body with what the provider shows, and no secret key", () => {
    const hex = (text: string) => Buffer.from(text, "hex");
    const { recipient, ephemeral, ...rest } = vectors.opening;
    const shown = { shared: hex(rest.shared), c: hex(rest.c), s: hex(rest.s) };
    const entry = body.entries.find(({ publicKey }) => publicKey.equals(hex(recipient)))!;
    expect(entry.wrap.subarray(0, 33)).to.deep.equal(hex(ephemeral));
    expect(isShown(body, entry, shown)).to.equal(true);
    expect(isShown(body, entry, { ...shown, shared: hex(ephemeral) })).to.equal(false);
    expect(isShown(secrets, entry, shown)).to.equal(false);

    const contentKey = unwrapWith(shown.shared, entry.wrap);
    expect(sha256("neura/commit/1", contentKey)).to.deep.equal(body.keyCommit);
    const key = streamKeyOf(fixed, body, contentKey);
    expect(readBodies(parts, bodies, new Map([[0, key]])).get(0)).to.deep.equal(plainBody);
  });

  it("a juror opens the body with the detached header", () => {
    const detached = readHeader(Buffer.from(vectors.headerForJuror, "base64"));
    expect(detached.fixed).to.deep.equal(fixed);
    expect(detached.bodies.length).to.equal(0);
    const key = streamKeyOf(
      fixed,
      body,
      contentKeyOf(
        detached.parts.find(({ kind }) => kind === 0)!,
        secretKeyOf("juror"),
      ),
    );
    expect(readBodies(parts, bodies, new Map([[0, key]])).get(0)).to.deep.equal(plainBody);
  });

  it("the hash is over all but the recipient section", () => {
    expect(sha256(fixed, bodies).toString("hex")).to.equal(vectors.hash);
  });

  it("the proof of knowledge is the one of the vector", () => {
    const bytes = (name: keyof Vectors["proof"]) => Buffer.from(vectors.proof[name], "hex");
    expect(new PrivateKey(bytes("r")).publicKey.toHex()).to.equal(vectors.proof.point);
    const about = { context: bytes("context"), keyCommit: bytes("keyCommit") };
    const entry = { publicKey: bytes("recipient"), e: bytes("e"), s: bytes("s"), wrap: bytes("point") };
    expect(isProven(about, entry)).to.equal(true);
    expect(isProven({ ...about, context: about.keyCommit }, entry)).to.equal(false);
  });
});
