import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { HDNodeWallet, hexlify, randomBytes, type Signer, ZeroAddress } from "ethers";

import { hashEnvelope, payloadContext, seal } from "../../../src/envelope/index.ts";

import type { NodeEvent } from "../../../src/provider/log.ts";
import { type NodeOptions, ProviderNode } from "../../../src/provider/node.ts";
import { DEFAULT_POLICY, type Policy } from "../../../src/provider/policy.ts";
import type { StoredKey } from "../../../src/keystore.ts";
import {
  type Account,
  archiveOf,
  createWorld,
  fileIn,
  MACHINE,
  RATE_WEI,
  STAKE_WEI,
  type World,
} from "../market/support.ts";
import type { OutcomeName } from "../../../src/market/outcome.ts";
import type { Resources } from "../../../src/market/resources.ts";
import {
  type Conditions,
  encodeTerms,
  encodeWork,
  maximumCostWei,
  taskId,
  type Terms,
  type Work,
} from "../../../src/market/terms.ts";
import { ITaskMarket__factory } from "../../../types/factories/interfaces/ITaskMarket__factory.ts";
import type { ITaskMarket } from "../../../types/interfaces/ITaskMarket.ts";
import { type Cleanup, collect } from "../storage/support.ts";
import { FakeRunner } from "./fake-runner.ts";

/** In the market, in the registry, and on the provider's account [wei]. */
export interface Balances {
  readonly owner: bigint;
  readonly provider: bigint;
  readonly fees: bigint;
  readonly market: bigint;
  readonly stake: bigint;
  readonly locked: bigint;
  readonly gas: bigint;
}

const MNEMONIC = "test test test test test test test test test test test junk";

/** The key of a simulated chain's account: nodes sign themselves. */
export function walletAt(index: number): HDNodeWallet {
  return HDNodeWallet.fromPhrase(MNEMONIC, "", `m/44'/60'/0'/0/${index}`);
}

/** A world with one registered provider, and nodes for it. */
export class Stage {
  readonly world: World;
  readonly provider: Account;
  readonly providerKey: StoredKey;
  readonly runner: FakeRunner;
  readonly directory: string;
  readonly events: NodeEvent[] = [];
  readonly #cleanup: Cleanup;

  private constructor(parts: { world: World; provider: Account; providerKey: StoredKey; cleanup: Cleanup }) {
    this.world = parts.world;
    this.provider = parts.provider;
    this.providerKey = parts.providerKey;
    this.runner = new FakeRunner();
    this.directory = join(parts.cleanup.directory(), "node");
    this.#cleanup = parts.cleanup;
  }

  static async create(cleanup: Cleanup, options: { token?: boolean } = {}): Promise<Stage> {
    const world = await createWorld(cleanup, options);
    const provider = world.others[0]!;
    const providerKey = await world.register(provider);
    return new Stage({ world, provider, providerKey, cleanup });
  }

  nodeOptions(change: Partial<Omit<NodeOptions, "policy">> & { policy?: Partial<Policy> } = {}): NodeOptions {
    return {
      deployment: this.world.deployment,
      provider: this.world.connection.ethers.provider,
      signer: walletAt(3),
      keys: () => Promise.resolve([this.providerKey]),
      storage: () => this.world.storage,
      runner: this.runner,
      applications: ["test"],
      directory: this.directory,
      pollMs: 20,
      onEvent: (event) => void this.events.push(event),
      ...change,
      policy: { ...DEFAULT_POLICY, coverGas: false, arbiters: "any", ...change.policy },
    };
  }

  async start(change: Parameters<Stage["nodeOptions"]>[0] = {}): Promise<ProviderNode> {
    const node = await ProviderNode.start(this.nodeOptions(change));
    this.#cleanup.add(() => node.stop());
    return node;
  }

