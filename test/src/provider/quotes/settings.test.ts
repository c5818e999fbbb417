import { expect } from "chai";

import { messageOf } from "../../../../src/errors.ts";
import { parsePolicy } from "../../../../src/provider/policy.ts";
import { type QuotePolicy, quoteUrlOf } from "../../../../src/provider/quotes/settings.ts";

function quotes(fields: unknown): QuotePolicy | undefined {
  return parsePolicy(JSON.stringify({ schema: "neura/provider-policy/1", quotes: fields })).quotes;
}

function faultsOf(fields: unknown): string {
  try {
    quotes(fields);
  } catch (error) {
    return messageOf(error);
  }
  throw new Error("It was accepted.");
}

describe("the policy's quotes", () => {
  it("are given in the market's currency, on this machine, unless more is said", () => {
    expect(quotes({})).to.deep.equal({
      listen: { host: "127.0.0.1", port: 4280 },
      url: undefined,
      validSeconds: 60,
      usd: undefined,
    });
    expect(quotes(undefined)).to.equal(undefined);
  });

  it("are reckoned in USD by one source of the provider's own", () => {
    const sources = [
      [{ fixed: "0.03" }, { kind: "fixed", usdPerCoin: "0.03" }],
      [{ command: ["/opt/price", "ANKR"] }, { kind: "command", command: ["/opt/price", "ANKR"] }],
      [
        { url: "https://prices.example/ankr", price: "/ankr/usd", time: "/ankr/time" },
        { kind: "url", url: "https://prices.example/ankr", price: "/ankr/usd", time: "/ankr/time" },
      ],
    ];
    for (const [priceSource, source] of sources)
      expect(quotes({ usdPerHour: "0.42", priceSource })?.usd).to.deep.equal({
        usdPerHour: "0.42",
        source,
        maxAgeSeconds: 300,
      });
  });

  it("name all their faults", () => {
    expect(faultsOf({ listen: "localhost:1", validSeconds: 1, url: "gopher://x", more: 1 }))
      .to.include("quotes.listen is no address such as 127.0.0.1:4280")
      .and.to.include("quotes.validSeconds is no whole number from 5 to 3600")
      .and.to.include("quotes.url is no URL")
      .and.to.include("quotes.more is unknown");
    for (const listen of ["127.0.0.1", "127.0.0.1:70000", "1.2.3:80", "::1:80"])
      expect(faultsOf({ listen }), listen).to.include("quotes.listen");
    const without = "one of usdPerHour and priceSource without the other";
    expect(faultsOf({ usdPerHour: "0.42" })).to.include(without);
    expect(faultsOf({ priceSource: { fixed: "0.03" } })).to.include(without);
    for (const priceSource of [
      {},
      { fixed: "0.03", command: ["x"] },
      { url: "https://x.example/" },
      { fixed: "0" },
    ])
      expect(faultsOf({ usdPerHour: "0.42", priceSource })).to.include("priceSource");
  });

  it("say where owners ask, as far as that is known", () => {
    const at = (fields: unknown, port?: number): string | undefined => quoteUrlOf(quotes(fields)!, port);
    expect(at({})).to.equal("http://127.0.0.1:4280/quote");
    expect(at({ listen: "[::1]:0" }, 5000)).to.equal("http://[::1]:5000/quote");
    expect(at({ listen: "0.0.0.0:80" })).to.equal(undefined);
    expect(at({ listen: "0.0.0.0:80", url: "https://p.example/quote" })).to.equal("https://p.example/quote");
  });
});
