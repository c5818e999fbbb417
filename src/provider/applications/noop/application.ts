import { copyFile, mkdir, readFile } from "node:fs/promises";
import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import type { Manifest } from "../../../manifest.ts";
import { type Application, badInput } from "../application.ts";

const MAX_SECONDS = 3600;

/**
 * Hands the inputs back as they are, after `seconds` (none by default): to try a node, and to measure one. As a service
 * it answers each request with the request's body.
 */
export const noop: Application = {
  name: "noop",
  version: "1.0.0",
  description: "Hands the files back as they are; to try a node.",

  check(manifest) {
    readSeconds(manifest);
  },

  async run(context) {
    const { manifest, inputDirectory, outputDirectory, signal } = context;
    const { inputs } = manifest;
    context.progress(0, inputs.length);
    await sleep(readSeconds(manifest) * 1000, undefined, { signal });
    const units = [];
    for (const [index, name] of inputs.entries()) {
      const path = name.slice("input/".length);
      await mkdir(dirname(join(outputDirectory, path)), { recursive: true });
      await copyFile(join(inputDirectory, path), join(outputDirectory, path));
      const hash = createHash("sha256")
        .update(await readFile(join(inputDirectory, path)))
        .digest("hex");
      units.push({ name, inputHash: hash, outputHash: hash });
      context.progress(index + 1, inputs.length);
    }
    context.log(`handed back ${inputs.length} files`);
    return {
      result: {
        schema: "neura/noop/1",
        files: units.map(({ name, outputHash }) => ({ name, sha256: outputHash })),
      },
      units,
      model: { package: "none", version: "1.0.0", files: [] },
      runtime: {},
      dtype: "fp32",
      seed: null,
    };
  },

  serve({ manifest }) {
    const milliseconds = readSeconds(manifest) * 1000;
    return Promise.resolve({
      async answer({ body, headers, signal }) {
        await sleep(milliseconds, undefined, { signal });
        return new Response(body, {
          headers: { "content-type": headers.get("content-type") ?? "application/octet-stream" },
        });
      },
    });
  },
};

/** @throws NeuraError `application.bad-input` */
function readSeconds({ parameters }: Manifest): number {
  const { seconds = 0 } = parameters;
  if (typeof seconds === "number" && seconds >= 0 && seconds <= MAX_SECONDS) return seconds;
  throw badInput(`seconds is ${JSON.stringify(seconds)}.`, {
    next: `Give a number from 0 to ${MAX_SECONDS}.`,
  });
}
