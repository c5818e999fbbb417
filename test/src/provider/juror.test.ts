import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { sha256, toUtf8Bytes, type TransactionDescription } from "ethers";

import { NeuraError } from "../../../src/errors.ts";
import { caseWords } from "../../../src/jury/calls.ts";
import { handOver } from "../../../src/jury/owner.ts";
import { Status } from "../../../src/market/outcome.ts";
import { applications } from "../../../src/provider/applications/registry.ts";
import { Duties } from "../../../src/provider/juror/duties.ts";
import type { NodeEvent } from "../../../src/provider/log.ts";
import { type NodeOptions, ProviderNode } from "../../../src/provider/node.ts";
import { DEFAULT_POLICY, type JuryPolicy } from "../../../src/provider/policy.ts";
import { openProcessRunner } from "../../../src/provider/runner/process-runner.ts";
import type { Runner } from "../../../src/provider/runner/runner.ts";
import { parseVerification } from "../../../src/verify/verification.ts";
import { CONCESSION, createJuryWorld, type Disputing, type JuryWorld, STEP } from "../jury/support.ts";
import { fileIn } from "../market/support.ts";
import { Cleanup } from "../storage/support.ts";
import { walletAt } from "./support.ts";

const CONTENT = "what is handed back";
const PANEL = 3;

