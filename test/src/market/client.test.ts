import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { expect } from "chai";
import { hexlify, keccak256, parseEther, sha256, toUtf8Bytes } from "ethers";

import { encodeHeader } from "../../../src/envelope/format.ts";
import { resultContext } from "../../../src/envelope/index.ts";
import { commitTo, generateContentKey, wrapForAll } from "../../../src/envelope/keys.ts";
import { MarketClient } from "../../../src/market/client.ts";
import type { PreparedTask, TaskRequest } from "../../../src/market/prepare.ts";
import type { StoredKey } from "../../../src/keystore.ts";
import { loadRecord } from "../../../src/market/records.ts";
import type { TaskStatus } from "../../../src/market/status.ts";
import type { SubmitProgress, SubmittedTask } from "../../../src/market/submit.ts";
import { Outcome } from "../../../src/market/outcome.ts";
import { encodeTerms, workHash } from "../../../src/market/terms.ts";
import { Secret } from "../../../src/secret.ts";
import type { Storage } from "../../../src/storage/storage.ts";
import { Cleanup, errorOf } from "../storage/support.ts";
import {
  type Account,
  archiveOf,
  createWorld,
  deliverResult,
  fileIn,
  RATE_WEI,
  STAKE_WEI,
  textOf,
  type World,
} from "./support.ts";

