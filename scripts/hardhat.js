/**
 * Hardhat's command line with one difference: a wrong use of it exits with 2, so that scripts can tell it from a
 * command that failed (1). Plain JavaScript, because Hardhat is what loads TypeScript.
 */
import { enableCompileCache } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";
import path from "node:path";

/** Hardhat numbers its errors: 404 and 416 are tasks that do not exist, 5xx are about arguments. */
const isWrongUse = (number) => (number >= 500 && number < 600) || number === 404 || number === 416;

process.setSourceMapsEnabled(true);
// A command is ready a third sooner once its modules have been compiled.
enableCompileCache(fileURLToPath(new URL("../cache/node", import.meta.url)));
// The package exports no way to run its command line in this process.
const hardhat = path.dirname(fileURLToPath(import.meta.resolve("hardhat/package.json")));
const { main } = await import(pathToFileURL(path.join(hardhat, "dist/src/internal/cli/main.js")).href);
try {
  await main(process.argv.slice(2), { registerTsx: true, rethrowErrors: true });
} catch (error) {
  process.exitCode = isWrongUse(error?.number) ? 2 : 1;
}
