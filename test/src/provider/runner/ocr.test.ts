import { expect } from "chai";
import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openProcessRunner } from "../../../../src/provider/runner/process-runner.ts";
import { findSandbox, SANDBOXES } from "../../../../src/provider/runner/sandbox.ts";
import { logOf, outcomeOf, Workshop } from "./support.ts";

const PICTURE = fileURLToPath(new URL("../../../../samples/invoice.png", import.meta.url));

describe("provider/runner: the application ocr, with its native code and models", function () {
  this.timeout(120_000);
  const workshop = new Workshop();

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
      expect(outcome.summary?.result.text).to.include("INVOICE");
      // Nothing of onnxruntime's telemetry either, which complains about missing certificates.
      expect(logOf(job)).to.match(/^invoice\.png: [^\n]*\n$/);
    });
});
