import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

import { expect } from "chai";

import { encodeHeader } from "../../../src/envelope/format.ts";
import {
  open,
  openEach,
  payloadContext,
  proveKnowledge,
  proveOpening,
  readHeader,
} from "../../../src/envelope/index.ts";
import { Secret } from "../../../src/secret.ts";
import { collect } from "./fixtures.ts";

interface Vectors {
  task: { chainId: number; market: string; owner: string; salt: string };
  context: string;
  keys: Record<"provider" | "juror", { secretKey: string }>;
  secrets: { plaintext: string };
  body: { plaintextSha256: string };
  hash: string;
  envelope: string;
  headerForJuror: string;
  proof: Record<"context" | "keyCommit" | "recipient" | "r" | "e" | "s", string>;
  opening: Record<"recipient" | "shared" | "c" | "s", string>;
}
const vectors = JSON.parse(readFileSync(new URL("vectors.json", import.meta.url), "utf8")) as Vectors;

const hex = (value: string) => new Uint8Array(Buffer.from(value, "hex"));
const file = [new Uint8Array(Buffer.from(vectors.envelope, "base64"))];
const context = `0x${vectors.context}`;
const secretKeyOf = (name: keyof Vectors["keys"]) => new Secret(hex(vectors.keys[name].secretKey));
const digest = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

describe("envelope: vectors", () => {
  it("have the context of their task", () => {
    const { task } = vectors;
    expect(payloadContext({ ...task, chainId: BigInt(task.chainId) })).to.equal(context);
  });

  it("open for the provider", async () => {
    const seen: string[] = [];
    const opened = await openEach(file, {
      secretKey: secretKeyOf("provider"),
      context,
      handlers: {
        secrets: async (plaintext) => void seen.push(Buffer.from(await collect(plaintext)).toString("hex")),
        body: async (plaintext) => void seen.push(digest(await collect(plaintext))),
      },
    });
    expect(seen).to.deep.equal([vectors.secrets.plaintext, vectors.body.plaintextSha256]);
    expect(opened.hash).to.equal(`0x${vectors.hash}`);
  });

  it("open for a juror with the detached header, whose bytes are the only ones possible", async () => {
    const bytes = new Uint8Array(Buffer.from(vectors.headerForJuror, "base64"));
    const header = await readHeader([bytes]);
    expect(encodeHeader(header)).to.deep.equal(bytes);
    const body = await collect(open(file, { secretKey: secretKeyOf("juror"), context, header }));
    expect(digest(body)).to.equal(vectors.body.plaintextSha256);
  });

  it("hold the proof that is made for their scalar", () => {
    const { proof } = vectors;
    const made = proveKnowledge(
      { context: hex(proof.context), keyCommit: hex(proof.keyCommit), recipient: hex(proof.recipient) },
      hex(proof.r),
    );
    expect(made).to.deep.equal({ e: hex(proof.e), s: hex(proof.s) });
  });

  it("hold what the provider shows of the body, the only way that is written", async () => {
    const { recipient, shared, c, s } = vectors.opening;
    const opening = { kind: "body", recipient: hex(recipient), shared: hex(shared), c: hex(c), s: hex(s) };
    const header = await readHeader(file);
    const secretKey = secretKeyOf("provider");
    expect(proveOpening(header, { kind: "body", context, secretKey })).to.deep.equal(opening);
  });
});
