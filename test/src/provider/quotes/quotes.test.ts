import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { hexlify, randomBytes, Wallet } from "ethers";

import { MarketClient } from "../../../../src/market/client.ts";
import { openMarket, type MarketContext } from "../../../../src/market/context.ts";
import { encodeOrder } from "../../../../src/market/order.ts";
import {
  encodeQuoteAnswer,
  encodeQuoteRequest,
  type QuoteAnswer,
  type QuoteDecline,
  type ReceivedQuote,
  requestQuote,
  signDecline,
  signQuote,
} from "../../../../src/market/quotes.ts";
import { maximumCostWei, type Task, taskId, type Terms } from "../../../../src/market/terms.ts";
import { parseMetadata, signerOfMetadata } from "../../../../src/provider/metadata.ts";
import type { ProviderNode } from "../../../../src/provider/node.ts";
import type { Policy } from "../../../../src/provider/policy.ts";
import type { QuotePolicy, UsdPolicy } from "../../../../src/provider/quotes/settings.ts";
import { updateProvider } from "../../../../src/provider/registration.ts";
import { fileIn, MACHINE, RATE_WEI } from "../../market/support.ts";
import { Cleanup, errorOf, serve } from "../../storage/support.ts";
import { Stage, textIn } from "../support.ts";

const UNLIMITED = { maximumWei: 10n ** 30n };

