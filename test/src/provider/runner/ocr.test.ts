import { expect } from "chai";
import { copyFile, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { JsonObject } from "../../../../src/manifest.ts";
import { openProcessRunner } from "../../../../src/provider/runner/process-runner.ts";
import { findSandbox, SANDBOXES } from "../../../../src/provider/runner/sandbox.ts";
import { ask, logOf, outcomeOf, up, Workshop } from "./support.ts";

const PICTURE = fileURLToPath(new URL("../../../../samples/invoice.png", import.meta.url));

describe("provider/runner: the application ocr, with its native code and models", function () {
  this.timeout(120_000);
  const workshop = new Workshop();
  /** What the runs left; at least the one without a sandbox. */
  let result: JsonObject | undefined;

  beforeEach(() => workshop.open());
  afterEach(() => workshop.close());

  for (const name of SANDBOXES)
    it(`works in the sandbox ${name}, and reports to nobody`, async function () {
      if ((await findSandbox([name])).name !== name) this.skip();
      const job = await workshop.job("ocr", { limits: { seconds: 100, ramMiB: 1024 } });
      await copyFile(PICTURE, join(job.directory, "input/invoice.png"));
      const runner = await openProcessRunner({ sandboxes: [name] });
      const manifest = { ...job.manifest, inputs: ["input/invoice.png"] };
      const outcome = await outcomeOf(runner, { ...job, manifest });
      expect(outcome.kind, outcome.message).to.equal("completed");
      result = outcome.summary?.result;
      expect(result?.text).to.include("INVOICE");
      // Nothing of onnxruntime's telemetry either, which complains about missing certificates.
      expect(logOf(job)).to.match(/^invoice\.png: [^\n]*\n$/);
    });

  it("answers with the page that a run would leave, as a service", async () => {
    const job = await workshop.job("ocr", { limits: { seconds: 100, ramMiB: 1024 }, service: {} });
    const picture = await readFile(PICTURE);
    const handle = await (await openProcessRunner()).start(job);
    try {
      await up(handle);
      const { status, type, text } = await ask(handle, "/", { body: picture });
      expect([status, type]).to.deep.equal([200, "application/json"]);

      // Apart from the picture with the boxes, and the file's name.
      const pages = [{ boxes: "none", ...(JSON.parse(text) as JsonObject) }];
      const left = JSON.parse(JSON.stringify(result?.pages)) as JsonObject[];
      expect(pages).to.deep.equal(left.map((page) => ({ ...page, file: "request", boxes: "none" })));

      const other = await ask(handle, "/", { body: "%PDF-1.7" });
      expect([other.status, other.text]).to.satisfy(
        ([code, said]: [number, string]) =>
          code === 400 && said.includes("request is not a PNG, JPEG or WebP"),
      );
      expect((await ask(handle, "/", { method: "GET" })).status).to.equal(405);
      expect(logOf(job)).to.match(/^1028 x 968, \d+ lines in [\d.]+ s\n$/);
    } finally {
      await handle.stop("The test is over.");
    }
  });
});
