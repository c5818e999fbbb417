import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";

import { Cleanup, fileOperations } from "../support.ts";

describe("storage/arweave/upload-record", function () {
  this.timeout(30_000);
  const cleanup = new Cleanup();
  afterEach(() => cleanup.run());

  it("is on disk, and so is its name, before the transaction can be sent", async function () {
    if (process.platform === "win32") this.skip();
    const directory = cleanup.directory();
    const path = join(directory, "upload.ndjson");
    const sent = join(directory, "sent");
    const source = new URL("../../../../src/storage/arweave/upload-record.ts", import.meta.url).href;
    const seen = await fileOperations(
      cleanup,
      `import { access } from "node:fs/promises";
       const { UploadRecord } = await import(${JSON.stringify(source)});
       const record = await UploadRecord.open(${JSON.stringify(path)});
       await record.begin({ id: "signed" });
       await access(${JSON.stringify(sent)}).catch(() => undefined);
       await record.close();`,
    );
    expect(readFileSync(path, "utf8")).to.contain('"signed"');
    const [renamed, opened, done] = [`rename ${path}`, `open ${directory}`, `access ${sent}`].map((each) =>
      seen.indexOf(each),
    ) as [number, number, number];
    expect(renamed).to.be.greaterThan(0);
    expect(seen.slice(0, renamed)).to.include("fsync");
    expect(opened).to.be.within(renamed, done);
    expect(seen.slice(opened, done)).to.include("fsync");
  });
});
