import { expect } from "chai";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { pathToFileURL } from "node:url";
import { moduleCommand, moduleUrl, spawnModule } from "../../src/process.ts";

describe("process: modules as processes of their own", function () {
  this.timeout(30_000);
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "neura-process-"));
    await writeFile(join(folder, "package.json"), '{"type":"module"}');
    await writeFile(join(folder, "told.ts"), "export const told: string[] = process.argv.slice(2);\n");
    const main = (suffix: string): string =>
      `import { told } from "./told.${suffix}";\nconsole.log(JSON.stringify([told, process.env.COLOUR, process.cwd()]));\n`;
    await writeFile(join(folder, "main.ts"), main("ts"));
    await writeFile(join(folder, "generated.ts"), main("js"));
  });
  afterEach(() => rm(folder, { recursive: true }));

  async function run(name: string, contractTypes = false): Promise<unknown> {
    const child = spawnModule(pathToFileURL(join(folder, name)), {
      arguments: ["a b", "c"],
      environment: { COLOUR: "blue" },
      directory: folder,
      stdio: ["ignore", "pipe", "pipe"],
      contractTypes,
    });
    const [output, errors] = await Promise.all([text(child.stdout!), text(child.stderr!)]);
    expect(errors).to.equal("");
    return JSON.parse(output);
  }

  it("runs TypeScript from source", async () => {
    expect(await run("main.ts")).to.deep.equal([["a b", "c"], "blue", folder]);
  });

  it("runs TypeScript that imports the contracts' types, which say .js", async () => {
    expect(await run("generated.ts", true)).to.deep.equal([["a b", "c"], "blue", folder]);
  });

  it("runs the package's JavaScript with nothing but Node", () => {
    const module = pathToFileURL("/package/dist/main.js");
    expect(
      moduleCommand(module, { nodeOptions: ["--permission"], arguments: ["x"], contractTypes: true }),
    ).to.deep.equal([process.execPath, "--permission", "/package/dist/main.js", "x"]);
  });

  it("finds its own modules with the suffix that the caller has", () => {
    expect(moduleUrl("file:///package/dist/a/b.js", "../c/d").href).to.equal("file:///package/dist/c/d.js");
    expect(moduleUrl("file:///project/src/a/b.ts", "./d").href).to.equal("file:///project/src/a/d.ts");
  });
});
