import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { expect } from "chai";
import fc from "fast-check";

import type { NeuraError } from "../../../src/errors.ts";
import {
  defaultLimits,
  type Limits,
  limitsPath,
  loadLimits,
  lowerLimits,
  parseLimits,
  saveLimits,
  SpendingLedger,
} from "../../../src/market/limits.ts";
import { moduleUrl, spawnModule } from "../../../src/process.ts";
import { Cleanup, errorOf } from "../storage/support.ts";

const CURRENCY = { symbol: "ANKR", decimals: 18 };
const UNIT = 10n ** 18n;
const DOMAIN = { chainId: 267n, market: "0x1111111111111111111111111111111111111111" };
const NOW = 1_800_000_000;
const MONTH = 30 * 24 * 3600;

/** What a call throws. */
function thrownBy(work: () => unknown): NeuraError | undefined {
  try {
    work();
  } catch (error) {
    return error as NeuraError;
  }
  return undefined;
}

describe("limits", () => {
  const cleanup = new Cleanup();
  let home: string;
  beforeEach(() => {
    home = cleanup.directory();
  });
  afterEach(() => cleanup.run());

  it("are on by default, in units of whatever the market is paid in", async () => {
    expect(await loadLimits(home, CURRENCY)).to.deep.equal({
      taskWei: 100n * UNIT,
      hourWei: 200n * UNIT,
      monthWei: 2_000n * UNIT,
    });
    expect(defaultLimits({ symbol: "USDC", decimals: 6 }).taskWei).to.equal(100_000_000n);
  });

  it("are read as they were set", async () => {
    const amount = fc.bigInt({ min: 0n, max: 10n ** 30n });
    await fc.assert(
      fc.asyncProperty(amount, amount, amount, async (taskWei, hourWei, monthWei) => {
        await saveLimits(home, { taskWei, hourWei, monthWei }, CURRENCY);
        expect(await loadLimits(home, CURRENCY)).to.deep.equal({ taskWei, hourWei, monthWei });
      }),
      { numRuns: 20 },
    );
  });

  it("name all faults of their file at once, and stop everything until it is right", async () => {
    const text = '{"schema":"neura/limits/2","task":100,"hour":"1.5 DOGE","week":"1","month":"3"}';
    const error = thrownBy(() => parseLimits(text, CURRENCY, "limits.json"));
    expect(error).to.have.property("code", "limit.bad-file");
    expect(error?.message)
      .to.contain("4 faults")
      .and.contain("schema is not neura/limits/1")
      .and.contain("task is no amount")
      .and.contain("hour is no amount")
      .and.contain("week is unknown");
    await writeFile(limitsPath(home), "100");
    const refused = await errorOf(SpendingLedger.open({ home, domain: DOMAIN, currency: CURRENCY }));
    expect(refused.code).to.equal("limit.bad-file");
  });

  it("can only be lowered by a task's own file", () => {
    const amount = fc.bigInt({ min: 0n, max: 10n });
    const limits = fc.record({ taskWei: amount, hourWei: amount, monthWei: amount });
    fc.assert(
      fc.property(limits, fc.record(limitsOf(amount), { requiredKeys: [] }), (all, own) => {
        const lowered = lowerLimits(all, own);
        for (const name of ["taskWei", "hourWei", "monthWei"] as const) {
          expect(lowered[name] <= all[name]).to.equal(true);
          expect(lowered[name]).to.be.oneOf([all[name], own[name]]);
          if (own[name] !== undefined) expect(lowered[name] <= own[name]).to.equal(true);
        }
      }),
    );
  });
});

