import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { HDNodeWallet, JsonRpcProvider, Network, parseEther } from "ethers";

import { deployPair } from "../../../modules/bridge.ts";
import { type Bridge, openBridge } from "../../../src/bridge/context.ts";
import { type Side, SIDES, writeBridge } from "../../../src/bridge/deployment.ts";
import { type Supply, SupplyMonitor } from "../../../src/bridge/monitor.ts";
import { prepareTransfer, type SentTransfer, sendTransfer } from "../../../src/bridge/send.ts";
import { moduleUrl, spawnModule } from "../../../src/process.ts";
import { MockERC20__factory } from "../../../types/index.ts";
import { freePort, Processes, taskCommand } from "../../demo/processes.ts";
import type { ProcessSettings } from "./process.ts";

const MNEMONIC = "test test test test test test test test test test test junk";
const CHAINS = { home: 31338, far: 31339 } as const;
const DAY = 86_400;
const ANKR = 10n ** 18n;
const NAMES = ["attester 1", "attester 2", "attester 3", "relayer"] as const;
export type ProcessName = (typeof NAMES)[number];

/** Two chains, three attesters, all of which have to sign, and a relayer: each a process of its own. */
export class BridgeStage {
  readonly bridge: Bridge;
  readonly names = NAMES;
  readonly #monitor: SupplyMonitor;
  readonly #settings: ReadonlyMap<ProcessName, ProcessSettings>;
  readonly #running = new Map<ProcessName, ChildProcess>();
  readonly #said = new Map<ProcessName, string[]>();
  readonly #senders: Readonly<Record<Side, HDNodeWallet>>;
  readonly #close: (() => unknown)[];

  private constructor(parts: {
    bridge: Bridge;
    settings: ReadonlyMap<ProcessName, ProcessSettings>;
    senders: Readonly<Record<Side, HDNodeWallet>>;
    close: (() => unknown)[];
  }) {
    this.bridge = parts.bridge;
    this.#monitor = new SupplyMonitor(parts.bridge);
    this.#settings = parts.settings;
    this.#senders = parts.senders;
    this.#close = parts.close;
  }

  /** Starts the chains and deploys a pair; everything is kept in `directory`. */
  static async open(directory: string, signal: AbortSignal): Promise<BridgeStage> {
    const chains = new Processes();
    const close: (() => unknown)[] = [() => chains.stop()];
    try {
      const [home, far] = await Promise.all(SIDES.map((side) => startChain(chains, side, signal)));
      if (home === undefined || far === undefined) throw new Error("two chains were started");
      const urls = { home, far };
      const providers = { home: connect("home", home), far: connect("far", far) };
      close.push(() => SIDES.forEach((side) => providers[side].destroy()));
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
      const ports = await Promise.all(NAMES.map(() => freePort()));
      const urlsOf = ports.slice(0, 3).map((port) => `http://127.0.0.1:${port}`);
      const keys = [...attesters, walletAt(3, providers.home)].map(({ privateKey }) => privateKey);
      const settings = new Map(
        NAMES.map((name, index): [ProcessName, ProcessSettings] => [
          name,
          {
            ...{ role: name === "relayer" ? "relayer" : "attester", record, urls, attesters: urlsOf },
            ...{ directory: join(directory, name), port: ports[index] ?? 0, key: keys[index] ?? "" },
          },
        ]),
      );
      const senders = { home: walletAt(1, providers.home), far: walletAt(1, providers.far) };
      return new BridgeStage({ bridge: openBridge({ deployment, providers }), settings, senders, close });
    } catch (error) {
      for (const step of close.toReversed()) await step();
      throw error;
    }
  }

  start(name: ProcessName): void {
    const child = spawnModule(moduleUrl(import.meta.url, "./process"), {
      contractTypes: true,
      environment: { ...process.env, NEURA_BRIDGE_PROCESS: JSON.stringify(this.#settings.get(name)) },
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.#running.set(name, child);
    const said = this.#said.get(name) ?? [];
    this.#said.set(name, said);
    if (child.stderr !== null) createInterface({ input: child.stderr }).on("line", (line) => said.push(line));
  }

  /** Ends a process where it stands, and starts it again. */
  async kill(name: ProcessName): Promise<void> {
    const child = this.#running.get(name);
    if (child === undefined) throw new Error(`${name} does not run`);
    if (child.exitCode !== null) throw new Error(`${name} has ended by itself:\n${this.said(name)}`);
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
    this.start(name);
  }

  /** The last that a process said. */
  said(name: ProcessName): string {
    return (this.#said.get(name) ?? []).slice(-20).join("\n");
  }

  /** Sends from the user's account to itself on the other chain. */
  async send(from: Side, amountWei: bigint): Promise<SentTransfer> {
    const signer = this.#senders[from];
    const account = signer.address;
    const prepared = await prepareTransfer(this.bridge, { from, account, to: account, amountWei });
    return await sendTransfer(this.bridge, prepared, { signer });
  }

  async look(): Promise<Supply> {
    return await this.#monitor.look();
  }

  /** Waits until nothing is on its way; every look on the way there has to find I-15 kept. */
  async settled(timeoutMs: number): Promise<Supply> {
    const until = performance.now() + timeoutMs;
    for (;;) {
      const supply = await this.look();
      const { home, far } = supply.inFlightWei;
      if (supply.breaches.length > 0 || (home === 0n && far === 0n)) return supply;
      if (performance.now() > until) {
        const said = NAMES.map((name) => `--- ${name}\n${this.said(name)}`).join("\n");
        throw new Error(`${home} and ${far} wei are still on their way:\n${said}`);
      }
      await sleep(50);
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
    for (const child of this.#running.values()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
    }
    for (const step of this.#close.toReversed()) await step();
  }
}

async function startChain(chains: Processes, side: Side, signal: AbortSignal): Promise<string> {
  const port = String(await freePort());
  const id = String(CHAINS[side]);
  const words = ["node", "--hostname", "127.0.0.1", "--port", port, "--chain-id", id];
  return await chains.start(`${side} chain`, taskCommand(...words), {
    ready: (line) => (line.includes(`127.0.0.1:${port}`) ? `http://127.0.0.1:${port}` : undefined),
    signal,
  });
}

function connect(side: Side, url: string): JsonRpcProvider {
  const network = Network.from(CHAINS[side]);
  return new JsonRpcProvider(url, network, { staticNetwork: network, cacheTimeout: -1, pollingInterval: 20 });
}

function walletAt(index: number, provider: JsonRpcProvider): HDNodeWallet {
  return HDNodeWallet.fromPhrase(MNEMONIC, "", `m/44'/60'/0'/0/${index}`).connect(provider);
}
