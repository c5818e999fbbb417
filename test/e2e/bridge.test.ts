import { expect } from "chai";

import { killAtRandom } from "../../scripts/bench/bridge/kills.ts";
import { BridgeStage } from "../../scripts/bench/bridge/stage.ts";
import { Cleanup } from "../src/storage/support.ts";

describe("the bridge as processes: two chains, three attesters and a relayer", function () {
  this.timeout(180_000);
  const cleanup = new Cleanup();
  let stage: BridgeStage;
  before(async () => {
    stage = await BridgeStage.open(cleanup.directory(), AbortSignal.timeout(120_000));
    cleanup.add(() => stage.close());
    stage.startServices();
  });
  after(() => cleanup.run());

  it("I15_pays each transfer once, there and back, whichever process is killed, a chain too", async () => {
    // Always the same order, at moments that differ all the same. See `./neura bench bridge` for many.
    let state = 7;
    const random = (): number => (state = (state * 16_807) % 2_147_483_647) / 2_147_483_647;
    const report = await killAtRandom(stage, {
      ...{ names: ["home chain", "relayer"], kills: 1, pauseMs: 300, random },
      timeoutMs: 90_000,
    });
    expect(report).to.deep.include({ breaches: [], wrong: [], transfers: 3, looks: 2 });
    expect(report.sent.far).to.be.greaterThan(0);
  });
});
