import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { inspect } from "node:util";
import { expect } from "chai";
import { hexlify, randomBytes } from "ethers";

import { encodeHeader, type Header } from "../../../src/envelope/format.ts";
import { generateKeyPair, readHeader, seal } from "../../../src/envelope/index.ts";
import { commitTo, generateContentKey, wrapForAll } from "../../../src/envelope/keys.ts";
import type { OutcomeName } from "../../../src/market/outcome.ts";
import { ProviderNode } from "../../../src/provider/node.ts";
import { KeyRegistry__factory } from "../../../types/factories/registry/KeyRegistry__factory.ts";
import type { KeyRegistry } from "../../../types/registry/KeyRegistry.ts";
import { MACHINE, RATE_WEI } from "../market/support.ts";
import { Cleanup, collect, errorOf } from "../storage/support.ts";
import { gasOf, payloadArchive, Stage, textIn, walletAt } from "./support.ts";

type Raw = Parameters<Stage["submitRaw"]>[0];

/** Refused before a second of work: the owner has everything back, and the error says why. */
describe("ProviderNode refuses", function () {
  this.timeout(60_000);
  const cleanup = new Cleanup();
  let stage: Stage;

  before(async () => {
    stage = await Stage.create(cleanup);
    await stage.start({ policy: { payloadWaitSeconds: 1, maxPayloadMiB: 1 } });
  });
  after(() => cleanup.run());

  /** What the node says when it declines. */
  async function declined(
    task: Raw,
    outcome: OutcomeName,
  ): Promise<{ code: string; message: string; id: string }> {
    const before = await stage.balances();
    const submitted = await stage.submitRaw(task);
    const { id } = submitted;
    const event = await stage.event("declined", { task: id });
    await stage.expectRefunded(submitted, outcome, before, { gasWei: gasOf(event) });
    const closing = await stage.event("closing", { task: id });
    expect(closing["reason"]).to.equal(outcome);
    expect(stage.runner.started).to.deep.equal([]);
    expect(await readdir(join(stage.directory, "tasks", id)).catch(() => [])).to.deep.equal([]);
    return { code: textIn(closing, "code"), message: textIn(closing, "message"), id };
  }

  const salt = (): string => hexlify(randomBytes(32));

  it("N04_ a payload that is encrypted to another key", async () => {
    const own = salt();
    const { bytes } = await stage.envelope(await payloadArchive(), {
      salt: own,
      recipients: [generateKeyPair().publicKey],
    });
    const { code } = await declined({ salt: own, bytes }, "PayloadUnreadable");
    expect(code).to.equal("envelope.not-a-recipient");
  });

  it("N04_ a payload with a flipped bit, though its hash is the one in the terms", async () => {
    const own = salt();
    const { bytes } = await stage.envelope(await payloadArchive(), { salt: own });
    const at = bytes.length - 100;
    bytes[at] = bytes[at]! ^ 1;
    const { code } = await declined({ salt: own, bytes }, "PayloadUnreadable");
    expect(code).to.equal("envelope.tampered");
  });

  it("N04_ a payload whose body is cut off", async () => {
    const own = salt();
    const { bytes } = await stage.envelope(await payloadArchive(), { salt: own });
    const { code } = await declined({ salt: own, bytes: bytes.subarray(0, -50) }, "PayloadUnreadable");
    expect(code).to.equal("envelope.truncated");
  });

  it("a tolerance that it does not know", async () => {
    const calibration = `0x${"ab".repeat(32)}`;
    const own = salt();
    const manifest = { verification: { method: "text/1", calibration } };
    const { bytes } = await stage.envelope(await payloadArchive({ manifest }), { salt: own });
    const { message, id } = await declined({ salt: own, bytes }, "RequirementsUnmet");
    expect(message).to.contain(calibration);
    // Its owner sees why.
    const status = await stage.world.client.status(id);
    expect(status).to.include({ status: "Declined", outcome: "RequirementsUnmet", fault: "None" });
  });

  it("N04_ a payload of another task", async () => {
    const { bytes } = await stage.envelope(await payloadArchive(), { salt: salt() });
    const { code } = await declined({ salt: salt(), bytes }, "PayloadUnreadable");
    expect(code).to.equal("envelope.wrong-context");
  });

  it("N05_ a payload whose hash is not the one in the terms", async () => {
    const { code } = await declined({ hash: hexlify(randomBytes(32)) }, "PayloadMismatch");
    expect(code).to.equal("envelope.wrong-hash");
  });

  it("N05_ a payload that is nowhere", async () => {
    const payload = `ar://${Buffer.from(randomBytes(32)).toString("base64url")}`;
    const { code, message } = await declined({ payload }, "PayloadMissing");
    expect(code).to.equal("storage.not-found");
    expect(message).to.include(payload);
  });

  it("N19_ a reference that is no reference", async () => {
    for (const payload of ["file:///etc/passwd", "http://169.254.169.254/latest/meta-data", "ar://../../x"]) {
      const { code } = await declined({ payload }, "PayloadMissing");
      expect(code).to.equal("storage.bad-reference");
    }
  });

  it("N02_N03_ a payload that is larger than the policy allows", async () => {
    const own = salt();
    const archive = await payloadArchive({ files: { "input/question.txt": new Uint8Array(2 ** 21) } });
    const { bytes } = await stage.envelope(archive, { salt: own });
    const { code } = await declined({ salt: own, bytes }, "PolicyRefused");
    expect(code).to.equal("storage.too-large");
  });

  it("N01_ a payload that is no archive, or whose manifest is none", async () => {
    const bad = [
      Buffer.from("not an archive".repeat(100)),
      await payloadArchive({ manifest: { schema: "neura/manifest/9" } }),
      await payloadArchive({ manifest: { limits: { seconds: -1 } } }),
      await payloadArchive({
        manifest: { parameters: JSON.parse('{"__proto__":{"polluted":true}}') as unknown },
      }),
      await payloadArchive({ files: {} }),
      await payloadArchive({ files: { "input/question.txt": "1", "input/other.txt": "2" } }),
    ];
    for (const archive of bad) {
      const own = salt();
      const { bytes } = await stage.envelope(archive, { salt: own });
      const { code } = await declined({ salt: own, bytes }, "PayloadUnreadable");
      expect(code).to.be.oneOf(["archive.malformed", "manifest.invalid"]);
    }
  });

  it("N19_ an archive that would write outside of its folder", async () => {
    for (const path of ["../outside.txt", "/etc/outside.txt", "input/../../outside.txt"]) {
      const own = salt();
      const archive = await payloadArchive({ files: { "input/question.txt": "?", [path]: "boo" } });
      const { bytes } = await stage.envelope(archive, { salt: own });
      const { code } = await declined({ salt: own, bytes }, "PayloadUnreadable");
      expect(code).to.be.oneOf(["archive.unsafe", "archive.malformed"]);
    }
  });

  it("N04_ a ciphertext whose key is not the one that it commits to: it may open under two keys to two tasks", async () => {
    const own = salt();
    const [committed, given] = [generateContentKey(), generateContentKey()];
    const fixed = {
      kind: "body" as const,
      chunkBytes: 4096,
      context: stage.contextOf(own),
      keyCommit: commitTo(committed),
    };
    const recipients = wrapForAll(fixed, given, [stage.providerKey.publicKey]);
    const header = encodeHeader({ compartments: [{ ...fixed, recipients }] });
    const bytes = Buffer.concat([header, randomBytes(2000)]);
    const { code } = await declined(
      { salt: own, bytes, hash: hexlify(randomBytes(32)) },
      "PayloadUnreadable",
    );
    expect(code).to.equal("envelope.key-mismatch");
  });

  it("N04_ an ephemeral point that is copied from another's letter, and tells nothing of that letter", async () => {
    // Somebody's letter to the provider, seen in storage.
    const letter = seal({
      context: stage.contextOf(salt()),
      compartments: [
        {
          kind: "body",
          recipients: [stage.providerKey.publicKey],
          source: [Buffer.from("the letter's secret")],
        },
      ],
    });
    const letterBytes = await collect(letter.stream);
    const [theirs] = (await readHeader([letterBytes])).compartments;
    const own = salt();
    // The same wrap and the same ciphertext, under a task of the copier.
    const copied: Header = { compartments: [{ ...theirs!, context: stage.contextOf(own) }] };
    const body = letterBytes.subarray(encodeHeader(letter.header).length);
    const bytes = Buffer.concat([encodeHeader(copied), body]);
    const { code } = await declined({ salt: own, bytes }, "PayloadUnreadable");
    expect(code).to.equal("envelope.unproven");
    expect(inspect(stage.events, { depth: 5 })).not.to.include("the letter's secret");
  });

  it("N15_ a price below the provider's", async () => {
    const { message } = await declined(
      { terms: { price: { amountWei: RATE_WEI - 1n, metered: true } } },
      "PriceTooLow",
    );
    expect(message)
      .to.include(`${RATE_WEI - 1n} wei`)
      .and.to.include(`${RATE_WEI} wei`);
    await declined({ terms: { price: { amountWei: 60n * RATE_WEI - 1n, metered: false } } }, "PriceTooLow");
  });

  it("N15_ requirements that the machine does not meet", async () => {
    const resources = { ...MACHINE, gpuCount: 8 };
    const { message } = await declined({ resources }, "RequirementsUnmet");
    expect(message).to.equal("It needs gpuCount 8; there is 0.");
  });

  it("N15_ more collateral than there is free stake", async () => {
    const { message } = await declined({ terms: { collateralWei: 10n ** 19n } }, "RequirementsUnmet");
    expect(message).to.include("collateral");
  });

  it("N20_ a key of the owner that is not published", async () => {
    const { message } = await declined({ terms: { conditions: { keyEpoch: 7 } } }, "KeyRevoked");
    expect(message).to.equal("The owner's key 7 is not published.");
  });

  it("N15_ an application that it does not have", async () => {
    const own = salt();
    const { bytes } = await stage.envelope(await payloadArchive({ manifest: { application: "other" } }), {
      salt: own,
    });
    const { message } = await declined({ salt: own, bytes }, "RequirementsUnmet");
    expect(message).to.equal("There is no application other here, only test.");
  });
});

