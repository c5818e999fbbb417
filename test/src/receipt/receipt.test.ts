import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { envelopeFromJSON } from "@sigstore/bundle/dist/serialized.js";
import { expect } from "chai";
import { Wallet } from "ethers";
import fc from "fast-check";

import type { StoredKey } from "../../../src/keystore.ts";
import { connectContracts, type MarketContext, openMarket } from "../../../src/market/context.ts";
import { createArbiter } from "../../../src/market/dispute.ts";
import { LEAF_BYTES } from "../../../src/market/evidence.ts";
import { Outcome } from "../../../src/market/outcome.ts";
import type { TaskRequest } from "../../../src/market/prepare.ts";
import type { SubmittedTask } from "../../../src/market/submit.ts";
import { encodeReport, encodeTerms, encodeWork, workHash } from "../../../src/market/terms.ts";
import { createReceipt, type MadeReceipt } from "../../../src/receipt/create.ts";
import { preAuthEncoding, signPayload } from "../../../src/receipt/dsse.ts";
import { encodeStatement } from "../../../src/receipt/statement.ts";
import {
  type LevelName,
  type ReceiptReport,
  verifyReceipt,
  type VerifyOptions,
} from "../../../src/receipt/verify.ts";
import { marketAt } from "../../contracts/market/deploy.ts";
import { type Account, createWorld, deliverResult, fileIn, RATE_WEI, type World } from "../market/support.ts";
import { Cleanup, errorOf } from "../storage/support.ts";

const STAND_ALONE = fileURLToPath(new URL("stand-alone.js", import.meta.url));
/** Third account of the mnemonic that every Hardhat chain starts with: the owner of each test's world. */
const OWNER_KEY = "0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a";
const HOUR = 3_600;

