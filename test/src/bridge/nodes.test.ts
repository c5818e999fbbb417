import { spawnSync } from "node:child_process";
import { expect } from "chai";

import { deliverTransfer } from "../../../src/bridge/claim.ts";
import { SIDES } from "../../../src/bridge/deployment.ts";
import { findTransfer } from "../../../src/bridge/find.ts";
import { transferStatus } from "../../../src/bridge/status.ts";
import { LAG, NODES, openAnvils, openNodes } from "./nodes.ts";
import { ANKR, walletAt } from "./support.ts";
import { FEE, World } from "./world.ts";

const WELL = { trouble: undefined, isDown: false };

/**
 * What nodes of other kinds do otherwise, and concerns who reads, signs, delivers and compares:
 *
 * - Cosmos: logs of at most 10,000 blocks from first to last, an error beyond the head or from a block after the last; no block
 *   0; what is final is the head; every second block has the time of the one before; a base fee of zero, for which ethers
 *   knows no fees; half of the gas limit is charged; no transaction by its hash, and an error in place of a receipt, before it
 *   is mined.
 * - geth: an error for logs beyond the head; what is final lags, and is block 0 before; a tip of zero is refused;
 *   right after a receipt it tells the nonce of before.
 * - anvil: what is final lags, and is block 0 before.
 * - Hardhat: an error for a transaction that was mined and failed (all other tests).
 */
describe("the bridge on nodes of every kind", function () {
  this.timeout(120_000);
  let world: World;
  afterEach(async () => {
    await world.cleanup.run();
  });

  const pairs = [
    ["cosmos", "geth"],
    ["geth", "cosmos"],
  ] as const;
  /** There by attesters and a relayer, and back by somebody with a wallet. */
  async function takeThereAndBack({ isLate }: { isLate: boolean }): Promise<void> {
    const { bridge } = world;
    const settle = async (): Promise<void> => {
      for (const side of SIDES) for (let block = 0; block <= LAG; block++) await world.mine(side);
    };
    await settle();
    await world.expectSupply(0n, { home: 0n, far: 0n });
    const there = await world.send("home", 50n * ANKR, { to: walletAt(1).address });
    if (isLate) {
      expect((await transferStatus(bridge, there.transfer)).phase).to.equal("not-final");
      await world.attest();
      expect(world.attesters[0]?.attestationsOf(there.message)).to.deep.equal([]);
    }
    await settle();
    await world.attest();
    for (const { health } of world.attesters)
      for (const { trouble, isDown } of health) expect({ trouble, isDown }).to.deep.equal(WELL);
    const relayer = await world.relayer();
    await relayer.round();
    expect(world.events.filter(({ level }) => level !== "info")).to.deep.equal([]);
    const state = await transferStatus(bridge, there.transaction.hash, { attesters: world.urls });
    expect(state.phase).to.equal("paid");
    const back = await world.send("far", 20n * ANKR);
    await settle();
    await world.attest();
    const found = await findTransfer(bridge, back.transfer);
    const signer = await world.chains.signer("home", 5);
    const { paidWei } = await deliverTransfer(bridge, found, { attesters: world.urls, signer });
    expect(paidWei).to.equal(20n * ANKR - FEE);
    await settle();
    await world.expectSupply(30n * ANKR, { home: 0n, far: 0n });
    await relayer.round();
    expect(relayer.health.map(({ open }) => open)).to.deep.equal([0, 0]);
  }

  for (const [home, far] of pairs) {
    it(`I15_takes ANKR from ${home} to ${far} and back`, async () => {
      world = await World.open(
        far === "geth" ? { finality: { far: 1 } } : {},
        openNodes({ home: NODES[home](), far: NODES[far]() }),
      );
      await takeThereAndBack({ isLate: home !== "cosmos" });
    });
  }

  it("I15_takes ANKR from one real anvil to another and back", async function () {
    // In PATH, or named; `npm install @foundry-rs/anvil` has one.
    const anvil = process.env["NEURA_ANVIL"] ?? "anvil";
    if (spawnSync(anvil, ["--version"]).status !== 0) this.skip();
    world = await World.open({ finality: { home: 1 } }, openAnvils(anvil));
    await takeThereAndBack({ isLate: true });
  });

  it("reads a long chain by as many blocks as its node allows, and not a block twice", async () => {
    world = await World.open({}, openNodes({ home: NODES.cosmos(), far: NODES.cosmos() }));
    const { bridge } = world;
    const first = await world.send("home", 5n * ANKR);
    await world.mine("home", 25_000);
    const second = await world.send("home", 5n * ANKR);
    await world.attest();
    const relayer = await world.relayer();
    await relayer.round();
    for (const { message } of [first, second])
      expect(await bridge.far.gatewayContract.isDelivered(message)).to.equal(true);
    // Half of the limit is paid for: it has to be an estimate, and little more.
    for (const { gasUsed } of world.events.filter(({ event }) => event === "delivered"))
      expect(Number(gasUsed)).to.be.lessThan(190_000);
    await world.expectSupply(10n * ANKR - 2n * FEE, { home: 0n, far: 0n });
  });
});
