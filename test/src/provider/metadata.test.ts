import { expect } from "chai";
import { Wallet } from "ethers";
import fc from "fast-check";

import { isNeuraError } from "../../../src/errors.ts";
import {
  MAX_METADATA_BYTES,
  parseMetadata,
  type ProviderMetadata,
  signerOfMetadata,
  signMetadata,
} from "../../../src/provider/metadata.ts";
import { documentOf } from "./documents.ts";

const domain = { chainId: 267n, registry: "0x1111111111111111111111111111111111111111" };
const signer = new Wallet(`0x${"42".repeat(32)}`);

async function signed(change: Partial<ProviderMetadata> = {}): Promise<string> {
  return await signMetadata(documentOf(signer.address, change), { domain, signer });
}

/** The signed document as an object, changed, as text again. */
async function changed(change: (document: Record<string, unknown>) => void): Promise<string> {
  const document: Record<string, unknown> = { ...(JSON.parse(await signed()) as object) };
  change(document);
  return JSON.stringify(document);
}

function faultOf(text: string): string {
  try {
    parseMetadata(text);
  } catch (error) {
    if (isNeuraError(error, "metadata.invalid")) return error.message;
    throw error;
  }
  throw new Error("It was accepted.");
}

describe("a provider's document", () => {
  it("comes back as it was signed, whatever order and spaces its JSON has", async () => {
    const metadata = documentOf(signer.address, { quoteUrl: "https://provider.example/quote" });
    const text = await signMetadata(metadata, { domain, signer });
    const reversed = JSON.stringify(
      Object.fromEntries(Object.entries(JSON.parse(text) as object).toReversed()),
    );
    for (const form of [text, reversed]) {
      const parsed = parseMetadata(form);
      expect(parsed.metadata).to.deep.equal(metadata);
      expect(signerOfMetadata(parsed, domain)).to.equal(signer.address);
    }
  });

  it("is signed for one registry on one chain", async () => {
    const parsed = parseMetadata(await signed());
    expect(signerOfMetadata(parsed, { ...domain, chainId: 1n })).not.to.equal(signer.address);
    expect(signerOfMetadata(parsed, { ...domain, registry: signer.address })).not.to.equal(signer.address);
  });

  it("does not keep its signer when anything in it is changed", async () => {
    const { metadata, signature } = parseMetadata(await signed());
    const [benchmark] = metadata.benchmarks;
    const changes: Partial<ProviderMetadata>[] = [
      { issuedAt: "2026-01-01T00:00:00Z" },
      { applications: [] },
      { machine: { ...metadata.machine, driver: "999" } },
      { capacity: { ...metadata.capacity, freeSlots: 1 } },
      { benchmarks: [{ ...benchmark!, unitsPerSecond: 0.51 }] },
      { quoteUrl: "https://elsewhere.example/" },
    ];
    for (const change of changes) {
      const other = signerOfMetadata({ metadata: { ...metadata, ...change }, signature }, domain);
      expect(other, JSON.stringify(change)).not.to.equal(signer.address);
    }
  });

  it("names what does not belong there", async () => {
    const cases: [(document: Record<string, unknown>) => void, string][] = [
      [(document) => (document["schema"] = "neura/provider/2"), "schema is not neura/provider/1"],
      [(document) => (document["surprise"] = 1), "surprise is unknown"],
      [(document) => delete document["machine"], "machine is missing"],
      [(document) => delete document["capacity"], "capacity.measuredAt is missing"],
      [(document) => delete document["signature"], "signature is missing"],
      [(document) => (document["account"] = signer.address.toLowerCase()), "account is no address"],
      [(document) => (document["issuedAt"] = "yesterday"), "issuedAt is no time"],
      [(document) => (document["issuedAt"] = "2026-13-01T00:00:00Z"), "issuedAt is no time"],
      [(document) => (document["quoteUrl"] = "ftp://x.example/"), "quoteUrl is no URL"],
      [(document) => (document["quoteUrl"] = "https://user:word@x.example/"), "quoteUrl is no URL"],
      [(document) => (document["applications"] = {}), "applications is no list"],
      [
        (document) =>
          (document["applications"] = Array.from({ length: 65 }, () => ({ name: "a", version: "1" }))),
        "65 entries",
      ],
      [(document) => (document["machine"] = { gpus: ["\u001b[2J"] }), "machine.gpus has"],
      [(document) => (document["machine"] = { cores: 4 }), "machine.cores is unknown"],
    ];
    for (const [change, fault] of cases) expect(faultOf(await changed(change))).to.include(fault);
    const capacity = { ...documentOf(signer.address).capacity, freeSlots: 3 };
    expect(faultOf(await changed((document) => (document["capacity"] = capacity)))).to.include(
      "more free slots than slots",
    );
  });

  it("has at most 64 KiB", () => {
    expect(faultOf(" ".repeat(MAX_METADATA_BYTES + 1))).to.include("65537 bytes");
    expect(faultOf("{")).to.include("it is not JSON");
    expect(faultOf("[".repeat(MAX_METADATA_BYTES))).to.include("it is not JSON");
  });

  it("plays no tricks with prototypes, and writes nothing strange to a terminal", async () => {
    const text = await signed();
    const tricky = text.replace("{", '{ "__proto__": { "admin": true }, "\\u001b[31mred": 1, ');
    const message = faultOf(tricky);
    expect(message)
      .to.include("__proto__ is unknown")
      .and.to.match(/^[ -~]*$/);
    expect(Reflect.get({}, "admin")).to.equal(undefined);
  });

  it("is never anything else than a document or an error", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        expect(faultOf(text)).to.match(/^Its document cannot be used: /);
      }),
    );
  });

  it("is not signed where nobody would read it", async () => {
    const error: unknown = await signed({ issuedAt: "now" }).catch((thrown: unknown) => thrown);
    expect(error).to.have.property("code", "metadata.invalid");
  });
});
