import { expect } from "chai";
import fc from "fast-check";

import { encodeFrameHeader, encodeHeader, type Header } from "../../../src/envelope/format.ts";
import { generateKeyPair, hashEnvelope, open, openEach, readHeader } from "../../../src/envelope/index.ts";
import { isNeuraError } from "../../../src/errors.ts";
import { Secret } from "../../../src/secret.ts";
import { collect, concat, CONTEXT, pattern, refusal, sealed, SMALL_CHUNK } from "./fixtures.ts";

const FRAME = SMALL_CHUNK + 20;

/** A copy of `bytes` with one bit changed. */
function flipped(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = bytes.slice();
  copy[bit >> 3]! ^= 1 << (bit & 7);
  return copy;
}

describe("envelope: what is not as its author made it", () => {
  it("N04_ a flipped bit anywhere is detected", async () => {
    const { bytes, keys } = await sealed({ body: pattern(12) });
    const codes = new Set<string>();
    for (let index = 0; index < bytes.length; index++) {
      // One bit per byte, another from byte to byte.
      const changed = flipped(bytes, index * 8 + (index % 8));
      const opened = open([changed], { secretKey: keys.secretKey, context: CONTEXT });
      const error: unknown = await collect(opened).catch((reason: unknown) => reason);
      expect(isNeuraError(error), `byte ${index}: ${String(error)}`).to.be.true;
      if (isNeuraError(error)) codes.add(error.code);
    }
    expect([...codes].sort()).to.deep.equal([
      "envelope.key-mismatch",
      "envelope.malformed",
      "envelope.not-a-recipient",
      "envelope.tampered",
      "envelope.truncated",
      "envelope.unproven",
      "envelope.wrong-context",
    ]);
  });

  it("N04_ any flipped bit in any of three compartments is detected", async () => {
    const { bytes, keys } = await sealed({ body: pattern(9_000), secrets: pattern(3), trace: pattern(30) });
    const handlers = { body: drain, secrets: drain, trace: drain };
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: bytes.length * 8 - 1 }), async (bit) => {
        const options = { secretKey: keys.secretKey, context: CONTEXT, handlers };
        const error: unknown = await openEach([flipped(bytes, bit)], options).catch(
          (reason: unknown) => reason,
        );
        expect(isNeuraError(error)).to.be.true;
      }),
      { numRuns: 60 },
    );
  });

  it("N04_ a body cut at any point is detected", async () => {
    const { bytes, keys } = await sealed({ body: pattern(12) });
    for (let length = 0; length < bytes.length; length++) {
      await refusal("envelope.truncated", () =>
        collect(open([bytes.subarray(0, length)], { secretKey: keys.secretKey, context: CONTEXT })),
      );
    }
  });

  it("N04_ a body cut between two frames is detected, also when the last one is marked as the end", async () => {
    const { bytes, keys, header } = await sealed({ body: pattern(3 * SMALL_CHUNK) });
    const start = encodeHeader(header).length;
    const options = { secretKey: keys.secretKey, context: CONTEXT };
    const cut = bytes.slice(0, start + 2 * FRAME);
    await refusal("envelope.truncated", () => collect(open([cut], options)));
    cut.set(encodeFrameHeader(SMALL_CHUNK, true), start + FRAME);
    await refusal("envelope.tampered", () => collect(open([cut], options)));
  });

  it("N04_ frames in another order, repeated or left out are detected", async () => {
    const { header, bodies, keys } = await sealed({ body: pattern(4 * SMALL_CHUNK) });
    const [a, b, c, d] = [0, 1, 2, 3].map((index) => bodies.subarray(index * FRAME, (index + 1) * FRAME));
    for (const frames of [[b!, a!, c!, d!], [a!, a!, b!, c!, d!], [a!, c!, d!], [d!]]) {
      const file = concat(encodeHeader(header), ...frames);
      await refusal("envelope.tampered", () =>
        collect(open([file], { secretKey: keys.secretKey, context: CONTEXT })),
      );
    }
  });

  it("N04_ gives out no plaintext of a bad frame", async () => {
    const { bytes, header, keys } = await sealed({ body: pattern(3 * SMALL_CHUNK) });
    const changed = flipped(bytes, (encodeHeader(header).length + 2 * FRAME + 10) * 8);
    const seen: Uint8Array[] = [];
    await refusal("envelope.tampered", async () => {
      for await (const part of open([changed], { secretKey: keys.secretKey, context: CONTEXT }))
        seen.push(part);
    });
    expect(concat(...seen)).to.deep.equal(pattern(3 * SMALL_CHUNK).subarray(0, 2 * SMALL_CHUNK));
  });

  it("N04_ bodies of another envelope, or in each other's place, are detected", async () => {
    const keys = generateKeyPair();
    const one = await sealed({ secrets: pattern(12), body: pattern(12) }, { keys });
    const two = await sealed({ secrets: pattern(12), body: pattern(12) }, { keys });
    const half = one.bodies.length / 2;
    for (const bodies of [two.bodies, concat(one.bodies.subarray(half), one.bodies.subarray(0, half))]) {
      const file = concat(encodeHeader(one.header), bodies);
      await refusal("envelope.tampered", () =>
        collect(open([file], { secretKey: keys.secretKey, context: CONTEXT })),
      );
    }
  });

  it("N04_ an envelope for another task is refused before its key is looked at", async () => {
    const { bytes, keys } = await sealed();
    const other = `0x${"0d".repeat(32)}`;
    const error = await refusal("envelope.wrong-context", () =>
      collect(open([bytes], { secretKey: keys.secretKey, context: other })),
    );
    expect(error.message).to.include(other);
  });

  it("N04_ a context changed to the expected one is detected", async () => {
    const { header, bodies, keys } = await sealed();
    const context = `0x${"0d".repeat(32)}`;
    const forged = { compartments: header.compartments.map((each) => ({ ...each, context })) };
    await refusal("envelope.unproven", () =>
      collect(open([encodeHeader(forged), bodies], { secretKey: keys.secretKey, context })),
    );
  });

  it("N04_ the wrong hash is detected at the end", async () => {
    const { bytes, keys } = await sealed();
    const { hash } = await sealed();
    const options = { secretKey: keys.secretKey, context: CONTEXT, hash };
    await refusal("envelope.wrong-hash", () => collect(open([bytes], options)));
    await refusal("envelope.wrong-hash", () => openEach([bytes], { ...options, handlers: { body: drain } }));
  });

  it("N04_ another secret key is refused, and so is what is no secret key", async () => {
    const { bytes } = await sealed();
    const stranger = generateKeyPair();
    const error = await refusal("envelope.not-a-recipient", () =>
      collect(open([bytes], { secretKey: stranger.secretKey, context: CONTEXT })),
    );
    expect(error.message).to.include(Buffer.from(stranger.publicKey).toString("hex"));
    for (const bad of [new Uint8Array(32), new Uint8Array(31).fill(7), new Uint8Array(32).fill(255)]) {
      const refused = await refusal("envelope.bad-key", () =>
        collect(open([bytes], { secretKey: new Secret(bad), context: CONTEXT })),
      );
      expect(JSON.stringify(refused) + String(refused.stack)).to.not.include("0707");
    }
  });

  it("N04_ messages do not tell why a wrap or a frame cannot be opened", async () => {
    const { bytes, header, keys } = await sealed({ body: pattern(12) });
    const end = encodeHeader(header).length;
    const messageFor = async (code: string, byte: number) => {
      const error = await refusal(code, () =>
        collect(open([flipped(bytes, byte * 8)], { secretKey: keys.secretKey, context: CONTEXT })),
      );
      expect(error.cause).to.equal(undefined);
      return error.message;
    };
    // The wrap's nonce, tag and ciphertext; then the frame's length, ciphertext and tag.
    const wraps = await Promise.all(
      [end - 60, end - 40, end - 1].map((at) => messageFor("envelope.key-mismatch", at)),
    );
    const frames = await Promise.all(
      [end, end + 5, bytes.length - 1].map((at) => messageFor("envelope.tampered", at)),
    );
    expect(new Set(wraps).size).to.equal(1);
    expect(new Set(frames).size).to.equal(1);
  });

  it("refuses what is not an envelope, and headers that ask for too much", async () => {
    const { bytes, header, bodies, keys } = await sealed({ body: pattern(12), secrets: pattern(3) });
    const page = new TextEncoder().encode("<html><body>502 Bad Gateway</body></html>");
    const at = (index: number, ...values: number[]) => {
      const copy = bytes.slice();
      copy.set(values, index);
      return copy;
    };
    const section = 11 + 2 * 66;
    const [first, second] = header.compartments;
    const twice: Header = {
      compartments: [{ ...first!, recipients: [...first!.recipients, ...first!.recipients] }, second!],
    };
    const files = {
      "another file": page,
      "another version": at(9, 2),
      "no compartments": at(10, 0),
      "too many compartments": at(10, 4),
      "an unknown kind": at(11, 3),
      "a kind twice": at(11, 0),
      "tiny chunks": at(12, 11),
      "huge chunks": at(12, 21),
      "a huge recipient section": at(section, 0xff, 0xff, 0xff, 0xff),
      "more recipients than entries": at(section + 4, 0, 2),
      "too many recipients": at(section + 4, 0xff, 0xff),
      "a recipient twice": concat(encodeHeader(twice), bodies),
    };
    for (const [name, file] of Object.entries(files)) {
      const error = await refusal("envelope.malformed", () =>
        collect(open([file], { secretKey: keys.secretKey, context: CONTEXT })),
      ).catch((reason: unknown) => expect.fail(`${name}: ${String(reason)}`));
      expect(error.next).to.be.a("string");
    }
    await refusal("envelope.malformed", () => readHeader([page]));
    await refusal("envelope.malformed", () => hashEnvelope([page]));
    await refusal("envelope.truncated", () => readHeader([]));
  });

  it("refuses to look for a compartment that is not there", async () => {
    const { bytes, keys } = await sealed();
    await refusal("envelope.no-compartment", () =>
      collect(open([bytes], { secretKey: keys.secretKey, context: CONTEXT, kind: "secrets" })),
    );
  });

  it("never fails otherwise on random bytes behind a valid start", async () => {
    const { bytes, header, keys } = await sealed({ body: pattern(12) });
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(10, 11, 77, 81, encodeHeader(header).length),
        fc.uint8Array({ maxLength: 2_000 }),
        async (length, noise) => {
          const error: unknown = await collect(
            open([bytes.subarray(0, length), noise], { secretKey: keys.secretKey, context: CONTEXT }),
          ).catch((reason: unknown) => reason);
          expect(isNeuraError(error), String(error)).to.be.true;
        },
      ),
      { numRuns: 100 },
    );
  });
});

async function drain(plaintext: AsyncIterable<Uint8Array>): Promise<void> {
  await collect(plaintext);
}
