import type { ContractRunner, Interface, Provider, Signer } from "ethers";

import { IAnkrBridge__factory } from "../../types/factories/interfaces/IAnkrBridge__factory.ts";
import { IJury__factory } from "../../types/factories/interfaces/IJury__factory.ts";
import { IKeyRegistry__factory } from "../../types/factories/interfaces/IKeyRegistry__factory.ts";
import { ProviderRegistry__factory } from "../../types/factories/registry/ProviderRegistry__factory.ts";
import { IModelRegistry__factory } from "../../types/factories/interfaces/IModelRegistry__factory.ts";
import { INamedArbiter__factory } from "../../types/factories/interfaces/INamedArbiter__factory.ts";
import { IQuorumGateway__factory } from "../../types/factories/interfaces/IQuorumGateway__factory.ts";
import { ITaskMarket__factory } from "../../types/factories/interfaces/ITaskMarket__factory.ts";
import { TaskMarket__factory } from "../../types/factories/market/TaskMarket__factory.ts";
import { TaskMarketExtension__factory } from "../../types/factories/market/TaskMarketExtension__factory.ts";
import { ModelDeeds__factory } from "../../types/factories/model/ModelDeeds__factory.ts";
import { ModelOwnership__factory } from "../../types/factories/model/ModelOwnership__factory.ts";
import { RevenueShareFactory__factory } from "../../types/factories/model/RevenueShareFactory__factory.ts";
import { RevenueShareToken__factory } from "../../types/factories/model/RevenueShareToken__factory.ts";
import type { IKeyRegistry } from "../../types/interfaces/IKeyRegistry.ts";
import type { IModelRegistry } from "../../types/interfaces/IModelRegistry.ts";
import type { ITaskMarket } from "../../types/interfaces/ITaskMarket.ts";
import type { ProviderRegistry } from "../../types/registry/ProviderRegistry.ts";
import type { Deployment } from "../deployment.ts";
import { isNeuraError, NeuraError } from "../errors.ts";
import type { Storage } from "../storage/storage.ts";
import type { MarketDomain } from "./terms.ts";

/** The contracts of a deployment, typed. */
export interface Contracts {
  readonly market: ITaskMarket;
  readonly registry: ProviderRegistry;
  readonly keys: IKeyRegistry;
  readonly models: IModelRegistry;
}

/** The storage of a reference, or the default one; `write`: with the key that pays for uploads. */
export type OpenStorage = (options: { reference?: string; write?: boolean }) => Storage | Promise<Storage>;

export interface MarketOptions {
  /** Reads need a provider, whatever costs money a signer that is connected to one. */
  runner: Signer | Provider;
  deployment: Deployment;
  storage: OpenStorage;
  /** Folder of keys and of what belongs to tasks: `NEURA_HOME`. */
  home: string;
  /** Whether servers of providers may be on this machine: for development. Default: no. */
  allowLoopback?: boolean | undefined;
}

/** What every function of the market works with. */
export interface MarketContext {
  readonly provider: Provider;
  readonly signer: Signer | undefined;
  readonly deployment: Deployment;
  readonly contracts: Contracts;
  readonly domain: MarketDomain;
  readonly storage: OpenStorage;
  readonly home: string;
  readonly allowLoopback: boolean;
}

/** What functions about a model's tokens work with; the context of a market is one. */
export type ChainContext = Pick<MarketContext, "provider" | "signer" | "deployment">;

/** Reads need a provider, whatever costs money a signer that is connected to one. Error: `market.no-provider`. */
export function openChain({
  runner,
  deployment,
}: Pick<MarketOptions, "runner" | "deployment">): ChainContext {
  return { ...sidesOf(runner), deployment };
}

/** The typed contracts of a deployment. */
export function connectContracts({ contracts }: Deployment, runner: ContractRunner): Contracts {
  return {
    market: ITaskMarket__factory.connect(contracts.TaskMarket, runner),
    registry: ProviderRegistry__factory.connect(contracts.ProviderRegistry, runner),
    keys: IKeyRegistry__factory.connect(contracts.KeyRegistry, runner),
    models: IModelRegistry__factory.connect(contracts.ModelRegistry, runner),
  };
}

/** Error: `market.no-provider` for a signer that is not connected. */
export function openMarket({
  runner,
  deployment,
  storage,
  home,
  allowLoopback = false,
}: MarketOptions): MarketContext {
  return {
    ...sidesOf(runner),
    deployment,
    contracts: connectContracts(deployment, runner),
    domain: { chainId: BigInt(deployment.chainId), market: deployment.contracts.TaskMarket },
    storage,
    home,
    allowLoopback,
  };
}

