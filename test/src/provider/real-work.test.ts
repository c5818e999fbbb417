import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { deflateSync, crc32 } from "node:zlib";
import { expect } from "chai";
import sharp from "sharp";

import { isNeuraError } from "../../../src/errors.ts";
import { applications } from "../../../src/provider/applications/registry.ts";
import { openProcessRunner } from "../../../src/provider/runner/process-runner.ts";
import { verificationBy } from "../../../src/verify/calibration.ts";
import { OCR_CALIBRATION } from "../../../src/verify/known.ts";
import { parseVerification } from "../../../src/verify/verification.ts";
import { fileIn, RATE_WEI } from "../market/support.ts";
import { Cleanup } from "../storage/support.ts";
import { gasOf, Stage } from "./support.ts";

describe("ProviderNode with the built-in applications", function () {
  this.timeout(60_000);
  const cleanup = new Cleanup();
  let stage: Stage;

  before(async () => {
    stage = await Stage.create(cleanup);
    await stage.start({ runner: await openProcessRunner(), applications: [...applications.keys()] });
  });
  after(() => cleanup.run());

  /** The owner's own input ended the work: it has the log, pays for the seconds, and gets the rest back. */
  async function expectOwnersFault(name: string, content: Uint8Array): Promise<string> {
    const path = await fileIn(cleanup.directory(), name, content);
    const before = await stage.balances();
    const task = await stage.submit({ source: { files: [path] }, application: "ocr" });
    const event = await stage.event("delivered", { task: task.id });
    expect(event["outcome"]).to.equal("OwnerBadInput");
    const paid = BigInt(Number(event["secondsUsed"])) * RATE_WEI;
    const fee = (paid * 250n) / 10_000n;
    const after = await stage.balances();
    // Sent along by the owner, who paid the rest from its balance.
    const sent = after.market - before.market;
    expect(sent <= task.costWei).to.be.true;
    expect(after).to.deep.equal({
      ...before,
      owner: before.owner + sent - paid,
      provider: before.provider + paid - fee,
      fees: before.fees + fee,
      market: before.market + sent,
      gas: before.gas - gasOf(event),
    });
    const directory = join(cleanup.directory(), "result");
    const result = await stage.world.client.result(task.id, { directory });
    expect(result.sound).to.be.true;
    expect(result.status.fault).to.equal("Owner");
    expect(JSON.parse(await readFile(join(directory, "result.json"), "utf8"))).to.include({
      schema: "neura/failure/1",
      outcome: "OwnerBadInput",
    });
    // There is no work to be done again.
    const refused = await stage.world.client.audit(task.id).catch((error: unknown) => error);
    expect(isNeuraError(refused, "verify.no-work"), String(refused)).to.be.true;
    return await readFile(join(directory, "logs", "application.log"), "utf8");
  }

  it("reads a picture", async () => {
    const task = await stage.submit({ source: { files: ["samples/invoice.png"] }, application: "ocr" });
    await stage.event("delivered", { task: task.id, timeoutMs: 50_000 });
    const directory = join(cleanup.directory(), "result");
    const { sound, evidence } = await stage.world.client.result(task.id, { directory });
    expect(sound).to.be.true;
    expect(evidence?.units).to.have.length(1);
    const { text } = JSON.parse(await readFile(join(directory, "result.json"), "utf8")) as { text: string };
    expect(text.toLowerCase()).to.include("invoice");

    // Whoever sent it reads it again, and finds the same.
    const audited = await stage.world.client.audit(task.id, { directory });
    const { verdict, report, checks, verification } = audited;
    expect(verdict).to.equal("pass");
    expect(verification).to.deep.equal(verificationBy(OCR_CALIBRATION));
    const run = JSON.parse(await readFile(join(directory, "run.json"), "utf8")) as Record<string, unknown>;
    expect(run["verification"]).to.deep.equal(verification);
    expect(run["units"]).to.deep.equal({ count: 1, from: "application" });
    expect(run["determinism"]).to.include({ executionProvider: "cpu" });
    expect(report?.findings).to.have.length(1);
    expect(report).to.deep.include({ units: [0], of: 1, firstFailing: undefined });
    // The archive itself is not there any more.
    expect(checks.filter((check) => check.verdict !== "match").map(({ name }) => name)).to.deep.equal([
      "resultRoot",
    ]);
    const [kept, ...others] = await stage.world.client.audits(task.id);
    expect(kept).to.include({ verdict: "pass", method: "text/1", of: 1, passed: 1 });
    expect(others).to.deep.equal([]);
    await rm(directory, { recursive: true });
  });

  it("does pages again byte by byte, pictures and all, where that was ordered", async () => {
    const verification = parseVerification({ method: "exact/1" });
    const part = { left: 0, top: 0, width: 500, height: 200 };
    const picture = await sharp("samples/invoice.png").extract(part).png().toBuffer();
    const source = { files: [await fileIn(cleanup.directory(), "part.png", picture)] };
    const task = await stage.submit({ source, application: "ocr", verification });
    await stage.event("delivered", { task: task.id, timeoutMs: 50_000 });
    const { verdict, report } = await stage.world.client.audit(task.id);
    expect(report?.findings).to.have.length(1);
    expect(verdict).to.equal("pass");
  });

  it("N01_ a picture that is none is the owner's own failure, delivered with its log", async () => {
    const log = await expectOwnersFault("letter.png", Buffer.from("this is no picture"));
    expect(log).to.include("letter.png");
  });

  it("N02_ a decompression bomb is the owner's own failure, delivered with its log", async () => {
    const log = await expectOwnersFault("bomb.png", bomb(60_000));
    expect(log).to.include("bomb.png");
  });
});

/** A small PNG file that says, and is, `side` by `side` pixels of one bit. */
function bomb(side: number): Buffer {
  const chunk = (type: string, data: Buffer): Buffer => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(data.length);
    const sum = Buffer.alloc(4);
    sum.writeUInt32BE(crc32(body));
    return Buffer.concat([length, body, sum]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(side, 0);
  header.writeUInt32BE(side, 4);
  header.set([1, 0, 0, 0, 0], 8);
  const rows = deflateSync(Buffer.alloc((Math.ceil(side / 8) + 1) * side), { level: 9 });
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([
    signature,
    chunk("IHDR", header),
    chunk("IDAT", rows),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}
