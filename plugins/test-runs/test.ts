import type { TaskOverrideActionFunction } from "hardhat/types/tasks";
import type { TestRunResult } from "hardhat/types/test";
import type { Result } from "hardhat/types/utils";
import { errorResult, successfulResult } from "hardhat/utils/result";

import { closingLine } from "./counts.ts";

const test: TaskOverrideActionFunction = async (taskArguments, hre, runSuper) => {
  const { testFiles = [], grep, grepExclude, noCompile = false, ...others }: Given = taskArguments;
  const reports = hre.globalOptions.coverage || hre.globalOptions.gasStats;
  if (testFiles.length > 0 || grep !== undefined || grepExclude !== undefined || reports) {
    const result: unknown = await runSuper(taskArguments);
    console.log(closingLine());
    return result;
  }
  if (!noCompile) await hre.tasks.getTask("build").run({ noTests: true });
  // Compiling the Solidity tests keeps one core busy for minutes; mocha's tests run beside it.
  const solidity: Runner<Result<TestRunResult, TestRunResult>> = hre.tasks.getTask(["test", "solidity"]);
  const mocha: Runner<unknown> = hre.tasks.getTask(["test", "mocha"]);
  const [solidityRun, mochaRun] = await Promise.all([
    // With an index it counts what passed, and leaves its failures to be shown here.
    solidity.run({ ...others, testSummaryIndex: 1 }),
    mocha.run({ noCompile: true }),
  ]);
  const { failureOutput = "" } = (solidityRun.success ? solidityRun.value : solidityRun.error).summary;
  if (failureOutput !== "") console.log(failureOutput);
  console.log(closingLine());
  return solidityRun.success && succeeded(mochaRun) ? successfulResult() : errorResult();
};

interface Runner<Ended> {
  run(given: Record<string, unknown>): Promise<Ended>;
}

interface Given {
  testFiles?: string[];
  grep?: string;
  grepExclude?: string;
  noCompile?: boolean;
}

const succeeded = (result: unknown): boolean =>
  typeof result === "object" && result !== null && "success" in result && result.success === true;

export default test;
