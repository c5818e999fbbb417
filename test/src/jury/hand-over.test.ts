import { readdir } from "node:fs/promises";
import { join } from "node:path";

import { expect } from "chai";
import { id as hashOf } from "ethers";

import { encodeHeader } from "../../../src/envelope/format.ts";
import { generateContentKey, wrapForAll } from "../../../src/envelope/keys.ts";
import {
  open,
  payloadContext,
  readHeader,
  resultContext,
  rewrap,
  seal,
} from "../../../src/envelope/index.ts";
import {
  encodeHandOver,
  fetchHandOver,
  type Handed,
  type HandOver,
  handOverOf,
  openHandedPayload,
  openHandedResult,
  parseHandOver,
} from "../../../src/jury/hand-over.ts";
import { handOver, lookAt } from "../../../src/jury/owner.ts";
import { parseVerification } from "../../../src/verify/verification.ts";
import { Secret } from "../../../src/secret.ts";
import { Cleanup, collect, errorOf } from "../storage/support.ts";
import { textOf } from "../market/support.ts";
import {
  absentIn,
  CONCESSION,
  createJuryWorld,
  type DisputedTask,
  type Disputing,
  type Juror,
  type JuryWorld,
} from "./support.ts";

describe("jury: what is handed over", function () {
  this.timeout(60_000);
  const cleanup = new Cleanup();
  let world: JuryWorld;
  let restore: () => Promise<void>;

  before(async () => {
    world = await createJuryWorld(cleanup);
    const snapshot = await world.connection.networkHelpers.takeSnapshot();
    restore = () => snapshot.restore();
  });
  after(() => cleanup.run());
  afterEach(() => restore());

  async function drawn(options: Disputing = {}): Promise<DisputedTask> {
    const task = await world.disputed(options);
    await world.draw(task);
    await world.pass(CONCESSION + 1);
    return task;
  }

  /** What a juror sees of the case, as its node does: with its own home and key. */
  async function seenBy(juror: Juror, id: string) {
    const context = world.contextOf(juror.account, juror.home);
    return { context, ...(await lookAt(context, id)) };
  }

  async function openedBy<T>(
    juror: Juror,
    id: string,
    handed: HandOver,
    read: (
      context: Awaited<ReturnType<typeof seenBy>>["context"],
      options: Parameters<typeof openHandedPayload>[1],
    ) => Promise<Handed<T>>,
  ): Promise<Handed<T> & { directory: string }> {
    const { context, status, found } = await seenBy(juror, id);
    const directory = absentIn(cleanup);
    const options = { found, status, handOver: handed, key: juror.key, directory };
    return { ...(await read(context, options)), directory };
  }

  async function handedFor(id: string, of: "payload" | "result"): Promise<HandOver> {
    const { status, found } = await lookAt(world.context, id);
    return parseHandOver(encodeHandOver(await handOverOf(world.context, { found, status, of })));
  }

  const faultOf = (handed: Handed<unknown>): string =>
    "fault" in handed ? `${handed.fault.of} ${handed.fault.providerBps} ${handed.fault.code}` : "none";

  it("opens payload and result to all of the panel, through the chain and the storage", async () => {
    const { id, evidence } = await drawn();
    expect(
      faultOf(await fetchHandOver(world.context, { found: (await world.look(id)).found, of: "payload" })),
    ).to.equal("owner 10000 jury.nothing");
    const { of, transaction } = await handOver(world.context, id);
    expect(of).to.equal("payload");
    expect(transaction.gasUsed > 0n).to.equal(true);
    for (const juror of await world.panel(id)) {
      const { context, found } = await seenBy(juror, id);
      const handed = await fetchHandOver(context, { found, of: "payload" });
      if ("fault" in handed) throw new Error(handed.fault.message);
      expect(handed.value.result).to.equal(undefined);
      const opened = await openedBy(juror, id, handed.value, openHandedPayload);
      if ("fault" in opened) throw new Error(opened.fault.message);
      expect(opened.value.inputRoot).to.equal(evidence.inputRoot);
      expect(await textOf(opened.directory, "input", "scan.png")).to.equal("a picture");
      // Nobody sees the result before all have committed.
      const early = await openedBy(juror, id, handed.value, openHandedResult);
      expect(faultOf(early)).to.equal("owner 10000 jury.document");
    }
    await world.commit(id);
    expect((await handOver(world.context, id)).of).to.equal("result");
    for (const juror of await world.panel(id)) {
      const { context, found } = await seenBy(juror, id);
      const handed = await fetchHandOver(context, { found, of: "result" });
      if ("fault" in handed) throw new Error(handed.fault.message);
      const opened = await openedBy(juror, id, handed.value, openHandedResult);
      if ("fault" in opened) throw new Error(opened.fault.message);
      expect(opened.value.evidence?.evidence).to.deep.equal(evidence);
      expect(opened.value.files).to.include("output/page.txt");
      expect(await textOf(opened.directory, "output", "page.txt")).to.equal("hello");
      expect(await readdir(join(opened.directory, ".."))).to.deep.equal(["out"]);
    }
  });

  it("never opens the secrets, and nothing to whoever is not of the panel", async () => {
    const secrets = { TOKEN: new Secret("hidden") };
    const { id, task } = await drawn({ request: { secrets } });
    const { payload } = await handedFor(id, "payload");
    const header = await readHeader([payload ?? new Uint8Array()]);
    const compartments = header.compartments.map(({ kind, recipients }) => [kind, recipients.length]);
    expect(compartments).to.deep.equal([
      ["secrets", 0],
      ["body", 3],
    ]);
    const { terms, work } = task;
    const { deployment, storage } = world;
    const domain = { chainId: BigInt(deployment.chainId), market: deployment.contracts.TaskMarket };
    const context = payloadContext({ ...domain, owner: terms.owner, salt: terms.salt });
    const envelope = await collect(storage.get(work.payload, { maxBytes: 1_000_000 }));
    const panel = await world.panel(id);
    for (const juror of world.jurors) {
      const { secretKey } = juror.key;
      for (const kind of ["secrets", "body"] as const) {
        const reading = collect(
          open([envelope], { kind, context, header, secretKey, hash: work.payloadHash }),
        );
        if (kind === "body" && panel.includes(juror)) expect((await reading).length > 0).to.equal(true);
        else expect((await errorOf(reading)).code).to.equal("envelope.not-a-recipient");
      }
    }
  });

  it("hands the result's body over with the payload where a method looks at what was delivered", async () => {
    const { id } = await drawn({
      request: { verification: parseVerification({ method: "trajectory/1" }) },
      isUnchecked: true,
      deliver: { files: { "run.json": "{}", "output/tokens.json": "[]" } },
    });
    const handed = await handedFor(id, "payload");
    const header = await readHeader([handed.result ?? new Uint8Array()]);
    expect(header.compartments.map(({ kind, recipients }) => [kind, recipients.length])).to.deep.equal([
      ["body", 3],
      ["trace", 0],
    ]);
    const [juror] = await world.panel(id);
    if (juror === undefined) throw new Error("no juror");
    const opened = await openedBy(juror, id, handed, openHandedResult);
    if ("fault" in opened) throw new Error(opened.fault.message);
    expect(opened.value).to.deep.equal({ files: ["run.json", "output/tokens.json"] });
  });

  // ---- Whose fault ----

  it("finds an owner at fault that hands over another payload, or nobody can open", async () => {
    const { id, task } = await drawn();
    const [juror] = await world.panel(id);
    if (juror === undefined) throw new Error("no juror");
    const handed = await handedFor(id, "payload");
    const payload = await readHeader([handed.payload ?? new Uint8Array()]);
    const openedWith = async (header: Uint8Array | undefined): Promise<string> =>
      faultOf(await openedBy(juror, id, { ...handed, payload: header }, openHandedPayload));
    expect(await openedWith(handed.payload)).to.equal("none");
    expect(await openedWith(undefined)).to.equal("owner 10000 jury.document");
    expect(await openedWith(new Uint8Array([1, 2, 3]))).to.match(/^owner 10000 envelope\./);

    // One of another envelope: another key, another plaintext.
    const { terms } = task;
    const { deployment } = world;
    const domain = { chainId: BigInt(deployment.chainId), market: deployment.contracts.TaskMarket };
    const context = payloadContext({ ...domain, owner: terms.owner, salt: terms.salt });
    const recipients = (await world.panel(id)).map(({ key }) => key.publicKey);
    const other = seal({
      context,
      compartments: [{ kind: "body", recipients, source: [Buffer.from("other")] }],
    });
    const bytes = await collect(other.stream);
    const swapped = encodeHeader(await readHeader([bytes]));
    expect(await openedWith(swapped)).to.equal("owner 10000 envelope.foreign-header");

    // One that leaves another juror out, though this one could read it.
    const { secretKey } = juror.key;
    const one = rewrap(payload, { kind: "body", context, secretKey, recipients: [juror.key.publicKey] });
    expect(await openedWith(encodeHeader(one))).to.equal("owner 10000 envelope.not-a-recipient");
    // One whose key is another's, in the wraps alone: what the envelope commits to is fixed.
    const bent = {
      compartments: payload.compartments.map((each) => ({
        ...each,
        recipients: each.recipients.map((entry, at) => ({
          ...entry,
          wrap: each.recipients[(at + 1) % each.recipients.length]?.wrap ?? entry.wrap,
        })),
      })),
    };
    expect(await openedWith(encodeHeader(bent))).to.equal("owner 10000 envelope.unproven");
  });

  it("finds a provider at fault that worked on another payload", async () => {
    const { id } = await drawn({
      deliver: { evidence: (made) => ({ ...made, inputRoot: hashOf("another") }) },
    });
    const handed = await handedFor(id, "payload");
    for (const juror of await world.panel(id)) {
      expect(faultOf(await openedBy(juror, id, handed, openHandedPayload))).to.equal(
        "provider 0 jury.other-input",
      );
    }
  });

  it("finds a provider at fault whose result is not what it committed to, whoever looks", async () => {
    const { id } = await drawn({ deliver: { resultHash: hashOf("another") } });
    const found = (await world.look(id)).found;
    for (const juror of await world.panel(id)) {
      // The owner could not hand anything over that would help it.
      const handed: HandOver = { task: id, round: found.round, of: "result" };
      expect(faultOf(await openedBy(juror, id, handed, openHandedResult))).to.equal(
        "provider 0 envelope.wrong-hash",
      );
    }
  });

  it("lets an owner show that it cannot read the result, which is the provider's fault", async () => {
    // Encrypted to somebody else.
    const recipients = [world.provider.key.publicKey];
    const task = await world.disputed();
    const garbage = seal({
      context: resultContext({ taskId: task.id }),
      compartments: [
        { kind: "body", recipients, source: [Buffer.from("garbage")] },
        { kind: "trace", recipients, source: [Buffer.from("garbage")] },
      ],
    });
    const envelope = await collect(garbage.stream);
    const stored = await world.storage.put(envelope);
    await world.storage.readBack(stored);
    await world.draw(task);
    const { status, found } = await lookAt(world.context, task.id);
    if (status.delivery === undefined) throw new Error("not delivered");
    // As if it had been delivered.
    const delivery = { ...status.delivery, result: stored.uri, resultHash: garbage.result().hash };
    const handed = await handOverOf(world.context, { found, status: { ...status, delivery }, of: "result" });
    expect(handed.result).to.equal(undefined);
    expect(handed.opening?.openings).to.deep.equal([]);
    const [juror] = await world.panel(task.id);
    if (juror === undefined) throw new Error("no juror");
    const context = world.contextOf(juror.account, juror.home);
    const options = { found, status: { ...status, delivery }, handOver: handed, key: juror.key };
    const opened = await openHandedResult(context, { ...options, directory: absentIn(cleanup) });
    expect(faultOf(opened)).to.equal("provider 0 envelope.not-a-recipient");
    // Shown of a result that opens, it shows nothing.
    const sound = await openHandedResult(context, { ...options, status, directory: absentIn(cleanup) });
    expect(faultOf(sound)).to.equal("owner 10000 opening.shows-nothing");
  });

  it("lets an owner show that the key which it was given is not the one of the result", async () => {
    const task = await world.disputed();
    await world.draw(task);
    const recipients = [world.ownerKey.publicKey];
    const made = seal({
      context: resultContext({ taskId: task.id }),
      compartments: [
        { kind: "trace", recipients, source: [Buffer.from("a trace")] },
        { kind: "body", recipients, source: [Buffer.from("a body")] },
      ],
    });
    const bytes = await collect(made.stream);
    const header = await readHeader([bytes]);
    const bent = encodeHeader({
      compartments: header.compartments.map((each) => ({
        ...each,
        recipients: wrapForAll(each, generateContentKey(), recipients),
      })),
    });
    const stored = await world.storage.put(
      Buffer.concat([bent, bytes.subarray(encodeHeader(header).length)]),
    );
    await world.storage.readBack(stored);
    const { status: seen, found } = await lookAt(world.context, task.id);
    if (seen.delivery === undefined) throw new Error("not delivered");
    const status = {
      ...seen,
      delivery: { ...seen.delivery, result: stored.uri, resultHash: made.result().hash },
    };
    const handed = await handOverOf(world.context, { found, status, of: "result" });
    expect(handed.opening?.openings.map(({ kind }) => kind)).to.deep.equal(["body", "trace"]);
    const again = parseHandOver(encodeHandOver(handed));
    for (const juror of await world.panel(task.id)) {
      const context = world.contextOf(juror.account, juror.home);
      const options = { found, status, handOver: again, key: juror.key, directory: absentIn(cleanup) };
      expect(faultOf(await openHandedResult(context, options))).to.equal("provider 0 envelope.key-mismatch");
      // A proof of something else shows nothing.
      const [body, trace] = again.opening?.openings ?? [];
      if (!again.opening || !body || !trace) throw new Error("nothing is shown");
      const opening = { ...again.opening, openings: [{ ...body, shared: trace.shared }, trace] };
      const lying = await openHandedResult(context, { ...options, handOver: { ...again, opening } });
      expect(faultOf(lying)).to.equal("owner 10000 envelope.bad-opening");
    }
  });

  it("blames whoever stored what is gone only when there is no time to try again", async () => {
    const { id } = await drawn();
    const { found } = await lookAt(world.context, id);
    const lost = {
      ...found,
      handedOver: [{ round: 0, step: 3, uri: `ar://${"a".repeat(43)}`, untilSeconds: 1 }],
    } as const;
    const missing = fetchHandOver(world.context, { found: lost, of: "payload" });
    expect((await errorOf(missing)).code).to.match(/^storage\./);
    const last = await fetchHandOver(world.context, { found: lost, of: "payload", isLastTry: true });
    expect(faultOf(last)).to.match(/^owner 10000 storage\./);
  });

  it("reads nothing that is not a document of its kind", () => {
    const header = new Uint8Array([1, 2, 3]);
    const document: HandOver = {
      task: hashOf("task"),
      round: 1,
      of: "result",
      payload: header,
      result: header,
    };
    const text = encodeHandOver(document);
    expect(parseHandOver(text)).to.deep.equal({ ...document, opening: undefined });
    const read = (change: Record<string, unknown>): unknown =>
      parseHandOver(JSON.stringify({ ...(JSON.parse(text) as object), ...change }));
    const refused: Record<string, unknown>[] = [
      { schema: "neura/hand-over/2" },
      { task: "0x12" },
      { round: 2 },
      { of: "trace" },
      { payload: "AQID=" },
      { payload: "AQ ID" },
      { payload: Buffer.alloc(96 * 1024 + 3).toString("base64") },
      { opening: "{}" },
      { more: 1 },
    ];
    for (const change of refused) {
      expect(() => read(change), JSON.stringify(change).slice(0, 80)).to.throw(/fault/);
    }
    expect(() => parseHandOver(" ".repeat(300_000))).to.throw(/longer/);
  });
});
