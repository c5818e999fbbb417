import { createRequire } from "node:module";
import toolbox from "@nomicfoundation/hardhat-toolbox-mocha-ethers";
import { configVariable, defineConfig } from "hardhat/config";

const require = createRequire(import.meta.url);

export default defineConfig({
  plugins: [toolbox],
  solidity: {
    version: "0.8.37",
    path: require.resolve("solc/soljson.js"),
    settings: { evmVersion: "cancun", viaIR: true, optimizer: { enabled: true, runs: 20_000 } },
  },
  paths: {
    ignition: ".",
    tests: { mocha: "test", solidity: "test" },
  },
  typechain: { outDir: "types" },
  networks: {
    neura: {
      type: "http",
      chainType: "l1",
      chainId: 267,
      url: configVariable("NEURA_RPC_URL"),
      accounts: [configVariable("NEURA_PRIVATE_KEY")],
    },
  },
});
