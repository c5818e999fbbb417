import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

import { expect } from "chai";
import { computeAddress, hexlify, keccak256, SigningKey, Wallet } from "ethers";
import fc from "fast-check";

import { attest, PLATFORM, softwareVerifier } from "../../examples/attestation.ts";
import { loadAttestationPolicy } from "../../src/attestation/policy.ts";
import {
  type AttestationPolicy,
  type AttestationVerifier,
  type AttestedKey,
  checkAttestation,
  MAX_VALIDITY_SECONDS,
  reportDataOf,
} from "../../src/attestation.ts";
import { loadAttestations, takeAttestations } from "../../src/provider/attestation.ts";
import {
  type Attestation,
  MAX_EVIDENCE_BYTES,
  parseMetadata,
  signerOfMetadata,
  signMetadata,
} from "../../src/provider/metadata.ts";
import { attestationText } from "../../tasks/provider/attested.ts";
import { documentOf } from "./provider/documents.ts";
import { Cleanup, errorOf } from "./storage/support.ts";

const NOW = 1_800_000_000;
const DAY = 24 * 3600;
const MEASUREMENT = `0x${"a1".repeat(32)}`;
const platformKey = new SigningKey(`0x${"51".repeat(32)}`);
const platform = computeAddress(platformKey);

const KEY: AttestedKey = {
  chainId: 267n,
  keyRegistry: "0x1111111111111111111111111111111111111111",
  provider: "0x2222222222222222222222222222222222222222",
  epoch: 3,
  publicKey: new SigningKey(`0x${"52".repeat(32)}`).compressedPublicKey,
};
const OTHER = "0x3333333333333333333333333333333333333333";

function attestationOf(change: Partial<AttestedKey> = {}, validUntilSeconds = NOW + DAY): Attestation {
  const key = { ...KEY, ...change };
  const evidence = attest(platformKey, { ...key, measurement: MEASUREMENT, validUntilSeconds });
  return { platform: PLATFORM, keyEpoch: key.epoch, evidence };
}

function policyWith(verifier: AttestationVerifier, measurements = [MEASUREMENT]): AttestationPolicy {
  return { platforms: [{ platform: PLATFORM, verifier, measurements }] };
}

const POLICY = policyWith(softwareVerifier(platform));

/** A verifier that says this, whatever it is. */
function saying(answer: unknown): AttestationVerifier {
  // What somebody's JavaScript could do.
  return { verify: () => answer } as unknown as AttestationVerifier;
}

async function refused(attestations: readonly Attestation[], policy = POLICY): Promise<string> {
  const error = await errorOf(checkAttestation(attestations, { key: KEY, policy, nowSeconds: NOW }));
  expect(error.next, error.code).to.be.a("string");
  return `${error.code}: ${error.message}`;
}

