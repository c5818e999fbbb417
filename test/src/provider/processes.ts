import type { ChildProcess } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { HDNodeWallet, hexlify, JsonRpcProvider, Network, ZeroAddress } from "ethers";

import { Processes } from "../../../scripts/demo/processes.ts";
import { startChain } from "../../../scripts/demo/stage.ts";
import { type Deployment, writeDeployment } from "../../../src/deployment.ts";
import { generateKeyPair } from "../../../src/envelope/index.ts";
import { loadArweaveKey } from "../../../src/keys/arweave.ts";
import { publishKey } from "../../../src/keys/publish.ts";
import { saveKey } from "../../../src/keystore.ts";
import { MarketClient } from "../../../src/market/client.ts";
import { moduleUrl, spawnModule } from "../../../src/process.ts";
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

  /** Registers the account with this number as a provider. */
  async register(index: number): Promise<HDNodeWallet> {
    const wallet = walletAt(index, this.provider);
    const place = { deployment: this.deployment, signer: wallet };
    const offer = { shape: MACHINE, rateWei: RATE_WEI, slots: 1, metadata: "" };
    await registerProvider(place, { operator: wallet.address, payout: wallet.address, offer });
    const key = generateKeyPair();
    await saveKey(this.home, wallet.address, key);
    await publishKey(this.deployment, { ...place, key });
    return wallet;
  }

  /** Submits a task; one after the other, since they all come from one owner. */
  async submit(provider: string, change: Record<string, unknown> = {}): Promise<string> {
    const leave = await this.#owner.acquire(0, new AbortController().signal);
    try {
      return await this.#submit(provider, change);
    } finally {
      leave();
    }
  }

  async #submit(provider: string, change: Record<string, unknown>): Promise<string> {
    const path = await fileIn(this.#cleanup.directory(), "note.txt", "hand this back");
    const task = { source: { files: [path] }, application: "noop", durationSeconds: 60, provider, ...change };
    return (await this.client.submit(task)).id;
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
    const { TaskMarket: market } = this.deployment.contracts;
    const contract = ITaskMarket__factory.connect(market, this.provider);
    return (await contract.queryFilter(contract.filters.TaskDelivered(taskId))).length;
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