describe("SpendingLedger", function () {
  this.timeout(30_000);
  const cleanup = new Cleanup();
  let home: string;
  beforeEach(() => {
    home = cleanup.directory();
  });
  afterEach(() => cleanup.run());

  async function open(limits?: Limits, domain = DOMAIN): Promise<SpendingLedger> {
    if (limits !== undefined) await saveLimits(home, limits, CURRENCY);
    const ledger = await SpendingLedger.open({ home, domain, currency: CURRENCY });
    cleanup.add(() => ledger.close());
    return ledger;
  }

  it("N11_refuses with the numbers and with what to do, and commits nothing then", async () => {
    const ledger = await open();
    const reserve = (taskId: string, units: bigint, nowSeconds = NOW) =>
      thrownBy(() => ledger.reserve({ taskId, costWei: units * UNIT, nowSeconds }));

    const task = reserve("0xa", 101n);
    expect(task).to.have.property("code", "limit.task");
    expect(task?.message).to.contain("101 ANKR").and.contain("100 ANKR");
    expect(task?.next).to.contain("limit set --task");

    expect(reserve("0xa", 100n)).to.equal(undefined);
    expect(reserve("0xb", 60n, NOW + 100)).to.equal(undefined);
    const hour = reserve("0xc", 50n, NOW + 200);
    expect(hour).to.have.property("code", "limit.hour");
    expect(hour?.message).to.contain("50 ANKR").and.contain("200 ANKR").and.contain("160 ANKR");
    expect(hour?.details).to.deep.equal({
      costWei: 50n * UNIT,
      usedWei: 160n * UNIT,
      limitWei: 200n * UNIT,
      roomAtSeconds: NOW + 3600,
    });
    expect(hour?.next).to.contain(new Date((NOW + 3600) * 1000).toISOString());
    expect(ledger.usage(NOW + 200).hour.usedWei).to.equal(160n * UNIT);
    expect(reserve("0xc", 50n, NOW + 3600), "when it said so").to.equal(undefined);

    for (let hours = 2; hours < 20; hours++)
      expect(reserve(`0x${hours}`, 99n, NOW + hours * 3600)).to.equal(undefined);
    const month = reserve("0xd", 20n, NOW + 20 * 3600);
    expect(month).to.have.property("code", "limit.month");
    expect(month?.details).to.include({ roomAtSeconds: NOW + MONTH });
  });

  it("takes the limits of a task's own file where they are lower", async () => {
    const ledger = await open();
    const task = { taskId: "0xa", costWei: 20n * UNIT, nowSeconds: NOW };
    const low = { taskWei: 19n * UNIT };
    expect(thrownBy(() => ledger.reserve({ ...task, limits: low }))).to.have.property("code", "limit.task");
    const high = { taskWei: 1_000n * UNIT, hourWei: 1_000n * UNIT };
    const costWei = 150n * UNIT;
    expect(thrownBy(() => ledger.reserve({ ...task, costWei, limits: high }))).to.have.property(
      "code",
      "limit.task",
    );
  });

  it("N27_commits a task once however often it is submitted, and a top-up by its difference", async () => {
    const ledger = await open();
    const usedWei = () => ledger.usage(NOW).hour.usedWei;
    const reserve = (costWei: bigint) => ledger.reserve({ taskId: "0xAB", costWei, nowSeconds: NOW });
    reserve(10n);
    ledger.reserve({ taskId: "0xab", costWei: 10n, nowSeconds: NOW + 5 });
    reserve(7n);
    expect(usedWei()).to.equal(10n);
    reserve(25n);
    expect(usedWei()).to.equal(25n);
    expect(ledger.unsettled()).to.deep.equal(["0xab"]);
    expect(thrownBy(() => reserve(100n * UNIT + 1n))).to.have.property("code", "limit.task");
  });

  it("gives back what was not paid, and what was never sent, as every process sees it", async () => {
    let ledger = await open();
    ledger.reserve({ taskId: "0xa", costWei: 30n, nowSeconds: NOW - 4_000 });
    ledger.reserve({ taskId: "0xa", costWei: 50n, nowSeconds: NOW });
    ledger.reserve({ taskId: "0xb", costWei: 5n, nowSeconds: NOW });
    ledger.settle("0xA", 36n);
    ledger.settle("0xunknown", 9n);
    expect(ledger.usage(NOW).hour.usedWei, "the first 30 are of another hour").to.equal(11n);
    expect(ledger.usage(NOW).month.usedWei).to.equal(41n);

    ledger = await open();
    expect(ledger.unsettled()).to.deep.equal(["0xb"]);
    ledger.settle("0xa", 4n); // a ruling gave the owner more
    expect(ledger.usage(NOW).month.usedWei).to.equal(9n);
    ledger.reserve({ taskId: "0xa", costWei: 50n, nowSeconds: NOW });
    expect(ledger.usage(NOW).month.usedWei, "a task that has ended").to.equal(9n);
    ledger.release("0xa");
    ledger.release("0xb");
    expect(ledger.usage(NOW).month.usedWei).to.equal(4n);
    ledger.reserve({ taskId: "0xb", costWei: 6n, nowSeconds: NOW });
    expect(ledger.usage(NOW).month.usedWei).to.equal(10n);
  });

  it("keeps markets apart", async () => {
    const [one, other] = [await open(), await open(undefined, { ...DOMAIN, chainId: 1n })];
    one.reserve({ taskId: "0xa", costWei: 10n, nowSeconds: NOW });
    expect(other.usage(NOW).hour.usedWei).to.equal(0n);
  });

  it("N11_never has more in any hour or month than the limits, whatever is asked in whatever order", async () => {
    const limits = { taskWei: 50n, hourWei: 100n, monthWei: 300n };
    const step = fc.record({
      task: fc.nat(12),
      costWei: fc.bigInt({ min: 0n, max: 60n }),
      wait: fc.oneof(fc.nat(1_800), fc.nat(MONTH / 3)),
      settled: fc.option(fc.bigInt({ min: 0n, max: 100n }), { freq: 3 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 20 }), async (steps) => {
        const ledger = await open(limits, { ...DOMAIN, chainId: BigInt(cleanupCount++) });
        /** What the ledger should hold: of each task, when what was committed, and what was paid in the end. */
        const model = new Map<number, { parts: { at: number; wei: bigint }[]; ended: boolean }>();
        const usedWei = (now: number, seconds: number) =>
          [...model.values()]
            .flatMap(({ parts }) => parts)
            .filter(({ at }) => at > now - seconds)
            .reduce((sum, { wei }) => sum + wei, 0n);
        let now = NOW;
        for (const { task, costWei, wait, settled } of steps) {
          now += wait;
          const known = model.get(task) ?? { parts: [], ended: false };
          const heldWei = known.parts.reduce((sum, { wei }) => sum + wei, 0n);
          const addedWei = known.ended || costWei <= heldWei ? 0n : costWei - heldWei;
          const expected =
            addedWei === 0n
              ? undefined
              : costWei > 50n
                ? "limit.task"
                : usedWei(now, 3600) + addedWei > 100n
                  ? "limit.hour"
                  : usedWei(now, MONTH) + addedWei > 300n
                    ? "limit.month"
                    : undefined;
          const error = thrownBy(() => ledger.reserve({ taskId: `0x${task}`, costWei, nowSeconds: now }));
          expect(error?.code).to.equal(expected);
          if (error === undefined && addedWei > 0n) {
            model.set(task, { parts: [...known.parts, { at: now, wei: addedWei }], ended: false });
          }
          const roomAt = Number(error?.details["roomAtSeconds"] ?? Infinity);
          if (roomAt < Infinity) {
            const windowSeconds = error?.code === "limit.hour" ? 3600 : MONTH;
            const limitWei = error?.code === "limit.hour" ? 100n : 300n;
            expect(usedWei(roomAt, windowSeconds) + addedWei <= limitWei).to.equal(true);
            expect(usedWei(roomAt - 1, windowSeconds) + addedWei > limitWei).to.equal(true);
          }
          const open = model.get(task);
          if (settled !== null && open !== undefined && !open.ended) {
            const totalWei = open.parts.reduce((sum, { wei }) => sum + wei, 0n);
            let leftWei = settled < totalWei ? settled : totalWei;
            ledger.settle(`0x${task}`, leftWei);
            const parts = open.parts.map(({ at, wei }) => {
              const paid = leftWei < wei ? leftWei : wei;
              leftWei -= paid;
              return { at, wei: paid };
            });
            model.set(task, { parts, ended: true });
          }
          const { hour, month } = ledger.usage(now);
          expect(hour.usedWei).to.equal(usedWei(now, 3600));
          expect(month.usedWei).to.equal(usedWei(now, MONTH));
          expect(hour.usedWei <= 100n && month.usedWei <= 300n).to.equal(true);
        }
      }),
      { numRuns: 15 },
    );
  });

  it("N11_keeps to the limits when several processes spend at once, from the first moment on", async () => {
    await saveLimits(home, { taskWei: 10n, hourWei: 200n, monthWei: 1_000n }, CURRENCY);
    const spend = moduleUrl(import.meta.url, "./spend");
    const children = ["a", "b", "c"].map((name) =>
      spawnModule(spend, { arguments: [home, name], stdio: ["ignore", "pipe", "inherit"] }),
    );
    const outputs = children.map(async (child) => {
      let text = "";
      child.stdout?.setEncoding("utf8").on("data", (piece: string) => (text += piece));
      const [code] = (await once(child, "close")) as [number | null];
      expect(code).to.equal(0);
      return Number(text);
    });
    const reserved = (await Promise.all(outputs)).reduce((sum, each) => sum + each, 0);
    expect(reserved, "of 3 × 20 tasks of 7 wei").to.equal(28);
    expect((await open()).usage(NOW).hour.usedWei).to.equal(196n);
  });
});

let cleanupCount = 1;

function limitsOf(amount: fc.Arbitrary<bigint>) {
  return { taskWei: amount, hourWei: amount, monthWei: amount };
}
