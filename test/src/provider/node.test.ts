import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";

import { Cleanup } from "../storage/support.ts";
import { Stage } from "./support.ts";

describe("ProviderNode", function () {
  this.timeout(60_000);
  const cleanup = new Cleanup();
  afterEach(() => cleanup.run());

  it("serves a task from its submission to its owner's opened result", async () => {
    const stage = await Stage.create(cleanup);
    await stage.start();
    const { id } = await stage.submit();
    const delivered = await stage.event("delivered", { task: id });
    expect(delivered).to.include({ outcome: "Completed" });
    const directory = join(cleanup.directory(), "result");
    const result = await stage.world.client.result(id, { directory });
    expect(result.checks.map(({ verdict }) => verdict)).to.deep.equal(["match", "match", "match", "match"]);
    expect(JSON.parse(await readFile(join(directory, "result.json"), "utf8"))).to.include({ answer: 42 });
    expect(await readFile(join(directory, "output", "answer.txt"), "utf8")).to.equal("42\n");
  });
});
