import { expect } from "chai";
import { AbiCoder, keccak256, toUtf8Bytes } from "ethers";

import { showRun } from "../../examples/receipt.ts";
import { ERC7007, isFinal, mintCall } from "../../examples/receipt-erc7007.ts";
import { requestCall, responseCall, VALIDATIONS } from "../../examples/receipt-erc8004.ts";
import {
  createArbiter,
  createReceipt,
  type MadeReceipt,
  type MarketContext,
  openMarket,
  verifyReceipt,
} from "../../src/index.ts";
import type { StoredKey } from "../../src/keystore.ts";
import { type Account, createWorld, deliverResult, fileIn, type World } from "../src/market/support.ts";
import { Cleanup } from "../src/storage/support.ts";

const HOUR = 3_600;
const AGENT = 22n;
const URI = "ar://receipt";

describe("examples: receipts", function () {
  this.timeout(60_000);
  const cleanup = new Cleanup();
  let world: World;
  let context: MarketContext;
  let provider: { account: Account; key: StoredKey };
  let judge: Account;
  let arbiter: string;

  before(async () => {
    world = await createWorld(cleanup);
    const [first, second] = world.others;
    if (!first || !second) throw new Error("no account");
    provider = { account: first, key: await world.register(first) };
    judge = second;
    const { deployment, storage, home, owner } = world;
    context = openMarket({ runner: owner, deployment, storage: () => storage, home });
    const terms = { arbiter: judge.address, feeBps: 500, minimumFeeWei: 7n, rulingSeconds: 86_400 };
    arbiter = (await createArbiter(context, terms)).address;
  });
  after(() => cleanup.run());

  async function delivered(periodSeconds = 0): Promise<string> {
    const files = [await fileIn(cleanup.directory(), "scan.png", "a picture")];
    const task = await world.client.submit({
      source: { files },
      application: "ocr",
      durationSeconds: 60,
      provider: provider.account.address,
      collateralWei: 10_000n,
      ...(periodSeconds === 0 ? {} : { challenge: { periodSeconds, arbiter } }),
    });
    await deliverResult(world, task, provider);
    return task.id;
  }
  const pass = (seconds: number) => world.connection.networkHelpers.time.increase(seconds);
  const online = async ({ text }: MadeReceipt) => await verifyReceipt(text, { online: context });

  it("receipt: one file shown to somebody who has the hash of a block", async () => {
    const blockHash = async (block: number) => (await context.provider.getBlock(block))?.hash ?? "";
    const report = await showRun({ context, id: await delivered(), blockHash });
    expect(report.disclosed.map(({ path }) => path)).to.deep.equal(["run.json"]);
  });

  it("ERC-7007: minted once nobody can challenge it any more, and not before", async () => {
    const to = world.owner.address;
    const atOnce = await online(await createReceipt(context, await delivered()));
    expect(atOnce).to.include({ sound: true, backing: "chain" });
    expect(() => mintCall(atOnce, { to, uri: URI })).to.throw("it is not final");
    const id = await delivered(HOUR);
    expect(isFinal(await online(await createReceipt(context, id)))).to.equal(false);
    await pass(HOUR + 1);
    await world.client.close(id, "settle");
    const receipt = await createReceipt(context, id);
    // Not on the receipt's own word either.
    expect(isFinal(await verifyReceipt(receipt.text))).to.equal(false);
    const call = mintCall(await online(receipt), { to, uri: URI });
    const [owner, prompt, aigcData, uri, proof] = ERC7007.decodeFunctionData(
      "mint",
      call,
    ) as unknown as string[];
    const { evidence } = receipt.statement;
    expect([owner, prompt, aigcData, uri]).to.deep.equal([to, evidence.inputRoot, evidence.resultRoot, URI]);
    const [task] = AbiCoder.defaultAbiCoder().decode(["bytes32"], proof ?? "") as unknown as string[];
    expect(task).to.equal(id);
  });

  it("ERC-8004: what an arbiter ruled, and nothing where nobody had to", async () => {
    const id = await delivered(HOUR);
    const waiting = await createReceipt(context, id);
    const asked = requestCall(await online(waiting), { agentId: AGENT, validator: judge.address, uri: URI });
    const { evidenceHash } = waiting.statement.settlement;
    expect([...VALIDATIONS.decodeFunctionData("validationRequest", asked)]).to.deep.equal([
      judge.address,
      AGENT,
      URI,
      evidenceHash,
    ]);
    const undecided = await online(waiting);
    expect(() => responseCall(undecided, { text: waiting.text, uri: URI })).to.throw("nobody has decided");
    await world.client.dispute(id, { unit: 0n });
    await pass(HOUR);
    await world.clientOf(judge).rule(id, { providerBps: 4_000 });
    const receipt = await createReceipt(context, id);
    const answer = responseCall(await online(receipt), { text: receipt.text, uri: URI });
    expect([...VALIDATIONS.decodeFunctionData("validationResponse", answer)]).to.deep.equal([
      evidenceHash,
      40n,
      URI,
      keccak256(toUtf8Bytes(receipt.text)),
      "neura/RuledInPart",
    ]);
  });
});
