import { createContext, runInContext } from "node:vm";

import { expect } from "chai";
import { build } from "esbuild";

const ENTRY = `
  import { drawUnits, encodeTensors, judge, parseVerification, sketchOf } from "./src/verify/index.ts";
  export function check() {
    const text = (value) => new TextEncoder().encode(value);
    const file = (value) => encodeTensors([["x", { shape: [1], values: [value] }]]);
    const judged = (method, unit, reference) =>
      judge(parseVerification({ method }), { unit: { output: unit }, reference, tolerance: 0.1 }).verdict;
    return [
      judged("text/1", text("kitten"), text("sitting")),
      judged("numeric/1", file(1.01), file(1)),
      String(drawUnits({ auditSeed: "0x" + "11".repeat(32), evidenceHash: "0x" + "22".repeat(32), unitCount: 9 }).length),
      String(sketchOf([1, 2], { seed: new Uint8Array(32) }).projections.length),
    ].join(" ");
  }
`;

describe("verify: in a browser", () => {
  it("judges, draws and sketches where only a browser's globals exist", async () => {
    const { outputFiles, metafile } = await build({
      stdin: { contents: ENTRY, resolveDir: process.cwd(), loader: "ts" },
      bundle: true,
      platform: "browser",
      format: "iife",
      globalName: "verify",
      target: "es2022",
      write: false,
      metafile: true,
    });
    const code = outputFiles[0]!.text;
    expect(Object.values(metafile.outputs).flatMap(({ imports }) => imports)).to.deep.equal([]);
    expect(Object.keys(metafile.inputs)).to.not.include("src/verify/command.ts");
    const sandbox = createContext({ TextEncoder, TextDecoder, crypto: {} });
    expect(runInContext("typeof Buffer + typeof process + typeof require", sandbox)).to.equal(
      "undefinedundefinedundefined",
    );
    expect(runInContext(`${code};verify.check()`, sandbox)).to.equal("fail pass 2 64");
  });
});
