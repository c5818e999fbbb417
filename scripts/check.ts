/**
 * `./neura check`: what can be found wrong without running the code. Prints a line for each check, and what one that
 * fails said; exits with 1 then.
 */
import { spawn } from "node:child_process";
import { glob, readFile } from "node:fs/promises";
import { join } from "node:path";

/** The longest code that a chain takes [bytes] (EIP-170). */
const MAX_CODE_BYTES = 24_576;
const AT_ONCE = 2;

interface Check {
  readonly name: string;
  /** Throws what is wrong. */
  readonly run: () => Promise<void>;
}

/** The longest first. `./neura` has written the contracts' types before, and they stay as they are meanwhile. */
const checks: readonly Check[] = [
  {
    name: "contracts compile without warnings",
    run: () => command(process.execPath, "scripts/hardhat.js", "build", "--quiet", "--no-typechain"),
  },
  { name: "linter", run: () => tool("eslint", "--max-warnings", "0", ".") },
  { name: "types", run: () => tool("tsc", "--noEmit", "-p", ".") },
  { name: "formatting", run: () => tool("prettier", "--check", "--log-level", "warn", ".") },
  {
    name: "linter of contracts",
    run: () =>
      tool("solhint", "--noPoster", "--disc", "--max-warnings", "0", "contracts/**/*.sol", "test/**/*.sol"),
  },
  { name: "contracts fit a chain", run: checkSizes },
  { name: "shell syntax", run: () => command("sh", "-n", "neura", ".ci/run") },
];

async function checkSizes(): Promise<void> {
  const tooLong: string[] = [];
  for await (const file of glob("artifacts/contracts/**/*.json")) {
    const artifact: unknown = JSON.parse(await readFile(file, "utf8"));
    if (typeof artifact !== "object" || artifact === null || !("deployedBytecode" in artifact)) continue;
    const bytes = String(artifact.deployedBytecode).length / 2 - 1;
    if (bytes > MAX_CODE_BYTES) tooLong.push(`${file}: ${bytes} bytes of code, more than ${MAX_CODE_BYTES}`);
  }
  if (tooLong.length > 0) throw new Error(tooLong.join("\n"));
}

function tool(name: string, ...options: string[]): Promise<void> {
  return command(join("node_modules", ".bin", name), ...options);
}

async function command(program: string, ...options: string[]): Promise<void> {
  const child = spawn(program, options, { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => (said += text));
  }
  const code = await new Promise((resolve, reject) => child.on("close", resolve).on("error", reject));
  if (code !== 0) throw new Error(said.trim());
}

async function passes({ name, run }: Check): Promise<boolean> {
  const start = performance.now();
  try {
    await run();
    console.log(`✔ ${name} (${((performance.now() - start) / 1000).toFixed(1)} s)`);
    return true;
  } catch (error) {
    console.log(`✖ ${name}\n${error instanceof Error ? error.message : String(error)}`);
    return false;
  }
}

const results: boolean[] = [];
const waiting = [...checks];
await Promise.all(
  Array.from({ length: AT_ONCE }, async () => {
    for (let check = waiting.shift(); check !== undefined; check = waiting.shift())
      results.push(await passes(check));
  }),
);
process.exitCode = results.every(Boolean) ? 0 : 1;
