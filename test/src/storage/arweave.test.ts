import { expect } from "chai";
import fc from "fast-check";
import { spawn } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { truncate } from "node:fs/promises";
import type http from "node:http";
import { join } from "node:path";
import { inspect } from "node:util";
import * as merkle from "arweave/node/lib/merkle.js";
import type { JWKInterface } from "arweave/node/lib/wallet.js";
import { NeuraError } from "../../../src/errors.ts";
import { Secret } from "../../../src/secret.ts";
import { openArweave, type ArweaveOptions } from "../../../src/storage/arweave.ts";
import {
  addressOf,
  cutChunks,
  faultOf,
  parseHeader,
  TreeBuilder,
} from "../../../src/storage/arweave/format.ts";
import { parseArweaveKey } from "../../../src/storage/arweave/key.ts";
import { startGateway, type Gateway } from "../../../src/storage/gateway/gateway.ts";
import { openStorage, storageConfigFrom } from "../../../src/storage/open.ts";
import type { Progress, Source, Storage } from "../../../src/storage/storage.ts";
import { arweaveAt, Cleanup, collect, errorOf, KiB, MiB, proxy, random, serve, testKey } from "./support.ts";

const SIZES = [1, 256 * KiB - 1, 256 * KiB, 256 * KiB + 1, 288 * KiB - 1, 288 * KiB, 300 * KiB, 3 * MiB + 7];
const NO_SUCH_ID = "A".repeat(43);

