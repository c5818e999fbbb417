import { badInput } from "../application.ts";
import type { ServeContext, Service } from "../application.ts";
import type { OcrParameters } from "./application.ts";
import { loadModels } from "./models.ts";
import { decodePicture } from "./picture.ts";
import { MAX_FILE_BYTES, pageOf, readPicture, THREADS } from "./run.ts";

/** What a page of a service says of its file, which has no name. */
const FILE = "request";

/** Reads the picture that a request brings: its answer is the page as in `result.json`, without `boxes`. */
export async function serveReading(
  { log, signal }: Pick<ServeContext, "log" | "signal">,
  parameters: OcrParameters,
): Promise<Service> {
  const models = await loadModels(THREADS);
  return {
    async answer(request) {
      if (request.method !== "POST")
        return Response.json({ error: "POST one PNG, JPEG or WebP picture." }, { status: 405 });
      const started = performance.now();
      const picture = await decodePicture(FILE, await readBody(request));
      const rows = await readPicture(models, picture, parameters, AbortSignal.any([signal, request.signal]));
      const page = pageOf(FILE, picture, rows);
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      log(`${page.width} x ${page.height}, ${page.lines.length} lines in ${seconds} s`);
      return Response.json(page);
    },
  };
}

async function readBody({ body }: Request): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of body ?? []) {
    bytes += piece.length;
    if (bytes > MAX_FILE_BYTES)
      throw badInput(`The picture has more than ${MAX_FILE_BYTES} bytes.`, { next: "Scale it down." });
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}
