import { createRequire } from "node:module";
import toolbox from "@nomicfoundation/hardhat-toolbox-mocha-ethers";
import { configVariable, defineConfig } from "hardhat/config";

import quickTests from "./plugins/quick-tests/index.ts";
import strictSolc from "./plugins/strict-solc/index.ts";
import testRuns from "./plugins/test-runs/index.ts";
import { accountTasks } from "./tasks/account.ts";
import { alarmTasks } from "./tasks/alarm.ts";
import { arbiterTasks } from "./tasks/arbiter.ts";
import { bridgeTasks } from "./tasks/bridge.ts";
import { canaryTasks } from "./tasks/canary.ts";
import { deployTasks } from "./tasks/deploy.ts";
import { juryTasks } from "./tasks/jury.ts";
import { leaseTasks } from "./tasks/lease.ts";
import { limitTasks } from "./tasks/limit.ts";
import { localNetwork } from "./tasks/local-network.ts";
import { marketTasks } from "./tasks/market.ts";
import { mirrorTasks } from "./tasks/mirror.ts";
import { opsTasks } from "./tasks/ops.ts";
import { modelTasks } from "./tasks/model.ts";
import { orderTasks } from "./tasks/order.ts";
import { providerTasks } from "./tasks/provider.ts";
import { shareTasks } from "./tasks/share.ts";
import { taskTasks } from "./tasks/task.ts";
import { walletTasks } from "./tasks/wallet.ts";

const require = createRequire(import.meta.url);

/** The compiler from npm; `runs`: how often code is expected to be called. */
const compiler = ({ runs, ...settings }: { runs: number; metadata?: { bytecodeHash: "none" } }) => ({
  version: "0.8.37",
  path: require.resolve("solc/soljson.js"),
  settings: { evmVersion: "cancun", viaIR: true, optimizer: { enabled: true, runs }, ...settings },
});

export default defineConfig({
  plugins: [toolbox, quickTests, strictSolc, testRuns],
  tasks: [
    ...accountTasks,
    ...alarmTasks,
    ...arbiterTasks,
    ...bridgeTasks,
    ...canaryTasks,
    ...deployTasks,
    ...juryTasks,
    ...leaseTasks,
    ...limitTasks,
    ...marketTasks,
    ...mirrorTasks,
    ...opsTasks,
    ...modelTasks,
    ...orderTasks,
    ...providerTasks,
    ...shareTasks,
    ...taskTasks,
    ...walletTasks,
  ],
  solidity: {
    // Solidity tests deploy what is built for the chain: it has to be built before them, also where few are run.
    splitTestsCompilation: true,
    // Small: a chain takes 24,576 bytes of code. What every task calls is made quick instead.
    compilers: [compiler({ runs: 200 })],
    overrides: {
      "contracts/market/TaskMarket.sol": compiler({ runs: 20_000 }),
      // Transfers of its units run over many deeds.
      "contracts/model/ModelOwnership.sol": compiler({ runs: 1_000 }),
      "contracts/mocks/BareOwnership.sol": compiler({ runs: 1_000 }),
      // Its factory knows it by the hash of its code, which no comment is to change.
      "contracts/model/RevenueShareToken.sol": compiler({ runs: 200, metadata: { bytecodeHash: "none" } }),
    },
  },
  paths: {
    ignition: ".",
    tests: { mocha: "test", solidity: "test" },
  },
  // The generated files are not ours to correct; who uses them is checked against them all the same.
  typechain: { outDir: "types", tsNocheck: true },
  networks: {
    local: localNetwork(process.env),
    neura: {
      type: "http",
      chainType: "l1",
      chainId: 267,
      url: configVariable("NEURA_RPC_URL"),
      accounts: [configVariable("NEURA_PRIVATE_KEY")],
    },
  },
  test: {
    mocha: { timeout: 60_000, parallel: true, jobs: 2 },
    solidity: {
      profiles: {
        default: { fuzz: { runs: 256 }, invariant: { runs: 64, depth: 64 } },
        deep: { fuzz: { runs: 10_000 }, invariant: { runs: 1_000, depth: 100 } },
      },
    },
  },
});
