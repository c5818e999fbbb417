import { readdirSync, readFileSync, statSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";

import { expect } from "chai";
import { hexlify, parseEther } from "ethers";

import { readHeader } from "../../../src/envelope/index.ts";
import { listKeys, saveKey } from "../../../src/keystore.ts";
import { createArbiter } from "../../../src/market/dispute.ts";
import { prepareTask, type TaskRequest } from "../../../src/market/prepare.ts";
import { loadRecord } from "../../../src/market/records.ts";
import type { TaskStatus } from "../../../src/market/status.ts";
import { saveLimits } from "../../../src/market/limits.ts";
import { submitTask, type SubmittedTask } from "../../../src/market/submit.ts";
import { encodeTerms, encodeWork, maximumCostWei } from "../../../src/market/terms.ts";
import {
  createPoolAccount,
  ensureKey,
  fundAccounts,
  listPoolAccounts,
  marketOf,
  readPool,
  sweepAccounts,
} from "../../../src/mirror/accounts.ts";
import { checkCanary, createCanary, listCanaries, sendCanary, tallyOf } from "../../../src/mirror/canary.ts";
import { compareMirror, compareMirrors } from "../../../src/mirror/compare.ts";
import { checkMirrorable, loadPlan, mirrorTask, planMirror, runMirrors } from "../../../src/mirror/mirror.ts";
import { Secret } from "../../../src/secret.ts";
import { drawUnits } from "../../../src/verify/units.ts";
import { parseVerification } from "../../../src/verify/verification.ts";
import { fileIn, RATE_WEI } from "../market/support.ts";
import { Cleanup, errorOf } from "../storage/support.ts";
import { createMirrorWorld, type MirrorWorld, type Seen, sell } from "./support.ts";

const FUNDS = parseEther("1");

describe("mirror: orders that nobody can tell apart", function () {
  this.timeout(60_000);
  const cleanup = new Cleanup();
  let world: MirrorWorld;
  let restore: () => Promise<void>;
  let directory: string;

  before(async () => {
    world = await createMirrorWorld(cleanup);
    const snapshot = await world.connection.networkHelpers.takeSnapshot();
    restore = () => snapshot.restore();
  });
  after(() => cleanup.run());
  beforeEach(() => {
    directory = cleanup.directory();
    // Each test has a home of its own, with the owner's key.
    const home = cleanup.directory();
    world = {
      ...world,
      home,
      context: { ...world.context, home },
      client: world.clientOf(world.owner, { home }),
    };
  });
  beforeEach(async () => {
    await saveKey(world.home, world.owner.address, world.ownerKey);
    world.uploads.length = 0;
    world.fundedAccount = async (amountWei) => {
      const account = await createPoolAccount(world.home);
      await (await world.owner.sendTransaction({ to: account.address, value: amountWei })).wait();
      return account;
    };
  });
  afterEach(() => restore());

  async function request(
    more: Omit<Partial<TaskRequest>, "source"> = {},
    names = ["a.txt", "b.txt", "c.txt", "d.txt"],
  ) {
    const files = await Promise.all(names.map((name) => fileIn(directory, name, `the text of ${name}`)));
    return { source: { files }, application: "noop", durationSeconds: 60, ...more } satisfies TaskRequest;
  }

  async function submit(more: Omit<Partial<TaskRequest>, "source"> = {}): Promise<SubmittedTask> {
    return await world.client.submit(await request(more));
  }

  async function status(id: string): Promise<TaskStatus> {
    return await world.client.status(id);
  }

  async function sold(id: string, fake?: Parameters<typeof sell>[3]): Promise<Seen> {
    return await sell(world, await status(id), cleanup, fake);
  }

  /** A fake of one unit. */
  const faking = (unit: number) => ({
    fake: (index: number, output: Buffer) => (index === unit ? Buffer.from(`no ${output.length}`) : output),
  });

  // ---- Order ----

  it("orders the same payload from another provider and account, and both agree", async () => {
    await world.fundedAccount(FUNDS);
    const first = await submit();
    const before = await status(first.id);
    const mirror = await mirrorTask(world.context, first.id);
    const second = await status(mirror.id);
    expect(second.terms.provider).not.to.equal(first.terms.provider);
    expect(second.terms.owner).to.equal(mirror.account).and.not.to.equal(first.terms.owner);
    expect(second.terms.salt).not.to.equal(first.terms.salt);
    expect(second.work.payload).not.to.equal(first.work.payload);
    // Nothing of the first task has changed.
    expect({ ...(await status(first.id)), nowSeconds: 0 }).to.deep.equal({ ...before, nowSeconds: 0 });

    const one = await sold(first.id);
    const other = await sold(mirror.id);
    expect(other.manifestText).to.equal(one.manifestText);
    expect(other.files).to.deep.equal(one.files);
    expect(other.envelope.length).to.equal(one.envelope.length);
    expect(other.envelope.equals(one.envelope)).to.equal(false);

    const comparison = await compareMirror(world.context, first.id);
    expect(comparison).to.deep.include({ verdict: "agree", units: [0, 1, 2, 3], differing: [], wrong: [] });
  });

  it("finds who is wrong by doing the units that differ again", async () => {
    await world.fundedAccount(FUNDS);
    const { id } = await submit();
    const mirror = await mirrorTask(world.context, id);
    await sold(id, faking(2));
    await sold(mirror.id);
    const found = await compareMirror(world.context, id);
    expect(found).to.deep.include({ verdict: "disagree", differing: [2], decidedBy: "here" });
    expect(found.wrong).to.deep.equal([{ side: "task", unit: 2 }]);
    // Neither can be disputed: they were ordered without a challenge period.
    expect(found.plans).to.deep.equal({});
    // Whoever cannot do the work itself knows that one of two is wrong.
    const undecided = await compareMirror(world.context, id, { redo: 0 });
    expect(undecided).to.deep.include({ verdict: "disagree", wrong: [], rulings: [] });
  });

  it("accuses nobody by a method that looks at each delivery by itself", async () => {
    await world.fundedAccount(FUNDS);
    const verification = parseVerification({ method: "tokens/1" });
    const { id } = await submit({ verification });
    const mirror = await mirrorTask(world.context, id);
    const { manifestText } = await sold(mirror.id, faking(2));
    expect(manifestText).to.contain("tokens/1");
    await sold(id);
    const found = await compareMirror(world.context, id);
    expect(found).to.deep.include({ verdict: "inconclusive", wrong: [], differing: [] });
    const made = createCanary(world.context, { from: { task: id } });
    expect((await errorOf(made)).code).to.equal("canary.no-answer");
  });

  it("says what a dispute takes, where there can be one", async () => {
    await world.fundedAccount(FUNDS);
    const { address } = await createArbiter(world.context, {
      arbiter: world.owner.address,
      ...{ feeBps: 100, minimumFeeWei: 0n, rulingSeconds: 86_400 },
    });
    const { id, terms } = await submit({ challenge: { periodSeconds: 3600, arbiter: address } });
    const mirror = await mirrorTask(world.context, id);
    const other = await status(mirror.id);
    expect(other.terms.arbiter).to.equal(terms.arbiter);
    expect(other.terms.conditions.challengePeriodSeconds).to.equal(3600);
    await sold(id);
    await sold(mirror.id, faking(1));
    const { wrong, plans } = await compareMirror(world.context, id);
    expect(wrong).to.deep.equal([{ side: "mirror", unit: 1 }]);
    expect(plans.mirror?.id).to.equal(mirror.id);
    expect(plans.mirror?.bondWei).to.be.greaterThan(0n);
  });

  it("buys the units of an audit alone, those that its seed draws", async () => {
    await world.fundedAccount(FUNDS);
    const { id } = await submit();
    expect((await errorOf(mirrorTask(world.context, id, { units: 2 }))).code).to.equal("task.not-delivered");
    await sold(id, faking(0));
    const mirror = await mirrorTask(world.context, id, { units: 2 });
    const seed = (await loadRecord(world.home, id))?.auditSeed.reveal() ?? "";
    const { delivery } = await status(id);
    const { evidenceHash = "" } = delivery ?? {};
    const drawn = drawUnits({ auditSeed: seed, evidenceHash, unitCount: 4, count: 2 });
    expect(mirror.units).to.deep.equal(drawn.toSorted((a, b) => a - b));
    const seen = await sold(mirror.id);
    const names = ["a.txt", "b.txt", "c.txt", "d.txt"];
    expect([...seen.files.keys()]).to.deep.equal(mirror.units?.map((unit) => `input/${names[unit] ?? ""}`));
    const found = await compareMirror(world.context, id);
    expect(found.units).to.deep.equal(mirror.units);
    expect(found.verdict).to.equal(mirror.units?.includes(0) === true ? "disagree" : "agree");
  });

  it("asks a third provider for a third opinion, and has no fourth one", async () => {
    for (let i = 0; i < 3; i++) await world.fundedAccount(FUNDS);
    const { id, terms } = await submit();
    const [second, third] = [await mirrorTask(world.context, id), await mirrorTask(world.context, id)];
    expect(new Set([terms.provider, second.provider, third.provider]).size).to.equal(3);
    expect(second.account).not.to.equal(third.account);
    expect((await errorOf(compareMirrors(world.context, id))).code).to.equal("task.not-delivered");
    for (const each of [id, second.id]) await sold(each);
    expect(await compareMirrors(world.context, id)).to.have.length(1);
    await sold(third.id, faking(1));
    const verdicts = (await compareMirrors(world.context, id, { redo: 0 })).map(({ verdict }) => verdict);
    expect(verdicts).to.deep.equal(["agree", "disagree"]);
    expect((await errorOf(mirrorTask(world.context, id))).code).to.equal("mirror.no-provider");
    const named = mirrorTask(world.context, id, { provider: terms.provider });
    expect((await errorOf(named)).code).to.equal("mirror.same-provider");
    // The one that could not order is free for another task.
    expect((await readPool(world.context)).filter(({ usedFor }) => usedFor === undefined)).to.have.length(1);
  });

  it("takes providers that share an account for one", async () => {
    await world.fundedAccount(FUNDS);
    const { id, terms } = await submit();
    const { ProviderRegistry } = world.deployment.contracts;
    const registry = await world.connection.ethers.getContractAt("ProviderRegistry", ProviderRegistry);
    for (const { account } of world.sellers)
      if (account.address !== terms.provider) await registry.connect(account).setPayout(terms.provider);
    expect((await errorOf(mirrorTask(world.context, id))).code).to.equal("mirror.no-provider");
  });

  it("refuses what has no second provider, before anything is paid", async () => {
    await world.fundedAccount(FUNDS);
    const secret = await world.client.prepare(await request({ secrets: { TOKEN: new Secret("s3cret") } }));
    expect(() => checkMirrorable(secret)).to.throw("it has secrets");
    const open = await world.client.prepare(await request({ publicResult: true }));
    expect(() => checkMirrorable(open)).to.throw("its result is public");
    checkMirrorable(await world.client.prepare(await request()));
    const { id } = await submit({ secrets: { TOKEN: new Secret("s3cret") } });
    expect((await errorOf(mirrorTask(world.context, id))).code).to.equal("mirror.unfit");
  });

  // ---- Money ----

  it("keeps to its own most, to the owner's limits, and to accounts that can pay", async () => {
    const { id } = await submit();
    expect((await errorOf(mirrorTask(world.context, id))).code).to.equal("mirror.no-account");
    await createPoolAccount(world.home);
    expect((await errorOf(mirrorTask(world.context, id))).code).to.equal("mirror.no-account");
    await world.fundedAccount(FUNDS);
    const cheap = mirrorTask(world.context, id, { maxCostWei: RATE_WEI * 60n - 1n });
    expect((await errorOf(cheap)).code).to.equal("task.too-dear");
    const limit = RATE_WEI * 60n;
    const { currency } = world.deployment;
    await saveLimits(world.home, { taskWei: limit, hourWei: limit, monthWei: limit }, currency);
    expect((await errorOf(mirrorTask(world.context, id))).code).to.equal("limit.hour");
    await saveLimits(world.home, { taskWei: limit, hourWei: 2n * limit, monthWei: 2n * limit }, currency);
    const mirror = await mirrorTask(world.context, id);
    expect(maximumCostWei((await status(mirror.id)).terms)).to.equal(limit);
    // The task itself is where it was.
    expect((await status(id)).status).to.equal("Funded");
  });

  it("orders once for one purpose, also where it was cut off after paying", async () => {
    for (let i = 0; i < 2; i++) await world.fundedAccount(FUNDS);
    const { id } = await submit();
    const mirror = await mirrorTask(world.context, id);
    // As if the process had died before it noted the order.
    await planForgotten(id);
    expect((await mirrorTask(world.context, id)).id).to.equal(mirror.id);
    expect((await readPool(world.context)).filter(({ usedFor }) => usedFor !== undefined)).to.have.length(1);
  });

  async function planForgotten(id: string): Promise<void> {
    await rm(join(world.home, "mirror", "tasks", `${id}.json`));
  }

  it("runs what is due, once, and goes on after one that fails", async () => {
    const nowSeconds = 1_000_000;
    const [one, two, three] = [
      await submit(),
      await submit({ durationSeconds: 61 }),
      await submit({ durationSeconds: 62 }),
    ];
    const never = { probability: 0, nowSeconds };
    const always = { probability: 1, maxDelaySeconds: 100, nowSeconds };
    await planMirror(world.home, one.id, { ...always, maxCostWei: 1n });
    await planMirror(world.home, two.id, always);
    await planMirror(world.home, three.id, never);
    // Tossed once: asking again changes nothing.
    await planMirror(world.home, three.id, always);
    for (let i = 0; i < 2; i++) await world.fundedAccount(FUNDS);
    expect(await runMirrors(world.context, { nowSeconds: nowSeconds - 1 })).to.deep.equal([]);
    const runs = await runMirrors(world.context, { nowSeconds: nowSeconds + 100 });
    expect(runs.map(({ task }) => task)).to.have.members([one.id, two.id]);
    expect(runs.find(({ task }) => task === one.id)?.error?.code).to.equal("task.too-dear");
    expect(runs.find(({ task }) => task === two.id)?.mirror?.id).to.match(/^0x/);
    expect((await loadPlan(world.home, one.id))?.problem).to.contain("more than the");
    const again = await runMirrors(world.context, { nowSeconds: nowSeconds + 200 });
    expect(again.map(({ task }) => task)).to.deep.equal([one.id]);
    // One that ended without a result has nothing to be compared with.
    await world.client.close(one.id, "cancel");
    expect(await runMirrors(world.context, { nowSeconds: nowSeconds + 300 })).to.deep.equal([]);
    expect((await loadPlan(world.home, one.id))?.isWanted).to.equal(false);
  });

  it("keeps keys and decisions where nobody else can read them", async () => {
    const account = await world.fundedAccount(FUNDS);
    const { id } = await submit();
    await planMirror(world.home, id, { probability: 1, nowSeconds: 0 });
    for (const path of [account.path, join(world.home, "mirror", "tasks", `${id}.json`)])
      expect(statSync(path).mode & 0o077).to.equal(0);
    expect(JSON.stringify(await listPoolAccounts(world.home))).not.to.contain(account.privateKey.reveal());
  });

  // ---- Treasury ----

  it("is funded by the treasury out of the protocol's fees", async () => {
    const treasury = world.others[6];
    if (treasury === undefined) throw new Error("no account");
    await world.market.setTreasury(treasury.address);
    const { id } = await submit();
    await sold(id);
    const { feeWei = 0n } = (await status(id)).payment ?? {};
    expect(feeWei).to.be.greaterThan(0n);
    const account = await createPoolAccount(world.home);
    const { provider } = world.connection.ethers;
    const before = await provider.getBalance(account.address);
    const eachWei = (feeWei * 3n) / 4n;
    const [funded] = await fundAccounts(
      { ...world.context, signer: treasury },
      { eachWei, collectFees: true },
    );
    const { amountWei = 0n } = funded ?? {};
    expect(funded?.account).to.equal(account.address);
    expect(amountWei >= eachWei && amountWei * 4n <= eachWei * 5n).to.equal(true);
    expect((await provider.getBalance(account.address)) - before).to.equal(amountWei);
    // Out of the fees alone; what is left of them stays the treasury's.
    expect(await world.context.contracts.market.balanceOf(treasury.address)).to.equal(feeWei - amountWei);
  });

  it("gives what used accounts have left back", async () => {
    await world.fundedAccount(FUNDS);
    const { id } = await submit();
    const mirror = await mirrorTask(world.context, id);
    await sold(mirror.id);
    const { market } = world.context.contracts;
    const leftWei = await market.balanceOf(mirror.account);
    expect(leftWei).to.be.greaterThan(0n);
    const to = world.others[5]?.address ?? "";
    const before = await world.connection.ethers.provider.getBalance(to);
    expect(await sweepAccounts(world.context, { to })).to.equal(leftWei);
    expect((await world.connection.ethers.provider.getBalance(to)) - before).to.equal(leftWei);
  });

  // ---- Canaries ----

  it("sends canaries and holds what comes back against the answer", async () => {
    for (let i = 0; i < 2; i++) await world.fundedAccount(FUNDS);
    const files = (await request()).source.files;
    const canaries = [];
    for (let i = 0; i < 2; i++)
      canaries.push(await createCanary(world.context, { from: { files }, application: "noop" }));
    const [good, bad] = canaries;
    if (good === undefined || bad === undefined) throw new Error("no canaries");
    expect((await errorOf(checkCanary(world.context, good.name))).code).to.equal("canary.not-sent");
    const order = await sendCanary(world.context, good.name);
    expect((await errorOf(sendCanary(world.context, good.name))).code).to.equal("canary.sent");
    expect((await checkCanary(world.context, good.name)).verdict).to.equal(undefined);
    await sold(order.id);
    expect((await checkCanary(world.context, good.name)).verdict).to.equal("pass");
    const other = await sendCanary(world.context, bad.name, { provider: order.provider });
    await sold(other.id, faking(3));
    expect(await checkCanary(world.context, bad.name)).to.deep.include({ verdict: "fail", firstFailing: 3 });
    const tally = tallyOf(await listCanaries(world.home));
    expect(tally).to.deep.equal([
      { provider: order.provider, sent: 2, passed: 1, failed: 1, undecided: 0, open: 0 },
    ]);
    expect((await errorOf(sendCanary(world.context, "../x"))).code).to.equal("canary.unknown");
  });

  it("makes other pictures of the same page, and knows what is on them", async () => {
    await world.fundedAccount(FUNDS);
    const page = join(directory, "letter.jpg");
    const { default: sharp } = await import("sharp");
    await sharp("samples/letter.jpg").resize({ width: 480 }).toFile(page);
    const canary = await createCanary(world.context, { from: { files: [page] } });
    const [name = ""] = canary.inputs;
    expect(name).not.to.equal("letter.jpg");
    const own = readFileSync(join(world.home, "mirror", "canaries", canary.name, "input", name));
    expect(own.equals(readFileSync(page))).to.equal(false);
    const { id } = await sendCanary(world.context, canary.name);
    await sold(id);
    expect(await checkCanary(world.context, canary.name)).to.deep.include({ verdict: "pass" });
  });

  it("knows the picture that is drawn of a page, too, where work is compared byte by byte", async () => {
    await world.fundedAccount(FUNDS);
    const page = join(directory, "letter.jpg");
    const { default: sharp } = await import("sharp");
    await sharp("samples/letter.jpg").resize({ width: 480 }).toFile(page);
    const { id: task } = await world.client.submit({
      ...{ source: { files: [page] }, application: "ocr", durationSeconds: 60 },
      verification: parseVerification({ method: "exact/1" }),
    });
    const canary = await createCanary(world.context, { from: { task } });
    const { id } = await sendCanary(world.context, canary.name);
    await sold(id);
    expect(await checkCanary(world.context, canary.name)).to.deep.include({ verdict: "pass" });
  });

  it("says that it has no answer where nothing here can do the work", async () => {
    const files = (await request()).source.files;
    const made = createCanary(world.context, { from: { files }, application: "other" });
    expect((await errorOf(made)).code).to.equal("canary.no-answer");
    expect(await listCanaries(world.home)).to.deep.equal([]);
    expect(readdirSync(join(world.home, "mirror", "canaries"))).to.deep.equal([]);
    const known = await createCanary(world.context, {
      ...{ from: { files }, application: "other", expected: [files[0] ?? ""] },
    });
    expect(known.inputs).to.have.length(4);
  });

  // ---- What a provider sees ----

  interface Look {
    readonly fields: Record<string, string | number | boolean>;
    /** All that left this machine for this task, in the clear or as the provider opens it. */
    readonly bytes: readonly Buffer[];
  }

  /** What everybody and the task's provider see of it before it is delivered, field by field. */
  async function lookAt(id: string): Promise<Look> {
    const { terms, work, submitted } = await status(id);
    const { ethers } = world.connection;
    const transaction = await ethers.provider.getTransaction(submitted.transactionHash);
    const receipt = await ethers.provider.getTransactionReceipt(submitted.transactionHash);
    if (transaction === null || receipt === null) throw new Error("it was not sent");
    const seen = await sold(id);
    const { compartments } = await readHeader([seen.envelope]);
    const upload = world.uploads.find(({ by }) => by === terms.owner);
    const [words, more] = [encodeTerms(terms), encodeWork(work)];
    const { conditions, price } = terms;
    const start = conditions.startBySeconds;
    const manifest = JSON.parse(seen.manifestText) as Record<string, unknown>;
    const fields: Look["fields"] = {
      "transaction.type": transaction.type,
      "transaction.to": String(transaction.to),
      "transaction.selector": transaction.data.slice(0, 10),
      "transaction.length": transaction.data.length,
      "transaction.value": String(transaction.value),
      "transaction.gasLimit.isEstimate": transaction.gasLimit >= receipt.gasUsed,
      "transaction.priority": String(transaction.maxPriorityFeePerGas),
      "transaction.nonce": transaction.nonce,
      "transaction.logs": receipt.logs.map(({ topics, data }) => `${topics.length}/${data.length}`).join(),
      "terms.price": String(words.price),
      "terms.assurance": String(words.assurance),
      "terms.conditions.length": words.conditions.toString(16).length,
      "terms.flags": String(words.conditions >> 112n),
      // A block can be a second or two after the clock that the client asked.
      "terms.startBy": Math.round((start - submitted.atSeconds) / 10),
      "terms.between": conditions.completeBySeconds - start,
      "terms.duration": conditions.durationSeconds,
      "terms.epoch": conditions.keyEpoch,
      "terms.salt.length": terms.salt.length,
      "price.metered": price.metered,
      "work.resources": String(more.resources),
      "work.scheme": work.payload.slice(0, 5),
      "work.length": work.payload.length,
      "upload.tags": JSON.stringify(upload?.tags),
      "upload.resume": String(upload?.resume),
      "upload.isOwn": world.uploads.filter(({ by }) => by === terms.owner).length,
      "envelope.length": seen.envelope.length,
      "envelope.compartments": compartments
        .map(({ kind, chunkBytes, recipients }) => `${kind}/${chunkBytes}/${recipients.length}`)
        .join(),
      // Whether the first reader is the provider and the last one the owner, as their keys are published.
      "envelope.readers": await readersOf(terms, compartments),
      "manifest.text": seen.manifestText,
      "manifest.fields": Object.keys(manifest).join(),
      "key.count": (await listKeys(world.home, terms.owner)).length,
    };
    return {
      fields,
      bytes: [Buffer.from(transaction.data.slice(2), "hex"), seen.envelope, ...seen.files.values()],
    };
  }

  async function readersOf(
    { owner, provider }: TaskStatus["terms"],
    compartments: Awaited<ReturnType<typeof readHeader>>["compartments"],
  ): Promise<string> {
    const { keys } = world.context.contracts;
    const names = new Map<string, string>();
    for (const [name, account] of Object.entries({ owner, provider }))
      names.set((await keys.currentKey(account)).key.publicKey, name);
    return compartments
      .flatMap(({ recipients }) =>
        recipients.map(({ publicKey }) => names.get(hexlify(publicKey)) ?? "other"),
      )
      .join();
  }

  it("shows a provider nothing by which a mirror or a canary could be told from an order", async () => {
    const given = await request();
    // Ordinary orders come from owners of their own, as new to the market as mirror accounts are.
    const ordinary: Look[] = [];
    const record: string[] = [];
    for (let i = 0; i < 3; i++) {
      const account = await world.fundedAccount(FUNDS);
      const market = marketOf(world.context, account);
      await ensureKey(market, account);
      const { id } = await submitTask(market, await prepareTask(market, given));
      ordinary.push(await lookAt(id));
      // It is none of the pool's any more.
      await rm(account.path);
    }
    const secrets: string[] = [world.owner.address.slice(2).toLowerCase()];
    const mirrors: Look[] = [];
    for (let i = 0; i < 2; i++) {
      await world.fundedAccount(FUNDS);
      const first = await world.client.submit({ ...given, durationSeconds: 60, startWithinSeconds: 600 + i });
      record.push(first.id);
      const seed = (await loadRecord(world.home, first.id))?.auditSeed.reveal() ?? "";
      secrets.push(first.id.slice(2), seed.slice(2), first.terms.salt.slice(2));
      const plan = { probability: 1, maxDelaySeconds: 0, nowSeconds: 0, startWithinSeconds: 600 };
      await planMirror(world.home, first.id, plan);
      const { id } = await mirrorTask(world.context, first.id);
      mirrors.push(await lookAt(id));
    }
    const canaries: Look[] = [];
    for (let i = 0; i < 2; i++) {
      await world.fundedAccount(FUNDS);
      const { name } = await createCanary(world.context, {
        ...{ from: given.source, application: "noop" },
        like: record[0],
      });
      const { id } = await sendCanary(world.context, name);
      secrets.push(Buffer.from(name).toString("hex"));
      canaries.push(await lookAt(id));
    }
    const names = Object.keys(ordinary[0]?.fields ?? {});
    for (const name of names) {
      const valuesOf = (looks: readonly Look[]): Set<unknown> =>
        new Set(looks.map(({ fields }) => fields[name]));
      const usual = valuesOf(ordinary);
      // What is the same for all ordinary orders of these files is the same for mirrors and canaries.
      expect(usual.size, name).to.equal(1);
      expect(valuesOf(mirrors), name).to.deep.equal(usual);
      expect(valuesOf(canaries), name).to.deep.equal(usual);
    }
    for (const { fields, bytes } of [...mirrors, ...canaries]) {
      const all = [...bytes, Buffer.from(JSON.stringify(fields))];
      const text = all
        .map((each) => each.toString("latin1"))
        .join("\n")
        .toLowerCase();
      for (const word of ["mirror", "canary"]) expect(text).not.to.contain(word);
      for (const secret of secrets) {
        const raw = Buffer.from(secret, "hex");
        for (const each of all) expect(each.includes(raw) || each.includes(secret)).to.equal(false);
      }
    }
  });
});