describe("attestation: evidence of a key", () => {
  it("is taken when it is of this key, of what may run, and in time", async () => {
    const check = { key: KEY, policy: POLICY, nowSeconds: NOW };
    expect(await checkAttestation([attestationOf()], check)).to.deep.equal({
      platform: PLATFORM,
      measurement: MEASUREMENT,
      validUntilSeconds: NOW + DAY,
    });
    // Neither another platform before it, nor other evidence that does not hold, is in its way.
    const list = [{ ...attestationOf(), platform: "snp" }, attestationOf({ epoch: 2 }), attestationOf()];
    expect(await checkAttestation(list, check)).to.have.property("platform", PLATFORM);
    const last = attestationOf({}, NOW + MAX_VALIDITY_SECONDS);
    expect(await checkAttestation([last], check)).to.have.property("platform", PLATFORM);
  });

  it("is of the report data that the interface names", () => {
    const { chainId, keyRegistry, provider, epoch, publicKey } = KEY;
    // abi.encode(uint256, address, address, uint32, bytes), word by word.
    const words = [chainId, BigInt(keyRegistry), BigInt(provider), BigInt(epoch), 5n * 32n, 33n];
    const head = words.map((word) => word.toString(16).padStart(64, "0")).join("");
    expect(reportDataOf(KEY)).to.equal(keccak256(`0x${head}${publicKey.slice(2).padEnd(128, "0")}`));
  });

  it("is refused when it is of anything else", async () => {
    const other = new SigningKey(`0x${"53".repeat(32)}`).compressedPublicKey;
    const replayed: [string, Partial<AttestedKey>][] = [
      ["other key", { publicKey: other }],
      ["other provider", { provider: OTHER }],
      ["other chain", { chainId: 1n }],
      ["other registry", { keyRegistry: OTHER }],
    ];
    for (const [what, change] of replayed) {
      const found = reportDataOf({ ...KEY, ...change });
      expect(await refused([attestationOf(change)]), what).to.equal(
        `attestation.other-key: The evidence is of another key: report data ${found}, where ${reportDataOf(KEY)} is that of key epoch 3 of ${KEY.provider}.`,
      );
    }
    expect(await refused([attestationOf({ epoch: 2 })])).to.equal(
      `attestation.other-key: The evidence is of another key: key epoch 2 of ${KEY.provider}, whose key is now epoch 3.`,
    );
    // Whoever only says that it is of this epoch has it in the report data all the same.
    expect(await refused([{ ...attestationOf({ epoch: 2 }), keyEpoch: 3 }])).to.include("report data 0x");
  });

  it("is refused when it is over, or lasts too long", async () => {
    expect(await refused([attestationOf({}, NOW)])).to.equal(
      "attestation.expired: The evidence was valid until 2027-01-15T08:00:00Z.",
    );
    expect(await refused([attestationOf({}, NOW + MAX_VALIDITY_SECONDS + 1)])).to.equal(
      "attestation.valid-too-long: The evidence is valid until 2027-02-14T08:00:01Z, more than 30 days from now.",
    );
  });

  it("is refused when its platform is not taken, or something else runs there", async () => {
    expect(await refused([])).to.equal(
      `attestation.missing: ${KEY.provider} is not attested: its document has no evidence.`,
    );
    expect(await refused([{ ...attestationOf(), platform: "snp" }])).to.equal(
      "attestation.platform: The evidence is of snp, and taken is software.",
    );
    expect(await refused([attestationOf()], { platforms: [] })).to.equal(
      "attestation.platform: The evidence is of software, and taken is none.",
    );
    const statement = {
      measurement: MEASUREMENT,
      reportData: reportDataOf(KEY),
      validUntilSeconds: NOW + DAY,
    };
    // As a verifier says that knows the kind of platform better than who claims it.
    expect(
      await refused([attestationOf()], policyWith(saying({ ...statement, platform: "software-debug" }))),
    ).to.equal("attestation.platform: The evidence is of software-debug, and taken is software.");
    const verifier = softwareVerifier(platform);
    expect(await refused([attestationOf()], policyWith(verifier, [`0x${"b2".repeat(32)}`]))).to.equal(
      `attestation.measurement: What runs there measures ${MEASUREMENT}, which is none of the 1 that may run on software.`,
    );
  });

  it("is refused when its verifier rejects it, throws, or says nothing of use", async () => {
    const stranger = softwareVerifier(OTHER);
    expect(await refused([attestationOf()], policyWith(stranger))).to.equal(
      `attestation.not-verified: The evidence of software does not hold: signed by ${platform}, not by the platform ${OTHER}.`,
    );
    const junk = { ...attestationOf(), evidence: Buffer.from("junk").toString("base64") };
    expect(await refused([junk])).to.match(
      /^attestation.not-verified: The evidence of software does not hold: /,
    );
    const thrower: AttestationVerifier = {
      verify: () => {
        throw new Error("\u001b[2Jno");
      },
    };
    expect(await refused([attestationOf()], policyWith(thrower))).to.equal(
      "attestation.not-verified: The evidence of software does not hold: ?[2Jno.",
    );
    const right = {
      measurement: MEASUREMENT,
      reportData: reportDataOf(KEY),
      platform: PLATFORM,
      validUntilSeconds: NOW + DAY,
    };
    const answers: unknown[] = [
      ...[undefined, null, true, "ok", 1, [], {}, [right], JSON.stringify(right)],
      { ...right, measurement: "0xa1" },
      { ...right, reportData: undefined },
      { ...right, reportData: `${right.reportData}00` },
      { ...right, platform: 1 },
      ...[undefined, "2027-01-01", Number.NaN, Infinity, -1, BigInt(NOW + DAY)].map((validUntilSeconds) => ({
        ...right,
        validUntilSeconds,
      })),
    ];
    for (const answer of answers) {
      expect(await refused([attestationOf()], policyWith(saying(answer)))).to.match(
        /^attestation.not-verified: .* its verifier's answer cannot be used: /,
      );
    }
    const check = { key: KEY, policy: policyWith(saying(right)), nowSeconds: NOW };
    expect(await checkAttestation([attestationOf()], check)).to.have.property("platform", PLATFORM);
  });

  it("is not waited for when its reader gives up", async () => {
    const policy = policyWith({ verify: () => new Promise(() => undefined) });
    const reason = new Error("stop");
    const check = { key: KEY, policy, nowSeconds: NOW, signal: AbortSignal.abort(reason) };
    const error: unknown = await checkAttestation([attestationOf()], check).catch(
      (thrown: unknown) => thrown,
    );
    expect(error).to.equal(reason);
  });

  it("is refused when it is too long, before its verifier sees it", async () => {
    const long = Buffer.alloc(MAX_EVIDENCE_BYTES + 1, 1).toString("base64");
    const policy = policyWith(saying("something"));
    expect(await refused([{ ...attestationOf(), evidence: long }], policy)).to.equal(
      "attestation.too-long: The evidence has 16385 bytes, more than 16384.",
    );
  });

  it("is of no key but one: any bit of the report data that differs is refused", async () => {
    const right = Buffer.from(reportDataOf(KEY).slice(2), "hex");
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 255 }), async (bit) => {
        const changed = Uint8Array.from(right);
        changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        const answer = {
          measurement: MEASUREMENT,
          reportData: hexlify(changed),
          platform: PLATFORM,
          validUntilSeconds: NOW + DAY,
        };
        const check = { key: KEY, policy: policyWith(saying(answer)), nowSeconds: NOW };
        const error = await errorOf(checkAttestation([attestationOf()], check));
        expect(error.code).to.equal("attestation.other-key");
      }),
      { numRuns: 256 },
    );
  });

  it("is of no other key, epoch, provider, chain or registry, whichever they are", () => {
    const account = fc.uint8Array({ minLength: 20, maxLength: 20 }).map((bytes) => hexlify(bytes));
    const keys = fc.record({
      chainId: fc.bigInt({ min: 0n, max: 2n ** 256n - 1n }),
      keyRegistry: account,
      provider: account,
      epoch: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
      publicKey: fc.uint8Array({ minLength: 33, maxLength: 33 }).map((bytes) => hexlify(bytes)),
    });
    fc.assert(
      fc.property(
        keys,
        fc.constantFrom(...(Object.keys(KEY) as (keyof AttestedKey)[])),
        keys,
        (one, field, two) => {
          fc.pre(one[field] !== two[field]);
          expect(reportDataOf({ ...one, [field]: two[field] })).not.to.equal(reportDataOf(one));
        },
      ),
    );
  });
});

