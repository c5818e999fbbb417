import { createHmac } from "node:crypto";
import { inspect } from "node:util";
import { expect } from "chai";

import { verifyWebhook, webhookSink } from "../../../../src/market/alarms/webhook.ts";
import type { Sink } from "../../../../src/market/alarms/sink.ts";
import { Secret } from "../../../../src/secret.ts";
import { Cleanup, errorOf } from "../../storage/support.ts";
import { ALARM, receiver, SECRET } from "./support.ts";

describe("webhookSink", function () {
  this.timeout(20_000);
  const cleanup = new Cleanup();
  afterEach(() => cleanup.run());

  function sink(url: URL, { timeoutSeconds = 10, secret = SECRET } = {}): Sink {
    return webhookSink({ name: "ops", kinds: undefined, timeoutSeconds, url, secret });
  }

  it("N10_posts the alarm with a signature that any receiver can check", async () => {
    const { url, received } = await receiver(cleanup);
    await sink(url).send(ALARM);
    const [{ headers, body } = { headers: {}, body: "" }] = received;
    expect(JSON.parse(body)).to.deep.equal({ schema: "neura/alarm/1", ...ALARM });
    expect(headers["content-type"]).to.equal("application/json");
    expect(headers["neura-alarm-id"]).to.equal(ALARM.id);
    const timestamp = String(headers["neura-timestamp"]);
    const hmac = createHmac("sha256", "0123456789abcdef0123456789abcdef").update(`${timestamp}.${body}`);
    expect(headers["neura-signature"]).to.equal(`v1=${hmac.digest("hex")}`);
    expect(verifyWebhook({ secret: SECRET, headers, body })).to.deep.include(ALARM);
    const asBytes = {
      body: Buffer.from(body),
      headers: new Headers({ ...headers } as Record<string, string>),
    };
    expect(verifyWebhook({ secret: SECRET, ...asBytes })).to.deep.include(ALARM);
  });

  it("N10_lets no receiver take what was changed, is old, or comes from somebody else", async () => {
    const { url, received } = await receiver(cleanup);
    await sink(url).send(ALARM);
    const [{ headers, body } = { headers: {}, body: "" }] = received;
    const timestamp = Number(headers["neura-timestamp"]);
    const request = { secret: SECRET, headers, body, nowSeconds: timestamp };
    type Request = Parameters<typeof verifyWebhook>[0];
    const codeOf = async (change: Partial<Request>) =>
      (await errorOf(Promise.resolve().then(() => verifyWebhook({ ...request, ...change })))).code;

    expect(verifyWebhook({ ...request, nowSeconds: timestamp + 300 })).to.deep.include(ALARM);
    expect(await codeOf({ nowSeconds: timestamp + 301 })).to.equal("alarm.stale");
    expect(await codeOf({ nowSeconds: timestamp - 301 })).to.equal("alarm.stale");
    const changes: Partial<Request>[] = [
      { body: body.replace("failed", "passed") },
      { body: `${body} ` },
      { secret: new Secret("another secret of thirty-two bytes") },
      { headers: { ...headers, "neura-timestamp": `${timestamp + 1}` } },
      { headers: { ...headers, "neura-timestamp": `0${timestamp}` } },
      { headers: { ...headers, "neura-signature": undefined } },
      { headers: { ...headers, "neura-signature": `v1=${"0".repeat(64)}` } },
      { headers: { ...headers, "neura-signature": String(headers["neura-signature"]).slice(0, -1) } },
      { headers: {} },
    ];
    for (const change of changes)
      expect(await codeOf(change), JSON.stringify(change)).to.equal("alarm.bad-signature");
  });

  it("fails at any answer but 2xx, and follows no redirect", async () => {
    for (const status of [301, 307, 400, 401, 500, 503]) {
      const { url, received } = await receiver(cleanup, () => status);
      const error = await errorOf(sink(url).send(ALARM));
      expect(error.code).to.equal("alarm.webhook");
      expect(error.message).to.contain(`answers ${status}`);
      expect(received).to.have.length(1);
    }
  });

  it("fails where nobody answers, or nobody is there, and ends at an abort", async () => {
    const { url } = await receiver(cleanup, () => undefined);
    const silent = await errorOf(sink(url, { timeoutSeconds: 0.2 }).send(ALARM));
    expect(silent.message).to.contain("no answer within 0.2 s");
    const nobody = await errorOf(sink(new URL("http://127.0.0.1:1/")).send(ALARM));
    expect(nobody).to.have.property("code", "alarm.webhook");
    const abort = new AbortController();
    const sending = sink(url).send(ALARM, abort.signal);
    abort.abort(new Error("enough"));
    expect(await sending.catch((error: unknown) => error)).to.have.property("message", "enough");
  });

  it("is refused without encryption, but on this machine, and with a short secret", () => {
    const make = (url: string, secret = SECRET) => sink(new URL(url), { secret });
    for (const url of [
      "https://example.org/x",
      "http://localhost:1/",
      "http://127.0.0.9/",
      "http://[::1]:2/",
    ])
      expect(make(url).name).to.equal("ops");
    for (const url of [
      "http://example.org/",
      "http://127.0.0.1.example.org/",
      "http://localhost.example.org/",
      "http://10.0.0.1/",
      "ftp://example.org/",
      "https://user:word@example.org/",
    ])
      expect(() => make(url), url).to.throw("webhook of ops");
    expect(() => make("https://example.org/", new Secret("é".repeat(15)))).to.throw("less than 32 bytes");
    expect(make("https://example.org/", new Secret("é".repeat(16))).name).to.equal("ops");
  });

  it("N16_shows neither its secret nor more of its URL than the origin", async () => {
    const { url } = await receiver(cleanup, () => 500);
    const hook = sink(url);
    const error = await errorOf(hook.send(ALARM));
    const shown = [inspect(hook, { depth: 9 }), inspect(error), error.message, JSON.stringify(error)].join();
    expect(shown).not.to.contain("0123456789abcdef").and.not.to.contain("of-the-receiver");
    expect(error.message).to.contain(url.origin);
  });
});
