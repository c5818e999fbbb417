import { expect } from "chai";
import { Wallet, ZeroAddress } from "ethers";

import { claimCredit, deliverTransfer, releaseTransfer } from "../../../src/bridge/claim.ts";
import { openBridge } from "../../../src/bridge/context.ts";
import { findTransfer } from "../../../src/bridge/find.ts";
import { attestationOf, encodeTransfer, messageId } from "../../../src/bridge/message.ts";
import { SupplyMonitor } from "../../../src/bridge/monitor.ts";
import { prepareTransfer, sendTransfer } from "../../../src/bridge/send.ts";
import { transferStatus } from "../../../src/bridge/status.ts";
import { errorOf } from "../storage/support.ts";
import type { ITaskMarket } from "../../../types/interfaces/ITaskMarket.ts";
import { ANKR, ATTESTERS, DAY, deployMarket, openChains, settingsOf, walletAt } from "./support.ts";
import { FEE, World } from "./world.ts";

const RECIPIENT = walletAt(2).address;

describe("transfers over the bridge", function () {
  this.timeout(120_000);
  let world: World;
  const open = async (options: Parameters<typeof World.open>[0] = {}): Promise<World> => {
    world = await World.open(options);
    return world;
  };
  afterEach(() => world.cleanup.run());

  it("go there and back, and I-15 holds after each step", async () => {
    const { bridge } = await open();
    await world.expectSupply(0n, { home: 0n, far: 0n });
    const sent = await world.send("home", 50n * ANKR);
    const arrivesWei = 50n * ANKR - FEE;
    expect(sent.arrivesWei).to.equal(arrivesWei);
    await world.expectSupply(arrivesWei, { home: arrivesWei, far: 0n });
    await world.attest();
    const relayer = await world.relayer();
    const before = await bridge.far.provider.getBalance(RECIPIENT);
    await relayer.round();
    expect((await bridge.far.provider.getBalance(RECIPIENT)) - before).to.equal(arrivesWei);
    await world.expectSupply(arrivesWei, { home: 0n, far: 0n });

    const back = await world.send("far", 20n * ANKR);
    await world.expectSupply(arrivesWei, { home: 0n, far: 20n * ANKR - FEE });
    await world.attest();
    await relayer.round();
    expect(await world.pair.token.balanceOf(RECIPIENT)).to.equal(20n * ANKR - FEE);
    await world.expectSupply(arrivesWei - (20n * ANKR - FEE), { home: 0n, far: 0n });
    for (const { transfer, transaction } of [sent, back]) {
      for (const reference of [transfer, transaction.hash])
        expect((await transferStatus(bridge, reference)).phase).to.equal("paid");
    }
    // Nothing is left to do, for this relayer or one that begins with nothing.
    await relayer.round();
    const fresh = await world.relayer({}, 4);
    await fresh.round();
    await fresh.round();
    await fresh.round();
    expect(fresh.health.map(({ open: left, waiting }) => [left, waiting])).to.deep.equal([
      [0, 0],
      [0, 0],
    ]);
    expect(world.events.filter(({ event }) => event === "delivered")).to.have.length(2);
  });

  it("are refused or warned about before anything is locked", async () => {
    const { bridge } = await open({ liquidityWei: 150n * ANKR });
    const account = walletAt(1).address;
    const prepare = (amountWei: bigint, change = {}) =>
      prepareTransfer(bridge, { from: "home", account, to: RECIPIENT, amountWei, ...change });
    const refusals: [() => Promise<unknown>, string][] = [
      [() => prepare(ANKR / 20n), "bridge.below-minimum"],
      [() => prepare(20_000n * ANKR), "wallet.insufficient-funds"],
      [() => prepare(2_000n * ANKR), "bridge.too-much"],
      [() => prepare(ANKR, { to: ZeroAddress }), "bridge.recipient"],
      [() => prepare(ANKR, { to: bridge.far.bridge }), "bridge.recipient"],
      [() => prepare(ANKR, { target: "market" }), "bridge.no-market"],
      [() => prepare(ANKR, { from: "far" }), "bridge.not-outstanding"],
      [() => prepare(200n * ANKR), "bridge.liquidity"],
    ];
    for (const [work, code] of refusals) expect((await errorOf(work())).code).to.equal(code);
    const prepared = await prepare(50n * ANKR);
    expect(prepared).to.deep.include({ feeWei: FEE, waitsSeconds: 0, warnings: [] });
    const large = await prepare(120n * ANKR);
    expect(large.warnings.map(({ code }) => code)).to.deep.equal(["bridge.threshold"]);
    expect(large.waitsSeconds).to.equal(DAY);

    // Over the far limit, and paused there.
    await world.send("home", 900n * ANKR, { acceptCredit: true });
    const limited = errorOf(prepare(500n * ANKR));
    expect((await limited).code).to.equal("bridge.send-limit");
    const guardian = await world.chains.signer("far", 8);
    await (await bridge.far.contract.connect(guardian).pause()).wait();
    expect((await prepare(ANKR)).warnings.map(({ code }) => code)).to.deep.equal(["bridge.paused"]);
    expect((await errorOf(prepare(ANKR, { from: "far" }))).code).to.equal("bridge.paused");
  });

  it("leave enough for gas, and are sent by whom they were prepared for", async () => {
    const { bridge } = await open();
    const { far } = bridge;
    const poor = Wallet.createRandom(far.provider);
    const account = poor.address;
    await world.send("home", 5n * ANKR + FEE, { to: account });
    await world.attest();
    await (await world.relayer()).round();
    const request = { from: "far", account, to: RECIPIENT } as const;
    const all = await errorOf(prepareTransfer(bridge, { ...request, amountWei: 5n * ANKR }));
    expect([all.code, all.message.includes("for gas")]).to.deep.equal(["wallet.insufficient-funds", true]);
    const prepared = await prepareTransfer(bridge, { ...request, amountWei: 4n * ANKR });
    const stranger = await world.chains.signer("far", 5);
    const other = sendTransfer(bridge, prepared, { signer: stranger });
    expect((await errorOf(other)).code).to.equal("bridge.other-account");
    expect((await sendTransfer(bridge, prepared, { signer: poor })).arrivesWei).to.equal(4n * ANKR - FEE);
  });

  it("are compared by the monitor only once they are final, and their contracts too", async () => {
    const { bridge, pair } = await open();
    await world.send("home", 5n * ANKR + FEE);
    const providers = { home: bridge.home.provider, far: bridge.far.provider };
    const deep = (blocks: number) =>
      openBridge({ deployment: pair.deployment, providers, finality: { home: blocks, far: blocks } });
    for (const blocks of [1, 1_000]) {
      const { lockedWei, inFlightWei, breaches } = await new SupplyMonitor(deep(blocks)).look();
      expect({ lockedWei, breaches, inFlightWei: inFlightWei.home }, `${blocks}`).to.deep.equal({
        ...{ lockedWei: 0n, breaches: [], inFlightWei: 0n },
      });
    }
    expect((await world.monitor.look()).lockedWei).to.equal(5n * ANKR);
  });

  it("say where they are, and what brings them on", async () => {
    const { bridge, pair } = await open();
    const [first, second] = world.attesters;
    const { transfer } = await world.send("home", 50n * ANKR);
    const providers = { home: bridge.home.provider, far: bridge.far.provider };
    const deep = openBridge({ deployment: pair.deployment, providers, finality: { home: 3 } });
    const early = await transferStatus(deep, transfer);
    expect(early.phase).to.equal("not-final");
    expect(early.reason).to.contain("3 to go");
    expect((await transferStatus(bridge, transfer)).next).to.contain("--attesters");
    await first?.round();
    await second?.round();
    const attesters = [...world.urls, "http://127.0.0.1:1"];
    const waiting = await transferStatus(bridge, transfer, { attesters });
    expect(waiting).to.deep.include({ phase: "attesting", attestations: { good: 2, needed: 3 } });
    expect(waiting.troubles).to.have.length(1);
    const found = await findTransfer(bridge, transfer);
    const signer = await world.chains.signer("far", 5);
    const tooFew = deliverTransfer(bridge, found, { attesters, signer });
    expect((await errorOf(tooFew)).code).to.equal("bridge.too-few-attestations");
    await world.attest();
    expect(await transferStatus(bridge, transfer, { attesters })).to.deep.include({
      phase: "deliverable",
      next: `bridge deliver ${transfer}`,
    });
    expect((await deliverTransfer(bridge, found, { attesters, signer })).paidWei).to.equal(50n * ANKR - FEE);
    expect((await transferStatus(bridge, transfer, { attesters })).phase).to.equal("paid");
    const again = deliverTransfer(bridge, found, { attesters, signer });
    expect((await errorOf(again)).code).to.equal("bridge.already-delivered");
    const unknown = transferStatus(bridge, `0x${"12".repeat(32)}`);
    expect((await errorOf(unknown)).code).to.equal("bridge.unknown-transfer");
  });

  it("wait above the threshold, can be vetoed, and are released by anybody", async () => {
    const { bridge } = await open();
    const { transfer } = await world.send("home", 150n * ANKR);
    const vetoed = await world.send("home", 160n * ANKR);
    await world.attest();
    const relayer = await world.relayer();
    await relayer.round();
    expect((await transferStatus(bridge, transfer)).phase).to.equal("waiting");
    const found = await findTransfer(bridge, transfer);
    const signer = await world.chains.signer("far", 5);
    expect((await errorOf(releaseTransfer(found, { signer }))).code).to.equal("bridge.early");
    const guardian = await world.chains.signer("far", 8);
    await (await bridge.far.contract.connect(guardian).veto(vetoed.transfer)).wait();
    expect((await transferStatus(bridge, vetoed.transfer)).phase).to.equal("vetoed");
    await world.passSeconds(DAY + 1);
    expect(await transferStatus(bridge, transfer)).to.deep.include({
      phase: "releasable",
      next: `bridge release ${transfer}`,
    });
    await relayer.round();
    await relayer.round();
    expect((await transferStatus(bridge, transfer)).phase).to.equal("paid");
    expect((await transferStatus(bridge, vetoed.transfer)).phase).to.equal("vetoed");
    const locked = 310n * ANKR - 2n * FEE;
    await world.expectSupply(locked, { home: 0n, far: 0n });
  });

  it("are paid in parts as the limit lets them pass", async () => {
    const settings = settingsOf({
      ...{ sendCapacity: 5_000n * ANKR, threshold: 5_000n * ANKR },
      ...{ payCapacity: 1_000n * ANKR, payPeriod: 3_000 },
    });
    const { bridge } = await open({ change: { settings } });
    const amountWei = 1_700n * ANKR + FEE;
    const { warnings } = await prepareTransfer(bridge, {
      ...{ from: "home", account: walletAt(1).address, to: RECIPIENT, amountWei },
    });
    expect(warnings.map(({ code }) => code)).to.deep.equal(["bridge.parts"]);
    const { transfer } = await world.send("home", amountWei);
    await world.attest();
    const relayer = await world.relayer();
    await relayer.round();
    await relayer.round();
    const limited = await transferStatus(bridge, transfer);
    expect(limited.phase).to.be.oneOf(["over-limit", "releasable"]);
    expect(limited.leftWei).to.be.greaterThan(0n);
    await world.passSeconds(4_000);
    await relayer.round();
    await relayer.round();
    expect((await transferStatus(bridge, transfer)).phase).to.equal("paid");
    await world.expectSupply(1_700n * ANKR, { home: 0n, far: 0n });
  });

  it("are credited where there is too little to pay with, and claimed later", async () => {
    const { bridge } = await open({ liquidityWei: 10n * ANKR });
    const { transfer } = await world.send("home", 50n * ANKR, { acceptCredit: true });
    await world.attest();
    await (await world.relayer()).round();
    expect((await transferStatus(bridge, transfer)).phase).to.equal("credited");
    const supply = await world.monitor.look();
    expect(supply.warnings.map(({ code }) => code)).to.deep.equal(["bridge.liquidity"]);
    expect(supply.breaches).to.deep.equal([]);
    const signer = await world.chains.signer("far", 2);
    await (
      await world.chains.deployer.far.sendTransaction({ to: bridge.far.bridge, value: 100n * ANKR })
    ).wait();
    const claimed = await claimCredit(bridge.far, { to: RECIPIENT, signer });
    expect(claimed.amountWei).to.equal(50n * ANKR - FEE);
    expect((await transferStatus(bridge, transfer)).phase).to.equal("claimed");
    const nothing = claimCredit(bridge.far, { to: RECIPIENT, signer });
    expect((await errorOf(nothing)).code).to.equal("bridge.nothing-claimable");
  });

  it("are minted and burnt where ANKR is a token that the bridge makes", async () => {
    const { bridge } = await open({ change: { kind: "minted" } });
    await world.send("home", 50n * ANKR, { to: walletAt(1).address });
    await world.attest();
    const relayer = await world.relayer();
    await relayer.round();
    await world.expectSupply(50n * ANKR - FEE, { home: 0n, far: 0n });
    await world.send("far", 20n * ANKR);
    await world.attest();
    await relayer.round();
    await world.expectSupply(30n * ANKR, { home: 0n, far: 0n });
    expect(bridge.far.currency.address).to.not.equal(ZeroAddress);
  });

  it("end as balances in the markets of both chains", async () => {
    const chains = await openChains();
    const made: ITaskMarket[] = [];
    const markets = async (token: string) => {
      const home = await deployMarket(chains.connections.home, token);
      const far = await deployMarket(chains.connections.far, ZeroAddress);
      made.push(home, far);
      return { home: await home.getAddress(), far: await far.getAddress() };
    };
    world = await World.open({ markets }, chains);
    const { bridge, pair } = world;
    const [home, far] = made;
    if (home === undefined || far === undefined) throw new Error("there are two markets");
    const { transfer } = await world.send("home", 50n * ANKR, { target: "market" });
    await world.attest();
    const relayer = await world.relayer();
    const before = await bridge.far.provider.getBalance(RECIPIENT);
    await relayer.round();
    expect((await transferStatus(bridge, transfer)).phase).to.equal("paid");
    expect(await far.balanceOf(RECIPIENT)).to.equal(50n * ANKR - FEE);
    expect(await bridge.far.provider.getBalance(RECIPIENT)).to.equal(before);
    const back = await world.send("far", 20n * ANKR, { target: "market" });
    await world.attest();
    await relayer.round();
    expect((await transferStatus(bridge, back.transfer)).phase).to.equal("paid");
    expect(await home.balanceOf(RECIPIENT)).to.equal(20n * ANKR - FEE);
    await world.expectSupply(30n * ANKR, { home: 0n, far: 0n });
    // It is money there as any other.
    const owner = await chains.signer("home", 2);
    await (await home.connect(owner).withdraw(20n * ANKR - FEE)).wait();
    expect(await pair.token.balanceOf(RECIPIENT)).to.equal(20n * ANKR - FEE);
  });

  it("are a breach where enough attesters lie, and the monitor says so", async () => {
    const { bridge } = await open();
    await world.send("home", 50n * ANKR);
    const [home, far] = [bridge.home, bridge.far];
    const forged = {
      ...{ sourceChain: BigInt(home.chainId), sourceGateway: home.gateway, nonce: 7n, sender: home.bridge },
      ...{ destinationChain: BigInt(far.chainId), destinationGateway: far.gateway, recipient: far.bridge },
      payload: encodeTransfer({
        ...{ number: 9n, from: RECIPIENT, to: RECIPIENT, amountWei: 40n * ANKR, target: "account" },
      }),
    };
    const id = messageId(forged);
    const { domain, types, value } = attestationOf(forged, id, 1n);
    const signatures = await Promise.all(ATTESTERS.map((each) => each.signTypedData(domain, types, value)));
    await (
      await far.gatewayContract.connect(world.chains.deployer.far).deliver(forged, 1n, signatures)
    ).wait();
    const { breaches } = await world.monitor.look();
    expect(breaches.map(({ code }) => code)).to.deep.equal(["bridge.unsent"]);
  });
});
