import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { hexlify, randomBytes } from "ethers";

import { generateKeyPair } from "../../../src/envelope/index.ts";
import type { StoredKey } from "../../../src/keystore.ts";
import { Outcome, Status } from "../../../src/market/outcome.ts";
import { encodeTerms, quoteTypedData, workHash } from "../../../src/market/terms.ts";
import { type Account, DECLINE_WINDOW, RATE_WEI, STAKE_WEI } from "../market/support.ts";
import { Cleanup } from "../storage/support.ts";
import { gasOf, payloadArchive, Stage } from "./support.ts";

describe("ProviderNode as a backup, and with its word given", function () {
  this.timeout(60_000);
  const cleanup = new Cleanup();
  let stage: Stage;
  let first: Account;
  let firstKey: StoredKey;

  beforeEach(async () => {
    stage = await Stage.create(cleanup);
    first = stage.world.others[1]!;
    firstKey = await stage.world.register(first);
  });
  afterEach(() => cleanup.run());

  /** A task of the first provider's, with this node as its backup. */
  async function submitBacked({ recipients }: { recipients?: Uint8Array[] } = {}) {
    const salt = hexlify(randomBytes(32));
    const readers = recipients ?? [firstKey.publicKey, stage.providerKey.publicKey];
    const { bytes } = await stage.envelope(await payloadArchive(), { salt, recipients: readers });
    const terms = { provider: first.address, collateralWei: STAKE_WEI / 4n };
    return await stage.submitRaw({ salt, bytes, terms, backup: stage.provider.address });
  }

  type Backed = Awaited<ReturnType<typeof submitBacked>>;
  const wordsOf = ({ terms, work }: Backed) => [encodeTerms(terms), workHash(work)] as const;
  const statusOf = async (id: string) => Number((await stage.market().taskOf(id)).status);

  it("does what its first provider declined, on a clock of its own, and is paid for it", async () => {
    await stage.start();
    stage.runner.script.seconds = 0.5;
    const before = await stage.balances();
    const task = await submitBacked();
    await stage.event("standby", { task: task.id });
    await stage.passSeconds(590);
    await stage.market(first).decline(...wordsOf(task), Outcome.NoCapacity);
    await stage.event("accepted", { task: task.id });
    await stage.passSeconds(3);
    const event = await stage.event("delivered", { task: task.id });
    const fee = (RATE_WEI * 250n) / 10_000n;
    expect(event["earnedWei"]).to.equal(RATE_WEI - fee);
    expect(await stage.balances()).to.deep.equal({
      ...before,
      owner: before.owner + task.costWei - RATE_WEI,
      provider: before.provider + RATE_WEI - fee,
      fees: before.fees + fee,
      market: before.market + task.costWei,
      gas: before.gas - gasOf(event),
    });
  });

  it("does what its first provider never accepted, also after a restart", async () => {
    const stopped = await stage.start();
    const task = await submitBacked();
    await stage.event("standby", { task: task.id });
    await stopped.stop();
    await stage.start();
    await stage.passSeconds(550);
    await sleep(200);
    expect(await statusOf(task.id)).to.equal(Status.Funded);
    await stage.passSeconds(60);
    await stage.event("delivered", { task: task.id });
    expect(await statusOf(task.id)).to.equal(Status.Settled);
  });

  it("N10_goes on with what it took over before it was stopped", async () => {
    const stopped = await stage.start();
    stage.runner.script.seconds = 3;
    const task = await submitBacked();
    await stage.market(first).decline(...wordsOf(task), Outcome.NoCapacity);
    await stage.event("running", { task: task.id });
    await stopped.stop();
    stage.events.length = 0;
    await stage.start();
    await stage.event("adopted", { task: task.id });
    await stage.passSeconds(3);
    await stage.event("delivered", { task: task.id });
    expect(stage.events.some(({ event }) => event === "accepted")).to.be.false;
  });

  it("forgets what its first provider delivers, what it cannot read, and what nobody begins in time", async () => {
    const node = await stage.start();
    const nonce = await stage.nonce();
    const done = await submitBacked();
    await stage.event("standby", { task: done.id });
    await stage.market(first).deliver(...wordsOf(done), {
      report: 1n,
      resultHash: hexlify(randomBytes(32)),
      evidenceHash: hexlify(randomBytes(32)),
      result: "ar://x",
    });
    await stage.event("passed", { task: done.id });

    const unreadable = await submitBacked({ recipients: [firstKey.publicKey, generateKeyPair().publicKey] });
    await stage.market(first).decline(...wordsOf(unreadable), Outcome.NoCapacity);
    await stage.event("passed", { task: unreadable.id });
    expect(await statusOf(unreadable.id)).to.equal(Status.Standby);

    const missed = await submitBacked();
    await stage.event("standby", { task: missed.id });
    await stage.passSeconds(760);
    await stage.event("passed", { task: missed.id });
    expect(node.journal.list()).to.deep.equal([]);
    expect(await stage.nonce()).to.equal(nonce);
  });

  it("takes nothing over where the policy says so", async () => {
    await stage.start({ policy: { backup: false } });
    const task = await submitBacked();
    const own = await stage.submitRaw({});
    await stage.event("delivered", { task: own.id });
    expect(stage.events.some(({ task: id }) => id === task.id)).to.be.false;
  });

  it("as the first provider: delivers with the backup in each call's hash, or passes the task on", async () => {
    await stage.start({
      policy: { accept: { afterSeconds: 30, always: true, fromWei: undefined, withCollateral: true } },
    });
    const backup = first.address;
    const task = await stage.submitRaw({ backup });
    await stage.event("accepted", { task: task.id });
    await stage.event("delivered", { task: task.id });

    const before = await stage.balances();
    const odd = await stage.submitRaw({ backup, terms: { price: { amountWei: 1n, metered: true } } });
    const event = await stage.event("declined", { task: odd.id });
    expect(event["outcome"]).to.equal("PriceTooLow");
    expect(await statusOf(odd.id)).to.equal(Status.Standby);
    expect((await stage.balances()).owner).to.equal(before.owner);
  });

  /** The provider's promise of one of its places. */
  async function promise(): Promise<NonNullable<Parameters<Stage["submitRaw"]>[0]["quote"]>> {
    const { domain, provider } = stage;
    const expiresAtSeconds = (await stage.now()) + 100;
    return async (id) => {
      const quote = { task: id, nonce: 7n, expiresAtSeconds };
      const { types, value, domain: typed } = quoteTypedData(domain, quote);
      const signature = await provider.signTypedData(typed, types, value);
      return { nonce: 7n, expiresAt: expiresAtSeconds, signature };
    };
  }

  it("does what it promised by a quote, and so had accepted when it came", async () => {
    await stage.start();
    // Below the rate: what is agreed on counts.
    const price = { amountWei: RATE_WEI / 2n, metered: true };
    const terms = { price, collateralWei: STAKE_WEI };
    const task = await stage.submitRaw({ quote: await promise(), terms });
    const event = await stage.event("delivered", { task: task.id });
    expect(event["outcome"]).to.equal("Completed");
    expect(stage.events.some(({ event: name }) => name === "accepted")).to.be.false;
  });

  it("N13_gives what it promised back in time to lose nothing, where its places stay taken", async () => {
    await stage.start({ policy: { slots: 1 } });
    stage.runner.script.seconds = 30;
    const long = await stage.submitRaw({});
    await stage.event("running", { task: long.id });
    const before = await stage.balances();
    const task = await stage.submitRaw({ quote: await promise(), terms: { collateralWei: STAKE_WEI } });
    await stage.event("fetched", { task: task.id });
    await stage.passSeconds(DECLINE_WINDOW - 3);
    const event = await stage.event("declined", { task: task.id });
    expect(event["outcome"]).to.equal("NoCapacity");
    const { owner, stake, locked } = await stage.balances();
    expect({ owner, stake, locked }).to.deep.equal({
      owner: before.owner + task.costWei,
      stake: before.stake,
      locked: 0n,
    });
  });
});
