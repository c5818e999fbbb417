import type { Deployment } from "../../../src/deployment.ts";
import type { Fixture } from "../../contracts/market/fixture.ts";

/** The deployment of a fixture's contracts; `others` for those that it does not have. */
export async function deploymentOf(
  { ethers, market, registry, currency }: Fixture,
  others: Partial<Deployment["contracts"]> = {},
): Promise<Deployment> {
  const { chainId } = await ethers.provider.getNetwork();
  return {
    schema: "neura/deployment/1",
    chainId: Number(chainId),
    block: 0,
    contracts: {
      KeyRegistry: ethers.ZeroAddress,
      ModelRegistry: ethers.ZeroAddress,
      ProviderRewards: ethers.ZeroAddress,
      ProviderRegistry: await registry.getAddress(),
      TaskMarket: await market.getAddress(),
      ...others,
    },
    currency: { address: currency, symbol: "ANKR", decimals: 18 },
  };
}
