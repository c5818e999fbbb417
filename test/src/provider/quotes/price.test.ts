import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";

import { PriceFeed } from "../../../../src/provider/quotes/price.ts";
import type { PriceSource } from "../../../../src/provider/quotes/settings.ts";
import { Cleanup, errorOf, serve } from "../../storage/support.ts";

describe("the price of the coin", () => {
  const cleanup = new Cleanup();
  after(() => cleanup.run());
  let seconds = 1_800_000_000;

  function feed(source: PriceSource, maxAgeSeconds = 300): PriceFeed {
    return new PriceFeed({ source, maxAgeSeconds, now: () => seconds });
  }

  function script(text: string): { source: PriceSource; path: string } {
    const path = join(cleanup.directory(), "price");
    writeFileSync(path, `#!/bin/sh\n${text}\n`);
    chmodSync(path, 0o755);
    return { source: { kind: "command", command: [path, "ANKR"] }, path };
  }

  async function document(answer: () => unknown): Promise<{ url: string; requests: () => number }> {
    let requests = 0;
    const url = await serve(cleanup, (_, response) => {
      requests += 1;
      const value = answer();
      if (value === undefined) response.writeHead(503).end();
      else response.end(JSON.stringify(value));
    });
    return { url: `${url}/price`, requests: () => requests };
  }

  it("is fixed where the provider says so", async () => {
    expect(await feed({ kind: "fixed", usdPerCoin: "0.03" }).read()).to.deep.equal({
      usdPerCoin: "0.03",
      pricedAtSeconds: seconds,
    });
  });

  it("is what a program prints, which is told no secret", async () => {
    process.env["NEURA_PRIVATE_KEY"] ??= "secret";
    const { source } = script('[ "$1" = ANKR ] && [ -z "$NEURA_PRIVATE_KEY" ] && echo " 0.0312 "');
    expect((await feed(source).read()).usdPerCoin).to.equal("0.0312");
  });

  it("is never made up: not where the program fails, prints something else, or too much", async () => {
    const programs = ["exit 3", "echo free", "echo 0", "echo -1", "echo", "yes 1 | head -c 100000"];
    for (const text of programs) {
      const error = await errorOf(feed(script(text).source).read());
      expect(error.code, text).to.equal("price.unavailable");
    }
    const error = await errorOf(feed({ kind: "command", command: ["/nowhere/price"] }).read());
    expect(error.code).to.equal("price.unavailable");
  });

  it("is found in a JSON document, as text or number, with the document's own time", async () => {
    const { url } = await document(() => ({ "a/b": [{ usd: 0.0312 }], text: "3e-2", at: seconds - 20 }));
    const at = (price: string, time?: string): PriceFeed => feed({ kind: "url", url, price, time });
    expect(await at("/a~1b/0/usd", "/at").read()).to.deep.equal({
      usdPerCoin: "0.0312",
      pricedAtSeconds: seconds - 20,
    });
    expect(await at("/text").read()).to.deep.equal({ usdPerCoin: "3e-2", pricedAtSeconds: seconds });
    for (const pointer of ["/nothing", "/a~1b", "/a~1b/1/usd", "/text/length", "/constructor/name"])
      expect(await errorOf(at(pointer).read()), pointer).to.have.property("code", "price.unavailable");
  });

  it("is not older than it may be, by the document's own time", async () => {
    let at = seconds - 301;
    const { url } = await document(() => ({ usd: "0.03", at }));
    const prices = feed({ kind: "url", url, price: "/usd", time: "/at" });
    expect((await errorOf(prices.read())).message).to.include(`is of ${at}`);
    at = seconds + 120;
    expect((await errorOf(prices.read())).message).to.include("dated");
    at = seconds - 300;
    expect((await prices.read()).pricedAtSeconds).to.equal(at);
  });

  it("is asked for every half minute at most, kept while it is fresh, and dropped then", async () => {
    let price: string | undefined = "0.03";
    const { url, requests } = await document(() => (price === undefined ? undefined : { usd: price }));
    const prices = feed({ kind: "url", url, price: "/usd", time: undefined });
    await Promise.all([prices.read(), prices.read(), prices.read()]);
    expect(requests()).to.equal(1);
    seconds += 31;
    price = "0.04";
    expect((await prices.read()).usdPerCoin).to.equal("0.04");
    seconds += 300;
    price = undefined;
    expect((await prices.read()).usdPerCoin).to.equal("0.04");
    seconds += 1;
    expect((await errorOf(prices.read())).message).to.include("answers 503");
    price = "0.05";
    expect((await prices.read()).usdPerCoin).to.equal("0.05");
  });
});
