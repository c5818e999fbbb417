import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";

import { NeuraError } from "../../../../src/errors.ts";
import { encodeQuoteRequest, type QuoteAnswer } from "../../../../src/market/quotes.ts";
import { NO_RESOURCES } from "../../../../src/market/resources.ts";
import { type Task, taskId, type Terms, type Work } from "../../../../src/market/terms.ts";
import type { NodeEvent } from "../../../../src/provider/log.ts";
import {
  type QuoteServer,
  type QuoteServerOptions,
  startQuoteServer,
} from "../../../../src/provider/quotes/server.ts";
import { Cleanup, errorOf } from "../../storage/support.ts";

const domain = { chainId: 267n, market: "0x1111111111111111111111111111111111111111" };
const PROVIDER = "0x2222222222222222222222222222222222222222";
const SECRET = "correct horse battery staple";
const QUOTE = { quote: { nonce: 7n, expiresAtSeconds: 100, signature: `0x${"00".repeat(65)}` } };

const terms: Terms = {
  owner: "0x3333333333333333333333333333333333333333",
  provider: PROVIDER,
  price: { amountWei: 5n, metered: true },
  conditions: { startBySeconds: 100, completeBySeconds: 1000, durationSeconds: 60, keyEpoch: 1 },
  collateralWei: 0n,
  salt: `0x${"44".repeat(32)}`,
};
const work: Work = { resources: NO_RESOURCES, payloadHash: `0x${"55".repeat(32)}`, payload: "ar://x" };

describe("the node's server for quotes", () => {
  const cleanup = new Cleanup();
  after(() => cleanup.run());

  async function start(
    change: Partial<QuoteServerOptions> = {},
  ): Promise<QuoteServer & { events: NodeEvent[]; asked: Task[] }> {
    const events: NodeEvent[] = [];
    const asked: Task[] = [];
    const server = await startQuoteServer({
      listen: { host: "127.0.0.1", port: 0 },
      domain,
      metadata: () => Promise.resolve("{}"),
      answer: (task) => {
        asked.push(task);
        return Promise.resolve<QuoteAnswer>(QUOTE);
      },
      emit: (event) => void events.push(event),
      ...change,
    });
    cleanup.add(() => server.close());
    return { ...server, events, asked };
  }

  async function post(
    server: QuoteServer,
    body: string,
  ): Promise<{ status: number; json: unknown; text: string }> {
    const response = await fetch(`${server.url}/quote`, { method: "POST", body });
    const text = await response.text();
    return { status: response.status, json: JSON.parse(text), text };
  }

  it("reads the very task that the owner means, and answers about it", async () => {
    const server = await start();
    const { status, json } = await post(server, encodeQuoteRequest({ terms, work }));
    const id = taskId(domain, terms, work);
    expect(status).to.equal(200);
    expect(json).to.deep.equal({
      schema: "neura/quote/1",
      task: id,
      quote: { nonce: "7", expiresAtSeconds: 100, signature: QUOTE.quote.signature },
    });
    expect(server.asked).to.deep.equal([{ id, terms, work }]);
    expect(server.events).to.deep.include({
      level: "info",
      event: "quoted",
      task: id,
      owner: terms.owner,
      nonce: 7n,
    });
  });

  it("serves the document about the provider", async () => {
    const response = await fetch(`${(await start()).url}/metadata`);
    expect(await response.text()).to.equal("{}");
    expect(response.headers.get("content-type")).to.equal("application/json; charset=utf-8");
  });

  it("refuses what is no request, by a code and nothing that was sent", async () => {
    const server = await start();
    const good: Record<string, unknown> = { ...(JSON.parse(encodeQuoteRequest({ terms, work })) as object) };
    const cases: [string, number, string][] = [
      [SECRET, 400, "quote.bad-request"],
      ["[]", 400, "quote.bad-request"],
      [JSON.stringify({ ...good, [SECRET]: 1 }), 400, "quote.bad-request"],
      [JSON.stringify({ ...good, terms: {} }), 400, "quote.bad-request"],
      [JSON.stringify(good).replace('"price":"', '"price":"-'), 400, "quote.bad-request"],
      [
        JSON.stringify(good).replace('"resources":"0"', `"resources":"${2n ** 255n}"`),
        422,
        "resources.malformed",
      ],
      [
        JSON.stringify(good).replace(/"conditions":"\d+"/, `"conditions":"${2n ** 255n}"`),
        422,
        "terms.unsupported",
      ],
      [`{"a":"${"x".repeat(70_000)}"}`, 413, "quote.too-large"],
    ];
    for (const [body, status, code] of cases) {
      const answer = await post(server, body);
      expect([answer.status, answer.json], body.slice(0, 80)).to.deep.equal([status, { error: { code } }]);
    }
    expect(server.asked).to.deep.equal([]);
    for (const [method, path, status] of [
      ["GET", "/quote", 405],
      ["DELETE", "/metadata", 405],
      ["GET", "/../etc/passwd", 404],
      ["GET", "/", 404],
    ] as const)
      expect((await fetch(server.url + path, { method })).status, path).to.equal(status);
  });

  it("keeps its own troubles to its log", async () => {
    const server = await start({
      answer: () => Promise.reject(new NeuraError("chain.unavailable", `http://node/${SECRET}`)),
      metadata: () => Promise.reject(new Error(SECRET)),
    });
    const quote = await post(server, encodeQuoteRequest({ terms, work }));
    const metadata = await fetch(`${server.url}/metadata`);
    for (const [status, text] of [
      [quote.status, quote.text],
      [metadata.status, await metadata.text()],
    ])
      expect([status, text]).to.deep.equal([500, '{"error":{"code":"unavailable"}}']);
    expect(server.events.map(({ event, code }) => [event, code])).to.deep.equal([
      ["trouble", "chain.unavailable"],
      ["trouble", "unexpected"],
    ]);
  });

  it("answers so many requests of one address, and then again as they flow in", async () => {
    const rates = { each: { burst: 3, perSecond: 5 }, all: { burst: 100, perSecond: 100 } };
    const server = await start({ rates });
    const statuses: number[] = [];
    for (let index = 0; index < 5; index++) statuses.push((await fetch(`${server.url}/metadata`)).status);
    expect(statuses.slice(0, 3)).to.deep.equal([200, 200, 200]);
    expect(statuses.at(-1)).to.equal(429);
    let status = 429;
    for (let tries = 0; status === 429 && tries < 100; tries++) {
      await sleep(50);
      ({ status } = await fetch(`${server.url}/metadata`));
    }
    expect(status).to.equal(200);
  });

  it("is not held up by a request that never ends", async () => {
    const server = await start();
    const socket = connect(server.port, "127.0.0.1");
    cleanup.add(() => socket.destroy());
    await new Promise<void>((resolve) => socket.once("connect", resolve));
    socket.write("POST /quote HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{");
    expect((await fetch(`${server.url}/metadata`)).status).to.equal(200);
    await server.close();
  });

  it("says where it cannot listen", async () => {
    const { port } = await start();
    const error = await errorOf(start({ listen: { host: "127.0.0.1", port } }));
    expect(error.code).to.equal("quotes.cannot-listen");
    expect(error.next).to.include("quotes.listen");
  });
});
