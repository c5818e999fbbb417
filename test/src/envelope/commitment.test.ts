import { createCipheriv, createDecipheriv } from "node:crypto";

import { expect } from "chai";

import { encodeFrameHeader, encodeHeader, frameNonce } from "../../../src/envelope/format.ts";
import { generateKeyPair, open } from "../../../src/envelope/index.ts";
import { commitTo, generateContentKey, streamKey, wrapForAll } from "../../../src/envelope/keys.ts";
import { collect, concat, CONTEXT, refusal, SMALL_CHUNK } from "./fixtures.ts";

// Arithmetic in GF(2^128) as GCM uses it (NIST SP 800-38D, section 6.3).
function multiply(x: bigint, y: bigint): bigint {
  let product = 0n;
  for (let bit = 127n; bit >= 0n; bit--) {
    if ((x >> bit) & 1n) product ^= y;
    y = y & 1n ? (y >> 1n) ^ (0xe1n << 120n) : y >> 1n;
  }
  return product;
}

function inverse(x: bigint): bigint {
  let result = 1n << 127n;
  for (let power = 0; power < 127; power++) {
    x = multiply(x, x);
    result = multiply(result, x);
  }
  return result;
}

const toInteger = (bytes: Uint8Array) => BigInt(`0x${Buffer.from(bytes).toString("hex")}`);
const toBlock = (value: bigint) => new Uint8Array(Buffer.from(value.toString(16).padStart(32, "0"), "hex"));

function encryptBlock(key: Uint8Array, block: Uint8Array): bigint {
  return toInteger(createCipheriv("aes-256-ecb", key, null).update(block));
}

/** What GCM does with one key and one nonce: hash key, keystream, mask of the tag. */
function gcmOf(key: Uint8Array, nonce: Uint8Array) {
  const counter = (value: number) => concat(nonce, Uint8Array.of(0, 0, 0, value));
  const h = encryptBlock(key, new Uint8Array(16));
  return {
    h,
    mask: encryptBlock(key, counter(1)),
    keystream: (index: number) => encryptBlock(key, counter(index + 2)),
    hash: (blocks: bigint[]) => blocks.reduce((state, block) => multiply(state ^ block, h), 0n),
  };
}

/** Three blocks and a tag that are right under both keys: the first reads as `one`, the second as `two`. */
function ciphertextForTwo(keys: [Uint8Array, Uint8Array], nonce: Uint8Array, one: string, two: string) {
  const [a, b] = [gcmOf(keys[0], nonce), gcmOf(keys[1], nonce)];
  const text = (value: string) => toInteger(new TextEncoder().encode(value));
  const blocks = [text(one) ^ a.keystream(0), text(two) ^ b.keystream(1)];
  const lengths = 3n * 128n;
  // tag = hash(blocks, x, lengths) + mask is linear in the free block x: solve for equal tags.
  const rest = a.hash([...blocks, 0n, lengths]) ^ a.mask ^ b.hash([...blocks, 0n, lengths]) ^ b.mask;
  const free = multiply(rest, inverse(multiply(a.h, a.h) ^ multiply(b.h, b.h)));
  const tag = a.hash([...blocks, free, lengths]) ^ a.mask;
  return concat(...[...blocks, free, tag].map(toBlock));
}

function decryptWithNode(key: Uint8Array, nonce: Uint8Array, sealed: Uint8Array): string {
  const decipher = createDecipheriv("aes-256-gcm", key, nonce);
  decipher.setAuthTag(sealed.subarray(-16));
  return Buffer.concat([decipher.update(sealed.subarray(0, -16)), decipher.final()]).toString("latin1");
}

describe("envelope: key commitment", () => {
  it("N04_ a ciphertext that opens under two keys to two tasks is refused for the key without commitment", async () => {
    const [provider, juror] = [generateKeyPair(), generateKeyPair()];
    const [toProvider, toJuror] = [generateContentKey(), generateContentKey()];
    const fixed = {
      kind: "body",
      chunkBytes: SMALL_CHUNK,
      context: CONTEXT,
      keyCommit: commitTo(toProvider),
    } as const;
    const header = {
      compartments: [
        {
          ...fixed,
          // Both wraps are well made: the author knows both ephemeral scalars.
          recipients: [
            ...wrapForAll(fixed, toProvider, [provider.publicKey]),
            ...wrapForAll(fixed, toJuror, [juror.publicKey]),
          ],
        },
      ],
    };
    const streamKeys: [Uint8Array, Uint8Array] = [
      streamKey(header, "body", toProvider).reveal(),
      streamKey(header, "body", toJuror).reveal(),
    ];
    const nonce = frameNonce(0, true);
    const sealed = ciphertextForTwo(streamKeys, nonce, "read these pages", "mine me a bitcoi");

    // The attack on the cipher works: AES-GCM accepts one ciphertext under both keys.
    expect(decryptWithNode(streamKeys[0], nonce, sealed).slice(0, 16)).to.equal("read these pages");
    expect(decryptWithNode(streamKeys[1], nonce, sealed).slice(16, 32)).to.equal("mine me a bitcoi");

    const file = [encodeHeader(header), encodeFrameHeader(48, true), sealed];
    const opened = await collect(open(file, { secretKey: provider.secretKey, context: CONTEXT }));
    expect(Buffer.from(opened).toString("latin1").slice(0, 16)).to.equal("read these pages");

    await refusal("envelope.key-mismatch", () =>
      collect(open(file, { secretKey: juror.secretKey, context: CONTEXT })),
    );
    await refusal("envelope.key-mismatch", () =>
      collect(open(file, { contentKey: toJuror, context: CONTEXT })),
    );
  });

  it("N04_ a commitment made to fit the second key changes the keys of all frames", async () => {
    const reader = generateKeyPair();
    const [first, second] = [generateContentKey(), generateContentKey()];
    const headerFor = (contentKey: typeof first) => {
      const fixed = {
        kind: "body",
        chunkBytes: SMALL_CHUNK,
        context: CONTEXT,
        keyCommit: commitTo(contentKey),
      } as const;
      return { compartments: [{ ...fixed, recipients: wrapForAll(fixed, contentKey, [reader.publicKey]) }] };
    };
    const keys: [Uint8Array, Uint8Array] = [
      streamKey(headerFor(first), "body", first).reveal(),
      streamKey(headerFor(first), "body", second).reveal(),
    ];
    const sealed = ciphertextForTwo(keys, frameNonce(0, true), "read these pages", "mine me a bitcoi");
    const file = [encodeHeader(headerFor(second)), encodeFrameHeader(48, true), sealed];
    await refusal("envelope.tampered", () =>
      collect(open(file, { secretKey: reader.secretKey, context: CONTEXT })),
    );
  });
});
