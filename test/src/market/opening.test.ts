import { readdir } from "node:fs/promises";
import { join } from "node:path";

import { expect } from "chai";
import { hexlify } from "ethers";

import { encodeHeader } from "../../../src/envelope/format.ts";
import { generateKeyPair, readHeader, resultContext, seal } from "../../../src/envelope/index.ts";
import { generateContentKey, wrapForAll } from "../../../src/envelope/keys.ts";
import type { StoredKey } from "../../../src/keystore.ts";
import type { MarketClient } from "../../../src/market/client.ts";
import { encodeOpenings, type OpeningFile, parseOpenings } from "../../../src/market/opening.ts";
import { encodeTerms, encodeWork } from "../../../src/market/terms.ts";
import { marketAt } from "../../contracts/market/deploy.ts";
import { Cleanup, collect, errorOf } from "../storage/support.ts";
import { type Account, createWorld, deliverResult, fileIn, RATE_WEI, textOf, type World } from "./support.ts";

describe("market: what a reader shows of an envelope", function () {
  this.timeout(60_000);
  const cleanup = new Cleanup();
  let world: World;
  let provider: { account: Account; key: StoredKey };
  /** Somebody without a key and without a record of any task. */
  let stranger: MarketClient;
  let directory: string;

  before(async () => {
    world = await createWorld(cleanup);
    const [account, other] = world.others;
    if (!account || !other) throw new Error("no account");
    provider = { account, key: await world.register(account) };
    stranger = world.clientOf(other, { home: cleanup.directory() });
  });
  after(() => cleanup.run());
  beforeEach(() => {
    directory = cleanup.directory();
  });

  async function codeOf(work: Promise<unknown>): Promise<string> {
    return (await errorOf(work)).code;
  }

  async function delivered(change: Parameters<typeof deliverResult>[3] = {}): Promise<string> {
    const file = await fileIn(directory, "scan.png", "a picture");
    const { id } = await world.client.submit({ source: { files: [file] }, application: "ocr" });
    await deliverResult(world, await world.client.status(id), provider, change);
    return id;
  }

  /** As it travels: through the text of its file. */
  async function shown(
    id: string,
    client = world.client,
    of: "payload" | "result" = "result",
  ): Promise<OpeningFile> {
    const { problem, ...file } = await client.showOpening(id, { of });
    expect(problem).to.equal(undefined);
    return parseOpenings(encodeOpenings(file));
  }

  it("opens the result to somebody who has no key, checked as the owner checks it", async () => {
    const id = await delivered();
    const file = await shown(id);
    expect(file).to.include({ task: id, of: "result", account: world.owner.address });
    expect(file.openings.map(({ kind }) => kind)).to.deep.equal(["body", "trace"]);

    const out = join(directory, "seen");
    const finding = await stranger.checkOpening(id, file, { directory: out });
    expect(finding).not.to.have.property("problem");
    expect(finding.author).to.equal(provider.account.address);
    expect(finding.files).to.include("output/page.txt");
    expect(await textOf(out, "output", "page.txt")).to.equal("hello");
    // Nothing else is left behind, and without a folder nothing at all.
    expect((await readdir(directory)).toSorted()).to.deep.equal(["scan.png", "seen"]);
    await stranger.checkOpening(id, file);
    expect((await readdir(directory)).toSorted()).to.deep.equal(["scan.png", "seen"]);
    expect(await codeOf(stranger.checkOpening(id, file, { directory: out }))).to.equal("result.exists");
  });

  it("opens the payload that the provider could read, without its secrets", async () => {
    const id = await delivered();
    const file = await shown(id, world.clientOf(provider.account), "payload");
    expect(file.openings.map(({ kind }) => kind)).to.deep.equal(["body"]);
    const out = join(directory, "seen");
    const finding = await stranger.checkOpening(id, file, { directory: out });
    expect(finding).not.to.have.property("problem");
    expect(finding).to.include({ author: world.owner.address });
    expect(finding.files).to.deep.equal(["input/scan.png"]);
    expect(await textOf(out, "input", "scan.png")).to.equal("a picture");
  });

  it("opens a sealed payload by the header that its owner published, once it has", async () => {
    const path = await fileIn(directory, "scan.png", "a picture");
    const price = { amountWei: 60n * RATE_WEI, maximumWei: 90n * RATE_WEI, metered: false };
    const request = { source: { files: [path] }, application: "ocr", durationSeconds: 60, price };
    const task = await world.client.submit({ ...request, open: { isSealed: true }, collateralWei: 10_000n });
    const market = marketAt(world.deployment.contracts.TaskMarket, provider.account);
    const words = [encodeTerms(task.terms), encodeWork(task.work)] as const;
    await market.acceptOpen(...words, provider.account.address);
    const seller = world.clientOf(provider.account);
    expect(await codeOf(seller.showOpening(task.id, { of: "payload" }))).to.equal("opening.sealed");
    await world.client.publishKey(task.id);
    const file = await shown(task.id, seller, "payload");
    const finding = await stranger.checkOpening(task.id, file);
    expect(finding).not.to.have.property("problem");
    expect(finding.files).to.deep.equal(["input/scan.png"]);
  });

  it("shows that the provider delivered what nobody can open, or what it did not commit to", async () => {
    const recipients = [world.ownerKey.publicKey];
    /** An envelope for the owner of the task that is submitted next, made unreadable by `spoil`. */
    const findingOf = async (
      spoil: (file: Buffer) => Promise<Buffer> | Buffer,
    ): Promise<string | undefined> => {
      const path = await fileIn(directory, "scan.png", "a picture");
      const { id } = await world.client.submit({ source: { files: [path] }, application: "ocr" });
      const sealed = seal({
        context: resultContext({ taskId: id }),
        compartments: [{ kind: "body", recipients, source: [Buffer.from("no archive".repeat(99))] }],
      });
      const envelope = await spoil(await collect(sealed.stream));
      const resultHash = sealed.result().hash;
      await deliverResult(world, await world.client.status(id), provider, {
        envelope,
        resultHash,
      });
      const { author, problem } = await stranger.checkOpening(id, await shown(id));
      expect(author).to.equal(provider.account.address);
      return problem?.code;
    };
    const flipped = (file: Buffer, at: number): Buffer => {
      file[at] = file[at]! ^ 1;
      return file;
    };
    expect(await findingOf((file) => file)).to.equal("archive.malformed");
    expect(await findingOf((file) => flipped(file, file.length - 100))).to.equal("envelope.tampered");
    expect(await findingOf((file) => file.subarray(0, -5))).to.equal("envelope.truncated");
    // The last byte of its only wrap.
    const end = 10 + 1 + 66 + 4 + 2 + 190;
    expect(await findingOf((file) => flipped(file, end - 1))).to.equal("envelope.bad-wrap");
    const swapped = await findingOf(async (file) => {
      const header = await readHeader([file]);
      const { length } = encodeHeader(header);
      const [body] = header.compartments;
      const wraps = wrapForAll(body!, generateContentKey(), recipients);
      const other = encodeHeader({ compartments: [{ ...body!, recipients: wraps }] });
      return Buffer.concat([other, file.subarray(length)]);
    });
    expect(swapped).to.equal("envelope.key-mismatch");

    const hashed = await delivered({ resultHash: `0x${"0d".repeat(32)}` });
    const hash = await stranger.checkOpening(hashed, await shown(hashed));
    expect(hash.problem?.code).to.equal("envelope.wrong-hash");

    // It opens, and is not what its evidence says.
    const root = `0x${"0e".repeat(32)}`;
    const id = await delivered({ evidence: (evidence) => ({ ...evidence, resultRoot: root }) });
    const { problem } = await stranger.checkOpening(id, await shown(id));
    expect(problem?.code).to.equal("evidence.mismatch");
    expect(problem?.message).to.include("resultRoot");
  });

  it("needs nothing shown where the header alone shows it", async () => {
    const path = await fileIn(directory, "scan.png", "a picture");
    const { id } = await world.client.submit({ source: { files: [path] }, application: "ocr" });
    const sealed = seal({
      context: resultContext({ taskId: id }),
      compartments: [{ kind: "body", recipients: [generateKeyPair().publicKey], source: [] }],
    });
    const envelope = await collect(sealed.stream);
    const resultHash = sealed.result().hash;
    await deliverResult(world, await world.client.status(id), provider, { envelope, resultHash });
    const { problem, ...file } = await world.client.showOpening(id, { of: "result" });
    expect(problem?.code).to.equal("envelope.not-a-recipient");
    expect(file.openings).to.deep.equal([]);
    const found = await stranger.checkOpening(id, file);
    expect(found.problem?.code).to.equal("envelope.not-a-recipient");
    // It is no fault that it is not encrypted to others.
    const others = { ...file, account: provider.account.address };
    expect(await codeOf(stranger.checkOpening(id, others))).to.equal("opening.shows-nothing");
  });

  it("believes no file that shows nothing", async () => {
    const id = await delivered();
    const file = await shown(id);
    const [body, trace] = file.openings;
    const other = await shown(await delivered());
    const check = (change: Partial<OpeningFile>): Promise<string> =>
      codeOf(stranger.checkOpening(id, { ...file, ...change }));
    expect(await check({ task: other.task })).to.equal("opening.other-task");
    expect(await check({ openings: other.openings })).to.equal("envelope.bad-opening");
    expect(await check({ openings: [{ ...body!, shared: trace!.shared }] })).to.equal("envelope.bad-opening");
    expect(await check({ openings: [] })).to.equal("opening.shows-nothing");
    expect(await check({ account: provider.account.address })).to.equal("opening.foreign-key");
    expect(await check({ of: "payload" })).to.equal("envelope.bad-opening");
  });

  it("is not asked of what is public, or not there", async () => {
    const path = await fileIn(directory, "scan.png", "a picture");
    const request = { source: { files: [path] }, application: "ocr" };
    const { id } = await world.client.submit(request);
    expect(await codeOf(world.client.showOpening(id, { of: "result" }))).to.equal("task.not-delivered");
    expect(await codeOf(stranger.showOpening(id, { of: "payload" }))).to.equal("opening.key-missing");
    const open = await world.client.submit({ ...request, publicResult: true });
    await deliverResult(world, await world.client.status(open.id), provider);
    expect(await codeOf(world.client.showOpening(open.id, { of: "result" }))).to.equal("opening.public");
  });

  it("is a file in which every fault is named", async () => {
    const file = await shown(await delivered());
    expect(parseOpenings(encodeOpenings(file))).to.deep.equal(file);
    const spoilt = encodeOpenings(file)
      .replace(hexlify(file.openings[0]!.c), "0x12")
      .replace("result", "letter");
    expect(() => parseOpenings(spoilt, "opening.json"))
      .to.throw("opening.json has 2 faults")
      .with.property("code", "opening.invalid");
    expect(() => parseOpenings("no JSON"))
      .to.throw()
      .with.property("code", "opening.invalid");
  });
});