describe("ProviderNode and the keys that change", function () {
  this.timeout(60_000);
  const cleanup = new Cleanup();
  let stage: Stage;

  beforeEach(async () => {
    stage = await Stage.create(cleanup);
  });
  afterEach(() => cleanup.run());

  /** Submits a task that is encrypted to `publicKey`, and says how the node closed it. */
  async function outcomeFor(publicKey: Uint8Array): Promise<unknown> {
    const salt = hexlify(randomBytes(32));
    const { bytes } = await stage.envelope(await payloadArchive(), { salt, recipients: [publicKey] });
    const before = await stage.balances();
    const task = await stage.submitRaw({ salt, bytes });
    const event = await stage.event("declined", { task: task.id });
    const outcome = textIn(event, "outcome") as OutcomeName;
    await stage.expectRefunded(task, outcome, before, { gasWei: gasOf(event) });
    return outcome;
  }

  it("opens what is encrypted to a key that was published while it runs", async () => {
    const keys = [stage.providerKey];
    await stage.start({ keys: () => Promise.resolve([...keys]) });
    const next = await stage.world.publish(stage.provider);
    keys.push(next);
    const salt = hexlify(randomBytes(32));
    const { bytes } = await stage.envelope(await payloadArchive(), { salt, recipients: [next.publicKey] });
    const task = await stage.submitRaw({ salt, bytes });
    await stage.event("delivered", { task: task.id });
  });

  it("refuses what is encrypted to a key that it has revoked", async () => {
    const next = await stage.world.publish(stage.provider);
    await stage.start({ keys: () => Promise.resolve([stage.providerKey, next]) });
    await registry().connect(stage.provider).revoke(1);
    expect(await outcomeFor(stage.providerKey.publicKey)).to.equal("KeyRevoked");
  });

  it("takes the blame for a key that it has lost", async () => {
    const next = await stage.world.publish(stage.provider);
    await stage.start();
    expect(await outcomeFor(next.publicKey)).to.equal("InfrastructureFault");
  });

  it("N20_ refuses an owner's key that is revoked, and keeps to the one that it has seen", async () => {
    await stage.start();
    stage.runner.script.seconds = 1;
    const taken = await stage.submitRaw({});
    await stage.event("running", { task: taken.id });
    await registry().connect(stage.world.owner).revoke(1);
    await stage.event("delivered", { task: taken.id });
    const { sound } = await stage.world.client.result(taken.id, {
      directory: join(cleanup.directory(), "result"),
    });
    expect(sound).to.be.true;

    const before = await stage.balances();
    const task = await stage.submitRaw({});
    const event = await stage.event("declined", { task: task.id });
    await stage.expectRefunded(task, "KeyRevoked", before, { gasWei: gasOf(event) });
  });

  function registry(): KeyRegistry {
    const { deployment, connection } = stage.world;
    return KeyRegistry__factory.connect(deployment.contracts.KeyRegistry, connection.ethers.provider);
  }
});

