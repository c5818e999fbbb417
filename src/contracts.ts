/** The deployed contracts with types, for ethers 6. */
export { ITaskMarket__factory } from "../types/factories/interfaces/ITaskMarket__factory.ts";
export { NamedArbiter__factory } from "../types/factories/market/NamedArbiter__factory.ts";
export { ProviderRewards__factory } from "../types/factories/market/ProviderRewards__factory.ts";
export { TaskMarket__factory } from "../types/factories/market/TaskMarket__factory.ts";
export { TaskMarketExtension__factory } from "../types/factories/market/TaskMarketExtension__factory.ts";
export { KeyRegistry__factory } from "../types/factories/registry/KeyRegistry__factory.ts";
export { ModelRegistry__factory } from "../types/factories/registry/ModelRegistry__factory.ts";
export { ProviderRegistry__factory } from "../types/factories/registry/ProviderRegistry__factory.ts";
export type { ITaskMarket } from "../types/interfaces/ITaskMarket.ts";
export type { NamedArbiter } from "../types/market/NamedArbiter.ts";
export type { ProviderRewards } from "../types/market/ProviderRewards.ts";
export type { TaskMarket } from "../types/market/TaskMarket.ts";
export type { KeyRegistry } from "../types/registry/KeyRegistry.ts";
export type { ModelRegistry } from "../types/registry/ModelRegistry.ts";
export type { ProviderRegistry } from "../types/registry/ProviderRegistry.ts";
