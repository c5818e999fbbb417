import { expect } from "chai";
import fc from "fast-check";

import { primitives as node } from "../../../src/envelope/primitives.node.ts";
import { primitives as web } from "../../../src/envelope/primitives.web.ts";

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });

describe("envelope: primitives", () => {
  it("hash alike in Node and in a browser, however the bytes are cut", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 6 }), (parts) => {
        const [a, b] = [node.sha256(), web.sha256()];
        for (const part of parts) {
          a.update(part);
          b.update(part);
        }
        expect(a.digest()).to.deep.equal(b.digest());
      }),
      { numRuns: 50 },
    );
  });

  it("encrypt alike, open each other's frames and refuse the same", () => {
    fc.assert(
      fc.property(
        bytes(32),
        bytes(12),
        fc.uint8Array({ maxLength: 300 }),
        fc.nat(),
        (key, nonce, plaintext, at) => {
          const sealed = new Uint8Array(plaintext.length + 16);
          const other = new Uint8Array(plaintext.length + 16);
          node.encryptInto({ key, nonce, plaintext, target: sealed });
          web.encryptInto({ key, nonce, plaintext, target: other });
          expect(sealed).to.deep.equal(other);
          const wrong = sealed.slice();
          wrong[at % wrong.length]! ^= 1;
          for (const { decrypt } of [node, web]) {
            expect(decrypt({ key, nonce, sealed })).to.deep.equal(plaintext);
            expect(() => decrypt({ key, nonce, sealed: wrong })).to.throw();
          }
        },
      ),
      { numRuns: 50 },
    );
  });

  it("meet test case 14 of the GCM specification", () => {
    // McGrew and Viega, "The Galois/Counter Mode of Operation", appendix B: AES-256, all zero.
    const target = new Uint8Array(32);
    const zero = (length: number) => new Uint8Array(length);
    for (const { encryptInto } of [node, web]) {
      encryptInto({ key: zero(32), nonce: zero(12), plaintext: zero(16), target });
      expect(Buffer.from(target).toString("hex")).to.equal(
        "cea7403d4d606b6e074ec5d3baf39d18" + "d0d1c8a799996bf0265b98b5d48ab919",
      );
    }
  });
});
