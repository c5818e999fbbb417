/** The deployed contracts with types, for ethers 6. */
export { KeyRegistry__factory } from "../types/factories/registry/KeyRegistry__factory.ts";
export { ProviderRegistry__factory } from "../types/factories/registry/ProviderRegistry__factory.ts";
export { TaskMarket__factory } from "../types/factories/market/TaskMarket__factory.ts";
export type { TaskMarket } from "../types/market/TaskMarket.ts";
export type { KeyRegistry } from "../types/registry/KeyRegistry.ts";
export type { ProviderRegistry } from "../types/registry/ProviderRegistry.ts";
