import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { HDNodeWallet, JsonRpcProvider, Network, parseEther } from "ethers";

import { deployPair } from "../../../modules/bridge.ts";
import { type Bridge, openBridge } from "../../../src/bridge/context.ts";
import { type Side, SIDES, writeBridge } from "../../../src/bridge/deployment.ts";
import { type BridgeSupply, SupplyMonitor } from "../../../src/bridge/monitor.ts";
import { prepareTransfer, type SentTransfer, sendTransfer } from "../../../src/bridge/send.ts";
import { moduleUrl, spawnModule } from "../../../src/process.ts";
import { MockERC20__factory } from "../../../types/index.ts";
import { freePort } from "../../demo/processes.ts";
import type { ChainSettings } from "./chain-process.ts";
import type { ProcessSettings } from "./process.ts";

const MNEMONIC = "test test test test test test test test test test test junk";
const CHAINS = { home: 31338, far: 31339 } as const;
const DAY = 86_400;
const ANKR = 10n ** 18n;
const CHAIN_NAMES = { home: "home chain", far: "far chain" } as const;
const SERVICES = ["attester 1", "attester 2", "attester 3", "relayer"] as const;
const NAMES = [CHAIN_NAMES.home, CHAIN_NAMES.far, ...SERVICES] as const;
export type ProcessName = (typeof NAMES)[number];

/** What a process says that finds a chain down while it starts: whoever runs it starts it again. */
const CHAIN_DOWN = /chain\.unavailable|ECONN|EPIPE|socket hang up/;

interface Running {
  readonly child: ChildProcess;
  readonly ready: Promise<void>;
}

/** Two chains, three attesters, all of which have to sign, and a relayer: each a process of its own. */
export class BridgeStage {
  readonly names = NAMES;
  /** How often a process that found a chain down while it started was started again. */
  restarts = 0;
  readonly #signal: AbortSignal;
  readonly #settings = new Map<ProcessName, ProcessSettings | ChainSettings>();
  readonly #running = new Map<ProcessName, Running>();
  readonly #said = new Map<ProcessName, string[]>();
  readonly #providers: Record<Side, JsonRpcProvider>;
  #bridge: Bridge | undefined;
  #monitor: SupplyMonitor | undefined;

  private constructor(urls: Readonly<Record<Side, string>>, signal: AbortSignal) {
    this.#signal = signal;
    this.#providers = { home: connect("home", urls.home), far: connect("far", urls.far) };
  }

  /** Starts the chains and deploys a pair; everything is kept in `directory`. The signal ends the waiting for a chain. */
  static async open(directory: string, signal: AbortSignal): Promise<BridgeStage> {
    const ports = { home: await freePort(), far: await freePort() };
    const urls = { home: `http://127.0.0.1:${ports.home}`, far: `http://127.0.0.1:${ports.far}` };
    const stage = new BridgeStage(urls, signal);
    try {
      for (const side of SIDES) {
        const journal = join(directory, `${side}.journal`);
        stage.#settings.set(CHAIN_NAMES[side], { journal, chainId: CHAINS[side], port: ports[side] });
        stage.start(CHAIN_NAMES[side]);
      }
      for (const side of SIDES) await stage.#ready(CHAIN_NAMES[side]);
      await stage.#deploy(directory, urls);
      return stage;
    } catch (error) {
      await stage.close();
      throw error;
    }
  }

