import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import fc from "fast-check";

import { Places } from "../../../../src/provider/quotes/places.ts";
import { Cleanup, errorOf } from "../../storage/support.ts";

function idOf(index: number): string {
  return `0x${(index + 1).toString(16).padStart(64, "0")}`;
}

describe("places that are promised", () => {
  const cleanup = new Cleanup();
  after(() => cleanup.run());

  async function open(path = join(cleanup.directory(), "quotes.json")): Promise<{
    places: Places;
    path: string;
    ask: (task: number, free: number, now: number) => Promise<bigint | undefined>;
  }> {
    const places = await Places.open(path);
    const ask = async (task: number, free: number, now: number): Promise<bigint | undefined> =>
      await places.promise(idOf(task), { free, nowSeconds: now, untilSeconds: now + 60 });
    return { places, path, ask };
  }

  it("are promised to several owners, evenly, and each owner is told the same again", async () => {
    const { ask } = await open();
    const nonces = [await ask(0, 2, 0), await ask(1, 2, 0), await ask(2, 2, 0), await ask(3, 2, 0)];
    expect(new Set(nonces).size).to.equal(2);
    expect(nonces[0]).not.to.equal(nonces[1]);
    expect(nonces.slice(2).toSorted()).to.deep.equal(nonces.slice(0, 2).toSorted());
    expect(await ask(2, 2, 30)).to.equal(nonces[2]);
  });

  it("are none where none is free", async () => {
    const { ask } = await open();
    expect(await ask(0, 0, 0)).to.equal(undefined);
    const nonce = await ask(0, 1, 0);
    expect(nonce).to.be.a("bigint");
    expect(await ask(0, 0, 0)).to.equal(undefined);
    expect(await ask(1, 1, 0)).to.equal(nonce);
  });

  it("get a new nonce once taken, and when the last promise is over", async () => {
    const { ask, places } = await open();
    const first = await ask(0, 1, 0);
    expect(await ask(1, 1, 0)).to.equal(first);
    expect(await places.take(idOf(7))).to.equal(false);
    expect(await places.take(idOf(1))).to.equal(true);
    const second = await ask(2, 1, 0);
    expect(second).not.to.equal(first);
    expect(await ask(0, 1, 0)).to.equal(second);
    expect(await ask(3, 1, 60)).to.equal(second);
    expect(await ask(4, 1, 121)).not.to.equal(second);
  });

  it("are remembered by the next process, and no nonce comes twice", async () => {
    const { ask, path } = await open();
    const first = await ask(0, 1, 0);
    const again = await open(path);
    expect(await again.ask(1, 1, 0)).to.equal(first);
    expect(await again.places.take(idOf(0))).to.equal(true);
    const lost = await open();
    expect((await lost.ask(0, 1, 0))! >> 16n >= first! >> 16n).to.equal(true);
  });

  it("N_ no two tasks that were taken had the same nonce, whatever happens", async () => {
    const step = fc.record({
      task: fc.integer({ min: 0, max: 9 }),
      free: fc.integer({ min: 0, max: 3 }),
      wait: fc.integer({ min: 0, max: 40 }),
      isTaken: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        const { ask, places } = await open();
        const taken = new Map<number, bigint>();
        let now = 0;
        for (const { task, free, wait, isTaken } of steps) {
          now += wait;
          if (taken.has(task)) continue;
          const nonce = await ask(task, free, now);
          expect(nonce === undefined).to.equal(free === 0);
          // The contract takes the first of each nonce only.
          if (nonce === undefined || !isTaken || [...taken.values()].includes(nonce)) continue;
          taken.set(task, nonce);
          await places.take(idOf(task));
        }
        expect(new Set(taken.values()).size).to.equal(taken.size);
        const after = await ask(100, 1, now);
        expect([...taken.values()]).not.to.include(after);
      }),
      { numRuns: 25 },
    );
  });

  it("are not guessed from a file that was spoiled", async () => {
    const path = join(cleanup.directory(), "quotes.json");
    for (const text of [
      "{",
      "{}",
      '{"schema":"neura/quote-places/1","next":"1","nonces":[7],"promised":[]}',
    ]) {
      writeFileSync(path, text);
      expect(await errorOf(Places.open(path)), text).to.have.property("code", "quotes.invalid");
    }
  });
});
