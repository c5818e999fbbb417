import { ZeroAddress } from "ethers";

import { deployTaskMarket } from "../../contracts/market/deploy.ts";
import type { Connection } from "./support.ts";

/** A market alone, for its pure functions. */
export async function deployMarketAlone({ ethers }: Connection) {
  const [admin] = await ethers.getSigners();
  const account = admin?.address ?? ZeroAddress;
  const registry = await ethers.deployContract("ProviderRegistry", [ZeroAddress, 45 * 86_400, account]);
  const { market } = await deployTaskMarket(ethers, { registry, declineWindow: 600n, feeBps: 0n });
  return market;
}
