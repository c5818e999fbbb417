import { expect } from "chai";
import fc from "fast-check";
import { id as hashOf, ZeroHash } from "ethers";

import { caseWords } from "../../../src/jury/calls.ts";
import { type JuryCase, movesOf, panelUnits, readCase, Step } from "../../../src/jury/case.ts";
import { handOver, moneyAt, moveCase } from "../../../src/jury/owner.ts";
import { marketAt } from "../../contracts/market/deploy.ts";
import { tallyOf } from "../../../src/jury/tally.ts";
import { Cleanup, errorOf } from "../storage/support.ts";
import {
  COLLATERAL_WEI,
  CONCESSION,
  COST_WEI,
  createJuryWorld,
  type JuryWorld,
  STEP,
  WORK,
} from "./support.ts";

describe("jury: cases", function () {
  this.timeout(60_000);
  const cleanup = new Cleanup();
  let world: JuryWorld;
  let restore: () => Promise<void>;

  before(async () => {
    world = await createJuryWorld(cleanup);
    const snapshot = await world.connection.networkHelpers.takeSnapshot();
    restore = () => snapshot.restore();
  });
  after(() => cleanup.run());
  afterEach(() => restore());

  /** Sets the time of the newest block, at which the next one is no earlier. */
  const at = async (seconds: number): Promise<void> => {
    await world.connection.networkHelpers.time.increaseTo(seconds);
  };

  it("follows a case from its dispute to its end, with what each can do and until when", async () => {
    const task = await world.disputed({ unit: 0n });
    const { id } = task;
    const { found: first, moves } = await world.look(id);
    expect(moves).to.deep.equal(["provider draw"]);
    expect(first).to.include({ id, stepName: "None", round: 0, isDisputed: true, isMissing: false });
    expect(first.dispute.unit).to.equal(0n);
    expect(first.dispute.auditSeed).not.to.equal(ZeroHash);

    await world.draw(task);
    const drawn = await world.look(id);
    // The provider can still concede.
    expect(drawn.moves).to.deep.equal([]);
    const [panel] = drawn.found.panels;
    const { seats, voters } = await world.jury.panelOf(id, 0);
    expect(panel).to.deep.include({
      ...{ round: 0, class: 0, seats: seats.map(Number), voters: [...voters] },
      ...{ evidence: task.evidence, drawNonce: task.drawNonce },
    });
    expect(new Set(voters).size).to.equal(3);

    const conceded = first.disputedAtSeconds + CONCESSION;
    expect(movesOf(drawn.found, conceded)).to.deep.equal([]);
    expect(movesOf(drawn.found, conceded + 1)).to.deep.equal([
      { who: "owner", action: "hand-over", document: "payload", untilSeconds: conceded + STEP },
    ]);
    await at(conceded + 1);
    const { client, context } = world;
    await handOver(context, id);
    const committing = await world.look(id);
    expect(committing.moves).to.deep.equal(["juror commit"]);
    expect(committing.found.handedOver).to.have.length(1);
    await world.commit(id);
    expect((await world.look(id)).moves).to.deep.equal(["owner hand-over"]);
    await handOver(context, id);
    expect((await world.look(id)).moves).to.deep.equal(["juror reveal"]);
    await world.reveal(id, [0, 1_000, 10_000]);
    const revealed = await world.look(id);
    expect(revealed.moves).to.deep.equal([]);
    expect(revealed.found.ballots.every(({ isRevealed }) => isRevealed)).to.equal(true);
    expect(tallyOf(revealed.found.votes, 3)).to.deep.equal({
      ...{ isDecided: true, providerBps: 0, counted: 3, strangers: 0 },
    });
    await world.pass(STEP + 1);
    expect((await world.look(id)).moves).to.deep.equal(["anyone appeal"]);
    const plan = await client.planAppeal(id);
    expect(plan.bondWei).to.equal(5n * first.dispute.feeWei);
    expect(plan.first.providerBps).to.equal(0);
    expect(plan.ownerGainWei < 0n && plan.providerGainWei > 0n).to.equal(true);

    await world.pass(STEP);
    expect((await world.look(id)).moves).to.deep.equal(["anyone finish"]);
    const { provider, market } = world;
    const before = await balances(world);
    const { status } = await client.moveCase(id, "finish");
    expect(status).to.include({ status: "Resolved", outcome: "RuledForOwner" });
    const after = await balances(world);
    const money = moneyAt(status, first, 0);
    const { bondWei } = first.dispute;
    // What it escrowed and its bond come back, and the compensation with them; the provider's stake pays.
    expect(after.owner - before.owner).to.equal(COST_WEI + bondWei + money.ownerWei);
    expect(money.providerWei).to.equal(-COLLATERAL_WEI);
    expect(after.stake - before.stake).to.equal(-COLLATERAL_WEI);
    expect(await market.balanceOf(provider.account.address)).to.equal(before.provider);
    const ended = await world.look(id);
    expect(ended.moves).to.deep.equal([]);
    expect(ended.found.ended).to.deep.equal({ isRuled: true, providerBps: 0 });
    expect(ended.found.isDisputed).to.equal(false);
    expect(ended.found.disputedAtSeconds).to.equal(first.disputedAtSeconds);
  });

  async function balances({ market, owner, provider, deployment, connection }: JuryWorld) {
    const registry = await connection.ethers.getContractAt(
      "ProviderRegistry",
      deployment.contracts.ProviderRegistry,
    );
    return {
      owner: await market.balanceOf(owner.address),
      provider: await market.balanceOf(provider.account.address),
      stake: (await registry.providerOf(provider.account.address)).stake,
    };
  }

  it("says the first and last second of each call as the contract does", async () => {
    const task = await world.disputed();
    const { id } = task;
    const { found } = await world.look(id);
    const conceded = found.disputedAtSeconds + CONCESSION;
    const { context } = world;
    const refused = async (action: Parameters<typeof moveCase>[2]): Promise<string> =>
      (await errorOf(moveCase(context, id, action))).code;

    // One that could be sent, as far as its block could have this very time.
    expect(movesOf(found, conceded + STEP).map(({ action }) => action)).to.deep.equal(["draw"]);
    expect(movesOf(found, conceded + STEP + 1).map(({ action }) => action)).to.deep.equal(["summon"]);
    expect(movesOf(found, conceded + 2 * STEP + 1).map(({ action }) => action)).to.deep.equal(["lapse"]);
    await at(conceded + STEP);
    expect(await refused("summon")).to.equal("jury.not-possible");
    await at(conceded + STEP + 1);
    expect(await refused("lapse")).to.equal("jury.not-possible");
    await world.client.moveCase(id, "summon");
    expect((await world.look(id)).moves).to.deep.equal([]);
    await world.connection.networkHelpers.mine(6);
    expect((await world.look(id)).moves).to.deep.equal(["anyone draw"]);
    // Nobody knows what the delivery committed to, and still it is drawn.
    await world.client.moveCase(id, "draw");
    const drawn = await world.look(id);
    expect(drawn.found).to.include({ isSilent: true, stepName: "Drawn" });
    expect(drawn.found.panels[0]).to.deep.include({ drawNonce: ZeroHash });
    expect(drawn.moves).to.deep.equal(["owner hand-over"]);
    await world.pass(STEP + 1);
    expect((await world.look(id)).moves).to.deep.equal(["anyone lapse"]);
    const { status } = await world.client.moveCase(id, "lapse");
    expect(status.outcome).to.equal("RuledForProvider");
  });

  it("closes a case whose task is over otherwise, and one that has no jury is none", async () => {
    const task = await world.disputed();
    await world.draw(task);
    const { terms, work, delivery } = await world.client.status(task.id);
    if (delivery === undefined) throw new Error("not delivered");
    const words = caseWords({ task: { terms, work }, delivered: { ...delivery, report: delivery } });
    await marketAt(world.deployment.contracts.TaskMarket, world.provider.account).concede(...words);
    expect((await world.look(task.id)).moves).to.deep.equal(["anyone finish"]);
    const { found } = await world.client.moveCase(task.id, "finish");
    expect(found.ended).to.deep.equal({ isRuled: false, providerBps: 0 });
    for (const juror of await world.panel(task.id)) {
      const { lostBps } = await world.jury.seatOf(
        0n,
        world.jurors.findIndex((each) => each === juror),
      );
      expect(lostBps).to.equal(0n);
    }
    const without = { ...world.deployment, contracts: { ...world.deployment.contracts } };
    delete (without.contracts as { Jury?: string }).Jury;
    const { provider } = world.connection.ethers;
    expect((await errorOf(readCase({ provider, deployment: without }, task.id))).code).to.equal("jury.none");
    const other = hashOf("another task");
    expect((await errorOf(world.look(other))).code).to.equal("jury.not-disputed");
  });

  it("lets nobody but a finisher move once the time to rule is over", () => {
    const steps = Object.values(Step);
    fc.assert(
      fc.property(
        fc.constantFrom(...steps),
        fc.integer({ min: 0, max: 20_000 }),
        fc.boolean(),
        fc.integer({ min: 0, max: 1 }),
        (step, nowSeconds, isDisputed, round) => {
          const found = sample({ step, round, isDisputed });
          const moves = movesOf(found, nowSeconds);
          const isOver = nowSeconds > found.dispute.rulingBySeconds || !isDisputed;
          if (isOver) expect(moves.filter(({ action }) => action !== "finish")).to.deep.equal([]);
          // Nothing is offered that is over.
          for (const { untilSeconds } of moves) {
            if (untilSeconds !== undefined) expect(nowSeconds <= untilSeconds).to.equal(true);
          }
          if (step === Step.Ended) expect(moves).to.deep.equal([]);
          // Of two that exclude each other, one at most.
          const actions = new Set(moves.map(({ action }) => action));
          expect(actions.has("appeal") && actions.has("finish")).to.equal(false);
          expect(round === 1 && actions.has("appeal")).to.equal(false);
        },
      ),
    );
  });

  function sample(change: Pick<JuryCase, "step" | "round" | "isDisputed">): JuryCase {
    return {
      ...{ id: hashOf("task"), jury: hashOf("jury"), stepName: "None", until: 2_000, class: 0 },
      ...{
        isSilent: false,
        disputedAtSeconds: 1_000,
        panels: [],
        handedOver: [],
        votes: [],
        isMissing: false,
      },
      rules: { stepSeconds: STEP, concessionWindowSeconds: CONCESSION },
      dispute: {
        ...{ arbiter: "", unit: 0n, auditSeed: hashOf("seed"), bondWei: 1n, feeWei: 1n },
        rulingBySeconds: 9_000,
      },
      ballots: [{ isCommitted: true, isRevealed: false, fingerprint: WORK, providerBps: 0 }],
      ...{ nowSeconds: 1_000, nowBlock: 3_000 },
      ...change,
    };
  }

  it("draws two units besides the one that is named, none twice, and fewer where there are fewer", () => {
    const [seed, evidenceHash] = [hashOf("seed"), hashOf("evidence")];
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 50 }), fc.integer({ min: 0, max: 60 }), (unitCount, unit) => {
        const named = BigInt(unit);
        const units = panelUnits({ seed, evidenceHash, unitCount, named });
        const isThere = unit < unitCount;
        expect(units).to.have.length(Math.min(unitCount, isThere ? 3 : 2));
        expect(new Set(units).size).to.equal(units.length);
        expect(units.every((each) => each >= 0 && each < unitCount)).to.equal(true);
        if (isThere) expect(units[0]).to.equal(unit);
        expect(panelUnits({ seed, evidenceHash, unitCount, named })).to.deep.equal(units);
      }),
    );
    const huge = { seed, evidenceHash, unitCount: Number(2n ** 255n), named: 0n };
    expect(panelUnits(huge)).to.deep.equal([]);
  });
});
