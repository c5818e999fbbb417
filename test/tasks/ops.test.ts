import { join } from "node:path";
import { expect } from "chai";

import { Cleanup } from "../src/storage/support.ts";
import { commands, FIRST, startChain } from "./command.ts";

describe("tasks: market, ops", function () {
  this.timeout(120_000);
  const cleanup = new Cleanup();
  after(() => cleanup.run());

  it("shows prices and rewards of a market, and finds it as its events say", async () => {
    const home = cleanup.directory();
    const url = await startChain(cleanup);
    const run = commands({
      ...{ NEURA_RPC_URL: url, NEURA_HOME: home, NEURA_DEPLOYMENT: join(home, "deployment.json") },
    });
    const deployed = await run(["deploy"]);
    expect(deployed.code, deployed.stderr).to.equal(0);

    const [prices, nothing, wrong] = await Promise.all([
      run(["market", "price", "--json"]),
      run(["market", "price", "--shape", "gpus=1,gpu=H100"]),
      run(["market", "price", "--days", "0", "--json"]),
    ]);
    expect(prices.code, prices.stderr).to.equal(0);
    expect(prices.json).to.deep.include({ schema: "neura/market-price/1", unreadable: 0, shapes: [] });
    expect(nothing.stdout).to.contain("Nothing like 1 × H100 was sold or asked for in 7 days.");
    expect(wrong.code).to.equal(2);

    const recorded = await run(["ops", "rewards", "record", "--json"]);
    expect(recorded.code, recorded.stderr).to.equal(0);
    const [shown, claimed, recomputed] = await Promise.all([
      run(["ops", "rewards", "show", "--json"]),
      run(["ops", "rewards", "claim", "--provider", FIRST, "--json"]),
      run(["ops", "recompute", "--json"]),
    ]);
    expect(shown.json).to.deep.include({ provider: FIRST, potWei: "0", unrecordedWei: "0", epochs: [] });
    expect(shown.json["joinedAtSeconds"]).to.be.a("number");
    expect(claimed.code).to.equal(1);
    expect(claimed.json["error"]).to.include({ code: "rewards.nothing" });
    expect(recomputed.code, recomputed.stdout).to.equal(0);
    expect(recomputed.json).to.deep.include({
      schema: "neura/ops-recompute/1",
      differences: [],
      unreadable: 0,
    });
    const text = await run(["ops", "recompute"]);
    expect(text.stdout).to.contain("The chain says the same.");
  });
});
