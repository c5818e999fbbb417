import type { HttpNetworkUserConfig } from "hardhat/types/config";

import type { Environment } from "./host.ts";

/** A chain on this machine, or any other whose URL is in the environment. */
export function localNetwork({ NEURA_RPC_URL, NEURA_PRIVATE_KEY }: Environment): HttpNetworkUserConfig {
  return {
    type: "http",
    chainType: "l1",
    url: NEURA_RPC_URL ?? "http://127.0.0.1:8545",
    accounts: NEURA_PRIVATE_KEY === undefined ? "remote" : [NEURA_PRIVATE_KEY],
  };
}
