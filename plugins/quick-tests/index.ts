import { definePlugin } from "hardhat/plugins";

/**
 * Compiles Solidity tests and what they share without the intermediate representation and without the optimizer, in a
 * tenth of the time. They deploy what is built for the chain (`create` in `test/contracts/utils/Test.sol`); they
 * themselves only have to be there soon.
 */
export default definePlugin({
  id: "neura-quick-tests",
  hookHandlers: { config: () => import("./hook.ts") },
});
