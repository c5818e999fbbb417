import { readdirSync } from "node:fs";

import { expect } from "chai";
import { computeAddress, SigningKey } from "ethers";

import { attest, PLATFORM, softwareVerifier, submitAttested } from "../../../examples/attestation.ts";
import { type AttestationPolicy, type AttestedKey, MAX_VALIDITY_SECONDS } from "../../../src/attestation.ts";
import type { NeuraError } from "../../../src/errors.ts";
import type { StoredKey } from "../../../src/keystore.ts";
import { readAttestation } from "../../../src/market/attested.ts";
import { MarketClient } from "../../../src/market/client.ts";
import { type MarketContext, openMarket } from "../../../src/market/context.ts";
import type { TaskRequest } from "../../../src/market/prepare.ts";
import { checkMirrorable } from "../../../src/mirror/mirror.ts";
import { type Attestation, signMetadata } from "../../../src/provider/metadata.ts";
import type { Storage } from "../../../src/storage/storage.ts";
import { KeyRegistry__factory, TaskMarket__factory } from "../../../types/index.ts";
import { documentOf } from "../provider/documents.ts";
import { Cleanup, errorOf, serve } from "../storage/support.ts";
import { type Account, createWorld, deliverResult, fileIn, RATE_WEI, type World } from "./support.ts";

const DAY = 24 * 3600;
const MEASUREMENT = `0x${"a1".repeat(32)}`;
const platformKey = new SigningKey(`0x${"51".repeat(32)}`);
const platform = computeAddress(platformKey);
const OTHER = "0x3333333333333333333333333333333333333333";

/** How a provider's evidence differs from what it should be. */
type Change = Partial<AttestedKey> & { validForSeconds?: number; claimed?: Partial<Attestation> };

