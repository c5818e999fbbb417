import { ZeroAddress } from "ethers";

import type { Connection } from "./support.ts";

/** A market alone, for its pure functions. */
export async function deployMarketAlone({ ethers }: Connection) {
  const [admin] = await ethers.getSigners();
  const account = admin?.address ?? ZeroAddress;
  const registry = await ethers.deployContract("ProviderRegistry", [ZeroAddress, 45 * 86_400, account]);
  return await ethers.deployContract("TaskMarket", [
    ZeroAddress,
    await registry.getAddress(),
    600,
    account,
    account,
    0,
  ]);
}
