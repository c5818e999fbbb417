import { join } from "node:path";

import { expect } from "chai";
import { network } from "hardhat";

import { fileIn } from "../src/market/support.ts";
import { createMirrorWorld, type MirrorWorld, sell } from "../src/mirror/support.ts";
import { Cleanup } from "../src/storage/support.ts";
import { commands, environmentOf, type Ended, startChain } from "./command.ts";

describe("tasks: mirror, canary", function () {
  this.timeout(120_000);
  const cleanup = new Cleanup();
  let world: MirrorWorld;
  let environment: Record<string, string>;
  let directory: string;

  before(async () => {
    const url = await startChain(cleanup);
    const connection = await network.create({ network: "local", override: { url } });
    world = await createMirrorWorld(cleanup, { connection });
    directory = cleanup.directory();
    environment = await environmentOf(world, { url, directory });
  });
  after(() => cleanup.run());

  async function run(...words: string[]): Promise<Ended> {
    return await commands(environment)([...words, "--json"]);
  }

  async function deliver(id: string, fake?: Parameters<typeof sell>[3]): Promise<void> {
    await sell(world, await world.client.status(id), cleanup, fake);
  }

  it("decides, orders, compares and lists, and says nothing of what it decided", async () => {
    const file = await fileIn(directory, "notes.txt", "some notes");
    const words = ["task", "submit", file, "--application", "noop", "--duration", "1m"];
    for (const wrong of [
      ["--mirror", "2"],
      ["--mirror-delay", "1h"],
      ["--mirror", "0.5", "--sign-only", join(directory, "order.json")],
    ])
      expect((await run(...words, ...wrong)).code).to.equal(2);
    const refused = await run(...words, "--mirror", "1", "--public-result");
    expect(refused.json["error"]).to.include({ code: "mirror.unfit" });

    const submitted = await run(...words, "--mirror", "1", "--mirror-delay", "0s");
    expect(submitted.code, submitted.stderr).to.equal(0);
    expect(submitted.stderr).to.contain("`mirror run` orders what is due");
    expect(submitted.stderr).to.contain("without --challenge a mirror can show who fakes");
    const id = String(submitted.json["id"]);

    const created = await run("mirror", "account", "create");
    expect(created.code, created.stderr).to.equal(0);
    const poor = await run("mirror", "run");
    expect(poor.code).to.equal(1);
    expect(JSON.stringify(poor.json)).to.contain("mirror.no-account");
    const funded = await run("mirror", "account", "fund", "1ANKR");
    expect(funded.json["funded"], funded.stderr).to.have.length(1);
    const ran = await run("mirror", "run");
    expect(ran.code, ran.stderr).to.equal(0);
    const listed = await run("mirror", "list");
    const [plan] = listed.json["mirrors"] as { task: string; mirrors: { id: string; provider: string }[] }[];
    expect(plan?.task).to.equal(id);
    const [mirror] = plan?.mirrors ?? [];
    const accounts = await run("mirror", "account", "list");
    expect(JSON.stringify(accounts.json)).to.contain(`mirror ${id} 0`).and.not.to.contain("privateKey");

    await deliver(id);
    expect((await run("task", "mirror", id, "--compare")).json["error"]).to.include({
      code: "task.not-delivered",
    });
    await deliver(mirror?.id ?? "", { fake: () => Buffer.from("no notes") });
    const compared = await run("task", "mirror", id, "--compare");
    expect(compared.code, compared.stderr).to.equal(1);
    const [found] = compared.json["comparisons"] as Record<string, unknown>[];
    expect(found).to.deep.include({ verdict: "disagree", differing: [0], decidedBy: "here" });
    const text = await commands(environment)(["task", "mirror", id, "--compare"]);
    expect(text.stdout).to.contain("THE TWO DISAGREE");
    expect(text.stdout).to.contain("the mirror's provider, first at unit 0, by doing it here");
    expect(text.stdout).to.contain("it was ordered without --challenge");
    const mixed = await run("task", "mirror", id, "--compare", "--units", "2");
    expect(mixed.json["error"]).to.include({ code: "usage.compare" });
    expect((await run("task", "mirror", id)).json["error"]).to.include({ code: "mirror.no-account" });
  });

  it("makes, sends and checks canaries", async () => {
    const file = await fileIn(directory, "page.txt", "a page");
    expect((await run("canary", "create")).code).to.equal(2);
    const made = await run("canary", "create", file, "--application", "noop", "--count", "2");
    expect(made.code, made.stderr).to.equal(0);
    const [first] = made.json["canaries"] as { name: string }[];
    const name = first?.name ?? "";
    expect((await run("canary", "send", name)).json["error"]).to.include({ code: "mirror.no-account" });
    await run("mirror", "account", "create");
    await run("canary", "fund", "1ANKR");
    const sent = await run("canary", "send", name, "--max-cost", "1ANKR");
    expect(sent.code, sent.stderr).to.equal(0);
    await deliver(String(sent.json["id"]), { fake: () => Buffer.from("no page") });
    const checked = await run("canary", "check");
    expect(checked.code).to.equal(1);
    expect(checked.json["checked"]).to.have.length(1);
    const listed = await commands(environment)(["canary", "list"]);
    expect(listed.stdout).to.contain("NOT WHAT IT SHOULD BE").and.to.contain("not sent");
    const swept = await run("mirror", "account", "sweep");
    expect(BigInt(String(swept.json["amountWei"])), swept.stderr).to.be.greaterThan(0n);
  });
});
