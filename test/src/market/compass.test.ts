import { expect } from "chai";
import fc from "fast-check";

import {
  leftLeases,
  pricesOf,
  readCompass,
  type Sale,
  shapeBucket,
  type UnmetTask,
} from "../../../src/market/compass.ts";
import { openMarket } from "../../../src/market/context.ts";
import type { TaskEvent } from "../../../src/market/events.ts";
import { Kind, Outcome } from "../../../src/market/outcome.ts";
import { NO_RESOURCES, packResources, type Resources } from "../../../src/market/resources.ts";
import {
  COLLATERAL_WEI,
  DAY,
  deployMarket,
  DURATION,
  METERED,
  PRICE_WEI,
} from "../../contracts/market/fixture.ts";
import { deploymentOf } from "./deployment.ts";

const H100: Resources = { ...NO_RESOURCES, gpuCount: 1, gpuClass: 10, ramMiB: 65_536, cpuMilli: 8_000 };

function sale(changes: Partial<Sale> = {}): Sale {
  return { resources: H100, owner: "owner", provider: "provider", rateWei: 100n, seconds: 60, ...changes };
}

const sales = fc.array(
  fc
    .record({
      owner: fc.constantFrom("a", "b", "c", "d", "e"),
      provider: fc.constantFrom("p", "q", "r"),
      rateWei: fc.bigInt({ min: 1n, max: 10n ** 20n }),
      seconds: fc.integer({ min: 1, max: 1_000_000 }),
    })
    .map((each) => sale(each)),
  { minLength: 1, maxLength: 30 },
);

const unmet = fc.array(
  fc
    .record({
      owner: fc.constantFrom("a", "b", "c"),
      rateWei: fc.bigInt({ min: 1n, max: 10n ** 20n }),
      seconds: fc.integer({ min: 1, max: 1_000_000 }),
    })
    .map((each): UnmetTask => ({ resources: H100, ...each })),
  { maxLength: 10 },
);

