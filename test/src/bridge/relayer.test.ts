import { expect } from "chai";
import { Contract } from "ethers";

import { collectAttestations } from "../../../src/bridge/attestations.ts";
import { deliverTransfer } from "../../../src/bridge/claim.ts";
import { openBridge, routeFrom } from "../../../src/bridge/context.ts";
import { findTransfer } from "../../../src/bridge/find.ts";
import { startServer } from "../../../src/bridge/server.ts";
import { transferStatus } from "../../../src/bridge/status.ts";
import { BridgeStore } from "../../../src/bridge/store.ts";
import { errorOf } from "../storage/support.ts";
import { ANKR, ATTESTERS, DAY, walletAt } from "./support.ts";
import { endpoint, FEE, World } from "./world.ts";

describe("a relayer and what it meets", function () {
  this.timeout(120_000);
  let world: World;
  beforeEach(async () => {
    world = await World.open();
  });
  afterEach(() => world.cleanup.run());

  /** The timelock above the far end's gateway names other attesters. */
  async function name(attesters: readonly string[], threshold: number): Promise<void> {
    const { far } = world.bridge;
    const timelock = new Contract(
      far.owner,
      [
        "function schedule(address,uint256,bytes,bytes32,bytes32,uint256)",
        "function execute(address,uint256,bytes,bytes32,bytes32)",
      ],
      await world.chains.signer("far", 7),
    );
    const sorted = attesters.toSorted((one, other) => (BigInt(one) < BigInt(other) ? -1 : 1));
    const data = far.gatewayContract.interface.encodeFunctionData("setQuorum", [sorted, threshold]);
    const none = `0x${"00".repeat(32)}`;
    const call = [far.gateway, 0, data, none, none] as const;
    await timelock.getFunction("schedule").send(...call, 2 * DAY);
    await world.passSeconds(2 * DAY + 1);
    await timelock.getFunction("execute").send(...call);
  }

  it("delivers with what the attesters of before have signed, while that is good", async () => {
    const { bridge, urls } = world;
    const { transfer } = await world.send("home", 10n * ANKR);
    const { transfer: late } = await world.send("home", 5n * ANKR);
    await world.attest();
    // None of the new ones runs yet.
    await name([walletAt(14).address, walletAt(15).address], 2);
    const { sent } = await findTransfer(bridge, transfer);
    const found = await collectAttestations(bridge.far, routeFrom(bridge, bridge.home), sent, { urls });
    expect(found).to.deep.include({ needed: 3, isEnough: true });
    expect(found.attestations.map(({ epoch }) => epoch)).to.deep.equal([1n, 1n, 1n]);
    const status = await transferStatus(bridge, transfer, { attesters: urls });
    expect(status).to.deep.include({ phase: "deliverable", attestations: { good: 3, needed: 3 } });
    const signer = await world.chains.signer("far", 5);
    const lateOne = await findTransfer(bridge, late);
    expect((await deliverTransfer(bridge, lateOne, { attesters: urls, signer })).paidWei).to.equal(
      5n * ANKR - FEE,
    );
    await (await world.relayer()).round();
    expect((await transferStatus(bridge, transfer)).phase).to.equal("paid");
    await world.expectSupply(15n * ANKR - 2n * FEE, { home: 0n, far: 0n });
    const again = deliverTransfer(bridge, lateOne, { attesters: [], signer });
    expect((await errorOf(again)).code).to.equal("bridge.already-delivered");
  });

  it("takes nothing that they have signed once that is over, or they are distrusted", async () => {
    const { bridge, urls } = world;
    const { transfer } = await world.send("home", 10n * ANKR);
    await world.attest();
    await name([walletAt(14).address, walletAt(15).address], 2);
    await world.passSeconds(DAY + 1);
    const relayer = await world.relayer();
    await relayer.round();
    expect(relayer.health[0]?.skipped).to.deep.equal({ "bridge.too-few-attestations": 1 });
    const found = await findTransfer(bridge, transfer);
    const signer = await world.chains.signer("far", 5);
    const tooFew = await errorOf(deliverTransfer(bridge, found, { attesters: urls, signer }));
    expect([tooFew.code, tooFew.message]).to.deep.equal([
      "bridge.too-few-attestations",
      "0 of 2 attestations are there.",
    ]);
    const guardian = await world.chains.signer("far", 8);
    await (await bridge.far.gatewayContract.connect(guardian).distrust()).wait();
    const distrusted = deliverTransfer(bridge, found, { attesters: urls, signer });
    expect((await errorOf(distrusted)).code).to.equal("bridge.distrusted");
  });

  it("asks attesters less and less often for what they have not signed, and never again for what they have", async () => {
    let asked = 0;
    const [signs] = world.attesters;
    const counting = await startServer({
      listen: { host: "127.0.0.1", port: 0 },
      ...{ health: () => ({ isWell: true, body: {} }), metrics: () => [] },
      attestations: (message) => {
        asked += 1;
        return signs?.attestationsOf(message) ?? [];
      },
    });
    world.cleanup.add(() => counting.close());
    const store = await BridgeStore.open(world.cleanup.directory());
    const attesters = [counting.url, ...world.urls.slice(1)];
    const relayer = await world.relayer({ attesters, store, pollMs: 60_000 });
    const { message } = await world.send("home", ANKR);
    for (let round = 0; round < 5; round++) await relayer.round();
    expect(asked, "not before a minute has passed").to.equal(1);
    expect(relayer.health[0]?.skipped).to.deep.equal({ "bridge.too-few-attestations": 1 });
    await world.attest();
    // Too dear to deliver for the first, and the second has what the first found.
    const poor = await world.relayer({ attesters, store, policy: { ...POOR } }, 4);
    await poor.round();
    await poor.round();
    expect(asked).to.equal(2);
    expect(store.attestationsOf(message)).to.have.length(3);
    await (await world.relayer({ attesters: ["http://127.0.0.1:1"], store }, 5)).round();
    expect(await world.bridge.far.gatewayContract.isDelivered(message)).to.equal(true);
  });

  it("goes on in one direction while a transaction of the other is not mined", async () => {
    const { bridge, chains } = world;
    // Something to come back.
    const there = await world.send("home", 20n * ANKR, { to: walletAt(1).address });
    await world.attest();
    const relayer = await world.relayer({ waitMs: 100 });
    await relayer.round();
    const stuck = await world.send("home", 10n * ANKR);
    const back = await world.send("far", 5n * ANKR);
    await world.attest();
    await chains.request("far", "evm_setAutomine", [false]);
    const stop = new AbortController();
    const running = relayer.run({ pollMs: 5, signal: stop.signal });
    while (!(await bridge.home.gatewayContract.isDelivered(back.message))) await nextTurn();
    expect(await bridge.far.gatewayContract.isDelivered(stuck.message)).to.equal(false);
    while (relayer.health[0]?.skipped["bridge.on-its-way"] === undefined) await nextTurn();
    expect(relayer.health[0].isDown).to.equal(false);
    await chains.request("far", "evm_mine");
    await chains.request("far", "evm_setAutomine", [true]);
    while (world.events.filter(({ event }) => event === "delivered").length < 3) await nextTurn();
    stop.abort();
    await running;
    for (const { transfer } of [there, stuck, back])
      expect((await transferStatus(bridge, transfer)).phase).to.equal("paid");
    const paid = await bridge.far.contract.queryFilter(bridge.far.contract.filters.Paid());
    expect(paid).to.have.length(2);
  });

  it("ends when it is told to, even where a node never answers", async () => {
    const { pair, bridge } = world;
    const silent = endpoint(bridge.home.provider, { getBlock: () => new Promise(() => undefined) });
    const providers = { home: silent, far: bridge.far.provider };
    const deaf = openBridge({ deployment: pair.deployment, providers });
    const relayer = await world.relayer({ bridge: deaf });
    const [signer] = ATTESTERS;
    if (signer === undefined) throw new Error("there are attesters");
    const attester = await world.addAttester({ bridge: deaf, witnesses: providers, signer });
    for (const each of [relayer, attester]) {
      const stop = new AbortController();
      const running = each.run({ pollMs: 1, signal: stop.signal });
      await nextTurn();
      stop.abort();
      await running;
    }
  });
});

const POOR = { maxGasPriceWei: 10n ** 12n, maxCostWei: 1n, minAmountWei: 0n };

async function nextTurn(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 5));
}
