import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import type { HDNodeWallet } from "ethers";

import { keyDirectory, listKeys } from "../../../src/keystore.ts";
import { nodeDirectory } from "../../../src/provider/node.ts";
import { Slots } from "../../../src/provider/slots.ts";
import { Cleanup } from "../storage/support.ts";
import { freePort } from "../../../scripts/demo/processes.ts";
import { connectLease } from "../../../src/market/lease.ts";
import { filesBelow } from "./files.ts";
import { ProcessStage } from "./processes.ts";
import { processesIn, until } from "./runner/support.ts";

/** So many scenarios at a time: they wait more than they work. */
const AT_ONCE = 4;
const STAKE_WEI = 10n ** 16n;
/** Somebody who is asked only where it comes to a dispute. */
const ARBITER = `0x${"44".repeat(20)}`;

describe("A provider's node that is killed", function () {
  this.timeout(180_000);
  const cleanup = new Cleanup();
  const places = new Slots(AT_ONCE);
  let stage: Promise<ProcessStage>;
  let accounts = 2;

  before(() => {
    stage = ProcessStage.create(cleanup);
  });
  after(() => cleanup.run());

  /** A test whose work begins with the first one's, beside the others. */
  function scenario(
    name: string,
    work: (stage: ProcessStage, wallet: HDNodeWallet) => Promise<void>,
    { stakeWei = 0n }: { stakeWei?: bigint } = {},
  ): void {
    let outcome: Promise<void>;
    before(() => {
      const account = accounts++;
      outcome = (async () => {
        const leave = await places.acquire(account, new AbortController().signal);
        try {
          const ready = await stage;
          const wallet = await (stakeWei === 0n
            ? ready.register(account)
            : ready.registerWithStake(account, stakeWei));
          await work(ready, wallet);
        } finally {
          leave();
        }
      })();
      outcome.catch(() => undefined);
    });
    it(name, () => outcome);
  }

  /** The task was delivered once, by so many transactions, and its owner can open the result. */
  async function expectDelivered(
    { client, provider, deliveriesOf }: ProcessStage,
    { id, wallet, nonce }: { id: string; wallet: HDNodeWallet; nonce: number },
  ): Promise<void> {
    expect(await deliveriesOf(id)).to.equal(1);
    expect(await provider.getTransactionCount(wallet.address)).to.equal(nonce);
    const directory = join(cleanup.directory(), "result");
    const { sound, checks } = await client.result(id, { directory });
    expect(sound, JSON.stringify(checks)).to.be.true;
    expect(await readFile(join(directory, "output", "note.txt"), "utf8")).to.equal("hand this back");
  }

  for (const step of ["found", "fetched", "running", "ran", "sealed", "uploaded", "signed", "sent"]) {
    scenario(`N10_N11_delivers exactly once when it was killed at "${step}"`, async (on, wallet) => {
      const nonce = (await on.provider.getTransactionCount(wallet.address)) + 1;
      const doomed = on.startNode(wallet, { crashAt: step });
      const id = await on.submit(wallet.address);
      expect(await doomed.ended).to.deep.equal({ code: null, signal: "SIGKILL" });

      const node = on.startNode(wallet);
      expect(await node.event("delivered")).to.include({ task: id, outcome: "Completed" });
      await node.stop();
      await expectDelivered(on, { id, wallet, nonce });
    });
  }

  for (const step of ["closing", "signed", "sent"]) {
    scenario(`N10_N11_declines exactly once when it was killed at "${step}"`, async (on, wallet) => {
      const nonce = await on.provider.getTransactionCount(wallet.address);
      const doomed = on.startNode(wallet, { crashAt: step });
      const id = await on.submit(wallet.address, { application: "unknown" });
      expect(await doomed.ended).to.deep.equal({ code: null, signal: "SIGKILL" });

      const node = on.startNode(wallet);
      expect(await node.event("declined")).to.include({ task: id, outcome: "RequirementsUnmet" });
      await node.stop();
      expect(await on.provider.getTransactionCount(wallet.address)).to.equal(nonce + 1);
      expect((await on.client.status(id)).outcome).to.equal("RequirementsUnmet");
    });
  }

  for (const step of ["signed", "sent"]) {
    scenario(
      `N11_accepts exactly once when it was killed with the acceptance "${step}"`,
      async (on, wallet) => {
        const nonce = (await on.provider.getTransactionCount(wallet.address)) + 2;
        await on.setPolicy(wallet, { accept: { always: true } });
        const doomed = on.startNode(wallet, { crashAt: step });
        const id = await on.submit(wallet.address);
        expect(await doomed.ended).to.deep.equal({ code: null, signal: "SIGKILL" });

        const node = on.startNode(wallet);
        await node.event("delivered");
        await node.stop();
        await expectDelivered(on, { id, wallet, nonce });
      },
    );
  }

  scenario(
    "N11_takes an open task exactly once when it was killed with the acceptance signed",
    async (on, wallet) => {
      const nonce = (await on.provider.getTransactionCount(wallet.address)) + 2;
      await on.setPolicy(wallet, { open: true });
      const doomed = on.startNode(wallet, { crashAt: "signed accept" });
      const id = await on.submit(undefined, {
        open: { shortlist: [wallet.address] },
        price: { amountWei: 10n ** 15n, metered: true, maximumWei: 2n * 10n ** 15n },
        collateralWei: STAKE_WEI,
      });
      expect(await doomed.ended).to.deep.equal({ code: null, signal: "SIGKILL" });

      const node = on.startNode(wallet);
      await node.event("delivered");
      await node.stop();
      await expectDelivered(on, { id, wallet, nonce });
    },
    { stakeWei: STAKE_WEI },
  );

  for (const step of ["delivered", "sent settle"]) {
    scenario(`N11_settles exactly once when it was killed at "${step}"`, async (on, wallet) => {
      const nonce = (await on.provider.getTransactionCount(wallet.address)) + 2;
      const doomed = on.startNode(wallet, { crashAt: step });
      const challenge = { periodSeconds: 1, arbiter: ARBITER };
      const id = await on.submit(wallet.address, { challenge });
      expect(await doomed.ended).to.deep.equal({ code: null, signal: "SIGKILL" });

      const node = on.startNode(wallet);
      expect(await node.event("settled")).to.include({ task: id, outcome: "Completed" });
      await node.stop();
      await expectDelivered(on, { id, wallet, nonce });
    });
  }

  for (const step of ["sent ready", "up"]) {
    scenario(`N10_N11_keeps a lease up when it was killed at "${step}"`, async (on, wallet) => {
      await on.setPolicy(wallet, { leases: { listen: `127.0.0.1:${await freePort()}` } });
      const doomed = on.startNode(wallet, { crashAt: step });
      const id = await on.submit(wallet.address, {
        source: { files: [] },
        lease: { heartbeatSeconds: 60, idleStopSeconds: 0 },
      });
      expect(await doomed.ended).to.deep.equal({ code: null, signal: "SIGKILL" });

      const node = on.startNode(wallet);
      await node.event("adopted");
      const lease = connectLease(await on.client.ticket(id));
      await until(async () => (await lease.probe()).isUp);
      expect(await (await lease.request("/", { body: "hello" })).text()).to.equal("hello");
      lease.close();
      const { market } = on;
      expect(await market.queryFilter(market.filters.LeaseReady(id))).to.have.length(1);
      await on.close(id);
      expect(await node.event("settled")).to.include({ task: id, outcome: "OwnerClosed" });
      await node.stop();
      expect(processesIn(on.taskFolder(wallet, id))).to.deep.equal([]);
    });
  }

  scenario("N10_goes on with work that runs, instead of starting it again", async (on, wallet) => {
    const nonce = (await on.provider.getTransactionCount(wallet.address)) + 1;
    const doomed = on.startNode(wallet, { crashAt: "running" });
    const id = await on.submit(wallet.address, { parameters: { seconds: 6 } });
    await doomed.ended;

    const node = on.startNode(wallet);
    await node.event("adopted");
    const { seconds } = await node.event("ran");
    await node.event("delivered");
    await node.stop();
    expect(seconds).to.be.greaterThan(6).and.lessThan(9);
    await expectDelivered(on, { id, wallet, nonce });
  });

  scenario(
    "N10_leaves work that runs when it stops, and delivers it after its next start",
    async (on, wallet) => {
      const nonce = (await on.provider.getTransactionCount(wallet.address)) + 1;
      const stopped = on.startNode(wallet);
      const id = await on.submit(wallet.address, { parameters: { seconds: 6 } });
      await stopped.event("running");
      await stopped.stop();
      expect(await stopped.ended).to.deep.equal({ code: 0, signal: null });
      expect(stopped.events.at(-1)).to.include({ event: "stopped" });

      const node = on.startNode(wallet);
      await node.event("adopted");
      await node.event("delivered");
      await node.stop();
      await expectDelivered(on, { id, wallet, nonce });
    },
  );

  scenario("N12_refuses to run twice with one key on one machine", async (on, wallet) => {
    const first = on.startNode(wallet);
    await first.event("started");
    const second = on.startNode(wallet);
    expect((await second.ended).code).to.equal(1);
    expect(second.output).to.include("provider.locked");
    await first.stop();
  });

  scenario("N16_tells its keys to nobody: not in its output, not in its folder", async (on, wallet) => {
    const node = on.startNode(wallet);
    await on.submit(wallet.address);
    await node.event("delivered");
    await node.stop();
    const own = await listKeys(on.home, wallet.address);
    const secrets = [
      Buffer.from(wallet.privateKey.slice(2), "hex"),
      ...own.map(({ secretKey }) => Buffer.from(secretKey.reveal())),
    ];
    const texts = [Buffer.from(node.output), ...(await filesBelow(nodeDirectory(on.home, wallet.address)))];
    expect(texts.length).to.be.greaterThan(3);
    for (const secret of secrets) {
      const forms = [
        secret,
        ...(["hex", "base64", "base64url"] as const).map((form) => Buffer.from(secret.toString(form))),
      ];
      for (const form of forms) for (const text of texts) expect(text.includes(form)).to.be.false;
    }
    // The test can fail: the key's own file holds it.
    const file = Buffer.concat(await filesBelow(keyDirectory(on.home, wallet.address)));
    expect(file.includes(Buffer.from(secrets[1]!.toString("hex")))).to.be.true;
  });
});
