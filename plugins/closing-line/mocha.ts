import type { TaskOverrideActionFunction } from "hardhat/types/tasks";
import Mocha from "mocha";

import { count } from "./counts.ts";

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
  hre.config.test.mocha.reporter = CountingReporter;
  const result: unknown = await runSuper(taskArguments);
  return result;
};

export default mocha;
