import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect } from "chai";
import { computeAddress, JsonRpcProvider, parseEther, SigningKey, Wallet } from "ethers";

import { attest, PLATFORM } from "../../examples/attestation.ts";
import { reportDataOf } from "../../src/attestation.ts";
import { loadDeployment } from "../../src/deployment.ts";
import { generateKeyPair } from "../../src/envelope/index.ts";
import { loadArweaveKey } from "../../src/keys/arweave.ts";
import { publishKey } from "../../src/keys/publish.ts";
import { saveKey } from "../../src/keystore.ts";
import { MarketClient } from "../../src/market/client.ts";
import { openArweave } from "../../src/storage/arweave.ts";
import { startGateway } from "../../src/storage/gateway/gateway.ts";
import { KeyRegistry__factory } from "../../types/index.ts";
import { fileIn } from "../src/market/support.ts";
import { Cleanup } from "../src/storage/support.ts";
import { commands, SECOND, SECOND_KEY, startChain, startCommand } from "./command.ts";

/** Third and fourth account of every Hardhat chain. */
const PAYOUT = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC";
const OWNER_KEY = "0x7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6";

describe("tasks: provider", function () {
  this.timeout(180_000);
  const cleanup = new Cleanup();
  let environment: Record<string, string>;
  let run: ReturnType<typeof commands>;

  before(async () => {
    const url = await startChain(cleanup);
    const gateway = await startGateway({ directory: cleanup.directory(), blockSeconds: 0.1 });
    cleanup.add(() => gateway.close());
    environment = {
      NEURA_RPC_URL: url,
      NEURA_DEPLOYMENT: join(cleanup.directory(), "deployment.json"),
      NEURA_ARWEAVE_GATEWAYS: gateway.url,
      NEURA_HOME: join(cleanup.directory(), "home"),
    };
    const deployed = await commands(environment)(["deploy"]);
    expect(deployed.code, deployed.stderr).to.equal(0);
    run = commands({ ...environment, NEURA_PRIVATE_KEY: SECOND_KEY });
  });
  after(() => cleanup.run());

  it("says that nobody is registered, and refuses what needs a registration", async () => {
    expect((await run(["provider", "list"])).stdout).to.equal("No provider is registered yet.\n");
    const show = await run(["provider", "show", "--json"]);
    expect(show.code).to.equal(1);
    expect(show.json["error"]).to.include({ code: "provider.not-registered" });
    const node = await run(["provider", "run"]);
    expect(node.code).to.equal(1);
    expect(node.stderr).to.include("provider register");
  });

  it("registers with what the machine has, a key of its own, and a stake, in three transactions", async () => {
    const registered = await run([
      "provider",
      "register",
      "--rate",
      "0.001ANKR",
      "--stake",
      "2ANKR",
      "--json",
    ]);
    expect(registered.code, registered.stderr).to.equal(0);
    expect(registered.json).to.include({
      schema: "neura/provider-register/1",
      account: SECOND,
      operator: SECOND,
      rateWei: parseEther("0.001").toString(),
      stakeWei: parseEther("2").toString(),
      keyEpoch: 1,
    });
    const { transactions, shape } = registered.json as {
      transactions: { what: string }[];
      shape: { ramMiB: number; cpuMilli: number };
    };
    expect(transactions.map(({ what }) => what)).to.deep.equal(["publish key", "register", "stake"]);
    expect(shape.ramMiB).to.be.greaterThan(256);
    expect(shape.cpuMilli).to.be.at.least(1000);
    const again = await run(["provider", "register"]);
    expect(again.code).to.equal(1);
    expect(again.stderr).to.include("registered already").and.to.include("provider update");
  });

  it("lists by rank, with the reason, and shows one", async () => {
    const list = await run(["provider", "list", "--shape", "ram=256,cpu=0.5", "--duration", "60", "--json"]);
    const [first] = list.json["providers"] as Record<string, unknown>[];
    expect(first).to.include({ account: SECOND, rank: 1, eligible: true });
    const needy = await run(["provider", "list", "--shape", "gpus=8,gpu=H100"]);
    expect(needy.stdout).to.include(SECOND).and.to.match(/^– /);
    const show = await run(["provider", "show"]);
    expect(show.stdout)
      .to.match(/Stake +2 ANKR/)
      .and.to.include("0.001 ANKR per second");
  });

  it("changes the offer and nothing else, and takes the status", async () => {
    const update = await run([
      "provider",
      "update",
      "--rate",
      "0.002ANKR",
      "--slots",
      "3",
      "--payout",
      PAYOUT,
      "--json",
    ]);
    expect(update.code, update.stderr).to.equal(0);
    expect(update.json).to.include({ slots: 3, payout: PAYOUT, operator: SECOND, status: "active" });
    expect(update.json["transactions"]).to.have.length(2);
    const same = await run(["provider", "update", "--slots", "3", "--json"]);
    expect(same.json["transactions"]).to.deep.equal([]);
    const paused = await run(["provider", "update", "--status", "paused", "--json"]);
    expect(paused.json["status"]).to.equal("paused");
    await run(["provider", "update", "--status", "active"]);
  });

  it("moves stake in and out, and says what it does not understand", async () => {
    const added = await run(["provider", "stake", "1ANKR", "--json"]);
    expect(added.json).to.include({ move: "add", stakeWei: parseEther("3").toString() });
    const leaving = await run(["provider", "stake", "1ANKR", "--unstake", "--json"]);
    expect(leaving.json).to.include({
      unbondingWei: parseEther("1").toString(),
      freeStakeWei: parseEther("2").toString(),
    });
    const early = await run(["provider", "stake", "--withdraw-to", PAYOUT]);
    expect(early.code).to.equal(1);
    expect(early.stderr).to.include("ProviderRegistry_StillUnbonding");
    const kept = await run(["provider", "stake", "--keep", "--json"]);
    expect(kept.json).to.include({ unbondingWei: "0" });
    expect((await run(["provider", "stake", "1ANKR", "--keep"])).code).to.equal(2);
  });

  it("measures the machine, signs what it says of it, stores that, and owners see it", async () => {
    const measured = await run(["provider", "benchmark", "--runs", "1", "--pages", "1", "--json"]);
    expect(measured.code, measured.stderr).to.equal(0);
    const { benchmark } = measured.json as { benchmark: { unitsPerSecond: number } };
    expect(benchmark.unitsPerSecond).to.be.greaterThan(0);
    const out = join(cleanup.directory(), "metadata.json");
    const signed = await run(["provider", "metadata", "--out", out, "--store", "--json"]);
    expect(signed.code, signed.stderr).to.equal(0);
    const { uri } = signed.json as { uri: string };
    const document = JSON.parse(await readFile(out, "utf8")) as Record<string, unknown>;
    expect(document).to.deep.include({
      schema: "neura/provider/1",
      account: SECOND,
      benchmarks: [benchmark],
    });
    expect((await run(["provider", "update", "--metadata", uri])).code).to.equal(0);

    const needs = `cpuArchitecture=${process.arch},region=eu`;
    const list = await run([
      "provider",
      "list",
      "--application",
      "ocr",
      "--needs",
      needs,
      "--duration",
      "60",
      "--json",
    ]);
    const [first] = list.json["providers"] as {
      reason: string;
      requirements: { name: string; met: unknown }[];
    }[];
    const met = Object.fromEntries(first?.requirements.map((each) => [each.name, each.met]) ?? []);
    expect(met).to.include({
      application: true,
      cpuArchitecture: true,
      region: "unknown",
      "free place now": true,
    });
    expect(first?.reason).to.match(/claims [\d.]+ s for each unit/);
    const check = await run(["task", "check", "--provider", SECOND, "--needs", "cpuArchitecture=pdp11"]);
    expect(check.code).to.equal(1);
    expect(check.stdout).to.match(/✘ cpuArchitecture +needs pdp11, offers/);
  });

  it("publishes evidence of its key, which is called attested only by a policy's verifier", async () => {
    const file = async (name: string, value: unknown): Promise<string> =>
      await fileIn(cleanup.directory(), name, typeof value === "string" ? value : JSON.stringify(value));
    const { keyEpoch: epoch, reportData } = (await run(["provider", "metadata", "--json"])).json;
    const chain = new JsonRpcProvider(environment["NEURA_RPC_URL"]);
    cleanup.add(() => chain.destroy());
    const { contracts, chainId } = await loadDeployment({ provider: chain, environment });
    const { key } = await KeyRegistry__factory.connect(contracts.KeyRegistry, chain).currentKey(SECOND);
    const attested = {
      ...{ chainId: BigInt(chainId), keyRegistry: contracts.KeyRegistry, provider: SECOND },
      ...{ epoch: Number(epoch), publicKey: key.publicKey },
    };
    expect(reportData).to.equal(reportDataOf(attested));

    const platformKey = new SigningKey(`0x${"51".repeat(32)}`);
    const measurement = `0x${"a1".repeat(32)}`;
    const validUntilSeconds = Math.floor(Date.now() / 1000) + 3600;
    const evidence = attest(platformKey, { ...attested, measurement, validUntilSeconds });
    const evidenceFile = async (keyEpoch: number): Promise<string> =>
      await file("evidence.json", {
        schema: "neura/attestation/1",
        attestations: [{ platform: PLATFORM, keyEpoch, evidence }],
      });
    const other = await run(["provider", "metadata", "--attestation", await evidenceFile(2), "--json"]);
    expect(other.json["error"]).to.include({ code: "attestation.other-key" });
    const signed = await run([
      ...["provider", "metadata", "--attestation", await evidenceFile(1), "--store", "--json"],
    ]);
    expect(signed.code, signed.stderr).to.equal(0);
    const { uri } = signed.json as { uri: string };
    expect((await run(["provider", "update", "--metadata", uri])).code).to.equal(0);

    expect((await run(["provider", "show"])).stdout).to.match(
      /claims attestation \(not checked\): software\n/,
    );
    const example = new URL("../../examples/attestation.ts", import.meta.url).href;
    const verifier = (name: string, platform: string): Promise<string> =>
      file(name, `import { softwareVerifier as v } from "${example}"; export default v("${platform}");`);
    const policyOf = async (path: string): Promise<string> =>
      await file("policy.json", {
        schema: "neura/attestation-policy/1",
        platforms: [{ platform: PLATFORM, verifier: path, measurements: [measurement] }],
      });
    const trusting = await policyOf(await verifier("trusting.mjs", computeAddress(platformKey)));
    const until = new Date(validUntilSeconds * 1000).toISOString().replace(".000Z", "Z");
    for (const command of [["show"], ["list", "--duration", "60"]]) {
      const { stdout, stderr } = await run(["provider", ...command, "--attested", trusting]);
      expect(stdout, stderr).to.include(`attested: software, until ${until}`);
    }
    const doubting = await policyOf(await verifier("doubting.mjs", SECOND));
    const { stdout } = await run(["provider", "show", "--attested", doubting]);
    expect(stdout).to.include("not attested: The evidence of software does not hold: signed by");
    const scan = await file("scan.png", "a picture");
    const submit = ["task", "submit", scan, "--provider", SECOND, "--public-result", "--json", "--attested"];
    const owner = commands({ ...environment, NEURA_PRIVATE_KEY: OWNER_KEY });
    expect((await owner([...submit, doubting])).json["error"]).to.include({
      code: "attestation.not-verified",
    });
    const without = await policyOf("@nobody/verifier");
    expect((await owner([...submit, without])).json["error"]).to.include({ code: "attestation.no-verifier" });
  });

  it("tells wrong use from failure", async () => {
    expect((await run(["provider", "benchmark", "--runs", "0"])).code).to.equal(2);
    expect((await run(["provider", "list", "--shape", "ram=much"])).code).to.equal(2);
    expect((await run(["provider", "update", "--status", "asleep"])).code).to.equal(2);
    expect((await run(["provider", "run", "--log-level", "loud"])).code).to.equal(2);
    const policy = await fileIn(
      cleanup.directory(),
      "policy.json",
      '{"schema":"neura/provider-policy/1","slots":0,"x":1}',
    );
    const bad = await run(["provider", "run", "--policy", policy]);
    expect(bad.code).to.equal(1);
    expect(bad.stderr).to.include("2 faults: slots is no whole number from 1; x is unknown");
  });

  it("does not run with a key that is only with the chain's node", async () => {
    const unlocked = await commands(environment)(["provider", "run", "--account", SECOND]);
    expect(unlocked.code).to.equal(1);
    expect(unlocked.stderr).to.include("NEURA_PRIVATE_KEY");
  });

  it("runs the node, serves a task, stops at SIGTERM, and tells what it earned", async () => {
    const { child, ended } = startCommand(["provider", "run", "--json"], {
      ...environment,
      NEURA_PRIVATE_KEY: SECOND_KEY,
    });
    cleanup.add(() => child.kill("SIGKILL"));
    let stdout = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    const events: Record<string, unknown>[] = [];
    const waiting = new Map<string, () => void>();
    createInterface({ input: child.stderr }).on("line", (line) => {
      if (!line.startsWith("{")) return;
      const event = { ...(JSON.parse(line) as object) } as Record<string, unknown>;
      events.push(event);
      waiting.get(String(event["event"]))?.();
    });
    const reached = async (name: string): Promise<Record<string, unknown>> => {
      const found = () => events.find(({ event }) => event === name);
      if (!found()) await new Promise<void>((resolve) => waiting.set(name, resolve));
      return found()!;
    };

    await reached("started");
    const id = await submitAsOwner();
    const delivered = await reached("delivered");
    expect(delivered).to.include({ level: "info", task: id, outcome: "Completed" });
    child.kill("SIGTERM");
    expect(await ended).to.equal(0);
    const { earnedWei, tasks, schema } = JSON.parse(stdout) as Record<string, unknown>;
    expect(schema).to.equal("neura/provider-run/1");
    expect(tasks).to.deep.equal({ Completed: 1 });
    expect(earnedWei).to.equal(delivered["earnedWei"]);

    const csv = join(cleanup.directory(), "earnings.csv");
    const shown = await run(["provider", "show", "--csv", csv, "--json"]);
    expect(shown.json["node"]).to.deep.include({ tasks: { Completed: 1 }, earnedWei });
    const [head, row] = (await readFile(csv, "utf8")).split("\n");
    expect(head).to.equal("id,owner,step,outcome,earnedWei,gasWei,seconds,foundAt,doneAt");
    expect(row).to.include(id).and.to.include("Completed");

    // The provider cannot know which units would be looked at.
    const audited = await run(["task", "audit", id, "--json"]);
    expect(audited.json["error"]).to.include({ code: "verify.no-seed" });

    const paid = await run(["provider", "payout", "--json"]);
    expect(paid.json).to.include({ payout: PAYOUT, amountWei: earnedWei });
  });

  async function submitAsOwner(): Promise<string> {
    const { NEURA_RPC_URL: url, NEURA_ARWEAVE_GATEWAYS: gateway = "" } = environment;
    const provider = new JsonRpcProvider(url, undefined, { pollingInterval: 50, cacheTimeout: -1 });
    cleanup.add(() => provider.destroy());
    const owner = new Wallet(OWNER_KEY, provider);
    const deployment = await loadDeployment({ provider, environment });
    const home = cleanup.directory();
    const key = generateKeyPair();
    await saveKey(home, owner.address, key);
    await publishKey(deployment, { signer: owner, key });
    const wallet = await loadArweaveKey(join(home, "arweave.json"));
    const storage = openArweave({ gateways: [gateway], key: wallet.key, pauseSeconds: 0.05 });
    const client = new MarketClient({ runner: owner, deployment, home, storage: () => storage });
    const file = join(home, "note.txt");
    await writeFile(file, "hand this back");
    return (await client.submit({ source: { files: [file] }, application: "noop", durationSeconds: 60 })).id;
  }
});
