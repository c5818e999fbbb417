import type { Manifest } from "../../../manifest.ts";
import { badInput } from "../application.ts";
import type { Application } from "../application.ts";

/** What an owner can set; each has a default. */
export interface OcrParameters {
  /** The picture's longer side is scaled down to this for finding text [px]. */
  readonly maxSide: number;
}

const MAX_SIDE = { least: 320, most: 4096, default: 1536 };

/** Reads the text of pictures: `result.json` with lines, boxes and confidences, and each picture with its boxes drawn. */
export const ocr: Application = {
  name: "ocr",
  version: "1.0.0",
  description: "Reads the text of PNG, JPEG and WebP pictures (Chinese and Latin script).",

  check(manifest) {
    readParameters(manifest);
    if (manifest.service) {
      if (manifest.inputs.length > 0)
        throw badInput("The service gets its pictures by request.", { next: "Leave the inputs empty." });
    } else if (manifest.inputs.length === 0)
      throw badInput("The task names no picture.", { next: "Name at least one PNG, JPEG or WebP file." });
  },

  async run(context) {
    // Loads the native modules: only where the work is done.
    const [{ readPictures }, { keepOtherDecodersOut }] = await Promise.all([
      import("./run.ts"),
      import("./picture.ts"),
    ]);
    keepOtherDecodersOut();
    return await readPictures(context, readParameters(context.manifest));
  },

  async serve(context) {
    const [{ serveReading }, { keepOtherDecodersOut }] = await Promise.all([
      import("./serve.ts"),
      import("./picture.ts"),
    ]);
    keepOtherDecodersOut();
    return await serveReading(context, readParameters(context.manifest));
  },
};

/** @throws NeuraError `application.bad-input` */
export function readParameters({ parameters }: Manifest): OcrParameters {
  for (const name of Object.keys(parameters))
    if (name !== "maxSide")
      throw badInput(`The application ocr has no parameter ${JSON.stringify(name)}.`, {
        next: "Leave it out; maxSide is the only one.",
      });
  const { maxSide = MAX_SIDE.default } = parameters;
  if (
    typeof maxSide !== "number" ||
    !Number.isInteger(maxSide) ||
    maxSide < MAX_SIDE.least ||
    maxSide > MAX_SIDE.most
  )
    throw badInput(`maxSide is ${JSON.stringify(maxSide)}.`, {
      next: `Give a whole number of pixels from ${MAX_SIDE.least} to ${MAX_SIDE.most}.`,
    });
  return { maxSide };
}
