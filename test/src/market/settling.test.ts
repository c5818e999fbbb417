import { join } from "node:path";

import { expect } from "chai";
import { parseEther } from "ethers";

import { saveKey, type StoredKey } from "../../../src/keystore.ts";
import { connectContracts, openMarket, type MarketContext } from "../../../src/market/context.ts";
import { createArbiter, readArbiter, withdrawArbiter } from "../../../src/market/dispute.ts";
import { Outcome } from "../../../src/market/outcome.ts";
import type { TaskRequest } from "../../../src/market/prepare.ts";
import { spentWei } from "../../../src/market/payment.ts";
import { withLedger } from "../../../src/market/spending.ts";
import type { TaskStatus } from "../../../src/market/status.ts";
import type { SubmittedTask } from "../../../src/market/submit.ts";
import { encodeReport, encodeTerms, encodeWork, workHash } from "../../../src/market/terms.ts";
import { Secret } from "../../../src/secret.ts";
import type { ITaskMarket } from "../../../types/index.ts";
import { marketAt } from "../../contracts/market/deploy.ts";
import { Cleanup, errorOf } from "../storage/support.ts";
import { type Account, createWorld, deliverResult, fileIn, RATE_WEI, type World } from "./support.ts";

const SECONDS = 60;
const COST_WEI = RATE_WEI * BigInt(SECONDS);
const COLLATERAL_WEI = 10_000n;
const FEE = (wei: bigint): bigint => (wei * 250n) / 10_000n;
const steps = ({ next }: TaskStatus): string[] => next.map(({ who, action }) => `${who} ${action}`);