describe("the price compass", () => {
  it("counts the owners that left a provider's leases early, and no account that bought nothing else", () => {
    const rest = {
      conditions: { startBySeconds: 1, completeBySeconds: 2, durationSeconds: 100, keyEpoch: 0 },
    };
    const submitted = (id: string, owner: string, provider: string, kind: Kind): TaskEvent => ({
      ...{ name: "TaskSubmitted", id },
      task: {
        id,
        terms: {
          ...{ owner, provider, price: { amountWei: 1n, metered: true }, collateralWei: 0n, salt: "" },
          conditions: { ...rest.conditions, kind },
        },
        work: { resources: H100, payloadHash: "", payload: "" },
      },
    });
    const ended = (id: string, upSeconds: number, outcome: Outcome = Outcome.OwnerClosed): TaskEvent => ({
      ...{ name: "LeaseEnded", id, outcome, upSeconds },
    });
    const lease = (id: string, owner: string, upSeconds: number, outcome?: Outcome): TaskEvent[] => [
      submitted(id, owner, "empty", Kind.Lease),
      ended(id, upSeconds, outcome),
    ];
    const bought = (owner: string): TaskEvent[] => [
      submitted(`job ${owner}`, owner, "other", Kind.Job),
      {
        ...{ name: "TaskDelivered", id: `job ${owner}` },
        delivery: {
          outcome: Outcome.Completed,
          secondsUsed: 9,
          resultHash: "",
          evidenceHash: "",
          result: "",
        },
      },
    ];
    const events = [
      ...["a", "b", "c"].flatMap(bought),
      ...lease("1", "a", 10),
      ...lease("2", "a", 20),
      ...lease("3", "b", 49),
      ...lease("4", "c", 50),
      ...lease("5", "c", 100, Outcome.Completed),
      ...lease("6", "slander", 1),
    ];
    expect([...leftLeases(events)]).to.deep.equal([["empty", 2]]);
  });

  describe("shapes", () => {
    it("compares machines by their GPUs, and without any by cores and memory to the next power of two", () => {
      expect(shapeBucket(H100)).to.equal("1 × H100");
      expect(shapeBucket({ ...H100, ramMiB: 1, cpuMilli: 1 }), "whatever is beside it").to.equal("1 × H100");
      expect(shapeBucket({ ...H100, gpuCount: 8 })).to.equal("8 × H100");
      expect(shapeBucket({ ...H100, gpuClass: 0, vramMiB: 24_576 })).to.equal("1 × any GPU with 32 GiB");
      const machine = { ...NO_RESOURCES, cpuMilli: 3_000, ramMiB: 8_193 };
      expect(shapeBucket(machine)).to.equal("4 cores with 16 GiB");
      expect(shapeBucket({ ...machine, diskMiB: 7 })).to.equal("4 cores with 16 GiB");
      expect(shapeBucket(NO_RESOURCES)).to.equal("1 cores with 1 GiB");
    });
  });

  describe("prices", () => {
    it("weighs by seconds, and says what each quantile paid", () => {
      const dear = sale({ owner: "rich", rateWei: 300n, seconds: 30 });
      const [price] = pricesOf([
        sale({ owner: "a", rateWei: 100n, seconds: 30 }),
        sale({ owner: "b", rateWei: 200n, seconds: 30 }),
        sale({ owner: "c", rateWei: 250n, seconds: 30 }),
        dear,
      ]);
      expect(price).to.deep.equal({
        shape: "1 × H100",
        sold: {
          tasks: 4,
          seconds: 120,
          pairs: 4,
          rates: { lowest: 100n, quarter: 100n, median: 200n, threeQuarters: 250n, highest: 300n },
        },
        unmet: { tasks: 0, seconds: 0, pairs: 0, rates: undefined },
        suggestedWei: 200n,
        maximumWei: 300n,
      });
    });

    it("suggests nothing where nothing was sold, and says what was wanted", () => {
      const [price] = pricesOf([], [{ resources: H100, owner: "a", rateWei: 7n, seconds: 5 }]);
      expect(price?.suggestedWei).to.equal(undefined);
      expect(price?.maximumWei).to.equal(undefined);
      expect(price?.unmet).to.include({ tasks: 1, seconds: 5, pairs: 1 });
    });

    it("lets one pair of parties move the median by no more than a quarter of the seconds", () => {
      const honest = ["a", "b", "c", "d"].map((owner) => sale({ owner, rateWei: 100n, seconds: 100 }));
      const pretended = sale({
        owner: "self",
        provider: "self too",
        rateWei: 10n ** 18n,
        seconds: 10_000_000,
      });
      const [price] = pricesOf([...honest, ...Array.from({ length: 50 }, () => pretended)]);
      expect(price?.sold.pairs).to.equal(5);
      expect(price?.sold.rates?.median).to.equal(100n);
      expect(price?.sold.rates?.highest).to.equal(10n ** 18n);
      expect(price?.suggestedWei).to.equal(100n);
    });

    it("is the same in whatever order, between what was paid, and in proportion to it", () => {
      fc.assert(
        fc.property(sales, unmet, fc.bigInt({ min: 1n, max: 10n ** 9n }), (sold, missed, factor) => {
          const [price] = pricesOf(sold, missed);
          if (price?.suggestedWei === undefined || price.maximumWei === undefined)
            throw new Error("no price");
          expect(pricesOf(sold.toReversed(), missed.toReversed())).to.deep.equal([price]);
          const rates = sold.map(({ rateWei }) => rateWei);
          const { lowest, quarter, median, threeQuarters, highest } = price.sold.rates ?? {};
          const ascending = [lowest, quarter, median, threeQuarters, highest] as bigint[];
          expect(ascending).to.deep.equal(ascending.toSorted((one, other) => (one < other ? -1 : 1)));
          for (const each of ascending) expect(rates).to.include(each);
          expect(rates).to.include(price.suggestedWei);
          expect(price.maximumWei >= price.suggestedWei).to.equal(true);
          const scaled = pricesOf(
            sold.map((each) => ({ ...each, rateWei: each.rateWei * factor })),
            missed,
          );
          expect(scaled[0]?.suggestedWei).to.equal(price.suggestedWei * factor);
          expect(scaled[0]?.maximumWei).to.equal(price.maximumWei * factor);
        }),
      );
    });

    it("never suggests less because more found nobody", () => {
      fc.assert(
        fc.property(sales, unmet, unmet, (sold, missed, more) => {
          const [before] = pricesOf(sold, missed);
          const [after] = pricesOf(sold, [...missed, ...more]);
          expect((after?.suggestedWei ?? 0n) >= (before?.suggestedWei ?? 0n)).to.equal(true);
        }),
      );
    });
  });

  it("reads what was sold and what found nobody from the events of a real market", async () => {
    const fixture = await deployMarket();
    const { connection, market, registry, networkHelpers, parties, makeTask, deliveryOf } = fixture;
    const { owner, provider, stranger } = parties;
    try {
      const resources = packResources(H100);
      await registry
        .connect(provider)
        .updateOffer({ shape: resources, rateWei: 1n, slots: 4n, metadata: "" });
      const asOwner = market.connect(owner);
      const asProvider = market.connect(provider);
      let salt = 0;
      const submit = async (options: Parameters<typeof makeTask>[0]) => {
        const task = await makeTask({
          resources,
          salt: connection.ethers.id(`salt ${++salt}`),
          ...options,
        });
        const value = await market.costOf(task.terms);
        await asOwner.submit(task.terms, task.work, { value });
        return task;
      };
      const pass = async (seconds: number) => networkHelpers.time.increase(seconds);

      const metered = await submit({});
      await pass(60);
      await asProvider.deliver(metered.terms, metered.workHash, deliveryOf(Outcome.Completed, 60n));

      const fixed = await submit({ price: 8_000n });
      await pass(80);
      await asProvider.deliver(fixed.terms, fixed.workHash, deliveryOf(Outcome.Completed, 80n));

      const open = await submit({
        provider: connection.ethers.ZeroAddress,
        maximum: 2n * PRICE_WEI,
        price: PRICE_WEI | METERED,
        collateral: COLLATERAL_WEI / 4n,
      });
      await pass(50);
      await asProvider.acceptOpen(open.terms, open.work, provider);
      await pass(10);
      await asProvider.deliver(open.terms, open.workHash, deliveryOf(Outcome.Completed, 10n));

      const challenged = await submit({ challengePeriod: 60n, arbiter: stranger.address });
      await pass(30);
      const delivery = deliveryOf(Outcome.Completed, 30n);
      await asProvider.deliver(challenged.terms, challenged.workHash, delivery);
      const context = openMarket({
        runner: connection.ethers.provider,
        deployment: await deploymentOf(fixture),
        storage: () => {
          throw new Error("nothing is stored");
        },
        home: "",
      });
      const before = await readCompass(context);
      expect(before.shapes[0]?.sold.tasks, "what can be challenged is not sold yet").to.equal(3);
      await asOwner.settle(challenged.terms, challenged.workHash, delivery);

      const unwanted = await submit({ price: 5n | METERED });
      await pass(200);
      await market.expire(unwanted.terms, unwanted.workHash);
      const taken = await submit({});
      await asOwner.cancel(taken.terms, taken.workHash);
      const own = await makeTask({ owner: provider.address, resources });
      await asProvider.submit(own.terms, own.work, { value: await market.costOf(own.terms) });
      await pass(20);
      await asProvider.deliver(own.terms, own.workHash, deliveryOf(Outcome.Completed, 20n));

      const { shapes, unreadable } = await readCompass(context);
      expect(unreadable).to.equal(0);
      expect(shapes).to.have.length(1);
      const [price] = shapes;
      expect(price?.shape).to.equal("1 × H100");
      expect(price?.sold).to.include({ tasks: 4, seconds: 60 + 80 + 10 + 30, pairs: 1 });
      expect(price?.sold.rates).to.deep.include({ lowest: 100n, median: PRICE_WEI });
      const highestShare = ((price?.sold.rates?.highest ?? 0n) * 100n) / PRICE_WEI;
      expect(Number(highestShare), "half of its time had passed").to.be.closeTo(150, 5);
      expect(price?.unmet).to.include({ tasks: 1, seconds: Number(DURATION), pairs: 1 });
      expect(price?.unmet.rates?.median).to.equal(5n);

      await networkHelpers.time.increase(8n * DAY);
      expect((await readCompass(context)).shapes, "of the last seven days").to.deep.equal([]);
      expect((await readCompass(context, { seconds: 9 * 86_400 })).shapes).to.have.length(1);
    } finally {
      await connection.close();
    }
  });
});
