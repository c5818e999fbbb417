import { expect } from "chai";
import { type Block, Contract } from "ethers";

import { collectAttestations } from "../../../src/bridge/attestations.ts";
import type { AttestationSigner } from "../../../src/bridge/attester.ts";
import { findTransfer } from "../../../src/bridge/find.ts";
import { routeFrom } from "../../../src/bridge/context.ts";
import { rounds } from "../../../src/bridge/attempts.ts";
import { metricsText } from "../../../src/bridge/metrics.ts";
import { startServer } from "../../../src/bridge/server.ts";
import { BridgeStore } from "../../../src/bridge/store.ts";
import { messageId } from "../../../src/bridge/message.ts";
import { errorOf } from "../storage/support.ts";
import { ANKR, ATTESTERS, DAY, walletAt } from "./support.ts";
import { endpoint, FEE, POLICY, World } from "./world.ts";

describe("attesters and relayers", function () {
  this.timeout(120_000);
  let world: World;
  const open = async (options: Parameters<typeof World.open>[0] = {}): Promise<World> => {
    world = await World.open(options);
    return world;
  };
  afterEach(() => world.cleanup.run());

  const attestationsOf = async (transaction: string) => {
    const { bridge, urls } = world;
    const { sent } = await findTransfer(bridge, transaction);
    return await collectAttestations(bridge.far, routeFrom(bridge, bridge.home), sent, { urls });
  };

  it("A38_sign nothing that their two endpoints do not say alike", async () => {
    const { bridge } = await open();
    const { home, far } = bridge;
    const hiding = endpoint(home.provider, { getLogs: () => Promise.resolve([]) });
    const signer = walletAt(12);
    const attester = await world.addAttester({ signer, witnesses: { home: hiding, far: far.provider } });
    const { message } = await world.send("home", ANKR);
    await attester.round();
    expect(attester.attestationsOf(message)).to.deep.equal([]);
    const [health] = attester.health;
    expect(health?.trouble).to.contain("bridge.endpoints-disagree");
    expect(health?.behindBlocks).to.be.greaterThan(0);
  });

  it("A38_stop where a final block is replaced", async () => {
    const { bridge } = await open();
    const { home, far } = bridge;
    let isOther = false;
    const changing = endpoint(home.provider, {
      getBlock: async (tag) => {
        const block = await home.provider.getBlock(tag);
        if (!isOther || block === null) return block;
        return new Proxy(block, {
          get: (target: Block, name) =>
            name === "hash" ? `0x${"66".repeat(32)}` : (Reflect.get(target, name) as unknown),
        });
      },
    });
    const attester = await world.addAttester({
      signer: walletAt(12),
      witnesses: { home: changing, far: far.provider },
    });
    await attester.round();
    expect(attester.health[0]?.trouble).to.equal(undefined);
    isOther = true;
    const { message } = await world.send("home", ANKR);
    await attester.round();
    expect(attester.health[0]?.trouble).to.contain("bridge.reorganised");
    expect(attester.attestationsOf(message)).to.deep.equal([]);
  });

  it("take one message for a number, ever", async () => {
    const { bridge } = await open();
    const route = routeFrom(bridge, bridge.home);
    const directory = world.cleanup.directory();
    const store = await BridgeStore.open(directory);
    const sent = (payload: string) => {
      const message = {
        ...route,
        nonce: 1n,
        sender: bridge.home.bridge,
        recipient: bridge.far.bridge,
        payload,
      };
      const block = { number: 5, hash: `0x${"55".repeat(32)}` };
      return { id: messageId(message), message, block, transactionHash: `0x${"77".repeat(32)}` };
    };
    const readTo = { number: 6, hash: `0x${"66".repeat(32)}` };
    store.add(route, { messages: [sent("0x01")], readTo });
    store.add(route, { messages: [sent("0x01")], readTo });
    expect(() => store.add(route, { messages: [sent("0x02")], readTo: { ...readTo, number: 7 } })).to.throw(
      "replaced",
    );
    store.close();
    const again = await BridgeStore.open(directory);
    expect(again.messages(route, "sent")).to.deep.equal([sent("0x01")]);
    expect(again.cursor(route)).to.deep.equal(readTo);
    again.close();
  });

  it("sign again for a new set, and what a distrusted one signed is of no use", async () => {
    const { bridge, pair } = await open({ change: { threshold: 3 } });
    const { message, transfer } = await world.send("home", 10n * ANKR);
    await world.attest();
    expect((await attestationsOf(transfer)).attestations).to.have.length(3);
    const guardian = await world.chains.signer("far", 8);
    await (await bridge.far.gatewayContract.connect(guardian).distrust()).wait();
    const relayer = await world.relayer();
    await relayer.round();
    expect(await bridge.far.gatewayContract.isDelivered(message)).to.equal(false);
    expect(relayer.health[0]?.skipped).to.deep.equal({ "bridge.too-few-attestations": 1 });

    // The timelock names a new set, of which one is new.
    const fresh = walletAt(14);
    await world.addAttester({ signer: fresh });
    const named = [...ATTESTERS.slice(0, 2).map(({ address }) => address), fresh.address].toSorted(
      (one, other) => (BigInt(one) < BigInt(other) ? -1 : 1),
    );
    const timelock = new Contract(
      pair.deployment.far.owner,
      [
        "function schedule(address,uint256,bytes,bytes32,bytes32,uint256)",
        "function execute(address,uint256,bytes,bytes32,bytes32)",
      ],
      await world.chains.signer("far", 7),
    );
    const data = bridge.far.gatewayContract.interface.encodeFunctionData("setQuorum", [named, 3]);
    const none = `0x${"00".repeat(32)}`;
    const call = [bridge.far.gateway, 0, data, none, none] as const;
    await timelock.getFunction("schedule").send(...call, 2 * DAY);
    await world.passSeconds(2 * DAY + 1);
    await timelock.getFunction("execute").send(...call);
    await world.attest();
    const { attestations, quorum } = await attestationsOf(transfer);
    expect([attestations.length, quorum.epoch]).to.deep.equal([3, 2n]);
    await (await world.relayer({}, 4)).round();
    expect(await bridge.far.gatewayContract.isDelivered(message)).to.equal(true);
  });

  it("may have their key elsewhere, and are not believed by anybody", async () => {
    const { bridge } = await open();
    const key = walletAt(12);
    const remote: AttestationSigner = {
      getAddress: () => Promise.resolve(key.address),
      signTypedData: (...given) => key.signTypedData(...given),
    };
    const attester = await world.addAttester({ signer: remote });
    const impostor: AttestationSigner = {
      ...remote,
      signTypedData: (...given) => walletAt(5).signTypedData(...given),
    };
    const other = await world.addAttester({ signer: impostor });
    const { message, transfer } = await world.send("home", ANKR);
    await attester.round();
    await other.round();
    expect(attester.attestationsOf(message)).to.have.length(1);
    expect(other.attestationsOf(message)).to.have.length(0);
    expect(other.health[0]?.trouble).to.equal("bridge.wrong-signature");
    // One attester, under two URLs and with rubbish beside it: one voice.
    const rubbish = await startServer({
      listen: { host: "127.0.0.1", port: 0 },
      health: () => ({ isWell: true, body: {} }),
      metrics: () => [],
      attestations: () => [
        { epoch: 1n, signer: walletAt(11).address, signature: `0x${"11".repeat(65)}` },
        ...attester.attestationsOf(message).map((each) => ({ ...each, epoch: 2n })),
      ],
    });
    world.cleanup.add(() => rubbish.close());
    const urls = [...world.urls, ...world.urls, rubbish.url];
    const route = routeFrom(bridge, bridge.home);
    const { sent } = await findTransfer(bridge, transfer);
    const found = await collectAttestations(bridge.far, route, sent, { urls });
    expect(found.attestations.map(({ signer }) => signer)).to.deep.equal([key.address]);
  });

  it("put aside what both endpoints say has arrived, behind whatever number never will", async () => {
    const { bridge, chains } = await open();
    const { home, far } = bridge;
    const route = routeFrom(bridge, home);
    // Nobody's bridge, and nobody who could receive.
    const recipient = `0x0001000002${far.chainId.toString(16).padStart(4, "0")}14${"ab".repeat(20)}`;
    const gateway = home.gatewayContract.connect(chains.deployer.home);
    for (let index = 0; index < 3; index++) await gateway.sendMessage(recipient, "0x", []);
    await world.send("home", ANKR);
    const witness = endpoint(far.provider, { call: () => Promise.resolve(`0x${"00".repeat(32)}`) });
    const store = await BridgeStore.open(world.cleanup.directory());
    const doubting = await BridgeStore.open(world.cleanup.directory());
    const [signer] = ATTESTERS;
    if (signer === undefined) throw new Error("there are attesters");
    const attester = await world.addAttester({ signer, store, atOnce: 3 });
    const other = await world.addAttester({
      ...{ signer, store: doubting, atOnce: 3 },
      witnesses: { home: home.provider, far: witness },
    });
    await world.attest();
    await (await world.relayer()).round();
    for (let round = 0; round < 2; round++) {
      await attester.round();
      await other.round();
    }
    expect([store.count(route, "sent"), store.count(route, "done")]).to.deep.equal([3, 1]);
    expect([doubting.count(route, "sent"), doubting.count(route, "done")]).to.deep.equal([4, 0]);
  });

  it("count an endpoint that stands still as down", async () => {
    const { bridge } = await open();
    const { home, far } = bridge;
    const attester = await world.addAttester({
      ...{ signer: walletAt(12), stallMs: 1 },
      witnesses: { home: home.provider, far: far.provider },
    });
    await attester.round();
    await world.mine("home");
    const until = performance.now() + 20;
    while (performance.now() < until) await attester.round();
    expect(attester.health.every(({ isDown }) => isDown)).to.equal(true);
    const down = endpoint(home.provider, { getBlock: () => Promise.reject(new Error("econnrefused")) });
    const other = await world.addAttester({
      signer: walletAt(12),
      witnesses: { home: down, far: far.provider },
    });
    await other.round();
    expect(other.health.map(({ isDown, trouble }) => [isDown, trouble?.split(":")[0]])).to.deep.equal([
      [true, "chain.unavailable"],
      [false, undefined],
    ]);
  });

  it("relay what is worth it, say why not, and leave alone what another has done", async () => {
    const { bridge } = await open();
    const { message } = await world.send("home", 10n * ANKR);
    await world.attest();
    const dear = await world.relayer({ policy: { ...POLICY, maxGasPriceWei: 1n } }, 3);
    const poor = await world.relayer({ policy: { ...POLICY, maxCostWei: 1n } }, 4);
    const choosy = await world.relayer({ policy: { ...POLICY, minAmountWei: 11n * ANKR } }, 5);
    const codes: string[] = [];
    for (const each of [dear, poor, choosy]) {
      await each.round();
      codes.push(...Object.keys(each.health[0]?.skipped ?? {}));
    }
    expect(codes).to.deep.equal(["bridge.gas-price", "sender.too-expensive", "bridge.too-small"]);
    const two = [await world.relayer({}, 6), await world.relayer({}, 7)];
    await Promise.all(two.map((each) => each.round()));
    await Promise.all(two.map((each) => each.round()));
    expect(await bridge.far.gatewayContract.isDelivered(message)).to.equal(true);
    const { far } = bridge;
    const paid = await far.contract.queryFilter(far.contract.filters.Paid());
    expect(paid.map(({ args }) => args.amount)).to.deep.equal([10n * ANKR - FEE]);
    expect(two.map(({ health }) => health[0]?.open)).to.deep.equal([0, 0]);
  });

  it("serve what they have signed, their health and their numbers", async () => {
    await open();
    const server = await startServer({
      listen: { host: "127.0.0.1", port: 0 },
      health: () => ({ isWell: false, body: { routes: [1n] } }),
      metrics: () => [{ name: "neura_bridge_up", help: "Up.", value: 0, labels: { chain: 1 } }],
    });
    world.cleanup.add(() => server.close());
    const get = async (path: string, init = {}): Promise<[number, string]> => {
      const response = await fetch(`${server.url}${path}`, init);
      return [response.status, await response.text()];
    };
    expect(await get("/health")).to.deep.equal([503, '{"isWell":false,"routes":["1"]}']);
    const text = '# HELP neura_bridge_up Up.\n# TYPE neura_bridge_up gauge\nneura_bridge_up{chain="1"} 0\n';
    expect(await get("/metrics")).to.deep.equal([200, text]);
    expect((await get("/attestations?message=0x"))[0]).to.equal(404);
    expect((await get("/health", { method: "POST" }))[0]).to.equal(405);
    // No path at all, to the parser of URLs.
    expect((await get("//"))[0]).to.equal(404);
    expect((await fetch(`${world.urls[0] ?? ""}/attestations?message=0x12`)).status).to.equal(400);
    expect(metricsText([])).to.equal("\n");
    const busy = startServer({
      ...{ health: () => ({ isWell: true, body: {} }), metrics: () => [] },
      listen: { host: "127.0.0.1", port: Number(new URL(server.url).port) },
    });
    expect((await errorOf(busy)).code).to.equal("bridge.cannot-listen");
    const stop = new AbortController();
    let count = 0;
    await rounds({ pollMs: 0, signal: stop.signal }, () => {
      if (++count === 3) stop.abort();
      return Promise.resolve();
    });
    expect(count).to.equal(3);
  });
});