describe("quotes", function () {
  this.timeout(60_000);
  const cleanup = new Cleanup();
  let stage: Stage;
  let context: MarketContext;
  let node: ProviderNode | undefined;

  before(async () => {
    stage = await Stage.create(cleanup);
    const { deployment, storage, home, owner } = stage.world;
    context = openMarket({ runner: owner, deployment, storage: () => storage, home, allowLoopback: true });
  });
  afterEach(async () => {
    await node?.stop();
    stage.events.splice(0);
    stage.runner.script.seconds = 0;
  });
  after(() => cleanup.run());

  /** A node that gives quotes, once it has seen the chain, and where it does. */
  async function start(
    change: Partial<QuotePolicy> = {},
    policy: Partial<Policy> = {},
  ): Promise<{ url: string; quoteUrl: string }> {
    const listen = { host: "127.0.0.1", port: 0 };
    const quotes = { listen, url: undefined, validSeconds: 60, usd: undefined, ...change };
    node = await stage.start({ policy: { ...policy, quotes } });
    const url = textIn(await stage.event("quoting"), "url");
    const quoteUrl = `${url}/quote`;
    const body = encodeQuoteRequest(await taskOf());
    for (;;) {
      const answer = await (await fetch(quoteUrl, { method: "POST", body })).text();
      if (!answer.includes("the node is starting")) return { url, quoteUrl };
      await sleep(20);
    }
  }

  /** An owner's task that is not on the chain; the payload of it is of no interest here. */
  async function taskOf(
    change: Partial<Omit<Terms, "conditions">> & { conditions?: Partial<Terms["conditions"]> } = {},
  ): Promise<Task> {
    const { world, provider } = stage;
    const now = (await world.connection.ethers.provider.getBlock("latest"))!.timestamp;
    const terms: Terms = {
      owner: world.owner.address,
      provider: provider.address,
      price: { amountWei: RATE_WEI, metered: true },
      collateralWei: 0n,
      salt: hexlify(randomBytes(32)),
      ...change,
      conditions: {
        startBySeconds: now + 600,
        completeBySeconds: now + 1200,
        durationSeconds: 60,
        keyEpoch: 1,
        ...change.conditions,
      },
    };
    const work = { resources: MACHINE, payloadHash: `0x${"11".repeat(32)}`, payload: "ar://x" };
    return { id: taskId(stage.domain, terms, work), terms, work };
  }

  async function send({ terms, work }: Task, quote: ReceivedQuote): Promise<unknown> {
    const { market } = context.contracts;
    return await market.order(encodeOrder({ terms, work, quote }), { value: maximumCostWei(terms) });
  }

  async function declineOf(url: string, task: Task): Promise<Record<string, unknown>> {
    const error = await errorOf(requestQuote(context, url, task, UNLIMITED));
    expect(error.code, error.message).to.equal("quote.declined");
    return error.details;
  }

  describe("from a node", () => {
    it("make submitting and accepting one transaction, found by the provider's own document", async () => {
      const { url, quoteUrl } = await start();
      const { provider, world } = stage;
      const text = await (await fetch(`${url}/metadata`)).text();
      const parsed = parseMetadata(text);
      const { ProviderRegistry: registry } = world.deployment.contracts;
      expect(signerOfMetadata(parsed, { chainId: stage.domain.chainId, registry })).to.equal(
        provider.address,
      );
      expect(parsed.metadata).to.deep.include({ account: provider.address, quoteUrl });
      expect(parsed.metadata.applications).to.deep.equal([{ name: "test", version: "0" }]);
      const { slots, freeSlots, shape } = parsed.metadata.capacity;
      expect([slots, freeSlots, shape.cpuMilli > 0]).to.deep.equal([1, 1, true]);

      const offer = { shape: MACHINE, rateWei: RATE_WEI, slots: 1, metadata: `${url}/metadata` };
      await updateProvider({ deployment: world.deployment, signer: provider }, { offer });
      const { deployment, storage, home, owner } = world;
      const client = new MarketClient({
        runner: owner,
        deployment,
        storage: () => storage,
        home,
        allowLoopback: true,
      });
      const file = await fileIn(cleanup.directory(), "question.txt");
      const request = {
        source: { files: [file] },
        application: "test",
        durationSeconds: 60,
        withQuote: true,
      };
      const submitted = await client.submit(request);
      const status = await client.status(submitted.id);
      expect(status.accepted?.transactionHash).to.equal(submitted.transaction?.hash);
      await stage.event("delivered", { task: submitted.id });
    });

    it("promise one place to several, of whom the first on the chain has it", async () => {
      const { quoteUrl } = await start();
      const [one, other] = [await taskOf(), await taskOf()];
      const first = await requestQuote(context, quoteUrl, one, UNLIMITED);
      const second = await requestQuote(context, quoteUrl, other, UNLIMITED);
      expect(first.rateWei).to.equal(RATE_WEI);
      expect(second.nonce).to.equal(first.nonce);
      expect(await requestQuote(context, quoteUrl, one, UNLIMITED)).to.deep.include({ nonce: first.nonce });
      await send(other, second);
      const refused: unknown = await send(one, first).catch((thrown: unknown) => thrown);
      expect(String(refused)).to.include("Orders_QuoteUsed");
      await stage.event("found", { task: other.id });
      // Its payload cannot be read: the place is free again once it is declined, under another nonce.
      await stage.event("declined", { task: other.id });
      expect((await requestQuote(context, quoteUrl, one, UNLIMITED)).nonce > first.nonce).to.equal(true);
    });

    it("are none while every place is taken", async () => {
      const { quoteUrl } = await start();
      stage.runner.script.seconds = 2;
      const { id } = await stage.submit();
      await stage.event("running", { task: id });
      const numbers = { needed: "1 free place", offered: "0 free places" };
      expect(await declineOf(quoteUrl, await taskOf())).to.include({ reason: "NoCapacity", ...numbers });
      await stage.event("delivered", { task: id });
      expect(await requestQuote(context, quoteUrl, await taskOf(), UNLIMITED)).to.include({
        rateWei: RATE_WEI,
      });
    });

    it("are declined with a signed reason and both numbers", async () => {
      const stranger = Wallet.createRandom().address;
      const { quoteUrl } = await start({}, { owners: { allow: undefined, deny: [stranger] } });
      const cases: [Parameters<typeof taskOf>[0], Record<string, unknown>][] = [
        [{ owner: stranger }, { reason: "PolicyRefused" }],
        [
          { price: { amountWei: RATE_WEI - 1n, metered: true } },
          {
            reason: "PriceTooLow",
            needed: `${RATE_WEI} wei`,
            offered: `${RATE_WEI - 1n} wei`,
            rateWei: RATE_WEI,
          },
        ],
        [{ collateralWei: 10n ** 24n }, { reason: "RequirementsUnmet", needed: `${10n ** 24n} wei` }],
        [{ conditions: { durationSeconds: 5000 } }, { reason: "NoCapacity", needed: "5010 s" }],
        [{ conditions: { keyEpoch: 9 } }, { reason: "KeyRevoked" }],
      ];
      for (const [change, details] of cases) {
        const task = await taskOf(change);
        expect(await declineOf(quoteUrl, task)).to.include(details);
      }
      // A node speaks for its own provider only.
      const foreign = await taskOf({ provider: stranger });
      const error = await errorOf(requestQuote(context, quoteUrl, foreign, UNLIMITED));
      expect(error.code).to.equal("quote.wrong-signer");
    });

    it("are reckoned in USD by the provider's own price, up to the owner's ceiling", async () => {
      // 0.0036 USD an hour at 1 USD a coin: 10^12 wei a second, which is RATE_WEI; at 0.5 USD twice as much.
      const source = { kind: "fixed", usdPerCoin: "0.5" } as const;
      const usd: UsdPolicy = { usdPerHour: "0.0036", source, maxAgeSeconds: 60 };
      const { quoteUrl } = await start({ usd });
      const details = await declineOf(quoteUrl, await taskOf());
      expect(details).to.include({ reason: "PriceTooLow", rateWei: 2n * RATE_WEI });
      const task = await taskOf({ price: { amountWei: 2n * RATE_WEI, metered: true } });
      const ceiling = { maximumWei: 120n * RATE_WEI };
      const quote = await requestQuote(context, quoteUrl, task, ceiling);
      expect(quote.rateWei).to.equal(2n * RATE_WEI);
      expect(quote.usd).to.include({ usdPerHour: "0.0036", usdPerCoin: "0.5" });
      const error = await errorOf(
        requestQuote(context, quoteUrl, task, { maximumWei: 120n * RATE_WEI - 1n }),
      );
      expect(error.code).to.equal("quote.too-dear");
    });

    it("are not given without a fresh price", async () => {
      const source = { kind: "command", command: ["/nowhere/price"] } as const;
      const usd: UsdPolicy = { usdPerHour: "1", source, maxAgeSeconds: 60 };
      const { quoteUrl } = await start({ usd });
      for (let asked = 0; asked < 2; asked++)
        expect(await declineOf(quoteUrl, await taskOf())).to.include({ reason: "InfrastructureFault" });
      expect(stage.events.filter(({ code }) => code === "price.unavailable")).to.have.length(1);
    });
  });

  describe("from anybody else", () => {
    const price = { rateWei: RATE_WEI };

    /** A server that answers every request with this. */
    async function answering(body: string, status = 200): Promise<string> {
      return await serve(cleanup, (_, response) => response.writeHead(status).end(body));
    }

    async function quoteBy(
      task: Task,
      signer: Wallet | Stage["provider"],
      expiresAtSeconds: number,
    ): Promise<QuoteAnswer & { quote: object }> {
      const promise = { nonce: 1n, expiresAtSeconds };
      const signature = await signQuote(stage.domain, task.id, promise, signer);
      return { price, quote: { ...promise, signature } };
    }

    async function codeOf(task: Task, body: string, status = 200): Promise<string> {
      const url = await answering(body, status);
      return (await errorOf(requestQuote(context, url, task, UNLIMITED))).code;
    }

    it("are refused", async () => {
      const task = await taskOf();
      const other = await taskOf();
      const { startBySeconds } = task.terms.conditions;
      const stranger = new Wallet(`0x${"99".repeat(32)}`);
      const good = await quoteBy(task, stage.provider, startBySeconds);
      const url = await answering(encodeQuoteAnswer(task.id, good));
      expect(await requestQuote(context, url, task, UNLIMITED)).to.deep.equal({ ...good.quote, ...price });

      const text = (id: string, answer: QuoteAnswer): string => encodeQuoteAnswer(id, answer);
      const forged = await quoteBy(task, stranger, startBySeconds);
      const late = await quoteBy(task, stage.provider, startBySeconds - 600);
      const elsewhere = await quoteBy(other, stage.provider, startBySeconds);
      const usd = { usdPerHour: "1", usdPerCoin: "1", pricedAtSeconds: 0 };
      const cases: [string, string, number?][] = [
        ["quote.wrong-signer", text(task.id, forged)],
        ["quote.expired", text(task.id, late)],
        ["quote.invalid", text(other.id, elsewhere)],
        ["quote.wrong-signer", text(task.id, elsewhere)],
        ["quote.invalid", text(task.id, { ...good, price: { ...price, usd } })],
        ["quote.invalid", text(task.id, { quote: good.quote as never })],
        ["quote.invalid", "<html>"],
        ["quote.invalid", "{}"],
        ["quote.unavailable", '{"error":{"code":"rate.limited"}}', 429],
        ["quote.unavailable", "x".repeat(70_000)],
      ];
      for (const [code, body, status] of cases)
        expect(await codeOf(task, body, status), body.slice(0, 100)).to.equal(code);
    });

    it("are no reasons to believe either, unless the provider signed them", async () => {
      const task = await taskOf();
      const decline: QuoteDecline = { reason: "PolicyRefused", message: "no", declinedAtSeconds: 0 };
      const by = async (signer: Wallet | Stage["provider"]): Promise<string> => {
        const signature = await signDecline(stage.domain, task.id, decline, signer);
        return encodeQuoteAnswer(task.id, { decline, signature });
      };
      expect(await codeOf(task, await by(stage.provider))).to.equal("quote.declined");
      expect(await codeOf(task, await by(new Wallet(`0x${"99".repeat(32)}`)))).to.equal("quote.wrong-signer");
      const changed = (await by(stage.provider)).replace('"no"', '"never"');
      expect(await codeOf(task, changed)).to.equal("quote.wrong-signer");
      expect(await codeOf(task, (await by(stage.provider)).replace("PolicyRefused", "Completed"))).to.equal(
        "quote.invalid",
      );
    });

    it("are not asked for inside a private network", async () => {
      const task = await taskOf();
      for (const url of ["http://10.0.0.1/quote", "https://169.254.169.254/", "ar://x"]) {
        const error = await errorOf(requestQuote(context, url, task, UNLIMITED));
        expect(error.code, url).to.equal("url.not-public");
      }
      const strict = { ...context, allowLoopback: false };
      const error = await errorOf(requestQuote(strict, await answering("{}"), task, UNLIMITED));
      expect(error.code).to.equal("url.not-public");
    });
  });
});