/** What reads, and what signs if anything does. Error: `market.no-provider` for a signer that is not connected. */
export function sidesOf(runner: Signer | Provider): Pick<MarketContext, "provider" | "signer"> {
  const { provider } = runner;
  if (provider === null) {
    throw new NeuraError("market.no-provider", "The signer is not connected to a chain.", {
      next: "Connect it: signer.connect(provider).",
    });
  }
  return { provider, signer: "getAddress" in runner ? runner : undefined };
}

/** The signer, for what costs money. Error: `market.read-only`. */
export function requireSigner({ signer }: Pick<MarketContext, "signer">): Signer {
  if (signer === undefined) {
    throw new NeuraError(
      "market.read-only",
      "This needs an account that pays and signs, and there is none.",
      {
        next: "Set NEURA_PRIVATE_KEY in the environment or in Hardhat's keystore.",
      },
    );
  }
  return signer;
}

/** The time of the chain's newest block [Unix s]: what contracts compare deadlines with. */
export async function chainTime(provider: Provider): Promise<number> {
  const block = await provider.getBlock("latest");
  if (block === null) throw new NeuraError("chain.unavailable", "The chain has no newest block.");
  return block.timestamp;
}

// ---- What contracts refuse ----

let interfaces: readonly Interface[] | undefined;

/** Made when a contract first refuses something: most commands need none. */
const interfacesOf = (): readonly Interface[] =>
  (interfaces ??= [
    // Both halves, for the errors of the libraries that they use.
    TaskMarket__factory.createInterface(),
    TaskMarketExtension__factory.createInterface(),
    ITaskMarket__factory.createInterface(),
    IModelRegistry__factory.createInterface(),
    ProviderRegistry__factory.createInterface(),
    IKeyRegistry__factory.createInterface(),
    INamedArbiter__factory.createInterface(),
    IJury__factory.createInterface(),
    RevenueShareToken__factory.createInterface(),
    RevenueShareFactory__factory.createInterface(),
    ModelOwnership__factory.createInterface(),
    ModelDeeds__factory.createInterface(),
    IAnkrBridge__factory.createInterface(),
    IQuorumGateway__factory.createInterface(),
  ]);

