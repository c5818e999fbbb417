import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";

import { createPrivateFile } from "../../src/files.ts";
import { Cleanup, fileOperations } from "./storage/support.ts";

describe("files", function () {
  this.timeout(30_000);
  const cleanup = new Cleanup();
  let directory: string;
  let path: string;
  beforeEach(() => {
    directory = cleanup.directory();
    path = join(directory, "file");
  });
  afterEach(() => cleanup.run());

  it("are made once, readable by nobody else, and never replaced", async () => {
    const made = await Promise.all(["one", "two", "three"].map((text) => createPrivateFile(path, text)));
    expect(made.filter(Boolean)).to.have.length(1);
    expect(readFileSync(path, "utf8")).to.equal(["one", "two", "three"][made.indexOf(true)]);
    expect(statSync(path).mode & 0o777).to.equal(0o600);
    expect(readdirSync(directory), "and nothing else").to.deep.equal(["file"]);
  });

  it("leave nothing behind where they cannot be made", async () => {
    const work = createPrivateFile(join(directory, "x".repeat(230)), "text"); // too long with its suffix
    expect(await work.catch((error: unknown) => error)).to.have.property("code", "ENAMETOOLONG");
    expect(readdirSync(directory)).to.deep.equal([]);
  });

  it("are on disk before they have their name, and the name before they are reported", async function () {
    if (process.platform === "win32") this.skip();
    const source = JSON.stringify(new URL("../../src/files.ts", import.meta.url).href);
    const seen = await fileOperations(
      cleanup,
      `const { createPrivateFile } = await import(${source});
       await createPrivateFile(${JSON.stringify(path)}, "text");`,
    );
    expect(existsSync(path)).to.equal(true);
    const linked = seen.indexOf(`link ${path}`);
    expect(linked).to.be.greaterThan(0);
    expect(seen.slice(0, linked)).to.include("fsync");
    const opened = seen.indexOf(`open ${directory}`);
    expect(opened).to.be.greaterThan(linked);
    expect(seen.slice(opened)).to.include("fsync");
  });
});
