import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import fc from "fast-check";

import { messageOf } from "../../../src/errors.ts";
import { ChainClock } from "../../../src/provider/clock.ts";
import { type NodeEvent, writeEvents } from "../../../src/provider/log.ts";
import { Slots } from "../../../src/provider/slots.ts";
import { Secret } from "../../../src/secret.ts";
import { errorOf } from "../storage/support.ts";

const never = new AbortController().signal;

describe("Slots", () => {
  it("lets no more in than there are places, and of those that wait the most urgent", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 4 }),
        fc.array(fc.nat(50), { maxLength: 20 }),
        async (count, deadlines) => {
          const slots = new Slots(count);
          const order: number[] = [];
          let inside = 0;
          let most = 0;
          await Promise.all(
            deadlines.map(async (deadline) => {
              const leave = await slots.acquire(deadline, never);
              inside += 1;
              most = Math.max(most, inside);
              order.push(deadline);
              await sleep(0);
              inside -= 1;
              leave();
              leave();
            }),
          );
          expect(most).to.be.at.most(count);
          expect(order.slice(count)).to.deep.equal(order.slice(count).toSorted((a, b) => a - b));
        },
      ),
      { numRuns: 30 },
    );
  });

  it("lets those go that no longer wait, and counts work that was there before", async () => {
    const slots = new Slots(1);
    const leave = slots.take();
    const abort = new AbortController();
    const gone = slots.acquire(1, abort.signal);
    const waiting = slots.acquire(2, never);
    abort.abort(new Error("gone"));
    expect(await messageFrom(gone)).to.equal("gone");
    leave();
    (await waiting)();
    (await slots.acquire(3, never))();
  });
});

describe("ChainClock", () => {
  it("N14_ goes by the chain's time, whatever this machine's clock says", async () => {
    const clock = new ChainClock();
    clock.set(5_000);
    expect(clock.now()).to.equal(5_000);
    clock.set(9_000);
    expect(await clock.before(9_100, never, () => Promise.resolve("done"))).to.equal("done");
    const waiting = clock.before(9_100, never, (signal) => sleep(10_000, undefined, { signal }));
    clock.set(9_101);
    expect((await errorOf(waiting)).code).to.equal("provider.late");
    expect((await errorOf(clock.before(9_000, never, () => sleep(1)))).code).to.equal("provider.late");
  });

  it("goes on between two blocks", async () => {
    const clock = new ChainClock();
    clock.set(1_000);
    await sleep(1_100);
    clock.set(1_000);
    expect(clock.now()).to.equal(1_001);
  });

  it("prefers the caller's reason over its own", async () => {
    const clock = new ChainClock();
    clock.set(10);
    const abort = new AbortController();
    const waiting = clock.before(20, abort.signal, (signal) => sleep(10_000, undefined, { signal }));
    abort.abort(new Error("stopped"));
    expect(await messageFrom(waiting)).to.equal("stopped");
  });
});

describe("writeEvents", () => {
  const event: NodeEvent = {
    level: "info",
    event: "delivered",
    task: `0x${"ab".repeat(32)}`,
    earnedWei: 5n,
    outcome: "All well",
  };
  const lines = (options: Parameters<typeof writeEvents>[1], ...events: NodeEvent[]): string[] => {
    const written: string[] = [];
    const write = writeEvents((line) => void written.push(line), { now: () => new Date(0), ...options });
    for (const each of events) write(each);
    return written;
  };

  it("writes JSON, amounts as decimal text", () => {
    const [line] = lines({ json: true }, event);
    expect(JSON.parse(line!)).to.deep.equal({ time: "1970-01-01T00:00:00.000Z", ...event, earnedWei: "5" });
  });

  it("writes lines for people", () => {
    expect(lines({ json: false }, event, { level: "warn", event: "holding", reason: "disk" })).to.deep.equal([
      `00:00:00.000 delivered 0xabababab… earnedWei=5 outcome="All well"\n`,
      "00:00:00.000 WARN holding reason=disk\n",
    ]);
  });

  it("leaves out what is below its level", () => {
    expect(lines({ json: false, level: "warn" }, event)).to.deep.equal([]);
    expect(lines({ json: false, level: "debug" }, { level: "debug", event: "read" })).to.have.length(1);
  });

  it("N16_ does not print a secret that got into an event", () => {
    const secret: unknown = new Secret("topsecret");
    const leak = { ...event, secret } as NodeEvent;
    for (const json of [true, false]) expect(lines({ json }, leak).join("")).not.to.include("topsecret");
  });
});

async function messageFrom(work: Promise<unknown>): Promise<string> {
  return await work.then(() => "it did not reject", messageOf);
}
