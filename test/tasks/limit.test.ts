import { join } from "node:path";
import { writeFile } from "node:fs/promises";
import { expect } from "chai";
import { JsonRpcProvider, ZeroAddress } from "ethers";

import { type Deployment, writeDeployment } from "../../src/deployment.ts";
import { SpendingLedger } from "../../src/market/limits.ts";
import { Cleanup } from "../src/storage/support.ts";
import { commands, FIRST, startChain } from "./command.ts";

const CURRENCY = { address: ZeroAddress, symbol: "USDC", decimals: 6 };

describe("tasks: limit", function () {
  this.timeout(120_000);
  const cleanup = new Cleanup();
  after(() => cleanup.run());

  it("shows what is committed of the limits, and sets them", async () => {
    const home = cleanup.directory();
    const url = await startChain(cleanup);
    const deployment = await pretendDeployment(url);
    const path = join(home, "deployment.json");
    await writeDeployment(path, deployment);
    const run = commands({ NEURA_RPC_URL: url, NEURA_DEPLOYMENT: path, NEURA_HOME: home });

    const domain = { chainId: 31337n, market: deployment.contracts.TaskMarket };
    const ledger = await SpendingLedger.open({ home, domain, currency: CURRENCY });
    const nowSeconds = Math.floor(Date.now() / 1000);
    ledger.reserve({ taskId: "0xa", costWei: 1_500_000n, nowSeconds });
    ledger.close();
    const shown = await run(["limit", "show"]);
    expect(shown.code, shown.stderr).to.equal(0);
    expect(shown.stdout).to.contain("100 USDC").and.contain("200 USDC, 1.5 USDC of it committed");

    const set = await run(["limit", "set", "--task", "0.5USDC", "--month", "7", "--json"]);
    expect(set.code, set.stderr).to.equal(0);
    expect(set.json).to.include({ taskWei: "500000", hourWei: "200000000", monthWei: "7000000" });
    const json = await run(["limit", "show", "--json"]);
    expect(json.json).to.deep.include({
      schema: "neura/limit-show/1",
      taskWei: "500000",
      hour: { usedWei: "1500000", limitWei: "200000000" },
      unsettled: ["0xa"],
    });

    expect((await run(["limit", "set"])).code, "without any").to.equal(2);
    await writeFile(join(home, "limits.json"), "{");
    const part = await run(["limit", "set", "--task", "1", "--json"]);
    expect(part.json["error"]).to.include({ code: "limit.bad-file" });
    const whole = await run(["limit", "set", "--task", "1", "--hour", "2", "--month", "3", "--json"]);
    expect(whole.json).to.include({ taskWei: "1000000", hourWei: "2000000", monthWei: "3000000" });
  });
});

/** Any code at the contracts' addresses: limits ask the chain for no more. */
async function pretendDeployment(url: string): Promise<Deployment> {
  const provider = new JsonRpcProvider(url);
  await provider.send("hardhat_setCode", [FIRST, "0x00"]);
  provider.destroy();
  return {
    schema: "neura/deployment/1",
    chainId: 31337,
    block: 0,
    contracts: {
      KeyRegistry: FIRST,
      ProviderRegistry: FIRST,
      ModelRegistry: FIRST,
      TaskMarket: FIRST,
      ProviderRewards: FIRST,
    },
    currency: CURRENCY,
  };
}
