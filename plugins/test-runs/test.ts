import type { TaskOverrideActionFunction } from "hardhat/types/tasks";

import { closingLine } from "./counts.ts";

const test: TaskOverrideActionFunction = async (taskArguments, _, runSuper) => {
  const result: unknown = await runSuper(taskArguments);
  console.log(closingLine());
  return result;
};

export default test;