  get bridge(): Bridge {
    if (this.#bridge === undefined) throw new Error("the pair is not deployed yet");
    return this.#bridge;
  }

  async #deploy(directory: string, urls: Readonly<Record<Side, string>>): Promise<void> {
    const providers = this.#providers;
    const deployer = { home: walletAt(0, providers.home), far: walletAt(0, providers.far) };
    const attesters = [11, 12, 13].map((index) => walletAt(index, providers.home));
    const token = await (await new MockERC20__factory(deployer.home).deploy()).waitForDeployment();
    await (await token.mint(walletAt(1, providers.home).address, parseEther("1000000"))).wait();
    const most = 10n ** 24n;
    const deployment = await deployPair(deployer, {
      token: { address: await token.getAddress(), symbol: "ANKR", decimals: 18 },
      ...{ kind: "native", markets: {}, threshold: 3 },
      attesters: attesters
        .map(({ address }) => address)
        .toSorted((one, other) => (BigInt(one) < BigInt(other) ? -1 : 1)),
      ...{ guardian: deployer.home.address, admin: deployer.home.address, delaySeconds: DAY },
      settings: {
        ...{ minimum: 1n, fee: ANKR / 100n, feeReceiver: deployer.home.address },
        ...{ threshold: most, waitSeconds: DAY },
        ...{ sendCapacity: most, sendPeriod: DAY, payCapacity: most, payPeriod: DAY },
      },
    });
    await (
      await deployer.far.sendTransaction({ to: deployment.far.bridge, value: parseEther("5000") })
    ).wait();
    const record = join(directory, "bridge.json");
    await writeBridge(record, deployment);
    const ports = await Promise.all(SERVICES.map(() => freePort()));
    const urlsOf = ports.slice(0, 3).map((port) => `http://127.0.0.1:${port}`);
    const keys = [...attesters, walletAt(3, providers.home)].map(({ privateKey }) => privateKey);
    for (const [index, name] of SERVICES.entries()) {
      this.#settings.set(name, {
        ...{ role: name === "relayer" ? "relayer" : "attester", record, urls, attesters: urlsOf },
        ...{ directory: join(directory, name), port: ports[index] ?? 0, key: keys[index] ?? "" },
      });
    }
    this.#bridge = openBridge({ deployment, providers });
    this.#monitor = new SupplyMonitor(this.#bridge);
  }

  /** Starts what serves the bridge; the chains run already. */
  startServices(): void {
    for (const name of SERVICES) this.start(name);
  }

  start(name: ProcessName): void {
    const module = isChain(name) ? "./chain-process" : "./process";
    const child = spawnModule(moduleUrl(import.meta.url, module), {
      contractTypes: !isChain(name),
      environment: { ...process.env, NEURA_BRIDGE_PROCESS: JSON.stringify(this.#settings.get(name)) },
      stdio: ["ignore", "ignore", "pipe"],
    });
    const said = this.#said.get(name) ?? [];
    this.#said.set(name, said);
    if (child.stderr === null) throw new Error("what it says can be read");
    const lines = createInterface({ input: child.stderr });
    const ready = new Promise<void>((resolve) => {
      lines.on("line", (line) => {
        said.push(line);
        if (line.includes('"event":"ready"')) resolve();
      });
    });
    this.#running.set(name, { child, ready });
  }

  /** Ends a process where it stands, and starts it again; a chain has every block that anybody has seen of it. */
  async kill(name: ProcessName): Promise<void> {
    const running = this.#running.get(name);
    if (running === undefined) throw new Error(`${name} does not run`);
    const side = SIDES.find((each) => CHAIN_NAMES[each] === name);
    const seen = side && (await this.#providers[side].getBlock("latest"));
    const { child } = running;
    if (child.exitCode === null) {
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
    } else {
      this.#checkEnd(name);
    }
    this.start(name);
    if (side === undefined || !seen) return;
    await this.#ready(name);
    const again = await this.#providers[side].getBlock(seen.number);
    if (again?.hash !== seen.hash)
      throw new Error(`the ${name} had ${seen.number} ${seen.hash}, and has ${again?.hash ?? "nothing"}`);
  }

  /** Starts again what a chain that was down has ended. */
  supervise(): void {
    for (const name of SERVICES) {
      if (this.#running.get(name)?.child.exitCode == null) continue;
      this.#checkEnd(name);
      this.start(name);
    }
  }

  #checkEnd(name: ProcessName): void {
    if (!CHAIN_DOWN.test(this.said(name)))
      throw new Error(`${name} has ended by itself:\n${this.said(name)}`);
    this.restarts += 1;
  }

  async #ready(name: ProcessName): Promise<void> {
    const running = this.#running.get(name);
    if (running === undefined) throw new Error(`${name} does not run`);
    const { child, ready } = running;
    const ended = once(child, "exit", { signal: this.#signal }).then(() => {
      throw new Error(`${name} has ended by itself:\n${this.said(name)}`);
    });
    await Promise.race([ready, ended]);
    ended.catch(() => undefined);
  }

  /** The last that a process said. */
  said(name: ProcessName): string {
    return (this.#said.get(name) ?? []).slice(-20).join("\n");
  }

  /** Sends from the user's account to itself on the other chain. */
  async send(from: Side, amountWei: bigint): Promise<SentTransfer> {
    const signer = walletAt(1, this.#providers[from]);
    const account = signer.address;
    const prepared = await prepareTransfer(this.bridge, { from, account, to: account, amountWei });
    return await sendTransfer(this.bridge, prepared, { signer });
  }

  async look(): Promise<BridgeSupply> {
    if (this.#monitor === undefined) throw new Error("the pair is not deployed yet");
    return await this.#monitor.look();
  }

  /** Waits until nothing is on its way; every look on the way there has to find I-15 kept. */
  async settled(timeoutMs: number): Promise<BridgeSupply> {
    const until = performance.now() + timeoutMs;
    for (;;) {
      this.supervise();
      const supply = await this.look();
      const { home, far } = supply.inFlightWei;
      if (supply.breaches.length > 0 || (home === 0n && far === 0n)) return supply;
      if (performance.now() > until) {
        const said = NAMES.map((name) => `--- ${name}\n${this.said(name)}`).join("\n");
        throw new Error(`${home} and ${far} wei are still on their way:\n${said}`);
      }
      await sleep(200);
    }
  }

  /** How often each of the transfers was paid where it went, and with how much [wei]. */
  async paymentsOf(from: Side, sent: readonly SentTransfer[]): Promise<{ times: number; wei: bigint }[]> {
    const { contract } = this.bridge[from === "home" ? "far" : "home"];
    const paid = await contract.queryFilter(contract.filters.Paid());
    return sent.map(({ transfer }) => {
      const own = paid.filter(({ args }) => args.transfer === transfer);
      return { times: own.length, wei: own.reduce((sum, { args }) => sum + args.amount, 0n) };
    });
  }

  async close(): Promise<void> {
    for (const side of SIDES) this.#providers[side].destroy();
    for (const { child } of this.#running.values()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
    }
  }
}

function isChain(name: ProcessName): boolean {
  return SIDES.some((side) => CHAIN_NAMES[side] === name);
}

function connect(side: Side, url: string): JsonRpcProvider {
  const network = Network.from(CHAINS[side]);
  return new JsonRpcProvider(url, network, { staticNetwork: network, cacheTimeout: -1, pollingInterval: 20 });
}

function walletAt(index: number, provider: JsonRpcProvider): HDNodeWallet {
  return HDNodeWallet.fromPhrase(MNEMONIC, "", `m/44'/60'/0'/0/${index}`).connect(provider);
}
