import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { expect } from "chai";
import { parseEther, ZeroAddress } from "ethers";

import type { StoredKey } from "../../../src/keystore.ts";
import { limitsPath, saveLimits } from "../../../src/market/limits.ts";
import {
  orderText,
  parseOrder,
  readOrder,
  type SignedOrder,
  unsignedOrder,
  writeOrder,
} from "../../../src/market/order.ts";
import { Outcome } from "../../../src/market/outcome.ts";
import type { TaskRequest } from "../../../src/market/prepare.ts";
import { encodeQuoteAnswer, parseQuoteRequest, signDecline, signQuote } from "../../../src/market/quotes.ts";
import { encodeTerms, encodeWork, maximumCostWei, workHash } from "../../../src/market/terms.ts";
import { signMetadata } from "../../../src/provider/metadata.ts";
import { marketAt } from "../../contracts/market/deploy.ts";
import { documentOf } from "../provider/documents.ts";
import { Cleanup, collect, errorOf, serve } from "../storage/support.ts";
import { type Account, createWorld, deliverResult, fileIn, RATE_WEI, type World } from "./support.ts";

const SECONDS = 60;
const COST_WEI = RATE_WEI * BigInt(SECONDS);
const FEE = (wei: bigint): bigint => (wei * 250n) / 10_000n;

