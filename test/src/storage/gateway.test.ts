import { expect } from "chai";
import { readdirSync } from "node:fs";
import { appendFile } from "node:fs/promises";
import { join } from "node:path";
import type { SerializedUploader } from "arweave/node/lib/transaction-uploader.js";
import type Transaction from "arweave/node/lib/transaction.js";
import { startGateway, type Gateway } from "../../../src/storage/gateway/gateway.ts";
import { arweaveAt, Cleanup, KiB, MiB, random, testKey } from "./support.ts";

type Signed = Transaction.default;

describe("storage/gateway: the local Arweave gateway, through arweave-js", function () {
  this.timeout(60_000);
  const cleanup = new Cleanup();
  let directory: string;
  let gateway: Gateway;
  let client: ReturnType<typeof arweaveAt>;

  before(async () => {
    await testKey();
  });

  beforeEach(async () => {
    directory = cleanup.directory();
    gateway = await startGateway({ directory, blockSeconds: 0 });
    cleanup.add(() => gateway.close());
    client = arweaveAt(gateway.url);
  });

  afterEach(() => cleanup.run());

  async function signed(data: Uint8Array, tags: Record<string, string> = {}): Promise<Signed> {
    const jwk = (await testKey()).reveal();
    const transaction = await client.createTransaction({ data }, jwk);
    for (const [name, value] of Object.entries(tags)) transaction.addTag(name, value);
    await client.transactions.sign(transaction, jwk);
    return transaction;
  }

  async function post(path: string, body: unknown): Promise<{ status: number; text: string }> {
    const answer = await fetch(`${gateway.url}${path}`, { method: "POST", body: JSON.stringify(body) });
    return { status: answer.status, text: await answer.text() };
  }

  async function fetched(path: string, headers: Record<string, string> = {}): Promise<Response> {
    return await fetch(`${gateway.url}${path}`, { headers });
  }

  for (const size of [1, 256 * KiB - 1, 256 * KiB, 256 * KiB + 1, 300 * KiB, 512 * KiB, 3 * MiB + 7]) {
    it(`takes ${size} bytes from transactions.post and gives them back by getData`, async () => {
      const data = random(size);
      const transaction = await signed(data);
      expect((await client.transactions.post(transaction)).status).to.equal(200);
      expect(await client.transactions.getStatus(transaction.id)).to.deep.equal({
        status: 202,
        confirmed: null,
      });

      gateway.mine();

      const status = await client.transactions.getStatus(transaction.id);
      expect(status.status).to.equal(200);
      expect(status.confirmed?.number_of_confirmations).to.equal(1);
      const read = await client.transactions.getData(transaction.id, { decode: true });
      expect(Buffer.from(read as Uint8Array).equals(data)).to.be.true;
      const raw = await (await fetched(`/${transaction.id}`)).arrayBuffer();
      expect(Buffer.from(raw).equals(data)).to.be.true;
    });
  }

  it("takes an upload from getUploader, interrupted and resumed from its serialised state", async () => {
    const data = random(MiB + 5);
    const transaction = await signed(data);
    const uploader = await client.transactions.getUploader(transaction);
    await uploader.uploadChunk();
    await uploader.uploadChunk();
    const saved = JSON.parse(JSON.stringify(uploader)) as SerializedUploader;
    gateway.mine();
    expect((await fetched(`/${transaction.id}`)).status).to.equal(404); // mined, but its data is not all there

    const resumed = await client.transactions.getUploader(saved, data);
    while (!resumed.isComplete) await resumed.uploadChunk();

    expect(Buffer.from(await (await fetched(`/${transaction.id}`)).arrayBuffer()).equals(data)).to.be.true;
  });

  it("answers transactions.get, the wallet's and the network's calls", async () => {
    const transaction = await signed(random(10), { "Content-Type": "text/plain" });
    await client.transactions.post(transaction);
    gateway.mine();
    const address = await client.wallets.jwkToAddress((await testKey()).reveal());
    expect((await client.transactions.get(transaction.id)).data_root).to.equal(transaction.data_root);
    expect(await client.wallets.getBalance(address)).to.equal("0");
    expect(await client.wallets.getLastTransactionID(address)).to.equal(transaction.id);
    expect((await client.network.getInfo()).height).to.equal(1);
    expect(await client.transactions.getPrice(1000)).to.equal("0");
    const page = await fetched(`/${transaction.id}`);
    expect(page.headers.get("content-type")).to.equal("text/plain");
  });

  it("serves ranges and HEAD", async () => {
    const data = random(300 * KiB);
    const transaction = await signed(data);
    await client.transactions.post(transaction);
    gateway.mine();
    for (const [range, start, end] of [
      ["bytes=10-19", 10, 20],
      [`bytes=${299 * KiB}-`, 299 * KiB, 300 * KiB],
      ["bytes=-5", 300 * KiB - 5, 300 * KiB],
    ] as const) {
      const answer = await fetched(`/${transaction.id}`, { Range: range });
      expect(answer.status).to.equal(206);
      expect(Buffer.from(await answer.arrayBuffer()).equals(data.subarray(start, end))).to.be.true;
    }
    expect((await fetched(`/${transaction.id}`, { Range: `bytes=${300 * KiB}-` })).status).to.equal(416);
    const head = await fetch(`${gateway.url}/${transaction.id}`, { method: "HEAD" });
    expect(head.headers.get("content-length")).to.equal(String(300 * KiB));
  });

  it("says 202 Pending before a block, 404 for what it does not know, 208 for what it has", async () => {
    const transaction = await signed(random(10));
    expect((await fetched(`/tx/${transaction.id}`)).status).to.equal(404);
    await client.transactions.post(transaction);
    for (const path of [`/tx/${transaction.id}`, `/tx/${transaction.id}/status`, `/${transaction.id}`]) {
      const answer = await fetched(path);
      expect([answer.status, await answer.text()]).to.deep.equal([202, "Pending"]);
    }
    expect((await post("/tx", transaction)).status).to.equal(208);
    expect((await post("/mine", {})).text).to.include(transaction.id);
    expect((await post("/tx", transaction)).status).to.equal(208);
  });

  describe("refuses", () => {
    for (const [what, change] of [
      ["an id that is not the signature's hash", { id: "A".repeat(43) }],
      ["a changed reward", { reward: "1" }],
      ["a changed data root", { data_root: "B".repeat(42) + "A" }],
      ["a changed tag", { tags: [{ name: "eA", value: "eQ" }] }],
      ["format 1", { format: 1 }],
      ["a size without data root", { data_root: "" }],
      ["an amount that is none", { reward: "-1" }],
    ] as const) {
      it(`a transaction with ${what}`, async () => {
        const transaction = await signed(random(10));
        const answer = await post("/tx", { ...transaction.toJSON(), ...change });
        expect(answer).to.deep.equal({ status: 400, text: "Transaction verification failed." });
        expect((await fetched(`/tx/${transaction.id}`)).status).to.equal(404);
      });
    }

    it("inline data that is not the signed data", async () => {
      const transaction = await signed(random(10));
      const data = random(10).toString("base64url");
      const answer = await post("/tx", { ...transaction.toJSON(), data });
      expect(answer.text).to.equal("The attached data is split in an unknown way.");
    });

    it("an unknown anchor", async () => {
      const jwk = (await testKey()).reveal();
      const transaction = await client.createTransaction(
        { data: "x", last_tx: random(48).toString("base64url") },
        jwk,
      );
      await client.transactions.sign(transaction, jwk);
      expect((await post("/tx", transaction)).text).to.equal("Invalid anchor (last_tx).");
    });

    it("chunks with wrong bytes, proof, offset, size or root, and serves nothing of them", async () => {
      const data = random(600 * KiB);
      const transaction = await signed(data);
      const chunk = transaction.getChunk(0, data);
      expect((await post("/chunk", chunk)).text).to.equal('{"error":"data_root_not_found"}');
      await post("/tx", { ...transaction.toJSON(), data: "" });

      const flipped = Buffer.from(chunk.data_path, "base64url");
      flipped[0]! ^= 1;
      const wrong = [
        { ...chunk, chunk: random(256 * KiB).toString("base64url") },
        { ...chunk, chunk: chunk.chunk.slice(0, -4) },
        { ...chunk, chunk: "" },
        { ...chunk, data_path: flipped.toString("base64url") },
        { ...chunk, data_path: transaction.getChunk(1, data).data_path },
        { ...chunk, offset: transaction.getChunk(1, data).offset },
        { ...chunk, offset: String(600 * KiB) },
      ];
      for (const body of wrong) {
        const answer = await post("/chunk", body);
        expect(answer.status).to.equal(400);
        expect(answer.text).to.match(/invalid_proof|chunk_proof_ratio_not_attractive/);
      }
      expect((await post("/chunk", { ...chunk, data_size: "1" })).text).to.equal(
        '{"error":"data_root_not_found"}',
      );
      expect((await post("/chunk", { ...chunk, offset: "9".repeat(99) })).text).to.equal(
        '{"error":"offset_too_big"}',
      );
      const big = random(256 * KiB + 1).toString("base64url");
      expect((await post("/chunk", { ...chunk, chunk: big })).text).to.equal('{"error":"chunk_too_big"}');
      expect((await post("/chunk", [])).text).to.equal('{"error":"invalid_json"}');
      expect((await post("/chunk", { ...chunk, chunk: "A".repeat(MiB) })).status).to.equal(413);

      gateway.mine();
      expect((await fetched(`/${transaction.id}`)).status).to.equal(404);
      expect((await post("/chunk", chunk)).status).to.equal(200);
      expect((await fetched(`/${transaction.id}`)).status).to.equal(404);
      for (const index of [1, 2]) await post("/chunk", transaction.getChunk(index, data));
      expect((await fetched(`/${transaction.id}`)).status).to.equal(200);
    });
  });

  it("restarts with everything that it had acknowledged, and drops a line that was cut off", async () => {
    const data = random(600 * KiB);
    const transaction = await signed(data);
    await post("/tx", { ...transaction.toJSON(), data: "" });
    await post("/chunk", transaction.getChunk(0, data));
    const pending = await signed(random(5));
    await client.transactions.post(pending);
    gateway.mine();
    const before: unknown = await (await fetched(`/tx/${transaction.id}/status`)).json();
    await gateway.close();
    await appendFile(join(directory, "journal.ndjson"), '{"transaction":{"id":"');
    const list = readdirSync(join(directory, "data")).find((name) => name.endsWith(`${600 * KiB}.chunks`));
    await appendFile(join(directory, "data", list ?? ""), "262144 52");

    gateway = await startGateway({ directory, blockSeconds: 0 });
    cleanup.add(() => gateway.close());

    expect(await (await fetched(`/tx/${transaction.id}/status`)).json()).to.deep.equal(before);
    expect((await fetched(`/${pending.id}`)).status).to.equal(200);
    for (const index of [1, 2]) await post("/chunk", transaction.getChunk(index, data));
    expect(Buffer.from(await (await fetched(`/${transaction.id}`)).arrayBuffer()).equals(data)).to.be.true;
    client = arweaveAt(gateway.url);
    const next = await signed(random(5));
    expect((await client.transactions.post(next)).status).to.equal(200);
  });

  it("mines by the clock, and confirmations grow with it", async () => {
    await gateway.close();
    gateway = await startGateway({ directory, blockSeconds: 0.05 });
    cleanup.add(() => gateway.close());
    client = arweaveAt(gateway.url);
    const transaction = await signed(random(10));
    await client.transactions.post(transaction);
    for (;;) {
      const { confirmed } = await client.transactions.getStatus(transaction.id);
      if ((confirmed?.number_of_confirmations ?? 0) >= 3) break;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  });

  it("charges a price: refuses without credit, takes it once minted, and moves the balance", async () => {
    await gateway.close();
    gateway = await startGateway({ directory, blockSeconds: 0, winstonPerByte: 3n });
    cleanup.add(() => gateway.close());
    client = arweaveAt(gateway.url);
    const address = await client.wallets.jwkToAddress((await testKey()).reveal());
    const transaction = await signed(random(10));
    expect(transaction.reward).to.equal("30");
    expect((await post("/tx", transaction)).text).to.equal("Transaction verification failed.");
    await post(`/mint/${address}/100`, {});
    expect((await post("/tx", transaction)).status).to.equal(200);
    expect(await client.wallets.getBalance(address)).to.equal("70");

    const jwk = (await testKey()).reveal();
    const cheap = await client.createTransaction({ data: "0123456789", reward: "29" }, jwk);
    await client.transactions.sign(cheap, jwk);
    expect((await post("/tx", cheap)).status).to.equal(400);

    const target = random(32).toString("base64url");
    const transfer = await client.createTransaction({ target, quantity: "20" }, jwk);
    await client.transactions.sign(transfer, jwk);
    await client.transactions.post(transfer);
    gateway.mine();
    expect(await client.wallets.getBalance(target)).to.equal("20");
    expect(await client.wallets.getBalance(address)).to.equal("50");
  });

  it("mints only on a loopback address", async () => {
    const open = await startGateway({ directory: cleanup.directory(), host: "0.0.0.0", blockSeconds: 0 });
    cleanup.add(() => open.close());
    const { port } = new URL(open.url);
    const answer = await fetch(`http://127.0.0.1:${port}/mint/${"A".repeat(43)}/1`, { method: "POST" });
    expect(answer.status).to.equal(403);
  });
});