describe("receipt", function () {
  this.timeout(60_000);
  const cleanup = new Cleanup();
  let world: World;
  let context: MarketContext;
  let provider: { account: Account; key: StoredKey };
  let other: { account: Account; key: StoredKey };
  let judge: Account;
  let arbiter: string;
  let directory: string;
  /** A delivery that was paid at once. */
  let paid: MadeReceipt;

  const contextOf = (runner: Account | Wallet): MarketContext => {
    const { deployment, storage, home } = world;
    return openMarket({ runner, deployment, storage: () => storage, home });
  };
  const pass = (seconds: number) => world.connection.networkHelpers.time.increase(seconds);
  const hashOf = async (number: number): Promise<string> =>
    (await context.provider.getBlock(number))?.hash ?? "";
  const signing = (): MarketContext => contextOf(new Wallet(OWNER_KEY, context.provider));

  before(async () => {
    world = await createWorld(cleanup);
    const [first, second, third] = world.others;
    if (!first || !second || !third) throw new Error("no account");
    provider = { account: first, key: await world.register(first) };
    other = { account: second, key: await world.register(second, { rateWei: 2n * RATE_WEI }) };
    judge = third;
    context = contextOf(world.owner);
    const terms = { arbiter: judge.address, feeBps: 500, minimumFeeWei: 7n, rulingSeconds: 86_400 };
    arbiter = (await createArbiter(context, terms)).address;
    directory = cleanup.directory();
    paid = await createReceipt(context, await delivered());
  });
  after(() => cleanup.run());

  async function submit(more: Partial<TaskRequest> = {}): Promise<SubmittedTask> {
    const file = await fileIn(directory, "scan.png", "a picture");
    const request = { source: { files: [file] }, application: "ocr", durationSeconds: 60, ...more };
    return await world.client.submit({ provider: provider.account.address, ...request });
  }
  async function delivered(
    more: Partial<TaskRequest> = {},
    change: Parameters<typeof deliverResult>[3] = {},
  ): Promise<string> {
    const task = await submit(more);
    await deliverResult(world, task, provider, change);
    return task.id;
  }
  const challenged = (more: Partial<TaskRequest> = {}): Partial<TaskRequest> => ({
    challenge: { periodSeconds: HOUR, arbiter },
    collateralWei: 10_000n,
    ...more,
  });

  /** What does not hold, by level. */
  async function faults(text: string, options: VerifyOptions = {}): Promise<Record<string, string[]>> {
    const { levels } = await verifyReceipt(text, options);
    const failed = levels.map(({ level, checks }) => [
      level,
      checks.filter(({ verdict }) => verdict === "mismatch").map(({ name }) => name),
    ]);
    return Object.fromEntries(failed.filter(([, names]) => names?.length)) as Record<string, string[]>;
  }
  const verdicts = ({ levels }: ReceiptReport): Record<LevelName, string> =>
    Object.fromEntries(levels.map(({ level, verdict }) => [level, verdict])) as Record<LevelName, string>;
  /** The receipt with another statement, and no signature. */
  const restated = (receipt: MadeReceipt, change: (statement: Statement) => void): string => {
    const file = JSON.parse(receipt.text) as { payload: string };
    const statement = JSON.parse(Buffer.from(file.payload, "base64").toString()) as Statement;
    change(statement);
    return JSON.stringify({
      ...file,
      payload: Buffer.from(JSON.stringify(statement)).toString("base64"),
      signatures: [],
    });
  };
  async function standAlone(receipt: MadeReceipt, ...hashes: string[]): Promise<Record<string, unknown>> {
    const path = join(directory, "receipt.json");
    await writeFile(path, receipt.text);
    const { stdout } = await promisify(execFile)(process.execPath, [STAND_ALONE, path, ...hashes]);
    return JSON.parse(stdout) as Record<string, unknown>;
  }

  // ---- Levels ----

  it("vouches for nothing by itself, and for all of it with a block or with the chain", async () => {
    const alone = await verifyReceipt(paid.text);
    expect(verdicts(alone)).to.deep.equal({
      offline: "passed",
      "trusted-block": "not-checked",
      online: "not-checked",
    });
    expect(alone).to.include({ sound: true, backing: "nothing" });
    expect(alone.summary)
      .to.contain("paid at once, since its terms give no time to challenge it")
      .and.to.contain("Assurance: none.")
      .and.to.match(/Neither delivery nor payment shows that the work is right\.$/);

    const { block } = paid.statement.settlement;
    const withBlock = await verifyReceipt(paid.text, { blockHashes: [await hashOf(block)] });
    expect(withBlock).to.include({ sound: true, backing: "trusted-block" });
    const online = await verifyReceipt(paid.text, { online: context });
    expect(online.sound, JSON.stringify(online.levels)).to.equal(true);
    expect(online.backing).to.equal("chain");
    expect(online.levels[2]?.checks.map(({ name }) => name)).to.include.members([
      "market",
      "delivered",
      "finality",
      "provider",
      "status",
      "key",
    ]);
  });

  it("never calls a result correct, whatever happened to it", async () => {
    for (const outcome of [Outcome.Completed, Outcome.OwnerExitCode, Outcome.OwnerTimeLimit]) {
      const receipt = await createReceipt(context, await delivered({}, { outcome }));
      const report = await verifyReceipt(receipt.text, { online: context });
      expect(report.sound).to.equal(true);
      const words = JSON.stringify([report.summary, report.levels]) + encodeStatement(receipt.statement);
      expect(words).not.to.match(/\bcorrect\b|\bvalid result\b|\bgenuine\b/i);
    }
  });

  it("knows a block that it was not told to trust", async () => {
    const { block } = paid.statement.settlement;
    const wrong = [await hashOf(block - 1)];
    expect(await faults(paid.text, { blockHashes: wrong })).to.deep.equal({ "trusted-block": ["delivered"] });
    // A later block vouches for those before it only where the headers between are in the file.
    const later = [await hashOf(block + 1)];
    expect(await faults(paid.text, { blockHashes: later })).to.deep.equal({ "trusted-block": ["delivered"] });
  });

  it("is signed by the owner or not at all", async () => {
    const signed = await createReceipt(signing(), paid.statement.settlement.taskId, { sign: true });
    const report = await verifyReceipt(signed.text);
    expect(report).to.include({ sound: true, backing: "signature" });
    expect(signed.signatures[0]?.keyid).to.equal(`eip155:31337:${world.owner.address}`);
    expect((await verifyReceipt(signed.text, { online: context })).sound).to.equal(true);
    const error = await errorOf(createReceipt(context, paid.statement.settlement.taskId, { sign: true }));
    expect(error.code).to.equal("receipt.cannot-sign");
  });

  it("knows by the chain whose signature it is: the provider's operator, or nobody's", async () => {
    const { settlement } = paid.statement;
    const file = JSON.parse(paid.text) as object;
    const signedBy = (signer: Wallet): string =>
      JSON.stringify({
        ...file,
        signatures: [signPayload(paid.payload, { signer, chain: settlement.chain })],
      });
    const [operator, stranger] = [new Wallet(`0x${"11".repeat(32)}`), new Wallet(`0x${"22".repeat(32)}`)];
    const snapshot = await world.connection.networkHelpers.takeSnapshot();
    const { registry } = connectContracts(world.deployment, provider.account);
    await registry.setOperator(operator.address);
    const receipt = await createReceipt(context, await delivered());
    expect(await faults(signedBy(operator), { online: context })).to.deep.equal({ online: ["signer"] });
    const signature = signPayload(receipt.payload, { signer: operator, chain: settlement.chain });
    const text = JSON.stringify({ ...(JSON.parse(receipt.text) as object), signatures: [signature] });
    expect(await faults(text, { online: context })).to.deep.equal({});
    expect(await faults(signedBy(stranger), { online: context })).to.deep.equal({ online: ["signer"] });
    // Without the chain, nobody knows that the operator is one.
    expect(await verifyReceipt(text)).to.include({ sound: true, backing: "nothing" });
    await snapshot.restore();
  });

  // ---- Tampering ----

  it("finds every changed byte of a signed statement", async () => {
    const signed = await createReceipt(signing(), paid.statement.settlement.taskId, { sign: true });
    const file = JSON.parse(signed.text) as { payload: string; signatures: { sig: string }[] };
    const change = (text: string, at: number, by: number): string => {
      const bytes = Buffer.from(text, "base64");
      const place = at % bytes.length;
      bytes[place] = (bytes[place] ?? 0) ^ by;
      return bytes.toString("base64");
    };
    const where = fc.record({
      at: fc.nat(),
      by: fc.integer({ min: 1, max: 255 }),
      inSignature: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(where, async ({ at, by, inSignature }) => {
        const [first] = file.signatures;
        const changed = inSignature
          ? { ...file, signatures: [{ ...first, sig: change(first?.sig ?? "", at, by) }] }
          : { ...file, payload: change(file.payload, at, by) };
        const report = await verifyReceipt(JSON.stringify(changed)).catch((error: unknown) => error);
        if (report instanceof Error) expect(report).to.include({ code: "receipt.malformed" });
        else expect(report).to.include({ sound: false, backing: "nothing" });
      }),
      { numRuns: 30 },
    );
  });

  it("finds, unsigned, whatever of the statement the chain knows better", async () => {
    const { settlement } = paid.statement;
    const hash = `0x${"ab".repeat(32)}`;
    const digest = "ab".repeat(32);
    const options = { blockHashes: [await hashOf(settlement.block)], online: context };
    type Change = [string, (statement: Statement) => void];
    const changes: Change[] = [
      ["chain", ({ predicate }) => (predicate.settlement["chain"] = "eip155:1")],
      ["market", ({ predicate }) => (predicate.settlement["market"] = settlement.terms.owner)],
      [
        "task",
        ({ predicate: { settlement: its, runDetails } }) => {
          its["taskId"] = hash;
          runDetails.metadata["invocationId"] = hash;
        },
      ],
      ["salt", ({ predicate }) => (predicate.settlement.terms["salt"] = hash)],
      ["price", ({ predicate }) => (predicate.settlement.terms["price"] = "0x1")],
      ["owner", ({ predicate }) => (predicate.settlement.terms["owner"] = provider.account.address)],
      ["payload", ({ predicate }) => (predicate.settlement.work["payloadHash"] = hash)],
      ["evidence", ({ predicate }) => (predicate.settlement["evidenceHash"] = hash)],
      ["result", ({ predicate }) => (predicate.settlement["resultHash"] = hash)],
      ["place", ({ predicate }) => (predicate.settlement["result"] = "ar://elsewhere")],
      ["outcome", ({ predicate }) => (predicate.settlement["outcome"] = "OwnerExitCode")],
      ["seconds", ({ predicate }) => (predicate.settlement["secondsUsed"] = 59)],
      ["transaction", ({ predicate }) => (predicate.settlement["tx"] = hash)],
      ["block", ({ predicate }) => (predicate.settlement["block"] = settlement.block - 1)],
      ["log", ({ predicate }) => (predicate.settlement["logIndex"] = 99)],
      [
        "assurance",
        ({ predicate }) => (predicate.settlement["assurance"] = [{ kind: "unchallenged", seconds: 9 }]),
      ],
      ["settled", ({ predicate }) => delete predicate.settlement["settled"]],
      [
        "finishedOn",
        ({ predicate }) => (predicate.runDetails.metadata["finishedOn"] = "2020-01-01T00:00:00Z"),
      ],
      ["startedOn", ({ predicate }) => (predicate.runDetails.metadata["startedOn"] = "2020-01-01T00:00:00Z")],
      ["provider", ({ predicate }) => (predicate.runDetails.builder["id"] = `eip155:31337:${judge.address}`)],
      ["result root", ({ subject }) => (subject[0]!.digest["keccak256"] = digest)],
      [
        "input root",
        ({ predicate }) => (predicate.buildDefinition.resolvedDependencies[0]!.digest["keccak256"] = digest),
      ],
      ["run.json", ({ predicate }) => (predicate.runDetails.byproducts[0]!.digest["sha256"] = digest)],
      ["run.json twice", ({ subject }) => (subject[1]!.digest["sha256"] = digest)],
      ["units", ({ predicate }) => (predicate.runDetails.byproducts[1]!.digest["keccak256"] = digest)],
      ["unit count", ({ predicate }) => (predicate.runDetails.byproducts[1]!.annotations = { count: 2 })],
      ["nonce", ({ predicate }) => (predicate.runDetails.byproducts[2]!.digest["keccak256"] = digest)],
    ];
    for (const [what, change] of changes) {
      const report = await verifyReceipt(restated(paid, change), options).catch((error: unknown) => error);
      if (report instanceof Error) expect(report, what).to.include({ code: "receipt.malformed" });
      else expect(report, what).to.include({ sound: false });
    }
    // And nothing but the change was wrong with them.
    expect(
      await faults(
        restated(paid, () => undefined),
        options,
      ),
    ).to.deep.equal({});
  });

  it("refuses fields that it does not know, and what is no receipt", async () => {
    const code = async (text: string) => (await errorOf(verifyReceipt(text))).code;
    expect(await code("no JSON")).to.equal("receipt.malformed");
    expect(await code("{}")).to.equal("receipt.malformed");
    expect(await code(restated(paid, ({ predicate }) => (predicate.settlement["correct"] = true)))).to.equal(
      "receipt.malformed",
    );
    const file = JSON.parse(paid.text) as object;
    expect(await code(JSON.stringify({ ...file, payloadType: "application/json" }))).to.equal(
      "receipt.malformed",
    );
  });

  it("finds changed proofs: headers, branches, places", async () => {
    const blockHashes = [await hashOf(paid.statement.settlement.block)];
    const file = JSON.parse(paid.text) as { neura: { proofs: { headers: string[] } } };
    const proofs = JSON.stringify(file.neura.proofs);
    await fc.assert(
      fc.asyncProperty(
        fc.nat(),
        fc.integer({ min: 0, max: 15 }).map((digit) => digit.toString(16)),
        async (at, digit) => {
          const places = [...proofs.matchAll(/[0-9a-f](?=[0-9a-f]*")/g)].map(({ index }) => index);
          const place = places[at % places.length] ?? 0;
          fc.pre(proofs[place] !== digit);
          const changed = proofs.slice(0, place) + digit + proofs.slice(place + 1);
          const whole = JSON.stringify({
            ...file,
            neura: { ...file.neura, proofs: JSON.parse(changed) as object },
          });
          const report = await verifyReceipt(whole, { blockHashes }).catch((error: unknown) => error);
          if (report instanceof Error) expect(report).to.include({ code: "receipt.malformed" });
          else expect(verdicts(report as ReceiptReport)["trusted-block"]).to.equal("failed");
        },
      ),
      { numRuns: 30 },
    );
  });

  it("knows another market's receipt, and a transaction that is gone", async () => {
    const another = { ...world.deployment.contracts, TaskMarket: judge.address };
    const foreign = { ...context, domain: { ...context.domain, market: another.TaskMarket } };
    expect(await faults(paid.text, { online: foreign, market: foreign.domain })).to.deep.equal({
      offline: ["market"],
      online: ["market"],
    });
    const snapshot = await world.connection.networkHelpers.takeSnapshot();
    const receipt = await createReceipt(context, await delivered());
    expect(await faults(receipt.text, { online: context })).to.deep.equal({});
    await snapshot.restore();
    expect(await faults(receipt.text, { online: context })).to.deep.equal({ online: ["delivered"] });
    // The block that it was in is still proven to whoever trusts that.
    const last = receipt.proofs?.headers.length ?? 0;
    expect(last).to.equal(1);
  });

  // ---- Ends ----

  it("says for how long a delivery went unchallenged, and that it is not paid before", async () => {
    const id = await delivered(challenged());
    const waiting = await createReceipt(context, id);
    expect(waiting.statement.settlement.settled).to.equal(undefined);
    expect((await verifyReceipt(waiting.text)).summary).to.contain("not paid yet");
    await pass(HOUR + 1);
    await world.clientOf(judge).close(id, "settle");
    const receipt = await createReceipt(context, id);
    const { settled, assurance, block } = receipt.statement.settlement;
    expect(settled?.event).to.equal("TaskSettled");
    expect(assurance).to.deep.equal([{ kind: "unchallenged", seconds: HOUR }]);
    // The headers between are in the file: the last block vouches for the first.
    expect(receipt.proofs?.headers.length).to.equal((settled?.block ?? 0) - block + 1);
    const blockHashes = [await hashOf(settled?.block ?? 0)];
    const report = await verifyReceipt(receipt.text, { blockHashes, online: context });
    expect(report.sound, JSON.stringify(report.levels)).to.equal(true);
    expect(report.summary).to.contain("unchallenged for 3600 of 3600 s");
    expect((await verifyReceipt(waiting.text, { online: context })).sound).to.equal(true);
    const longer = restated(receipt, ({ predicate }) => {
      predicate.settlement["assurance"] = [{ kind: "unchallenged", seconds: HOUR + 1 }];
    });
    expect(await faults(longer, { blockHashes, online: context })).to.deep.equal({
      "trusted-block": ["assurance"],
      online: ["assurance"],
    });
    expect(await standAlone(receipt, ...blockHashes)).to.deep.include({
      events: ["TaskSettled", "TaskDelivered"],
    });
  });

  it("says what the dispute came to", async () => {
    const task = await submit(challenged());
    const market = marketAt(world.deployment.contracts.TaskMarket, provider.account);
    await market.accept(encodeTerms(task.terms), workHash(task.work));
    await deliverResult(world, task, provider);
    await world.client.dispute(task.id, { unit: 0n });
    const disputed = await createReceipt(context, task.id);
    expect((await verifyReceipt(disputed.text, { online: context })).sound).to.equal(true);
    const { delivery } = await world.client.status(task.id);
    if (delivery === undefined) throw new Error("not delivered");
    const { resultHash, evidenceHash } = delivery;
    await market.concede(encodeTerms(task.terms), workHash(task.work), {
      report: encodeReport(delivery),
      resultHash,
      evidenceHash,
    });
    const receipt = await createReceipt(context, task.id);
    expect(receipt.statement.settlement.assurance).to.deep.equal([
      { kind: "dispute", outcome: "Conceded", providerBps: 0 },
    ]);
    const blockHashes = [await hashOf(receipt.statement.settlement.settled?.block ?? 0)];
    const report = await verifyReceipt(receipt.text, { blockHashes, online: context });
    expect(report.sound, JSON.stringify(report.levels)).to.equal(true);
    expect(report.summary).to.contain("disputed, which ended as Conceded");
    const hidden = restated(receipt, ({ predicate }) => {
      predicate.settlement["assurance"] = [{ kind: "dispute", outcome: "Conceded", providerBps: 10_000 }];
    });
    expect(await faults(hidden, { blockHashes })).to.deep.equal({ "trusted-block": ["assurance"] });
  });

  it("proves who took an open task", async () => {
    const task = await world.client.submit({
      source: { files: [await fileIn(directory, "scan.png", "a picture")] },
      application: "ocr",
      durationSeconds: 60,
      open: { shortlist: [other.account.address] },
      price: { amountWei: 3n * 60n * RATE_WEI, maximumWei: 5n * 60n * RATE_WEI, metered: false },
      anyProvider: true,
      collateralWei: 10_000n,
    });
    await marketAt(world.deployment.contracts.TaskMarket, other.account).acceptOpen(
      encodeTerms(task.terms),
      encodeWork(task.work),
      other.account.address,
    );
    await deliverResult(world, task, other);
    const receipt = await createReceipt(context, task.id);
    expect(receipt.statement.provider).to.equal(other.account.address);
    const blockHashes = [await hashOf(receipt.statement.settlement.block)];
    expect(await faults(receipt.text, { blockHashes, online: context })).to.deep.equal({});
    const stolen = restated(receipt, ({ predicate }) => {
      predicate.runDetails.builder["id"] = `eip155:31337:${provider.account.address}`;
    });
    expect(await faults(stolen, { blockHashes, online: context })).to.deep.equal({
      "trusted-block": ["assigned"],
      online: ["provider"],
    });
  });

  it("is not made of a result that is not what was committed to, nor of one without evidence", async () => {
    const unsound = await delivered(
      {},
      { evidence: (evidence) => ({ ...evidence, runHash: evidence.inputRoot }) },
    );
    expect((await errorOf(createReceipt(context, unsound))).code).to.equal("receipt.unsound");
    const without = await delivered({}, { withoutEvidence: true });
    expect((await errorOf(createReceipt(context, without))).code).to.equal("receipt.unsound");
  });

  // ---- Disclosure ----

  const page = (letter: string): string => letter.repeat(LEAF_BYTES + 100);
  const work = {
    "run.json": JSON.stringify({ schema: "neura/run/1", application: "ocr", dtype: "fp32", seed: null }),
    "result.json": JSON.stringify({ text: "hello" }),
    "output/1.txt": page("a"),
    "output/2.txt": page("b"),
  };

  for (const publicResult of [false, true]) {
    it(`shows one file and no other of a ${publicResult ? "public" : "private"} result`, async () => {
      const id = await delivered({ publicResult }, { files: work });
      // Who wants the result public needs no key, and has none to open the payload with.
      const inputs = publicResult ? [] : ["manifest.json"];
      const refused = await errorOf(createReceipt(context, id, { disclose: ["output/1.txt"] }));
      expect(refused.code).to.equal("receipt.neighbours");
      expect(refused.message).to.contain("output/2.txt").and.to.contain("result.json");
      const receipt = await createReceipt(context, id, {
        disclose: ["run.json", "output/2.txt", ...inputs],
        withNeighbours: true,
      });
      expect(receipt.statement.files.map(({ name }) => name)).to.deep.equal(["run.json", "output/2.txt"]);
      expect(receipt.statement.inputs.map(({ name }) => name)).to.deep.equal(inputs);
      expect(receipt.text).not.to.contain("result.json");
      const blockHashes = [await hashOf(receipt.statement.settlement.block)];
      const report = await verifyReceipt(receipt.text, { blockHashes });
      expect(report.sound, JSON.stringify(report.levels)).to.equal(true);
      const [run, second, manifest] = report.disclosed.map(({ content }) => Buffer.from(content).toString());
      expect(run).to.equal(work["run.json"]);
      expect(second).to.equal(work["output/2.txt"]);
      if (!publicResult) expect(manifest).to.contain("neura/manifest/1");
      const { files } = await standAlone(receipt, ...blockHashes);
      expect(Object.keys(files as object)).to.deep.equal(["run.json", "output/2.txt", ...inputs]);
    });
  }

  it("finds every changed byte of what is shown", async () => {
    const id = await delivered({}, { files: work });
    const receipt = await createReceipt(context, id, {
      disclose: ["run.json", "output/1.txt"],
      withNeighbours: true,
    });
    const file = JSON.parse(receipt.text) as { neura: { disclosures: Record<string, unknown>[] } };
    const [run, second] = file.neura.disclosures;
    const flip = (text: string, at: number): string => {
      const bytes = Buffer.from(text, "base64");
      bytes[at % bytes.length] = (bytes[at % bytes.length] ?? 0) ^ 1;
      return bytes.toString("base64");
    };
    const leaves = second?.["leaves"] as { bytes: string; salt: string; index: number }[];
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.nat({ max: 4 }), async (at, what) => {
        const [leaf] = leaves.slice(at % leaves.length);
        if (leaf === undefined) throw new Error("no leaf");
        const changed: Record<string, unknown>[] = [
          { ...run, content: flip(String(run?.["content"]), at) },
          {
            ...second,
            leaves: leaves.map((each) => (each === leaf ? { ...each, bytes: flip(each.bytes, at) } : each)),
          },
          {
            ...second,
            leaves: leaves.map((each) => (each === leaf ? { ...each, index: each.index + 1 } : each)),
          },
          { ...second, leaves: leaves.filter((each) => each !== leaf) },
          { ...second, offset: Number(second?.["offset"]) + 512 },
        ];
        const disclosures = [what === 0 ? changed[0] : run, what === 0 ? second : changed[what]];
        const text = JSON.stringify({ ...file, neura: { ...file.neura, disclosures } });
        expect(Object.keys(await faults(text))).to.deep.equal(["offline"]);
      }),
      { numRuns: 20 },
    );
  });

  it("compares files on disk with those that it names", async () => {
    const out = join(directory, "out");
    await world.client.result(paid.statement.settlement.taskId, { directory: out });
    expect(await faults(paid.text, { directory: out })).to.deep.equal({});
    await writeFile(join(out, "output", "page.txt"), "goodbye");
    expect(await faults(paid.text, { directory: out })).to.deep.equal({ offline: ["file output/page.txt"] });
    const led = restated(paid, ({ subject }) => (subject[2]!.name = "../../etc/passwd"));
    expect(await faults(led, { directory: out })).to.deep.equal({
      offline: ["file ../../etc/passwd", "file output/page.txt"],
    });
  });

  // ---- Others' readers ----

  it("is verified by 200 lines that have nothing of the library", async () => {
    const source = await readFile(STAND_ALONE, "utf8");
    expect(source.trimEnd().split("\n").length).to.be.at.most(200);
    const imports = [...source.matchAll(/from "([^"]+)"/g)].map(([, name]) => name);
    expect(imports).to.deep.equal([
      "node:crypto",
      "node:fs",
      "@noble/curves/secp256k1.js",
      "@noble/hashes/sha3.js",
    ]);
    const signed = await createReceipt(signing(), paid.statement.settlement.taskId, { sign: true });
    const blockHash = await hashOf(signed.statement.settlement.block);
    expect(await standAlone(signed, blockHash)).to.deep.equal({
      signers: [`eip155:31337:${world.owner.address}`],
      files: {},
      events: ["TaskDelivered"],
    });
    const tampered = { ...signed, text: signed.text.replace(/"sig": "../, '"sig": "AA') };
    expect(await standAlone(tampered).catch((error: unknown) => String(error))).to.contain("Command failed");
  });

  it("is read by an unmodified parser of DSSE envelopes, which passes over what is ours", () => {
    const envelope = envelopeFromJSON(JSON.parse(paid.text));
    expect(envelope.payloadType).to.equal("application/vnd.in-toto+json");
    expect(Buffer.from(envelope.payload).toString()).to.equal(encodeStatement(paid.statement));
    // The example of DSSE's protocol.
    expect(Buffer.from(preAuthEncoding(Buffer.from("hello"))).toString()).to.equal(
      "DSSEv1 28 application/vnd.in-toto+json 5 hello",
    );
  });
});

interface Part {
  name: string;
  digest: Record<string, string>;
  annotations?: { count: number };
}

/** As it stands in the file. */
interface Statement {
  subject: Part[];
  predicate: {
    buildDefinition: { resolvedDependencies: Part[] };
    runDetails: { builder: Record<string, string>; metadata: Record<string, string>; byproducts: Part[] };
    settlement: Record<string, unknown> & { terms: Record<string, string>; work: Record<string, string> };
  };
}