describe("market: orders", () => {
  const cleanup = new Cleanup();
  let world: World;
  let provider: { account: Account; key: StoredKey };
  let stranger: Account;
  let directory: string;
  let restore: () => Promise<void>;

  before(async () => {
    world = await createWorld(cleanup);
    const [account, other] = world.others;
    if (account === undefined || other === undefined) throw new Error("no account");
    provider = { account, key: await world.register(account) };
    stranger = other;
    const snapshot = await world.connection.networkHelpers.takeSnapshot();
    restore = () => snapshot.restore();
  });
  after(() => cleanup.run());
  beforeEach(() => {
    directory = cleanup.directory();
  });
  afterEach(() => restore());

  async function request(more: Partial<TaskRequest> = {}): Promise<TaskRequest> {
    const file = await fileIn(directory, "scan.png", "a picture");
    return { source: { files: [file] }, application: "ocr", durationSeconds: SECONDS, ...more };
  }

  const balance = async (account: string): Promise<bigint> => await world.market.balanceOf(account);
  const pass = async (seconds: number): Promise<void> => {
    await world.connection.networkHelpers.time.increase(seconds);
  };
  async function depositFor(account: string, wei: bigint): Promise<void> {
    await world.market.depositFor(account, wei, { value: wei });
  }

  // ---- Signed ----

  describe("signed for somebody else to send", () => {
    let order: SignedOrder;
    beforeEach(async () => {
      order = await world.client.sign(await request());
    });

    it("is paid from the owner's balance, by whoever sends it, and goes its way", async () => {
      await depositFor(world.owner.address, parseEther("1"));
      const path = join(directory, "order.json");
      await writeOrder(path, order);
      const sent = await world
        .clientOf(stranger, { home: cleanup.directory() })
        .sendOrder(await readOrder(path));
      expect(sent.id).to.equal(order.id);
      expect(sent.transaction).not.to.equal(undefined);
      expect(await balance(world.owner.address)).to.equal(parseEther("1") - COST_WEI);
      const status = await world.client.status(order.id);
      expect(status).to.include({ status: "Funded", payer: world.owner.address });
      await pass(2);
      await deliverResult(world, status, provider, { secondsUsed: 2 });
      const { sound, status: after } = await world.client.result(order.id, {
        directory: join(directory, "out"),
      });
      expect(sound).to.equal(true);
      const paidWei = 2n * RATE_WEI;
      expect(after.payment).to.deep.equal({
        paidWei,
        feeWei: FEE(paidWei),
        refundedWei: COST_WEI - paidWei,
      });
      expect(await balance(world.owner.address)).to.equal(parseEther("1") - paidWei);
      expect(await balance(provider.account.address)).to.equal(paidWei - FEE(paidWei));
    });

    it("is paid by a sponsor, who gets back what is not spent", async () => {
      const client = world.clientOf(stranger, { home: cleanup.directory() });
      const short = await errorOf(client.sendOrder(order));
      expect(short.code).to.equal("wallet.insufficient-funds");
      expect(short.next).to.contain("--sponsor");
      await client.sendOrder(order, { sponsor: true });
      expect((await client.status(order.id)).payer).to.equal(stranger.address);
      await world.client.close(order.id, "cancel");
      expect(await balance(stranger.address)).to.equal(COST_WEI);
      expect(await balance(world.owner.address)).to.equal(0n);
    });

    it("is paid once, however often it is sent and by whom", async () => {
      await depositFor(world.owner.address, parseEther("1"));
      const client = world.clientOf(stranger, { home: cleanup.directory() });
      const first = await client.sendOrder(order);
      const second = await client.sendOrder(order);
      const third = await world.client.sendOrder(order);
      expect(first.transaction).not.to.equal(undefined);
      expect(second.transaction).to.equal(undefined);
      expect(third.transaction).to.equal(undefined);
      expect(await balance(world.owner.address)).to.equal(parseEther("1") - COST_WEI);
      // The race, in which both have looked before one was mined, the contract decides.
      const both = marketAt(world.deployment.contracts.TaskMarket, stranger);
      const again = both.order.staticCall({
        terms: encodeTerms(order.terms),
        work: encodeWork(order.work),
        backup: ZeroAddress,
        sponsored: true,
        signature: order.signature ?? "0x",
        quote: { nonce: 0, expiresAt: 0, signature: "0x" },
      });
      expect(String(await again.catch((error: unknown) => error))).to.contain("TaskMarket_TaskExists");
    });

    it("cannot be sent once it was revoked, nor too late", async () => {
      await depositFor(world.owner.address, parseEther("1"));
      const client = world.clientOf(stranger, { home: cleanup.directory() });
      expect((await errorOf(client.revokeOrder(order))).code).to.equal("task.not-owner");
      await world.client.revokeOrder(order);
      expect((await errorOf(client.sendOrder(order))).code).to.equal("task.revoked");
      expect((await errorOf(client.status(order.id))).code).to.equal("task.revoked");
      const late = await world.client.sign(await request());
      await pass(700);
      expect((await errorOf(client.sendOrder(late))).code).to.equal("order.too-late");
      expect(await balance(world.owner.address)).to.equal(parseEther("1"));
    });

    it("is refused with another's signature, without one, and for another market", async () => {
      const client = world.clientOf(stranger, { home: cleanup.directory() });
      const unsigned = unsignedOrder(order, order);
      expect((await errorOf(client.sendOrder(unsigned))).code).to.equal("order.unsigned");
      expect((await errorOf(client.signOrder(unsigned))).code).to.equal("order.wrong-signer");
      const foreign = { ...order, signature: await stranger.signMessage(order.id) };
      expect((await errorOf(client.sendOrder(foreign))).code).to.equal("order.bad-signature");
      const elsewhere = { ...order, chainId: 5n };
      expect((await errorOf(client.sendOrder(elsewhere))).code).to.equal("order.wrong-market");
    });

    it("is read strictly: every changed field shows", async () => {
      const text = orderText(order);
      expect(parseOrder(text)).to.deep.equal({
        ...unsignedOrder(order, order),
        signature: order.signature,
      });
      const file = JSON.parse(text) as Record<string, Record<string, unknown>>;
      const changes: [string, Record<string, unknown>][] = [
        ["its terms", { terms: { ...file["terms"], owner: stranger.address } }],
        ["its work", { work: { ...file["work"], payload: "ar://elsewhere" } }],
        ["a backup", { work: { ...file["work"], backup: stranger.address } }],
        ["its chain", { chainId: 1 }],
        ["its id", { id: `0x${"12".repeat(32)}` }],
        ["something unknown", { more: 1 }],
        ["no schema", { schema: "neura/order/2" }],
        ["a number for a word", { terms: { ...file["terms"], price: 5 } }],
        ["a signature that is none", { signature: "0xzz" }],
      ];
      for (const [name, change] of changes) {
        const changed = JSON.stringify({ ...file, ...change });
        const error: unknown = await Promise.resolve()
          .then(() => parseOrder(changed))
          .catch((thrown: unknown) => thrown);
        expect(error, name).to.have.property("code", "order.invalid");
      }
      expect((await errorOf(readOrder(join(directory, "none.json")))).code).to.equal("order.not-found");
      const path = join(directory, "mine.json");
      writeFileSync(path, "precious");
      expect((await errorOf(writeOrder(path, order))).code).to.equal("order.exists");
      expect(readFileSync(path, "utf8")).to.equal("precious");
    });
  });

  it("is signed by a contract, whose signature is given to it", async () => {
    const { networkHelpers } = world.connection;
    const contract = "0x00000000000000000000000000000000000C0de1";
    const owner = (await import("ethers")).getAddress(contract.toLowerCase());
    // Returns the magic value of ERC-1271 whatever it is asked.
    await networkHelpers.setCode(owner, "0x631626ba7e60e01b60005260206000f3");
    await depositFor(owner, COST_WEI);
    const wanted = await request({ owner, publicResult: true });
    const order = await world.client.sign(wanted);
    expect(order.signature).to.equal(undefined);
    const signed = await world.client.signOrder(order, { signature: "0x1234" });
    await world.clientOf(stranger, { home: cleanup.directory() }).sendOrder(signed);
    expect(await balance(owner)).to.equal(0n);
    expect((await world.client.status(order.id)).terms.owner).to.equal(owner);
    await networkHelpers.setCode(owner, "0x60006000fd");
    expect((await errorOf(world.client.signOrder(order, { signature: "0x1234" }))).code).to.equal(
      "order.bad-signature",
    );
  });

  // ---- Backup ----

  describe("with a backup", () => {
    let backup: { account: Account; key: StoredKey };
    beforeEach(async () => {
      const account = world.others[2];
      if (account === undefined) throw new Error("no account");
      backup = { account, key: await world.register(account, { rateWei: RATE_WEI }) };
    });

    const named = async (): Promise<TaskRequest> =>
      await request({
        provider: provider.account.address,
        backup: backup.account.address,
        collateralWei: 1_000n,
      });

    it("is taken over at the same terms, by somebody who could read it all along", async () => {
      const task = await world.client.submit(await named());
      expect(task.work.backup).to.equal(backup.account.address);
      const funded = await world.client.status(task.id);
      expect(funded).to.deep.include({ hasBackup: true, work: task.work });
      const market = (account: Account) => marketAt(world.deployment.contracts.TaskMarket, account);
      const words = [encodeTerms(task.terms), workHash(task.work)] as const;
      await market(provider.account).accept(...words);
      await pass(200);
      await market(provider.account).abandon(...words);
      const standby = await world.client.status(task.id);
      expect(standby).to.include({ status: "Standby", outcome: "ProviderAbandoned" });
      expect(standby.provider).to.equal(undefined);
      expect(standby.next.map(({ who, action }) => `${who} ${action}`)).to.deep.equal([
        "backup take-over",
        "owner cancel",
      ]);
      await market(backup.account).takeOver(words[0], encodeWork(task.work), backup.account.address);
      const taken = await world.client.status(task.id);
      expect(taken).to.include({ status: "Active", provider: backup.account.address, hasBackup: false });
      const { startBySeconds, completeBySeconds } = task.terms.conditions;
      expect(taken.completeBySeconds).to.equal(taken.nowSeconds + completeBySeconds - startBySeconds);
      await pass(3);
      await deliverResult(world, taken, backup, { secondsUsed: 3 });
      const { sound, status } = await world.client.result(task.id, { directory: join(directory, "out") });
      expect(sound).to.equal(true);
      const paidWei = 3n * RATE_WEI;
      expect(status.payment).to.deep.equal({
        paidWei,
        feeWei: FEE(paidWei),
        refundedWei: COST_WEI - paidWei,
        // A quarter of the first one's collateral, for giving up.
        slashedWei: 250n,
        compensationWei: 250n,
      });
      expect(await balance(world.owner.address)).to.equal(COST_WEI - paidWei + 250n);
      expect(await balance(backup.account.address)).to.equal(paidWei - FEE(paidWei));
      expect(await balance(provider.account.address)).to.equal(0n);
      expect(status.phases.map(({ phase }) => phase)).to.deep.equal([
        "submitted",
        "accepted",
        "passed-on",
        "accepted",
        "delivered",
      ]);
    });

    it("waits for it, and expires where it does not come", async () => {
      const task = await world.client.submit(await named());
      const { startBySeconds } = task.terms.conditions;
      await pass(605);
      const late = await world.client.status(task.id);
      expect(late.next.map(({ who, action, untilSeconds }) => [who, action, untilSeconds])).to.deep.equal([
        ["backup", "take-over", startBySeconds + 150],
        ["owner", "cancel", startBySeconds + 150],
      ]);
      await pass(150);
      const { status } = await world.clientOf(stranger).close(task.id, "expire");
      expect(status.payment).to.deep.equal({ paidWei: 0n, feeWei: 0n, refundedWei: COST_WEI });
      expect(await balance(world.owner.address)).to.equal(COST_WEI);
    });

    it("must be a provider that fits and is another one", async () => {
      const [, , , nobody] = world.others;
      const wanted = await request({ provider: provider.account.address, backup: nobody?.address });
      expect((await errorOf(world.client.prepare(wanted))).code).to.equal("provider.unknown");
      const same = await request({
        provider: provider.account.address,
        backup: provider.account.address,
      });
      expect((await errorOf(world.client.prepare(same))).code).to.equal("provider.unfit");
    });
  });

  // ---- Quotes ----

  describe("with a quote", () => {
    let asked: bigint[];
    let rateWei: bigint;
    beforeEach(async () => {
      asked = [];
      rateWei = RATE_WEI;
      const { chainId, contracts } = world.deployment;
      const domain = { chainId: BigInt(chainId), market: contracts.TaskMarket };
      const url = await serve(cleanup, (incoming, answer) => {
        const reply = async (): Promise<string> => {
          if (incoming.method === "GET") {
            const document = documentOf(provider.account.address, { quoteUrl: `${url}/quote` });
            const registry = { chainId: BigInt(chainId), registry: contracts.ProviderRegistry };
            return await signMetadata(document, { domain: registry, signer: provider.account });
          }
          const { id, terms } = parseQuoteRequest((await collect(incoming)).toString(), domain);
          asked.push(terms.price.amountWei);
          const now = (await world.connection.networkHelpers.time.latest()) + 60;
          const price = { rateWei };
          if (terms.price.amountWei < rateWei) {
            const decline = { reason: "PriceTooLow", message: "More.", declinedAtSeconds: now } as const;
            const signature = await signDecline(domain, id, decline, provider.account);
            return encodeQuoteAnswer(id, { price, decline, signature });
          }
          const quote = { nonce: BigInt(asked.length), expiresAtSeconds: now };
          const signature = await signQuote(domain, id, quote, provider.account);
          return encodeQuoteAnswer(id, { price, quote: { ...quote, signature } });
        };
        reply().then(
          (text) => answer.end(text),
          (error: unknown) => answer.destroy(error instanceof Error ? error : undefined),
        );
      });
      const registry = await world.connection.ethers.getContractAt(
        "ProviderRegistry",
        contracts.ProviderRegistry,
        provider.account,
      );
      const { offer } = await registry.providerOf(provider.account.address);
      const { shape, slots } = offer;
      await registry.updateOffer({ shape, rateWei: RATE_WEI, slots, metadata: url });
    });

    const client = () => world.clientOf(world.owner, { home: world.home, allowLoopback: true });

    it("is submitted and accepted in one transaction", async () => {
      const task = await client().submit(await request({ withQuote: true, collateralWei: 1_000n }));
      expect(asked).to.deep.equal([RATE_WEI]);
      expect(task.quote).to.include({ rateWei: RATE_WEI });
      const status = await client().status(task.id);
      expect(status).to.include({ status: "Active", provider: provider.account.address });
      expect(status.accepted?.transactionHash).to.equal(task.transaction?.hash);
      expect((await errorOf(client().close(task.id, "cancel"))).code).to.equal("task.not-possible");
      await pass(1);
      await deliverResult(world, status, provider);
      expect(await balance(provider.account.address)).to.equal(RATE_WEI - FEE(RATE_WEI));
      expect(await balance(world.owner.address)).to.equal(COST_WEI - RATE_WEI);
    });

    it("is ordered at the price that the node asks now, as far as that was allowed", async () => {
      rateWei = RATE_WEI + 5n;
      const dear = await errorOf(client().submit(await request({ withQuote: true })));
      expect(dear.code).to.equal("quote.declined");
      expect(asked).to.deep.equal([RATE_WEI]);
      const task = await client().submit(await request({ withQuote: true, maxCostWei: COST_WEI + 1_000n }));
      expect(asked).to.deep.equal([RATE_WEI, RATE_WEI, RATE_WEI + 5n]);
      expect(task.costWei).to.equal((RATE_WEI + 5n) * BigInt(SECONDS));
      const capped = await request({ withQuote: true, maxCostWei: COST_WEI + 299n });
      expect((await errorOf(client().submit(capped))).code).to.equal("quote.too-dear");
    });

    it("says that who gives no quotes is ordered without one", async () => {
      const offline = await errorOf(world.client.prepare(await request({ withQuote: true })));
      expect(offline.code).to.equal("quote.unavailable");
      expect(offline.next).to.contain("without");
    });
  });

  // ---- Models ----

  it("pays a model's royalty in the settlement, as it was shown beforehand", async () => {
    const { ethers } = world.connection;
    const models = await ethers.getContractAt(
      "ModelRegistry",
      world.deployment.contracts.ModelRegistry,
      stranger,
    );
    await models.register(`0x${"11".repeat(32)}`, "ar://weights", "MIT", 1_000, stranger.address);
    const prepared = await world.client.prepare(await request({ model: 1 }));
    expect(prepared.features).to.deep.equal({ model: 1, royaltyBps: 1_000 });
    const task = await world.client.submit(prepared);
    await pass(10);
    await deliverResult(world, task, provider, { secondsUsed: 10 });
    const paidWei = 10n * RATE_WEI;
    const { payment } = await world.client.status(task.id);
    expect(payment).to.deep.equal({
      paidWei,
      feeWei: FEE(paidWei),
      refundedWei: COST_WEI - paidWei,
      royaltyWei: paidWei / 10n,
    });
    expect(await balance(stranger.address)).to.equal(paidWei / 10n);
    expect(await balance(provider.account.address)).to.equal(paidWei - FEE(paidWei) - paidWei / 10n);
    expect((await errorOf(world.client.prepare(await request({ model: 9 })))).code).to.equal("model.unknown");
  });

  // ---- Limits ----

  it("keeps to the spending limits before a byte moves, and counts what was paid in the end", async () => {
    const home = cleanup.directory();
    const limits = { taskWei: COST_WEI, hourWei: 2n * COST_WEI, monthWei: 10n * COST_WEI };
    await saveLimits(home, limits, world.deployment.currency);
    expect(readFileSync(limitsPath(home), "utf8")).to.contain("0.00006");
    const client = world.clientOf(world.owner, { home });
    const wanted = await request({ publicResult: true });
    const large = await request({ publicResult: true, durationSeconds: 2 * SECONDS });
    expect((await errorOf(client.prepare(large))).code).to.equal("limit.task");
    const first = await client.submit(wanted);
    await client.submit(wanted);
    expect((await errorOf(client.prepare(wanted))).code).to.equal("limit.hour");
    // It ended and cost nothing: there is room again, which the next order finds out by itself.
    const market = marketAt(world.deployment.contracts.TaskMarket, provider.account);
    await market.decline(encodeTerms(first.terms), workHash(first.work), Outcome.NoCapacity);
    const { id, terms } = await client.submit(wanted);
    expect(maximumCostWei(terms)).to.equal(COST_WEI);
    expect((await client.status(id)).status).to.equal("Funded");
    expect((await errorOf(client.prepare(wanted))).code).to.equal("limit.hour");
    const own = await request({ publicResult: true, spending: { taskWei: COST_WEI - 1n } });
    expect((await errorOf(client.prepare(own))).code).to.equal("limit.task");
  });
});
