import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { HDNodeWallet } from "ethers";

import type { NodeEvent } from "../../../src/provider/log.ts";
import { type NodeOptions, ProviderNode } from "../../../src/provider/node.ts";
import { DEFAULT_POLICY, type Policy } from "../../../src/provider/policy.ts";
import type { StoredKey } from "../../../src/keystore.ts";
import { type Account, createWorld, fileIn, type World } from "../market/support.ts";
import type { Cleanup } from "../storage/support.ts";
import { FakeRunner } from "./fake-runner.ts";

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
      keys: [this.providerKey],
      storage: () => this.world.storage,
      runner: this.runner,
      applications: ["test"],
      directory: this.directory,
      pollMs: 20,
      onEvent: (event) => void this.events.push(event),
      ...change,
      policy: { ...DEFAULT_POLICY, coverGas: false, ...change.policy },
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
