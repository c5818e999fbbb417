import { createRequire } from "node:module";
import { ContractFactory, getCreateAddress, type InterfaceAbi, type Signer, ZeroAddress } from "ethers";

import { type BridgeDeployment, type EndRecord, otherSide, type Side } from "../src/bridge/deployment.ts";
import type { CurrencyInfo } from "../src/deployment.ts";
import { NeuraError } from "../src/errors.ts";
import {
  BridgedAnkr__factory,
  BridgedAnkrEscrow__factory,
  MintingAnkrBridge__factory,
  NativeAnkrVault__factory,
  QuorumGateway__factory,
} from "../types/index.ts";
import type { IAnkrBridge } from "../types/interfaces/IAnkrBridge.ts";

/** OpenZeppelin's own build of its timelock. */
const Timelock = createRequire(import.meta.url)(
  "@openzeppelin/contracts/build/contracts/TimelockController.json",
) as { abi: InterfaceAbi; bytecode: string };

/** What a pair is made with, beside its ends. */
export interface PairSettings {
  /** ANKR at home, a token. */
  readonly token: CurrencyInfo;
  /** What ANKR is far away: the chain's coin, or a token that the end there makes. */
  readonly kind: "native" | "minted";
  /** Markets into which transfers can be paid. */
  readonly markets: Readonly<Partial<Record<Side, string>>>;
  readonly attesters: readonly string[];
  readonly threshold: number;
  /** Who can veto, pause and distrust. */
  readonly guardian: string;
  /** Who proposes to the timelock that owns the contracts; anybody may execute what waited. */
  readonly admin: string;
  /** How long that waits [s]. */
  readonly delaySeconds: number;
  readonly settings: IAnkrBridge.SettingsStruct;
}

/** Where a deployment began: with these nonces of its deployers the addresses are settled. */
export interface PairPlan {
  /** Of the settings. */
  readonly settings: string;
  readonly home: EndPlan;
  readonly far: EndPlan;
}

interface EndPlan {
  readonly chainId: number;
  readonly deployer: string;
  readonly nonce: number;
  readonly block: number;
}

/** In this order, by one deployer, with nothing between them. */
const STEPS = ["owner", "gateway", "bridge"] as const;
/** Where the bridge makes ANKR, its token is there first. */
const MINTING_STEPS = ["token", ...STEPS] as const;
type Step = (typeof MINTING_STEPS)[number];

function stepsOf(side: Side, { kind }: Pick<PairSettings, "kind">): readonly Step[] {
  return side === "far" && kind === "minted" ? MINTING_STEPS : STEPS;
}

/**
 * Deploys both ends, or what an interrupted run has left out. Each end is made with the other's address, which its
 * deployer's nonces give beforehand.
 *
 * Errors: `bridge.deploy-interrupted`, `bridge.deploy-unlike`, what a contract refuses.
 */
export async function deployPair(
  signers: Readonly<Record<Side, Signer>>,
  settings: PairSettings,
  { known, record }: { known?: PairPlan | undefined; record?: (plan: PairPlan) => void | Promise<void> } = {},
): Promise<BridgeDeployment> {
  const text = JSON.stringify(settings, (_, each: unknown) =>
    typeof each === "bigint" ? each.toString() : each,
  );
  if (known !== undefined && known.settings !== text) {
    throw new NeuraError("bridge.deploy-unlike", "An interrupted deployment was begun with other settings.", {
      next: "Go on with those, or begin anew with --fresh.",
    });
  }
  const plan = known ?? {
    settings: text,
    home: await planOf(signers.home),
    far: await planOf(signers.far),
  };
  await record?.(plan);
  const ends = { home: recordOf(plan.home, "home", settings), far: recordOf(plan.far, "far", settings) };
  for (const side of ["home", "far"] as const) {
    for (const [index, step] of stepsOf(side, settings).entries()) {
      const address = addressOf(plan[side], index);
      await deployStep({ signer: signers[side], plan: plan[side], index, address }, () =>
        transactionOf(step, side, { ends, settings, signer: signers[side] }),
      );
    }
  }
  return { schema: "neura/bridge/1", ...ends };
}

