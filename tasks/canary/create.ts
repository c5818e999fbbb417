import { randomInt } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { NeuraError } from "../../src/errors.ts";
import { type JsonObject, parseManifest } from "../../src/manifest.ts";
import { type Canary, createCanary } from "../../src/mirror/canary.ts";
import { action } from "../context.ts";
import { table } from "../output.ts";
import { openMirrors, parseObject } from "../mirror/open.ts";
import { parseWhole } from "../task/request.ts";

interface CreateArguments {
  readonly paths: readonly string[];
  readonly from: string | undefined;
  readonly draw: string | undefined;
  readonly like: string | undefined;
  readonly application: string;
  readonly parameters: string | undefined;
  readonly expected: string | undefined;
  readonly count: string;
}

export default action("neura/canary-create/1", async (given: CreateArguments, context) => {
  const { paths, from: task, draw, like, application, expected, count } = given;
  if ([paths.length > 0, task !== undefined, draw !== undefined].filter(Boolean).length !== 1) {
    throw new NeuraError("usage.canary", "A canary is made from files, from an own task, or drawn.", {
      next: "Name files, or a task with --from, or a kind of page with --draw, and one of them only.",
    });
  }
  const { mirrors } = await openMirrors(context);
  const canaries: Canary[] = [];
  const directory = await mkdtemp(join(tmpdir(), "neura-canary-"));
  try {
    await context.out.step("Doing the work here", async () => {
      for (let left = parseWhole(count, "number of canaries"); left > 0; left--) {
        const files = draw === undefined ? paths : [await drawPage(draw, directory)];
        canaries.push(
          await createCanary(mirrors, {
            from: task === undefined ? { files } : { task },
            ...{ application, like, parameters: parametersOf(given), signal: context.signal },
            expected: expected?.split(",").map((each) => each.trim()),
          }),
        );
      }
    });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
  return {
    data: { canaries },
    text: table(
      ["Canary", "Files"],
      canaries.map(({ name, inputs }) => [name, inputs.join(", ")]),
    ),
  };
});

/** A page with words and looks that are drawn by chance. */
async function drawPage(kind: string, directory: string): Promise<string> {
  // It needs fonts and what draws them: only where pages are drawn.
  const { drawPicture, kinds } = await import("../../scripts/pictures.ts");
  const known = kinds.find((each) => each === kind && each !== "blank");
  if (known === undefined) {
    throw new NeuraError("usage.canary", `There is no kind of page ${JSON.stringify(kind)}.`, {
      next: `Name one of ${kinds.filter((each) => each !== "blank").join(", ")}.`,
    });
  }
  const isPhoto = randomInt(3) === 0;
  const format = isPhoto || randomInt(2) === 0 ? "jpeg" : "png";
  const { picture } = await drawPicture(known, randomInt(2 ** 32), {
    ...{ size: 20 + randomInt(11), rotation: randomInt(-200, 201) / 100, photo: isPhoto, format },
    ...(format === "jpeg" ? { noise: randomInt(6), quality: 80 + randomInt(16) } : {}),
  });
  const path = join(directory, `page.${format === "jpeg" ? "jpg" : "png"}`);
  await writeFile(path, picture);
  return path;
}

function parametersOf({ application, parameters }: CreateArguments): JsonObject | undefined {
  if (parameters === undefined) return undefined;
  const limits = { seconds: 1, ramMiB: 1, outputMiB: 1 };
  const given = { schema: "neura/manifest/1", application, inputs: [], limits };
  return parseManifest({ ...given, parameters: parseObject(parameters) }).parameters;
}
