import { messageOf, NeuraError } from "../errors.ts";

/**
 * Tensors in the format safetensors (https://huggingface.co/docs/safetensors): eight bytes of length, a header in JSON,
 * then the numbers, little-endian, without gaps. Nothing in it is run.
 */

const READERS = {
  F64: { bytes: 8, read: (view: DataView, at: number) => view.getFloat64(at, true) },
  F32: { bytes: 4, read: (view: DataView, at: number) => view.getFloat32(at, true) },
  F16: { bytes: 2, read: (view: DataView, at: number) => fromF16(view.getUint16(at, true)) },
  BF16: { bytes: 2, read: (view: DataView, at: number) => fromBf16(view.getUint16(at, true)) },
  I32: { bytes: 4, read: (view: DataView, at: number) => view.getInt32(at, true) },
  I16: { bytes: 2, read: (view: DataView, at: number) => view.getInt16(at, true) },
  I8: { bytes: 1, read: (view: DataView, at: number) => view.getInt8(at) },
  U8: { bytes: 1, read: (view: DataView, at: number) => view.getUint8(at) },
  BOOL: { bytes: 1, read: (view: DataView, at: number) => view.getUint8(at) },
} as const;

export type TensorType = keyof typeof READERS;

export interface Tensor {
  readonly type: TensorType;
  /** Empty for a single number. */
  readonly shape: readonly number[];
  /** In the order of the file, each exactly. */
  readonly values: Float64Array;
}

export type Tensors = ReadonlyMap<string, Tensor>;

const MOST_HEADER_BYTES = 100_000_000;

/** Reads tensors by their names. Error: `verify.unreadable`. */
export function decodeTensors(bytes: Uint8Array): Tensors {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerBytes = bytes.length < 8 ? -1n : view.getBigUint64(0, true);
  if (headerBytes < 2n || headerBytes > BigInt(Math.min(bytes.length - 8, MOST_HEADER_BYTES)))
    throw unreadable("its header has no such length");
  const start = 8 + Number(headerBytes);
  const entries = headerOf(bytes.subarray(8, start)).map(([name, value]) => readEntry(name, value));
  let end = 0;
  for (const { name, from, to, type, shape } of entries.toSorted((a, b) => a.from - b.from || a.to - b.to)) {
    const bytesOf = shape.reduce((product, length) => product * length, READERS[type].bytes);
    if (from !== end || to - from !== bytesOf)
      throw unreadable(`the bytes of ${JSON.stringify(name)} are amiss`);
    end = to;
  }
  if (start + end !== bytes.length)
    throw unreadable(`it has ${bytes.length - start} bytes of numbers, not ${end}`);
  return new Map(
    entries.map(({ name, from, to, type, shape }) => {
      const { bytes: size, read } = READERS[type];
      const values = new Float64Array((to - from) / size);
      for (let index = 0; index < values.length; index++)
        values[index] = read(view, start + from + index * size);
      return [name, { type, shape, values }];
    }),
  );
}

/** The numbers as a file, in the order given; what a type does not hold is rounded to the nearest. */
export function encodeTensors(
  tensors: Iterable<
    readonly [string, { type?: "F32" | "F64" | "BF16"; shape: readonly number[]; values: ArrayLike<number> }]
  >,
): Uint8Array {
  const header: Record<string, unknown> = {};
  const parts: Uint8Array[] = [];
  let end = 0;
  for (const [name, { type = "F32", shape, values }] of tensors) {
    const { bytes } = READERS[type];
    const part = new Uint8Array(values.length * bytes);
    const view = new DataView(part.buffer);
    for (let index = 0; index < values.length; index++) {
      const value = values[index] ?? 0;
      if (type === "F64") view.setFloat64(8 * index, value, true);
      else if (type === "F32") view.setFloat32(4 * index, value, true);
      else view.setUint16(2 * index, toBf16Bits(value), true);
    }
    header[name] = { dtype: type, shape, data_offsets: [end, (end += part.length)] };
    parts.push(part);
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  // Numbers begin at a multiple of eight.
  const padded = Math.ceil(text.length / 8) * 8;
  const file = new Uint8Array(8 + padded + end).fill(0x20, 8, 8 + padded);
  new DataView(file.buffer).setBigUint64(0, BigInt(padded), true);
  file.set(text, 8);
  let at = 8 + padded;
  for (const part of parts) {
    file.set(part, at);
    at += part.length;
  }
  return file;
}

function headerOf(bytes: Uint8Array): [string, unknown][] {
  try {
    const header: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    if (isObject(header)) return Object.entries(header).filter(([name]) => name !== "__metadata__");
  } catch (error) {
    throw unreadable(messageOf(error));
  }
  throw unreadable("its header is no object");
}

function readEntry(
  name: string,
  entry: unknown,
): { name: string; type: TensorType; shape: number[]; from: number; to: number } {
  const { dtype, shape, data_offsets: offsets } = isObject(entry) ? entry : {};
  if (typeof dtype !== "string" || !isType(dtype))
    throw unreadable(`${JSON.stringify(name)} has the type ${JSON.stringify(dtype)}`);
  if (!isLengths(shape) || !isLengths(offsets) || offsets.length !== 2)
    throw unreadable(`${JSON.stringify(name)} has no shape or place`);
  const [from = 0, to = 0] = offsets;
  return { name, type: dtype, shape, from, to };
}

function isType(type: string): type is TensorType {
  return Object.hasOwn(READERS, type);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isLengths(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((each) => Number.isSafeInteger(each) && Number(each) >= 0);
}

function unreadable(reason: string): NeuraError {
  return new NeuraError("verify.unreadable", `This is no file of tensors: ${reason}.`, {
    next: "Write it as safetensors, of whole numbers up to 32 bits and fractions up to 64.",
  });
}

// ---- Numbers of 16 bits ----

const word = new DataView(new ArrayBuffer(4));

/** The nearest number of 8 bits of mantissa, ties to even, as its 16 bits. */
export function toBf16Bits(value: number): number {
  word.setFloat32(0, value);
  const bits = word.getUint32(0);
  if (Number.isNaN(value)) return (bits >>> 16) | 0x40;
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) / 0x1_0000) & 0xffff;
}

export function fromBf16(bits: number): number {
  word.setUint32(0, (bits << 16) >>> 0);
  return word.getFloat32(0);
}

function fromF16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const [exponent, fraction] = [(bits >> 10) & 0x1f, bits & 0x3ff];
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
