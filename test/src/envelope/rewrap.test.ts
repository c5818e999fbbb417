import { expect } from "chai";

import { encodeHeader } from "../../../src/envelope/format.ts";
import {
  generateKeyPair,
  hashEnvelope,
  open,
  readHeader,
  rewrap,
  unwrap,
} from "../../../src/envelope/index.ts";
import { Secret } from "../../../src/secret.ts";
import { collect, CONTEXT, pattern, refusal, sealed } from "./fixtures.ts";

describe("envelope: rewrap", () => {
  const body = { kind: "body", context: CONTEXT } as const;

  it("opens the same bodies for a new recipient by a detached header", async () => {
    const { bytes, header, keys } = await sealed({ body: pattern(9_000), secrets: pattern(5) });
    const juror = generateKeyPair();
    const rewrapped = rewrap(header, { ...body, secretKey: keys.secretKey, recipients: [juror.publicKey] });
    const detached = await readHeader([encodeHeader(rewrapped)]);
    expect(detached).to.deep.equal(rewrapped);

    const opened = open([bytes], { secretKey: juror.secretKey, context: CONTEXT, header: detached });
    expect(await collect(opened)).to.deep.equal(pattern(9_000));
  });

  it("gives jurors the body and never the secrets", async () => {
    const { bytes, header, keys } = await sealed({ body: pattern(9), secrets: pattern(5) });
    const juror = generateKeyPair();
    const detached = rewrap(header, { ...body, secretKey: keys.secretKey, recipients: [juror.publicKey] });
    const options = { context: CONTEXT, header: detached };
    await refusal("envelope.not-a-recipient", () =>
      collect(open([bytes], { ...options, secretKey: juror.secretKey, kind: "secrets" })),
    );
    // Without `keep`, the old recipients are gone from the new header too.
    await refusal("envelope.not-a-recipient", () =>
      collect(open([bytes], { ...options, secretKey: keys.secretKey })),
    );
  });

  it("changes neither the bodies nor the hash when put in place of the old header", async () => {
    const { header, bodies, hash, keys } = await sealed({ body: pattern(9), secrets: pattern(5) });
    const backup = generateKeyPair();
    const wider = rewrap(header, {
      ...body,
      secretKey: keys.secretKey,
      recipients: [backup.publicKey, keys.publicKey],
      keep: true,
    });
    const file = [encodeHeader(wider), bodies];
    expect(await hashEnvelope(file)).to.equal(hash);
    for (const { secretKey } of [keys, backup]) {
      expect(await collect(open(file, { secretKey, context: CONTEXT, hash }))).to.deep.equal(pattern(9));
    }
    const secrets = open(file, { secretKey: keys.secretKey, context: CONTEXT, kind: "secrets" });
    expect(await collect(secrets)).to.deep.equal(pattern(5));
  });

  it("works with a content key that was kept", async () => {
    const { bytes, header, keys } = await sealed();
    const contentKey = unwrap(header, { ...body, secretKey: keys.secretKey });
    expect(await collect(open([bytes], { contentKey, context: CONTEXT }))).to.deep.equal(pattern(10_000));
    const next = generateKeyPair();
    const detached = rewrap(header, { ...body, contentKey, recipients: [next.publicKey] });
    const opened = open([bytes], { secretKey: next.secretKey, context: CONTEXT, header: detached });
    expect(await collect(opened)).to.deep.equal(pattern(10_000));
  });

  it("N04_ refuses a content key of another envelope", async () => {
    const [one, two] = [await sealed(), await sealed()];
    const contentKey = unwrap(two.header, { ...body, secretKey: two.keys.secretKey });
    for (const wrong of [contentKey, new Secret(new Uint8Array())]) {
      await refusal("envelope.key-mismatch", () =>
        rewrap(one.header, { ...body, contentKey: wrong, recipients: [generateKeyPair().publicKey] }),
      );
      await refusal("envelope.key-mismatch", () =>
        collect(open([one.bytes], { contentKey: wrong, context: CONTEXT })),
      );
    }
  });

  it("refuses the detached header of another envelope, and who cannot open", async () => {
    const [one, two] = [await sealed(), await sealed()];
    const stranger = generateKeyPair();
    await refusal("envelope.foreign-header", () =>
      collect(open([one.bytes], { secretKey: one.keys.secretKey, context: CONTEXT, header: two.header })),
    );
    await refusal("envelope.not-a-recipient", () =>
      rewrap(one.header, { ...body, secretKey: stranger.secretKey, recipients: [stranger.publicKey] }),
    );
    await refusal("envelope.bad-key", () =>
      rewrap(one.header, { ...body, secretKey: one.keys.secretKey, recipients: [new Uint8Array(33)] }),
    );
  });

  it("counts the recipients that are kept: what it makes, every reader takes", async () => {
    const { header, keys } = await sealed({ body: pattern(9) });
    const [compartment] = header.compartments;
    const [own] = compartment?.recipients ?? [];
    if (compartment === undefined || own === undefined) throw new Error("no recipient");
    const others = Array.from({ length: 250 }, (_, index) => ({
      ...own,
      publicKey: new Uint8Array(33).fill(index),
    }));
    const wide = { compartments: [{ ...compartment, recipients: [own, ...others] }] };
    const added = Array.from({ length: 6 }, () => generateKeyPair().publicKey);
    const options = { ...body, secretKey: keys.secretKey, keep: true };
    const error = await refusal("envelope.bad-request", () =>
      rewrap(wide, { ...options, recipients: added }),
    );
    expect(error.message).to.include("257 recipients");
    const full = rewrap(wide, { ...options, recipients: added.slice(1) });
    expect((await readHeader([encodeHeader(full)])).compartments[0]?.recipients).to.have.length(256);
  });

  it("changes nothing when all are recipients already, and needs one without `keep`", async () => {
    const { header, keys } = await sealed();
    const options = { ...body, secretKey: keys.secretKey };
    for (const recipients of [[keys.publicKey], []]) {
      expect(rewrap(header, { ...options, recipients, keep: true })).to.deep.equal(header);
    }
    await refusal("envelope.bad-request", () => rewrap(header, { ...options, recipients: [] }));
  });
});
