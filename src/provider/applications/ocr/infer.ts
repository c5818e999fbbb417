import { Tensor } from "onnxruntime-node";
import type { InferenceSession } from "onnxruntime-node";
import type { Picture } from "./picture.ts";

export interface Output {
  readonly data: Float32Array;
  readonly dims: readonly number[];
}

type PerChannel = readonly [blue: number, green: number, red: number];

/**
 * Runs a PaddleOCR model on one picture. These models take one plane each for blue, green and red, in that order,
 * each value as (value / 255 - mean) / deviation.
 */
export async function infer(
  model: InferenceSession,
  { rgb, width, height }: Picture,
  mean: PerChannel,
  deviation: PerChannel,
): Promise<Output> {
  const area = width * height;
  const planes = new Float32Array(3 * area);
  for (let plane = 0; plane < 3; plane++) {
    const factor = 1 / (255 * (deviation[plane] ?? 1));
    const offset = (mean[plane] ?? 0) / (deviation[plane] ?? 1);
    for (let i = 0, from = 2 - plane, to = plane * area; i < area; i++, from += 3, to++)
      planes[to] = (rgb[from] ?? 0) * factor - offset;
  }
  const [input] = model.inputNames;
  const [output] = model.outputNames;
  if (input === undefined || output === undefined) throw new Error("The model has no input or no output.");
  const tensor = (await model.run({ [input]: new Tensor("float32", planes, [1, 3, height, width]) }))[output];
  if (!(tensor?.data instanceof Float32Array)) throw new Error(`The model's output ${output} is not fp32.`);
  return { data: tensor.data, dims: tensor.dims };
}