describe("attestation: in a provider's document", () => {
  const cleanup = new Cleanup();
  after(() => cleanup.run());
  const signer = new Wallet(`0x${"42".repeat(32)}`);
  const domain = { chainId: 267n, registry: OTHER };

  async function signed(attestations: readonly Attestation[]): Promise<string> {
    return await signMetadata(documentOf(signer.address, { attestations }), { domain, signer });
  }

  it("is signed with it; platforms that nobody knows are read, documents without it stay as they were", async () => {
    const attestations = [attestationOf(), { ...attestationOf(), platform: "new-thing-9" }];
    const parsed = parseMetadata(await signed(attestations));
    expect(parsed.metadata.attestations).to.deep.equal(attestations);
    expect(signerOfMetadata(parsed, domain)).to.equal(signer.address);
    const changed = { ...parsed.metadata, attestations: [attestationOf()] };
    expect(signerOfMetadata({ ...parsed, metadata: changed }, domain)).not.to.equal(signer.address);

    const without = await signMetadata(documentOf(signer.address), { domain, signer });
    expect(without).not.to.include("attestations");
    expect(signerOfMetadata(parseMetadata(without), domain)).to.equal(signer.address);
  });

  it("has at most four, each of at most 16 KiB in plain base64", async () => {
    const evidence = randomBytes(MAX_EVIDENCE_BYTES).toString("base64");
    expect(
      parseMetadata(await signed([{ ...attestationOf(), evidence }])).metadata.attestations,
    ).to.have.length(1);
    const cases: [readonly Attestation[], string][] = [
      [Array.from({ length: 5 }, () => attestationOf()), "attestations has 5 entries, more than 4"],
      [
        [{ ...attestationOf(), evidence: randomBytes(MAX_EVIDENCE_BYTES + 1).toString("base64") }],
        "attestations[0].evidence is no base64 of at most 16384 bytes",
      ],
      [[{ ...attestationOf(), evidence: "YQ" }], "attestations[0].evidence is no base64"],
      [[{ ...attestationOf(), evidence: "" }], "attestations[0].evidence is no base64"],
      [[{ ...attestationOf(), platform: "a b" }], "attestations[0].platform is no word"],
      [[{ ...attestationOf(), keyEpoch: 0 }], "attestations[0].keyEpoch is no whole number from 1"],
    ];
    for (const [attestations, fault] of cases) {
      const error = await errorOf(signed(attestations));
      expect([error.code, error.message]).to.satisfy(
        ([code = "", message = ""]: string[]) => code === "metadata.invalid" && message.includes(fault),
        fault,
      );
    }
  });

  it("is taken into a node's folder for each document, if it is of the key that is in use", async () => {
    const directory = cleanup.directory();
    expect(await loadAttestations(directory)).to.equal(undefined);
    const source = join(cleanup.directory(), "evidence.json");
    const attestations = [attestationOf()];
    await writeFile(source, JSON.stringify({ schema: "neura/attestation/1", attestations }));
    const error = await errorOf(takeAttestations(source, { directory, keyEpoch: 4 }));
    expect([error.code, error.message]).to.deep.equal([
      "attestation.other-key",
      "The evidence of software is of key epoch 3, and the key is now epoch 4.",
    ]);
    expect(await loadAttestations(directory)).to.equal(undefined);
    await takeAttestations(source, { directory, keyEpoch: 3 });
    expect(await loadAttestations(directory)).to.deep.equal(attestations);

    await writeFile(source, JSON.stringify({ schema: "neura/attestation/1" }));
    const missing = await errorOf(takeAttestations(source, { directory, keyEpoch: 3 }));
    expect([missing.code, missing.message]).to.deep.equal([
      "attestation.invalid",
      `${source} has 1 faults: attestations is missing.`,
    ]);
    expect(await loadAttestations(directory)).to.deep.equal(attestations);
  });

  it("is called attested only where it was verified", () => {
    expect(attestationText(undefined)).to.equal("none claimed");
    expect(attestationText({ state: "claimed", platforms: ["tdx", "snp"] })).to.equal(
      "claims attestation (not checked): tdx, snp",
    );
    const verified = { platform: "tdx", measurement: MEASUREMENT, validUntilSeconds: NOW };
    expect(attestationText({ state: "verified", ...verified })).to.equal(
      "attested: tdx, until 2027-01-15T08:00:00Z",
    );
    expect(
      attestationText({ state: "refused", code: "attestation.expired", reason: "It is over." }),
    ).to.equal("not attested: It is over.");
  });
});

