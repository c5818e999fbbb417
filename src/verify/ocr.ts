import { readFile } from "node:fs/promises";
import { join } from "node:path";

import type { Manifest } from "../manifest.ts";
import { readParameters } from "../provider/applications/ocr/application.ts";
import type { AuditedWork } from "./audit.ts";
import { modelDigest } from "./calibration.ts";

export { OCR_CALIBRATION, OCR_VERIFICATION } from "./known.ts";

export interface OcrWorkOptions {
  readonly manifest: Manifest;
  /** The payload as it was sent, opened: `input/a.png` of the manifest is below it. */
  readonly payloadDirectory: string;
  /** What `fetchResult` wrote. */
  readonly resultDirectory: string;
  /** Whether what was found is drawn, too: without that only texts can be compared. Default: no. */
  readonly isWhole?: boolean;
}

/**
 * The work of the built-in application `ocr`: reads single pages again, without drawing what was found. The models
 * are loaded once and kept until `release`. Only for a delivery that is complete: one that the owner's own input ended has
 * no pages.
 */
export async function ocrWork({
  manifest,
  payloadDirectory,
  resultDirectory,
  isWhole = false,
}: OcrWorkOptions): Promise<AuditedWork & { release(): Promise<void> }> {
  // Loads native modules: only where pages are read.
  const [{ loadModels }, { decodePicture }, { drawnPage, pageOf, readPicture, THREADS }] = await Promise.all([
    import("../provider/applications/ocr/models.ts"),
    import("../provider/applications/ocr/picture.ts"),
    import("../provider/applications/ocr/run.ts"),
  ]);
  const parameters = readParameters(manifest);
  const pages = await pagesIn(resultDirectory);
  const inputOf = async (index: number): Promise<Uint8Array> =>
    await readFile(join(payloadDirectory, ...(manifest.inputs[index] ?? "").split("/")));
  const models = await loadModels(THREADS);
  return {
    unitCount: manifest.inputs.length,
    modelDigest: modelDigest(models.identity.files),
    dtype: "fp32",
    async delivered(index) {
      const page = pages[index];
      if (page === undefined) return undefined;
      return { input: await inputOf(index), output: pageBytes(page) };
    },
    async recompute(index, { input }, { signal = new AbortController().signal }) {
      const name = manifest.inputs[index] ?? "";
      const picture = await decodePicture(name, input ?? (await inputOf(index)));
      const rows = await readPicture(models, picture, parameters, signal);
      return pageBytes(
        isWhole ? (await drawnPage(manifest.inputs, index, picture, rows)).page : pageOf(name, picture, rows),
      );
    },
    release: () => models.release(),
  };
}

/** The pages of a result; none where it has none that can be read. */
async function pagesIn(directory: string): Promise<readonly unknown[]> {
  try {
    return pagesOf(await readFile(join(directory, "result.json"), "utf8")) ?? [];
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw error;
  }
}

/** The pages of the text of a `result.json`; nothing where it is none. */
export function pagesOf(text: string): unknown[] | undefined {
  try {
    const result: unknown = JSON.parse(text);
    const isObject = typeof result === "object" && result !== null;
    const pages: unknown = isObject && "pages" in result ? result.pages : undefined;
    return Array.isArray(pages) ? pages.map((page: unknown) => page) : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** What the hash of a page's unit is of. */
export function pageBytes(page: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(page));
}
