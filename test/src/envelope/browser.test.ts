import { randomBytes } from "node:crypto";
import { createContext, runInContext } from "node:vm";

import { expect } from "chai";
import { build } from "esbuild";

const ENTRY = `
  import { generateKeyPair, open, payloadContext, seal } from "./src/envelope/index.ts";
  export async function roundTrip(length) {
    const { secretKey, publicKey } = generateKeyPair();
    const plaintext = Uint8Array.from({ length }, (_, index) => index % 251);
    const address = "0x" + "11".repeat(20);
    const context = payloadContext({ chainId: 267n, market: address, owner: address, salt: "0x" + "07".repeat(32) });
    const sealed = seal({ context, compartments: [{ kind: "body", recipients: [publicKey], source: [plaintext] }] });
    const parts = [];
    for await (const part of sealed.stream) parts.push(part);
    const { hash } = sealed.result();
    let offset = 0;
    for await (const part of open(parts, { secretKey, context, hash })) {
      for (const byte of part) if (byte !== plaintext[offset++]) throw new Error("differs at " + offset);
    }
    return offset;
  }
`;

describe("envelope: in a browser", () => {
  let code: string;

  before(async () => {
    const { outputFiles, metafile } = await build({
      stdin: { contents: ENTRY, resolveDir: process.cwd(), loader: "ts" },
      bundle: true,
      platform: "browser",
      format: "iife",
      globalName: "envelope",
      target: "es2022",
      minify: true,
      write: false,
      metafile: true,
    });
    code = outputFiles[0]!.text;
    expect(Object.keys(metafile.inputs)).to.include("src/envelope/primitives.web.ts");
    expect(Object.keys(metafile.inputs)).to.not.include("src/envelope/primitives.node.ts");
    expect(Object.values(metafile.outputs).flatMap(({ imports }) => imports)).to.deep.equal([]);
  });

  it("needs neither Buffer nor a module of Node", () => {
    expect(code).to.not.match(/\bBuffer\b/);
    expect(code).to.not.include("node:");
  });

  it("stays below 256 KiB", () => {
    expect(code.length).to.be.lessThan(256 * 1024);
  });

  it("encrypts and opens where only a browser's globals exist", async () => {
    const sandbox = createContext({
      Uint8Array,
      TextEncoder,
      TextDecoder,
      crypto: { getRandomValues: (target: Uint8Array) => (target.set(randomBytes(target.length)), target) },
    });
    const found: unknown = runInContext("typeof Buffer + typeof process + typeof require", sandbox);
    expect(found).to.equal("undefinedundefinedundefined");
    const length: unknown = await runInContext(`${code};envelope.roundTrip(200_000)`, sandbox);
    expect(length).to.equal(200_000);
  });
});
