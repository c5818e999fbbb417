import { createHash } from "node:crypto";

import { expect } from "chai";
import fc from "fast-check";

import {
  generateKeyPair,
  hashEnvelope,
  open,
  openEach,
  readHeader,
  seal,
  sealedSize,
  unwrap,
} from "../../../src/envelope/index.ts";
import { collect, concat, CONTEXT, pattern, refusal, sealed, SMALL_CHUNK } from "./fixtures.ts";

/** `bytes` cut at random places. */
function* cut(bytes: Uint8Array, sizes: number[]): Generator<Uint8Array> {
  let offset = 0;
  for (let turn = 0; offset < bytes.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1;
    yield bytes.subarray(offset, offset + size);
    offset += size;
  }
}

describe("envelope: seal and open", () => {
  it("gives back any plaintext, however both streams are cut", async () => {
    const keys = generateKeyPair();
    const sizes = fc.array(fc.integer({ min: 1, max: 9_000 }), { minLength: 1, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 20_000 }), sizes, sizes, async (length, inCuts, outCuts) => {
        const plaintext = pattern(length);
        const envelope = seal({
          context: CONTEXT,
          chunkBytes: SMALL_CHUNK,
          compartments: [{ kind: "body", recipients: [keys.publicKey], source: cut(plaintext, inCuts) }],
        });
        const bytes = await collect(envelope.stream);
        const { hash, size } = envelope.result();
        expect(size).to.equal(bytes.length);
        const opened = open(cut(bytes, outCuts), { secretKey: keys.secretKey, context: CONTEXT, hash });
        expect(await collect(opened)).to.deep.equal(plaintext);
      }),
      { numRuns: 25 },
    );
  });

  for (const length of [0, 1, SMALL_CHUNK - 1, SMALL_CHUNK, SMALL_CHUNK + 1, 2 * SMALL_CHUNK]) {
    it(`writes ${length} bytes in the fewest frames`, async () => {
      const { bodies, bytes, keys } = await sealed({ body: pattern(length) });
      const frames = Math.max(1, Math.ceil(length / SMALL_CHUNK));
      expect(bodies.length).to.equal(length + frames * 20);
      expect(await collect(open([bytes], { secretKey: keys.secretKey, context: CONTEXT }))).to.deep.equal(
        pattern(length),
      );
    });
  }

  it("knows the size beforehand", async () => {
    const lengths = [0, 1, SMALL_CHUNK, SMALL_CHUNK + 1, 50_000];
    for (const body of lengths) {
      for (const secrets of lengths) {
        const other = generateKeyPair().publicKey;
        const { bytes } = await sealed(
          { body: pattern(body), secrets: pattern(secrets) },
          { others: [other] },
        );
        const compartments = [body, secrets].map((length) => ({ recipients: 2, bytes: length }));
        expect(sealedSize({ compartments, chunkBytes: SMALL_CHUNK })).to.equal(bytes.length);
      }
    }
  });

  it("knows the size of one with chunks of the usual size and recipients of their own", async () => {
    const [provider, owner] = [generateKeyPair().publicKey, generateKeyPair().publicKey];
    for (const bytes of [0, 65_536, 65_537, 300_000]) {
      const { stream } = seal({
        context: CONTEXT,
        compartments: [
          { kind: "secrets", recipients: [provider], source: [pattern(120)] },
          { kind: "body", recipients: [provider, owner], source: [pattern(bytes)] },
        ],
      });
      const compartments = [
        { recipients: 1, bytes: 120 },
        { recipients: 2, bytes },
      ];
      expect(sealedSize({ compartments })).to.equal((await collect(stream)).length);
    }
  });

  it("opens every compartment in one pass and reports the hash", async () => {
    const plaintexts = { body: pattern(9_000), secrets: pattern(5), trace: pattern(4_097) };
    const { bytes, hash, keys } = await sealed(plaintexts);
    const seen: Record<string, Uint8Array> = {};
    const keep = (kind: string) => async (plaintext: AsyncIterable<Uint8Array>) => {
      seen[kind] = await collect(plaintext);
    };
    const opened = await openEach([bytes], {
      secretKey: keys.secretKey,
      context: CONTEXT,
      handlers: { body: keep("body"), secrets: keep("secrets"), trace: keep("trace") },
    });
    expect(seen).to.deep.equal(plaintexts);
    expect(opened.hash).to.equal(hash);
    expect(Object.keys(seen)).to.deep.equal(["secrets", "trace", "body"]);
  });

  it("gives its author the content key of each compartment", async () => {
    const keys = generateKeyPair();
    const envelope = seal({
      context: CONTEXT,
      compartments: [{ kind: "body", recipients: [keys.publicKey], source: [pattern(5)] }],
    });
    const own = unwrap(envelope.header, { kind: "body", context: CONTEXT, secretKey: keys.secretKey });
    expect(envelope.contentKey("body").reveal()).to.deep.equal(own.reveal());
    await refusal("envelope.no-compartment", () => envelope.contentKey("trace"));
  });

  it("opens each compartment alone and passes over the others", async () => {
    const plaintexts = { body: pattern(9_000), secrets: pattern(5), trace: pattern(4_097) };
    const { bytes, keys } = await sealed(plaintexts);
    for (const kind of ["body", "secrets", "trace"] as const) {
      const opened = open([bytes], { secretKey: keys.secretKey, context: CONTEXT, kind });
      expect(await collect(opened)).to.deep.equal(plaintexts[kind]);
    }
  });

  it("reads and checks what a handler leaves", async () => {
    const { bytes, hash, keys } = await sealed({ secrets: pattern(9_000), body: pattern(9_000) });
    const opened = await openEach([bytes], {
      secretKey: keys.secretKey,
      context: CONTEXT,
      hash,
      handlers: {
        secrets: async (plaintext) => {
          await plaintext[Symbol.asyncIterator]().next();
        },
        body: () => Promise.resolve(),
      },
    });
    expect(opened.hash).to.equal(hash);
  });

  it("reports an error that a handler swallows", async () => {
    const { bytes, keys } = await sealed();
    bytes[bytes.length - 1]! ^= 1;
    await refusal("envelope.tampered", () =>
      openEach([bytes], {
        secretKey: keys.secretKey,
        context: CONTEXT,
        handlers: { body: (plaintext) => collect(plaintext).then(ignore, ignore) },
      }),
    );
  });

  it("passes on what a handler throws and closes the source", async () => {
    const { bytes, keys } = await sealed();
    let closed = false;
    function* source() {
      try {
        yield* cut(bytes, [100]);
      } finally {
        closed = true;
      }
    }
    const failure = new Error("disk full");
    const result = openEach(source(), {
      secretKey: keys.secretKey,
      context: CONTEXT,
      handlers: { body: () => Promise.reject(failure) },
    });
    expect(await result.catch((error: unknown) => error)).to.equal(failure);
    expect(closed).to.be.true;
  });

  it("opens for each of several recipients, and for none else", async () => {
    const [first, second, stranger] = [generateKeyPair(), generateKeyPair(), generateKeyPair()];
    const { bytes } = await sealed({ body: pattern(10) }, { keys: first, others: [second.publicKey] });
    for (const { secretKey } of [first, second]) {
      expect(await collect(open([bytes], { secretKey, context: CONTEXT }))).to.deep.equal(pattern(10));
    }
    await refusal("envelope.not-a-recipient", () =>
      collect(open([bytes], { secretKey: stranger.secretKey, context: CONTEXT })),
    );
  });

  it("N04_ never encrypts two envelopes with the same key or nonce", async () => {
    const keys = generateKeyPair();
    const [a, b] = [await sealed(undefined, { keys }), await sealed(undefined, { keys })];
    expect(a.header.compartments[0]!.keyCommit).to.not.equal(b.header.compartments[0]!.keyCommit);
    expect(a.bodies).to.not.deep.equal(b.bodies);
  });

  it("hashes all but the recipient section", async () => {
    const { bytes, hash, bodies } = await sealed({ body: pattern(9_000), secrets: pattern(3) });
    const fixed = bytes.subarray(0, 11 + 2 * 66);
    const expected = createHash("sha256").update(fixed).update(bodies).digest("hex");
    expect(hash).to.equal(`0x${expected}`);
    expect(await hashEnvelope(cut(bytes, [7, 1_000]))).to.equal(hash);
  });

  it("reads the header and lets go of the source", async () => {
    const { bytes, header } = await sealed({ body: pattern(9_000), secrets: pattern(3) });
    let read = 0;
    let closed = false;
    function* source() {
      try {
        for (const piece of cut(bytes, [64])) {
          read += piece.length;
          yield piece;
        }
      } finally {
        closed = true;
      }
    }
    expect(await readHeader(source())).to.deep.equal(header);
    expect(closed).to.be.true;
    expect(read).to.be.lessThan(700);
  });

  it("never holds more than a frame or two, in either direction", async () => {
    const keys = generateKeyPair();
    const total = 4_000;
    let made = 0;
    function* source() {
      for (; made < total; made++) yield pattern(SMALL_CHUNK);
    }
    const envelope = seal({
      context: CONTEXT,
      chunkBytes: SMALL_CHUNK,
      compartments: [{ kind: "body", recipients: [keys.publicKey], source: source() }],
    });
    let opened = 0;
    for await (const part of open(envelope.stream, { secretKey: keys.secretKey, context: CONTEXT })) {
      opened += part.length / SMALL_CHUNK;
      expect(made - opened).to.be.lessThan(3);
    }
    expect(opened).to.equal(total);
  });

  it("says the hash only after the stream has ended", async () => {
    const keys = generateKeyPair();
    const envelope = seal({
      context: CONTEXT,
      compartments: [{ kind: "body", recipients: [keys.publicKey], source: [pattern(10)] }],
    });
    await refusal("envelope.unfinished", () => envelope.result());
    await collect(envelope.stream);
    expect(envelope.result().hash).to.match(/^0x[0-9a-f]{64}$/);
  });

  it("passes on what the source throws", async () => {
    const failure = new Error("disk gone");
    function* source(): Generator<Uint8Array> {
      yield pattern(10);
      throw failure;
    }
    const envelope = seal({
      context: CONTEXT,
      compartments: [{ kind: "body", recipients: [generateKeyPair().publicKey], source: source() }],
    });
    expect(await collect(envelope.stream).catch((error: unknown) => error)).to.equal(failure);
    await refusal("envelope.unfinished", () => envelope.result());
  });

  it("stops at once when it is aborted, even if a source hangs", async () => {
    const { bytes, keys } = await sealed();
    async function* hanging(first: Uint8Array) {
      yield first;
      await new Promise(() => undefined);
    }
    const controller = new AbortController();
    const { signal } = controller;
    const envelope = seal({
      context: CONTEXT,
      compartments: [{ kind: "body", recipients: [keys.publicKey], source: hanging(pattern(10)) }],
      signal,
    });
    const writing = collect(envelope.stream).catch((error: unknown) => error);
    const half = hanging(bytes.subarray(0, bytes.length / 2));
    const reading = collect(open(half, { secretKey: keys.secretKey, context: CONTEXT, signal })).catch(
      (error: unknown) => error,
    );
    const reason = new Error("enough");
    setTimeout(() => controller.abort(reason), 10);
    expect(await writing).to.equal(reason);
    expect(await reading).to.equal(reason);
  });

  it("refuses requests that make no sense", async () => {
    const { publicKey } = generateKeyPair();
    const body = { kind: "body", recipients: [publicKey], source: [pattern(1)] } as const;
    const cases: [string, () => unknown][] = [
      ["envelope.bad-request", () => seal({ context: "0x12", compartments: [body] })],
      ["envelope.bad-request", () => seal({ context: CONTEXT, compartments: [] })],
      ["envelope.bad-request", () => seal({ context: CONTEXT, compartments: [body, body] })],
      ["envelope.bad-request", () => seal({ context: CONTEXT, compartments: [{ ...body, kind: "trace" }] })],
      ["envelope.bad-request", () => seal({ context: CONTEXT, compartments: [{ ...body, recipients: [] }] })],
      [
        "envelope.bad-request",
        () => seal({ context: CONTEXT, compartments: [{ ...body, recipients: [publicKey, publicKey] }] }),
      ],
      ["envelope.bad-request", () => seal({ context: CONTEXT, compartments: [body], chunkBytes: 5_000 })],
      ["envelope.bad-request", () => seal({ context: CONTEXT, compartments: [body], chunkBytes: 2 ** 21 })],
      [
        "envelope.bad-key",
        () => seal({ context: CONTEXT, compartments: [{ ...body, recipients: [new Uint8Array(33)] }] }),
      ],
    ];
    for (const [code, action] of cases) await refusal(code, action);
  });

  it("joins envelopes to nothing: two in a row are refused", async () => {
    const { bytes, keys } = await sealed();
    await refusal("envelope.tampered", () =>
      collect(open([concat(bytes, bytes)], { secretKey: keys.secretKey, context: CONTEXT })),
    );
  });
});

const ignore = () => undefined;
