import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { TaskOverrideActionFunction } from "hardhat/types/tasks";
import Mocha from "mocha";

import { count } from "./counts.ts";

/** How long after its tests a process may take to end [ms]. */
const GRACE_MS = 5_000;

/** Hardhat's own count of mocha's tests takes skipped ones, and those after a failed hook, for passed. */
class CountingReporter extends Mocha.reporters.Spec {
  constructor(runner: Mocha.Runner, options: Mocha.MochaOptions) {
    super(runner, options);
    runner.once(Mocha.Runner.constants.EVENT_RUN_END, () => {
      const { passes = 0, failures = 0, pending = 0 } = runner.stats ?? {};
      count({ passed: passes, failed: failures, skipped: pending });
    });
  }
}

const mocha: TaskOverrideActionFunction = async (taskArguments, hre, runSuper) => {
  const { mocha: options } = hre.config.test;
  options.reporter = CountingReporter;
  options.require = [...(options.require ?? []), import.meta.resolve("./worker.ts")];
  const { testFiles: named = [] }: { testFiles?: string[] } = taskArguments;
  // Hardhat would load every file below the folder, what tests share and start included.
  const testFiles = named.length > 0 ? named : await testFilesBelow(hre.config.paths.tests.mocha);
  const result: unknown = await runSuper({ ...taskArguments, testFiles });
  setTimeout(endAnyway, GRACE_MS).unref();
  return result;
};

/** Reached only where something keeps the process alive, which would otherwise never end. */
function endAnyway(): void {
  console.error(`A test left something open: ${process.getActiveResourcesInfo().join(", ")}.`);
  process.exit();
}

async function testFilesBelow(folder: string): Promise<string[]> {
  const names = await readdir(folder, { recursive: true });
  return names
    .filter((name) => name.endsWith(".test.ts"))
    .toSorted()
    .map((name) => join(folder, name));
}

export default mocha;