async function planOf(signer: Signer): Promise<EndPlan> {
  const provider = providerOf(signer);
  const deployer = await signer.getAddress();
  // Some nodes tell the pending one of before for a while.
  const [{ chainId }, block, ...nonces] = await Promise.all([
    provider.getNetwork(),
    provider.getBlockNumber(),
    provider.getTransactionCount(deployer, "pending"),
    provider.getTransactionCount(deployer, "latest"),
  ]);
  return { chainId: Number(chainId), deployer, nonce: Math.max(...nonces), block };
}

function addressOf({ deployer, nonce }: EndPlan, index: number): string {
  return getCreateAddress({ from: deployer, nonce: nonce + index });
}

function recordOf(plan: EndPlan, side: Side, settings: PairSettings): EndRecord {
  const { token, markets } = settings;
  const steps = stepsOf(side, settings);
  const at = (step: Step): string =>
    steps.includes(step) ? addressOf(plan, steps.indexOf(step)) : ZeroAddress;
  return {
    ...{ chainId: plan.chainId, block: plan.block },
    ...{ gateway: at("gateway"), bridge: at("bridge"), owner: at("owner") },
    market: markets[side] ?? ZeroAddress,
    currency: side === "home" ? token : { symbol: "ANKR", decimals: 18, address: at("token") },
  };
}

async function deployStep(
  { signer, plan, index, address }: { signer: Signer; plan: EndPlan; index: number; address: string },
  transaction: () => Promise<{ data: string }>,
): Promise<void> {
  const provider = providerOf(signer);
  if ((await provider.getCode(address)) !== "0x") return;
  const nonce = plan.nonce + index;
  const next = await provider.getTransactionCount(plan.deployer, "latest");
  if (next !== nonce) {
    throw new NeuraError(
      "bridge.deploy-interrupted",
      `${plan.deployer} is at nonce ${next} on chain ${plan.chainId}, where ${nonce} was to make the next contract.`,
      { next: "Begin anew with --fresh, and send nothing else from that account meanwhile." },
    );
  }
  const { data } = await transaction();
  const sent = await signer.sendTransaction({ data, nonce });
  const receipt = await sent.wait();
  if (receipt?.contractAddress !== address) {
    throw new NeuraError("bridge.deploy-interrupted", `${sent.hash} did not make ${address}.`, {
      next: "Begin anew with --fresh.",
    });
  }
}

async function transactionOf(
  step: Step,
  side: Side,
  {
    ends,
    settings,
    signer,
  }: { ends: Readonly<Record<Side, EndRecord>>; settings: PairSettings; signer: Signer },
): Promise<{ data: string }> {
  const { [side]: own, [otherSide(side)]: peer } = ends;
  const { attesters, threshold, guardian, admin, delaySeconds, kind } = settings;
  if (step === "owner") {
    const factory = new ContractFactory(Timelock.abi, Timelock.bytecode, signer);
    return await factory.getDeployTransaction(delaySeconds, [admin], [ZeroAddress], ZeroAddress);
  }
  if (step === "gateway") {
    const named = [...attesters];
    const factory = new QuorumGateway__factory(signer);
    return await factory.getDeployTransaction(
      peer.chainId,
      peer.gateway,
      named,
      threshold,
      own.owner,
      guardian,
    );
  }
  if (step === "token") return await new BridgedAnkr__factory(signer).getDeployTransaction(own.bridge);
  const creation = {
    ...{ gateway: own.gateway, peerChain: peer.chainId, peer: peer.bridge, market: own.market },
    ...{ owner: own.owner, guardian, settings: settings.settings },
  };
  if (side === "home") {
    return await new BridgedAnkrEscrow__factory(signer).getDeployTransaction(creation, own.currency.address);
  }
  return kind === "native"
    ? await new NativeAnkrVault__factory(signer).getDeployTransaction(creation)
    : await new MintingAnkrBridge__factory(signer).getDeployTransaction(creation, own.currency.address);
}

function providerOf({ provider }: Signer) {
  if (provider !== null) return provider;
  throw new NeuraError("market.no-provider", "The signer is not connected to a chain.", {
    next: "Connect it: signer.connect(provider).",
  });
}