/** What is worth saying beyond the name and the values of a contract's error. */
const REFUSALS: Readonly<Record<string, { code: string; next: string }>> = {
  TaskMarket_TaskExists: {
    code: "task.exists",
    next: "It was submitted and paid for already: see `task status`.",
  },
  TaskMarket_WrongStatus: { code: "task.wrong-status", next: "See `task status` for what can be done now." },
  TaskMarket_NotOwner: { code: "task.not-owner", next: "Use the account that submitted the task." },
  TaskMarket_NotProvider: {
    code: "task.not-provider",
    next: "Use the provider's or its operator's account.",
  },
  TaskMarket_TooLate: { code: "task.too-late", next: "See `task status` for what can be done now." },
  TaskMarket_TooEarly: { code: "task.too-early", next: "Wait until then: see `task status`." },
  TaskMarket_WrongRoyalty: {
    code: "task.wrong-royalty",
    next: "Its royalty was changed just now: order again, with the new one.",
  },
  ModelRegistry_Unknown: { code: "model.unknown", next: "See what is registered with `model show`." },
  ModelRegistry_Retired: { code: "model.retired", next: "Use another model, or none." },
  ModelRegistry_OwnershipSet: {
    code: "model.owned",
    next: "An entry names its ownership once and for all: see `model show`.",
  },
  ModelRegistry_NotController: { code: "model.not-controller", next: "Use the account that controls it." },
  Orders_BadSignature: { code: "order.bad-signature", next: "Have the owner sign it again." },
  Orders_QuoteExpired: { code: "quote.expired", next: "Order again: the provider is asked for a new quote." },
  Orders_QuoteUsed: {
    code: "quote.used",
    next: "Order again: the place was taken by another task, and the provider is asked for a new quote.",
  },
  Orders_BadQuote: { code: "quote.wrong-signer", next: "Order without a quote, or another provider." },
  Disputes_BondTooHigh: {
    code: "dispute.bond-too-high",
    next: "The arbiter asks for more now: look at it again with `task dispute --dry-run`.",
  },
  Disputes_NotArbiter: { code: "dispute.not-arbiter", next: "Use the account of the task's arbiter." },
  NamedArbiter_NotArbiter: { code: "dispute.not-arbiter", next: "Use the account that the arbiter names." },
  Jury_WrongStep: { code: "jury.wrong-step", next: "See `jury show` for what can be done now." },
  Jury_TooEarly: { code: "jury.too-early", next: "Wait until then: see `jury show`." },
  Jury_TooLate: { code: "jury.too-late", next: "See `jury show` for what can be done now." },
  Jury_NotOwner: { code: "jury.not-owner", next: "Use the account that submitted the task." },
  Jury_NotDisputed: { code: "jury.not-disputed", next: "See `task show` for where it stands." },
  Jury_NoBlockHash: { code: "jury.no-block-hash", next: "Wait for the block, or summon the jury again." },
  Jury_WrongEligible: { code: "jury.wrong-eligible", next: "Try again: seats were taken just now." },
  Jury_TooFewSeats: { code: "jury.too-few", next: "Nobody can appeal: the first panel's verdict stands." },
  Jury_WrongClass: {
    code: "jury.wrong-class",
    next: "Name the class of the provider's own GPU, or 0: `jury join --class`.",
  },
  Jury_SeatBound: { code: "jury.seat-bound", next: "Leave first with `jury leave`, and wait until then." },
  Jury_NothingToWithdraw: { code: "jury.nothing", next: "Fees and bonds come when a case is finished." },
  Leases_StillUp: { code: "lease.still-up", next: "Close it first with `lease close`, or wait until then." },
  Leases_AlreadyClosing: { code: "lease.closing", next: "It ends already: see `lease status`." },
  Leases_TooFarAhead: { code: "lease.too-far-ahead", next: "Buy less: at most 30 days ahead." },
  Escrow_InsufficientBalance: { code: "wallet.insufficient-funds", next: "Deposit into the market first." },
  Escrow_NotDelegate: { code: "wallet.not-delegate", next: "Ask the owner for a delegation." },
  Escrow_DelegationExpired: { code: "wallet.delegation", next: "Ask the owner for a new delegation." },
  Escrow_DelegationLimit: { code: "wallet.delegation", next: "Ask the owner for a higher limit." },
  Escrow_DelegationScope: {
    code: "wallet.delegation",
    next: "Ask the owner for a delegation that covers this.",
  },
  OwnableUnauthorizedAccount: { code: "chain.not-owner", next: "Use the account that owns the contract." },
  RevenueShare_InvalidSetting: {
    code: "share.setting",
    next: "See docs/revenue-share.md for what can be set.",
  },
  RevenueShare_UnknownToken: {
    code: "share.unknown-token",
    next: "See its revenue tokens with `share show`: they were fixed when it was made.",
  },
  RevenueShare_NoSnapshot: { code: "share.no-snapshot", next: "See `share claimable` for those that are." },
  RevenueShare_AlreadyClaimed: {
    code: "share.already-claimed",
    next: "See `share claimable` for what is left.",
  },
  RevenueShare_ClaimForRefused: {
    code: "share.claim-refused",
    next: "It claims itself: leave it out.",
  },
  RevenueShare_NothingCredited: { code: "share.nothing", next: "See `share portfolio` for credits." },
  RevenueShare_NotMinter: { code: "share.not-minter", next: "Use the account that `share show` names." },
  RevenueShare_MintingOver: { code: "share.minting-over", next: "No more tokens can be made." },
  RevenueShare_CapExceeded: { code: "share.cap", next: "Mint less." },
  RevenueShare_NotContract: {
    code: "share.not-contract",
    next: "Only contracts that cannot claim are excluded by the owner.",
  },
  RevenueShare_Spoken: { code: "share.spoken", next: "From then on nobody else decides it." },
  RevenueShare_InvalidRecipient: { code: "share.recipient", next: "Name another account." },
  ERC20InsufficientBalance: { code: "token.insufficient-balance", next: "Name at most what there is." },
  ModelOwnership_InvalidSetting: {
    code: "ownership.setting",
    next: "See docs/model-ownership.md for what can be set.",
  },
  ModelOwnership_NotMinter: {
    code: "ownership.not-minter",
    next: "Use the account that `model show` names as minter.",
  },
  ModelOwnership_MintingOver: { code: "ownership.minting-over", next: "No more can be made." },
  ModelOwnership_CapExceeded: { code: "ownership.cap", next: "Mint less." },
  ModelOwnership_NotContract: {
    code: "ownership.not-contract",
    next: "Only contracts are exempted by the owner: people choose with `model exempt` themselves.",
  },
  ModelOwnership_Spoken: {
    code: "ownership.spoken",
    next: "It has chosen itself whether it wants deeds: from then on nobody else decides it.",
  },
  ModelDeeds_NotOwner: { code: "chain.not-owner", next: "Use the account that owns the ownership." },
  ModelDeeds_RoyaltyTooHigh: { code: "ownership.royalty", next: "Ask for less." },
  ModelDeeds_ZeroReceiver: { code: "ownership.royalty", next: "Name who gets the royalty." },
  ModelDeeds_NoMetadata: { code: "ownership.metadata", next: "Name a contract that draws deeds." },
  RecipientIsERC721TransferExempt: {
    code: "ownership.receiver",
    next: "It wants no deeds: transfer the unit by amount.",
  },
  UnsafeRecipient: { code: "ownership.receiver", next: "Transfer the unit by amount." },
  ERC20InvalidReceiver: { code: "ownership.receiver", next: "Name another account." },
  ERC721InvalidReceiver: { code: "ownership.receiver", next: "Name another account." },
  ERC721NonexistentToken: { code: "deed.unknown", next: "See those of an account with `model deeds`." },
  ERC721IncorrectOwner: { code: "deed.not-owner", next: "See its owner with `model deeds --render`." },
  ERC721InsufficientApproval: {
    code: "deed.not-owner",
    next: "Use its owner's account, or have it approve this one.",
  },
  AnkrBridge_InvalidRecipient: { code: "bridge.recipient", next: "Name another account." },
  AnkrBridge_BelowMinimum: { code: "bridge.below-minimum", next: "Send more: the fee is taken out of it." },
  AnkrBridge_SendLimit: {
    code: "bridge.send-limit",
    next: "Send less, or wait: what can be sent grows again.",
  },
  AnkrBridge_NotOutstanding: {
    code: "bridge.not-outstanding",
    next: "Only what came over the bridge goes back over it: send less.",
  },
  AnkrBridge_AlreadyReceived: { code: "bridge.already-received", next: "See `bridge status`." },
  AnkrBridge_Paused: { code: "bridge.paused", next: "Wait until then; claims work all the same." },
  AnkrBridge_NotWaiting: { code: "bridge.not-waiting", next: "See `bridge status`." },
  AnkrBridge_Early: { code: "bridge.early", next: "Wait until then: see `bridge status`." },
  AnkrBridge_IsVetoed: { code: "bridge.vetoed", next: "The bridge's owner can restore it." },
  AnkrBridge_PayLimit: { code: "bridge.pay-limit", next: "Wait: see `bridge status` for how long." },
  AnkrBridge_NothingClaimable: {
    code: "bridge.nothing-claimable",
    next: "See `bridge status` for where a transfer is.",
  },
  BridgeGateway_AlreadyDelivered: { code: "bridge.already-delivered", next: "See `bridge status`." },
  QuorumGateway_TooFewSignatures: {
    code: "bridge.too-few-attestations",
    next: "Wait until more attesters have signed: see `bridge status`.",
  },
  QuorumGateway_InvalidSigner: {
    code: "bridge.attestations-void",
    next: "The attesters changed: run it again for their attestations.",
  },
  QuorumGateway_InvalidEpoch: {
    code: "bridge.attestations-void",
    next: "The attesters changed: run it again for their attestations.",
  },
  QuorumGateway_Distrusted: {
    code: "bridge.distrusted",
    next: "Wait until the bridge's owner has named other attesters.",
  },
  RevenueShareFactory_OtherCode: {
    code: "share.other-code",
    next: "Use the version of this package that the factory was deployed with.",
  },
};

