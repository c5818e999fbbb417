import { mkdtempSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { expect } from "chai";
import { network } from "hardhat";

import { createWorld, deliverResult, fileIn, type World } from "../src/market/support.ts";
import { Cleanup } from "../src/storage/support.ts";
import { commands, environmentOf, startChain } from "./command.ts";

describe("tasks: task receipt", function () {
  this.timeout(60_000);
  const cleanup = new Cleanup();
  let world: World;
  let environment: Record<string, string>;
  let directory: string;
  let id: string;

  before(async () => {
    const url = await startChain(cleanup);
    const connection = await network.create({ network: "local", override: { url } });
    world = await createWorld(cleanup, { connection });
    const [account] = world.others;
    if (account === undefined) throw new Error("no account");
    const provider = { account, key: await world.register(account) };
    directory = mkdtempSync(join(cleanup.directory(), "work-"));
    environment = await environmentOf(world, { url, directory });
    const file = await fileIn(directory, "scan.png", "a picture");
    const task = await world.client.submit({
      source: { files: [file] },
      application: "ocr",
      durationSeconds: 60,
      provider: account.address,
    });
    await deliverResult(world, task, provider);
    id = task.id;
  });
  after(() => cleanup.run());

  const run = (words: string[], more: Record<string, string> = {}) =>
    commands(environment)(["task", ...words], more);

  it("writes a receipt that others verify, each as far as they can", async () => {
    const path = join(directory, "receipt.json");
    const made = await run(["receipt", id, "--out", path, "--sign", "--disclose", "run.json", "--json"]);
    expect(made.code, made.stderr).to.equal(0);
    expect(made.json).to.include({ schema: "neura/task-receipt/1", id, path, isProven: true });
    expect(made.json).to.deep.include({
      signedBy: [`eip155:31337:${world.owner.address}`],
      disclosed: ["run.json"],
      files: ["run.json"],
    });
    const again = await run(["receipt", id, "--out", path, "--json"]);
    expect(again.code).to.equal(1);
    expect(again.json["error"]).to.include({ code: "receipt.exists" });

    // Somebody else, with a node.
    const stranger = { NEURA_HOME: cleanup.directory() };
    const online = await run(["verify-receipt", path], stranger);
    expect(online.code, online.stdout).to.equal(0);
    expect(online.stdout)
      .to.match(/^Level 1, by itself: PASSED$/m)
      .and.to.match(/^Level 2, .*: not checked: no hash of a block/m)
      .and.to.match(/^Level 3, by the chain: PASSED$/m)
      .and.to.match(/^Vouched for by +the chain$/m)
      .and.to.contain("Neither delivery nor payment shows that the work is right.");

    // And with nothing but the hash of a block.
    const [block] = made.json["blocks"] as number[];
    const hash = (await world.connection.ethers.provider.getBlock(block ?? 0))?.hash ?? "";
    const silent = { ...stranger, NEURA_RPC_URL: "http://127.0.0.1:1" };
    const words = ["verify-receipt", path, "--offline", "--json"];
    const trusted = await run([...words, "--block-hash", hash], silent);
    expect(trusted.code, trusted.stderr).to.equal(0);
    expect(trusted.json).to.include({ sound: true, backing: "trusted-block" });
    const wrong = await run([...words, "--block-hash", `0x${"ab".repeat(32)}`], silent);
    expect(wrong.code).to.equal(1);
    const offline = await run(words, silent);
    expect(offline.json).to.include({ sound: true, backing: "signature" });
  });

  it("fails where nothing vouches for a file, where it was changed, and tells wrong use apart", async () => {
    const path = join(directory, "unsigned.json");
    const made = await run(["receipt", id, "--out", path]);
    expect(made.code, made.stderr).to.equal(0);
    expect(made.stdout).to.contain("no: the chain vouches for it").and.to.contain("output/page.txt");
    const offline = await run(["verify-receipt", path, "--offline"]);
    expect(offline.code).to.equal(1);
    expect(offline.stdout).to.match(/^Vouched for by +nothing: nobody/m);

    const file = JSON.parse(await readFile(path, "utf8")) as { payload: string };
    const statement = Buffer.from(file.payload, "base64").toString();
    const changed = statement.replace('"outcome":"Completed"', '"outcome":"OwnerBadInput"');
    const payload = Buffer.from(changed).toString("base64");
    await writeFile(path, JSON.stringify({ ...file, payload }));
    const tampered = await run(["verify-receipt", path]);
    expect(tampered.code).to.equal(1);
    expect(tampered.stdout)
      .to.contain("DOES NOT HOLD")
      .and.to.contain("the chain says Completed, the receipt OwnerBadInput");

    expect((await run(["verify-receipt", path, "--offline", "--block-hash", "0x12"])).code).to.equal(2);
    expect((await run(["verify-receipt", join(directory, "none.json")])).code).to.equal(2);
    const refused = await run([
      "receipt",
      id,
      "--out",
      `${path}.2`,
      "--disclose",
      "output/page.txt",
      "--json",
    ]);
    expect(refused.code).to.equal(1);
    expect(refused.json["error"]).to.include({ code: "receipt.neighbours" });
  });
});