describe("ProviderNode's policy refuses", function () {
  this.timeout(60_000);
  const cleanup = new Cleanup();
  let stage: Stage;

  beforeEach(async () => {
    stage = await Stage.create(cleanup);
  });
  afterEach(() => cleanup.run());

  it("N15_ an owner that is denied, and pays nothing when it only leaves the task to expire", async () => {
    const { address } = stage.world.owner;
    const node = await stage.start({ policy: { owners: { allow: undefined, deny: [address] } } });
    const before = await stage.balances();
    const task = await stage.submitRaw({});
    const event = await stage.event("declined", { task: task.id });
    await stage.expectRefunded(task, "PolicyRefused", before, { gasWei: gasOf(event) });
    await node.stop();

    await stage.start({ policy: { owners: { allow: [], deny: [] }, decline: false } });
    const silent = await stage.balances();
    const { id } = await stage.submitRaw({});
    await stage.event("ignored", { task: id });
    expect((await stage.balances()).gas).to.equal(silent.gas);
    expect((await stage.world.client.status(id)).status).to.equal("Funded");
  });

  it("N15_ a task that earns less than its gas", async () => {
    await stage.start({ policy: { coverGas: true } });
    const before = await stage.balances();
    const task = await stage.submitRaw({});
    const event = await stage.event("declined", { task: task.id });
    await stage.expectRefunded(task, "PriceTooLow", before, { gasWei: gasOf(event) });
    expect((await stage.event("closing", { task: task.id }))["message"]).to.include("its gas costs");
  });

  it("N06_ to start for a stranger's account, for an unregistered one, and without its key", async () => {
    const start = (change: Parameters<Stage["nodeOptions"]>[0]): Promise<ProviderNode> =>
      ProviderNode.start(stage.nodeOptions(change));
    const { address } = stage.provider;
    const stranger = await errorOf(start({ signer: walletAt(9), account: address }));
    expect(stranger.code).to.equal("provider.not-operator");
    expect((await errorOf(start({ signer: walletAt(9) }))).code).to.equal("provider.not-registered");
    expect((await errorOf(start({ keys: () => Promise.resolve([generateKeyPair()]) }))).code).to.equal(
      "provider.no-key",
    );
  });
});
