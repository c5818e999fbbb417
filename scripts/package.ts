/**
 * `npm run build`: writes `dist/`, which is what the package exports: the library compiled, the contracts' types, and
 * ABI and bytecode of each contract as modules of their own.
 */
import { execFile } from "node:child_process";
import { cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

import packageJson from "../package.json" with { type: "json" };
import { CONTRACTS } from "../src/deployment.ts";

const run = promisify(execFile);
const root = join(import.meta.dirname, "..");
const dist = join(root, "dist");

/** `value` as the type that it has with `as const`. */
function readonlyType(value: unknown): string {
  if (Array.isArray(value)) return `readonly [${value.map(readonlyType).join(", ")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const fields = Object.entries(value).map(([name, each]) => `readonly ${name}: ${readonlyType(each)}`);
  return `{ ${fields.join("; ")} }`;
}

/** The artifact of a contract, wherever it lies. */
async function artifactOf(name: string): Promise<{ abi: unknown; bytecode: unknown }> {
  const directory = join(root, "artifacts", "contracts");
  const path = (await readdir(directory, { recursive: true })).find((each) => each.endsWith(`/${name}.json`));
  if (path === undefined) throw new Error(`There is no artifact of ${name}: build the contracts first.`);
  const artifact: unknown = JSON.parse(await readFile(join(directory, path), "utf8"));
  if (
    typeof artifact !== "object" ||
    artifact === null ||
    !("abi" in artifact) ||
    !("bytecode" in artifact)
  ) {
    throw new Error(`${path} is no artifact.`);
  }
  return artifact;
}

async function writeModule(directory: string, name: string, constant: string, value: unknown): Promise<void> {
  await mkdir(join(dist, directory), { recursive: true });
  await writeFile(
    join(dist, directory, `${name}.js`),
    `export const ${constant} = ${JSON.stringify(value)};\n`,
  );
  const type = constant === "abi" ? readonlyType(value) : "`0x${string}`";
  await writeFile(join(dist, directory, `${name}.d.ts`), `export declare const ${constant}: ${type};\n`);
}

await rm(dist, { recursive: true, force: true });
await run(process.execPath, [join(root, "scripts/hardhat.js"), "build", "--no-tests", "--quiet"], {
  cwd: root,
});
await run(join(root, "node_modules/.bin/tsc"), ["-p", "tsconfig.build.json"], { cwd: root });
// The compiled library reads its version here, and bundlers for browsers which file stands in for which.
const { name, version, browser } = packageJson;
const compiled = (path: string): string => path.replace(/\.ts$/, ".js");
const mapped = Object.fromEntries(
  Object.entries(browser).map(([from, to]) => [compiled(from), compiled(to)]),
);
const description = { name, version, private: true, type: "module", browser: mapped };
await writeFile(join(dist, "package.json"), `${JSON.stringify(description, null, 2)}\n`);
/** What a contract answers to: the market with what it runs from its extension. */
const PARTS: Readonly<Record<string, readonly string[]>> = {
  TaskMarket: ["ITaskMarket", "TaskMarket", "TaskMarketExtension"],
};
const MADE_LATER = [
  "NamedArbiter",
  "ProvenArbiter",
  "MatrixProductVerifier",
  "RevenueShareToken",
  "ModelOwnership",
  "ModelDeeds",
];
for (const contract of [...CONTRACTS, "TaskMarketExtension", ...MADE_LATER]) {
  const { bytecode } = await artifactOf(contract);
  const parts = await Promise.all((PARTS[contract] ?? [contract]).map(artifactOf));
  // The constructor is the contract's own; what the parts share stands once.
  const entries = new Map(
    parts
      .flatMap(({ abi }): unknown[] => (Array.isArray(abi) ? abi : []))
      .map((entry) => [JSON.stringify(entry), entry]),
  );
  await writeModule("abi", contract, "abi", [...entries.values()]);
  await writeModule("bytecode", contract, "bytecode", bytecode);
}
const records = (await readdir(join(root, "deployments"))).filter((name) =>
  /^chain-(?!31337|1337)\d+\.json$/.test(name),
);
await mkdir(join(dist, "deployments"));
for (const record of records) await cp(join(root, "deployments", record), join(dist, "deployments", record));
