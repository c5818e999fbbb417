import { writeFile } from "node:fs/promises";
import { inspect } from "node:util";
import { expect } from "chai";

import { DEFAULT_ALARM_SETTINGS } from "../../../../src/market/alarms.ts";
import { alarmsPath, loadAlarms, openSink, parseAlarms } from "../../../../src/market/alarms/config.ts";
import { Cleanup, errorOf } from "../../storage/support.ts";

const KEY = "k".repeat(32);

describe("parseAlarms", () => {
  const cleanup = new Cleanup();
  afterEach(() => cleanup.run());

  const parse = (file: object) => parseAlarms(JSON.stringify({ schema: "neura/alarms/1", ...file }));
  const faultsOf = async (file: object) =>
    await errorOf(Promise.resolve().then(() => parse(file))).then(({ message }) => message);

  it("takes the defaults for what is left out, and for a file that is not there", async () => {
    const none = { settings: DEFAULT_ALARM_SETTINGS, sinks: [] };
    expect(parse({})).to.deep.equal(none);
    const home = cleanup.directory();
    expect(await loadAlarms(home)).to.deep.equal(none);
    await writeFile(alarmsPath(home), "{}");
    expect((await errorOf(loadAlarms(home))).message).to.contain(alarmsPath(home));
  });

  it("reads every field", () => {
    const settings = {
      challengeClosingSeconds: 1,
      leaseEndingSeconds: 2,
      runwaySeconds: 3,
      gasLowWei: 4n,
      limitPercent: 50,
    };
    const command = ["/usr/bin/notify", "--now", ""];
    const { sinks, ...rest } = parse({
      ...settings,
      gasLowWei: "4",
      sinks: [
        { name: "mail", command, kinds: ["failed", "gas-low"], timeoutSeconds: 3 },
        { name: "ops", webhook: "https://example.org/hook", secret: KEY },
      ],
    });
    expect(rest).to.deep.equal({ settings });
    const [mail, ops] = sinks;
    expect(mail).to.deep.equal({
      name: "mail",
      command,
      kinds: new Set(["failed", "gas-low"]),
      timeoutSeconds: 3,
    });
    expect(ops).to.deep.include({ name: "ops", kinds: undefined, timeoutSeconds: 10 });
    expect(sinks.map((each) => openSink(each).name)).to.deep.equal(["mail", "ops"]);
  });

  it("names all faults at once", async () => {
    const message = await faultsOf({
      runwaySeconds: -1,
      limitPercent: 101,
      colour: "red",
      sinks: [
        { name: "a b", command: ["x"] },
        { name: "x", command: "rm -rf /", kinds: ["fialed"] },
        { name: "y", webhook: "http://example.org/", secret: KEY },
        { name: "z", webhook: "https://example.org/", secret: "short" },
        { name: "z", command: ["x"] },
        { command: ["x"], timeoutSeconds: 301 },
        { name: "v", command: ["x"], webhook: "https://example.org/", secret: KEY },
        "w",
      ],
    });
    for (const fault of [
      "runwaySeconds is no whole number from 0",
      "limitPercent is no whole number from 1 to 100",
      "colour is unknown",
      "sinks[0].name is no name",
      "sinks[1].command is no list",
      'sinks[1].kinds has "fialed"',
      "sinks[1] has neither a command",
      "sinks[2] is neither https nor http on this machine",
      "sinks[3] has a secret of less than 32 bytes",
      "sinks[4] has the name of another",
      "sinks[5].timeoutSeconds is no whole number from 1 to 300",
      "sinks[5].name is no name",
      "sinks[6] has neither a command",
      "sinks[7] is no object",
    ])
      expect(message).to.contain(fault);
  });

  it("N16_quotes no secret, whatever is wrong with it", async () => {
    const text = JSON.stringify({ schema: "neura/alarms/1", sinks: [{ name: "x", secret: KEY }] });
    for (const broken of [
      text,
      text.slice(0, -3),
      text.replace('"secret":"', '"secret":'),
      text.replace('"secret"', '"sceret"'),
    ]) {
      const error = await errorOf(Promise.resolve().then(() => parseAlarms(broken)));
      expect(error.code).to.equal("alarm.bad-config");
      expect(inspect(error, { depth: 9 })).not.to.contain("kkk");
    }
    const { sinks } = parse({ sinks: [{ name: "x", webhook: "https://example.org/", secret: KEY }] });
    expect(inspect(sinks, { depth: 9 }) + JSON.stringify(sinks)).not.to.contain("kkk");
  });
});