describe("ProviderNode as a juror", function () {
  this.timeout(60_000);
  const [cleanup, each] = [new Cleanup(), new Cleanup()];
  let world: JuryWorld;
  let runner: Runner;
  let restore: () => Promise<void>;
  let events: NodeEvent[][] = [];
  let started: string[] = [];
  let directories: string[] = [];

  before(async () => {
    world = await createJuryWorld(cleanup, { jurors: PANEL });
    const real = await openProcessRunner();
    runner = {
      ...{ name: real.name, isolation: real.isolation },
      start: async (job, options) => {
        started.push(job.manifest.inputs.join());
        return await real.start(job, options);
      },
      adopt: (directory) => real.adopt(directory),
    };
    const snapshot = await world.connection.networkHelpers.takeSnapshot();
    restore = () => snapshot.restore();
  });
  after(() => cleanup.run());
  beforeEach(() => {
    [events, started] = [[], []];
    directories = world.jurors.map(() => join(each.directory(), "node"));
  });
  afterEach(async () => {
    await each.run();
    await restore();
  });

  const policy: JuryPolicy = { maxUnits: undefined, maxSeconds: undefined, finishSeconds: 0 };

  async function start(
    index: number,
    { jury = policy, ...change }: Partial<Omit<NodeOptions, "policy">> & { jury?: JuryPolicy } = {},
  ): Promise<ProviderNode> {
    const juror = world.jurors[index]!;
    const node = await ProviderNode.start({
      deployment: world.deployment,
      provider: world.connection.ethers.provider,
      signer: walletAt(4 + index),
      keys: () => Promise.resolve([juror.key]),
      storage: () => world.storage,
      runner,
      applications: [...applications.keys()],
      directory: directories[index]!,
      pollMs: 20,
      onEvent: (event) => void (events[index] ??= []).push(event),
      ...change,
      policy: { ...DEFAULT_POLICY, coverGas: false, open: false, minFreeDiskMiB: 0, jury },
    });
    each.add(() => node.stop());
    return node;
  }

  /** Waits for an event of one node. */
  async function event(index: number, name: string): Promise<NodeEvent> {
    for (let tries = 0; tries < 2_000; tries++) {
      const found = events[index]?.find((seen) => seen.event === name);
      if (found) return found;
      await sleep(10);
    }
    throw new Error(
      `no ${name} of ${index}: ${JSON.stringify(events[index]?.map((seen) => [seen.event, seen["message"]]))}`,
    );
  }
  const all = async (name: string, indices = [0, 1, 2]): Promise<NodeEvent[]> =>
    await Promise.all(indices.map((index) => event(index, name)));

  /** Files that are handed back: a unit is one file. */
  async function disputed({
    output = CONTENT,
    evidence,
  }: { output?: string } & Pick<NonNullable<Disputing["deliver"]>, "evidence"> = {}) {
    const file = await fileIn(each.directory(), "letter.txt", CONTENT);
    const task = await world.disputed({
      unit: 0n,
      request: {
        ...{ source: { files: [file] }, application: "noop" },
        verification: parseVerification({ method: "exact/1" }),
      },
      deliver: {
        files: {
          "run.json": JSON.stringify({ schema: "neura/run/1" }),
          "result.json": JSON.stringify({ schema: "neura/noop/1" }),
          "output/letter.txt": output,
        },
        unit: { input: CONTENT, output: "output/letter.txt" },
        ...(evidence ? { evidence } : {}),
      },
    });
    await world.draw(task);
    await world.pass(CONCESSION + 1);
    return task;
  }

  async function handOverRaw(id: string, uri: string): Promise<void> {
    const { terms, work, delivery } = await world.client.status(id);
    const [encoded, hash] = caseWords({
      task: { terms, work },
      delivered: { ...delivery!, report: delivery! },
    });
    await world.jury.connect(world.owner).handOver(encoded, hash, uri);
  }

  /** After all have revealed: nobody appeals, and a node ends the case. */
  async function finished(id: string): Promise<{ providerBps: number; paid: string[]; fined: string[] }> {
    await world.pass(STEP + 1);
    await world.pass(STEP);
    for (let tries = 0; (await world.look(id)).found.stepName !== "Ended"; tries++) {
      if (tries > 500) throw new Error(`it does not end: ${JSON.stringify(events.flat())}`);
      await sleep(20);
    }
    const { found } = await world.look(id);
    const [paid, fined] = await Promise.all([
      world.jury.queryFilter(world.jury.filters.JurorPaid(id)),
      world.jury.queryFilter(world.jury.filters.JurorFined(id)),
    ]);
    const accountsIn = (logs: { args: { account: string } }[]): string[] =>
      logs.map(({ args }) => args.account);
    return { providerBps: found.ended!.providerBps, paid: accountsIn(paid), fined: accountsIn(fined) };
  }

  it("does the units again, votes as they come out, is paid, and keeps nothing; also after it was stopped between the two", async () => {
    /** Stops itself at this step, as soon as it is on record. */
    const stopsAt = async (wanted: string): Promise<() => Promise<unknown>> => {
      let stopped: Promise<unknown> | undefined;
      const node: ProviderNode = await start(0, {
        onStep: (step) => {
          if (step === wanted) stopped ??= node.stop();
        },
      });
      return async () => {
        while (stopped === undefined) await sleep(10);
        await stopped;
      };
    };
    const decidedAt = await stopsAt("decided");
    await Promise.all([start(1), start(2)]);
    const { id } = await disputed({ output: "something else" });
    await handOver(world.context, id);
    await all("juror-committed", [1, 2]);
    await decidedAt();
    const path = join(directories[0]!, "jury", "jury.sqlite");
    const decided = async () => {
      const { chainId, contracts } = world.deployment;
      const duties = await Duties.open(path, `${chainId}:${contracts.Jury!}`);
      const [duty] = duties.open();
      duties.close();
      return duty!;
    };
    const before = await decided();
    expect(before.facts.salt).to.match(/^0x[0-9a-f]{64}$/);
    expect((await world.look(id)).found.ballots.filter(({ isCommitted }) => isCommitted)).to.have.length(2);
    const judgedAt = await stopsAt("judged");
    await event(0, "juror-committed");
    expect(started).to.have.length(PANEL);
    const after = await decided();
    expect(after).to.deep.equal(before);

    await handOver(world.context, id);
    await all("juror-revealed", [1, 2]);
    await judgedAt();
    expect((await decided()).facts).to.deep.include({ ...before.facts, providerBps: 0 });
    expect((await world.look(id)).found.votes).to.have.length(2);
    await start(0);
    for (const { providerBps } of await all("juror-revealed")) expect(providerBps).to.equal(0);
    const { found } = await world.look(id);
    const prints = found.votes.map(({ fingerprint }) => fingerprint);
    expect(new Set(prints).size).to.equal(1);
    expect(prints[0]).to.equal(BigInt(before.facts.fingerprint!));
    for (const directory of directories)
      expect(await readdir(join(directory, "jury"))).to.deep.equal(["jury.sqlite"]);
    const { providerBps, paid, fined } = await finished(id);
    expect([providerBps, paid.length, fined]).to.deep.equal([0, PANEL, []]);
    await all("juror-ended");
    expect((await world.market.taskOf(id)).status).to.equal(BigInt(Status.Resolved));
  });

  it("pays the provider where the units come out as delivered, though storage lags; who copies a commitment or a reveal is fined", async () => {
    let failures = 3;
    const lagging = new Proxy(world.storage, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name);
        if (typeof value !== "function") return value;
        return (...args: unknown[]): unknown => {
          if (name === "get" && failures-- > 0)
            throw new NeuraError("storage.not-found", "It is not there yet.");
          return Reflect.apply(value, target, args);
        };
      },
    });
    await Promise.all([start(0, { storage: () => lagging }), start(1)]);
    const { id } = await disputed();
    await handOver(world.context, id);
    // Each block has it look again.
    for (let tries = 0; tries < 6; tries++) {
      await sleep(300);
      await world.pass(1);
    }
    await all("juror-committed", [0, 1]);
    const lazy = world.jurors[2]!;
    const panel = await world.panel(id);
    const place = panel.indexOf(lazy);
    const other = panel.findIndex((juror) => juror !== lazy);
    // What another committed to lies open in its transaction, and what it shows later does, too.
    await world.jury
      .connect(lazy.account)
      .commit(id, place, await callOf("commit", id, other).then(({ args }) => String(args[2])));
    await handOver(world.context, id);
    await all("juror-revealed", [0, 1]);
    const { args } = await callOf("reveal", id, other);
    const [fingerprint, salt] = [BigInt(String(args[2])), String(args[4])];
    const copied = world.jury.connect(lazy.account).reveal(id, place, fingerprint, 10_000, salt);
    await expect(copied).to.be.revertedWithCustomError(world.jury, "Jury_WrongReveal").withArgs(id, place);
    const { providerBps, paid, fined } = await finished(id);
    expect(providerBps).to.equal(10_000);
    expect(paid).to.have.length(2);
    expect(fined).to.deep.equal([lazy.account.address]);
  });

  /** The newest call of the jury by this juror. */
  async function callOf(name: string, id: string, position: number): Promise<TransactionDescription> {
    const { ethers } = world.connection;
    for (let block = await ethers.provider.getBlockNumber(); block > 0; block--) {
      for (const sent of (await ethers.provider.getBlock(block, true))!.prefetchedTransactions) {
        if (sent.to !== world.deployment.contracts.Jury) continue;
        const call = world.jury.interface.parseTransaction(sent);
        if (call?.name === name && call.args[0] === id && Number(call.args[1]) === position) return call;
      }
    }
    throw new Error(`nobody called ${name}`);
  }

  it("votes for the provider where the owner hands over garbage, and reveals when its time to open the result is over", async () => {
    await Promise.all([start(0), start(1), start(2)]);
    const { id } = await disputed();
    const stored = await world.storage.put(toUtf8Bytes("this is nothing"));
    await world.storage.readBack(stored);
    await handOverRaw(id, stored.uri);
    await all("juror-committed");
    expect(started).to.deep.equal([]);
    await world.pass(2 * STEP);
    await world.pass(10);
    for (const { providerBps } of await all("juror-revealed")) expect(providerBps).to.equal(10_000);
    const { providerBps, paid } = await finished(id);
    expect([providerBps, paid.length]).to.deep.equal([10_000, PANEL]);
  });

  it("pays nothing where the delivery was made from another payload", async () => {
    await Promise.all([start(0), start(1), start(2)]);
    const { id } = await disputed({ evidence: (made) => ({ ...made, inputRoot: sha256("0x01") }) });
    await handOver(world.context, id);
    await all("juror-committed");
    expect(started).to.deep.equal([]);
    await handOver(world.context, id);
    for (const { providerBps } of await all("juror-revealed")) expect(providerBps).to.equal(0);
    const { providerBps, paid } = await finished(id);
    expect([providerBps, paid.length]).to.deep.equal([0, PANEL]);
  });

  it("N07_commits again, with the same transaction, what a reorganisation took out; says what it cannot do", async () => {
    const { networkHelpers } = world.connection;
    const node = await start(0);
    await start(1, { applications: ["ocr"] });
    await start(2, { jury: { ...policy, maxSeconds: 30 } });
    const { id } = await disputed();
    await handOver(world.context, id);
    const place = (await world.panel(id)).indexOf(world.jurors[0]!);
    const snapshot = await networkHelpers.takeSnapshot();
    expect((await event(1, "juror-unable"))["message"]).to.include("no application noop");
    expect((await event(2, "juror-unable"))["message"]).to.include("takes about 60 s");
    await event(0, "juror-committed");
    const hash = async () => (await callOf("commit", id, place)).args[2] as string;
    const before = await hash();
    const head = await world.connection.ethers.provider.getBlockNumber();
    // Only what the feed has read can be taken from it.
    while (!node.journal.checkpoints().some(({ number }) => number >= head)) await sleep(10);
    await snapshot.restore();
    await networkHelpers.mine(5);
    await event(0, "reorganised");
    const isCommitted = async () => (await world.look(id)).found.ballots[place]?.isCommitted === true;
    for (let tries = 0; tries < 500 && !(await isCommitted()); tries++) await sleep(20);
    expect(await hash()).to.equal(before);
  });
});
