import { definePlugin } from "hardhat/plugins";

/**
 * Compiles Solidity tests without the optimizer's intermediate representation, in a fifth of the time. They deploy what is
 * built for the chain (`create` in `test/contracts/utils/Test.sol`); they themselves only have to be there soon.
 */
export default definePlugin({
  id: "neura-quick-tests",
  hookHandlers: { config: () => import("./hook.ts") },
});
