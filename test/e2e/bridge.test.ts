import { expect } from "chai";

import { killAtRandom } from "../../scripts/bench/bridge/kills.ts";
import { BridgeStage } from "../../scripts/bench/bridge/stage.ts";
import { Cleanup } from "../src/storage/support.ts";

const ANKR = 10n ** 18n;
const FEE = ANKR / 100n;

describe("the bridge as processes: two chains, three attesters and a relayer", function () {
  this.timeout(180_000);
  const cleanup = new Cleanup();
  let stage: BridgeStage;
  before(async () => {
    stage = await BridgeStage.open(cleanup.directory(), AbortSignal.timeout(120_000));
    cleanup.add(() => stage.close());
    for (const name of stage.names) stage.start(name);
  });
  after(() => cleanup.run());

  it("I15_takes ANKR there and back", async () => {
    expect((await stage.look()).breaches).to.deep.equal([]);
    const there = await stage.send("home", 50n * ANKR);
    const arrived = await stage.settled(60_000);
    expect(arrived).to.deep.include({ breaches: [], lockedWei: 50n * ANKR - FEE });
    expect(arrived.circulatingWei).to.equal(50n * ANKR - FEE);
    expect(await stage.paymentsOf("home", [there])).to.deep.equal([{ times: 1, wei: 50n * ANKR - FEE }]);
    const back = await stage.send("far", 20n * ANKR);
    const returned = await stage.settled(60_000);
    expect(returned).to.deep.include({ breaches: [], lockedWei: 30n * ANKR, circulatingWei: 30n * ANKR });
    expect(await stage.paymentsOf("far", [back])).to.deep.equal([{ times: 1, wei: 20n * ANKR - FEE }]);
  });

  it("I15_pays each transfer once, whichever process is killed", async () => {
    // Always the same order, at moments that differ all the same. See `./neura bench bridge` for many.
    let state = 7;
    const random = (): number => (state = (state * 16_807) % 2_147_483_647) / 2_147_483_647;
    const report = await killAtRandom(stage, {
      ...{ names: ["attester 1", "relayer"], kills: 1, pauseMs: 300, random, timeoutMs: 90_000 },
    });
    expect(report).to.deep.include({ breaches: [], wrong: [], transfers: 3, looks: 2 });
  });
});
