import { once } from "node:events";
import { expect } from "chai";

import type { Alarm } from "../../../../src/market/alarms.ts";
import {
  Notifier,
  testSinks,
  watchAlarms,
  type WatchReport,
} from "../../../../src/market/alarms/notifier.ts";
import type { Sink } from "../../../../src/market/alarms/sink.ts";
import { verifyWebhook, webhookSink } from "../../../../src/market/alarms/webhook.ts";
import { moduleUrl, spawnModule } from "../../../../src/process.ts";
import { Cleanup } from "../../storage/support.ts";
import { ALARM, NOW, ownedTask, receiver, SECRET, watched } from "./support.ts";

const SECOND_MS = 1_000;
const HOUR_MS = 3_600_000;

describe("Notifier", function () {
  this.timeout(30_000);
  const cleanup = new Cleanup();
  let home: string;
  let nowMs: number;
  beforeEach(() => {
    home = cleanup.directory();
    nowMs = Date.now();
  });
  afterEach(() => cleanup.run());

  async function open(...sinks: Sink[]): Promise<Notifier> {
    const notifier = await Notifier.open({ home, sinks, now: () => nowMs });
    cleanup.add(() => notifier.close());
    return notifier;
  }

  const webhook = (url: URL, change: Partial<Sink> = {}): Sink => ({
    ...webhookSink({ name: "ops", kinds: undefined, timeoutSeconds: 10, url, secret: SECRET }),
    ...change,
  });

  const idsOf = (received: readonly { body: string }[]) =>
    received.map(({ body }) => (JSON.parse(body) as Alarm).id);

  it("N10_delivers each alarm once to each sink that wants its kind, also after a restart", async () => {
    const [all, few] = [await receiver(cleanup), await receiver(cleanup)];
    const sinks = [webhook(all.url), webhook(few.url, { name: "few", kinds: new Set(["delivered"]) })];
    const tasks = (status: "Active" | "Failed" | "Disputed") => watched({ tasks: [ownedTask(status)] });
    let notifier = await open(...sinks);
    expect(notifier.observe(tasks("Active"))).to.have.length(0);
    const noticed = notifier.observe(tasks("Failed"));
    expect(noticed.map(({ kind }) => kind)).to.deep.equal(["failed"]);
    expect(await notifier.deliver()).to.deep.equal([{ alarm: noticed[0], sink: "ops", delivered: true }]);

    notifier = await open(...sinks);
    expect(notifier.observe(tasks("Failed"))).to.have.length(0);
    expect(notifier.add(noticed)).to.have.length(0);
    expect(notifier.observe(tasks("Active")), "a reorganisation").to.have.length(1);
    expect(notifier.observe(tasks("Failed"))).to.have.length(0);
    await notifier.deliver();
    expect(idsOf(all.received)[0]).to.equal(noticed[0]?.id);
    expect(all.received).to.have.length(2);
    expect(few.received).to.have.length(0);
    expect(notifier.undelivered()).to.deep.equal([]);
  });

  it("knows after a restart what changed meanwhile", async () => {
    const stake = (lockedWei: bigint) => watched({ stake: { lockedWei, slashedWei: 10n ** 20n } });
    (await open()).observe(stake(3n));
    const [alarm] = (await open()).observe(stake(10n ** 19n));
    expect(alarm).to.deep.include({
      kind: "stake-locked",
      details: { addedWei: `${10n ** 19n - 3n}`, lockedWei: `${10n ** 19n}` },
    });
  });

  it("passes over what a node that lags behind says", async () => {
    const notifier = await open();
    notifier.observe(watched({ tasks: [ownedTask("Disputed")] }));
    expect(notifier.observe(watched({ atSeconds: NOW - 1, tasks: [] }))).to.have.length(0);
    expect(notifier.observe(watched({ tasks: [ownedTask("Disputed")] }))).to.have.length(0);
  });

  it("tries again after longer and longer pauses, and gives up after three days", async () => {
    const { url, received } = await receiver(cleanup, () => 503);
    const notifier = await open(webhook(url));
    notifier.add([ALARM]);
    const start = nowMs;
    const pauses: number[] = [];
    for (;;) {
      const [delivery, ...more] = await notifier.deliver();
      expect(more).to.deep.equal([]);
      expect(delivery).to.include({ delivered: false });
      if (delivery?.nextAttemptMs === undefined) break;
      pauses.push(delivery.nextAttemptMs - nowMs);
      nowMs = delivery.nextAttemptMs - 1;
      expect(await notifier.deliver(), "too early").to.deep.equal([]);
      nowMs += 1;
    }
    expect(pauses.slice(0, 4)).to.deep.equal([5, 10, 20, 40].map((seconds) => seconds * SECOND_MS));
    expect(Math.max(...pauses)).to.equal(HOUR_MS);
    expect(nowMs - start).to.be.within(71 * HOUR_MS, 72 * HOUR_MS);
    expect(received).to.have.length(pauses.length + 1);
    nowMs += 100 * HOUR_MS;
    expect(await notifier.deliver()).to.deep.equal([]);
    const [left] = notifier.undelivered();
    expect(left).to.deep.include({ alarm: ALARM, sink: "ops", isGivenUp: true, attempts: received.length });
    expect(left?.error).to.contain("answers 503");
  });

  it("delivers in order, past a dead sink, and past an alarm that a sink chokes on", async () => {
    const { url, received } = await receiver(cleanup, (count) => (count === 1 ? 500 : 200));
    const dead = webhook(new URL("http://127.0.0.1:1/"), { name: "dead" });
    const notifier = await open(dead, webhook(url));
    const alarms = ["one", "two", "three"].map((id) => ({ ...ALARM, id }));
    notifier.add(alarms);
    expect((await notifier.deliver()).map(({ sink, delivered }) => ({ sink, delivered }))).to.deep.equal([
      { sink: "dead", delivered: false },
      { sink: "ops", delivered: false },
    ]);
    await notifier.deliver();
    expect(idsOf(received)).to.deep.equal(["one", "two", "three"]);
    nowMs += 5 * SECOND_MS;
    await notifier.deliver();
    expect(idsOf(received)).to.deep.equal(["one", "two", "three", "one"]);
    expect(notifier.undelivered().map(({ sink, alarm }) => `${sink} ${alarm.id}`)).to.deep.equal([
      "dead one",
      "dead two",
      "dead three",
    ]);
  });

  it("N10_sends each alarm from one of several processes only", async () => {
    const { url, received } = await receiver(cleanup);
    const notifiers = [await open(webhook(url)), await open(webhook(url)), await open(webhook(url))];
    const ids = Array.from({ length: 6 }, (_, index) => `alarm ${index}`);
    for (const notifier of notifiers) notifier.add(ids.map((id) => ({ ...ALARM, id })));
    await Promise.all(notifiers.map((notifier) => notifier.deliver()));
    expect(idsOf(received).toSorted()).to.deep.equal(ids);
  });

  it("leaves what an abort cut off to the next call", async () => {
    const { url, received } = await receiver(cleanup, (count) => {
      if (count > 1) return 200;
      abort.abort(new Error("enough"));
      return undefined;
    });
    const abort = new AbortController();
    const notifier = await open(webhook(url));
    notifier.add([ALARM]);
    expect(await notifier.deliver({ signal: abort.signal })).to.deep.equal([]);
    expect(notifier.undelivered()).to.have.length(1);
    expect(await notifier.deliver()).to.have.length(1);
    expect(received).to.have.length(2);
  });

  for (const how of ["before it is sent", "between the answer and the record of it"]) {
    it(`N10_delivers an alarm of a process that was killed ${how}, with the same id`, async () => {
      const isBefore = how === "before it is sent";
      const { url, received } = await receiver(cleanup, (count) => {
        if (count > 1 || isBefore) return 200;
        child.kill("SIGKILL");
        return undefined;
      });
      const child = spawnModule(moduleUrl(import.meta.url, "./notify"), {
        arguments: [home, url.href, isBefore ? "crash-before-sending" : "deliver"],
        stdio: "inherit",
      });
      expect(await once(child, "exit")).to.deep.equal([null, "SIGKILL"]);
      expect(received).to.have.length(isBefore ? 0 : 1);

      const notifier = await open(webhook(url));
      expect(notifier.observe(watched({ tasks: [ownedTask("Failed")] })), "known").to.deep.equal([]);
      nowMs = Date.now();
      if (!isBefore) expect(await notifier.deliver(), "the other may still be at it").to.deep.equal([]);
      nowMs += 60 * SECOND_MS;
      expect(await notifier.deliver()).to.have.length(1);
      expect(await notifier.deliver()).to.deep.equal([]);
      expect(new Set(received.map(({ body }) => body))).to.have.property("size", 1);
      for (const { headers, body } of received)
        expect(verifyWebhook({ secret: SECRET, headers, body })).to.include({ kind: "failed" });
    });
  }
});

