import type { ChildProcess } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { HDNodeWallet, hexlify, JsonRpcProvider, Network, toQuantity, ZeroAddress } from "ethers";

import { Processes } from "../../../scripts/demo/processes.ts";
import { startChain } from "../../../scripts/demo/stage.ts";
import { type Deployment, writeDeployment } from "../../../src/deployment.ts";
import { generateKeyPair } from "../../../src/envelope/index.ts";
import { loadArweaveKey } from "../../../src/keys/arweave.ts";
import { publishKey } from "../../../src/keys/publish.ts";
import { saveKey } from "../../../src/keystore.ts";
import { MarketClient } from "../../../src/market/client.ts";
import type { TaskRequest } from "../../../src/market/prepare.ts";
import { moduleUrl, spawnModule } from "../../../src/process.ts";
import { nodeDirectory } from "../../../src/provider/node.ts";
import { registerProvider } from "../../../src/provider/registration.ts";
import { Slots } from "../../../src/provider/slots.ts";
import { openArweave } from "../../../src/storage/arweave.ts";
import { startGateway } from "../../../src/storage/gateway/gateway.ts";
import {
  ITaskMarket__factory,
  KeyRegistry__factory,
  ModelRegistry__factory,
  ProviderRegistry__factory,
  ProviderRewards__factory,
} from "../../../types/index.ts";
import type { ITaskMarket } from "../../../types/interfaces/ITaskMarket.ts";
import { deployTaskMarket } from "../../contracts/market/deploy.ts";
import { fileIn, MACHINE } from "../market/support.ts";
import type { Cleanup } from "../storage/support.ts";

const MNEMONIC = "test test test test test test test test test test test junk";
const RATE_WEI = 10n ** 15n;
const DAY = 24 * 3600;

/** A chain of its own process, a gateway, the contracts, an owner; nodes are processes, too. */
export class ProcessStage {
  readonly deployment: Deployment;
  readonly client: MarketClient;
  readonly provider: JsonRpcProvider;
  readonly home: string;
  readonly #environment: Record<string, string>;
  readonly #cleanup: Cleanup;
  readonly #owner = new Slots(1);

  private constructor(parts: {
    deployment: Deployment;
    client: MarketClient;
    provider: JsonRpcProvider;
    home: string;
    environment: Record<string, string>;
    cleanup: Cleanup;
  }) {
    this.deployment = parts.deployment;
    this.client = parts.client;
    this.provider = parts.provider;
    this.home = parts.home;
    this.#environment = parts.environment;
    this.#cleanup = parts.cleanup;
  }

  static async create(cleanup: Cleanup): Promise<ProcessStage> {
    const processes = new Processes();
    cleanup.add(() => processes.stop());
    const url = await startChain({ processes, signal: AbortSignal.timeout(60_000) });
    const network = Network.from(31337);
    const provider = new JsonRpcProvider(url, network, {
      staticNetwork: network,
      cacheTimeout: -1,
      pollingInterval: 50,
    });
    cleanup.add(() => provider.destroy());
    const home = cleanup.directory();
    const gateway = await startGateway({ directory: cleanup.directory(), blockSeconds: 0.1 });
    cleanup.add(() => gateway.close());

    const deployment = await deploy(provider);
    const deploymentPath = join(home, "deployment.json");
    await writeDeployment(deploymentPath, deployment);
    const { key } = await loadArweaveKey(join(home, "arweave.json"));
    const owner = walletAt(1, provider);
    const ownerKey = generateKeyPair();
    await saveKey(home, owner.address, ownerKey);
    await publishKey(deployment, { signer: owner, key: ownerKey });
    const storage = openArweave({ gateways: [gateway.url], key, pauseSeconds: 0.05 });
    const environment = {
      NEURA_RPC_URL: url,
      NEURA_HOME: home,
      NEURA_DEPLOYMENT: deploymentPath,
      NEURA_ARWEAVE_GATEWAYS: gateway.url,
    };
    const client = new MarketClient({ runner: owner, deployment, home, storage: () => storage });
    return new ProcessStage({ deployment, client, provider, home, environment, cleanup });
  }

  /** Registers the account with this number as a provider that takes no open tasks but its own. */
  async register(index: number): Promise<HDNodeWallet> {
    const wallet = walletAt(index, this.provider);
    // The chain has money for its first accounts only.
    await this.provider.send("hardhat_setBalance", [wallet.address, toQuantity(10n ** 21n)]);
    const place = { deployment: this.deployment, signer: wallet };
    const offer = { shape: MACHINE, rateWei: RATE_WEI, slots: 1, metadata: "" };
    await registerProvider(place, { operator: wallet.address, payout: wallet.address, offer });
    const key = generateKeyPair();
    await saveKey(this.home, wallet.address, key);
    await publishKey(this.deployment, { ...place, key });
    // One node would otherwise look at what another's test is about.
    await this.setPolicy(wallet, {});
    return wallet;
  }

  /** Registers as {@link register}, and puts something at stake. */
  async registerWithStake(index: number, stakeWei: bigint): Promise<HDNodeWallet> {
    const wallet = await this.register(index);
    const { ProviderRegistry } = this.deployment.contracts;
    const registry = ProviderRegistry__factory.connect(ProviderRegistry, wallet);
    await (await registry.stake(stakeWei, { value: stakeWei })).wait();
    return wallet;
  }

