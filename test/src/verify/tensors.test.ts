import { expect } from "chai";
import fc from "fast-check";

import { isNeuraError } from "../../../src/errors.ts";
import { decodeTensors, encodeTensors, fromBf16, toBf16Bits } from "../../../src/verify/tensors.ts";

/** A file of this header and these bytes. */
function fileOf(header: unknown, data: readonly number[] = []): Uint8Array {
  const text = Buffer.from(typeof header === "string" ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, Buffer.from(data)]);
}

const number = fc.double({ noNaN: false });
const entry = fc.record({
  type: fc.constantFrom("F32" as const, "F64" as const),
  values: fc.array(number, { maxLength: 12 }),
});

describe("verify: tensors", () => {
  it("reads what it wrote, every bit of it", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ minLength: 1 }), entry, { maxKeys: 5 }), (tensors) => {
        const given = Object.entries(tensors).filter(
          ([name]) => name !== "__metadata__" && name !== "__proto__",
        );
        const read = decodeTensors(
          encodeTensors(
            given.map(
              ([name, { type, values }]) => [name, { type, shape: [values.length], values }] as const,
            ),
          ),
        );
        expect(new Set(read.keys())).to.deep.equal(new Set(given.map(([name]) => name)));
        for (const [name, { type, values }] of given) {
          const kept = type === "F32" ? values.map(Math.fround) : values;
          expect(read.get(name)).to.deep.equal({
            type,
            shape: [values.length],
            values: Float64Array.from(kept),
          });
        }
      }),
    );
  });

  it("reads whole numbers and fractions of 16 bits, named in another order than they lie", () => {
    const header =
      '{"a":{"dtype":"I8","shape":[1,2],"data_offsets":[4,6]},"h":{"dtype":"F16","shape":[2],"data_offsets":[0,4]}}    ';
    const read = decodeTensors(fileOf(header, [0x00, 0x3e, 0x00, 0xfc, 1, 0xfe]));
    expect([...read.get("a")!.values]).to.deep.equal([1, -2]);
    expect(read.get("a")!.shape).to.deep.equal([1, 2]);
    expect([...read.get("h")!.values]).to.deep.equal([1.5, -Infinity]);
  });

  it("passes over metadata, and reads from the middle of a buffer", () => {
    const bytes = fileOf(
      { __metadata__: { format: "pt" }, x: { dtype: "U8", shape: [], data_offsets: [0, 1] } },
      [7],
    );
    const moved = new Uint8Array(bytes.length + 3);
    moved.set(bytes, 3);
    const x = decodeTensors(moved.subarray(3)).get("x");
    expect([...x!.values]).to.deep.equal([7]);
  });

  it("rounds to bf16 as the nearest, ties to even", () => {
    for (const [value, expected] of [
      [1, 1],
      [1 + 1 / 256, 1],
      [1 + 3 / 256, 1 + 2 / 128],
      [-1.00390625, -1],
      [3.4e38, Infinity],
      [-0, -0],
      [Infinity, Infinity],
    ] as const)
      expect(fromBf16(toBf16Bits(value)), String(value)).to.equal(expected);
    expect(fromBf16(toBf16Bits(NaN))).to.be.NaN;
    fc.assert(
      fc.property(fc.double({ noNaN: true, min: -1e38, max: 1e38 }).map(Math.fround), (value) => {
        const rounded = fromBf16(toBf16Bits(value));
        expect(fromBf16(toBf16Bits(rounded))).to.equal(rounded);
        expect(Math.abs(rounded - value)).to.be.at.most(Math.abs(value) / 256 + 1e-40);
      }),
    );
  });

  const x = { dtype: "F32", shape: [1], data_offsets: [0, 4] };
  const malformed: Record<string, Uint8Array> = {
    nothing: new Uint8Array(0),
    "seven bytes": new Uint8Array(7),
    "a header longer than the file": Uint8Array.of(255, 255, 255, 255, 255, 255, 255, 255, 1),
    "a header that is no JSON": fileOf("{"),
    "a header that is a list": fileOf([]),
    "a header that is no UTF-8": Buffer.concat([
      fileOf("").subarray(0, 0),
      Buffer.from([2, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]),
    ]),
    "a type that there is not": fileOf({ x: { ...x, dtype: "F128" } }, [0, 0, 0, 0]),
    "a type of Object's": fileOf({ x: { ...x, dtype: "toString" } }, [0, 0, 0, 0]),
    "a negative length": fileOf({ x: { ...x, shape: [-1] } }, [0, 0, 0, 0]),
    "half of a length": fileOf({ x: { ...x, shape: [0.5] } }, [0, 0, 0, 0]),
    "a shape of more than its bytes": fileOf({ x: { ...x, shape: [2] } }, [0, 0, 0, 0]),
    "a shape beyond all numbers": fileOf({ x: { ...x, shape: [2 ** 40, 2 ** 40] } }, [0, 0, 0, 0]),
    "places that overlap": fileOf({ x, y: x }, [0, 0, 0, 0]),
    "a gap": fileOf({ x: { ...x, data_offsets: [4, 8] } }, [0, 0, 0, 0, 0, 0, 0, 0]),
    "bytes left over": fileOf({ x }, [0, 0, 0, 0, 0]),
    "bytes that are missing": fileOf({ x }, [0, 0, 0]),
    "places the other way round": fileOf({ x: { ...x, data_offsets: [4, 0] } }, [0, 0, 0, 0]),
    "no place": fileOf({ x: { dtype: "F32", shape: [1] } }, [0, 0, 0, 0]),
  };
  for (const [name, bytes] of Object.entries(malformed)) {
    it(`refuses ${name}`, () => {
      expect(() => decodeTensors(bytes)).to.satisfy((run: () => void) => {
        try {
          run();
        } catch (error) {
          return isNeuraError(error, "verify.unreadable");
        }
        return false;
      });
    });
  }

  it("throws nothing else whatever the bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.json(), (bytes, json) => {
        for (const file of [bytes, fileOf(json, [...bytes])]) {
          try {
            decodeTensors(file);
          } catch (error) {
            if (!isNeuraError(error, "verify.unreadable")) throw error;
          }
        }
      }),
    );
  });
});
