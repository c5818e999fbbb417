import { expect } from "chai";
import { type Provider, Wallet } from "ethers";

import { Attester, type AttesterOptions } from "../../../src/bridge/attester.ts";
import type { Bridge } from "../../../src/bridge/context.ts";
import { type Side, SIDES } from "../../../src/bridge/deployment.ts";
import { SupplyMonitor } from "../../../src/bridge/monitor.ts";
import { Relayer, type RelayerOptions, type RelayPolicy } from "../../../src/bridge/relayer.ts";
import { prepareTransfer, type SentTransfer, sendTransfer } from "../../../src/bridge/send.ts";
import { startServer } from "../../../src/bridge/server.ts";
import { BridgeStore } from "../../../src/bridge/store.ts";
import type { HttpServer } from "../../../src/http-server.ts";
import type { Target } from "../../../src/bridge/message.ts";
import type { NodeEvent } from "../../../src/provider/log.ts";
import { Cleanup } from "../storage/support.ts";
import { ANKR, ATTESTERS, type Chains, deployBridge, openChains, type Pair, walletAt } from "./support.ts";

export const POLICY: RelayPolicy = {
  ...{ maxGasPriceWei: 10n ** 12n, maxCostWei: 10n ** 18n, minAmountWei: 0n },
};

/** Two chains in this process, a pair, three attesters with their servers, and relayers as they are asked for. */
export class World {
  readonly chains: Chains;
  readonly pair: Pair;
  readonly cleanup: Cleanup;
  readonly attesters: Attester[] = [];
  readonly servers: HttpServer[] = [];
  readonly events: NodeEvent[] = [];
  readonly monitor: SupplyMonitor;

  private constructor(chains: World["chains"], pair: Pair, cleanup: Cleanup) {
    this.chains = chains;
    this.pair = pair;
    this.cleanup = cleanup;
    this.monitor = new SupplyMonitor(pair.bridge);
  }

  static async open(
    options: Parameters<typeof deployBridge>[1] = {},
    opening: Chains | Promise<Chains> = openChains(),
  ): Promise<World> {
    const cleanup = new Cleanup();
    const chains = await opening;
    cleanup.add(() => chains.close());
    const world = new World(chains, await deployBridge(chains.deployer, options), cleanup);
    for (const signer of ATTESTERS) await world.addAttester({ signer });
    return world;
  }

  get bridge(): Bridge {
    return this.pair.bridge;
  }

  get urls(): string[] {
    return this.servers.map(({ url }) => url);
  }

  async addAttester(change: Partial<AttesterOptions> & Pick<AttesterOptions, "signer">): Promise<Attester> {
    const store = await BridgeStore.open(this.cleanup.directory());
    const { home, far } = this.bridge;
    const attester = await Attester.open({
      ...{ bridge: this.bridge, store, witnesses: { home: home.provider, far: far.provider }, stallMs: 0 },
      onEvent: (event) => void this.events.push(event),
      ...change,
    });
    const server = await startServer({
      listen: { host: "127.0.0.1", port: 0 },
      health: () => ({ isWell: true, body: {} }),
      metrics: () => [],
      attestations: (message) => attester.attestationsOf(message),
    });
    this.cleanup.add(() => server.close());
    this.attesters.push(attester);
    this.servers.push(server);
    return attester;
  }

  async relayer(change: Partial<RelayerOptions> = {}, account = 3): Promise<Relayer> {
    const directory = this.cleanup.directory();
    const store = change.store ?? (await BridgeStore.open(directory));
    const wallet = new Wallet(walletAt(account).privateKey);
    const relayer = await Relayer.open({
      ...{ bridge: this.bridge, signers: { home: wallet, far: wallet }, attesters: this.urls },
      ...{ store, directory, policy: POLICY, stallMs: 0, pollMs: 5 },
      onEvent: (event) => void this.events.push(event),
      ...change,
    });
    this.cleanup.add(() => relayer.close());
    return relayer;
  }

  async attest(): Promise<void> {
    for (const attester of this.attesters) await attester.round();
  }

  /** Sends from the user's account, the one with number 1. */
  async send(
    from: Side,
    amountWei: bigint,
    {
      to = walletAt(2).address,
      target = "account",
      acceptCredit = false,
    }: { to?: string; target?: Target; acceptCredit?: boolean } = {},
  ): Promise<SentTransfer> {
    const signer = await this.chains.signer(from, 1);
    const account = await signer.getAddress();
    const request = { from, account, to, amountWei, target };
    const prepared = await prepareTransfer(this.bridge, request, { acceptCredit });
    return await sendTransfer(this.bridge, prepared, { signer });
  }

  /** I-15 holds, and so much is locked and on its way there and back. */
  async expectSupply(lockedWei: bigint, inFlightWei: Record<Side, bigint>): Promise<void> {
    const supply = await this.monitor.look();
    expect(supply.breaches).to.deep.equal([]);
    expect(supply.inFlightWei).to.deep.equal(inFlightWei);
    expect(supply.lockedWei).to.equal(lockedWei);
    expect(supply.circulatingWei).to.equal(lockedWei - inFlightWei.home - inFlightWei.far);
  }

  async passSeconds(seconds: number): Promise<void> {
    for (const side of SIDES) {
      await this.chains.request(side, "evm_increaseTime", [seconds]);
      await this.mine(side);
    }
  }

  async mine(side: Side, blocks = 1): Promise<void> {
    await this.chains.request(side, "hardhat_mine", [`0x${blocks.toString(16)}`]);
  }
}

export const FEE = ANKR / 100n;

/** A chain's endpoint of which some answers are others. */
export function endpoint(provider: Provider, change: Partial<Provider>): Provider {
  return new Proxy(provider, {
    get: (target, name) => {
      const other: unknown = Reflect.get(change, name);
      if (other !== undefined) return other;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
}
