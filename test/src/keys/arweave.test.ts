import { readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";

import { loadArweaveKey } from "../../../src/keys/arweave.ts";
import { Cleanup, errorOf } from "../storage/support.ts";

describe("the Arweave wallet of a home", function () {
  this.timeout(120_000);
  const cleanup = new Cleanup();
  afterEach(() => cleanup.run());

  it("is made once, also by two at the same time, and readable by nobody else", async () => {
    const home = join(cleanup.directory(), "home");
    const path = join(home, "arweave.json");
    const made = await Promise.all([loadArweaveKey(path), loadArweaveKey(path)]);
    expect(made.filter(({ created }) => created !== undefined)).to.have.length(1);
    const kept = await loadArweaveKey(path);
    expect(kept.created).to.equal(undefined);
    for (const { key } of made) expect(key.reveal()).to.deep.equal(kept.key.reveal());
    expect((await stat(path)).mode & 0o777).to.equal(0o600);
    expect(await readdir(home)).to.deep.equal(["arweave.json"]);
  });

  it("is never replaced where its file cannot be read", async () => {
    const path = join(cleanup.directory(), "arweave.json");
    await writeFile(path, "something else");
    expect(await errorOf(loadArweaveKey(path))).to.include({ code: "storage.bad-key" });
  });
});