/**
 * The error of a call to a contract, in words: what the contract refused and with which values. Anything else is
 * given back as it is, what is in words already too.
 */
export function explainRefusal(error: unknown): unknown {
  if (isNeuraError(error)) return error;
  const data = revertDataOf(error);
  if (data === undefined) return error;
  for (const contract of interfacesOf()) {
    const refusal = contract.parseError(data);
    if (refusal === null) continue;
    const values = refusal.fragment.inputs.map(
      ({ name }, index) => [name, String(refusal.args[index])] as const,
    );
    const { code, next } = REFUSALS[refusal.name] ?? { code: "chain.reverted", next: undefined };
    return new NeuraError(
      code,
      `The contract refuses: ${refusal.name}(${values.map((pair) => pair.join(" ")).join(", ")}).`,
      {
        cause: error,
        details: { error: refusal.name, ...Object.fromEntries(values) },
        ...(next === undefined ? {} : { next }),
      },
    );
  }
  return error;
}

/** Whether a contract refused: then nothing was sent. */
export function isRefusal(error: unknown): boolean {
  return isNeuraError(error) && error.details["error"] !== undefined;
}

/** Waits for a call to a contract; its refusal is thrown in words. */
export async function asking<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    throw explainRefusal(error);
  }
}

/** The data that a call reverted with: ethers names it, and nodes put it below one or two others. */
function revertDataOf(error: unknown, depth = 0): string | undefined {
  if (typeof error === "string") return /^0x[0-9a-f]{8}/i.test(error) ? error : undefined;
  if (typeof error !== "object" || error === null || depth > 4) return undefined;
  for (const name of ["data", "info", "error", "cause"]) {
    const data = revertDataOf(Reflect.get(error, name), depth + 1);
    if (data !== undefined) return data;
  }
  return undefined;
}
