import { definePlugin } from "hardhat/plugins";

/** Makes the compiler's warnings errors. */
export default definePlugin({
  id: "neura-strict-solc",
  hookHandlers: { solidity: () => import("./hook.ts") },
});
