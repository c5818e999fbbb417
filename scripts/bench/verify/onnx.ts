import { type Precision, reduceWeights } from "./weights.ts";

/** What of ONNX's protobuf leads to weights: field numbers of messages that are looked into, by message. */
const INTO: Readonly<Record<string, Readonly<Record<number, string>>>> = {
  model: { 7: "graph" },
  graph: { 1: "node", 5: "tensor" },
  node: { 5: "attribute" },
  attribute: { 5: "tensor" },
};
const FLOAT = 1;

/** A copy of an ONNX model whose matrices and kernels have fewer bits; vectors (biases, norms) stay as they are. */
export function withReducedWeights(model: Uint8Array, precision: Precision): Uint8Array {
  const copy = Uint8Array.from(model);
  let reduced = 0;
  visit(copy, "model", ({ dims, type, raw }) => {
    const [rows = 1] = dims;
    if (type !== FLOAT || dims.length < 2 || raw === undefined || raw.length === 0) return;
    const weights = new Float32Array(raw.slice().buffer);
    reduceWeights(weights, weights.length / rows, precision);
    raw.set(new Uint8Array(weights.buffer));
    reduced++;
  });
  if (reduced === 0) throw new Error("The model has no weights where they were looked for.");
  return copy;
}

interface FoundTensor {
  dims: number[];
  type: number;
  raw: Uint8Array | undefined;
}

function visit(bytes: Uint8Array, message: string, found: (tensor: FoundTensor) => void): void {
  const tensor: FoundTensor = { dims: [], type: 0, raw: undefined };
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = bytes[at++] ?? 0;
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const key = varint();
    const field = Math.floor(key / 8);
    switch (key % 8) {
      case 0: {
        const value = varint();
        if (message === "tensor" && field === 1) tensor.dims.push(value);
        if (message === "tensor" && field === 2) tensor.type = value;
        break;
      }
      case 1:
        at += 8;
        break;
      case 2: {
        const length = varint();
        const part = bytes.subarray(at, at + length);
        at += length;
        const inner = INTO[message]?.[field];
        if (inner !== undefined) visit(part, inner, found);
        else if (message === "tensor" && field === 9) tensor.raw = part;
        else if (message === "tensor" && field === 1) tensor.dims.push(...packed(part));
        break;
      }
      case 5:
        at += 4;
        break;
      default:
        throw new Error("The file is no ONNX model.");
    }
  }
  if (message === "tensor") found(tensor);
}

function packed(bytes: Uint8Array): number[] {
  const values: number[] = [];
  let [value, factor] = [0, 1];
  for (const byte of bytes) {
    value += (byte & 127) * factor;
    factor *= 128;
    if (byte < 128) {
      values.push(value);
      [value, factor] = [0, 1];
    }
  }
  return values;
}