describe("watchAlarms", function () {
  this.timeout(30_000);
  const cleanup = new Cleanup();
  afterEach(() => cleanup.run());

  it("goes on through failures of what it watches and of whom it tells, until it is stopped", async () => {
    const { url, received } = await receiver(cleanup, (count) => (count === 1 ? 500 : 200));
    const sink = webhookSink({ name: "ops", kinds: undefined, timeoutSeconds: 10, url, secret: SECRET });
    let nowMs = Date.now();
    const notifier = await Notifier.open({ home: cleanup.directory(), sinks: [sink], now: () => nowMs });
    cleanup.add(() => notifier.close());
    const stop = new AbortController();
    const reports: WatchReport[] = [];
    const snapshots = [
      () => Promise.resolve(watched({ tasks: [ownedTask("Active")] })),
      () => Promise.reject(new Error("no chain")),
      () => Promise.resolve(watched({ tasks: [ownedTask("Failed")] })),
    ];
    await watchAlarms({
      snapshot: () => (snapshots.shift() ?? (() => new Promise<never>(() => stop.abort())))(),
      notifier,
      intervalMs: 1,
      signal: stop.signal,
      onReport: (report) => {
        reports.push(report);
        if (report.event === "delivery") nowMs += 5 * SECOND_MS;
        if (report.event === "delivery" && !report.delivery.delivered)
          snapshots.push(() => Promise.resolve(watched({ tasks: [ownedTask("Failed")] })));
      },
    });
    expect(reports.map(({ event }) => event)).to.deep.equal(["blind", "noticed", "delivery", "delivery"]);
    expect(received).to.have.length(2);
    expect(notifier.undelivered()).to.deep.equal([]);
  });
});

describe("testSinks", () => {
  const cleanup = new Cleanup();
  afterEach(() => cleanup.run());

  it("says of each sink whether it works, whatever kinds it takes", async () => {
    const { url, received } = await receiver(cleanup);
    const works = webhookSink({
      name: "works",
      kinds: new Set(["failed"]),
      timeoutSeconds: 10,
      url,
      secret: SECRET,
    });
    const broken = { ...works, name: "broken", send: () => Promise.reject(new Error("no route")) };
    const [first, second] = await testSinks([works, broken], { account: "0x1" });
    expect(first).to.deep.equal({ sink: "works", delivered: true });
    expect(second).to.deep.include({ sink: "broken", delivered: false });
    expect(JSON.parse(received[0]?.body ?? "")).to.include({ kind: "test", account: "0x1" });
  });
});