describe("attestation: a policy's file", () => {
  const cleanup = new Cleanup();
  after(() => cleanup.run());

  async function policyFile(content: unknown, modules: Record<string, string> = {}): Promise<string> {
    const directory = cleanup.directory();
    for (const [name, text] of Object.entries(modules)) await writeFile(join(directory, name), text);
    const path = join(directory, "policy.json");
    await writeFile(path, typeof content === "string" ? content : JSON.stringify(content));
    return path;
  }

  const entry = {
    platform: PLATFORM,
    verifier: "./verifier.mjs",
    measurements: [MEASUREMENT.toUpperCase().replace("X", "x")],
  };
  const schema = "neura/attestation-policy/1";

  it("names platforms, what may run there, and modules that verify", async () => {
    const example = pathToFileURL(join(import.meta.dirname, "../../examples/attestation.ts")).href;
    const module = `import { softwareVerifier } from "${example}";\nexport default softwareVerifier("${platform}");\n`;
    const path = await policyFile({ schema, platforms: [entry] }, { "verifier.mjs": module });
    const policy = await loadAttestationPolicy(path);
    const check = { key: KEY, policy, nowSeconds: NOW };
    expect(await checkAttestation([attestationOf()], check)).to.have.property("measurement", MEASUREMENT);
  });

  it("counts for nothing without its verifiers", async () => {
    const cases: [string, Record<string, string>, RegExp][] = [
      ["./verifier.mjs", {}, /verifier\.mjs cannot be loaded: /],
      ["@nobody/quotes", {}, /The verifier @nobody\/quotes cannot be loaded: .*@nobody\/quotes/],
      // An adapter without the package that does the work.
      [
        "./a.mjs",
        { "a.mjs": 'import "@phala/dcap-qvl-of-nobody";' },
        /a\.mjs cannot be loaded: .*dcap-qvl-of-nobody/,
      ],
      ["./b.mjs", { "b.mjs": "export const verify = () => ({});" }, /has no function `verify`/],
      ["./c.mjs", { "c.mjs": "export default { verify: true };" }, /has no function `verify`/],
    ];
    for (const [verifier, modules, message] of cases) {
      const path = await policyFile({ schema, platforms: [{ ...entry, verifier }] }, modules);
      const error = await errorOf(loadAttestationPolicy(path));
      expect(error.code).to.equal("attestation.no-verifier");
      expect(error.message).to.match(message);
    }
  });

  it("is refused with all of its faults", async () => {
    const cases: [unknown, string][] = [
      ["{", "is not JSON"],
      [{ schema, platforms: [] }, "names no platform"],
      [{ platforms: [entry] }, "schema is not neura/attestation-policy/1"],
      [{ schema, platforms: [entry, entry] }, "names a platform twice"],
      [{ schema, platforms: [{ ...entry, measurements: [] }] }, "platforms[0] names nothing that may run"],
      [{ schema, platforms: [{ ...entry, measurements: ["*"] }] }, 'platforms[0].measurements has "*"'],
      [{ schema, platforms: [{ ...entry, verifier: 1 }] }, "platforms[0].verifier is no module"],
      [{ schema, platforms: [{ ...entry, required: false }] }, "platforms[0].required is unknown"],
    ];
    for (const [content, fault] of cases) {
      const error = await errorOf(loadAttestationPolicy(await policyFile(content)));
      expect(error.code).to.equal("attestation.policy");
      expect(error.message).to.include(fault);
    }
    const error = await errorOf(loadAttestationPolicy(join(cleanup.directory(), "none.json")));
    expect(error.code).to.equal("attestation.policy");
  });
});
