import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import type { RequestListener } from "node:http";
import { join } from "node:path";
import { expect } from "chai";
import { JsonRpcProvider, Network, Wallet, ZeroAddress } from "ethers";

import type { Deployment } from "../../../src/deployment.ts";
import { type MarketContext, openMarket } from "../../../src/market/context.ts";
import { ageOf, fetchMetadata, MAX_AGE_SECONDS, readClaims } from "../../../src/market/metadata.ts";
import { type ProviderMetadata, signMetadata } from "../../../src/provider/metadata.ts";
import { openArweave } from "../../../src/storage/arweave.ts";
import { startGateway } from "../../../src/storage/gateway/gateway.ts";
import type { Storage } from "../../../src/storage/storage.ts";
import { documentOf } from "../provider/documents.ts";
import { Cleanup, errorOf, serve, testKey } from "../storage/support.ts";

const REGISTRY = "0x1111111111111111111111111111111111111111";
const CHAIN_ID = 267;
const provider = new Wallet(`0x${"41".repeat(32)}`);
const operator = new Wallet(`0x${"42".repeat(32)}`);
const stranger = new Wallet(`0x${"43".repeat(32)}`);

describe("what a provider says of itself", function () {
  this.timeout(60_000);
  const cleanup = new Cleanup();
  after(() => cleanup.run());

  function contextWith(change: { allowLoopback?: boolean; storage?: Storage } = {}): MarketContext {
    const { allowLoopback = true, storage } = change;
    const deployment: Deployment = {
      schema: "neura/deployment/1",
      chainId: CHAIN_ID,
      block: 0,
      contracts: contractsAt(REGISTRY),
      currency: { address: ZeroAddress, symbol: "ANKR", decimals: 18 },
    };
    // Nothing here asks the chain.
    const network = Network.from(CHAIN_ID);
    const runner = new JsonRpcProvider("http://127.0.0.1:1", network, { staticNetwork: network });
    cleanup.add(() => runner.destroy());
    const openStorage = (): Storage => {
      if (storage === undefined) throw new Error("no storage");
      return storage;
    };
    return openMarket({ runner, deployment, storage: openStorage, home: cleanup.directory(), allowLoopback });
  }

  async function signed(
    change: Partial<ProviderMetadata> = {},
    { signer = provider, chainId = CHAIN_ID }: { signer?: Wallet; chainId?: number } = {},
  ): Promise<string> {
    const domain = { chainId: BigInt(chainId), registry: REGISTRY };
    return await signMetadata(documentOf(provider.address, change), { domain, signer });
  }

  async function served(answer: string | RequestListener): Promise<{ uri: string; requests: () => number }> {
    let requests = 0;
    const url = await serve(cleanup, (request, response) => {
      requests += 1;
      if (typeof answer === "string") response.end(answer);
      else answer(request, response);
    });
    return { uri: `${url}/metadata`, requests: () => requests };
  }

  function source(uri: string): { account: string; operator: string; uri: string } {
    return { account: provider.address, operator: operator.address, uri };
  }

  it("counts when the provider or its operator has signed it", async () => {
    for (const signer of [provider, operator]) {
      const { uri } = await served(await signed({}, { signer }));
      const { document, reason } = await readClaims(contextWith(), source(uri));
      expect(document?.account).to.equal(provider.address);
      expect(reason).to.equal("its document is 0 s old");
    }
  });

  it("counts for nothing otherwise, and the reason is said", async () => {
    const old = new Date(Date.now() - (MAX_AGE_SECONDS + 60) * 1000).toISOString();
    const ahead = new Date(Date.now() + 3_600_000).toISOString();
    const cases: [string, string | RequestListener, RegExp][] = [
      [
        "metadata.wrong-signer",
        await signed({}, { signer: stranger }),
        /signed by 0x[0-9a-fA-F]{40}, which is neither/,
      ],
      ["metadata.wrong-signer", await signed({}, { chainId: 1 }), /or is meant for another chain/],
      ["metadata.wrong-account", await signed({ account: stranger.address }), /is about 0x/],
      ["metadata.stale", await signed({ issuedAt: old }), /is 30 days old/],
      ["metadata.stale", await signed({ issuedAt: ahead }), /dated in the future/],
      ["metadata.invalid", "<html>", /it is not JSON/],
      ["metadata.unavailable", (_, response) => void response.writeHead(500).end(), /answers 500/],
      [
        "metadata.unavailable",
        (_, response) => void response.end("x".repeat(70_000)),
        /more than 65536 bytes/,
      ],
      ["metadata.unavailable", (request) => void request.socket.destroy(), /cannot be fetched/],
      [
        "metadata.unavailable",
        (_, response) => void response.writeHead(302, { location: "http://169.254.169.254/" }).end(),
        /redirects to http:\/\/169\.254\.169\.254/,
      ],
    ];
    for (const [code, answer, message] of cases) {
      const { uri } = await served(answer);
      const context = contextWith();
      const error = await errorOf(fetchMetadata(context, source(uri)));
      expect([error.code, error.message], code).to.satisfy(
        ([found = "", text = ""]: string[]) => found === code && message.test(text),
      );
      const claims = await readClaims(context, source(uri));
      expect(claims.document).to.equal(undefined);
      expect(claims.reason).to.match(message);
    }
    expect((await readClaims(contextWith(), source(""))).reason).to.equal(
      "it names no document about itself",
    );
  });

  it("is not asked for inside a private network, nor on this machine unless that is allowed", async () => {
    const { uri, requests } = await served(await signed());
    for (const [address, context] of [
      [uri, contextWith({ allowLoopback: false })],
      [uri.replace("127.0.0.1", "localhost").replace("http:", "https:"), contextWith()],
      ["https://169.254.169.254/latest", contextWith()],
      ["data:application/json;base64,e30=", contextWith()],
      ["file:///etc/passwd", contextWith()],
    ] as const) {
      const { document, reason } = await readClaims(context, source(address));
      expect(document, address).to.equal(undefined);
      expect(reason, address).to.match(/is no address of a public server|is not public/);
    }
    expect(requests()).to.equal(0);
  });

  it("gives up on a server that never answers, and at once when its caller does", async () => {
    const { uri } = await served(() => undefined);
    const signal = AbortSignal.timeout(50);
    const error: unknown = await readClaims(contextWith(), source(uri), { signal }).catch(
      (thrown: unknown) => thrown,
    );
    expect(error).to.have.property("name", "TimeoutError");
  });

  it("is not asked for again within half a minute, and checked each time", async () => {
    const context = contextWith();
    const { uri, requests } = await served(await signed());
    const nowMs = Date.now();
    await fetchMetadata(context, source(uri), { nowMs });
    await fetchMetadata(context, source(uri), { nowMs: nowMs + 29_000 });
    expect(requests()).to.equal(1);
    const moved = { ...source(uri), account: stranger.address };
    expect(await errorOf(fetchMetadata(context, moved, { nowMs }))).to.have.property(
      "code",
      "metadata.wrong-account",
    );
    await fetchMetadata(context, source(uri), { nowMs: nowMs + 31_000 });
    expect(requests()).to.equal(2);
  });

  it("is fetched again where the cache was changed", async () => {
    const context = contextWith();
    const { uri, requests } = await served(await signed());
    await fetchMetadata(context, source(uri));
    const directory = join(context.home, "cache", "metadata");
    const [name = ""] = readdirSync(directory);
    const path = join(directory, name);
    writeFileSync(path, readFileSync(path, "utf8").replace("eu-west", "us-east"));
    expect((await fetchMetadata(context, source(uri))).machine.region).to.equal("eu-west");
    expect(requests()).to.equal(2);
  });

  it("is read from Arweave, once and for all", async () => {
    const gateway = await startGateway({ directory: cleanup.directory(), blockSeconds: 0.1 });
    cleanup.add(() => gateway.close());
    const storage = openArweave({ gateways: [gateway.url], key: await testKey(), pauseSeconds: 0.05 });
    const stored = await storage.put(new TextEncoder().encode(await signed()));
    await storage.readBack(stored);
    const context = contextWith({ storage });
    expect((await fetchMetadata(context, source(stored.uri))).account).to.equal(provider.address);
    await gateway.close();
    const later = Date.now() + 86_400_000;
    expect((await fetchMetadata(context, source(stored.uri), { nowMs: later })).account).to.equal(
      provider.address,
    );
  });

  it("has an age in words", () => {
    const ago = (seconds: number): string => ageOf(new Date(1e12 - seconds * 1000).toISOString(), 1e12);
    expect([0, 119, 120, 7_199, 7_200, 172_800].map(ago)).to.deep.equal([
      "0 s",
      "119 s",
      "2 min",
      "120 min",
      "2 h",
      "2 days",
    ]);
    expect(ago(-5)).to.equal("0 s");
  });
});

/** All contracts at one address: only the registry's matters here. */
function contractsAt(address: string): Deployment["contracts"] {
  const contracts: unknown = new Proxy({}, { get: () => address });
  return contracts as Deployment["contracts"];
}