describe("market: keys that are attested", () => {
  const cleanup = new Cleanup();
  let world: World;
  let one: { account: Account; key: StoredKey };
  let two: { account: Account; key: StoredKey };
  let restore: () => Promise<void>;
  let home: string;
  let uploads: number;
  /** What each provider's server answers. */
  const documents = new Map<string, string>();
  let serverUrl: string;

  before(async () => {
    world = await createWorld(cleanup);
    serverUrl = await serve(cleanup, (request, response) => response.end(documents.get(request.url ?? "")));
    const [first, second] = world.others;
    if (first === undefined || second === undefined) throw new Error("no accounts");
    one = { account: first, key: await world.register(first, { metadata: `${serverUrl}/one` }) };
    two = {
      account: second,
      key: await world.register(second, { metadata: `${serverUrl}/two`, rateWei: RATE_WEI / 2n }),
    };
    const snapshot = await world.connection.networkHelpers.takeSnapshot();
    restore = () => snapshot.restore();
  });
  after(() => cleanup.run());
  beforeEach(() => {
    home = cleanup.directory();
    uploads = 0;
    documents.clear();
  });
  afterEach(() => restore());

  function keyOf({ account, key }: typeof one): AttestedKey {
    const { chainId, contracts } = world.deployment;
    const publicKey = `0x${Buffer.from(key.publicKey).toString("hex")}`;
    const registry = contracts.KeyRegistry;
    return {
      chainId: BigInt(chainId),
      keyRegistry: registry,
      provider: account.address,
      epoch: 1,
      publicKey,
    };
  }

  function evidenceOf(provider: typeof one, change: Change = {}): Attestation {
    const { validForSeconds = DAY, claimed = {}, ...key } = change;
    const attested = { ...keyOf(provider), ...key };
    const validUntilSeconds = Math.floor(Date.now() / 1000) + validForSeconds;
    const evidence = attest(platformKey, { ...attested, measurement: MEASUREMENT, validUntilSeconds });
    return { platform: PLATFORM, keyEpoch: attested.epoch, evidence, ...claimed };
  }

  async function describes(provider: typeof one, attestations?: readonly Attestation[]): Promise<void> {
    const { account } = provider;
    const { chainId, contracts } = world.deployment;
    const domain = { chainId: BigInt(chainId), registry: contracts.ProviderRegistry };
    const document = documentOf(account.address, attestations === undefined ? {} : { attestations });
    const text = await signMetadata(document, { domain, signer: account });
    documents.set(provider === one ? "/one" : "/two", text);
  }

  /** The world's storage, with what is stored counted. */
  function counting(): Storage {
    const { storage } = world;
    return {
      scheme: storage.scheme,
      put: async (...args) => {
        uploads += 1;
        return await storage.put(...args);
      },
      get: (...args) => storage.get(...args),
      status: async (...args) => await storage.status(...args),
      price: async (...args) => await storage.price(...args),
      readBack: async (...args) => await storage.readBack(...args),
    };
  }

  function options() {
    const { deployment, owner: runner } = world;
    return { runner, deployment, storage: counting, home, allowLoopback: true };
  }

  const client = (): MarketClient => new MarketClient(options());
  const context = (): MarketContext => openMarket(options());

  function policyWith({
    measurements = [MEASUREMENT],
    verifier = softwareVerifier(platform),
    name = PLATFORM,
  } = {}): AttestationPolicy {
    return { platforms: [{ platform: name, verifier, measurements }] };
  }

  async function request(more: Partial<TaskRequest> = {}): Promise<TaskRequest> {
    const file = await fileIn(cleanup.directory(), "scan.png", "a picture");
    return {
      source: { files: [file] },
      application: "ocr",
      durationSeconds: 60,
      provider: one.account.address,
      attestation: policyWith(),
      ...more,
    };
  }

  /** Nothing was encrypted, stored or paid. */
  async function expectNothing(what: string): Promise<void> {
    expect(uploads, what).to.equal(0);
    const left = readdirSync(home, { recursive: true }).map(String);
    expect(
      left.filter((name) => name.includes("envelope")),
      what,
    ).to.deep.equal([]);
    const market = TaskMarket__factory.connect(
      world.deployment.contracts.TaskMarket,
      world.connection.ethers.provider,
    );
    const { owner } = world;
    expect(
      await market.queryFilter(market.filters.TaskSubmitted(undefined, owner.address), 0),
      what,
    ).to.have.length(0);
  }

  async function refused(more: Partial<TaskRequest> = {}, what = ""): Promise<NeuraError> {
    const error = await errorOf(client().submit(await request(more)));
    expect(error.next, what).to.be.a("string");
    await expectNothing(what);
    return error;
  }

  it("are encrypted to, and the work comes back", async () => {
    await describes(one, [{ ...evidenceOf(one), platform: "unheard-of" }, evidenceOf(one)]);
    const prepared = await client().prepare(await request());
    expect(prepared.provider?.attestation).to.include({ state: "verified", platform: PLATFORM });
    const task = await submitAttested({
      owner: client(),
      request: await request(),
      platform,
      measurement: MEASUREMENT,
    });
    expect(uploads).to.equal(1);
    const { input } = await deliverResult(world, task, one, { secondsUsed: 1 });
    expect(Buffer.from(input).includes("a picture")).to.equal(true);
  });

  it("are refused before anything moves when their evidence is not of them", async () => {
    const other = new SigningKey(`0x${"53".repeat(32)}`).compressedPublicKey;
    const cases: [string, readonly Attestation[] | undefined, string][] = [
      ["no evidence", undefined, "attestation.missing"],
      ["another key", [evidenceOf(one, { publicKey: other })], "attestation.other-key"],
      ["another epoch", [evidenceOf(one, { epoch: 2 })], "attestation.other-key"],
      [
        "an epoch that is only claimed",
        [evidenceOf(one, { epoch: 2, claimed: { keyEpoch: 1 } })],
        "attestation.other-key",
      ],
      ["another provider's, replayed", [evidenceOf(two)], "attestation.other-key"],
      ["another chain", [evidenceOf(one, { chainId: 1n })], "attestation.other-key"],
      ["another registry", [evidenceOf(one, { keyRegistry: OTHER })], "attestation.other-key"],
      ["expired", [evidenceOf(one, { validForSeconds: -1 })], "attestation.expired"],
      [
        "for too long",
        [evidenceOf(one, { validForSeconds: MAX_VALIDITY_SECONDS + 60 })],
        "attestation.valid-too-long",
      ],
      [
        "another platform",
        [evidenceOf(one, { claimed: { platform: "unheard-of" } })],
        "attestation.platform",
      ],
      ["junk", [evidenceOf(one, { claimed: { evidence: "anVuaw==" } })], "attestation.not-verified"],
    ];
    for (const [what, attestations, code] of cases) {
      home = cleanup.directory();
      await describes(one, attestations);
      expect((await refused({}, what)).code, what).to.equal(code);
    }
  });

  it("are refused when the document does not count, or has more than it may", async () => {
    expect((await refused()).message).to.equal(
      `${one.account.address} is not attested: Its document cannot be used: it is not JSON.`,
    );
    home = cleanup.directory();
    await describes(one, [evidenceOf(one)]);
    const long = Buffer.alloc(16 * 1024 + 1, 1).toString("base64");
    const text = documents.get("/one") ?? "";
    documents.set("/one", text.replace(/"evidence": ".*"/, `"evidence": "${long}"`));
    const error = await refused();
    expect(error.code).to.equal("attestation.missing");
    expect(error.message).to.include("attestations[0].evidence is no base64 of at most 16384 bytes");
    home = cleanup.directory();
    // Nobody signed this.
    documents.set("/one", text.replace('"keyEpoch": 1', '"keyEpoch": 2'));
    expect((await refused()).message).to.include("which is neither the provider nor its operator");
  });

  it("are refused by the owner's own measurements, platforms and verifiers", async () => {
    await describes(one, [evidenceOf(one)]);
    const thrower = { verify: async () => await Promise.reject(new Error("the vendor is down")) };
    const liar = {
      verify: async () =>
        await Promise.resolve({
          measurement: MEASUREMENT,
          reportData: `0x${"00".repeat(32)}`,
          platform: PLATFORM,
          validUntilSeconds: Math.floor(Date.now() / 1000) + DAY,
        }),
    };
    const cases: [AttestationPolicy, string][] = [
      [policyWith({ measurements: [`0x${"b2".repeat(32)}`] }), "attestation.measurement"],
      [policyWith({ measurements: [] }), "attestation.measurement"],
      [policyWith({ name: "tdx" }), "attestation.platform"],
      [{ platforms: [] }, "attestation.platform"],
      [policyWith({ verifier: softwareVerifier(OTHER) }), "attestation.not-verified"],
      [policyWith({ verifier: thrower }), "attestation.not-verified"],
      [policyWith({ verifier: liar }), "attestation.other-key"],
    ];
    for (const [attestation, code] of cases) {
      expect((await refused({ attestation }, code)).code).to.equal(code);
    }
  });

  it("are refused when they were rotated or revoked between choice and encryption", async () => {
    await describes(one, [evidenceOf(one)]);
    const keys = KeyRegistry__factory.connect(world.deployment.contracts.KeyRegistry, one.account);
    const snapshot = await world.connection.networkHelpers.takeSnapshot();
    const prepared = await client().prepare(await request());
    const key = await world.publish(one.account);
    for (const work of ["submit", "sign"] as const) {
      const error = await errorOf(client()[work](prepared));
      expect(error.code).to.equal("attestation.other-key");
      expect(error.message).to.match(/ has a new key, epoch 2 \(0x/);
      await expectNothing("rotated");
    }
    // Nor is the new one taken with the old one's evidence; with its own it is.
    expect((await refused()).message)
      .to.include("key epoch 1 of")
      .and.to.include("is now epoch 2");
    home = cleanup.directory();
    await describes(one, [evidenceOf(one), evidenceOf({ ...one, key }, { epoch: 2 })]);
    expect((await client().prepare(await request())).provider?.key.epoch).to.equal(2);

    await snapshot.restore();
    const again = await client().prepare(await request());
    await keys.revoke(1);
    expect((await errorOf(client().submit(again))).code).to.equal("key.not-published");
    await expectNothing("revoked");
  });

  it("decide who is chosen, and count for backups and shortlists too", async () => {
    await describes(one, [evidenceOf(one)]);
    await describes(two);
    const { provider, ...open } = await request();
    const [cheapest] = (await client().prepare({ ...open, attestation: undefined })).considered;
    expect(cheapest?.account).to.equal(two.account.address);
    const prepared = await client().prepare(open);
    expect(prepared.provider?.account).to.equal(provider);
    const out = prepared.considered.find(({ account }) => account === two.account.address);
    expect(out).to.deep.include({ eligible: false, rank: 0 });
    expect(out?.reason).to.equal(
      `attestation: needs software, offers ${two.account.address} is not attested: its document has no evidence`,
    );
    expect((await refused({ backup: two.account.address })).code).to.equal("attestation.missing");
    const toMany = {
      provider: undefined,
      collateralWei: 1n,
      price: { amountWei: 60n * RATE_WEI, maximumWei: 61n * RATE_WEI, metered: false },
    };
    const shortlist = [one.account.address, two.account.address];
    expect((await refused({ ...toMany, open: { shortlist } })).code).to.equal("attestation.missing");
    const { readers } = await client().prepare(await request({ ...toMany, open: {} }));
    expect(readers.map(({ account }) => account)).to.deep.equal([one.account.address]);
    const error = await refused({ provider: undefined, attestation: { platforms: [] } });
    expect(error.code).to.equal("provider.none");
  });

  it("go with no sealed task and no mirror, and disputes are warned of", async () => {
    await describes(one, [evidenceOf(one)]);
    const price = { amountWei: 60n * RATE_WEI, maximumWei: 61n * RATE_WEI, metered: false };
    const sealed = { provider: undefined, collateralWei: 1n, price, open: { isSealed: true } };
    expect((await refused(sealed)).code).to.equal("task.unfit-features");
    const prepared = await client().prepare(await request());
    expect(() => checkMirrorable(prepared)).to.throw("it is for attested machines");
    expect(() => checkMirrorable({ ...prepared, attestation: undefined })).not.to.throw();
  });

  it("are only called attested where this client has verified it", async () => {
    await describes(one, [evidenceOf(one)]);
    await describes(two);
    const [first, second] = [one.account.address, two.account.address];
    expect(await readAttestation(context(), first)).to.deep.equal({
      state: "claimed",
      platforms: [PLATFORM],
    });
    expect(await readAttestation(context(), second)).to.equal(undefined);
    const policy = policyWith();
    expect(await readAttestation(context(), first, { policy })).to.include({ state: "verified" });
    expect(await readAttestation(context(), second, { policy })).to.include({
      state: "refused",
      code: "attestation.missing",
    });
    const query = { resources: documentOf(first).capacity.shape, durationSeconds: 60, collateralWei: 0n };
    const states = async (attestation?: AttestationPolicy) =>
      (await client().findProviders({ ...query, attestation })).map((each) => [
        each.account,
        each.attestation?.state,
      ]);
    expect(await states()).to.have.deep.members([
      [first, "claimed"],
      [second, undefined],
    ]);
    expect(await states(policy)).to.deep.equal([
      [first, "verified"],
      [second, "refused"],
    ]);
  });
});
