import { expect } from "chai";

import { freePort } from "../../scripts/demo/processes.ts";
import { stopRuns } from "../../scripts/demo/stage.ts";
import { connectLease } from "../../src/market/lease.ts";
import { Cleanup } from "../src/storage/support.ts";
import { ProcessStage } from "../src/provider/processes.ts";
import { killApplication, processesIn, until } from "../src/provider/runner/support.ts";

const STAKE_WEI = 10n ** 16n;
const RATE_WEI = 10n ** 15n;
const BEAT_SECONDS = 10;

describe("a lease, from its order to its end", function () {
  this.timeout(120_000);
  const cleanup = new Cleanup();
  after(() => cleanup.run());

  it("answers its owner, is killed and comes back, and is paid for the time in which it was up", async () => {
    const stage = await ProcessStage.create(cleanup);
    const provider = await stage.registerWithStake(2, STAKE_WEI);
    await stage.setPolicy(provider, { leases: { listen: `127.0.0.1:${await freePort()}` } });
    cleanup.add(() => stopRuns(stage.taskFolder(provider, "..")));
    const { client, market } = stage;
    const node = stage.startNode(provider);
    await node.event("started");

    const id = await stage.submit(provider.address, {
      source: { files: [] },
      durationSeconds: 600,
      collateralWei: STAKE_WEI,
      lease: { heartbeatSeconds: BEAT_SECONDS, noticeSeconds: 60, idleStopSeconds: 0 },
    });
    const escrowedWei = 600n * RATE_WEI;
    const before = await balances();
    await node.event("up");
    const folder = `${stage.taskFolder(provider, id)}/run-1`;
    const lease = connectLease(await client.ticket(id));
    cleanup.add(() => lease.close());
    const answer = async (body: string): Promise<string> => await (await lease.request("/", { body })).text();
    expect(await answer("hello")).to.equal("hello");

    // The meter runs.
    await beat();
    const { upSeconds: first } = await market.leaseOf(id);
    expect(first >= 8n).to.be.true;

    // kill -9 in the middle; what watches over the service starts it again.
    await killApplication(folder);
    await until(async () => (await lease.probe()).restarts === 1);
    await until(async () => (await answer("back").catch(() => "")) === "back");
    // Its node, which has said before that it is up, has seen that, too.
    await until(() => node.events.filter(({ event }) => String(event).startsWith("service-")).length >= 2);

    // The silence in which that was is not paid for; then the meter runs on.
    await beat(BEAT_SECONDS + 1);
    expect((await market.leaseOf(id)).upSeconds).to.equal(first);
    await beat();
    const { upSeconds: third } = await market.leaseOf(id);
    expect(third >= first + 8n && third <= first + 10n, `${first} ${third}`).to.be.true;

    await stage.close(id);
    expect(await node.event("settled")).to.include({ task: id, outcome: "OwnerClosed" });
    const { upSeconds, readyAt, endsAt } = await market.leaseOf(id);
    expect(upSeconds <= endsAt - readyAt - 11n, `${upSeconds}`).to.be.true;
    expect(await answer("still there?").catch(() => "gone")).not.to.equal("still there?");

    // What was escrowed is all there is.
    const paid = upSeconds * RATE_WEI;
    const fee = (paid * 250n) / 10_000n;
    const after = await balances();
    expect(after).to.deep.equal({
      owner: before.owner + escrowedWei - paid,
      provider: before.provider + paid - fee,
      fees: before.fees + fee,
      market: before.market,
    });
    await node.stop();
    expect(processesIn(folder)).to.deep.equal([]);

    async function beat(seconds = BEAT_SECONDS * 0.8): Promise<void> {
      const { lastHeartbeat } = await market.leaseOf(id);
      await stage.passSeconds(seconds);
      await until(async () => (await market.leaseOf(id)).lastHeartbeat > lastHeartbeat);
    }

    async function balances() {
      return {
        owner: await market.balanceOf(stage.ownerAddress),
        provider: await market.balanceOf(provider.address),
        fees: await market.feesDue(provider.address),
        market: await stage.provider.getBalance(await market.getAddress()),
      };
    }
  });
});