describe("market: a task from the owner's side", () => {
  const cleanup = new Cleanup();
  let world: World;
  let provider: { account: Account; key: StoredKey };
  let directory: string;
  let restore: () => Promise<void>;

  before(async () => {
    world = await createWorld(cleanup);
    const [account] = world.others;
    if (account === undefined) throw new Error("no account");
    provider = { account, key: await world.register(account) };
    const snapshot = await world.connection.networkHelpers.takeSnapshot();
    restore = () => snapshot.restore();
  });
  after(() => cleanup.run());
  beforeEach(() => {
    directory = cleanup.directory();
  });
  afterEach(() => restore());

  async function request(more: Partial<TaskRequest> = {}): Promise<TaskRequest> {
    const file = await fileIn(directory, "scan.png", "a picture");
    return { source: { files: [file] }, application: "ocr", durationSeconds: 60, ...more };
  }

  async function submit(more: Partial<TaskRequest> = {}): Promise<SubmittedTask> {
    return await world.client.submit(await request(more));
  }

  function out(name = "result"): string {
    return join(directory, name);
  }

  async function passSeconds(seconds: number): Promise<void> {
    await world.connection.networkHelpers.time.increase(seconds);
  }

  it("goes to the provider and comes back, opened and checked", async () => {
    const phases = new Set<string>();
    const task = await world.client.submit(await request(), { onProgress: ({ phase }) => phases.add(phase) });
    expect([...phases]).to.include.members([
      "encrypting",
      "uploading",
      "reading-back",
      "sending",
      "confirming",
    ]);
    expect(task.costWei).to.equal(RATE_WEI * 60n);
    expect(task.terms.conditions.keyEpoch).to.equal(1);

    await passSeconds(2);
    const { input } = await deliverResult(world, task, provider, { secondsUsed: 2 });
    expect(Buffer.from(input).includes("a picture")).to.equal(true);

    const status = await world.client.wait(task.id, { for: "delivered" });
    expect(status).to.include({ status: "Settled", outcome: "Completed", fault: "None", ended: true });
    const paidWei = 2n * RATE_WEI;
    expect(status.payment).to.deep.equal({
      paidWei,
      feeWei: (paidWei * 250n) / 10_000n,
      refundedWei: task.costWei - paidWei,
    });

    const result = await world.client.result(task.id, { directory: out() });
    expect(result.sound).to.equal(true);
    expect(result.checks.map(({ name, verdict }) => `${name} ${verdict}`)).to.deep.equal([
      "evidenceHash match",
      "resultRoot match",
      "runHash match",
      "inputRoot match",
    ]);
    expect(await textOf(out(), "output", "page.txt")).to.equal("hello");
    expect(result.files.map(({ path }) => path)).to.deep.equal([
      "run.json",
      "result.json",
      "logs/run.log",
      "output/page.txt",
    ]);
    expect(readdirSync(directory).toSorted()).to.deep.equal(["result", "scan.png"]);
  });

  it("leaves nothing in the outbox, and a record that nobody else can read", async () => {
    const { id, terms, transaction } = await submit();
    expect(readdirSync(join(world.home, "outbox"))).to.deep.equal([]);
    const record = await loadRecord(world.home, id);
    expect(keccak256(record?.auditSeed.reveal() ?? "")).to.equal(terms.salt);
    expect(record?.transactionHash).to.equal(transaction?.hash);
    expect(
      JSON.stringify(record, (_, value: unknown) => (typeof value === "bigint" ? "" : value)),
    ).to.contain("[secret]");
  });

  it("is followed and opened from another machine that has only the key", async () => {
    const { id, terms, work } = await submit();
    await deliverResult(world, { id, terms, work }, provider);
    const elsewhere = cleanup.directory();
    const keyDirectory = join(elsewhere, "keys", world.owner.address);
    mkdirSync(keyDirectory, { recursive: true });
    writeFileSync(join(keyDirectory, "restored.json"), readFileSync(world.ownerKey.path));
    const client = world.clientOf(world.owner, { home: elsewhere });
    const status = await client.status(id);
    expect(status.terms).to.deep.equal(terms);
    expect(status.work).to.deep.equal(work);
    const { checks, sound } = await client.result(id, { directory: out() });
    expect(sound).to.equal(true);
    expect(checks.at(-1)).to.include({ name: "inputRoot", verdict: "unchecked" });
  });

  it("says which key is missing", async () => {
    const { id, terms, work } = await submit();
    await deliverResult(world, { id, terms, work }, provider);
    const client = world.clientOf(world.owner, { home: cleanup.directory() });
    const error = await errorOf(client.result(id, { directory: out() }));
    expect(error.code).to.equal("result.key-missing");
    expect(error.message).to.contain("epoch 1").and.to.contain(world.owner.address);
    expect(existsSync(out())).to.equal(false);
  });

  it("opens the result of an older key epoch", async () => {
    const { id, terms, work } = await submit();
    await world.publish(world.owner);
    await deliverResult(world, { id, terms, work }, provider);
    expect((await world.client.result(id, { directory: out() })).sound).to.equal(true);
  });

  it("carries secrets in a compartment of their own, which the owner's key does not open", async () => {
    const { id, terms, work } = await submit({
      secrets: { TOKEN: new Secret("s3cret"), OTHER: new Secret("x") },
    });
    const { secrets, input } = await deliverResult(world, { id, terms, work }, provider);
    expect(JSON.parse(secrets ?? "")).to.deep.equal({ TOKEN: "s3cret", OTHER: "x" });
    expect(Buffer.from(input).includes("s3cret")).to.equal(false);
  });

  it("asks for a public result, which needs no key", async () => {
    const [, , stranger] = world.others;
    if (stranger === undefined) throw new Error("no account");
    const client = world.clientOf(stranger);
    const { id, terms, work } = await client.submit(await request({ publicResult: true }));
    expect(terms.conditions.keyEpoch).to.equal(0);
    await deliverResult(world, { id, terms, work }, provider);
    const result = await world
      .clientOf(stranger, { home: cleanup.directory() })
      .result(id, { directory: out() });
    expect(result.sound).to.equal(true);
    expect(await textOf(out(), "result.json")).to.contain("hello");
  });

  it("sends a folder and says beforehand what of it", async () => {
    mkdirSync(join(directory, "pages", ".git"), { recursive: true });
    await fileIn(join(directory, "pages"), "a.png");
    await fileIn(join(directory, "pages", ".git"), "config");
    const prepared = await world.client.prepare(
      await request({ source: { folder: join(directory, "pages") } }),
    );
    expect(prepared.payload.manifest.inputs).to.deep.equal(["input/a.png"]);
    expect(prepared.payload.leftOut).to.deep.equal([".git/"]);
    expect(prepared.payload.sizeBytes).to.be.greaterThan(0);
  });

  // ---- Paid once ----

  describe("cut off while submitting", () => {
    let prepared: PreparedTask;
    beforeEach(async () => {
      prepared = await world.client.prepare(await request());
    });

    /** A client whose storage or chain fails at one point. */
    function clientWith(storage: Storage): MarketClient {
      const { deployment, home, owner } = world;
      return new MarketClient({ runner: owner, deployment, storage: () => storage, home });
    }

    async function tasksOfOwner(): Promise<number> {
      const { deployment, connection } = world;
      const market = await connection.ethers.getContractAt("TaskMarket", deployment.contracts.TaskMarket);
      return (await market.queryFilter(market.filters.TaskSubmitted())).length;
    }

    it("N10_ goes on after a crash before the upload was read back, and stores once", async () => {
      const uris: string[] = [];
      const broken: Storage = Object.assign(Object.create(world.storage) as Storage, {
        put: async (...parameters: Parameters<Storage["put"]>) => {
          const stored = await world.storage.put(...parameters);
          uris.push(stored.uri);
          return stored;
        },
        readBack: () => Promise.reject(new Error("killed")),
      });
      await clientWith(broken)
        .submit(prepared)
        .then(
          () => expect.fail("it should have been killed"),
          (error: unknown) => expect(error).to.have.property("message", "killed"),
        );
      expect(await tasksOfOwner()).to.equal(0);
      const task = await world.client.submit(prepared);
      expect(task.work.payload).to.equal(uris[0]);
      expect(await tasksOfOwner()).to.equal(1);
    });

    /** Submits until a phase begins, and is killed there. */
    async function killedAt(phase: SubmitProgress["phase"]): Promise<void> {
      const crash = new AbortController();
      const onProgress = (progress: SubmitProgress): void => {
        if (progress.phase === phase) crash.abort(new Error("killed"));
      };
      const error: unknown = await world.client
        .submit(prepared, { signal: crash.signal, onProgress })
        .catch((thrown: unknown) => thrown);
      expect(error).to.have.property("message", "killed");
    }

    it("N11_ goes on after a crash between upload and transaction, with the same task", async () => {
      const before = new Set(readdirSync(join(world.home, "tasks")));
      await killedAt("sending");
      expect(await tasksOfOwner()).to.equal(0);
      const known = readdirSync(join(world.home, "tasks")).filter((name) => !before.has(name));
      const again = await world.client.submit(prepared);
      expect(known).to.deep.equal([`${again.id}.json`]);
      expect(again.stored).to.equal(undefined);
      expect(await tasksOfOwner()).to.equal(1);
    });

    it("N11_ pays once when it was cut off after the transaction was sent", async () => {
      await killedAt("confirming");
      const again = await world.client.submit(prepared);
      expect(again.transaction).to.equal(undefined);
      expect(again.costWei).to.equal(prepared.costWei);
      expect(await tasksOfOwner()).to.equal(1);
      expect(readdirSync(join(world.home, "outbox"))).to.deep.equal([]);
    });

    it("makes new times when the old ones have passed, with the payload that is stored already", async () => {
      await killedAt("sending");
      const known = readdirSync(join(world.home, "tasks"));
      await passSeconds(700);
      const task = await world.client.submit(prepared);
      expect(known).not.to.include(`${task.id}.json`);
      expect(task.stored).to.equal(undefined);
      expect(await tasksOfOwner()).to.equal(1);
    });

    it("seals anew when it was cut off while encrypting", async () => {
      await killedAt("encrypting");
      const task = await world.client.submit(prepared);
      await deliverResult(world, task, provider);
      expect((await world.client.result(task.id, { directory: out() })).sound).to.equal(true);
    });

    it("refuses to submit the same at the same time", async () => {
      const both = await Promise.allSettled([world.client.submit(prepared), world.client.submit(prepared)]);
      const [failed] = both.filter((each) => each.status === "rejected");
      expect(failed?.reason).to.have.property("code", "submit.running");
      expect(await tasksOfOwner()).to.equal(1);
    });

    it("forgets attempts that nobody came back to", async () => {
      const old = join(world.home, "outbox", "0".repeat(32));
      mkdirSync(old, { recursive: true });
      writeFileSync(join(old, "payload.envelope"), "x");
      const young = join(world.home, "outbox", "1".repeat(32));
      mkdirSync(young, { recursive: true });
      const longAgo = new Date(Date.now() - 31 * 86_400_000);
      utimesSync(old, longAgo, longAgo);
      await world.client.submit(prepared);
      expect(readdirSync(join(world.home, "outbox"))).to.deep.equal(["1".repeat(32)]);
      rmSync(young, { recursive: true });
    });

    it("orders again when it is asked again", async () => {
      const first = await world.client.submit(prepared);
      const second = await world.client.submit(prepared);
      expect(second.id).not.to.equal(first.id);
      expect(await tasksOfOwner()).to.equal(2);
    });
  });

  // ---- Money ----

  it("says how much is missing, of what, sent where, before a byte moves", async () => {
    const poor = world.others.at(-1);
    if (poor === undefined) throw new Error("no account");
    await world.connection.networkHelpers.setBalance(poor.address, parseEther("0.00000005"));
    const error = await errorOf(world.clientOf(poor).submit(await request({ publicResult: true })));
    expect(error.code).to.equal("wallet.insufficient-funds");
    expect(error.message).to.contain("0.00000005 ANKR").and.to.contain("0.00006 ANKR");
    expect(error.next).to.equal(
      `Send 0.00005995 ANKR to ${poor.address} on chain ${world.deployment.chainId}.`,
    );
    expect(
      existsSync(join(world.home, "outbox")) ? readdirSync(join(world.home, "outbox")) : [],
    ).to.deep.equal([]);
  });

  it("pays from the balance in the market when that suffices", async () => {
    const { deployment, connection, owner } = world;
    const market = await connection.ethers.getContractAt(
      "TaskMarket",
      deployment.contracts.TaskMarket,
      owner,
    );
    await market.deposit(parseEther("1"), { value: parseEther("1") });
    const prepared = await world.client.prepare(await request());
    expect(prepared.valueWei).to.equal(0n);
    await world.client.submit(prepared);
    expect(await market.balanceOf(owner.address)).to.equal(parseEther("1") - prepared.costWei);
  });

  it("pays the rest from the balance when the wallet alone does not suffice", async () => {
    const { deployment, connection, others } = world;
    const [, account] = others;
    if (account === undefined) throw new Error("no account");
    const market = await connection.ethers.getContractAt(
      "TaskMarket",
      deployment.contracts.TaskMarket,
      account,
    );
    await market.deposit(parseEther("2"), { value: parseEther("2") });
    await connection.networkHelpers.setBalance(account.address, parseEther("3"));
    const price = { amountWei: parseEther("4"), metered: false };
    const prepared = await world.clientOf(account).prepare(await request({ publicResult: true, price }));
    expect(prepared.valueWei).to.equal(parseEther("2"));
    await world.clientOf(account).submit(prepared);
    expect(await market.balanceOf(account.address)).to.equal(0n);
  });

  it("lets a delegate pay from the owner's balance, and the owner open the result", async () => {
    const { deployment, connection, owner, others } = world;
    const [, delegate] = others;
    if (delegate === undefined) throw new Error("no account");
    const market = await connection.ethers.getContractAt(
      "TaskMarket",
      deployment.contracts.TaskMarket,
      owner,
    );
    const asDelegate = world.clientOf(delegate);
    const wanted = await request({ owner: owner.address });
    expect((await errorOf(asDelegate.prepare(wanted))).code).to.equal("wallet.insufficient-funds");
    await market.deposit(parseEther("1"), { value: parseEther("1") });
    expect((await errorOf(asDelegate.prepare(wanted))).code).to.equal("wallet.not-delegate");
    const expiresAt = (await connection.networkHelpers.time.latest()) + 10_000;
    await market.setDelegate(delegate.address, {
      limitWei: parseEther("1"),
      provider: provider.account.address,
      expiresAt,
      model: 0,
    });
    const { id, terms, work } = await asDelegate.submit(wanted);
    expect(terms.owner).to.equal(owner.address);
    await deliverResult(world, { id, terms, work }, provider);
    expect((await world.client.result(id, { directory: out() })).sound).to.equal(true);
  });

  // ---- Providers ----

  it("chooses the best provider, and refuses one that does not fit with both numbers", async () => {
    const [, dear, small] = world.others;
    if (dear === undefined || small === undefined) throw new Error("no account");
    await world.register(dear, { rateWei: 3n * RATE_WEI });
    await world.register(small, {
      rateWei: 1n,
      shape: { gpuCount: 0, gpuClass: 0, vramMiB: 0, ramMiB: 512, cpuMilli: 500, diskMiB: 1 },
    });
    const prepared = await world.client.prepare(await request());
    expect(prepared.provider?.account).to.equal(provider.account.address);
    expect(prepared.considered.map(({ account, rank }) => [account, rank])).to.deep.equal([
      [provider.account.address, 1],
      [dear.address, 2],
      [small.address, 0],
    ]);
    const error = await errorOf(world.client.prepare(await request({ provider: small.address })));
    expect(error.code).to.equal("provider.unfit");
    expect(error.message).to.contain("ramMiB: needs 2048, offers 512");
    const none = await errorOf(world.client.prepare(await request({ resources: { gpuCount: 8 } })));
    expect(none.code).to.equal("provider.none");
    expect(none.message).to.contain("gpuCount: needs 8, offers 0");
  });

  it("excludes a provider whose key is revoked, and one below the price or the stake", async () => {
    const { deployment, connection } = world;
    const keys = await connection.ethers.getContractAt(
      "KeyRegistry",
      deployment.contracts.KeyRegistry,
      provider.account,
    );
    const check = async (more: Partial<TaskRequest>): Promise<string> =>
      (await errorOf(world.client.prepare(await request({ provider: provider.account.address, ...more }))))
        .message;
    expect(await check({ maxRateWei: RATE_WEI - 1n })).to.contain("price per second: needs at most");
    expect(await check({ price: { amountWei: RATE_WEI * 60n - 1n, metered: false } })).to.contain(
      "price per second",
    );
    expect(await check({ collateralWei: STAKE_WEI + 1n })).to.contain(
      "free stake: needs 1.000000000000000001 ANKR, offers 1 ANKR",
    );
    await keys.revoke(1);
    expect(await check({})).to.contain("encryption key: needs valid, offers revoked (epoch 1)");
  });

  it("says that an owner without a key cannot get a private result", async () => {
    const [, , stranger] = world.others;
    if (stranger === undefined) throw new Error("no account");
    const error = await errorOf(world.clientOf(stranger).prepare(await request()));
    expect(error.code).to.equal("key.not-published");
    expect(error.next).to.contain("account key create");
  });

  it("warns when the result's key is not on this machine", async () => {
    const prepared = await world
      .clientOf(world.owner, { home: cleanup.directory() })
      .prepare(await request());
    expect(prepared.warnings.join()).to.contain("epoch 1, which is not on this machine");
  });

  it("refuses times that do not go together", async () => {
    const error = await errorOf(
      submit({ durationSeconds: 100, startWithinSeconds: 100, completeWithinSeconds: 150 }),
    );
    expect(error.code).to.equal("task.invalid-schedule");
    expect(error.next).to.contain("200 s");
  });

  it("refuses times that are no whole numbers of seconds within 30 days, whatever the price", async () => {
    const price = { amountWei: RATE_WEI * 60n, metered: false };
    for (const seconds of [0, -1, 600.5, NaN, Infinity, 30 * 86_400 + 1]) {
      for (const name of ["durationSeconds", "startWithinSeconds", "completeWithinSeconds"]) {
        const error = await errorOf(submit({ price, [name]: seconds }));
        expect(error.code, `${name} ${seconds}`).to.equal("task.invalid-schedule");
        expect(error.message).to.contain(String(seconds));
      }
    }
  });

  it("says what to do where only providers are left that are not known", async () => {
    const [, stranger] = world.others;
    if (stranger === undefined) throw new Error("no account");
    await world.register(stranger, { stakeWei: 0n });
    const registry = await world.connection.ethers.getContractAt(
      "ProviderRegistry",
      world.deployment.contracts.ProviderRegistry,
      provider.account,
    );
    await registry.setStatus(2);
    const error = await errorOf(world.client.prepare(await request()));
    expect(error.code).to.equal("provider.none");
    expect(error.next).to.contain("--provider").and.to.contain("--any-provider");
    const prepared = await world.client.prepare(await request({ anyProvider: true }));
    expect(prepared.provider?.account).to.equal(stranger.address);
  });

  it("warns of needs that nobody can check beforehand", async () => {
    const { warnings } = await world.client.prepare(await request({ needs: { cudaCapability: "8.0" } }));
    expect(warnings).to.deep.equal([
      "It is not known whether the provider has cudaCapability 8.0; if not, it declines and all money is back.",
    ]);
  });

  // ---- Watching and ending ----

  async function marketAs(account: Account) {
    const { connection, deployment } = world;
    return await connection.ethers.getContractAt("TaskMarket", deployment.contracts.TaskMarket, account);
  }

  it("shows each change and what can be done next, by whom, until when", async () => {
    const task = await submit();
    const steps = (status: TaskStatus): string =>
      status.next.map(({ who, action }) => `${who} ${action}`).join();
    const { startBySeconds, completeBySeconds } = task.terms.conditions;
    const seen: string[] = [];
    for await (const status of world.client.watch(task.id, { intervalMs: 5 })) {
      seen.push(`${status.status}: ${steps(status)}`);
      if (seen.length === 1) {
        expect(status.next.at(-1)?.untilSeconds).to.equal(startBySeconds);
        await (await marketAs(provider.account)).accept(encodeTerms(task.terms), workHash(task.work));
      }
      if (seen.length === 2) {
        expect(status.accepted?.atSeconds).to.equal(status.nowSeconds);
        await passSeconds(121);
      }
      if (seen.length === 3) {
        expect(status.next.at(-1)?.untilSeconds).to.equal(completeBySeconds);
        await deliverResult(world, task, provider);
      }
    }
    expect(seen).to.deep.equal([
      "Funded: provider accept,provider deliver,provider decline,owner cancel",
      "Active: provider deliver,provider decline",
      "Active: provider deliver,provider abandon",
      "Settled: ",
    ]);
  });

  it("finds a task again below many thousand blocks", async () => {
    const task = await submit({ startWithinSeconds: 100_000 });
    await world.connection.networkHelpers.mine(25_000);
    await deliverResult(world, task, provider);
    await world.connection.networkHelpers.mine(12_000);
    const status = await world.client.status(task.id);
    expect(status.submitted.transactionHash).to.equal(task.transaction?.hash);
    expect(status.delivery?.secondsUsed).to.equal(1);
  });

  it("waits until accepted, and no longer than told", async () => {
    const task = await submit();
    const error = await errorOf(
      world.client.wait(task.id, { for: "accepted", timeoutSeconds: 0.05, intervalMs: 5 }),
    );
    expect(error.code).to.equal("task.timeout");
    await (await marketAs(provider.account)).accept(encodeTerms(task.terms), workHash(task.work));
    expect((await world.client.wait(task.id, { for: "accepted" })).status).to.equal("Active");
  });

  it("goes on watching when the node fails for a while, and gives up when it does not come back", async () => {
    const task = await submit();
    const { provider: node } = world.connection.ethers;
    let failing = false;
    // The same node behind a connection that breaks.
    const broken = new Proxy(node, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== "function") return value;
        if (failing && name === "call") return () => Promise.reject(new Error("connection lost"));
        return value.bind(target) as unknown;
      },
    });
    const { deployment, storage, home } = world;
    const client = new MarketClient({ runner: broken, deployment, storage: () => storage, home });
    const seen: string[] = [];
    for await (const { status } of client.watch(task.id, { intervalMs: 1 })) {
      seen.push(status);
      failing = true;
      setTimeout(() => (failing = false), 15);
      if (seen.length === 1) await world.client.close(task.id, "cancel");
    }
    expect(seen).to.deep.equal(["Funded", "Cancelled"]);
    failing = true;
    const error: unknown = await client.wait(task.id, { for: "ended" }).catch((thrown: unknown) => thrown);
    expect(error).to.have.property("message", "connection lost");
  });

  it("stops waiting at once when it is aborted", async () => {
    const task = await submit();
    const controller = new AbortController();
    const waiting = world.client.wait(task.id, {
      for: "ended",
      signal: controller.signal,
      timeoutSeconds: 60,
    });
    setTimeout(() => controller.abort(new Error("Ctrl-C")), 20);
    const error: unknown = await waiting.catch((thrown: unknown) => thrown);
    expect(error).to.have.property("message", "Ctrl-C");
  });

  it("says why a declined task has no result, whose fault it is, and that the money is back", async () => {
    const task = await submit();
    const market = await marketAs(provider.account);
    await market.decline(encodeTerms(task.terms), workHash(task.work), Outcome.PayloadMismatch);
    const error = await errorOf(world.client.wait(task.id, { for: "delivered" }));
    expect(error.code).to.equal("task.no-result");
    expect(error.message).to.contain("Declined, PayloadMismatch (the owner's fault)");
    expect((await errorOf(world.client.result(task.id, { directory: out() }))).code).to.equal(
      "task.no-result",
    );
    const { payment } = await world.client.wait(task.id, { for: "ended" });
    expect(payment).to.deep.equal({ paidWei: 0n, feeWei: 0n, refundedWei: task.costWei });
    expect(await market.balanceOf(world.owner.address)).to.equal(task.costWei);
  });

  it("cancels before acceptance, and says afterwards what is possible instead", async () => {
    const task = await submit();
    expect((await errorOf(world.client.close(task.id, "expire"))).code).to.equal("task.not-possible");
    const { status } = await world.client.close(task.id, "cancel");
    expect(status).to.include({ status: "Cancelled", outcome: "OwnerCancelled", ended: true });
    const error = await errorOf(world.client.close(task.id, "cancel"));
    expect(error.message).to.contain("it has ended (OwnerCancelled)");
  });

  it("lets anyone expire a task that nobody accepted, and fail one that was not delivered", async () => {
    const [, anyone] = world.others;
    if (anyone === undefined) throw new Error("no account");
    const client = world.clientOf(anyone);
    const first = await submit();
    const second = await submit({ collateralWei: 1_000n });
    await (await marketAs(provider.account)).accept(encodeTerms(second.terms), workHash(second.work));
    await passSeconds(2_000);
    expect((await client.close(first.id, "expire")).status).to.include({
      status: "Expired",
      outcome: "NotAccepted",
      fault: "None",
    });
    expect((await client.close(second.id, "fail")).status).to.include({
      status: "Failed",
      outcome: "ProviderLate",
      fault: "Provider",
    });
    const market = await marketAs(anyone);
    expect(await market.balanceOf(world.owner.address)).to.equal(first.costWei + second.costWei + 950n);
    expect(await market.balanceOf(anyone.address)).to.equal(50n);
  });

  it("says in words what the contract refuses", async () => {
    const [, stranger] = world.others;
    if (stranger === undefined) throw new Error("no account");
    const task = await submit();
    const error = await errorOf(world.clientOf(stranger).close(task.id, "cancel"));
    expect(error.code).to.equal("task.not-owner");
    expect(error.message).to.contain("TaskMarket_NotOwner").and.to.contain(stranger.address);
  });

  it("says that there is no such task, or that it is no id", async () => {
    expect((await errorOf(world.client.status(`0x${"12".repeat(32)}`))).code).to.equal("task.unknown");
    expect((await errorOf(world.client.status("0x12"))).code).to.equal("task.bad-id");
  });

  it("says that there is no result yet", async () => {
    const { id } = await submit();
    expect((await errorOf(world.client.result(id, { directory: out() }))).code).to.equal(
      "task.not-delivered",
    );
  });

  // ---- Results that are not what they should be ----

  it("never touches files of the user", async () => {
    const task = await submit();
    await deliverResult(world, task, provider);
    mkdirSync(out());
    writeFileSync(join(out(), "mine.txt"), "precious");
    const error = await errorOf(world.client.result(task.id, { directory: out() }));
    expect(error.code).to.equal("result.exists");
    const other = await errorOf(world.client.result(task.id, { directory: join(out(), "mine.txt") }));
    expect(other.code).to.equal("result.exists");
    expect(readdirSync(out())).to.deep.equal(["mine.txt"]);
    mkdirSync(out("empty"));
    expect((await world.client.result(task.id, { directory: out("empty") })).sound).to.equal(true);
  });

  it("tells of a delivery whose reference is no text, and of the money, and says why there are no files", async () => {
    const task = await submit();
    const market = await marketAs(provider.account);
    const place = "ar://somewhere";
    const data = market.interface.encodeFunctionData("deliver", [
      encodeTerms(task.terms),
      workHash(task.work),
      { report: Outcome.Completed, resultHash: task.id, evidenceHash: task.id, result: place },
    ]);
    const to = await market.getAddress();
    await provider.account.sendTransaction({
      to,
      data: data.replace(hexlify(toUtf8Bytes(place)).slice(2), "ff".repeat(place.length)),
    });
    const status = await world.client.wait(task.id, { for: "delivered" });
    expect(status).to.include({ status: "Settled", outcome: "Completed" });
    expect(status.delivery?.result).to.equal("\uFFFD".repeat(place.length));
    expect(status.payment?.refundedWei).to.equal(task.costWei);
    const error = await errorOf(world.client.result(task.id, { directory: out() }));
    expect(error.code).to.equal("storage.bad-reference");
  });

  it("hands over a delivery of an owner's own failure with its log", async () => {
    const task = await submit();
    await deliverResult(world, task, provider, {
      outcome: Outcome.OwnerBadInput,
      files: { "run.json": "{}", "logs/run.log": "scan.png is no picture\n" },
    });
    const { status, sound } = await world.client.result(task.id, { directory: out() });
    expect(status).to.include({ outcome: "OwnerBadInput", fault: "Owner", status: "Settled" });
    expect(sound).to.equal(true);
    expect(await textOf(out(), "logs", "run.log")).to.contain("is no picture");
  });

  for (const [name, mutate] of [
    ["resultRoot", (evidence) => ({ ...evidence, resultRoot: `0x${"01".repeat(32)}` })],
    ["inputRoot", (evidence) => ({ ...evidence, inputRoot: `0x${"02".repeat(32)}` })],
    ["runHash", (evidence) => ({ ...evidence, runHash: `0x${"03".repeat(32)}` })],
  ] satisfies [string, NonNullable<NonNullable<Parameters<typeof deliverResult>[3]>["evidence"]>][]) {
    it(`N20_ says loudly that the delivery's ${name} is not what was delivered, and keeps the proof`, async () => {
      const task = await submit();
      await deliverResult(world, task, provider, { evidence: mutate });
      const { sound, checks, evidence } = await world.client.result(task.id, { directory: out() });
      expect(sound).to.equal(false);
      expect(checks.filter(({ verdict }) => verdict === "mismatch").map((check) => check.name)).to.deep.equal(
        [name],
      );
      expect(evidence?.evidence).to.have.property(name);
      expect(existsSync(join(out(), "run.json"))).to.equal(true);
    });
  }

  it("N20_ says loudly that the committed evidence was not handed over", async () => {
    const task = await submit();
    await deliverResult(world, task, provider, { withoutEvidence: true });
    const { sound, checks } = await world.client.result(task.id, { directory: out() });
    expect(sound).to.equal(false);
    expect(checks).to.have.length(1);
    expect(checks[0]).to.include({ name: "evidenceHash", verdict: "mismatch" });
  });

  it("N04_ refuses a result that was made for another task", async () => {
    const task = await submit();
    await deliverResult(world, task, provider, { context: `0x${"77".repeat(32)}` });
    expect((await errorOf(world.client.result(task.id, { directory: out() }))).code).to.equal(
      "envelope.wrong-context",
    );
    expect(readdirSync(directory)).to.deep.equal(["scan.png"]);
  });

  it("N04_ refuses a result whose wrap holds another key than the one that it commits to", async () => {
    const task = await submit();
    const [committed, wrapped] = [generateContentKey(), generateContentKey()];
    const fixed = {
      kind: "body",
      chunkBytes: 4096,
      context: resultContext({ taskId: task.id }),
      keyCommit: commitTo(committed),
    } as const;
    const header = {
      compartments: [{ ...fixed, recipients: wrapForAll(fixed, wrapped, [world.ownerKey.publicKey]) }],
    };
    await deliverResult(world, task, provider, { envelope: encodeHeader(header) });
    expect((await errorOf(world.client.result(task.id, { directory: out() }))).code).to.equal(
      "envelope.key-mismatch",
    );
    expect(readdirSync(directory)).to.deep.equal(["scan.png"]);
  });

  it("N05_ refuses a result whose hash is not that of the chain", async () => {
    const task = await submit();
    await deliverResult(world, task, provider, { resultHash: `0x${"55".repeat(32)}` });
    expect((await errorOf(world.client.result(task.id, { directory: out() }))).code).to.equal(
      "envelope.wrong-hash",
    );
    expect(readdirSync(directory)).to.deep.equal(["scan.png"]);
  });

  it("N05_ refuses a public result whose hash is not that of the chain, and one that is no archive", async () => {
    const first = await submit({ publicResult: true });
    await deliverResult(world, first, provider, { resultHash: `0x${"55".repeat(32)}` });
    expect((await errorOf(world.client.result(first.id, { directory: out() }))).code).to.equal(
      "result.wrong-hash",
    );
    const second = await submit({ publicResult: true });
    const empty = await archiveOf({ "other.txt": "x" });
    await deliverResult(world, second, provider, { envelope: empty, resultHash: sha256(empty) });
    expect((await errorOf(world.client.result(second.id, { directory: out() }))).code).to.equal(
      "archive.malformed",
    );
  });

  it("N19_ refuses a result with a path that leads out of its directory", async () => {
    const task = await submit();
    await deliverResult(world, task, provider, {
      files: { "run.json": "{}", "output/../../escaped.txt": "x" },
    });
    expect((await errorOf(world.client.result(task.id, { directory: out() }))).code).to.equal(
      "archive.unsafe",
    );
    expect(readdirSync(directory)).to.deep.equal(["scan.png"]);
  });

  it("N02_ refuses a result that is larger than allowed", async () => {
    const task = await submit();
    await deliverResult(world, task, provider, {
      files: { "run.json": "{}", "output/big": Buffer.alloc(200_000) },
    });
    const error = await errorOf(world.client.result(task.id, { directory: out(), maxBytes: 100_000 }));
    expect(error.code).to.equal("storage.too-large");
    const files = await errorOf(world.client.result(task.id, { directory: out(), maxFiles: 1 }));
    expect(files.code).to.equal("archive.too-large");
  });
});

