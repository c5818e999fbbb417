import { execFile } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect } from "chai";
import { build } from "esbuild";
import { network } from "hardhat";

import { writeDeployment } from "../../src/deployment.ts";
import { createWorld, type World } from "../src/market/support.ts";
import { Cleanup, testKey } from "../src/storage/support.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** Third account of every Hardhat chain, which is the world's owner. */
const OWNER_KEY = "0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a";
/** Of `neura/envelope`, minified, for a browser [bytes]. */
const MAX_BUNDLE = 200_000;

const run = promisify(execFile);

describe("the package, installed in an empty folder", function () {
  this.timeout(180_000);
  const cleanup = new Cleanup();
  let app: string;

  before(async () => {
    app = join(cleanup.directory(), "app");
    await mkdir(app);
    const packed = await run("npm", ["pack", "--json", "--silent", "--pack-destination", app], { cwd: ROOT });
    const tarball = /"filename": "([^"]+\.tgz)"/.exec(packed.stdout)?.[1] ?? "";
    await writeFile(join(app, "package.json"), '{ "name": "app", "private": true }');
    const quiet = ["--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error"];
    await run("npm", ["install", ...quiet, `./${tarball}`], { cwd: app });
  });
  after(() => cleanup.run());

  async function script(
    name: string,
    text: string,
    environment: Record<string, string> = {},
  ): Promise<string> {
    await writeFile(join(app, name), text);
    const env = { PATH: process.env["PATH"], ...environment };
    return (await run(process.execPath, [name], { cwd: app, env })).stdout.trim();
  }

  /** A world on a chain behind a URL, with a provider, and the environment in which an app finds it. */
  async function prepareWorld(): Promise<{ world: World; environment: Record<string, string> }> {
    const server = await network.createServer();
    const { address, port } = await server.listen();
    cleanup.add(() => server.close());
    const url = `http://${address}:${port}`;
    const world = await createWorld(cleanup, {
      connection: await network.create({ network: "local", override: { url } }),
    });
    const [provider] = world.others;
    if (provider === undefined) throw new Error("no account");
    await world.register(provider);
    const record = join(cleanup.directory(), "deployment.json");
    await writeDeployment(record, world.deployment);
    const environment = {
      NEURA_RPC_URL: url,
      NEURA_PRIVATE_KEY: OWNER_KEY,
      NEURA_DEPLOYMENT: record,
      NEURA_HOME: world.home,
      NEURA_ARWEAVE_GATEWAYS: world.gatewayUrl,
      NEURA_ARWEAVE_KEY: JSON.stringify((await testKey()).reveal()),
    };
    return { world, environment };
  }

  it("submits a task with the ten lines of docs/library.md", async () => {
    const { world, environment } = await prepareWorld();
    const text = await readFile(join(ROOT, "docs/library.md"), "utf8");
    const [, sample = ""] = /```js\n([^]*?)```/.exec(text) ?? [];
    expect(
      sample.split("\n").filter((line) => line !== "" && !line.startsWith("import")).length,
    ).to.be.at.most(10);
    await writeFile(join(app, "letter.png"), "a picture");
    const id = await script("submit.mjs", sample, environment);
    const status = await world.client.status(id);
    expect(status.status).to.equal("Funded");
    expect(status.terms.owner).to.equal(world.owner.address);
  });

  it("can be imported and required", async () => {
    const names = [
      "neura",
      "neura/envelope",
      "neura/provider",
      "neura/contracts",
      "neura/abi/TaskMarket",
      "neura/bytecode/KeyRegistry",
    ];
    const count = "console.log(modules.map((each) => Object.keys(each).length).join())";
    const required = await script(
      "a.cjs",
      `const modules = ${JSON.stringify(names)}.map((name) => require(name));${count}`,
    );
    const imported = await script(
      "a.mjs",
      `const modules = await Promise.all(${JSON.stringify(names)}.map((name) => import(name)));${count}`,
    );
    expect(required).to.equal(imported);
    expect(
      required.split(",").every((each) => Number(each) > 0),
      required,
    ).to.equal(true);
  });

  it("has types that need no other package, and ABIs as literals", async () => {
    await writeFile(
      join(app, "types.ts"),
      `import { type Bridge, formatAmount, prepareTransfer, sendTransfer, type TaskStatus, transferStatus } from "neura";
       import { abi } from "neura/abi/TaskMarket";
       import { TaskMarket__factory } from "neura/contracts";
       type Names = Extract<(typeof abi)[number], { type: "function" }>["name"];
       export const names: Names[] = ["submit", "deliver"];
       // @ts-expect-error The market has no such function.
       export const none: Names = "mint";
       export const text: string = formatAmount(1n, { symbol: "ANKR", decimals: 18 });
       export const idOf = ({ id }: TaskStatus): string => id;
       export const { bytecode } = TaskMarket__factory;
       export async function over(
         bridge: Bridge,
         { account, signer }: { account: string; signer: Parameters<typeof sendTransfer>[2]["signer"] },
       ): Promise<string> {
         const request = { from: "home", account, to: account, amountWei: 1n, target: "market" } as const;
         const { transfer } = await sendTransfer(bridge, await prepareTransfer(bridge, request), { signer });
         return (await transferStatus(bridge, transfer)).phase;
       }`,
    );
    const options = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2023", "types.ts"];
    await run(join(ROOT, "node_modules/.bin/tsc"), options, { cwd: app });
  });

  it("encrypts in a browser: no Node module, no Buffer, small", async () => {
    const { outputFiles, warnings } = await build({
      stdin: { contents: 'export { open, seal } from "neura/envelope";', resolveDir: app },
      bundle: true,
      minify: true,
      platform: "browser",
      format: "esm",
      write: false,
    });
    expect(warnings).to.deep.equal([]);
    const [bundle] = outputFiles;
    expect(bundle?.contents.length).to.be.within(10_000, MAX_BUNDLE);
    expect(bundle?.text).not.to.match(/\bfrom\s*"node:/);
  });

  it("holds nothing that only the repository needs", async () => {
    const listed = await run("npm", ["pack", "--json", "--silent", "--dry-run", "--ignore-scripts"], {
      cwd: ROOT,
    });
    const paths = [...listed.stdout.matchAll(/"path": "([^"]+)"/g)].map(([, path = ""]) => path);
    expect(paths).to.include.members([
      "dist/src/index.js",
      "src/index.ts",
      "contracts/interfaces/ITaskMarket.sol",
      "LICENSE",
    ]);
    expect(
      paths.filter((path) => /^(test|tasks|scripts|plugins|node_modules)\/|mocks\/|\.env/.test(path)),
    ).to.deep.equal([]);
  });
});
