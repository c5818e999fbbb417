import { readFile } from "node:fs/promises";
import { join } from "node:path";
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
import { commands, SECOND } from "./command.ts";

describe("tasks: bridge", function () {
  this.timeout(180_000);
  const cleanup = new Cleanup();
  let run: ReturnType<typeof commands>;
  let record: string;
  const urls: Record<"home" | "far", string> = { home: "", far: "" };

  before(async () => {
    for (const side of ["home", "far"] as const) {
      const server = await network.createServer({ override: { chainId: CHAINS[side] } });
      const { address, port } = await server.listen();
      cleanup.add(() => server.close());
      urls[side] = `http://${address}:${port}`;
    }
    record = join(cleanup.directory(), "bridge.json");
    run = commands({
      ...{ NEURA_RPC_URL: urls.home, NEURA_PEER_RPC_URL: urls.far, NEURA_BRIDGE: record },
      ...{ NEURA_HOME: cleanup.directory(), NEURA_PRIVATE_KEY: walletAt(0).privateKey },
    });
  });
  after(() => cleanup.run());

  /** The result of a command that has to succeed. */
  async function json(words: string[], environment = {}): Promise<Record<string, unknown>> {
    const { code, stderr, json: found } = await run([...words, "--json"], environment);
    expect(code, stderr).to.equal(0);
    return found;
  }

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
    for (const signer of ATTESTERS) {
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
    const named = ["--attesters", servers.join()];
    const waiting = await run(["bridge", "status", transfer, ...named]);
    expect(waiting.stdout).to.match(/Phase +attesting[^]*0 of 3[^]*Next +wait/);
    for (const attester of all) await attester.round();
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
    const last = String((await json(["bridge", "send", "30", "--accept-credit"]))["transfer"]);
    for (const attester of all) await attester.round();
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
    for (const attester of all) await attester.round();
    await json(["bridge", "deliver", String(back["transfer"]), ...named], there);
    const supply = await json(["bridge", "monitor"]);
    const lockedWei = `${70n * ANKR - ANKR / 100n}`;
    expect(supply).to.deep.include({ lockedWei, circulatingWei: lockedWei, breaches: [] });
    expect((await run(["bridge", "monitor"])).stdout).to.match(/Rules +all hold/);
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
    expect(await errorCode(["bridge", "status", "mine"])).to.equal("usage.transfer");
  });
});