describe("market: a task paid in a token", () => {
  const cleanup = new Cleanup();
  after(() => cleanup.run());

  it("says how much is missing, then what to approve, then pays", async () => {
    const world = await createWorld(cleanup, { token: true });
    const [account] = world.others;
    if (account === undefined || world.token === undefined) throw new Error("no account");
    const provider = { account, key: await world.register(account) };
    const directory = cleanup.directory();
    const file = await fileIn(directory, "scan.png");
    const request: TaskRequest = { source: { files: [file] }, application: "ocr", durationSeconds: 60 };
    const poor = await errorOf(world.client.prepare(request));
    expect(poor.code).to.equal("wallet.insufficient-funds");
    expect(poor.next).to.contain("Send 0.00006 ANKR");
    await world.token.mint(world.owner.address, RATE_WEI * 60n);
    const unapproved = await errorOf(world.client.prepare(request));
    expect(unapproved.code).to.equal("wallet.allowance");
    expect(unapproved.next).to.contain("0.00006 ANKR").and.to.contain(world.deployment.contracts.TaskMarket);
    await world.token.approve(world.owner, RATE_WEI * 60n);
    const task = await world.client.submit(request);
    await deliverResult(world, task, provider);
    expect((await world.client.result(task.id, { directory: join(directory, "out") })).sound).to.equal(true);
  });
});
