import type { TaskOverrideActionFunction } from "hardhat/types/tasks";
import type { TestRunResult } from "hardhat/types/test";
import type { Result } from "hardhat/types/utils";

import { count } from "./counts.ts";

const solidity: TaskOverrideActionFunction = async (taskArguments, _, runSuper) => {
  const run: (given: typeof taskArguments) => Promise<Result<TestRunResult, TestRunResult>> = runSuper;
  const result = await run(taskArguments);
  count((result.success ? result.value : result.error).summary);
  return result;
};

export default solidity;
