import { expect } from "chai";

import { NeuraError } from "../../src/errors.ts";
import { exitCodeOf, fields, Output, toJson, toNeuraError } from "../../tasks/output.ts";

describe("tasks: output", () => {
  function output(json: boolean) {
    const said = { stdout: "", stderr: "" };
    const out = new Output({
      json,
      stdout: (text) => (said.stdout += text),
      stderr: (text) => (said.stderr += text),
    });
    return { out, said };
  }

  it("gives scripts a code for each kind of end", () => {
    const codes: [string, number][] = [
      ["usage.amount", 2],
      ["task.timeout", 3],
      ["storage.timeout", 3],
      ["task.no-result", 4],
      ["interrupted", 130],
      ["storage.not-found", 1],
    ];
    for (const [code, exit] of codes) expect(exitCodeOf(new NeuraError(code, "")), code).to.equal(exit);
  });

  it("puts the result alone on stdout, as text or as one object", () => {
    const result = { data: { amountWei: 2n ** 70n, list: [1n] }, text: "much" };
    const [forPeople, forScripts] = [output(false), output(true)];
    for (const { out } of [forPeople, forScripts]) {
      out.note("working");
      out.result("neura/test/1", result);
    }
    expect(forPeople.said).to.deep.equal({ stdout: "much\n", stderr: "working\n" });
    expect(forScripts.said.stderr).to.equal("working\n");
    expect(JSON.parse(forScripts.said.stdout)).to.deep.equal({
      schema: "neura/test/1",
      amountWei: "1180591620717411303424",
      list: ["1"],
    });
  });

  it("says an error and what to do on stderr, and to scripts on stdout too", () => {
    const error = new NeuraError("test.broken", "It is broken.", {
      next: "Mend it.",
      details: { costWei: 5n },
    });
    const [forPeople, forScripts] = [output(false), output(true)];
    for (const { out } of [forPeople, forScripts]) out.error("neura/test/1", error);
    expect(forPeople.said).to.deep.equal({ stdout: "", stderr: "Error: It is broken.\nMend it.\n" });
    expect(JSON.parse(forScripts.said.stdout)).to.deep.equal({
      schema: "neura/test/1",
      error: { code: "test.broken", message: "It is broken.", next: "Mend it.", details: { costWei: "5" } },
    });
  });

  it("puts errors of the chain's client into words", () => {
    const thrown = (code: string) => Object.assign(new Error("long"), { code, shortMessage: "short" });
    expect(toNeuraError(thrown("INSUFFICIENT_FUNDS")).code).to.equal("wallet.insufficient-funds");
    expect(toNeuraError(thrown("NETWORK_ERROR")).code).to.equal("network.unreachable");
    expect(toNeuraError(thrown("OTHER"))).to.include({ code: "unexpected", message: "short" });
    expect(toNeuraError("text")).to.include({ code: "unexpected", message: "text" });
  });

  it("says of a slow step how long it took", async () => {
    const { out, said } = output(false);
    expect(await out.step("Counting", () => Promise.resolve(7))).to.equal(7);
    expect(said.stderr).to.equal("Counting …\n");
    await out.step("Waiting", () => new Promise((resolve) => setTimeout(resolve, 1050)));
    expect(said.stderr).to.match(/Waiting …\n {2}done in 1\.\d s\n$/);
  });

  it("aligns fields", () => {
    expect(
      fields([
        ["A", 1],
        ["Long", "x"],
      ]),
    ).to.equal("A     1\nLong  x");
    expect(toJson({ a: undefined, b: 1n })).to.equal('{\n  "b": "1"\n}');
  });
});
