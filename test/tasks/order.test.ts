import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { expect } from "chai";
import { network } from "hardhat";

import type { StoredKey } from "../../src/keystore.ts";
import { encodeTerms, workHash } from "../../src/market/terms.ts";
import { marketAt } from "../contracts/market/deploy.ts";
import { Cleanup } from "../src/storage/support.ts";
import {
  type Account,
  createWorld,
  deliverResult,
  fileIn,
  STAKE_WEI,
  type World,
} from "../src/market/support.ts";
import { commands, environmentOf, SECOND, SECOND_KEY, startChain } from "./command.ts";

describe("tasks: orders, disputes, leases, models", function () {
  this.timeout(180_000);
  const cleanup = new Cleanup();
  let world: World;
  let provider: { account: Account; key: StoredKey };
  let run: ReturnType<typeof commands>;
  let directory: string;
  let file: string;

  before(async () => {
    const url = await startChain(cleanup);
    const connection = await network.create({ network: "local", override: { url } });
    world = await createWorld(cleanup, { connection });
    const [account] = world.others;
    if (account === undefined) throw new Error("no account");
    provider = { account, key: await world.register(account, { stakeWei: 2n * STAKE_WEI }) };
    directory = cleanup.directory();
    file = await fileIn(directory, "scan.png", "a picture");
    run = commands(await environmentOf(world, { url, directory }));
  });
  after(() => cleanup.run());

  it("signs an order that another account sponsors, and takes it back", async () => {
    const path = join(directory, "order.json");
    const signed = await run(["task", "submit", file, "--duration", "1m", "--sign-only", path, "--json"]);
    expect(signed.code, signed.stderr).to.equal(0);
    expect(signed.json).to.include({ schema: "neura/task-submit/1", isSigned: true, path });
    const other = { NEURA_PRIVATE_KEY: SECOND_KEY, NEURA_HOME: cleanup.directory() };
    const poor = await run(["order", "submit", path, "--json"], other);
    expect(poor.code).to.equal(1);
    expect(poor.json["error"]).to.include({ code: "wallet.insufficient-funds" });
    const sent = await run(["order", "submit", path, "--sponsor", "--json"], other);
    expect(sent.code, sent.stderr).to.equal(0);
    expect(sent.json).to.include({ id: signed.json["id"], costWei: "60000000000000" });
    const again = await run(["order", "submit", path], other);
    expect(again.stdout).to.contain("sent earlier: it was paid once");
    const shown = await run(["order", "show", path, "--json"]);
    expect(shown.json).to.include({ status: "Funded", isSigned: true });
    const status = await run(["task", "status", String(signed.json["id"])]);
    expect(status.stdout).to.match(new RegExp(`Sponsor +${SECOND}`));
    const changed = join(directory, "changed.json");
    writeFileSync(changed, readFileSync(path, "utf8").replace('"chainId": 31337', '"chainId": 5'));
    expect((await run(["order", "submit", changed, "--json"])).json["error"]).to.include({
      code: "order.invalid",
    });
  });

  it("shows what a dispute takes, disputes, rules, and settles the money", async () => {
    const created = await run(["arbiter", "create", "--fee-bps", "500", "--time", "1d", "--json"], {
      NEURA_PRIVATE_KEY: SECOND_KEY,
    });
    expect(created.code, created.stderr).to.equal(0);
    expect(created.json).to.include({ schema: "neura/arbiter-create/1", arbiter: SECOND, feeBps: 500 });
    const arbiter = String(created.json["address"]);
    const half = await run(["task", "submit", file, "--challenge", "1h"]);
    expect(half.code).to.equal(2);
    const words = ["task", "submit", file, "--duration", "1m", "--challenge", "1h", "--arbiter", arbiter];
    const { json, code, stderr } = await run([...words, "--collateral", "10000wei", "--json"]);
    expect(code, stderr).to.equal(0);
    const id = String(json["id"]);
    const status = await world.client.status(id);
    const market = marketAt(world.deployment.contracts.TaskMarket, provider.account);
    await market.accept(encodeTerms(status.terms), workHash(status.work));
    await deliverResult(world, status, provider);
    const dry = await run(["task", "dispute", id, "--dry-run"]);
    expect(dry.stdout).to.match(/Bond +0.000006 ANKR, of it 0.000003 ANKR for the arbiter/);
    expect(dry.stdout).to.match(/Worth it +from a chance of [\d.]+ % on/);
    const dear = await run(["task", "dispute", id, "--max-bond", "1wei", "--json"]);
    expect(dear.json["error"]).to.include({ code: "dispute.bond-too-high" });
    const disputed = await run(["task", "dispute", id, "--unit", "2", "--json"]);
    expect(disputed.code, disputed.stderr).to.equal(0);
    await world.connection.networkHelpers.time.increase(250);
    const ruled = await run(["arbiter", "rule", id, "0"], { NEURA_PRIVATE_KEY: SECOND_KEY });
    expect(ruled.code, ruled.stderr).to.equal(0);
    expect(ruled.stdout).to.match(/Status +Resolved: RuledForOwner, the provider's fault/);
    expect(ruled.stdout).to.match(/Slashed +0.00000000000001 ANKR of the provider's stake/);
    const settled = await run(["task", "settle", id]);
    expect(settled.code).to.equal(1);
    expect(settled.stderr).to.contain("it has ended (RuledForOwner)");
  });

  it("disputes what an audit finds wrong where that is worth it, and says why it does not elsewhere", async () => {
    const created = await run(["arbiter", "create", "--fee-bps", "500", "--time", "2d", "--json"], {
      NEURA_PRIVATE_KEY: SECOND_KEY,
    });
    const program = await fileIn(directory, "never.sh", "#!/bin/sh\necho it is too short\nexit 1\n");
    chmodSync(program, 0o755);
    const deliver = async (price: string): Promise<string> => {
      const words = ["task", "submit", file, "--duration", "1m", "--price", price, "--checker", program];
      const challenge = ["--challenge", "1h", "--arbiter", String(created.json["address"])];
      const { json, code, stderr } = await run([...words, ...challenge, "--json"]);
      expect(code, stderr).to.equal(0);
      const status = await world.client.status(String(json["id"]));
      const unit = { input: "a picture", output: "output/page.txt" };
      await deliverResult(world, status, provider, { unit });
      return status.id;
    };
    const result = async (id: string) =>
      await run(["task", "result", id, "--out", join(directory, id), "--checker", program, "--dispute"]);

    const cheap = await deliver("0.00006ANKR");
    const shown = await run(["task", "status", cheap]);
    expect(shown.stdout).to.match(
      /^To dispute +takes a bond of .*: not worth it, as it is for deliveries of more/m,
    );
    const left = await result(cheap);
    expect(left.code).to.equal(1);
    expect(left.stdout).to.match(/^Unit 0 +NOT WHAT IT SHOULD BE: .*it is too short$/m);
    expect(left.stderr).to.contain("Not disputed: a dispute takes a bond of").and.contain("not worth it");
    expect((await world.client.status(cheap)).dispute).to.equal(undefined);

    const dear = await deliver("1ANKR");
    const disputed = await result(dear);
    expect(disputed.code, disputed.stderr).to.equal(1);
    expect(disputed.stdout).to.match(/^Disputed +from unit 0 on, by 0x/m);
    const { status, dispute } = await world.client.status(dear);
    expect(status).to.equal("Disputed");
    expect(dispute?.unit).to.equal(0n);
    const after = await run(["task", "status", dear]);
    expect(after.stdout).to.match(/^Audit +.*checker\/1, 0 passed: NOT WHAT IT SHOULD BE$/m);
    expect(after.stdout).not.to.contain("To dispute");

    // A receipt lists what was found, be it good or bad.
    const receipt = await run(["task", "receipt", dear, "--out", join(directory, "dear.json"), "--json"]);
    expect(receipt.code, receipt.stderr).to.equal(0);
    expect(receipt.json["assurance"]).to.deep.equal([
      { kind: "unit-audit", units: 1, of: 1, by: "owner", passed: 0 },
    ]);
  });

  it("registers a model, orders with it, and starts a lease that is shown as one", async () => {
    const registered = await run(["model", "register", file, "--royalty-bps", "500", "--json"]);
    expect(registered.code, registered.stderr).to.equal(0);
    expect(registered.json).to.include({ schema: "neura/model-register/1", model: 1, royaltyBps: 500 });
    const dry = await run(["task", "submit", file, "--model", "1", "--dry-run"]);
    expect(dry.code, dry.stderr).to.equal(0);
    expect(dry.stderr).to.contain("Model 1: 5 % of what is paid go to it");
    const started = await run(["lease", "start", "--duration", "1h", "--heartbeat", "1m", "--json"]);
    expect(started.code, started.stderr).to.equal(0);
    const id = String(started.json["id"]);
    const shown = await run(["lease", "status", id]);
    expect(shown.stdout).to.match(/^Lease +0x/m);
    const early = await run(["lease", "ticket", id, "--json"]);
    expect(early.json["error"]).to.include({ code: "lease.not-ready" });
    expect((await run(["lease", "start", "--price", "1ANKR"])).code).to.equal(2);

    const batch = join(directory, "batch.json");
    writeFileSync(
      batch,
      JSON.stringify([
        { do: "cancel", id },
        { do: "settle", id },
      ]),
    );
    const done = await run(["task", "batch", batch, "--json"]);
    expect(done.code).to.equal(1);
    expect(done.json).to.include({ done: 1 });
    expect((await run(["task", "batch", file])).code).to.equal(2);
    const watched = await run(["alarm", "watch", "--once", "--json"]);
    expect(watched.code, watched.stderr).to.equal(0);
    expect(watched.json).to.deep.include({ schema: "neura/alarm-watch/1", failures: 0 });
  });
});
