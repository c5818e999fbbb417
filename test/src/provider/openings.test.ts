import { readFile, stat } from "node:fs/promises";
import { expect } from "chai";
import { hexlify, randomBytes } from "ethers";

import { encodeHeader, type Header } from "../../../src/envelope/format.ts";
import { generateKeyPair, readHeader } from "../../../src/envelope/index.ts";
import { commitTo, generateContentKey, wrapForAll } from "../../../src/envelope/keys.ts";
import { parseOpenings } from "../../../src/market/opening.ts";
import { Cleanup } from "../storage/support.ts";
import { payloadArchive, Stage, textIn } from "./support.ts";

/** A node that cannot read a payload shows it to the owner, who sees for itself who was wrong. */
describe("ProviderNode shows why it cannot read a payload", function () {
  this.timeout(60_000);
  const cleanup = new Cleanup();
  let stage: Stage;

  before(async () => {
    stage = await Stage.create(cleanup);
    await stage.start({ policy: { payloadWaitSeconds: 1 } });
  });
  after(() => cleanup.run());

  /** Submits it, and checks what the node keeps: as the owner, or anybody else, without the provider's key. */
  async function findingOf(
    payload: { salt: string; bytes: Uint8Array },
    openings: number,
  ): Promise<string | undefined> {
    const { id } = await stage.submitRaw(payload);
    await stage.event("declined", { task: id });
    const path = textIn(await stage.event("shown", { task: id }), "path");
    expect((await stat(path)).mode & 0o077).to.equal(0);
    const file = parseOpenings(await readFile(path, "utf8"));
    expect(file).to.include({ task: id, of: "payload", account: stage.provider.address });
    expect(file.openings).to.have.length(openings);
    const client = stage.world.clientOf(stage.world.owner, { home: cleanup.directory() });
    const { author, problem } = await client.checkOpening(id, file);
    expect(author).to.equal(stage.world.owner.address);
    return problem?.code;
  }

  const salt = (): string => hexlify(randomBytes(32));
  const right = async (own: string): Promise<Buffer> =>
    (await stage.envelope(await payloadArchive(), { salt: own })).bytes;

  /** The envelope with another header of the same length. */
  async function withHeader(bytes: Buffer, change: (header: Header) => Header): Promise<Buffer> {
    const header = await readHeader([bytes]);
    return Buffer.concat([encodeHeader(change(header)), bytes.subarray(encodeHeader(header).length)]);
  }

  it("a wrap of another key than the one that is committed to", async () => {
    const own = salt();
    const bytes = await withHeader(await right(own), ({ compartments: [body] }) => ({
      compartments: [
        { ...body!, recipients: wrapForAll(body!, generateContentKey(), [stage.providerKey.publicKey]) },
      ],
    }));
    expect(await findingOf({ salt: own, bytes }, 1)).to.equal("envelope.key-mismatch");
  });

  it("a wrap that does not open", async () => {
    const own = salt();
    const bytes = await withHeader(await right(own), ({ compartments: [body] }) => ({
      compartments: [
        {
          ...body!,
          recipients: body!.recipients.map((entry) => ({
            ...entry,
            wrap: entry.wrap.map((byte, index) => (index === 50 ? byte ^ 1 : byte)),
          })),
        },
      ],
    }));
    expect(await findingOf({ salt: own, bytes }, 1)).to.equal("envelope.bad-wrap");
  });

  it("a body that is broken, cut off, or no task's", async () => {
    const own = [salt(), salt(), salt()] as const;
    const broken = await right(own[0]);
    broken[broken.length - 100] = broken[broken.length - 100]! ^ 1;
    expect(await findingOf({ salt: own[0], bytes: broken }, 1)).to.equal("envelope.tampered");
    const cut = (await right(own[1])).subarray(0, -50);
    expect(await findingOf({ salt: own[1], bytes: cut }, 1)).to.equal("envelope.truncated");
    const { bytes } = await stage.envelope(await payloadArchive({ files: {} }), { salt: own[2] });
    expect(await findingOf({ salt: own[2], bytes }, 1)).to.equal("archive.malformed");
  });

  it("what everybody sees in the header: not encrypted to it, unproven, of another task, no envelope", async () => {
    const own = [salt(), salt(), salt()] as const;
    const recipients = [generateKeyPair().publicKey];
    const foreign = await stage.envelope(await payloadArchive(), { salt: own[0], recipients });
    expect(await findingOf({ salt: own[0], bytes: foreign.bytes }, 0)).to.equal("envelope.not-a-recipient");

    const unproven = await withHeader(await right(own[1]), ({ compartments: [body] }) => {
      const fixed = { ...body!, keyCommit: commitTo(generateContentKey()) };
      return { compartments: [fixed] };
    });
    expect(await findingOf({ salt: own[1], bytes: unproven }, 0)).to.equal("envelope.unproven");

    const bytes = await right(salt());
    expect(await findingOf({ salt: own[2], bytes }, 0)).to.equal("envelope.wrong-context");
    const none = { salt: salt(), bytes: Buffer.from("no envelope") };
    expect(await findingOf(none, 0)).to.equal("envelope.malformed");
  });
});
