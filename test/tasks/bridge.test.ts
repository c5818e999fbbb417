import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { network } from "hardhat";
import { parseEther } from "ethers";

import { Attester } from "../../src/bridge/attester.ts";
import { openBridge } from "../../src/bridge/context.ts";
import { parseBridge } from "../../src/bridge/deployment.ts";
import { startServer } from "../../src/bridge/server.ts";
import { BridgeStore } from "../../src/bridge/store.ts";
import { MockERC20__factory } from "../../types/index.ts";
import { ANKR, ATTESTERS, CHAINS, connect, walletAt } from "../src/bridge/support.ts";
import { Cleanup } from "../src/storage/support.ts";
import { commands, SECOND, startCommand } from "./command.ts";

describe("tasks: bridge", function () {
  this.timeout(180_000);
  const cleanup = new Cleanup();
  let run: ReturnType<typeof commands>;
  let record: string;
  let environment: Record<string, string>;
  const urls: Record<"home" | "far", string> = { home: "", far: "" };

  before(async () => {
    for (const side of ["home", "far"] as const) {
      const server = await network.createServer({ override: { chainId: CHAINS[side] } });
      const { address, port } = await server.listen();
      cleanup.add(() => server.close());
      urls[side] = `http://${address}:${port}`;
    }
    record = join(cleanup.directory(), "bridge.json");
    environment = {
      ...{ NEURA_RPC_URL: urls.home, NEURA_PEER_RPC_URL: urls.far, NEURA_BRIDGE: record },
      ...{ NEURA_HOME: cleanup.directory(), NEURA_PRIVATE_KEY: walletAt(0).privateKey },
    };
    run = commands(environment);
  });
  after(() => cleanup.run());

  /** The result of a command that has to succeed. */
  async function json(words: string[], environment = {}): Promise<Record<string, unknown>> {
    const { code, stderr, json: found } = await run([...words, "--json"], environment);
    expect(code, stderr).to.equal(0);
    return found;
  }

  /** The same node, by another name. */
  const elsewhere = (url: string): string => url.replace("0.0.0.0", "127.0.0.1");

  async function errorCode(words: string[], environment = {}): Promise<unknown> {
    const { json: found } = await run([...words, "--json"], environment);
    const error: unknown = found["error"];
    return typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
  }

  it("go from a pair's deployment to ANKR on the other chain, and back", async () => {
    // ---- Deployed ----
    const provider = connect(urls.home, CHAINS.home);
    const other = connect(urls.far, CHAINS.far);
    cleanup.add(() => [provider, other].forEach((each) => each.destroy()));
    const deployer = walletAt(0, provider);
    const token = await (await new MockERC20__factory(deployer).deploy()).waitForDeployment();
    await (await token.mint(deployer.address, parseEther("1000"))).wait();
    expect(await errorCode(["bridge", "monitor"])).to.equal("bridge.missing");
    const attesters = ATTESTERS.map(({ address }) => address);
    const deploy = [
      "bridge",
      "deploy",
      await token.getAddress(),
      "--attesters",
      attesters.toReversed().join(),
    ];
    const wrong = [
      [["--threshold", "2"], "usage.threshold"],
      [["--threshold", "4"], "usage.threshold"],
      [["--limit", "999"], "usage.limit"],
      [["--limit-period", "31d"], "usage.limit-period"],
      [["--fee", "101"], "usage.fee"],
      [["--minimum", "10001"], "usage.minimum"],
      [["--wait-for", "0s"], "usage.wait-for"],
    ] as const;
    const nonce = await provider.getTransactionCount(deployer.address);
    const alone = ["bridge", "deploy", await token.getAddress()];
    expect(await errorCode(alone)).to.equal("usage.attesters");
    for (const [words, code] of wrong) expect(await errorCode([...deploy, ...words])).to.equal(code);
    expect(await provider.getTransactionCount(deployer.address), "nothing was sent").to.equal(nonce);
    const made = await json([...deploy, "--fee", "0.01", "--wait-above", "100"]);
    expect(made).to.include({ schema: "neura/bridge-deploy/1", sent: true });
    const deployment = parseBridge(await readFile(record, "utf8"));
    expect([deployment.home.chainId, deployment.far.chainId]).to.deep.equal([CHAINS.home, CHAINS.far]);
    expect(await json(deploy)).to.include({ sent: false });
    expect(await errorCode(["bridge", "monitor"], { NEURA_PEER_RPC_URL: "" })).to.equal("usage.peer");

    // ---- Sent ----
    const refused = await errorCode(["bridge", "send", "10"]);
    expect(refused, "nothing to pay with").to.equal("bridge.liquidity");
    await (
      await walletAt(0, other).sendTransaction({ to: deployment.far.bridge, value: parseEther("60") })
    ).wait();
    const dry = await run(["bridge", "send", "55", "--to", SECOND, "--dry-run"]);
    expect(dry.stdout).to.match(/Arrives +54.99 MOCK[^]*Waits there +not at all/);
    const sent = await json(["bridge", "send", "50", "--to", SECOND]);
    const transfer = String(sent["transfer"]);
    expect(sent).to.include({ arrivesWei: `${50n * ANKR - ANKR / 100n}` });

    // ---- Signed, by attesters in this process ----
    const providers = { home: provider, far: other };
    const bridge = openBridge({ deployment, providers });
    const servers: string[] = [];
    const all: Attester[] = [];
    const [named1, ...inProcess] = ATTESTERS;
    if (named1 === undefined) throw new Error("there are attesters");
    for (const signer of inProcess) {
      const store = await BridgeStore.open(cleanup.directory());
      const attester = await Attester.open({ bridge, witnesses: providers, signer, store });
      all.push(attester);
      const server = await startServer({
        listen: { host: "127.0.0.1", port: 0 },
        ...{ health: () => ({ isWell: true, body: {} }), metrics: () => [] },
        attestations: (message) => attester.attestationsOf(message),
      });
      cleanup.add(() => server.close());
      servers.push(server.url);
    }
    // One as its command, its key with a signer: the chain's node has it.
    const command = startCommand(
      [
        ...["bridge", "attest", "--signer", urls.home, "--account", named1.address, "--json"],
        ...["--witness", elsewhere(urls.home), "--peer-witness", elsewhere(urls.far)],
        ...["--listen", "127.0.0.1:0", "--poll", "200", "--stall", "0"],
      ],
      environment,
    );
    cleanup.add(() => command.child.kill("SIGKILL"));
    const lines = createInterface({ input: command.child.stderr });
    for await (const line of lines) {
      const url = /"event":"listening","url":"([^"]+)"/.exec(line)?.[1];
      if (url === undefined) continue;
      servers.push(url);
      break;
    }
    command.child.stderr.resume();
    expect(servers).to.have.length(3);
    const named = ["--attesters", servers.join()];
    /** By those of this process, and by the command. */
    const attested = async (message: unknown): Promise<void> => {
      for (const attester of all) await attester.round();
      const url = `${servers.at(-1) ?? ""}/attestations?message=${String(message)}`;
      while (!(await (await fetch(url)).text()).includes("signature")) await sleep(50);
    };
    const waiting = await run(["bridge", "status", transfer, ...named]);
    expect(waiting.stdout).to.match(/Phase +attesting[^]*[01] of 3[^]*Next +wait/);
    await attested(sent["message"]);
    expect(await json(["bridge", "status", transfer, ...named])).to.include({
      phase: "deliverable",
      next: `bridge deliver ${transfer}`,
    });
    expect(await errorCode(["bridge", "deliver", transfer])).to.equal("bridge.no-attesters");
    const delivered = await run(["bridge", "deliver", transfer, ...named]);
    expect(delivered.stdout).to.contain(`Paid         49.99 ANKR to ${SECOND} on chain ${CHAINS.far}`);
    expect(await json(["bridge", "status", transfer])).to.include({ phase: "paid" });
    expect(await errorCode(["bridge", "release", transfer])).to.equal("bridge.not-waiting");
    expect(await errorCode(["bridge", "claim"])).to.equal("bridge.nothing-claimable");

    // ---- More than the vault has: credited, and claimed once it has it, by a command on either chain ----
    const more = await json(["bridge", "send", "30", "--accept-credit"]);
    const last = String(more["transfer"]);
    await attested(more["message"]);
    await json(["bridge", "deliver", last, ...named]);
    expect(await json(["bridge", "status", last])).to.include({ phase: "credited", next: "bridge claim" });
    await (
      await walletAt(5, other).sendTransaction({ to: deployment.far.bridge, value: parseEther("500") })
    ).wait();
    expect(await json(["bridge", "claim"])).to.include({ chainId: CHAINS.far });
    expect(await json(["bridge", "status", last])).to.include({ phase: "claimed" });

    // ---- Back, from the other chain ----
    const there = { NEURA_RPC_URL: urls.far, NEURA_PEER_RPC_URL: urls.home };
    const back = await json(["bridge", "send", "10"], there);
    await attested(back["message"]);
    await json(["bridge", "deliver", String(back["transfer"]), ...named], there);
    const supply = await json(["bridge", "monitor"]);
    const lockedWei = `${70n * ANKR - ANKR / 100n}`;
    expect(supply).to.deep.include({ lockedWei, circulatingWei: lockedWei, breaches: [] });
    expect((await run(["bridge", "monitor"])).stdout).to.match(/Rules +all hold/);
    command.child.kill("SIGTERM");
    expect(await command.ended).to.equal(0);
  });

  it("say what an attester and a relayer lack", async () => {
    expect(await errorCode(["bridge", "attest"])).to.equal("bridge.no-witness");
    expect(await errorCode(["bridge", "attest", "--witness", urls.home]), "the same node twice").to.equal(
      "bridge.no-witness",
    );
    expect(await errorCode(["bridge", "attest", "--witness", urls.far])).to.equal("network.wrong-chain");
    expect(await errorCode(["bridge", "relay"])).to.equal("bridge.no-attesters");
    const relay = ["bridge", "relay", "--attesters", "http://127.0.0.1:1"];
    expect(await errorCode([...relay, "--listen", "somewhere"])).to.equal("usage.listen");
    expect(await errorCode([...relay, "--finality", "soon"])).to.equal("usage.finality");
    expect(await errorCode([...relay, "--log-level", "loud"])).to.equal("usage.level");
    expect(await errorCode([...relay, "--poll", "0"])).to.equal("usage.poll");
    expect(await errorCode(["bridge", "monitor", "--listen", "127.0.0.1:0", "--poll", "0"])).to.equal(
      "usage.poll",
    );
    expect(await errorCode(["bridge", "send", "0"])).to.equal("bridge.below-minimum");
    expect(await errorCode(["bridge", "send", "1", "--to", "me"])).to.equal("usage.address");
    expect(await errorCode(["bridge", "status", "mine"])).to.equal("usage.transfer");
  });
});