  /** Writes the policy of the wallet's node. */
  async setPolicy({ address }: { address: string }, policy: Record<string, unknown>): Promise<void> {
    const directory = nodeDirectory(this.home, address);
    await mkdir(directory, { recursive: true });
    const file = {
      schema: "neura/provider-policy/1",
      open: false,
      coverGas: false,
      arbiters: ["any"],
      ...policy,
    };
    await writeFile(join(directory, "policy.json"), JSON.stringify(file));
  }

  /** The folder in which the node keeps a task. */
  taskFolder({ address }: { address: string }, id: string): string {
    return join(nodeDirectory(this.home, address), "tasks", id);
  }

  get ownerAddress(): string {
    return walletAt(1, this.provider).address;
  }

  /** Moves the chain's time on and makes a block. */
  async passSeconds(seconds: number): Promise<void> {
    await this.provider.send("evm_increaseTime", [seconds]);
    await this.provider.send("evm_mine", []);
  }

  /** The market, for whoever sends nothing. */
  get market(): ITaskMarket {
    return ITaskMarket__factory.connect(this.deployment.contracts.TaskMarket, this.provider);
  }

  /** Submits a task; one after the other, since they all come from one owner. */
  async submit(provider: string | undefined, change: Partial<TaskRequest> = {}): Promise<string> {
    return await this.#asOwner(async () => {
      const path = await fileIn(this.#cleanup.directory(), "note.txt", "hand this back");
      const task = {
        source: { files: [path] },
        application: "noop",
        durationSeconds: 60,
        provider,
        ...change,
      };
      return (await this.client.submit(task)).id;
    });
  }

  /** Closes a lease as its owner. */
  async close(id: string): Promise<void> {
    await this.#asOwner(() => this.client.close(id, "close"));
  }

  async #asOwner<T>(work: () => Promise<T>): Promise<T> {
    const leave = await this.#owner.acquire(0, new AbortController().signal);
    try {
      return await work();
    } finally {
      leave();
    }
  }

  /** Starts a node for the wallet. */
  startNode(wallet: HDNodeWallet, { crashAt }: { crashAt?: string } = {}): NodeProcess {
    const child = spawnModule(moduleUrl(import.meta.url, "./crash-node"), {
      contractTypes: true,
      environment: {
        ...process.env,
        ...this.#environment,
        NEURA_PRIVATE_KEY: hexlify(wallet.privateKey),
        ...(crashAt === undefined ? {} : { NEURA_CRASH_AT: crashAt }),
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const node = new NodeProcess(child);
    this.#cleanup.add(() => node.stop());
    return node;
  }

  /** How often the task was delivered. */
  readonly deliveriesOf = async (taskId: string): Promise<number> => {
    const { market } = this;
    return (await market.queryFilter(market.filters.TaskDelivered(taskId))).length;
  };
}

/** A node in another process, and what it says. */
export class NodeProcess {
  readonly events: Record<string, unknown>[] = [];
  /** All that it wrote. */
  output = "";
  readonly #child: ChildProcess;
  readonly ended: Promise<{ code: number | null; signal: string | null }>;

  constructor(child: ChildProcess) {
    this.#child = child;
    this.ended = new Promise((resolve) => child.once("exit", (code, signal) => resolve({ code, signal })));
    for (const stream of [child.stdout, child.stderr]) {
      if (stream === null) continue;
      createInterface({ input: stream }).on("line", (line) => {
        this.output += `${line}\n`;
        if (line.startsWith("{")) this.events.push(JSON.parse(line) as Record<string, unknown>);
      });
    }
  }

  async event(name: string, { timeoutMs = 60_000 } = {}): Promise<Record<string, unknown>> {
    const until = Date.now() + timeoutMs;
    for (;;) {
      const found = this.events.find(({ event }) => event === name);
      if (found) return found;
      if (Date.now() > until || this.#child.exitCode !== null)
        throw new Error(`no event ${name} in:\n${this.output}`);
      await sleep(20);
    }
  }

  async stop(): Promise<void> {
    this.#child.kill("SIGTERM");
    await this.ended;
  }
}

function walletAt(index: number, provider: JsonRpcProvider): HDNodeWallet {
  return HDNodeWallet.fromPhrase(MNEMONIC, "", `m/44'/60'/0'/0/${index}`).connect(provider);
}

async function deploy(provider: JsonRpcProvider): Promise<Deployment> {
  const admin = walletAt(0, provider);
  const block = await provider.getBlockNumber();
  const keys = await (await new KeyRegistry__factory(admin).deploy()).waitForDeployment();
  const factory = new ProviderRegistry__factory(admin);
  const registry = await (await factory.deploy(ZeroAddress, 45 * DAY, admin.address)).waitForDeployment();
  const models = await (await new ModelRegistry__factory(admin).deploy()).waitForDeployment();
  const signers = { getSigners: () => Promise.resolve([admin]) };
  const { market } = await deployTaskMarket(signers, { registry, models });
  await (await registry.authorizeMarket(await market.getAddress())).wait();
  const rewardsFactory = new ProviderRewards__factory(admin);
  const rewards = await (await rewardsFactory.deploy(market, DAY, 10n ** 18n, 10_000)).waitForDeployment();
  return {
    schema: "neura/deployment/1",
    chainId: 31337,
    block,
    contracts: {
      KeyRegistry: await keys.getAddress(),
      ProviderRegistry: await registry.getAddress(),
      ModelRegistry: await models.getAddress(),
      TaskMarket: await market.getAddress(),
      ProviderRewards: await rewards.getAddress(),
    },
    currency: { address: ZeroAddress, symbol: "ANKR", decimals: 18 },
  };
}
