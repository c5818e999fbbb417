import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import type { HDNodeWallet } from "ethers";

import { keyDirectory, listKeys } from "../../../src/keystore.ts";
import { Cleanup } from "../storage/support.ts";
import { filesBelow } from "./files.ts";
import { ProcessStage } from "./processes.ts";

describe("A provider's node that is killed", function () {
  this.timeout(120_000);
  const cleanup = new Cleanup();
  let stage: ProcessStage;
  let accounts = 2;

  before(async () => {
    stage = await ProcessStage.create(cleanup);
  });
  after(() => cleanup.run());

  async function freshProvider(): Promise<HDNodeWallet> {
    return await stage.register(accounts++);
  }

  /** The task was delivered once, by one transaction, and its owner can open the result. */
  async function expectDelivered(id: string, wallet: HDNodeWallet, noncesBefore: number): Promise<void> {
    expect(await stage.deliveriesOf(id)).to.equal(1);
    expect(await stage.provider.getTransactionCount(wallet.address)).to.equal(noncesBefore + 1);
    const directory = join(cleanup.directory(), "result");
    const { sound, checks } = await stage.client.result(id, { directory });
    expect(sound, JSON.stringify(checks)).to.be.true;
    expect(await readFile(join(directory, "output", "note.txt"), "utf8")).to.equal("hand this back");
  }

  for (const step of ["found", "fetched", "running", "ran", "sealed", "uploaded", "signed", "sent"]) {
    it(`N10_N11_delivers exactly once when it was killed at "${step}"`, async () => {
      const wallet = await freshProvider();
      const nonces = await stage.provider.getTransactionCount(wallet.address);
      const doomed = stage.startNode(wallet, { crashAt: step });
      const id = await stage.submit(wallet.address);
      expect(await doomed.ended).to.deep.equal({ code: null, signal: "SIGKILL" });

      const node = stage.startNode(wallet);
      expect(await node.event("delivered")).to.include({ task: id, outcome: "Completed" });
      await node.stop();
      await expectDelivered(id, wallet, nonces);
    });
  }

  for (const step of ["closing", "signed", "sent"]) {
    it(`N10_N11_declines exactly once when it was killed at "${step}"`, async () => {
      const wallet = await freshProvider();
      const nonces = await stage.provider.getTransactionCount(wallet.address);
      const doomed = stage.startNode(wallet, { crashAt: step });
      const id = await stage.submit(wallet.address, { application: "unknown" });
      expect(await doomed.ended).to.deep.equal({ code: null, signal: "SIGKILL" });

      const node = stage.startNode(wallet);
      expect(await node.event("declined")).to.include({ task: id, outcome: "RequirementsUnmet" });
      await node.stop();
      expect(await stage.provider.getTransactionCount(wallet.address)).to.equal(nonces + 1);
      expect((await stage.client.status(id)).outcome).to.equal("RequirementsUnmet");
    });
  }

  it("N10_goes on with work that runs, instead of starting it again", async () => {
    const wallet = await freshProvider();
    const nonces = await stage.provider.getTransactionCount(wallet.address);
    const doomed = stage.startNode(wallet, { crashAt: "running" });
    const id = await stage.submit(wallet.address, { parameters: { seconds: 4 } });
    await doomed.ended;

    const node = stage.startNode(wallet);
    await node.event("adopted");
    const { seconds } = await node.event("ran");
    await node.event("delivered");
    await node.stop();
    expect(seconds).to.be.greaterThan(4).and.lessThan(6);
    await expectDelivered(id, wallet, nonces);
  });

  it("N10_leaves work that runs when it is asked to stop, and delivers it after its next start", async () => {
    const wallet = await freshProvider();
    const nonces = await stage.provider.getTransactionCount(wallet.address);
    const stopped = stage.startNode(wallet);
    const id = await stage.submit(wallet.address, { parameters: { seconds: 4 } });
    await stopped.event("running");
    await stopped.stop();
    expect(await stopped.ended).to.deep.equal({ code: 0, signal: null });
    expect(stopped.events.at(-1)).to.include({ event: "stopped" });

    const node = stage.startNode(wallet);
    await node.event("adopted");
    await node.event("delivered");
    await node.stop();
    await expectDelivered(id, wallet, nonces);
  });

  it("N12_refuses to run twice with one key on one machine", async () => {
    const wallet = await freshProvider();
    const first = stage.startNode(wallet);
    await first.event("started");
    const second = stage.startNode(wallet);
    expect((await second.ended).code).to.equal(1);
    expect(second.output).to.include("provider.locked");
    await first.stop();
  });

  it("N16_tells its keys to nobody: not in its output, not in its folder", async () => {
    const wallet = await freshProvider();
    const node = stage.startNode(wallet);
    const id = await stage.submit(wallet.address);
    await node.event("delivered");
    await node.stop();
    expect(id).to.have.length(66);
    const secrets = [
      Buffer.from(wallet.privateKey.slice(2), "hex"),
      ...(await listKeys(stage.home, wallet.address)).map((key) => Buffer.from(key.secretKey.reveal())),
    ];
    const folder = join(stage.home, "provider", wallet.address);
    const texts = [Buffer.from(node.output), ...(await filesBelow(folder))];
    expect(texts.length).to.be.greaterThan(3);
    for (const secret of secrets) {
      for (const form of [
        secret,
        Buffer.from(secret.toString("hex")),
        Buffer.from(secret.toString("base64")),
      ]) {
        for (const text of texts) expect(text.includes(form)).to.be.false;
      }
    }
    // The test can fail: the key's own file holds it.
    const own = Buffer.concat(await filesBelow(keyDirectory(stage.home, wallet.address)));
    expect(own.includes(Buffer.from(secrets[1]!.toString("hex")))).to.be.true;
  });
});