  /** An owner's task with one small file; `change` is for what the test is about. */
  async submit(change: Record<string, unknown> = {}): Promise<{ id: string; costWei: bigint }> {
    const path = await fileIn(this.#cleanup.directory(), "question.txt", "What is the answer?");
    return await this.world.client.submit({
      source: { files: [path] },
      application: "test",
      provider: this.provider.address,
      durationSeconds: 60,
      ...change,
    });
  }

  /** The context of a payload with this salt. */
  contextOf(salt: string): string {
    return payloadContext({ ...this.domain, owner: this.world.owner.address, salt });
  }

  get domain(): { chainId: bigint; market: string } {
    const { chainId, contracts } = this.world.deployment;
    return { chainId: BigInt(chainId), market: contracts.TaskMarket };
  }

  /** An envelope for the provider as it should be, around `archive`. */
  async envelope(
    archive: Uint8Array,
    { salt, recipients = [this.providerKey.publicKey] }: { salt: string; recipients?: Uint8Array[] },
  ): Promise<{ bytes: Buffer; hash: string }> {
    const compartments = [{ kind: "body" as const, recipients, source: [archive] }];
    const sealed = seal({ context: this.contextOf(salt), compartments });
    const bytes = await collect(sealed.stream);
    return { bytes, hash: sealed.result().hash };
  }

  /**
   * Submits what a client of ours would never submit: stores `bytes` and pays for a task about them.
   * All that is not given is as it should be.
   */
  async submitRaw({
    salt = hexlify(randomBytes(32)),
    bytes,
    hash,
    payload,
    recipients,
    terms: change = {},
    resources = MACHINE,
    backup,
    quote,
  }: {
    salt?: string;
    bytes?: Uint8Array;
    hash?: string;
    payload?: string;
    /** Who can read the payload; the provider, unless it is said otherwise. */
    recipients?: Uint8Array[];
    backup?: string;
    /** The provider's promise, for the task of this id. */
    quote?: (id: string) => Promise<{ nonce: bigint; expiresAt: number; signature: string }>;
    terms?: Partial<Omit<Terms, "conditions">> & { conditions?: Partial<Conditions> };
    resources?: Resources;
  }): Promise<{ id: string; costWei: bigint; terms: Terms; work: Work }> {
    const { owner, storage } = this.world;
    const right = await this.envelope(await payloadArchive(), {
      salt,
      ...(recipients ? { recipients } : {}),
    });
    const stored = payload === undefined ? await storage.put(bytes ?? right.bytes) : undefined;
    if (stored) await storage.readBack(stored);
    const now = await this.now();
    const terms: Terms = {
      owner: owner.address,
      provider: this.provider.address,
      price: { amountWei: RATE_WEI, metered: true },
      collateralWei: 0n,
      salt,
      ...change,
      conditions: {
        startBySeconds: now + 600,
        completeBySeconds: now + 1200,
        durationSeconds: 60,
        keyEpoch: 1,
        ...change.conditions,
      },
    };
    const payloadHash =
      hash ?? (bytes === undefined ? right.hash : await hashEnvelope([bytes]).catch(() => right.hash));
    const uri = payload ?? stored!.uri;
    const work: Work = { resources, payloadHash, payload: uri, ...(backup === undefined ? {} : { backup }) };
    const costWei = maximumCostWei(terms);
    const id = taskId(this.domain, terms, work);
    const words = [encodeTerms(terms), encodeWork(work)] as const;
    const market = this.market(owner);
    if (backup === undefined && quote === undefined) {
      await market.submit(...words, { value: costWei });
    } else {
      const none = { nonce: 0n, expiresAt: 0, signature: "0x" };
      const promise = (await quote?.(id)) ?? none;
      const order = { terms: words[0], work: words[1], backup: backup ?? ZeroAddress, sponsored: false };
      await market.order({ ...order, signature: "0x", quote: promise }, { value: costWei });
    }
    return { id, costWei, terms, work };
  }

  /** The market, as `account` talks to it. */
  market(account: Signer = this.world.owner): ITaskMarket {
    return ITaskMarket__factory.connect(this.world.deployment.contracts.TaskMarket, account);
  }

  /** The newest block's time [Unix s]. */
  async now(): Promise<number> {
    return (await this.world.connection.ethers.provider.getBlock("latest"))!.timestamp;
  }

  /** Moves the chain's time on and makes a block. */
  async passSeconds(seconds: number): Promise<void> {
    await this.world.connection.networkHelpers.time.increase(seconds);
  }

  /** How many transactions the provider's account has sent. */
  async nonce(): Promise<number> {
    return await this.world.connection.ethers.provider.getTransactionCount(this.provider.address);
  }

  // ---- Money ----

  /** What everybody has [wei]. */
  async balances(): Promise<Balances> {
    const { ethers } = this.world.connection;
    const { contracts } = this.world.deployment;
    const market = await ethers.getContractAt("TaskMarket", contracts.TaskMarket);
    const registry = await ethers.getContractAt("ProviderRegistry", contracts.ProviderRegistry);
    const { address } = this.provider;
    const { stake, locked } = await registry.providerOf(address);
    return {
      owner: await market.balanceOf(this.world.owner.address),
      provider: await market.balanceOf(address),
      fees: await market.feesDue(address),
      market: await ethers.provider.getBalance(contracts.TaskMarket),
      stake,
      locked,
      gas: await ethers.provider.getBalance(address),
    };
  }

  /** The task ended with this outcome, and its whole price went back to the owner; nobody else gained or lost. */
  async expectRefunded(
    { id, costWei }: { id: string; costWei: bigint },
    outcome: OutcomeName,
    before: Balances,
    { gasWei }: { gasWei: bigint },
  ): Promise<void> {
    expect((await this.world.client.status(id)).outcome).to.equal(outcome);
    const after = await this.balances();
    expect(after).to.deep.equal({
      ...before,
      owner: before.owner + costWei,
      market: before.market + costWei,
      stake: STAKE_WEI,
      locked: 0n,
      gas: before.gas - gasWei,
    });
  }

  /** Waits for an event of the node. */
  async event(
    name: string,
    { task, timeoutMs = 20_000 }: { task?: string; timeoutMs?: number } = {},
  ): Promise<NodeEvent> {
    const until = Date.now() + timeoutMs;
    for (;;) {
      const found = this.events.find(
        (event) => event.event === name && (task === undefined || event.task === task),
      );
      if (found) return found;
      if (Date.now() > until) {
        const seen = this.events.map((each) => JSON.stringify([each.event, each["message"]]));
        throw new Error(`no event ${name}, only ${seen.join(", ")}`);
      }
      await sleep(10);
    }
  }
}

/** A payload's tar archive with one small file. */
export async function payloadArchive(
  change: { manifest?: Record<string, unknown>; files?: Record<string, string | Uint8Array> } = {},
): Promise<Buffer> {
  const manifest = {
    schema: "neura/manifest/1",
    application: "test",
    inputs: ["input/question.txt"],
    parameters: {},
    limits: { seconds: 60, ramMiB: 512, outputMiB: 16 },
    ...change.manifest,
  };
  const files = change.files ?? { "input/question.txt": "What is the answer?" };
  return await archiveOf({ "manifest.json": JSON.stringify(manifest), ...files });
}

/** What an event says was paid for gas [wei]. */
export function gasOf({ gasWei }: NodeEvent): bigint {
  if (typeof gasWei !== "bigint") throw new Error("the event has no gasWei");
  return gasWei;
}

/** A text of an event. */
export function textIn(event: NodeEvent, name: string): string {
  const value = event[name];
  if (typeof value !== "string") throw new Error(`the event has no ${name}`);
  return value;
}
