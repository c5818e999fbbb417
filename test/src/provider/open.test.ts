import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { hexlify, randomBytes, ZeroAddress } from "ethers";

import { encodeHeader, generateKeyPair, readHeader, rewrap } from "../../../src/envelope/index.ts";
import { Status } from "../../../src/market/outcome.ts";
import { type Conditions, encodeTerms, encodeWork, workHash } from "../../../src/market/terms.ts";
import { RATE_WEI, STAKE_WEI } from "../market/support.ts";
import { Cleanup } from "../storage/support.ts";
import { gasOf, payloadArchive, Stage } from "./support.ts";

const COLLATERAL_WEI = STAKE_WEI / 4n;

describe("ProviderNode and open tasks", function () {
  this.timeout(60_000);
  const cleanup = new Cleanup();
  let stage: Stage;

  beforeEach(async () => {
    stage = await Stage.create(cleanup);
  });
  afterEach(() => cleanup.run());

  /** An open task whose price rises from `from` to `to` within 600 s; by default it is worth it from the first second on. */
  async function submitOpen({
    from = RATE_WEI,
    to = 2n * RATE_WEI,
    sealed = false,
    recipients,
    conditions = {},
  }: {
    from?: bigint;
    to?: bigint;
    sealed?: boolean;
    recipients?: Uint8Array[];
    conditions?: Partial<Conditions>;
  } = {}) {
    const salt = hexlify(randomBytes(32));
    const readers = recipients ?? [sealed ? stage.world.ownerKey.publicKey : stage.providerKey.publicKey];
    const { bytes } = await stage.envelope(await payloadArchive(), { salt, recipients: readers });
    const task = await stage.submitRaw({
      salt,
      bytes,
      terms: {
        provider: ZeroAddress,
        price: { amountWei: from, metered: true, maximumWei: to },
        collateralWei: COLLATERAL_WEI,
        conditions: { ...(sealed ? { isSealed: true } : {}), ...conditions },
      },
    });
    return { ...task, bytes };
  }

  /** What the owner publishes for whoever has this key. */
  async function publishKey(
    { terms, work, bytes }: Awaited<ReturnType<typeof submitOpen>>,
    publicKey: Uint8Array,
  ) {
    const header = rewrap(await readHeader([bytes]), {
      kind: "body",
      context: stage.contextOf(terms.salt),
      secretKey: stage.world.ownerKey.secretKey,
      recipients: [publicKey],
    });
    await stage.market().publishPayloadKey(encodeTerms(terms), workHash(work), encodeHeader(header));
  }

  const taskOf = async (id: string) => Number((await stage.market().taskOf(id)).status);

  async function priceOf(id: string): Promise<bigint> {
    const market = stage.market();
    const [event] = await market.queryFilter(market.filters.TaskAssigned(id));
    return event!.args.priceWei;
  }

  it("waits until the price is worth it, takes the task at the price of that second, and earns just that", async () => {
    await stage.start();
    stage.runner.script.seconds = 0.5;
    const before = await stage.balances();
    const task = await submitOpen({ from: RATE_WEI / 2n });
    await stage.event("fetched", { task: task.id });
    // From half the rate to twice the rate: it is the rate after a third of the time.
    await stage.passSeconds(150);
    await sleep(300);
    expect(await taskOf(task.id)).to.equal(Status.Funded);
    await stage.passSeconds(50);
    await stage.event("accepted", { task: task.id });
    await stage.passSeconds(3);
    const event = await stage.event("delivered", { task: task.id });
    const priceWei = await priceOf(task.id);
    expect(priceWei >= RATE_WEI && priceWei < (RATE_WEI * 11n) / 10n, `${priceWei}`).to.be.true;
    expect(event["secondsUsed"]).to.equal(1);
    const fee = (priceWei * 250n) / 10_000n;
    expect(event["earnedWei"]).to.equal(priceWei - fee);
    expect(await stage.balances()).to.deep.equal({
      ...before,
      owner: before.owner + task.costWei - priceWei,
      provider: before.provider + priceWei - fee,
      fees: before.fees + fee,
      market: before.market + task.costWei,
      gas: before.gas - gasOf(event),
    });
  });

  it("forgets a task that it cannot read, or that another took, and spends nothing on it", async () => {
    const node = await stage.start();
    const nonce = await stage.nonce();
    const stranger = await submitOpen({ recipients: [generateKeyPair().publicKey] });
    await stage.event("passed", { task: stranger.id });

    const rival = stage.world.others[1]!;
    const rivalKey = await stage.world.register(rival, { rateWei: 1n });
    const both = [stage.providerKey.publicKey, rivalKey.publicKey];
    const lost = await submitOpen({ from: RATE_WEI / 2n, recipients: both });
    await stage.event("fetched", { task: lost.id });
    await stage.market(rival).acceptOpen(encodeTerms(lost.terms), encodeWork(lost.work), rival.address);
    await stage.event("passed", { task: lost.id });

    // One that leaves no time to deliver.
    const now = await stage.now();
    const conditions = { startBySeconds: now + 600, completeBySeconds: now + 660 };
    await stage.event("passed", { task: (await submitOpen({ conditions })).id });

    expect(node.journal.list()).to.deep.equal([]);
    expect(await stage.nonce()).to.equal(nonce);
    expect(stage.events.filter(({ level }) => level === "warn" || level === "error")).to.deep.equal([]);
  });

  it("takes none while its places are taken, while it drains, or where the policy says so", async () => {
    const node = await stage.start({ policy: { slots: 1 } });
    stage.runner.script.seconds = 60;
    const own = await stage.submitRaw({});
    await stage.event("running", { task: own.id });
    const task = await submitOpen();
    await stage.event("fetched", { task: task.id });
    expect(await taskOf(task.id)).to.equal(Status.Funded);
    stage.runner.script.seconds = 0;
    await stage.runner.finish(stage.runner.started[0]!);
    await stage.passSeconds(60);
    await stage.event("delivered", { task: own.id });
    await stage.event("delivered", { task: task.id });
    const taken = stage.events.findIndex(({ event, task: id }) => event === "accepted" && id === task.id);
    const ran = stage.events.findIndex(({ event, task: id }) => event === "ran" && id === own.id);
    expect(taken).to.be.greaterThan(ran);

    stage.runner.script.seconds = 1;
    const last = await stage.submitRaw({});
    await stage.event("running", { task: last.id });
    const stopping = node.stop({ drain: true });
    const left = await submitOpen();
    await stopping;
    expect(await taskOf(left.id)).to.equal(Status.Funded);

    stage.events.length = 0;
    const choosy = await stage.start({ policy: { open: false }, directory: `${stage.directory}-2` });
    await stage.event("read");
    expect(choosy.journal.list().map(({ task: { id } }) => id)).not.to.include(left.id);
  });

  it("N10_goes on with what it took before it was stopped", async () => {
    const stopped = await stage.start();
    stage.runner.script.seconds = 30;
    const task = await submitOpen();
    await stage.event("running", { task: task.id });
    await stopped.stop();
    stage.events.length = 0;
    await stage.start();
    await stage.event("adopted", { task: task.id });
    expect(stage.events.some(({ event }) => event === "accepted")).to.be.false;
    expect((await stage.balances()).locked).to.equal(COLLATERAL_WEI);
  });

  it("a sealed one: takes it, waits for the key that its owner publishes, and delivers", async () => {
    const first = await stage.start();
    const before = await stage.balances();
    const task = await submitOpen({ sealed: true });
    await stage.event("assigned", { task: task.id });
    expect(await taskOf(task.id)).to.equal(Status.Assigned);
    // What it waits for is found again.
    await first.stop();
    stage.events.length = 0;
    await publishKey(task, stage.providerKey.publicKey);
    await stage.start();
    const event = await stage.event("delivered", { task: task.id });
    expect(event["outcome"]).to.equal("Completed");
    const after = await stage.balances();
    expect([after.stake, after.locked]).to.deep.equal([before.stake, 0n]);
    expect(stage.events.some(({ event: name }) => name === "accepted")).to.be.false;
  });

  it("a sealed one whose key is withheld: ends it itself, and has its collateral back", async () => {
    await stage.start();
    const before = await stage.balances();
    const task = await submitOpen({ sealed: true });
    await stage.event("assigned", { task: task.id });
    await stage.passSeconds(91);
    const event = await stage.event("ended", { task: task.id });
    await stage.expectRefunded(task, "KeyWithheld", before, { gasWei: gasOf(event) });
  });

  it("a sealed one whose key does not open it: leaves it to others at no cost", async () => {
    const node = await stage.start();
    const before = await stage.balances();
    const task = await submitOpen({ sealed: true });
    await stage.event("assigned", { task: task.id });
    await publishKey(task, generateKeyPair().publicKey);
    const event = await stage.event("declined", { task: task.id });
    expect(event["outcome"]).to.equal("PayloadUnreadable");
    expect(await taskOf(task.id)).to.equal(Status.Funded);
    const after = await stage.balances();
    expect(after).to.deep.equal({
      ...before,
      market: before.market + task.costWei,
      gas: before.gas - gasOf(event),
    });
    // It does not take it again.
    await stage.passSeconds(5);
    await sleep(300);
    expect(await taskOf(task.id)).to.equal(Status.Funded);
    expect(node.journal.get(task.id)?.step).to.equal("done");
  });

  it("a sealed one that another took: takes it when that one leaves it", async () => {
    const rival = stage.world.others[1]!;
    await stage.world.register(rival, { rateWei: 1n });
    await stage.start();
    const task = await submitOpen({ sealed: true, from: RATE_WEI / 2n });
    const words = [encodeTerms(task.terms), encodeWork(task.work)] as const;
    await stage.event("fetching", { task: task.id });
    await stage.market(rival).acceptOpen(...words, rival.address);
    await stage.passSeconds(30);
    await stage.market(rival).decline(words[0], workHash(task.work), 12);
    await stage.passSeconds(250);
    await stage.event("assigned", { task: task.id });
    const { provider } = await stage.market().assignmentOf(words[0], workHash(task.work));
    expect(provider).to.equal(stage.provider.address);
  });
});