describe("market: how tasks are taken and settled", () => {
  const cleanup = new Cleanup();
  let world: World;
  let context: MarketContext;
  let provider: { account: Account; key: StoredKey };
  let other: { account: Account; key: StoredKey };
  let stranger: Account;
  let judge: Account;
  let arbiter: string;
  let directory: string;
  let restore: () => Promise<void>;

  const contextOf = (runner: Account): MarketContext => {
    const { deployment, storage, home } = world;
    return openMarket({ runner, deployment, storage: () => storage, home });
  };

  before(async () => {
    world = await createWorld(cleanup);
    const [first, second, third, fourth] = world.others;
    if (!first || !second || !third || !fourth) throw new Error("no account");
    provider = { account: first, key: await world.register(first) };
    other = { account: second, key: await world.register(second, { rateWei: 2n * RATE_WEI }) };
    [stranger, judge] = [third, fourth];
    context = contextOf(world.owner);
    const terms = { arbiter: judge.address, feeBps: 500, minimumFeeWei: 7n, rulingSeconds: 86_400 };
    arbiter = (await createArbiter(context, terms)).address;
    const snapshot = await world.connection.networkHelpers.takeSnapshot();
    restore = () => snapshot.restore();
  });
  after(() => cleanup.run());
  beforeEach(() => {
    directory = cleanup.directory();
  });
  afterEach(() => restore());

  async function request(more: Partial<TaskRequest> = {}): Promise<TaskRequest> {
    const file = await fileIn(directory, "scan.png", "a picture");
    return { source: { files: [file] }, application: "ocr", durationSeconds: SECONDS, ...more };
  }
  const marketOf = (account: Account): ITaskMarket =>
    marketAt(world.deployment.contracts.TaskMarket, account);
  const balance = async (account: string): Promise<bigint> => await world.market.balanceOf(account);
  const pass = async (seconds: number): Promise<void> => {
    await world.connection.networkHelpers.time.increase(seconds);
  };

  // ---- Open ----

  describe("open to everybody who is eligible", () => {
    const open = (more: TaskRequest["open"] = {}): Partial<TaskRequest> => ({
      open: more,
      price: { amountWei: 1_000_000n, maximumWei: 3_000_000n, metered: false },
      anyProvider: true,
      collateralWei: COLLATERAL_WEI,
      needs: {},
    });
    /** The providers ask for more than a task of 3,000,000 wei in 60 s pays. */
    const cheap = async (more: TaskRequest["open"] = {}): Promise<TaskRequest> =>
      await request({
        ...open(more),
        price: { amountWei: 3n * COST_WEI, maximumWei: 5n * COST_WEI, metered: false },
      });

    it("is encrypted to the best ones, and paid at the price of the second in which one takes it", async () => {
      const prepared = await world.client.prepare(await cheap());
      expect(prepared.readers.map(({ account }) => account)).to.have.members([
        provider.account.address,
        other.account.address,
      ]);
      const task = await world.client.submit(prepared);
      expect(task.costWei).to.equal(5n * COST_WEI);
      expect(steps(await world.client.status(task.id))).to.deep.equal(["provider accept", "owner cancel"]);
      await pass(300);
      await marketOf(other.account).acceptOpen(
        encodeTerms(task.terms),
        encodeWork(task.work),
        other.account.address,
      );
      const taken = await world.client.status(task.id);
      expect(taken).to.include({ status: "Active", provider: other.account.address });
      expect(taken.priceWei > 3n * COST_WEI && taken.priceWei < 5n * COST_WEI).to.equal(true);
      expect(steps(taken)).to.deep.equal(["provider deliver", "provider abandon"]);
      await deliverResult(world, taken, other);
      const { sound, status } = await world.client.result(task.id, { directory: join(directory, "out") });
      expect(sound).to.equal(true);
      const paidWei = taken.priceWei;
      expect(status.payment).to.deep.equal({
        paidWei,
        feeWei: FEE(paidWei),
        refundedWei: task.costWei - paidWei,
      });
      expect(await balance(world.owner.address)).to.equal(task.costWei - paidWei);
      expect(await balance(other.account.address)).to.equal(paidWei - FEE(paidWei));
    });

    it("is encrypted to those who are named, and to nobody else", async () => {
      const only = await cheap({ shortlist: [other.account.address] });
      const task = await world.client.submit(only);
      await marketOf(other.account).acceptOpen(
        encodeTerms(task.terms),
        encodeWork(task.work),
        other.account.address,
      );
      const status = await world.client.status(task.id);
      expect((await errorOf(deliverResult(world, status, provider))).code).to.equal(
        "envelope.not-a-recipient",
      );
      await deliverResult(world, status, other);
      const [, , , , nobody] = world.others;
      const unknown = await cheap({ shortlist: [nobody?.address ?? ""] });
      expect((await errorOf(world.client.prepare(unknown))).code).to.equal("provider.unknown");
    });

    it("is unreadable while it is sealed, until whoever accepted gets the key", async () => {
      const task = await world.client.submit({
        ...(await cheap({ isSealed: true })),
        secrets: { TOKEN: new Secret("s3cret") },
      });
      await marketOf(provider.account).acceptOpen(
        encodeTerms(task.terms),
        encodeWork(task.work),
        provider.account.address,
      );
      const assigned = await world.client.status(task.id);
      expect(assigned).to.include({ status: "Assigned", provider: provider.account.address });
      expect(steps(assigned)).to.deep.equal(["owner publish-key", "owner cancel", "provider decline"]);
      expect((await errorOf(deliverResult(world, assigned, provider))).code).to.equal(
        "envelope.not-a-recipient",
      );
      const elsewhere = world.clientOf(world.owner, { home: cleanup.directory() });
      expect((await errorOf(elsewhere.publishKey(task.id))).code).to.equal("open.key-missing");

      // The one who waits for the task publishes the key on the way.
      const told: string[] = [];
      await world.client.wait(task.id, {
        for: "accepted",
        onStatus: world.client.keyPublisher({ onReport: (line) => told.push(line) }),
      });
      expect(told.join()).to.contain(provider.account.address).and.to.contain("published");
      const active = await world.client.status(task.id);
      expect(active.status).to.equal("Active");
      expect((active.keyHeader?.length ?? 0) / 2 - 1).to.be.lessThanOrEqual(1024);
      const { startBySeconds, completeBySeconds } = task.terms.conditions;
      expect(active.completeBySeconds).to.equal(active.nowSeconds + completeBySeconds - startBySeconds);
      const { secrets } = await deliverResult(world, active, provider, { header: active.keyHeader });
      expect(secrets).to.equal('{"TOKEN":"s3cret"}');
      expect((await world.client.result(task.id, { directory: join(directory, "out") })).sound).to.equal(
        true,
      );
    });

    it("lets both sides leave at no cost while the key is not there, and starts over with the next one", async () => {
      const task = await world.client.submit(await cheap({ isSealed: true }));
      const words = [encodeTerms(task.terms), encodeWork(task.work)] as const;
      await marketOf(provider.account).acceptOpen(...words, provider.account.address);
      await marketOf(provider.account).decline(words[0], workHash(task.work), Outcome.NoCapacity);
      const reopened = await world.client.status(task.id);
      expect(reopened).to.include({ status: "Funded", outcome: "NoCapacity" });
      expect(reopened.provider).to.equal(undefined);
      await marketOf(other.account).acceptOpen(...words, other.account.address);
      await world.client.publishKey(task.id);
      const active = await world.client.status(task.id);
      await deliverResult(world, active, other, { header: active.keyHeader });
      expect((await world.client.status(task.id)).provider).to.equal(other.account.address);

      const withheld = await world.client.submit(await cheap({ isSealed: true }));
      await marketOf(provider.account).acceptOpen(
        encodeTerms(withheld.terms),
        encodeWork(withheld.work),
        provider.account.address,
      );
      await pass(91);
      const before = await balance(world.owner.address);
      const { status } = await world.clientOf(stranger).close(withheld.id, "expire");
      expect(status).to.include({ status: "Expired", outcome: "KeyWithheld", fault: "Owner" });
      expect(await balance(world.owner.address)).to.equal(before + withheld.costWei);
    });

    it("lets a delegate hand the key on, with its own key", async () => {
      await world.market.depositFor(world.owner.address, parseEther("1"), { value: parseEther("1") });
      const expiresAt = (await world.connection.networkHelpers.time.latest()) + 10_000;
      const zero = "0x0000000000000000000000000000000000000000";
      await marketOf(world.owner).setDelegate(stranger.address, {
        limitWei: parseEther("1"),
        provider: zero,
        expiresAt,
        model: 0,
      });
      const home = cleanup.directory();
      const key = await world.publish(stranger);
      await saveKey(home, stranger.address, key);
      const client = world.clientOf(stranger, { home });
      const task = await client.submit({ ...(await cheap({ isSealed: true })), owner: world.owner.address });
      await marketOf(provider.account).acceptOpen(
        encodeTerms(task.terms),
        encodeWork(task.work),
        provider.account.address,
      );
      const { status } = await client.publishKey(task.id);
      await deliverResult(world, status, provider, { header: status.keyHeader });
      expect((await world.client.result(task.id, { directory: join(directory, "out") })).sound).to.equal(
        true,
      );
    });

    it("is refused without a rising price, a collateral, or with things that do not belong to it", async () => {
      const codes = async (more: Partial<TaskRequest>): Promise<string> =>
        (await errorOf(world.client.prepare({ ...(await cheap()), ...more }))).code;
      for (const more of [
        { collateralWei: 0n },
        { price: { amountWei: 5n, metered: false } },
        { price: { amountWei: 5n, maximumWei: 4n, metered: false } },
        { provider: provider.account.address },
        { backup: provider.account.address },
        { withQuote: true },
        { open: { isSealed: true, shortlist: [provider.account.address] } },
      ]) {
        expect(await codes(more), JSON.stringify(Object.keys(more))).to.equal("task.unfit-features");
      }
    });
  });

  // ---- Challenge ----

  describe("with a challenge period", () => {
    let task: SubmittedTask;
    beforeEach(async () => {
      task = await world.client.submit(
        await request({
          provider: provider.account.address,
          collateralWei: COLLATERAL_WEI,
          challenge: { periodSeconds: 3_600, arbiter },
        }),
      );
      const market = marketOf(provider.account);
      await market.accept(encodeTerms(task.terms), workHash(task.work));
      await pass(10);
      await deliverResult(world, task, provider, { secondsUsed: 10 });
    });
    const PAID = 10n * RATE_WEI;
    const committed = async (): Promise<bigint> =>
      await withLedger(context, (ledger) => ledger.usage(Math.floor(Date.now() / 1000)).month.usedWei);
    const bondWei = (): bigint => COST_WEI / 20n + COST_WEI / 20n;
    const delivered = ({ delivery }: TaskStatus) => {
      if (delivery === undefined) throw new Error("not delivered");
      const { resultHash, evidenceHash } = delivery;
      return { report: encodeReport(delivery), resultHash, evidenceHash };
    };

    it("is paid when the owner says so, or by anybody after the period", async () => {
      const status = await world.client.status(task.id);
      expect(status).to.include({ status: "Delivered", ended: false });
      expect(status.challenge).to.deep.equal({
        endsAtSeconds: (status.delivered?.atSeconds ?? 0) + 3_600,
        arbiter,
      });
      expect(steps(status)).to.deep.equal(["owner settle", "owner dispute"]);
      expect((await world.client.wait(task.id, { for: "delivered" })).status).to.equal("Delivered");
      const early = await errorOf(world.clientOf(stranger).close(task.id, "settle"));
      expect(early.code).to.equal("task.not-owner");
      await pass(3_601);
      expect(steps(await world.client.status(task.id))).to.deep.equal(["anyone settle"]);
      await world.clientOf(stranger).close(task.id, "settle");
      const settled = await world.client.wait(task.id, { for: "settled" });
      expect(settled.payment).to.deep.equal({
        paidWei: PAID,
        feeWei: FEE(PAID),
        refundedWei: COST_WEI - PAID,
      });
      expect(await balance(provider.account.address)).to.equal(PAID - FEE(PAID));
      expect(await balance(world.owner.address)).to.equal(COST_WEI - PAID);
    });

    it("looks ahead before it disputes: the bond, the fee, and from when on it is worth it", async () => {
      const plan = await world.client.planDispute(task.id);
      expect(plan).to.deep.equal({
        id: task.id,
        arbiter,
        bondWei: bondWei(),
        feeWei: COST_WEI / 20n,
        rulingSeconds: 86_400,
        priceWei: PAID,
        // Of the fee the provider's whole collateral is taken; the rest is the owner's.
        gainWei: PAID - (COST_WEI / 20n - COLLATERAL_WEI),
        lossWei: bondWei(),
        breakEvenPriceWei: COST_WEI / 20n - COLLATERAL_WEI,
        breakEvenPercent: plan.breakEvenPercent,
      });
      expect(plan.breakEvenPercent).to.be.greaterThan(0).and.lessThan(100);
      const most = bondWei() - 1n;
      const error = await errorOf(world.client.dispute(task.id, { unit: 0n, maximumBondWei: most }));
      expect(error.code).to.equal("dispute.bond-too-high");
      expect((await world.client.status(task.id)).status).to.equal("Delivered");
    });

    it("comes back whole when the provider concedes", async () => {
      const { status } = await world.client.dispute(task.id, { unit: 3n, revealSeed: true });
      expect(status).to.include({ status: "Disputed" });
      expect(status.dispute).to.include({ unit: 3n, bondWei: bondWei(), arbiter });
      expect(steps(status)).to.deep.equal(["provider concede"]);
      await marketOf(provider.account).concede(
        encodeTerms(task.terms),
        workHash(task.work),
        delivered(status),
      );
      const ended = await world.client.status(task.id);
      const slashedWei = (COLLATERAL_WEI * (await world.market.CONCEDE_BPS())) / 10_000n;
      expect(ended).to.include({ status: "Resolved", outcome: "Conceded", fault: "Provider" });
      expect(ended.payment).to.deep.equal({
        paidWei: 0n,
        feeWei: 0n,
        refundedWei: COST_WEI,
        slashedWei,
        compensationWei: slashedWei,
        bondWei: bondWei(),
        bondBackWei: bondWei(),
      });
      expect(await balance(world.owner.address)).to.equal(COST_WEI + slashedWei + bondWei());
      expect(await balance(provider.account.address)).to.equal(0n);
    });

    for (const [due, outcome] of [
      [0, "RuledForOwner"],
      [4_000, "RuledInPart"],
      [10_000, "RuledForProvider"],
    ] as const) {
      it(`pays what the arbiter rules: ${due} bps`, async () => {
        await world.client.dispute(task.id, { unit: 0n });
        const asJudge = world.clientOf(judge);
        expect((await errorOf(asJudge.rule(task.id, { providerBps: due }))).code).to.equal(
          "task.not-possible",
        );
        await pass(241);
        expect((await errorOf(world.client.rule(task.id, { providerBps: due }))).code).to.equal(
          "dispute.not-arbiter",
        );
        const registry = connectContracts(world.deployment, world.owner).registry;
        const { stake: stakeBefore } = await registry.providerOf(provider.account.address);
        const treasury = (await world.connection.ethers.getSigners())[1]?.address ?? "";
        const usedBefore = await committed();
        const { status } = await asJudge.rule(task.id, { providerBps: due });
        expect(status).to.include({ status: "Resolved", outcome });
        const { payment } = status;
        if (payment === undefined) throw new Error("not ended");
        const paidWei = (PAID * BigInt(due)) / 10_000n;
        expect(payment.paidWei).to.equal(paidWei);
        const { slashedWei = 0n, compensationWei = 0n, bondBackWei = 0n } = payment;
        const { stake } = await registry.providerOf(provider.account.address);
        expect(stakeBefore - stake).to.equal(slashedWei);
        expect(await balance(world.owner.address)).to.equal(
          payment.refundedWei + compensationWei + bondBackWei,
        );
        const feeWei = COST_WEI / 20n;
        expect((await readArbiter(context, arbiter)).earnedWei).to.equal(feeWei);
        const penaltyWei = ((bondWei() - feeWei) * BigInt(due)) / 10_000n;
        expect(await balance(provider.account.address)).to.equal(paidWei - FEE(paidWei) + penaltyWei);
        // All that came in is with somebody.
        const all = [world.owner.address, provider.account.address, arbiter, treasury];
        const sum = (await Promise.all(all.map(balance))).reduce((total, each) => total + each, 0n);
        expect(sum + FEE(paidWei)).to.equal(COST_WEI + bondWei() + slashedWei);
        // Of what was committed for it, what was not spent is free again.
        expect((await committed()) - usedBefore).to.equal(spentWei(payment) - COST_WEI - bondWei());
        const { amountWei } = await withdrawArbiter(contextOf(judge), arbiter, { to: stranger.address });
        expect(amountWei).to.equal(feeWei);
      });
    }

    it("is paid to the provider where the arbiter stays silent, by anybody", async () => {
      await world.client.dispute(task.id, { unit: 0n });
      await pass(86_401);
      expect(steps(await world.client.status(task.id))).to.deep.equal(["anyone resolve"]);
      const { status } = await world.clientOf(stranger).close(task.id, "resolve");
      expect(status).to.include({ status: "Resolved", outcome: "ArbiterSilent" });
      expect(await balance(provider.account.address)).to.equal(PAID - FEE(PAID));
      expect(await balance(world.owner.address)).to.equal(COST_WEI - PAID + bondWei());
    });
  });

  // ---- Batches ----

  describe("in batches", () => {
    it("does many things in one transaction, and passes over what fails, with its reason", async () => {
      await world.market.depositFor(world.owner.address, 3n * COST_WEI, { value: 3n * COST_WEI });
      const orders = [
        await world.client.sign(await request()),
        await world.client.sign(await request()),
        await world.client.sign(await request()),
      ] as const;
      const late = await world.client.submit(await request({ startWithinSeconds: 60 }));
      await pass(61);
      const before = await world.client.status(late.id);
      expect(steps(before)).to.deep.equal(["anyone expire"]);
      const { results, transaction } = await world.client.batch([
        { do: "submit", order: orders[0] },
        { do: "expire", id: late.id },
        { do: "settle", id: late.id },
        { do: "submit", order: orders[1] },
        { do: "submit", order: orders[0] },
      ]);
      expect(results.map(({ done }) => done)).to.deep.equal([true, true, false, true, false]);
      expect(results[2]?.reason).to.contain("`settle` is not possible");
      expect(results[4]?.reason).to.contain("TaskMarket_TaskExists");
      expect(transaction?.gasUsed ?? 0n).to.be.lessThan(1_000_000n);
      for (const { id } of orders.slice(0, 2)) {
        expect((await world.client.status(id)).status).to.equal("Funded");
      }
      expect((await world.client.status(late.id)).status).to.equal("Expired");
      const all = await balance(world.owner.address);
      // Two orders and the late task were paid, the late one came back.
      expect(all).to.equal(COST_WEI);
      const empty = await world.client.batch([{ do: "settle", id: late.id }]);
      expect(empty.transaction).to.equal(undefined);
      expect(empty.results[0]).to.include({ done: false });
    });
  });
});
