import { expect } from "chai";
import fc from "fast-check";

import { KEPT_SPANS, type Look, NO_UPTIME, observe, type Uptime } from "../../../src/market/uptime.ts";

const MAX_GAP_MS = 1000;

/** The record after these looks, one after the other. */
function seen(looks: readonly Look[]): Uptime {
  return looks.reduce(
    (uptime, look, index) => observe(uptime, { last: looks[index - 1], look, maxGapMs: MAX_GAP_MS }),
    NO_UPTIME,
  );
}

/** Looks in time's order. */
const looks = fc
  .array(
    fc.record({
      gapMs: fc.integer({ min: 0, max: 1500 }),
      isUp: fc.boolean(),
      isAgain: fc.boolean(),
    }),
    { maxLength: 60 },
  )
  .map((steps) => {
    let atMs = 0;
    let start = 0;
    return steps.map(({ gapMs, isUp, isAgain }): Look => {
      atMs += gapMs;
      if (isAgain) start++;
      return { atMs, atSeconds: Math.floor(atMs / 1000), isUp, start };
    });
  });

describe("market/uptime", () => {
  it("accounts for all the time between the first and the last look, once", () => {
    fc.assert(
      fc.property(looks, (all) => {
        const { upMs, downMs, unsureMs } = seen(all);
        const elapsedMs = (all.at(-1)?.atMs ?? 0) - (all[0]?.atMs ?? 0);
        expect(upMs + downMs + unsureMs).to.equal(elapsedMs);
      }),
    );
  });

  it("counts as up or down only what two looks in a row saw, of the same start and not too far apart", () => {
    fc.assert(
      fc.property(looks, (all) => {
        const sure = { up: 0, down: 0 };
        for (const [index, look] of all.entries()) {
          const last = all[index - 1];
          if (!last || last.isUp !== look.isUp || last.start !== look.start) continue;
          if (look.atMs - last.atMs <= MAX_GAP_MS) sure[look.isUp ? "up" : "down"] += look.atMs - last.atMs;
        }
        const { upMs, downMs } = seen(all);
        expect({ up: upMs, down: downMs }).to.deep.equal(sure);
      }),
    );
  });

  it("never takes anything back, and keeps its spans in order", () => {
    fc.assert(
      fc.property(looks, (all) => {
        let before = NO_UPTIME;
        for (const [index, look] of all.entries()) {
          const uptime = observe(before, { last: all[index - 1], look, maxGapMs: MAX_GAP_MS });
          for (const name of ["upMs", "downMs", "unsureMs"] as const)
            expect(uptime[name]).to.be.at.least(before[name]);
          expect(uptime.spans.at(-1)).to.include({ isUp: look.isUp, toSeconds: look.atSeconds });
          before = uptime;
        }
        const times = before.spans.flatMap(({ fromSeconds, toSeconds }) => [fromSeconds, toSeconds]);
        expect(times).to.deep.equal(times.toSorted((a, b) => a - b));
      }),
    );
  });

  it("goes on with a record that was written down, without a guess about the time in between", () => {
    const first = seen([look(0, true), look(500, true)]);
    const next = observe(first, { last: undefined, look: look(900, true), maxGapMs: MAX_GAP_MS });
    expect(next).to.include({ upMs: 500, downMs: 0, unsureMs: 0 });
    expect(next.spans).to.have.length(2);
  });

  it("forgets the oldest spans of what comes and goes all the time, and none of the sums", () => {
    const all = Array.from({ length: 2 * KEPT_SPANS }, (_, index) => look(index * 10, index % 2 === 0));
    const { spans, unsureMs } = seen(all);
    expect(spans).to.have.length(KEPT_SPANS);
    expect(unsureMs).to.equal((all.length - 1) * 10);
  });

  it("is not confused by a clock that goes back", () => {
    expect(seen([look(500, true), look(0, true), look(100, true)])).to.include({ upMs: 100, unsureMs: 0 });
  });
});

function look(atMs: number, isUp: boolean): Look {
  return { atMs, atSeconds: Math.floor(atMs / 1000), isUp };
}
