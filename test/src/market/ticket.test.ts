import { inspect } from "node:util";
import { expect } from "chai";
import fc from "fast-check";

import { generateKeyPair, resultContext, seal } from "../../../src/envelope/index.ts";
import { isNeuraError, type NeuraError } from "../../../src/errors.ts";
import { type AccessTicket, createToken, openTicket, sealTicket } from "../../../src/market/ticket.ts";

const owner = generateKeyPair();
const taskId = `0x${"a1".repeat(32)}`;
const ticket: AccessTicket = {
  task: taskId,
  url: `https://leases.example.org:8443/${taskId}`,
  token: createToken(),
  certificateSha256: "c3".repeat(32),
  expiresAt: 1_800_000_000,
};

async function refusal(promise: Promise<unknown>): Promise<NeuraError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (isNeuraError(error)) return error;
  throw new Error(`It was not refused: ${String(error)}`);
}

/** Anything, sealed as a ticket. */
async function sealed(text: string): Promise<Uint8Array> {
  const envelope = seal({
    context: resultContext({ taskId }),
    compartments: [{ kind: "body", recipients: [owner.publicKey], source: [Buffer.from(text)] }],
  });
  const pieces: Uint8Array[] = [];
  for await (const piece of envelope.stream) pieces.push(piece);
  return Buffer.concat(pieces);
}

describe("market/ticket", () => {
  it("comes back as it was, with and without a certificate", async () => {
    const { task, url, token, expiresAt } = ticket;
    for (const each of [ticket, { task, url, token, expiresAt }]) {
      const { bytes, hash } = await sealTicket(each, owner);
      const opened = await openTicket(bytes, { taskId, secretKey: owner.secretKey, hash });
      expect({ ...opened, token: opened.token.reveal() }).to.deep.equal({
        ...each,
        token: each.token.reveal(),
      });
    }
  });

  it("opens for its owner, for its task, and where a hash is named for that only", async () => {
    const { bytes } = await sealTicket(ticket, owner);
    const { secretKey } = owner;
    const stranger = generateKeyPair();
    expect((await refusal(openTicket(bytes, { taskId, secretKey: stranger.secretKey }))).code).to.equal(
      "envelope.not-a-recipient",
    );
    const other = `0x${"b2".repeat(32)}`;
    expect((await refusal(openTicket(bytes, { taskId: other, secretKey }))).code).to.equal(
      "envelope.wrong-context",
    );
    const { hash } = await sealTicket(ticket, owner);
    expect((await refusal(openTicket(bytes, { taskId, secretKey, hash }))).code).to.equal(
      "envelope.wrong-hash",
    );
  });

  it("N16_shows its token to nobody who prints it", async () => {
    const { bytes } = await sealTicket(ticket, owner);
    const opened = await openTicket(bytes, { taskId, secretKey: owner.secretKey });
    const token = opened.token.reveal();
    for (const shown of [JSON.stringify(opened), inspect(opened), String(opened.token)])
      expect(shown).to.not.include(token);
    const broken = JSON.stringify({ ...ticket, schema: "neura/ticket/1", token: `${token}=` });
    const error = await refusal(openTicket(await sealed(broken), { taskId, secretKey: owner.secretKey }));
    expect(inspect(error)).to.not.include(token);
  });

  const good = { schema: "neura/ticket/1", ...ticket, token: ticket.token.reveal() };
  const bad: Record<string, object> = {
    "another schema": { ...good, schema: "neura/ticket/2" },
    "an unknown field": { ...good, more: 1 },
    "no token": { ...good, token: undefined },
    "a short token": { ...good, token: "abc" },
    "no URL": { ...good, url: "leases.example.org" },
    "a URL of another kind": { ...good, url: "file:///etc/passwd" },
    "a URL with a password": { ...good, url: "https://a:b@leases.example.org/x" },
    "a URL with a query": { ...good, url: "https://leases.example.org/x?y" },
    "a URL with a slash at its end": { ...good, url: "https://leases.example.org/x/" },
    "a URL that is another one": { ...good, url: "https://leases.example.org/x/../y" },
    "a certificate of another kind": { ...good, certificateSha256: "AB:CD" },
    "half a second": { ...good, expiresAt: 1.5 },
    "another task": { ...good, task: `0x${"b2".repeat(32)}` },
    "too much": { ...good, url: `https://leases.example.org/${"x".repeat(20_000)}` },
  };
  for (const [name, value] of Object.entries(bad))
    it(`N01_is refused with ${name}`, async () => {
      const bytes = await sealed(JSON.stringify(value));
      const error = await refusal(openTicket(bytes, { taskId, secretKey: owner.secretKey }));
      expect(error.code, error.message).to.equal("ticket.invalid");
    });

  it("N01_is refused, whatever else it is", async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.json(), fc.string()), async (text) => {
        const error = await refusal(openTicket(await sealed(text), { taskId, secretKey: owner.secretKey }));
        expect(error.code).to.equal("ticket.invalid");
      }),
      { numRuns: 20 },
    );
  });

  it("is not made of what no owner could use", async () => {
    for (const wrong of [{ url: "http://x/" }, { expiresAt: NaN }, { task: taskId.toUpperCase() }])
      expect((await refusal(sealTicket({ ...ticket, ...wrong }, owner))).code).to.equal("ticket.invalid");
  });
});
