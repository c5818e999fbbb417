import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { ZeroHash } from "ethers";

import { caseWords } from "../../../src/jury/calls.ts";
import { readCase } from "../../../src/jury/case.ts";
import { openMarket } from "../../../src/market/context.ts";
import { encodeTerms, workHash } from "../../../src/market/terms.ts";
import { DEFAULT_POLICY, parsePolicy, withJury } from "../../../src/provider/policy.ts";
import { packResources } from "../../../src/market/resources.ts";
import { MACHINE, RATE_WEI, STAKE_WEI } from "../market/support.ts";
import { Cleanup } from "../storage/support.ts";
import { Stage } from "./support.ts";

const STEP = 600;
const SEAT_WEI = 10n ** 18n;
/** Of each of four jurors. */
const SEATS = 6;
const BPS = 10_000n;
const COLLATERAL_WEI = STAKE_WEI / 4n;
const FEE_WEI = (RATE_WEI * 250n) / 10_000n;

describe("ProviderNode and disputes before the jury", function () {
  this.timeout(60_000);
  const cleanup = new Cleanup();
  let stage: Stage;

  beforeEach(async () => {
    stage = await Stage.create(cleanup);
    stage.runner.script.seconds = 0.5;
    const { world } = stage;
    const { ethers } = world.connection;
    const jury = await ethers.deployContract("Jury", [world.market, SEAT_WEI, 600, 1n, STEP, 0]);
    const address = await jury.getAddress();
    const registry = await ethers.getContractAt(
      "ProviderRegistry",
      world.deployment.contracts.ProviderRegistry,
    );
    await registry.authorizeMarket(address);
    // Authorised after the first provider came: later.
    await world.connection.networkHelpers.time.increase(46 * 24 * 3600);
    for (const account of world.others.slice(5, 9)) {
      const offer = { shape: packResources(MACHINE), rateWei: RATE_WEI, slots: 1n, metadata: "" };
      await registry.connect(account).register(account.address, account.address, offer);
      const stakeWei = BigInt(SEATS) * SEAT_WEI;
      await registry.connect(account).stake(stakeWei, { value: stakeWei });
      await jury.connect(account).takeSeats(0, SEATS, account.address);
    }
    Object.assign(world.deployment.contracts, { Jury: address });
  });
  afterEach(() => cleanup.run());

  const juryAddress = (): string => stage.world.deployment.contracts.Jury ?? "";
  const drawsOf = (id: string): number =>
    stage.events.filter(({ event, task, verb }) => event === "mined" && task === id && verb === "juryDraw")
      .length;
  const eventually = async (isTrue: () => boolean): Promise<void> => {
    for (let tries = 0; tries < 500 && !isTrue(); tries++) await sleep(20);
    expect(isTrue()).to.equal(true);
  };
  const contextOf = () => {
    const { deployment, owner, storage, home } = stage.world;
    return openMarket({ runner: owner, deployment, storage: () => storage, home });
  };

  /** Delivered by the node, and disputed with the owner's half of the seed. */
  async function disputed({ isWrong = false } = {}) {
    const auditSeed = stage.world.connection.ethers.id("seed");
    const task = await stage.submitRaw({
      salt: stage.world.connection.ethers.keccak256(auditSeed),
      terms: {
        collateralWei: COLLATERAL_WEI,
        arbiter: juryAddress(),
        conditions: { challengePeriodSeconds: 300 },
      },
    });
    await stage.event("accepted", { task: task.id });
    await stage.passSeconds(3);
    await stage.event("delivered", { task: task.id });
    // What it comes to, done again.
    if (isWrong) stage.runner.script.answer = 43;
    const { delivery, terms, work } = await stage.world.client.status(task.id);
    if (delivery === undefined) throw new Error("not delivered");
    const words = caseWords({ task: { terms, work }, delivered: { ...delivery, report: delivery } });
    const market = stage.market();
    const { bondWei } = await market.bondOf(words[0]);
    await market.dispute(...words, 0n, auditSeed, bondWei, { value: bondWei });
    return { id: task.id, bondWei, costWei: task.costWei };
  }

  it("draws with its half of the seed, once, has the case lapse that its owner left alone, and is paid", async () => {
    const first = await stage.start();
    const before = await stage.balances();
    const { id, bondWei, costWei } = await disputed();
    await eventually(() => drawsOf(id) === 1);
    const found = await readCase(contextOf(), id);
    expect(found).to.include({ stepName: "Drawn", isSilent: false });
    expect(found.panels).to.have.length(1);
    expect(found.panels[0]?.drawNonce).not.to.equal(ZeroHash);
    // Stopped, it goes on where it was.
    await first.stop();
    await stage.start();
    await stage.passSeconds(240 + STEP + 2);
    const settled = await stage.event("settled", { task: id });
    expect(settled).to.include({ outcome: "RuledForProvider", earnedWei: RATE_WEI - FEE_WEI });
    const after = await stage.balances();
    // Of what it escrowed the owner pays the work; nothing of its bond comes back: the rest of that is the provider's.
    const { feeWei } = found.dispute;
    expect(after.owner - before.owner).to.equal(costWei - RATE_WEI);
    expect(after.provider - before.provider).to.equal(RATE_WEI - FEE_WEI + (bondWei - feeWei));
    expect([after.stake - before.stake, after.locked]).to.deep.equal([0n, 0n]);
    expect(stage.events.filter(({ event, verb }) => event === "mined" && verb === "juryDraw")).to.have.length(
      1,
    );
  });

  it("A22_appeals a panel that finds against right work, and has its bond back", async () => {
    await stage.start();
    const { world } = stage;
    const { ethers } = world.connection;
    const before = await stage.balances();
    const { id, bondWei } = await disputed();
    await eventually(() => drawsOf(id) === 1);
    const jury = await ethers.getContractAt("Jury", juryAddress());
    const { terms, work } = await world.client.status(id);
    const handOver = async () =>
      await jury.connect(world.owner).handOver(encodeTerms(terms), workHash(work), "ar://panel");
    const work240 = BigInt(ethers.id("work")) >> 16n;
    /** All seats of the panel that sits have done the same, and find so. */
    const deliberate = async (round: bigint, providerBps: bigint): Promise<void> => {
      await handOver();
      const [seats, voters] = await jury.panelOf(id, round);
      const salt = ethers.id("salt");
      const voterOf = (position: number) => {
        const account = world.others.find(({ address }) => address === voters[position]);
        if (account === undefined) throw new Error("no juror");
        return jury.connect(account);
      };
      for (const [position, seat] of seats.entries()) {
        const commitment = await jury.commitmentOf(id, round, seat, work240, salt);
        await voterOf(position).commit(id, position, commitment);
      }
      await handOver();
      for (const position of seats.keys())
        await voterOf(position).reveal(id, position, work240, providerBps, salt);
    };
    await stage.passSeconds(240);
    await deliberate(0n, 0n);
    await stage.passSeconds(STEP + 1);
    const appealed = await stage.event("appealed", { task: id });
    const { feeWei } = await stage.market().disputeOf(id);
    expect(appealed["bondWei"]).to.equal((feeWei / 3n) * 15n);
    await eventually(() =>
      stage.events.some(({ event, verb }) => event === "mined" && verb === "juryAppeal"),
    );
    await deliberate(1n, BPS);
    await stage.passSeconds(STEP + 31);
    expect(await stage.event("settled", { task: id })).to.include({ outcome: "RuledForProvider" });
    const after = await stage.balances();
    expect(after.provider - before.provider).to.equal(RATE_WEI - FEE_WEI + (bondWei - feeWei));
    expect(after.stake).to.equal(before.stake);
    // To whoever sent it: the node's own account.
    const { appellant } = await jury.appealOf(id);
    expect(await jury.creditOf(appellant)).to.equal(appealed["bondWei"]);
    expect(
      stage.events.filter(({ event, verb }) => event === "mined" && verb === "juryAppeal"),
    ).to.have.length(1);
  });

  it("concedes wrong work and draws nobody", async () => {
    await stage.start();
    const { id } = await disputed({ isWrong: true });
    const event = await stage.event("ended", { task: id });
    expect(event["outcome"]).to.equal("Conceded");
    expect((await readCase(contextOf(), id)).stepName).to.equal("None");
  });

  it("takes the deployment's jury for the word in its policy", () => {
    const contracts = { ...stage.world.deployment.contracts };
    const policy = { ...DEFAULT_POLICY, arbiters: ["jury", stage.world.owner.address] };
    expect(withJury(policy, { contracts }).arbiters).to.deep.equal([
      stage.world.owner.address,
      juryAddress(),
    ]);
    const without = { ...contracts } as { Jury?: string } & typeof contracts;
    delete without.Jury;
    expect(withJury(policy, { contracts: without }).arbiters).to.deep.equal([stage.world.owner.address]);
    expect(withJury({ ...policy, arbiters: "any" }, { contracts }).arbiters).to.equal("any");
    const text = JSON.stringify({ schema: "neura/provider-policy/1", arbiters: ["jury"] });
    expect(parsePolicy(text).arbiters).to.deep.equal(["jury"]);
    expect(() => parsePolicy(text.replace('"jury"', '"judge"'))).to.throw("judge");
  });
});
