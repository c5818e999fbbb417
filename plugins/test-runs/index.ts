import { overrideTask } from "hardhat/config";
import { definePlugin } from "hardhat/plugins";

/**
 * Runs `*.test.ts` alone as mocha tests, and ends a test run with one line of counts over all runners: `N passed,
 * N failed, N skipped`. A whole run has both kinds of tests side by side.
 */
export default definePlugin({
  id: "neura-test-runs",
  dependencies: () => [import("@nomicfoundation/hardhat-mocha")],
  tasks: [
    overrideTask("test")
      .setAction(() => import("./test.ts"))
      .build(),
    overrideTask(["test", "mocha"])
      .setAction(() => import("./mocha.ts"))
      .build(),
    overrideTask(["test", "solidity"])
      .setAction(() => import("./solidity.ts"))
      .build(),
  ],
});