describe("storage/arweave", function () {
  this.timeout(60_000);
  const cleanup = new Cleanup();
  let directory: string;
  let gateway: Gateway;

  before(async () => {
    await testKey();
  });

  beforeEach(async () => {
    directory = cleanup.directory();
    await restart();
  });

  afterEach(() => cleanup.run());

  async function storageAt(gateways: string[], options: Partial<ArweaveOptions> = {}): Promise<Storage> {
    const spoolDirectory = cleanup.directory();
    return openArweave({ gateways, key: await testKey(), pauseSeconds: 0.01, spoolDirectory, ...options });
  }

  async function restart(): Promise<void> {
    const started = await startGateway({ directory, blockSeconds: 0 });
    cleanup.add(() => started.close()); // this one, whichever `gateway` is by then
    gateway = started;
  }

  describe("stores and gets back", () => {
    for (const size of SIZES) {
      it(`${size} bytes, which arweave-js reads too`, async () => {
        const storage = await storageAt([gateway.url]);
        const data = random(size);
        const stored = await storage.put(data, { contentType: "text/plain", tags: { Purpose: "test" } });
        expect(stored).to.deep.include({ sizeBytes: size, costAtomic: 0n, gateway: gateway.url });
        expect(stored.account).to.equal(addressOf((await testKey()).reveal().n));
        expect(stored.uri).to.match(/^ar:\/\/[\w-]{43}$/);
        expect(await storage.status(stored.uri)).to.deep.equal({ state: "pending", confirmations: 0 });
        gateway.mine();
        expect(await storage.status(stored.uri)).to.deep.equal({
          state: "confirmed",
          confirmations: 1,
          sizeBytes: size,
        });

        expect((await collect(storage.get(stored.uri, { maxBytes: size }))).equals(data)).to.be.true;

        const client = arweaveAt(gateway.url);
        const id = stored.uri.slice("ar://".length);
        const read = await client.transactions.getData(id, { decode: true });
        expect(Buffer.from(read as Uint8Array).equals(data)).to.be.true;
        const header = await client.transactions.get(id);
        expect(header.tags.map((tag) => Buffer.from(tag.value, "base64url").toString())).to.deep.equal([
          "text/plain",
          "test",
        ]);
      });
    }

    it("a file, bytes and a stream alike, and reports progress", async () => {
      const data = random(700 * KiB);
      const path = join(cleanup.directory(), "payload");
      writeFileSync(path, data);
      async function* stream(): AsyncGenerator<Uint8Array> {
        for (let at = 0; at < data.length; at += 1000)
          yield await Promise.resolve(data.subarray(at, at + 1000));
      }
      for (const source of [path, data, stream] satisfies Source[]) {
        const storage = await storageAt([gateway.url]);
        const seen: Progress[] = [];
        const onProgress = (progress: Progress): unknown => seen.push(progress);
        const stored = await storage.put(source, { onProgress });
        gateway.mine();
        expect((await collect(storage.get(stored.uri, { maxBytes: MiB, onProgress }))).equals(data)).to.be
          .true;
        for (const phase of ["hash", "upload", "download"]) {
          expect(seen.filter((each) => each.phase === phase).at(-1)?.doneBytes).to.equal(data.length);
        }
      }
    });

    it("with the data root of arweave-js for any size and any cutting of the stream", async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.oneof(
            fc.integer({ min: 1, max: 900 * KiB }),
            fc.integer({ min: -40 * KiB, max: 40 * KiB }).map((distance) => 512 * KiB + distance),
          ),
          fc.integer({ min: 1, max: 400 * KiB }),
          async (size, pieceSize) => {
            const data = Buffer.alloc(size, 7);
            async function* pieces(): AsyncGenerator<Uint8Array> {
              for (let at = 0; at < size; at += pieceSize) {
                yield await Promise.resolve(data.subarray(at, at + pieceSize));
              }
            }
            const builder = new TreeBuilder();
            for await (const chunk of cutChunks(pieces())) builder.add(chunk);
            const tree = await builder.build();
            const expected = await merkle.generateTransactionChunks(data);
            expect(tree.root).to.equal(Buffer.from(expected.data_root).toString("base64url"));
            expect(tree.chunks.map(({ proof }) => Buffer.from(proof).toString("hex"))).to.deep.equal(
              expected.proofs.map(({ proof }) => Buffer.from(proof).toString("hex")),
            );
          },
        ),
        { numRuns: 60 },
      );
    });

    it("four uploads of 5 MB at once, each whole", async () => {
      const storage = await storageAt([gateway.url]);
      const data = Array.from({ length: 4 }, () => random(5_000_000));
      const stored = await Promise.all(data.map((bytes) => storage.put(bytes)));
      gateway.mine();
      const read = await Promise.all(
        stored.map(({ uri }) => collect(storage.get(uri, { maxBytes: 5_000_000 }))),
      );
      read.forEach((bytes, index) => expect(bytes.equals(data[index]!)).to.be.true);
    });

    it("leaves no spooled file behind, also when the reader stops early", async () => {
      const spoolDirectory = cleanup.directory();
      const storage = await storageAt([gateway.url], { spoolDirectory });
      const { uri } = await storage.put(random(MiB));
      gateway.mine();
      for await (const piece of storage.get(uri, { maxBytes: MiB })) {
        expect(piece.length).to.be.greaterThan(0);
        expect(readdirSync(spoolDirectory)).to.deep.equal([]);
        break;
      }
      expect(readdirSync(spoolDirectory)).to.deep.equal([]);
    });
  });

  it("keeps a download in the folder that the caller names, else in the storage's", async () => {
    const storage = await storageAt([gateway.url], { spoolDirectory: join(directory, "missing") });
    const data = random(9);
    const { uri } = await storage.put(data);
    gateway.mine();
    const spoolDirectory = cleanup.directory();
    expect((await collect(storage.get(uri, { maxBytes: 9, spoolDirectory }))).equals(data)).to.be.true;
    const error: unknown = await collect(storage.get(uri, { maxBytes: 9 })).catch(
      (reason: unknown) => reason,
    );
    expect(error).to.have.property("code", "ENOENT");
  });

  describe("refuses", () => {
    it("an empty source", async () => {
      const storage = await storageAt([gateway.url]);
      expect((await errorOf(storage.put(new Uint8Array()))).code).to.equal("storage.empty");
    });

    it("to store without a wallet, but reads", async () => {
      const { uri } = await (await storageAt([gateway.url])).put(random(9));
      gateway.mine();
      const reader = openArweave({ gateways: [gateway.url] });
      expect((await errorOf(reader.put(random(9)))).code).to.equal("storage.no-account");
      expect(await collect(reader.get(uri, { maxBytes: 9 }))).to.have.length(9);
    });

    it("an unknown reference, a pending one, and one whose data is not there", async () => {
      const storage = await storageAt([gateway.url]);
      const missing = storage.get(`ar://${NO_SUCH_ID}`, { maxBytes: 1 });
      expect((await errorOf(collect(missing))).code).to.equal("storage.not-found");
      expect((await storage.status(`ar://${NO_SUCH_ID}`)).state).to.equal("unknown");

      const { uri } = await storage.put(random(9));
      expect((await errorOf(collect(storage.get(uri, { maxBytes: 9 })))).code).to.equal("storage.pending");

      const jwk = (await testKey()).reveal();
      const client = arweaveAt(gateway.url);
      const data = random(600 * KiB);
      const transaction = await client.createTransaction({ data }, jwk);
      await client.transactions.sign(transaction, jwk);
      await (await client.transactions.getUploader(transaction)).uploadChunk();
      gateway.mine();
      const partial = storage.get(`ar://${transaction.id}`, { maxBytes: MiB });
      expect((await errorOf(collect(partial))).code).to.equal("storage.pending");
    });

    it("N03_ more bytes than the caller takes, before any of them is fetched", async () => {
      let fetches = 0;
      const watched = await proxy(
        cleanup,
        () => gateway.url,
        ({ url }) => {
          if (/^\/[\w-]{43}$/.test(url ?? "")) fetches++;
          return false;
        },
      );
      const storage = await storageAt([watched]);
      const { uri } = await storage.put(random(1000));
      gateway.mine();
      const error = await errorOf(collect(storage.get(uri, { maxBytes: 999 })));
      expect(error.code).to.equal("storage.too-large");
      expect(error.details).to.deep.equal({ sizeBytes: 1000, maxBytes: 999 });
      expect(fetches).to.equal(0);
    });

    for (const reference of [
      "http://169.254.169.254/latest/meta-data/",
      "file:///etc/passwd",
      "ar://169.254.169.254/aaaaaaaaaaaaaaaaaaaaaaaaaaaa",
      `ar://../../wallet/${"A".repeat(30)}`,
      `ar://${"A".repeat(42)}/`,
      `ar://${"A".repeat(42)}?`,
      `ar://${"A".repeat(42)}B`, // not the canonical spelling of any 32 bytes
      `ar://${"A".repeat(44)}`,
      `ar://${"A".repeat(43)}\n`,
      `AR://${"A".repeat(43)}`,
      "ar://",
      "",
    ]) {
      it(`N19_ the reference ${JSON.stringify(reference)}, without asking any server`, async () => {
        let requests = 0;
        const url = await serve(cleanup, (_, response) => {
          requests++;
          response.end();
        });
        const storage = await storageAt([url]);
        const bytes = collect(storage.get(reference, { maxBytes: 1 }));
        expect((await errorOf(bytes)).code).to.equal("storage.bad-reference");
        expect((await errorOf(storage.status(reference))).code).to.equal("storage.bad-reference");
        expect(requests).to.equal(0);
      });
    }
  });

  describe("does not trust a gateway", () => {
    const data = random(700 * KiB);
    let uri: string;
    let other: string;

    interface Attack {
      name: string;
      code: string;
      /** Answers the request for the data, or `false`. */
      data?: (response: http.ServerResponse) => void;
      /** Changes the header of the transaction. */
      header?: (header: Record<string, unknown>) => unknown;
    }

    const attacks: Attack[] = [
      { name: "N05_ a flipped byte", code: "storage.mismatch", data: (to) => to.end(flip(data, 400_000)) },
      { name: "N05_ an empty answer", code: "storage.mismatch", data: (to) => to.end() },
      {
        name: "N05_ a page of HTML",
        code: "storage.mismatch",
        data: (to) => to.setHeader("Content-Type", "text/html").end("<html>Welcome</html>"),
      },
      {
        name: "N05_ a body that is cut off",
        code: "storage.unavailable",
        data: (to) => {
          to.setHeader("Content-Length", data.length);
          to.write(data.subarray(0, 300_000), () => to.destroy());
        },
      },
      {
        name: "N05_ a body that is too short without saying so",
        code: "storage.mismatch",
        data: (to) => {
          to.write(data.subarray(0, data.length - 1));
          to.end();
        },
      },
      {
        name: "N05_ a server's fault",
        code: "storage.unavailable",
        data: (to) => to.writeHead(500).end("oops"),
      },
      {
        name: "N05_ another transaction's header (stale)",
        code: "storage.mismatch",
        header: (header) => ({ ...header, id: other.slice("ar://".length) }),
      },
      {
        name: "N05_ a header whose signature is another's",
        code: "storage.mismatch",
        header: (header) => ({ ...header, signature: random(512).toString("base64url") }),
      },
      {
        name: "N05_ a header with another data root",
        code: "storage.mismatch",
        header: (header) => ({ ...header, data_root: random(32).toString("base64url") }),
      },
      {
        name: "N05_ a header with another size",
        code: "storage.mismatch",
        header: (header) => ({ ...header, data_size: String(data.length - 1) }),
      },
      {
        name: "N05_ a header with another owner",
        code: "storage.mismatch",
        header: (header) => ({ ...header, owner: random(512).toString("base64url") }),
      },
      {
        name: "N05_ a header with a short key, as who forges a signature would choose",
        code: "storage.mismatch",
        header: (header) => ({ ...header, owner: random(40).toString("base64url") }),
      },
      {
        name: "N05_ a header with a short key behind zeros",
        code: "storage.mismatch",
        header: (header) => ({
          ...header,
          owner: Buffer.concat([Buffer.alloc(472), random(40)]).toString("base64url"),
        }),
      },
      {
        name: "N05_ a header of another format",
        code: "storage.mismatch",
        header: (header) => ({ ...header, format: 1 }),
      },
      { name: "N05_ a header that is not one", code: "storage.mismatch", header: () => "<html>" },
      {
        name: "N03_ an endless body",
        code: "storage.mismatch",
        data: (to) => {
          const block = random(64 * KiB);
          const more = (): void => {
            while (!to.destroyed && to.write(block));
            if (!to.destroyed) to.once("drain", more);
          };
          more();
        },
      },
      {
        name: "N03_ more than it announced",
        code: "storage.mismatch",
        data: (to) => {
          to.end(Buffer.concat([data, random(1)]));
        },
      },
      {
        name: "N03_ a lying Content-Length",
        code: "storage.mismatch",
        data: (to) => to.setHeader("Content-Length", 2 ** 40).write("x"),
      },
      {
        name: "N03_ one byte at a time (slow-loris)",
        code: "storage.timeout",
        data: (to) => {
          const timer = setInterval(() => to.write("x"), 30);
          to.once("close", () => clearInterval(timer));
        },
      },
      { name: "N03_ silence", code: "storage.timeout", data: () => undefined },
      {
        name: "N03_ a redirect to itself, for ever",
        code: "storage.unavailable",
        data: (to) => to.writeHead(302, { Location: uri.slice("ar:/".length) }).end(),
      },
      {
        name: "N03_ an endless header",
        code: "storage.mismatch",
        header: () => "[".repeat(2 * MiB),
      },
      {
        name: "N19_ a redirect to another host",
        code: "storage.unavailable",
        data: (to) => to.writeHead(302, { Location: "http://169.254.169.254/latest/meta-data/" }).end(),
      },
      {
        name: "N19_ a redirect to a file",
        code: "storage.unavailable",
        data: (to) => to.writeHead(302, { Location: "file:///etc/passwd" }).end(),
      },
    ];

    beforeEach(async () => {
      const storage = await storageAt([gateway.url]);
      ({ uri } = await storage.put(data));
      ({ uri: other } = await storage.put(random(10)));
      gateway.mine();
    });

    async function hostile(attack: Attack): Promise<string> {
      const id = uri.slice("ar://".length);
      return await proxy(
        cleanup,
        () => gateway.url,
        ({ url }, response) => {
          if (url === `/${id}` && attack.data !== undefined) {
            attack.data(response);
            return true;
          }
          if (url !== `/tx/${id}` || attack.header === undefined) return false;
          void fetch(`${gateway.url}${url}`)
            .then((answer) => answer.json())
            .then((header) =>
              response.end(JSON.stringify(attack.header?.(header as Record<string, unknown>))),
            );
          return true;
        },
      );
    }

    for (const attack of attacks) {
      it(`${attack.name}: refused alone, passed over for a good gateway`, async () => {
        const options = { timeouts: { idleSeconds: 0.5, totalSeconds: 0.7 }, minBytesPerSecond: 10 * MiB };
        const bad = await hostile(attack);
        const alone = await storageAt([bad], options);
        const taken: Uint8Array[] = [];
        const error = await errorOf(
          (async () => {
            for await (const piece of alone.get(uri, { maxBytes: MiB })) taken.push(piece);
          })(),
        );
        expect(error.code).to.equal(attack.code);
        expect(error.message).to.include(bad);
        expect(taken, "no byte before the verdict").to.deep.equal([]);

        const both = await storageAt([bad, gateway.url], options);
        expect((await collect(both.get(uri, { maxBytes: MiB }))).equals(data)).to.be.true;
      });
    }

    it("N05_ a valid signature by a short key is none", async () => {
      const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
      const jwk = privateKey.export({ format: "jwk" }) as JWKInterface;
      const client = arweaveAt(gateway.url);
      for (const [key, fault] of [
        [jwk, "its owner's key is not RSA-4096"],
        [(await testKey()).reveal(), undefined],
      ] as const) {
        const transaction = await client.createTransaction({ data: "x" }, key);
        await client.transactions.sign(transaction, key);
        const header = parseHeader(JSON.parse(JSON.stringify(transaction)));
        expect(await faultOf(header!)).to.equal(fault);
      }
    });

    it("N19_ follows no redirect to another port of the same host", async () => {
      let reached = false;
      const inner = await serve(cleanup, (_, response) => {
        reached = true;
        response.end(data);
      });
      const bad = await hostile({
        name: "",
        code: "",
        data: (to) => to.writeHead(302, { Location: `${inner}/` }).end(),
      });
      const error = await errorOf(collect((await storageAt([bad])).get(uri, { maxBytes: MiB })));
      expect(error.code).to.equal("storage.unavailable");
      expect(reached).to.be.false;
    });

    it("follows a redirect within the gateway", async () => {
      const moved = await proxy(
        cleanup,
        () => gateway.url,
        (request, response) => {
          if (request.url === `/moved`) request.url = uri.slice("ar:/".length);
          else if (request.url === uri.slice("ar:/".length)) {
            response.writeHead(302, { Location: "/moved" }).end();
            return true;
          }
          return false;
        },
      );
      const storage = await storageAt([moved]);
      expect((await collect(storage.get(uri, { maxBytes: MiB }))).equals(data)).to.be.true;
    });

    it("names every gateway's reason, and the code of the one that waiting may change", async () => {
      const bad = await hostile({ name: "", code: "", data: (to) => to.end() });
      const dead = "http://127.0.0.1:9";
      const empty = await startGateway({ directory: cleanup.directory(), blockSeconds: 0 });
      cleanup.add(() => empty.close());
      const storage = await storageAt([empty.url, bad, dead]);
      const error = await errorOf(collect(storage.get(uri, { maxBytes: MiB })));
      expect(error.code).to.equal("storage.unavailable");
      for (const url of [bad, dead, empty.url]) expect(error.message).to.include(url);
    });

    it("stops at once when it is aborted", async () => {
      const bad = await hostile({ name: "", code: "", data: () => undefined });
      const storage = await storageAt([bad]);
      const bytes = collect(storage.get(uri, { maxBytes: MiB, signal: AbortSignal.timeout(100) }));
      const error: unknown = await bytes.catch((reason: unknown) => reason);
      expect(error).to.have.property("name", "TimeoutError");
    });
  });

  it("stops with the caller's own reason, which is no gateway's fault", async () => {
    const silent = await serve(cleanup, () => undefined);
    const unknown = await serve(cleanup, (_, response) => response.writeHead(404).end());
    const stored = { uri: `ar://${NO_SUCH_ID}`, gateway: "" };
    const reason = new NeuraError("interrupted", "Interrupted.");
    for (const gateways of [
      [silent, silent],
      [silent],
      [unknown], // where `readBack` pauses between its attempts
    ]) {
      const storage = await storageAt(gateways, { pauseSeconds: 5 });
      for (const begin of [
        (signal: AbortSignal) => storage.readBack(stored, { signal }),
        ...(gateways.includes(silent)
          ? [
              (signal: AbortSignal) => collect(storage.get(stored.uri, { maxBytes: 9, signal })),
              (signal: AbortSignal) => storage.put(random(9), { signal }),
              (signal: AbortSignal) => storage.status(stored.uri, { signal }),
            ]
          : []),
      ]) {
        const interruption = new AbortController();
        setTimeout(() => interruption.abort(reason), 50);
        expect(await begin(interruption.signal).catch((error: unknown) => error)).to.equal(reason);
      }
    }
  });

  describe("uploads", () => {
    /** What a gateway was sent, by a proxy before it. */
    async function watched(
      change: (request: http.IncomingMessage, response: http.ServerResponse) => boolean = () => false,
    ): Promise<{ url: string; offsets: string[]; ids: Set<string> }> {
      const offsets: string[] = [];
      const ids = new Set<string>();
      const url = await proxy(
        cleanup,
        () => gateway.url,
        (request, response) => {
          const pieces: Buffer[] = [];
          request.on("data", (piece: Buffer) => pieces.push(piece));
          request.on("end", () => {
            const body = Buffer.concat(pieces).toString();
            const offset = /"offset":"(\d+)"/.exec(body)?.[1];
            if (offset !== undefined) offsets.push(offset);
            const id = /"id":"([\w-]{43})"/.exec(body)?.[1];
            if (id !== undefined) ids.add(id);
          });
          return change(request, response);
        },
      );
      return { url, offsets, ids };
    }

    it("survive faults that pass: resets, 503, 429, a data root that is not known yet", async () => {
      let count = 0;
      const { url, ids } = await watched((request, response) => {
        if (request.method !== "POST") return false;
        const fault = count++ % 5;
        if (fault === 0) response.destroy();
        if (fault === 1) request.resume().once("end", () => response.writeHead(503).end("timeout"));
        if (fault === 2) request.resume().once("end", () => response.writeHead(429).end());
        if (fault === 3) {
          request.resume().once("end", () => response.writeHead(400).end('{"error":"data_root_not_found"}'));
        }
        return fault < 4;
      });
      const storage = await storageAt([url]);
      const data = random(MiB);
      const { uri } = await storage.put(data);
      gateway.mine();
      expect((await collect(storage.get(uri, { maxBytes: MiB }))).equals(data)).to.be.true;
      expect(ids.size).to.equal(1);
    });

    it("go on after the gateway restarted, without sending acknowledged chunks again, and pay once", async () => {
      const resume = join(cleanup.directory(), "upload.ndjson");
      const data = random(5 * MiB);
      const { url, offsets, ids } = await watched();
      const impatient = await storageAt([url], { attempts: 1 });
      const onProgress = ({ phase, doneBytes }: Progress): void => {
        if (phase === "upload" && doneBytes >= 2 * MiB) void gateway.close();
      };
      expect((await errorOf(impatient.put(data, { resume, onProgress }))).code).to.equal(
        "storage.unavailable",
      );
      const acknowledged = [...readFileSync(resume, "utf8").matchAll(/"min":(\d+)/g)].map(
        (match) => match[1],
      );
      expect(acknowledged.length).to.be.within(8, 19);
      await restart();
      offsets.length = 0;

      const storage = await storageAt([url]); // as a new process would
      const { uri } = await storage.put(data, { resume });

      // As a set: what the first attempt had under way may reach the proxy late.
      expect(new Set(offsets).size).to.equal(20 - acknowledged.length);
      for (const min of acknowledged) expect(offsets).not.to.include(String(Number(min) + 256 * KiB - 1));
      expect([...ids]).to.deep.equal([uri.slice("ar://".length)]);
      gateway.mine();
      expect((await collect(storage.get(uri, { maxBytes: 5 * MiB }))).equals(data)).to.be.true;

      offsets.length = 0;
      expect((await storage.put(data, { resume })).uri).to.equal(uri); // done already: nothing is sent or paid
      expect(offsets).to.deep.equal([]);
    });

    it("send everything again to a gateway that lost it, in the same transaction", async () => {
      const resume = join(cleanup.directory(), "upload.ndjson");
      const data = random(MiB);
      const { url, ids } = await watched();
      const storage = await storageAt([url]);
      const { uri } = await storage.put(data, { resume });
      directory = cleanup.directory();
      await restart();
      expect((await storage.put(data, { resume })).uri).to.equal(uri);
      expect(ids.size).to.equal(1);
      gateway.mine();
      expect((await collect(storage.get(uri, { maxBytes: MiB }))).equals(data)).to.be.true;
    });

    it("sign anew only when nobody has the transaction and its anchor is too old", async () => {
      const resume = join(cleanup.directory(), "upload.ndjson");
      const data = random(10);
      gateway.mine(); // an anchor that only this gateway knows
      const storage = await storageAt([gateway.url]);
      const first = await storage.put(data, { resume });
      gateway.mine();
      expect((await storage.put(data, { resume })).uri).to.equal(first.uri);
      await gateway.close();
      directory = cleanup.directory();
      await restart();

      const elsewhere = await storageAt([gateway.url]);
      const second = await elsewhere.put(data, { resume });
      expect(second.uri).not.to.equal(first.uri);
      gateway.mine();
      expect((await collect(elsewhere.get(second.uri, { maxBytes: 10 }))).equals(data)).to.be.true;
    });

    /** A gateway that takes transactions but no chunk, and says afterwards that it does not know them. */
    function forgetful(
      status: number,
    ): (request: http.IncomingMessage, response: http.ServerResponse) => boolean {
      return (request, response) => {
        const { method, url = "" } = request;
        if (method === "POST" && url === "/chunk") {
          request.resume().once("end", () => response.writeHead(status).end('{"error":"chunk_too_big"}'));
          return true;
        }
        if (!url.startsWith("/tx/")) return false;
        response.writeHead(404).end();
        return true;
      };
    }

    it("sign nothing anew when a chunk is refused: the transaction was taken and can still be mined", async () => {
      const resume = join(cleanup.directory(), "upload.ndjson");
      const { url, ids } = await watched(forgetful(400));
      const storage = await storageAt([url]);
      const data = random(10);
      for (let call = 0; call < 2; call++) {
        const error = await errorOf(storage.put(data, { resume }));
        expect(error.code).to.equal("storage.refused");
        expect(error.message).to.include("a chunk");
      }
      expect(ids.size).to.equal(1);
    });

    it("sign nothing anew when another gateway has just taken the transaction, whatever it says later", async () => {
      const resume = join(cleanup.directory(), "upload.ndjson");
      const taking = await watched(forgetful(503));
      const refusing = await watched((request, response) => {
        if (request.method === "POST") {
          request.resume().once("end", () => response.writeHead(400).end("Invalid anchor (last_tx)."));
          return true;
        }
        return forgetful(503)(request, response);
      });
      const data = random(10);
      const first = await storageAt([taking.url], { attempts: 1 });
      expect((await errorOf(first.put(data, { resume }))).code).to.equal("storage.unavailable");
      const both = await storageAt([taking.url, refusing.url], { attempts: 1 });
      expect((await errorOf(both.put(data, { resume }))).code).to.equal("storage.refused");
      expect(new Set([...taking.ids, ...refusing.ids]).size).to.equal(1);
    });

    it("use the next gateway when the first is not there", async () => {
      const storage = await storageAt(["http://127.0.0.1:9", gateway.url], { attempts: 2 });
      expect((await storage.put(random(10))).gateway).to.equal(gateway.url);
    });

    it("refuse to resume other data, other tags, another file", async () => {
      const resume = join(cleanup.directory(), "upload.ndjson");
      const storage = await storageAt([gateway.url]);
      const data = random(10);
      await storage.put(data, { resume });
      for (const [source, options] of [
        [random(10), { resume }],
        [data, { resume, tags: { a: "b" } }],
        [data, { resume: import.meta.filename }],
      ] as const) {
        expect((await errorOf(storage.put(source, options))).code).to.equal("storage.resume-mismatch");
      }
    });

    it("read a record whose last line was cut off", async () => {
      const resume = join(cleanup.directory(), "upload.ndjson");
      const storage = await storageAt([gateway.url]);
      const data = random(MiB);
      const { uri } = await storage.put(data, { resume });
      await truncate(resume, readFileSync(resume).length - 5);
      expect((await storage.put(data, { resume })).uri).to.equal(uri);
    });

    it("say that the source changed between the two readings", async () => {
      for (const [first, then] of [
        [random(600 * KiB), random(600 * KiB)],
        [random(600 * KiB), random(100 * KiB)],
      ] as const) {
        let reading = 0;
        async function* source(): AsyncGenerator<Uint8Array> {
          yield await Promise.resolve(reading++ === 0 ? first : then);
        }
        const storage = await storageAt([gateway.url]);
        expect((await errorOf(storage.put(source))).code).to.equal("storage.source-changed");
      }
    });

    it("pay the quoted price with head room, and say whose account lacks how much", async () => {
      await gateway.close();
      directory = cleanup.directory();
      gateway = await startGateway({ directory, blockSeconds: 0, winstonPerByte: 10n });
      cleanup.add(() => gateway.close());
      const storage = await storageAt([gateway.url]);
      const account = addressOf((await testKey()).reveal().n);
      expect(await storage.price(1000)).to.deep.equal({
        ...{ costAtomic: 11_000n, unit: "winston", symbol: "AR", decimals: 12, account, balanceAtomic: 0n },
      });
      await fetch(`${gateway.url}/mint/${account}/10900`, { method: "POST" });
      const error = await errorOf(storage.put(random(1000)));
      expect(error.code).to.equal("storage.insufficient-credit");
      expect(error.details).to.deep.equal({
        ...{ account, costWinston: 11_000n, balanceWinston: 10_900n, missingWinston: 100n },
      });
      expect(error.next).to.equal(`Send at least 100 winston (0.0000000001 AR) to ${account}.`);

      await fetch(`${gateway.url}/mint/${account}/100`, { method: "POST" });
      expect((await storage.put(random(1000))).costAtomic).to.equal(11_000n);
      expect((await storage.price(1)).balanceAtomic).to.equal(0n);
    });

    it("stop when they are aborted", async () => {
      const silent = await serve(cleanup, () => undefined);
      const storage = await storageAt([silent]);
      const error: unknown = await storage
        .put(random(10), { signal: AbortSignal.timeout(100) })
        .catch((reason: unknown) => reason);
      expect(error).to.have.property("name", "TimeoutError");
    });
  });

  describe("reads an upload back", () => {
    it("N05_ through another gateway than the one that took it, waiting until that serves it", async () => {
      const served: string[] = [];
      const second = await proxy(
        cleanup,
        () => gateway.url,
        ({ url = "" }) => {
          served.push(url);
          return false;
        },
      );
      const storage = await storageAt([gateway.url, second]);
      const stored = await storage.put(random(600 * KiB));
      setTimeout(() => gateway.mine(), 100);
      const readings: Progress[] = [];
      const read = await storage.readBack(stored, { onProgress: (progress) => readings.push(progress) });
      expect(read).to.deep.equal({ gateway: second });
      expect(served.at(-1)).to.equal(stored.uri.slice("ar:/".length));
      expect(readings.at(-1)).to.deep.equal({
        phase: "read-back",
        doneBytes: 600 * KiB,
        totalBytes: 600 * KiB,
      });
    });

    it("N05_ and fails when the only other one serves something else", async () => {
      const data = random(600 * KiB);
      const second = await proxy(
        cleanup,
        () => gateway.url,
        ({ url = "" }, response) => {
          if (!/^\/[\w-]{43}$/.test(url)) return false;
          response.end(flip(data, 0));
          return true;
        },
      );
      const storage = await storageAt([gateway.url, second]);
      const stored = await storage.put(data);
      gateway.mine();
      expect((await errorOf(storage.readBack(stored))).code).to.equal("storage.mismatch");
    });

    it("N05_ and fails when the time is over and the upload is lost", async () => {
      const storage = await storageAt([gateway.url]);
      const stored = await storage.put(random(10));
      const error = await errorOf(storage.readBack(stored, { timeoutSeconds: 0.2 }));
      expect(error.code).to.equal("storage.pending");
    });
  });

  describe("in processes of its own", () => {
    async function spawnGateway(
      at: string,
    ): Promise<{ url: string; pid: number; kill: (signal: NodeJS.Signals) => Promise<number | null> }> {
      const main = join(import.meta.dirname, "../../../src/storage/gateway/main.ts");
      const child = spawn(
        process.execPath,
        ["--import", "tsx", main, "--directory", at, "--block-seconds", "0.1"],
        { stdio: ["ignore", "pipe", "inherit"] },
      );
      cleanup.add(() => child.kill("SIGKILL"));
      const [line] = (await once(child.stdout, "data")) as [Buffer];
      const { url } = JSON.parse(line.toString()) as { url: string };
      return {
        url,
        pid: child.pid ?? 0,
        kill: async (signal) => {
          const exited = once(child, "exit") as Promise<[number | null]>;
          child.kill(signal);
          return (await exited)[0];
        },
      };
    }

    it("the gateway keeps what it acknowledged over kill -9, and ends cleanly on SIGTERM", async () => {
      const at = cleanup.directory();
      const data = random(3 * MiB);
      const first = await spawnGateway(at);
      const { uri } = await (await storageAt([first.url])).put(data);
      await first.kill("SIGKILL");
      const second = await spawnGateway(at);
      const storage = await storageAt([second.url]);
      await storage.readBack({ uri, gateway: second.url });
      expect((await collect(storage.get(uri, { maxBytes: 3 * MiB }))).equals(data)).to.be.true;
      expect(await second.kill("SIGTERM")).to.equal(0);
    });

    it("memory stays flat for 200 MB there and back, on both sides", async function () {
      if (process.platform !== "linux") this.skip();
      const { url, pid } = await spawnGateway(cleanup.directory());
      const script = join(import.meta.dirname, "round-trip.ts");
      const run = async (megabytes: number): Promise<{ client: number; gateway: number }> => {
        const child = spawn(process.execPath, ["--import", "tsx", script, url, String(megabytes)], {
          stdio: ["pipe", "pipe", "inherit"],
        });
        child.stdin.end(JSON.stringify((await testKey()).reveal()));
        const [line] = (await once(child.stdout, "data")) as [Buffer];
        const peak = /VmHWM:\s*(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
        return { client: Number(line.toString()), gateway: Number(peak) / 1024 };
      };
      const small = await run(1);
      const large = await run(200);
      // Peak memory that 200 MB take over what 1 MB takes [MiB].
      expect(large.client - small.client).to.be.lessThan(120);
      expect(large.gateway - small.gateway).to.be.lessThan(120);
    });
  });

  describe("keeps the wallet's key to itself", () => {
    it("a key is a secret, and what cannot be read as one is not repeated", async () => {
      const key = await testKey();
      expect(key.reveal().n.length).to.equal(683);
      expect(inspect({ key }) + JSON.stringify({ key })).not.to.include(key.reveal().d);
      for (const text of [
        "",
        "{",
        "[]",
        JSON.stringify({ ...key.reveal(), d: 1 }),
        `{"kty":"RSA","e":"AQAB","n":"private"}`,
      ]) {
        let message = "";
        try {
          parseArweaveKey(new Secret(text));
        } catch (error) {
          message = inspect(error);
        }
        expect(message).to.include("storage.bad-key");
        if (text.length > 2) expect(message).not.to.include(text.slice(0, 20));
      }
    });
  });

  describe("keeps to itself what is secret in a gateway's URL", () => {
    const SECRETS = ["pa55word", "k3y-in-the-path", "user:"];

    /** A gateway behind a password and a key in its path. */
    async function behindKey(
      change: (request: http.IncomingMessage, response: http.ServerResponse) => boolean = () => false,
    ): Promise<{ url: string; origin: string }> {
      const origin = await proxy(
        cleanup,
        () => gateway.url,
        (request, response) => {
          const { authorization } = request.headers;
          const wanted = `Basic ${Buffer.from("user:pa55word").toString("base64")}`;
          const path = /^\/k3y-in-the-path(\/.*)$/.exec(request.url ?? "")?.[1];
          if (authorization !== wanted || path === undefined) {
            response.writeHead(401).end();
            return true;
          }
          request.url = path;
          return change(request, response);
        },
      );
      return { origin, url: origin.replace("//", "//user:pa55word@").concat("/k3y-in-the-path") };
    }

    function expectNoSecret(shown: unknown): void {
      for (const secret of SECRETS) expect(inspect(shown, { depth: 9 })).not.to.include(secret);
    }

    it("in what it stores and records, and uses it", async () => {
      const resume = join(cleanup.directory(), "upload.ndjson");
      const { url, origin } = await behindKey();
      const storage = await storageAt([url]);
      const data = random(600 * KiB);
      const stored = await storage.put(data, { resume });
      gateway.mine();
      expect(stored.gateway).to.equal(origin);
      expect(await storage.readBack(stored)).to.deep.equal({ gateway: origin });
      expect((await collect(storage.get(stored.uri, { maxBytes: MiB }))).equals(data)).to.be.true;
      expectNoSecret([stored, readFileSync(resume, "utf8"), storage]);
    });

    const answers: Record<string, (response: http.ServerResponse) => unknown> = {
      "an unknown transaction": (to) => to.writeHead(404).end(),
      "a page that repeats the path": (to) => to.writeHead(400).end("Cannot GET /k3y-in-the-path/tx"),
      "a broken server's page": (to) => to.writeHead(500).end("at /k3y-in-the-path/tx"),
      "an endless answer": (to) => to.end("x".repeat(2 * MiB)),
      "no header": (to) => to.end("{}"),
      "a redirect elsewhere": (to) =>
        to.writeHead(302, { Location: "http://192.0.2.1/k3y-in-the-path/" }).end(),
      "a connection that breaks": (to) => to.destroy(),
    };
    for (const [name, answer] of Object.entries(answers)) {
      it(`in the error about ${name}`, async () => {
        const { url, origin } = await behindKey((request, response) => {
          request.resume().once("end", () => answer(response));
          return true;
        });
        const storage = await storageAt([url, url], { attempts: 1 });
        for (const work of [
          () => collect(storage.get(`ar://${NO_SUCH_ID}`, { maxBytes: 1 })),
          () => storage.put(random(1)),
          () => storage.price(1),
        ]) {
          const error = await errorOf(work());
          expect(error.message).to.include(origin);
          expectNoSecret(error);
          expectNoSecret(error.toJSON());
        }
      });
    }

    it("in the error about a URL that is none, which is named by its place", () => {
      for (const bad of ["user:pa55word@gateway/k3y-in-the-path", "ftp://user:pa55word@gateway/"]) {
        expect(() => openArweave({ gateways: [gateway.url, bad] }))
          .to.throw(/^Gateway 2 /)
          .and.satisfy((error: unknown) => {
            expectNoSecret(error);
            return true;
          });
      }
    });
  });

  describe("is opened by scheme", () => {
    it("from the environment", async () => {
      const key = await testKey();
      const config = storageConfigFrom({
        NEURA_ARWEAVE_GATEWAYS: ` http://127.0.0.1:9/ ,${gateway.url}`,
        NEURA_ARWEAVE_KEY: JSON.stringify(key.reveal()),
      });
      expect(config.arweave?.gateways).to.deep.equal(["http://127.0.0.1:9/", gateway.url]);
      const storage = openStorage(`ar://${NO_SUCH_ID}`, config);
      expect((await storage.price(1)).account).to.equal(addressOf(key.reveal().n));
      expect(storageConfigFrom({})).to.deep.equal({});
    });

    it("and says which networks there are, what is not configured, and what is no gateway", () => {
      for (const [reference, config, code] of [
        ["ipfs://x", {}, "storage.bad-reference"],
        ["constructor", {}, "storage.bad-reference"],
        ["ar", {}, "storage.not-configured"],
        ["ar", { arweave: { gateways: [] } }, "storage.not-configured"],
        ["ar", { arweave: { gateways: ["ftp://x"] } }, "storage.not-configured"],
      ] as const) {
        expect(() => openStorage(reference, config))
          .to.throw()
          .with.property("code", code);
      }
    });
  });
});

function flip(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at]! ^= 1;
  return copy;
}
