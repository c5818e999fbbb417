import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { expect } from "chai";
import { type Provider, sha256, toBeHex } from "ethers";

import type { StoredKey } from "../../../src/keystore.ts";
import { type MarketContext, openMarket } from "../../../src/market/context.ts";
import { createArbiter } from "../../../src/market/dispute.ts";
import { unitsRoot, ZERO_HASH } from "../../../src/market/evidence.ts";
import { decodeHeader, proveReceipts, provenLogs, trustedHeaders } from "../../../src/receipt/chain-proof.ts";
import { createReceipt } from "../../../src/receipt/create.ts";
import { disclose, disclosedFile } from "../../../src/receipt/disclosure.ts";
import { verifyReceipt } from "../../../src/receipt/verify.ts";
import { type Account, createWorld, deliverResult, fileIn, type World } from "../market/support.ts";
import { Cleanup, errorOf } from "../storage/support.ts";

const HOUR = 3_600;

describe("receipt: what the chain proves", function () {
  this.timeout(60_000);
  const cleanup = new Cleanup();
  let world: World;
  let context: MarketContext;
  let provider: { account: Account; key: StoredKey };
  let id: string;

  before(async () => {
    world = await createWorld(cleanup);
    const [first] = world.others;
    if (!first) throw new Error("no account");
    provider = { account: first, key: await world.register(first) };
    const { deployment, storage, home, owner } = world;
    context = openMarket({ runner: owner, deployment, storage: () => storage, home });
    id = await delivered();
  });
  after(() => cleanup.run());

  async function delivered(
    more: { challenge?: { periodSeconds: number; arbiter: string } } = {},
  ): Promise<string> {
    const files = [await fileIn(cleanup.directory(), "scan.png", "a picture")];
    const task = await world.client.submit({
      source: { files },
      application: "ocr",
      durationSeconds: 60,
      provider: provider.account.address,
      collateralWei: 10_000n,
      ...more,
    });
    await deliverResult(world, task, provider);
    return task.id;
  }

  /** The node, but for what it answers to some questions. */
  function nodeWith(
    answers: Record<string, (parameters: unknown[], honest: () => Promise<unknown>) => unknown>,
  ): Provider {
    const node = world.connection.ethers.provider;
    return new Proxy(node, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name, target);
        if (typeof member !== "function") return member;
        if (name !== "send") return member.bind(target) as unknown;
        return async (method: string, parameters: unknown[]) => {
          const honest = async (): Promise<unknown> => await target.send(method, parameters);
          return (await answers[method]?.(parameters, honest)) ?? (await honest());
        };
      },
    });
  }

  it("proves any transaction of a long block, of every type", async () => {
    const { ethers, provider: rpc } = world.connection;
    const [sender] = await ethers.getSigners();
    if (!sender) throw new Error("no account");
    const { gasPrice } = await ethers.provider.getFeeData();
    const nonce = await sender.getNonce();
    await rpc.request({ method: "evm_setAutomine", params: [false] });
    const hashes: string[] = [];
    // Above 127, the key of a place is two bytes long.
    for (let at = 0; at < 130; at++) {
      const type = at % 3;
      const fee = type === 2 ? {} : { gasPrice: (gasPrice ?? 0n) * 2n };
      const { hash } = await sender.sendTransaction({
        to: sender.address,
        type,
        nonce: nonce + at,
        gasLimit: 30_000n,
        ...fee,
      });
      hashes.push(hash);
    }
    await rpc.request({ method: "evm_setAutomine", params: [true] });
    await world.connection.networkHelpers.mine(1);
    const block = await ethers.provider.getBlock("latest");
    expect(block?.transactions.length).to.equal(130);
    for (const tx of [hashes[0], hashes[1], hashes[2], hashes[127], hashes[129]]) {
      const { headers, receipts } = await proveReceipts(ethers.provider, {
        delivered: { tx: tx ?? "", block: block?.number ?? 0 },
      });
      const header = decodeHeader(headers[0] ?? "");
      expect(header.hash).to.equal(block?.hash);
      expect(header.timestamp).to.equal(block?.timestamp);
      if (receipts.delivered === undefined) throw new Error("no proof");
      expect(await provenLogs(header, receipts.delivered)).to.deep.equal([]);
      const elsewhere = { ...receipts.delivered, transactionIndex: receipts.delivered.transactionIndex + 1 };
      expect(await provenLogs(header, elsewhere).catch((error: unknown) => error)).to.be.an("error");
    }
  });

  it("asks once for all receipts of a block where the node answers that", async () => {
    let asked = 0;
    const node = nodeWith({
      eth_getBlockReceipts: async ([number]) => {
        asked += 1;
        const block = await world.connection.ethers.provider.getBlock(Number(number));
        const receipts: unknown[] = [];
        for (const hash of block?.transactions ?? [])
          receipts.push(await world.connection.ethers.provider.send("eth_getTransactionReceipt", [hash]));
        return receipts;
      },
    });
    const receipt = await createReceipt({ ...context, provider: node }, id);
    expect(asked).to.equal(1);
    expect(receipt.unproven).to.equal(undefined);
  });

  it("says where a chain's blocks are not made as Ethereum's are, and leaves that level out", async () => {
    const cosmos = nodeWith({
      eth_getBlockByNumber: async (_, honest) => ({
        ...((await honest()) as object),
        hash: `0x${"ab".repeat(32)}`,
      }),
    });
    const receipt = await createReceipt({ ...context, provider: cosmos }, id);
    expect(receipt.proofs).to.equal(undefined);
    expect(receipt.unproven).to.contain("this chain's blocks are not made as Ethereum's are");
    const hash = (await context.provider.getBlock("latest"))?.hash ?? "";
    const report = await verifyReceipt(receipt.text, { blockHashes: [hash], online: context });
    expect(report.levels.map(({ verdict }) => verdict)).to.deep.equal(["passed", "failed", "passed"]);
    expect(report.levels[1]?.checks[0]?.reason).to.equal(receipt.unproven);
  });

  it("does not believe receipts that do not have the block's root", async () => {
    const lying = nodeWith({
      eth_getTransactionReceipt: async (_, honest) => ({
        ...((await honest()) as object),
        cumulativeGasUsed: "0x1",
      }),
    });
    const { delivered: place } = await world.client.status(id);
    const wanted = { delivered: { tx: place?.transactionHash ?? "", block: place?.block ?? 0 } };
    const error = await errorOf(proveReceipts(lying, wanted));
    expect(error.code).to.equal("receipt.unprovable");
    expect(error.message).to.contain("do not have its root");
    const other = { delivered: { ...wanted.delivered, block: wanted.delivered.block - 1 } };
    expect((await errorOf(proveReceipts(context.provider, other))).message).to.contain("is not in block");
  });

  it("takes the hashes of both blocks where too many lie between", async () => {
    const terms = {
      arbiter: provider.account.address,
      feeBps: 500,
      minimumFeeWei: 7n,
      rulingSeconds: 86_400,
    };
    const { address: arbiter } = await createArbiter(context, terms);
    const late = await delivered({ challenge: { periodSeconds: HOUR, arbiter } });
    await world.connection.networkHelpers.mine(300);
    await world.client.close(late, "settle");
    const receipt = await createReceipt(context, late);
    const { block, settled } = receipt.statement.settlement;
    expect(receipt.proofs?.headers.length).to.equal(2);
    const hashOf = async (number: number): Promise<string> =>
      (await context.provider.getBlock(number))?.hash ?? "";
    const [first, last] = [await hashOf(block), await hashOf(settled?.block ?? 0)];
    const verdict = async (...blockHashes: string[]) =>
      (await verifyReceipt(receipt.text, { blockHashes })).levels[1]?.checks.map((each) => each.verdict);
    expect(await verdict(last)).to.deep.equal(["mismatch", "match"]);
    expect(await verdict(first, last)).to.deep.equal(["match", "match", "match"]);
    const headers = (receipt.proofs?.headers ?? []).map(decodeHeader);
    expect(trustedHeaders(headers, [first]).size).to.equal(1);
  });

  it("shows what one unit made, and nothing of the others", async () => {
    const directory = join(cleanup.directory(), "result");
    const result = await world.client.result(id, { directory });
    const pages = [{ text: "first" }, { text: "second" }, { text: "third" }];
    await writeFile(
      join(directory, "result.json"),
      JSON.stringify({ schema: "neura/ocr/1", pages }, undefined, 2),
    );
    const file = join(directory, "output", "third.png");
    await mkdir(join(directory, "output"), { recursive: true });
    await writeFile(file, "a drawn page");
    const outputs = [...pages.slice(0, 2).map((page) => JSON.stringify(page)), "a drawn page"];
    const units = outputs.map((output, at) => ({
      inputHash: toBeHex(at + 1, 32),
      outputHash: sha256(Buffer.from(output)),
      stateHash: ZERO_HASH,
      sketchHash: ZERO_HASH,
    }));
    if (result.evidence === undefined) throw new Error("no evidence");
    const evidence = { ...result.evidence.evidence, unitsRoot: unitsRoot(units), unitCount: 3 };
    const files = [...result.files, { path: "output/third.png", sizeBytes: 12 }];
    const changed = { ...result, files, evidence: { evidence, units } };
    const paths = ["unit/1", "output/third.png"];
    const shown = await disclose(context, changed, { paths, workDirectory: cleanup.directory() });
    expect(shown.map(({ kind }) => kind)).to.deep.equal(["unit", "unit"]);
    const contents = await Promise.all(shown.map((each) => disclosedFile(each, evidence)));
    expect(contents.map(({ content }) => Buffer.from(content).toString())).to.deep.equal(outputs.slice(1));
    const [first] = shown;
    if (first?.kind !== "unit") throw new Error("no unit");
    const other = { ...first, index: 0 };
    const refused = await disclosedFile(other, evidence).catch((error: unknown) => String(error));
    expect(refused).to.contain("unit 0 is not the delivery's");
    const none = { paths: ["unit/2"], workDirectory: cleanup.directory() };
    expect((await errorOf(disclose(context, changed, none))).code).to.equal("receipt.no-file");
  });
});
