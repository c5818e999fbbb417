import { mkdtempSync } from "node:fs";
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { expect } from "chai";
import { network } from "hardhat";

import type { StoredKey } from "../../src/keystore.ts";
import { Outcome } from "../../src/market/outcome.ts";
import { encodeTerms, workHash } from "../../src/market/terms.ts";
import { Cleanup } from "../src/storage/support.ts";
import {
  type Account,
  createWorld,
  deliverResult,
  fileIn,
  textOf,
  type World,
} from "../src/market/support.ts";
import { commands, environmentOf, startChain, startCommand } from "./command.ts";

describe("tasks: task", function () {
  this.timeout(180_000);
  const cleanup = new Cleanup();
  let world: World;
  let provider: { account: Account; key: StoredKey };
  let environment: Record<string, string>;
  let directory: string;

  before(async () => {
    const url = await startChain(cleanup);
    const connection = await network.create({ network: "local", override: { url } });
    world = await createWorld(cleanup, { connection });
    const [account] = world.others;
    if (account === undefined) throw new Error("no account");
    provider = { account, key: await world.register(account) };
    directory = mkdtempSync(join(cleanup.directory(), "work-"));
    environment = await environmentOf(world, { url, directory });
  });
  after(() => cleanup.run());

  const run = (words: string[]) => commands(environment)(["task", ...words]);

  async function submit(): Promise<string> {
    const file = await fileIn(directory, "scan.png", "a picture");
    const { json, stderr, code } = await run(["submit", file, "--duration", "1m", "--json"]);
    expect(code, stderr).to.equal(0);
    return String(json["id"]);
  }

  it("checks, submits, follows and opens a task", async () => {
    const check = await run(["check", "--ram", "1024", "--json"]);
    expect(check.code, check.stderr).to.equal(0);
    expect(check.json).to.include({ schema: "neura/task-check/1", eligible: 1 });
    expect(check.stderr).to.match(/^Network local, chain 31337, http/m);

    const file = await fileIn(directory, "scan.png", "a picture");
    const dry = await run(["submit", file, "--dry-run", "--json"]);
    expect(dry.json["dryRun"]).to.equal(true);
    const submitted = await run(["submit", file, "--duration", "1m", "--max-cost", "1ANKR", "--json"]);
    expect(submitted.code, submitted.stderr).to.equal(0);
    expect(submitted.json).to.include({ schema: "neura/task-submit/1", costWei: "60000000000000" });
    expect(submitted.stderr).to.contain("input/scan.png").and.to.contain("Reading back");
    const id = String(submitted.json["id"]);

    const status = await run(["status", id]);
    expect(status.stdout).to.contain("Funded").and.to.contain("cancel by the owner, for another");
    await deliverResult(world, await world.client.status(id), provider);

    const waited = await run(["wait", id, "--timeout", "10s", "--json"]);
    expect(waited.code, waited.stderr).to.equal(0);
    expect(waited.json).to.include({ status: "Settled", outcome: "Completed" });
    const watched = await run(["watch", id]);
    expect(watched.code).to.equal(0);
    expect(watched.stderr).to.contain("Settled: Completed");

    const out = join(directory, "result");
    const result = await run(["result", id, "--out", out, "--no-audit", "--json"]);
    expect(result.code, result.stderr).to.equal(0);
    expect(result.json).to.include({ schema: "neura/task-result/1", sound: true, directory: out });
    expect(await textOf(out, "output", "page.txt")).to.equal("hello");
    const again = await run(["result", id, "--out", out, "--json"]);
    expect(again.code).to.equal(1);
    expect(again.json["error"]).to.include({ code: "result.exists" });
  });

  it("audits what it fetches unless told not to, keeps what was found, and shows it", async () => {
    const file = await fileIn(directory, "scan.png", "a picture");
    const program = await fileIn(directory, "check.sh", '#!/bin/sh\ngrep -q hello "$1/output"\n');
    await chmod(program, 0o755);
    const submitted = await run(["submit", file, "--checker", program, "--duration", "1m", "--json"]);
    expect(submitted.code, submitted.stderr).to.equal(0);
    expect(submitted.stderr).to.contain("Verified by checker/1");
    const id = String(submitted.json["id"]);
    const unit = { input: "a picture", output: "output/page.txt" };
    await deliverResult(world, await world.client.status(id), provider, { unit });

    // Nothing can be said without the program: that is no failure.
    const out = join(directory, "audited");
    const unsure = await run(["result", id, "--out", out]);
    expect(unsure.code, unsure.stderr).to.equal(0);
    expect(unsure.stdout)
      .to.match(/^Unit 0 +nothing can be said: .*a program of yours that was not named/m)
      .and.to.match(/^Verdict +nothing can be said$/m);
    const silent = await run(["result", id, "--out", `${out}-2`, "--no-audit", "--json"]);
    expect(silent.json).not.to.have.property("audit");
    const told = commands({ ...environment, NEURA_NO_AUDIT: "1" });
    const quiet = await told(["task", "result", id, "--out", `${out}-3`, "--json"]);
    expect(quiet.json).not.to.have.property("audit");
    expect((await told(["task", "result", id, "--out", `${out}-4`, "--dispute"])).code).to.equal(2);

    // What was fetched is looked at again, and nothing is fetched.
    const offline = commands({ ...environment, NEURA_NO_AUDIT: "1" });
    const audited = await offline(["task", "audit", id, "--result", out, "--checker", program, "--json"]);
    expect(audited.code, audited.stderr).to.equal(0);
    expect(audited.json).to.include({ schema: "neura/task-audit/1", verdict: "pass" });
    const status = await run(["status", id]);
    expect(status.stdout).to.match(/^Audit +.*: 1 of 1 units done again by checker\/1, 1 passed/m);

    // The program fails it.
    await writeFile(join(out, "output", "page.txt"), "goodbye");
    const failed = await run(["audit", id, "--result", out, "--checker", program]);
    expect(failed.code).to.equal(1);
    expect(failed.stderr).to.contain("audit without --result before you dispute");
    expect(failed.stdout).to.match(/^Dispute +not possible/m);
    expect((await run(["audit", id, "--units", "0"])).code).to.equal(2);
  });

  it("refuses ways to verify that there are not, before anything moves", async () => {
    const file = await fileIn(directory, "scan.png", "a picture");
    const wrong = async (words: string[]): Promise<string> => {
      const { code, stderr } = await run(["submit", file, ...words]);
      expect(code, stderr).to.equal(2);
      return stderr;
    };
    expect(await wrong(["--verification", "vibes/1"]))
      .to.contain("vibes/1")
      .and.to.contain("exact/1");
    expect(await wrong(["--verification", "checker/1"])).to.contain("--checker FILE");
    expect(await wrong(["--verification", join(directory, "none.json")])).to.contain("none.json");
    const method = await fileIn(directory, "method.json", '{"method":"exact/1"}');
    const dry = await run(["submit", file, "--verification", method, "--dry-run", "--json"]);
    expect(dry.code, dry.stderr).to.equal(0);
    expect(dry.json["plan"]).to.deep.include({ verification: { method: "exact/1", parameters: {} } });
  });

  it("shows others what an envelope holds, and opens it with what was shown", async () => {
    const id = await submit();
    await deliverResult(world, await world.client.status(id), provider);
    const file = join(directory, "opening.json");
    const shown = await run(["opening", id, "--out", file, "--json"]);
    expect(shown.code, shown.stderr).to.equal(0);
    expect(shown.json).to.deep.include({
      schema: "neura/task-opening/1",
      path: file,
      shown: ["body", "trace"],
    });
    expect(shown.stderr).to.contain("Whoever has this file can read the body and the trace of the result");
    expect((await run(["opening", id, "--out", file])).stderr).to.contain("it has not been touched");

    const out = join(directory, "seen");
    const others = commands({ ...environment, NEURA_HOME: cleanup.directory() });
    const seen = await others(["task", "verify-opening", id, file, "--out", out, "--json"]);
    expect(seen.code, seen.stderr).to.equal(0);
    expect(seen.json).to.include({ finding: "opens", author: provider.account.address, directory: out });
    expect(await textOf(out, "output", "page.txt")).to.equal("hello");
    const wrong = await others(["task", "verify-opening", await submit(), file, "--json"]);
    expect(wrong.code).not.to.equal(0);
    expect(wrong.json["error"]).to.include({ code: "opening.other-task" });
  });

  it("tells time-outs, ends without a result, and wrong use apart", async () => {
    const id = await submit();
    const late = await run(["wait", id, "--timeout", "1s", "--json"]);
    expect(late.code).to.equal(3);
    expect(late.json["error"]).to.include({ code: "task.timeout" });
    expect((await run(["wait", id, "--for", "christmas"])).code).to.equal(2);
    expect((await run(["wait", id, "--timeout", "soon"])).code).to.equal(2);

    const { terms, work } = await world.client.status(id);
    const market = await world.connection.ethers.getContractAt(
      "TaskMarket",
      world.deployment.contracts.TaskMarket,
      provider.account,
    );
    await market.decline(encodeTerms(terms), workHash(work), Outcome.PolicyRefused);
    const ended = await run(["wait", id]);
    expect(ended.code).to.equal(4);
    expect(ended.stderr).to.contain("Declined, PolicyRefused (nobody's fault)");
    expect((await run(["watch", id, "--json"])).code).to.equal(4);
    expect((await run(["result", id])).code).to.equal(4);
  });

  it("lets go with Ctrl-C and says how to come back", async () => {
    const id = await submit();
    const { child, ended } = startCommand(["task", "watch", id], environment);
    let stderr = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      if (!stderr.includes("Funded") && text.includes("Funded")) child.kill("SIGINT");
      stderr += text;
    });
    expect(await ended).to.equal(130);
    expect(stderr).to.contain("the task goes on").and.to.contain(`./neura task watch ${id}`);
    const cancelled = await run(["cancel", id, "--json"]);
    expect(cancelled.code, cancelled.stderr).to.equal(0);
    expect(cancelled.json).to.include({ status: "Cancelled", outcome: "OwnerCancelled" });
    const expired = await run(["expire", id]);
    expect(expired.code).to.equal(1);
    expect(expired.stderr).to.contain("it has ended (OwnerCancelled)");
  });

  it("shows each requirement with both numbers, and fails where nobody can", async () => {
    const { code, stdout } = await run(["check", "--gpus", "2", "--gpu", "H100", "--ram", "1024"]);
    expect(code).to.equal(1);
    expect(stdout).to.match(/✘ gpuCount +needs 2, offers 0/);
    expect(stdout).to.match(/✘ gpuClass +needs H100, offers any/);
    expect(stdout).to.match(/✔ ramMiB +needs 1024, offers 8192/);
    expect(stdout).to.match(/\? application +needs ocr, offers not known/);
  });

  it("takes secrets from the environment only, and never shows them", async () => {
    environment["MY_TOKEN"] = "sup3rs3cret";
    const file = await fileIn(directory, "scan.png", "a picture");
    const { stdout, stderr, json, code } = await run(["submit", file, "--secrets", "MY_TOKEN", "--json"]);
    expect(code, stderr).to.equal(0);
    expect(stdout + stderr).not.to.contain("sup3rs3cret");
    const { secrets } = await deliverResult(world, await world.client.status(String(json["id"])), provider);
    expect(secrets).to.equal('{"MY_TOKEN":"sup3rs3cret"}');
    const missing = await run(["submit", file, "--secrets", "NO_SUCH"]);
    expect(missing.code).to.equal(2);
    expect(missing.stderr).to.contain("NO_SUCH");
  });
});
